//! Berichte auf Deutsch.

use crate::words::report::ReportWords;

pub(in crate::words) static REPORT: ReportWords = ReportWords {
    kind: ["Täglicher", "Wöchentlicher", "Monatlicher"],
    subject: |kind, date, [missing, expired, expiring]| match missing + expired + expiring {
        0 => format!("{kind} Zertifikatsbericht {date}: nichts zu tun"),
        _ => format!(
            "{kind} Zertifikatsbericht {date}: {expired} abgelaufen, {expiring} laufen ab, {missing} ohne Zertifikat"
        ),
    },
    opening: |urls, (from, until), made, zone| {
        let days =
            if from == 0 { format!("innerhalb von {until} Tagen") } else { format!("in {from} bis {until} Tagen") };
        format!("Was abgelaufen ist und was {days} abläuft, von {urls} URLs, Stand {made} ({zone}).")
    },
    unwatched: |urls| format!("{urls} URLs werden nicht überwacht und sind ausgelassen."),
    late: |due| format!("Dieser Bericht war am {due} fällig; da lief der Edge nicht."),
    nothing: "Es ist nichts zu tun. Diese Mail kommt trotzdem: Bleibt sie aus, ist etwas kaputt.",
    heading: |state, count, (from, until)| match state {
        0 => format!("Ohne Zertifikat: {count}"),
        1 => format!("Abgelaufen: {count}"),
        _ if from == 0 => format!("Läuft innerhalb von {until} Tagen ab: {count}"),
        _ => format!("Läuft in {from} bis {until} Tagen ab: {count}"),
    },
    heads: ["URL", "Ende", "Tage", "Bemerkung"],
    days: |days| match days {
        1 => "noch 1 Tag".into(),
        days if days < 0 => format!("seit {} Tagen abgelaufen", -days),
        days => format!("noch {days} Tage"),
    },
    renewal_late: "die Erneuerung ist überfällig",
    closing: "Zertifikate, die sich selbst erneuern, stehen nur hier, wenn das überfällig ist.",
    closing_with_managed: "Auch Zertifikate, die sich selbst erneuern, stehen hier.",
};
