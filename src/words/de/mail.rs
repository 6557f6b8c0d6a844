//! Mails in German.

use crate::words::mail::{KindWords, MailWords, TestWords};

pub(in crate::words) static MAIL: MailWords = MailWords {
    test: TestWords {
        subject: "Ein Test von Vitrine",
        text: |name| {
            format!(
                "Dies ist ein Test für den Kontakt {name}. Es ist nichts geschehen: Nachrichten für diesen Kontakt kommen hier an."
            )
        },
    },
    expired: KindWords {
        heading: "Abgelaufen: Browser weisen Kunden ab",
        subject: |count, names| match count {
            1 => format!("Das Zertifikat von {names} ist abgelaufen"),
            _ => format!("{count} Zertifikate sind abgelaufen: {names}"),
        },
    },
    unusable: KindWords {
        heading: "Ohne gültiges Zertifikat",
        subject: |count, names| match count {
            1 => format!("{names} hat kein gültiges Zertifikat"),
            _ => format!("{count} Sites haben kein gültiges Zertifikat: {names}"),
        },
    },
    mismatch: KindWords {
        heading: "Anders ausgeliefert als veröffentlicht",
        subject: |count, names| match count {
            1 => format!("{names} wird mit einem anderen Zertifikat ausgeliefert als dem veröffentlichten"),
            _ => {
                format!("{count} Sites werden mit anderen Zertifikaten ausgeliefert als den veröffentlichten: {names}")
            }
        },
    },
    expiring: KindWords {
        heading: "Laufen bald ab und erneuern sich nicht selbst",
        subject: |count, names| match count {
            1 => format!("Das Zertifikat von {names} läuft bald ab"),
            _ => format!("{count} Zertifikate laufen bald ab: {names}"),
        },
    },
    expiring_within: |count, days, names| {
        let within = if days == 1 { "binnen eines Tages".to_owned() } else { format!("binnen {days} Tagen") };
        match count {
            1 => format!("Das Zertifikat von {names} läuft {within} ab"),
            _ => format!("{count} Zertifikate laufen {within} ab: {names}"),
        }
    },
    renewal_late: KindWords {
        heading: "Nicht rechtzeitig erneuert",
        subject: |count, names| match count {
            1 => format!("Das Zertifikat von {names} wurde nicht rechtzeitig erneuert"),
            _ => format!("{count} Zertifikate wurden nicht rechtzeitig erneuert: {names}"),
        },
    },
    renewal_failing: KindWords {
        heading: "Bestellungen scheitern",
        subject: |count, names| match count {
            1 => format!("Für {names} ist kein Zertifikat zu bekommen"),
            _ => format!("Für {count} Sites sind keine Zertifikate zu bekommen: {names}"),
        },
    },
    well_known_missing: KindWords {
        heading: "Nicht ausgeliefert, wie es sein soll",
        subject: |count, names| match count {
            1 => format!("{names} liefert eine Datei nicht aus, die andere dort suchen"),
            _ => format!("{count} Sites liefern Dateien nicht aus, die andere dort suchen: {names}"),
        },
    },
    rejected: KindWords {
        heading: "Dateien, die nicht ausgeliefert werden",
        subject: |count, names| match count {
            1 => format!("Die Datei {names} wurde abgelehnt"),
            _ => format!("{count} Dateien wurden abgelehnt: {names}"),
        },
    },
    handed_in: KindWords {
        heading: "Abgegeben, wartet auf ein Ja oder Nein",
        subject: |count, names| match count {
            1 => format!("Für {names} Abgegebenes wartet"),
            _ => format!("Abgegebenes wartet {count}-mal: {names}"),
        },
    },
    edge: KindWords {
        heading: "Vitrine braucht Hilfe",
        subject: |count, names| match count {
            1 => format!("Vitrine braucht Hilfe: {names}"),
            _ => format!("Vitrine braucht Hilfe in {count} Dingen: {names}"),
        },
    },
    issued: KindWords {
        heading: "Ausgestellt",
        subject: |count, names| match count {
            1 => format!("Für {names} wurde ein Zertifikat ausgestellt"),
            _ => format!("Für {count} Sites wurden Zertifikate ausgestellt: {names}"),
        },
    },
    uploaded: KindWords {
        heading: "Neue Zertifikate im Einsatz",
        subject: |count, names| match count {
            1 => format!("{names} hat ein neues Zertifikat"),
            _ => format!("{count} Sites haben neue Zertifikate: {names}"),
        },
    },
    over: "Vorbei",
    over_subject: |count, names| match count {
        1 => format!("Vorbei: {names}"),
        _ => format!("{count} Dinge sind vorbei: {names}"),
    },
    ends_in: |days, day| match days {
        1 => format!("läuft binnen eines Tages ab, am {day}"),
        _ => format!("läuft binnen {days} Tagen ab, am {day}"),
    },
    ended: |day| format!("lief ab am {day}"),
    holds_until: |day| format!("gilt bis {day}"),
    was_due: |day| format!("war fällig am {day}"),
    and_more: |count| format!(" und {count} weitere"),
    more_lines: |count| format!("und {count} weitere"),
    open: "Im Panel öffnen",
    footer: |edge, name| format!("Von Vitrine auf {edge}, für den Kontakt {name}. Tage sind in UTC."),
};
