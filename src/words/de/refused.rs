//! Why something was not done, in German.

use crate::words::refusal::{Expects, Refusal, Thing, Unproven};

pub(super) fn refused(refusal: &Refusal) -> String {
    let text = match refusal {
        Refusal::NoSuch(thing, name) if name.is_empty() => return format!("{} gibt es nicht", those(*thing).0),
        Refusal::NoSuch(thing, name) => return format!("{} „{name}“ gibt es nicht", those(*thing).0),
        Refusal::Full(thing) => {
            return format!(
                "Es gibt schon so viele {}, wie es geben darf; nicht mehr gebrauchte entfernen",
                those(*thing).1
            );
        }
        Refusal::NameTaken(thing) => {
            return format!("Diesen Namen gibt es unter den {} schon; einen anderen wählen", dative(*thing));
        }
        Refusal::Field(name, wanted) => return field(name, *wanted),
        Refusal::NoHost(host) => return format!("Keine Site hat den Host „{host}“"),
        Refusal::ContactConfigured => "Dieser Kontakt steht in der Konfiguration; ihn dort ändern",
        Refusal::OtherWay => "Ein Kontakt bleibt bei Mail oder Webhook; für das andere einen weiteren anlegen",
        Refusal::NotTold(_) => "Die Nachricht kam nicht an; beim Weg zu diesem Kontakt nachsehen",
        Refusal::LastAdmin => "Niemand sonst hat die Rolle admin; sie erst jemand anderem geben",
        Refusal::CodeNeeded => "Das Passwort stimmt; es fehlt der Code des zweiten Faktors oder einer der Notfallcodes",
        Refusal::WrongCode => "Der Code stimmt nicht, ist nicht der jetzt angezeigte oder wurde schon benutzt",
        Refusal::FactorStands => "Es gibt schon einen zweiten Faktor, oder es wurde keiner begonnen",
        Refusal::SiteTaken(site) => {
            return format!("Die Site „{site}“ gehört einer anderen Organisation; sie erst dort herausnehmen");
        }
        Refusal::ContactsTold(names) => {
            return format!(
                "Diese Kontakte werden zu ihren Sites benachrichtigt: {names}; sie erst entfernen oder etwas anderes für sie wählen"
            );
        }
        Refusal::UrlKnown => "Diese URL wird schon beobachtet",
        Refusal::UrlServed(host, site) => {
            return format!("{host} ist ein Host der Site {site} und wird ohnehin beobachtet");
        }
        Refusal::UrlUnseen(_) => "Die URL konnte nicht angesehen werden; es noch einmal versuchen",
        Refusal::LinkOver => "Die Zeit des Links ist um; einen neuen machen",
        Refusal::LinkSpent => "Der Link gilt nicht mehr; einen neuen machen",
        Refusal::LinkBusy => "Mit diesem Link wird gerade etwas abgegeben; es gleich noch einmal versuchen",
        Refusal::SitesOrRequest => "Erwartet werden Sites oder eine Anforderung, nicht beides",
        Refusal::OneCertificate => "Erwartet wird genau ein Zertifikat: das, um das gebeten wurde",
        Refusal::OfAnother(names) => {
            return format!(
                "Das Zertifikat ist für {names}; erwartet wird eines für das, wofür der Link ist, und für nichts sonst"
            );
        }
        Refusal::Fixed => "Diese Vitrine liefert feste Zertifikate aus und nimmt keine anderen auf",
        Refusal::Stopping => "Vitrine wird gerade beendet und nimmt nichts mehr auf",
        Refusal::Frozen(by, _) if by.is_empty() => "Gerade ändert sich nichts; `vitrine freeze off` hebt das auf",
        Refusal::Frozen(by, why) if why.is_empty() => {
            return format!("Auf Anordnung von {by} ändert sich gerade nichts; `vitrine freeze off` hebt das auf");
        }
        Refusal::Frozen(by, why) => {
            return format!(
                "Auf Anordnung von {by} ändert sich gerade nichts ({why}); `vitrine freeze off` hebt das auf"
            );
        }
        Refusal::PinsUploaded => "Fest gewählt werden können nur hochgeladene Zertifikate",
        Refusal::NotLocal(host) => {
            return format!(
                "Die eigene Zertifizierungsstelle stellt für „{host}“ nichts aus: der Name endet auf nichts von certificates.local_ca_suffixes"
            );
        }
        Refusal::NotForSite(fingerprint) => {
            return format!("Das Zertifikat {fingerprint} ist für keinen Host der Site; eines wählen, das es ist");
        }
        Refusal::NoTerms => {
            "Ohne terms_of_service_agreed = true unter [acme] in der Konfiguration wird nichts bestellt"
        }
        Refusal::NeedsDns(host) => {
            return format!(
                "Für {host} braucht es dns-01: unter [[acme.dns]] angeben, wie Einträge geschrieben werden, und „dns-01“ in acme.challenges aufnehmen, oder jeden Host nennen"
            );
        }
        Refusal::NotManaged(site) => {
            return format!("Für „{site}“ wird nichts bestellt; erst bei der Site „verwaltet“ wählen");
        }
        Refusal::Untimely => {
            "Diese Fassung ist abgelaufen oder gilt noch nicht; die bisherige bleibt, eine andere wählen"
        }
        Refusal::Revoked => {
            "Diese Fassung ist widerrufen; die bisherige bleibt, eine andere wählen oder neu ausstellen lassen"
        }
        Refusal::Damaged(_) => "Die Dateien dieser Fassung sind beschädigt; sie aus einer Sicherung zurückholen",
        Refusal::Dropped(files) => {
            return format!(
                "Das liegt im Ordner für Zertifikate, der Ihnen allein gehört: dort ändern oder löschen: {files}"
            );
        }
        Refusal::LastGood(names) => {
            return format!("Dann diente {names} nichts Gültiges mehr; erst ein anderes Zertifikat bringen");
        }
        Refusal::ExportOff => {
            "Kein privater Schlüssel darf hinaus: admin.export ist false; in der Konfiguration auf true setzen, solange es gebraucht wird"
        }
        Refusal::BornHere => {
            "Der Schlüssel wurde hier gemacht und ist nirgends sonst bekannt; wird er anderswo gebraucht, eine Anforderung dafür machen"
        }
        Refusal::NotWrittenYet => "Es dient schon und ist noch nicht geschrieben; es noch einmal versuchen",
        Refusal::HeldBack(names) => {
            return format!(
                "Inzwischen sind {names} Namen zurückgehalten, mehr als zu sehen waren; noch einmal ansehen"
            );
        }
        Refusal::NothingHeld => "Nichts wird zurückgehalten",
        Refusal::OnlyWildcards(site) => {
            return format!("Alle Hosts der Site „{site}“ sind Platzhalter; einen ganzen Namen zur Site nehmen");
        }
        Refusal::ShowsAnother(site, object) => {
            return format!(
                "Die Site „{site}“ zeigt schon „{object}“; dies als Fassung davon bringen oder jenes entfernen"
            );
        }
        Refusal::EmptyFile => "Die Datei ist leer; sie noch einmal holen",
        Refusal::SecretFile => "Die Datei ist ein Geheimnis, und alle würden sie sehen; die richtige wählen",
        Refusal::NoMerchant => "Das Zertifikat nennt keinen Händler; einen Namen dafür angeben",
        Refusal::Ended => "Das Zertifikat ist abgelaufen; das nehmen, das an seiner Stelle ausgestellt wurde",
        Refusal::ForRequest(request) => {
            return format!("Das Zertifikat ist die Antwort auf die Anforderung {request}; es dort hochladen");
        }
        Refusal::OtherKind(kind) => {
            return format!("Unter diesem Namen gibt es etwas vom Typ {kind}; einen anderen wählen");
        }
        Refusal::NoVersion(number) => return format!("Eine unversehrte Fassung {number} gibt es nicht"),
        Refusal::RequestChanged => "Die Anforderung wurde inzwischen geändert; sie noch einmal ansehen",
        Refusal::RequestOpen => "Ihr Zertifikat wird schon erwartet; die Anforderung abschließen oder verwerfen",
        Refusal::SameKey => "Mit demselben Schlüssel bleibt alles, wie es war; für Änderungen einen neuen nehmen",
        Refusal::Confirm => "Das lässt sich nicht zurücknehmen und muss bestätigt werden",
        Refusal::DraftGone => {
            "Das Hochgeladene wartete zu lange oder wurde schon bestätigt oder verworfen; es noch einmal hochladen"
        }
        Refusal::DraftsFull => "Zu vieles wartet auf eine Bestätigung; es später noch einmal versuchen",
        Refusal::NoRandomness => "Das System liefert keine Zufallszahlen",
        Refusal::Unrecorded => {
            "Was getan wird, lässt sich nicht aufzeichnen, und ohne das verlässt kein Schlüssel das Haus"
        }
        Refusal::MayNotChange => "Dazu braucht es die Rolle operate oder admin",
        Refusal::MayNotRule => "Dazu braucht es die Rolle admin",
        Refusal::MayNotExport => {
            "Dazu braucht es die Rolle admin, oder die Rolle export und den Weg über die Maschine selbst"
        }
        Refusal::NobodyHere => "Dazu muss jemand mit Namen und Passwort angemeldet sein",
        Refusal::EdgeAlone => "Dazu braucht es eine Rolle für die ganze Vitrine; Ihre gilt für einige Organisationen",
        Refusal::OthersOwn => "Was dazu gehört, ist nicht oder nicht ganz das Ihre; Ihre Rolle reicht dafür nicht",
        Refusal::NotOffered(offered) => {
            return format!("Eine Angabe ist keine der angebotenen; es gibt: {offered}");
        }
        Refusal::Unlike => "Was gesendet wurde, passt hier nicht; die Seite neu laden und es noch einmal versuchen",
        Refusal::WrongPassword(None) => "falsches Passwort für einen Benutzer, den es nicht gibt",
        Refusal::WrongPassword(Some(user)) => return format!("falsches Passwort für den Benutzer \"{user}\""),
        Refusal::PasswordOver(user) => {
            return format!("abgelaufenes Passwort für ein Mal für den Benutzer \"{user}\"");
        }
        Refusal::NoCodeOf(user) => return format!("kein Code des zweiten Faktors für den Benutzer \"{user}\""),
        Refusal::WrongCodeOf(user) => {
            return format!("falscher Code des zweiten Faktors für den Benutzer \"{user}\"");
        }
        Refusal::NoSignIn => "Über admin.sock oder mit einem Token meldet sich niemand an; einfach fragen",
        Refusal::AtTheMachine => "Über admin.sock geht das mit `vitrine user add NAME --role admin`",
        Refusal::NotBelieved(why) => unproven(*why),
        Refusal::NotAllowedAnyMore(name) => return format!("Was bei site.ask antwortet, erlaubt {name} nicht mehr"),
        Refusal::SiteUnread(_) => "Was zur Site angegeben ist, passt nicht",
        Refusal::WouldNotHold(_) => "Damit ginge die Konfiguration nicht auf; also bleibt alles, wie es war",
        Refusal::SiteAdded(site) => {
            return format!("Die Site „{site}“ gibt es schon; sie erst entfernen oder einen anderen Namen wählen");
        }
        Refusal::SiteWritten(site, file) => return format!("Die Site „{site}“ steht in {file}; sie dort herausnehmen"),
        Refusal::NoConfiguration => "Diese Vitrine läuft ohne Konfigurationsdatei und behält ihre Sites",
        Refusal::NotDenied(network) => return format!("{network} wird nicht eigens abgewiesen"),
        Refusal::StillServes(site) => {
            return format!(
                "Es dient der verwalteten Site „{site}“, für die sofort ein anderes bestellt würde; erst die Site entfernen oder „hochgeladen“ wählen"
            );
        }
        Refusal::OrderedElsewhere => {
            "Es wurde nicht hier bestellt; wer es ausgestellt hat, kann es widerrufen, danach hier löschen"
        }
        Refusal::IssuerGone(name) => {
            return format!(
                "Ausgestellt hat es „{name}“, und das steht nicht mehr in der Konfiguration; es dort eintragen"
            );
        }
        Refusal::NobodySigns => "Weder das Konto noch der Schlüssel des Zertifikats kann dafür unterschreiben",
        Refusal::SelfMade => {
            "Vitrine hat es selbst gemacht, oder es ist gerade erst gekommen; es lässt sich nicht widerrufen"
        }
        Refusal::AuthoritySaidNo(_) => "Die Zertifizierungsstelle lehnt ab",
        Refusal::AuthorityAway(_) => "Die Zertifizierungsstelle ist nicht zu erreichen oder antwortet nicht richtig",
        Refusal::TicketsKept(_) => {
            "Es ist widerrufen, aber die Schlüssel der Sitzungstickets sind noch die bisherigen; Vitrine neu starten"
        }
        Refusal::Failed => "Das ist in Vitrine fehlgeschlagen; ihr Protokoll sagt mehr",
        Refusal::HalfDone => {
            "Der Auftrag kam nicht zu Ende, und ein Teil kann getan sein; das Protokoll von Vitrine sagt mehr"
        }
        Refusal::Unwritten(_) => "Der Zustandsordner ist nicht zu lesen oder zu schreiben",
        Refusal::Own(text) => text,
        Refusal::ChooseFirst => "Das Passwort gilt für ein Mal: erst ein eigenes wählen",
    };
    text.to_owned()
}

/// What others wrote, and is quoted.
pub(super) fn quoted(refusal: &Refusal) -> Option<&str> {
    match refusal {
        Refusal::NotTold(text)
        | Refusal::UrlUnseen(text)
        | Refusal::Damaged(text)
        | Refusal::SiteUnread(text)
        | Refusal::WouldNotHold(text)
        | Refusal::AuthoritySaidNo(text)
        | Refusal::AuthorityAway(text)
        | Refusal::TicketsKept(text)
        | Refusal::Unwritten(text) => Some(text),
        _ => None,
    }
}

/// Why the word of a proxy does not count.
pub(super) const fn unproven(why: Unproven) -> &'static str {
    match why {
        Unproven::Socket => "es kam durch admin.sock, und das ist für die Befehle dieser Maschine und für keinen Proxy",
        Unproven::Elsewhere => "es kam von einer Adresse, die nicht in admin.trusted_header.networks steht",
        Unproven::SeveralNames => "der Name steht mehrmals da",
        Unproven::NoSecret => "das Geheimnis fehlt",
        Unproven::SeveralSecrets => "das Geheimnis steht mehrmals da",
        Unproven::OtherSecret => "das Geheimnis ist ein anderes",
        Unproven::NoUser => "hier gibt es keinen Benutzer dieses Namens; `vitrine user add` macht einen",
    }
}

/// Of what sort the refusal is, by the code of the interface: where nothing more particular is known.
pub(super) fn sort(code: &str) -> &'static str {
    match code {
        "unauthorized" => "Dazu muss man angemeldet sein",
        "foreign-request" => {
            "Das wurde nicht von einer Seite dieses Panels gesendet; sie neu laden und es noch einmal versuchen"
        }
        "not-allowed" => "Dazu reicht Ihre Rolle nicht",
        "not-found" => "Das gibt es nicht",
        "method-not-allowed" => "Das geht hier nicht",
        "conflict" => "So, wie die Dinge stehen, geht das nicht",
        "rejected" => "Das kann nicht ausgeliefert werden",
        "changed-meanwhile" => "Inzwischen hat es sich geändert; noch einmal ansehen",
        "if-match-needed" => "Es fehlt, wovon dabei ausgegangen wird",
        "content-too-large" => "Das ist zu groß",
        "unsupported-media-type" => "In dieser Form wird nichts gelesen",
        "too-many-failures" => "Zu viele Fehlversuche; es später noch einmal versuchen",
        "authority-refuses" => "Die Zertifizierungsstelle lehnt ab oder antwortet nicht",
        "internal" => "Das ist ein Fehler in Vitrine; ihr Protokoll sagt mehr",
        _ => "Mit diesen Angaben geht es nicht",
    }
}

/// What a field of a form takes.
fn field(name: &str, wanted: Expects) -> String {
    let (label, usual) = known(name);
    let wanted = match wanted {
        Expects::Usual => usual.to_owned(),
        Expects::Something => "eine Angabe".into(),
        Expects::Line(most) => format!("eine Zeile mit höchstens {most} Zeichen"),
        Expects::Name(most) => format!("1 bis {most} Zeichen in einer Zeile"),
        Expects::Letters(fewest) => format!("mindestens {fewest} Zeichen; mehrere Wörter machen ein gutes"),
        Expects::Different(fewest) => format!("mindestens {fewest} verschiedene Zeichen"),
        Expects::NotTheName => "etwas anderes als der Name; mehrere Wörter machen ein gutes".into(),
        Expects::Another => "ein anderes als das bisherige".into(),
        Expects::Number(most) => format!("eine Zahl von 1 bis {most}"),
        Expects::Sites(most) => format!("1 bis {most} Namen von Sites, die es gibt"),
        Expects::Later => "ein Zeitpunkt, der noch kommt".into(),
    };
    format!("{label}: das passt nicht. Gebraucht: {wanted}")
}

/// What people call a field, and what it takes.
pub(super) fn usual(name: &str) -> (String, String) {
    let (label, usual) = known(name);
    (label.to_owned(), format!("das passt nicht. Gebraucht: {usual}"))
}

/// What people call a field, and what it is for.
fn known(name: &str) -> (&str, &'static str) {
    match name {
        "name" => ("Name", "1 bis 64 Buchstaben, Ziffern, Punkte, Bindestriche, Unterstriche, Plus- und At-Zeichen"),
        "password" | "new" => ("Passwort", "eine Zeile"),
        "current" => ("Bisheriges Passwort", "das, das jetzt gilt"),
        "mail" | "contacts.mail" => ("Mailadresse", "eine Adresse wie name@shop.example"),
        "webhook.url" => ("Webhook", "eine Adresse, die mit https:// beginnt"),
        "webhook.secret" => ("Geheimnis des Webhooks", "eine Zeile, lang genug, um nicht erraten zu werden"),
        "language" => ("Sprache", "de oder en"),
        "events" => ("Ereignisse", "mindestens eines"),
        "way" => ("Weg", "entweder eine Mailadresse oder ein Webhook"),
        "scope" => ("Wofür", "eine Site oder eine Organisation, nicht beides"),
        "reason" => ("Grund", "warum, in einer Zeile"),
        "url" => ("URL", "eine wie https://shop.example oder https://shop.example:8443"),
        "note" => ("Notiz", "eine Zeile"),
        "hours" => ("Stunden", "eine Zahl"),
        "site" | "sites" => ("Sites", "Namen von Sites, die es gibt"),
        "organisations" | "organisation" => ("Organisation", "eine, die es gibt"),
        "role" => ("Rolle", "eine der angebotenen"),
        "expires" => ("Ablauf", "ein Tag wie 2027-01-31"),
        "version" => ("Fassung", "die Nummer einer Fassung"),
        "id" => ("Name", "höchstens 200 Zeichen ohne Schrägstrich und ohne Punkt am Anfang"),
        "type" => ("Typ", "einer der angebotenen"),
        "kind" => ("Art", "eine der angebotenen"),
        "certificate" => ("Zertifikat", "eine Angabe, woher es kommt: verwaltet, hochgeladen oder selbst ausgestellt"),
        "pinned" => ("Fest gewählt", "höchstens ein Zertifikat für jede Art von Schlüssel"),
        "token" => ("Token", "was in der Datei setup.token im Zustandsordner steht"),
        "export.password" => {
            ("Passwort", "eines, mit dem die Datei verschlüsselt wird, oder die Wahl, es nicht zu tun")
        }
        "key_type" => ("Art des Schlüssels", "eine der angebotenen"),
        "common_name" => ("Gemeinsamer Name", "ein Hostname; bei Apple, wie es dort heißt"),
        "names" => {
            ("Namen", "mindestens ein Hostname und nicht mehr, als eine Zertifizierungsstelle nimmt; bei Apple keiner")
        }
        "organisational_units" => ("Abteilung", "nicht so viele"),
        "country" | "company.country" => ("Land", "zwei Buchstaben wie DE"),
        "company.organisation" => ("Firma", "eine Zeile"),
        "company.unit" => ("Abteilung", "eine Zeile"),
        "locality" | "company.locality" => ("Ort", "eine Zeile, nicht zu lang"),
        "state" | "company.state" => ("Bundesland", "eine Zeile, nicht zu lang"),
        "contacts" | "contacts.name" | "contacts.phone" => ("Ansprechpartner", "nicht so viele, mit kurzen Angaben"),
        "order.validation_file.name" => ("Name der Prüfdatei", "der Name einer Datei ohne Ordner, wie fileauth.txt"),
        "order.validation_file.content" => {
            ("Inhalt der Prüfdatei", "was die Zertifizierungsstelle vorgibt, und kein Geheimnis")
        }
        "order.approver_email" => ("Mailadresse des Bestätigers", "eine Adresse wie admin@shop.example"),
        "order.reminder.date" => ("Erinnern am", "ein Tag wie 2026-12-31"),
        "order.reminder.contacts" => ("Zu erinnern", "Mailadressen, nicht so viele"),
        name => (name, "etwas anderes"),
    }
}

/// What those are called: one of them, with its article, and many.
const fn those(thing: Thing) -> (&'static str, &'static str) {
    match thing {
        Thing::Contact => ("Den Kontakt", "Kontakte"),
        Thing::User => ("Den Benutzer", "Benutzer"),
        Thing::Organisation => ("Die Organisation", "Organisationen"),
        Thing::Site => ("Die Site", "Sites"),
        Thing::Certificate => ("Das Zertifikat", "Zertifikate"),
        Thing::Object => ("Das Objekt", "Objekte"),
        Thing::Report => ("Den Bericht", "Berichte"),
        Thing::Request => ("Die Anforderung", "Anforderungen"),
        Thing::Url => ("Die URL", "URLs"),
        Thing::Link => ("Den Link", "Links"),
        Thing::Session => ("Die Sitzung", "Sitzungen"),
        Thing::Token => ("Das Token", "Token"),
        Thing::Network => ("Das Netz", "abgewiesene Netze"),
        Thing::Upstream => ("Den Upstream", "Upstreams"),
        Thing::Issuer => ("Die Zertifizierungsstelle", "Zertifizierungsstellen"),
    }
}

/// The many of whom something is said.
const fn dative(thing: Thing) -> &'static str {
    match thing {
        Thing::Contact => "Kontakten",
        Thing::User => "Benutzern",
        Thing::Certificate => "Zertifikaten",
        Thing::Object => "Objekten",
        Thing::Report => "Berichten",
        Thing::Network => "abgewiesenen Netzen",
        thing => those(thing).1,
    }
}
