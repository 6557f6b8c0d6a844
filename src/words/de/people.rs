//! The pages about people in German.

use crate::words::people::{AccountWords, FactorWords, PeopleWords, SetUpWords, SignInWords};

pub(in crate::words) static PEOPLE: PeopleWords = PeopleWords {
    sign_in: SignInWords {
        title: "Anmelden",
        about: "Diese Seiten sind für alle, die sich um diese Edge kümmern.",
        user: "Benutzer",
        password: "Passwort",
        code: "Code, wenn Sie einen zweiten Faktor haben",
        send: "Anmelden",
        sign_out: "Abmelden",
        wrong: "Benutzer oder Passwort ist falsch.",
        too_many: "Das waren zu viele Versuche. Warten Sie etwas und versuchen Sie es dann wieder.",
        lost: "Wer das Passwort verloren hat, lässt auf der Maschine der Edge ein neues machen: vitrine user reset NAME",
    },
    set_up: SetUpWords {
        title: "Der erste Benutzer",
        about: "Noch kann sich niemand anmelden. Die Edge hat ein Token in eine Datei geschrieben und die Datei in ihrem Protokoll genannt. \
                Wer sie lesen kann, legt hier den ersten Benutzer an, der alles darf.",
        token: "Token aus der Datei",
        user: "Benutzer: Buchstaben, Ziffern, Punkte, Bindestriche, Unterstriche, Plus- und At-Zeichen",
        send: "Ersten Benutzer anlegen",
        wrong: "Das steht nicht in der Datei.",
        closed: "Dieser Weg ist geschlossen: Er ist nach einem Start 15 Minuten lang offen, solange es keinen Benutzer gibt. Auf der Maschine \
                 der Edge: vitrine user add NAME --role admin",
    },
    account: AccountWords {
        title: "Konto",
        nobody: "Niemand ist angemeldet: Sie kamen ohne Benutzernamen.",
        who: |user, role| format!("Sie sind {user}, mit der Rolle {role}."),
        must_choose: "Ihr Passwort gilt einmal. Wählen Sie zuerst ein eigenes.",
        password: "Passwort",
        password_rules: "Mindestens 12 Zeichen, fünf davon verschieden, ohne Ihren Namen. Mehrere Wörter ergeben ein gutes. Alle anderen \
                         Sitzungen enden.",
        current: "Bisheriges Passwort",
        new: "Neues Passwort",
        repeated: "Das neue noch einmal",
        differ: "Das neue Passwort war nicht zweimal dasselbe.",
        change: "Passwort ändern",
        changed: "Das Passwort ist geändert; alle anderen Sitzungen sind beendet.",
        sessions: "Wo Sie angemeldet sind",
        begun: "Seit (UTC)",
        last_seen: "Zuletzt gesehen (UTC)",
        ends: "Endet (UTC)",
        address: "Von",
        browser: "Browser",
        this: "diese",
        end: "Abmelden",
        end_all: "Überall abmelden",
    },
    factor: FactorWords {
        title: "Zweiter Faktor",
        about: "Mit ihm gehört zum Anmelden noch ein Code, den ein Programm auf Ihrem Telefon zeigt.",
        begin: "Einrichten",
        scan: "Lassen Sie das Programm auf Ihrem Telefon dieses Bild lesen, oder tippen Sie das Geheimnis ab; geben Sie dann den Code ein, den \
               es zeigt.",
        secret: "Geheimnis:",
        code: "Code",
        turn_on: "Einschalten",
        on: "Der zweite Faktor ist eingeschaltet; alle anderen Sitzungen sind beendet.",
        recovery: "Mit jedem dieser Codes kommen Sie einmal hinein, wenn das Telefon verloren ist. Schreiben Sie sie auf: Sie werden nicht \
                   noch einmal gezeigt.",
        is_on: "Zum Anmelden gehört neben dem Passwort ein Code.",
        turn_off: "Ausschalten",
        wrong: "Das ist nicht der Code, der jetzt gezeigt wird, oder er wurde schon benutzt.",
    },
};
