//! What the interface says by codes, in German.

use super::{audit, fault, order, refused};
use crate::words::said::{AlertTexts, ReasonAndMend, RefusedTexts, SaidWords};

pub(in crate::words) static SAID: SaidWords = SaidWords {
    flaw,
    alarm,
    word,
    next: |status| {
        Some(match status {
            "pending" => "Die Anforderung bei der Zertifizierungsstelle einreichen und deren Antwort hier hochladen",
            "renewing" => {
                "Die Anforderung einreichen und die Antwort hochladen; bis dahin dient das bisherige Zertifikat weiter"
            }
            "replaced" => "Sie mit ihrem Schlüssel verwerfen, sobald nichts mehr ihr Zertifikat nutzt",
            _ => return None,
        })
    },
    order_failed: order::order_failed,
    issued: |written| {
        let rest = written.strip_prefix("issued for ")?;
        Some(match rest.split_once("; without ") {
            Some((names, left_out)) => format!("für {names}; ohne {left_out}"),
            None => format!("für {rest}"),
        })
    },
    audited: audit::audited,
    fault: fault::fault,
    alerts: AlertTexts {
        expired: "Das ausgelieferte Zertifikat ist abgelaufen",
        not_yet_valid: "Das ausgelieferte Zertifikat gilt noch nicht",
        revoked: "Das ausgelieferte Zertifikat ist widerrufen",
        served_otherwise: "Kunden bekommen ein anderes Zertifikat als das veröffentlichte; prüfen, was sonst noch an der Adresse lauscht",
        not_shown: "Was unter /.well-known/ stehen soll, ist dort nicht zu sehen",
        renewal_late: "Das Zertifikat hätte vor mehr als einem Tag erneuert werden sollen",
        audit_unwritten: "Was getan wird, lässt sich nicht aufzeichnen",
        handed_in: |link| {
            format!("Was über den Link „{link}“ abgegeben wurde, wartet; unter „Links“ ansehen und annehmen oder nicht")
        },
        notices_stuck: "Nachrichten warten und kommen nicht an; den Mailserver prüfen",
        unreachable: "Dort antwortet niemand",
        foreign_expired: "Das Zertifikat, das andere dort ausliefern, ist abgelaufen",
        foreign_wrong: "Dort wird ausgeliefert, was nicht stimmt",
        foreign_ends: |days| format!("Das Zertifikat endet in {}; wer es ausliefert, braucht das nächste", tage(days)),
        configuration_refused: "Die Konfiguration gilt nicht so, wie sie jetzt geschrieben ist; die vorige gilt weiter. Die genannte Stelle ändern und neu laden",
        configuration_rejected: "Ein Teil der Konfiguration gilt nicht; das Übrige dient. Die genannte Stelle ändern und neu laden",
        orders_fail: |count| format!("{count} Bestellungen in Folge sind gescheitert"),
        no_certificate: |hosts| format!("Kein Zertifikat deckt {hosts} ab; eines hinzufügen oder bestellen lassen"),
        ends_now: |days| format!("Das Zertifikat endet in {}; das nächste hinzufügen", tage(days)),
        not_renewed: |days| format!("Das Zertifikat endet in {} und wurde nicht erneuert", tage(days)),
        ends_soon: |days| format!("Das Zertifikat endet in {}; an das nächste denken", tage(days)),
    },
    refused: RefusedTexts {
        text: refused::refused,
        quote: refused::quoted,
        sort: refused::sort,
        field: refused::usual,
    },
};

fn tage(days: i64) -> String {
    if days == 1 { "einem Tag".to_owned() } else { format!("{days} Tagen") }
}

fn flaw(code: &str, about: &[String]) -> Option<ReasonAndMend> {
    let all = || about.join(", ");
    let at = |place: usize| about.get(place).map_or("", String::as_str);
    let (reason, mend) = match code {
        "acme-challenge" => (
            "Antworten auf Fragen einer Zertifizierungsstelle gibt Vitrine selbst, nie aus einer Datei",
            "Die Datei wegnehmen",
        ),
        "authorities-alone" => (
            "Es sind nur Zertifikate von Zertifizierungsstellen",
            "Das Zertifikat des Servers und seinen Schlüssel mitschicken",
        ),
        "authority-as-leaf" => (
            "Das Zertifikat ist das einer Zertifizierungsstelle (CA:TRUE); manche Programme nehmen das einem Server nicht ab",
            "Ein Serverzertifikat ausstellen lassen",
        ),
        "bad-name" => {
            return Some((
                match about {
                    [] => "Der Name hat Zeichen, die in einer URL nicht stehen können".to_owned(),
                    _ => format!("Das Zertifikat ist für {}, und das ist kein Hostname", all()),
                },
                "Einen anderen Namen wählen oder das Zertifikat ohne diesen Namen ausstellen lassen",
            ));
        }
        "certificate-malformed" => (
            "Ein Zertifikat in der Datei ist beschädigt und nicht zu lesen",
            "Die Datei noch einmal von dort holen, wo sie ausgestellt wurde",
        ),
        "certificate-missing" => {
            ("Das Zertifikat zum privaten Schlüssel fehlt", "Das dafür ausgestellte Zertifikat mitschicken")
        }
        "certificate-request" => (
            "Die Datei enthält eine Zertifikatsanforderung, weder Zertifikat noch Schlüssel",
            "Die Anforderung bei einer Zertifizierungsstelle einreichen und deren Antwort hier ablegen",
        ),
        "chain-incomplete" => (
            "Das Zertifikat des Ausstellers fehlt: die meisten Programme lehnen ab, manche Browser warnen",
            "Die Zwischenzertifikate hinzufügen, die der Aussteller mitgeschickt hat",
        ),
        "dangling-link" => ("Der Verweis führt ins Leere", "Ihn auf eine Datei zeigen lassen oder wegnehmen"),
        "der" => (
            "Die Datei ist binär (DER) und enthält weder Zertifikat noch privaten Schlüssel",
            "Mit openssl asn1parse -inform DER -in DATEI nachsehen, was es ist",
        ),
        "empty" => ("Es ist nichts darin", "Zertifikat, Schlüssel und Kette angeben, in einer Datei oder in mehreren"),
        "encrypted-key" => (
            "Der private Schlüssel ist auf eine Weise verschlüsselt, die nicht gelesen wird",
            "Ihn entschlüsseln: openssl pkey -in ALT -out NEU",
        ),
        "expired" => ("Das Zertifikat ist abgelaufen", "Es neu ausstellen lassen und das neue an seine Stelle setzen"),
        "folder-unreadable" => (
            "Der Ordner ist nicht zu lesen; was zuvor darin lag, dient weiter",
            "Den Benutzer, unter dem Vitrine läuft, hineinlassen (chmod u+rx, chown)",
        ),
        "holds-key" => (
            "Es ist ein privater Schlüssel dabei, und erwartet wird nur das Zertifikat: der Schlüssel der Anforderung liegt schon hier",
            "Zertifikat und Kette ohne Schlüssel schicken",
        ),
        "key-mismatch" => (
            "Privater Schlüssel und Zertifikat gehören nicht zusammen",
            "Den Schlüssel nehmen, mit dem das Zertifikat angefordert wurde, oder ein neues Zertifikat ausstellen lassen",
        ),
        "key-missing" => {
            ("Der private Schlüssel des Zertifikats fehlt", "Den Schlüssel mitschicken, mit dem es angefordert wurde")
        }
        "key-not-kept" => (
            "Es ist ein privater Schlüssel dabei, der hier nicht gebraucht und nicht aufbewahrt wird",
            "Ihn dort aufbewahren, wo er gebraucht wird, und ohne ihn schicken",
        ),
        "key-unsupported" => (
            "Der private Schlüssel ist von keiner Art, die ausgeliefert wird (ECDSA, Ed25519, RSA mit 2048 bis 8192 Bit)",
            "Einen neuen Schlüssel und ein neues Zertifikat machen lassen",
        ),
        "link-loop" => ("Der Verweis führt auf sich selbst", "Die Datei selbst hier ablegen"),
        "malformed" => ("Die Datei ist beschädigt", "Sie noch einmal von dort holen, wo sie ausgestellt wurde"),
        "must-staple" => (
            "Das Zertifikat verlangt eine angeheftete OCSP-Antwort (must-staple), die nicht mitgeschickt wird: Firefox lehnt es ab",
            "Es ohne must-staple neu ausstellen lassen",
        ),
        "name-not-allowed" => {
            return Some((
                format!("Dieser Ordner darf diese Namen nicht liefern: {}", all()),
                "Die Datei in den Ordner legen, der es darf, oder die Namen bei diesem Ordner eintragen",
            ));
        }
        "names-unused" => {
            return Some((
                format!("Keine Site hat diese Namen des Zertifikats: {}", all()),
                "Nichts, wenn das so gemeint ist; sonst die Namen bei einer Site eintragen",
            ));
        }
        "no-host" => ("Der Ordner ist nicht nach einem Host benannt", "Die Datei nach well-known/<Host>/<Name> legen"),
        "no-names" => (
            "Das Zertifikat hat keinen DNS-Namen unter seinen alternativen Namen",
            "Es mit den Hostnamen als alternativen Namen (DNS) neu ausstellen lassen",
        ),
        "not-a-file" => ("Es ist keine gewöhnliche Datei", "Eine gewöhnliche Datei hier ablegen"),
        "not-apple-pay" => {
            ("Es ist kein Zertifikat für Apple Pay dabei", "Das Zertifikat hochladen, das Apple ausgestellt hat")
        }
        "not-for-servers" => {
            ("Das Zertifikat ist nicht für Server bestimmt", "Es für Server (serverAuth) neu ausstellen lassen")
        }
        "not-of-its-chain" => {
            return Some((
                format!("Diese Zertifikate gehören nicht zur Kette und werden nicht aufbewahrt: {}", all()),
                "Sie weglassen; fehlt der Aussteller, dessen Zertifikat mitschicken",
            ));
        }
        "not-yet-valid" => (
            "Das Zertifikat gilt noch nicht: Browser warnen bis dahin",
            "Nichts, wenn das so gemeint ist; sonst die Uhr dieser Maschine prüfen",
        ),
        "nothing" => (
            "Die Datei enthält weder Zertifikat noch Schlüssel",
            "Zertifikat oder Schlüssel als PEM (-----BEGIN …) oder DER ablegen oder die Datei wegnehmen",
        ),
        "openssh-key" => {
            ("Der private Schlüssel hat die Form von OpenSSH", "Eine Kopie umwandeln: ssh-keygen -p -m PEM -f KOPIE")
        }
        "outside" => ("Der Verweis führt aus dem Ordner hinaus", "Die Datei selbst hier ablegen"),
        "pair-broken" => (
            "Hier lag ein Zertifikat oder Schlüssel im Einsatz; was jetzt darin steht, hat kein Gegenstück. Das letzte gute Paar dient weiter",
            "Zertifikat und Schlüssel ablegen, die zusammengehören",
        ),
        "password-exposed" => (
            "Andere als ihr Besitzer können die Passwortdatei lesen oder schreiben; sie wird nicht benutzt",
            "chmod 0600 DATEI.password; könnten andere sie gelesen haben, einen neuen Schlüssel machen",
        ),
        "password-malformed" => ("Die Passwortdatei ist keine einzelne Zeile Text", "Nur das Passwort hineinschreiben"),
        "password-missing" => ("Die Datei ist verschlüsselt, und es kam kein Passwort mit", "Ihr Passwort mitschicken"),
        "password-unreadable" => (
            "Die Passwortdatei ist nicht zu lesen",
            "Sie dem Benutzer geben, unter dem Vitrine läuft, mit den Rechten 0600",
        ),
        "password-wrong" => ("Das Passwort öffnet die Datei nicht", "Das richtige Passwort angeben"),
        "pkcs12" => (
            "Die Datei ist PKCS#12 (.pfx, .p12) in einer Form, die nicht gelesen wird",
            "Sie mit heutigen Verfahren neu exportieren",
        ),
        "pkcs7" => (
            "Die Datei ist PKCS#7 (.p7b) und nicht zu lesen",
            "Sie umwandeln: openssl pkcs7 -print_certs -in ALT -out NEU.pem",
        ),
        "revoked" => (
            "Das Zertifikat ist widerrufen: Browser, die nachsehen, lehnen es ab",
            "Ein neues ausstellen lassen; es dient nur, bis etwas Besseres da ist",
        ),
        "sealed" => (
            "Die Datei ist ein Geheimnis eines Zustandsordners, das Vitrine verschlüsselt hat",
            "Den Schlüssel ablegen, wie er zuvor war",
        ),
        "secret" => (
            "Die Datei ist ein Geheimnis oder heißt wie eines, und hier ist alles öffentlich",
            "Sie sofort wegnehmen; könnten andere sie gelesen haben, den Schlüssel ersetzen",
        ),
        "self-signed" => (
            "Keine Zertifizierungsstelle steht hinter dem Zertifikat: wem nicht gesagt wurde, ihm zu trauen, der wird gewarnt",
            "Eines von einer Zertifizierungsstelle ausstellen lassen, bevor Kunden kommen",
        ),
        "several" => ("Es sind mehrere darin, und eines wird erwartet", "Sie einzeln bringen"),
        "site-names-uncovered" => {
            return Some((
                format!(
                    "Kein Zertifikat deckt diese Namen der Site {} ab: {}",
                    at(0),
                    about.get(1..).unwrap_or_default().join(", ")
                ),
                "Eines mit ihnen ausstellen lassen oder sie aus der Site nehmen; bis dahin werden ihre Verbindungen abgelehnt",
            ));
        }
        "too-large" => ("Die Datei ist zu groß", "Nur Zertifikate und Schlüssel hier ablegen"),
        "too-many" => (
            "Es sind zu viele Dateien unter well-known/",
            "Wegnehmen, was nicht gebraucht wird, oder es vom Shop selbst ausliefern",
        ),
        "truncated" => (
            "Die Datei ist abgeschnitten oder wird noch geschrieben",
            "Sie noch einmal kopieren, am besten unter anderem Namen und dann umbenennen",
        ),
        "unexpected" => (
            "Das Lesen scheiterte auf unvorhergesehene Weise; das ist ein Fehler in Vitrine",
            "Ihn melden, ohne die Datei, wenn sie einen Schlüssel enthält",
        ),
        "unreadable" => (
            "Die Datei ist nicht zu lesen",
            "Den Benutzer, unter dem Vitrine läuft, sie lesen lassen (chown, chmod 0600)",
        ),
        "untrusted-root" => (
            "Keine Kette gültiger Zertifikate führt zu einer Wurzel, der Browser trauen",
            "Eines von einer öffentlichen Zertifizierungsstelle ausstellen lassen; die Wurzel einer eigenen in certificates.trusted_roots nennen",
        ),
        "validation-too-low" => {
            return Some((
                match at(2) {
                    "" => format!(
                        "Die Site {} verlangt {}, und das Zertifikat sagt nicht, was geprüft wurde",
                        at(0),
                        at(1)
                    ),
                    found => format!("Die Site {} verlangt {}, und das Zertifikat ist {found}", at(0), at(1)),
                },
                "Ein Zertifikat mit der verlangten Prüfung ausstellen lassen oder bei der Site weniger verlangen",
            ));
        }
        "validity-too-long" => {
            return Some((
                format!(
                    "Das Zertifikat gilt {} Tage; bei seiner Ausstellung nahmen Browser öffentlichen Zertifizierungsstellen höchstens {} ab",
                    at(0),
                    at(1)
                ),
                "Es für kürzere Zeit neu ausstellen lassen; das einer eigenen Zertifizierungsstelle darf bleiben",
            ));
        }
        "waiting-for-certificate" => (
            "Der private Schlüssel wartet auf sein Zertifikat",
            "Das Zertifikat in den Ordner legen, unter einem Namen, der auf .crt oder .pem endet",
        ),
        "waiting-for-key" => (
            "Das Zertifikat wartet auf seinen privaten Schlüssel",
            "Den Schlüssel in den Ordner legen, mit dem es angefordert wurde, unter einem Namen, der auf .key oder .pem endet",
        ),
        "waiting-for-password" => (
            "Die Datei ist verschlüsselt, und ihr Passwort ist nicht da",
            "Das Passwort in eine Datei daneben schreiben, die so heißt und auf .password endet, mit den Rechten 0600",
        ),
        "weak-key" => (
            "Ein RSA-Schlüssel hat weniger als 2048 Bit; die meisten Programme lehnen das ab",
            "Mit einem heutigen Schlüssel neu ausstellen lassen",
        ),
        "weak-signature" => (
            "Das Zertifikat oder eines seiner Kette ist mit SHA-1 oder MD5 unterschrieben, was kein Browser mehr glaubt",
            "Es mit SHA-256 neu ausstellen lassen",
        ),
        _ => return None,
    };
    Some((reason.to_owned(), mend))
}

fn alarm(code: &str) -> Option<&'static str> {
    Some(match code {
        "chain-incomplete" => "Einem Zertifikat fehlt das seines Ausstellers; es zu den anderen legen",
        "expired-serving" => "Ein abgelaufenes Zertifikat wird ausgeliefert, weil es kein besseres gibt",
        "folder-missing" => "Den Ordner für Zertifikate gibt es nicht; was diente, dient weiter",
        "folder-unreadable" => "Der Ordner für Zertifikate ist nicht zu lesen; was diente, dient weiter",
        "key-group-readable" => {
            "Eine Gruppe kann private Schlüssel lesen; ihr das Recht nehmen, wenn es nicht gewollt ist"
        }
        "key-readable" => "Alle können private Schlüssel lesen; die Rechte auf 0600 setzen",
        "local-ca-failed" => "Die eigene Zertifizierungsstelle kann nicht ausstellen",
        "not-watching" => "Änderungen im Ordner werden nicht gemeldet und nur von Zeit zu Zeit gefunden",
        "not-yet-valid-serving" => "Ein Zertifikat, das noch nicht gilt, wird ausgeliefert, weil es kein besseres gibt",
        "object-expires-now" => "Etwas für Apple Pay endet in den nächsten Tagen oder ist abgelaufen; es ersetzen",
        "object-expires-soon" => "Etwas für Apple Pay endet in den nächsten Wochen; an das nächste denken",
        "pin-ignored" => "Ein fest gewähltes Zertifikat gilt jetzt nicht; ein anderes dient",
        "request-reminder" => "Eine Anforderung wartet auf ihr Zertifikat",
        "request-unreadable" => "Der Zustand einer Anforderung ist nicht zu lesen; ihr Schlüssel bleibt erhalten",
        "revoked-serving" => "Ein widerrufenes Zertifikat wird ausgeliefert, weil es kein besseres gibt",
        "scan-failed" => "Der Ordner für Zertifikate konnte nicht durchgesehen werden; das ist ein Fehler in Vitrine",
        "state-not-written" => "Zertifikate im Einsatz konnten nicht in den Zustandsordner geschrieben werden",
        "withdrawal-held" => {
            "Auf einmal verschwand mehr, als gemeint sein kann; es dient weiter, bis jemand das Verschwinden bestätigt"
        }
        _ => return None,
    })
}

fn word(word: &str) -> Option<&'static str> {
    Some(match word {
        "accepted" => "angenommen",
        "accepted with warnings" => "angenommen mit Warnungen",
        "rejected" => "abgelehnt",
        "valid" => "gültig",
        "expired" => "abgelaufen",
        "not_yet_valid" => "noch nicht gültig",
        "unknown" => "unbekannt",
        "done" => "getan",
        "begun" => "begonnen",
        "refused" => "abgelehnt",
        "failed" => "gescheitert",
        "WAITING" => "wartet",
        "CHECKING" => "wird geprüft",
        "ORDERING" => "wird bestellt",
        "VALIDATING" => "wird bestätigt",
        "ISSUED" => "ausgestellt",
        "RENEWING" => "wird erneuert",
        "FAILED" => "gescheitert",
        "dropped" => "abgelegt",
        "uploaded" => "hochgeladen",
        "issued" => "ausgestellt",
        "requested" => "angefordert",
        "self-signed" => "selbst ausgestellt",
        _ => return None,
    })
}
