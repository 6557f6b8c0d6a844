//! The pages about users and organisations in German.

use crate::words::office::{OfficeWords, OrganisationsWords, UsersWords};

pub(in crate::words) static OFFICE: OfficeWords = OfficeWords {
    users: UsersWords {
        title: "Benutzer",
        about: "Wer sich hier anmeldet. Eine andere Rolle beendet die Sitzungen dieses Benutzers.",
        none: "Es gibt keinen Benutzer.",
        one_time: |name| {
            format!(
                "{name} meldet sich damit innerhalb eines Tages an und wählt ein anderes Passwort. Es wird nicht noch einmal gezeigt:"
            )
        },
        name: "Benutzer",
        name_hint: "Buchstaben, Ziffern, Punkte, Bindestriche, Unterstriche, Plus- und At-Zeichen.",
        may: "Darf",
        since: "Seit",
        password: "Passwort",
        must_choose: "für einmal",
        chosen: "gewählt",
        second_factor: "zweiter Faktor",
        change: "Ändern",
        actions: "Aktionen",
        role: "Rolle",
        role_hint: "read sieht; operate ändert, was ausgeliefert wird; admin bestimmt auch, wer was darf, und gilt für die Edge.",
        for_whom: "Für",
        edge: "die Edge",
        set: "Setzen",
        several: "Mehrere Organisationen",
        for_edge: "Für die Edge",
        for_organisations: "Für Organisationen",
        either: "Entweder eine Rolle für die Edge und alles, was es gibt, oder für jede von einigen Organisationen eine.",
        no_role: "keine",
        sign_out: "Überall abmelden",
        reset: "Neues Passwort",
        remove: "Entfernen",
        new: "Neuer Benutzer",
        add: "Anlegen",
    },
    organisations: OrganisationsWords {
        title: "Organisationen",
        about: "Einer Organisation gehören Sites und mit ihnen deren Zertifikate und Anträge. Ihre Benutzer sehen diese und nichts anderes.",
        none: "Es gibt keine Organisation.",
        name: "Name",
        sites: "Sites",
        sites_hint: "Eine in jeder Zeile. Eine Site gehört höchstens einer Organisation.",
        company: "Firma",
        company_hint: "Was in ihren Zertifikatsanträgen steht, wenn nichts anderes gesagt wird.",
        organisation: "Organisation (O)",
        unit: "Abteilung (OU)",
        locality: "Ort (L)",
        state: "Bundesland (ST)",
        country: "Land (C), zwei Buchstaben",
        contacts: "Kontakte",
        contacts_hint: "Einer in jeder Zeile: Name; Mail; Telefon",
        new: "Neue Organisation",
        change: "Ändern",
        save: "Speichern",
        remove: "Die Organisation entfernen",
    },
};
