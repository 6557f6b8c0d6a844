//! Berichte auf Deutsch.

use crate::words::report::{ReportWords, ReportsWords};

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

pub(super) const REPORTS: ReportsWords = ReportsWords {
    title: "Berichte",
    about: "Welche URLs ein Zertifikat brauchen, zu festen Zeiten. Die Mail kommt auch, wenn nichts zu tun ist: Bleibt sie aus, ist etwas kaputt. Uhrzeiten im Zeitplan gelten in der Zeitzone, alle anderen sind UTC.",
    next_title: "Wie sie jetzt hinausgingen",
    terms: |zone| format!("Zeitzone: {zone}."),
    with_managed: "Auch Zertifikate, die sich selbst erneuern, werden aufgeführt.",
    without_managed: "Zertifikate, die sich selbst erneuern, werden nur aufgeführt, wenn das überfällig ist.",
    report: "Bericht",
    schedule: "Zeitplan",
    due: "Fällig",
    window: "Führt auf, was endet",
    listed: "Aufgeführt",
    actions: "Aktionen",
    when_asked: "wenn jemand ihn anfordert",
    days: |from, until| format!("in {from} bis {until} Tagen"),
    of_urls: |listed, urls| format!("{listed} von {urls}"),
    make: "Jetzt erstellen und senden",
    recipients: "Wer sie bekommt",
    nobody: "Niemand bekommt sie.",
    part_of: |count| {
        if count == 1 { "die Sites einer Organisation".into() } else { format!("die Sites von {count} Organisationen") }
    },
    everything: "alles",
    made_title: "Berichte, die hinausgingen",
    none: "Noch ist keiner erstellt worden.",
    made: "Erstellt",
    late: "verspätet",
    delivery: "Zustellung",
    delivered: "zugestellt",
    waiting: "wartet",
    given_up: "aufgegeben",
    long_ago: "lange her",
    as_now: |kind| format!("{kind}er Bericht, wie er jetzt hinausginge"),
    of: |kind, due| format!("{kind}er Bericht vom {due}"),
    daily: "Täglich",
    weekly: "Wöchentlich",
    monthly: "Monatlich",
    left_out: "Ausgelassen",
    urls: "URLs",
    nothing: "Es ist nichts zu tun.",
    state: "Zustand",
    missing: "kein Zertifikat",
    expired: "abgelaufen",
    expiring: "läuft ab",
    ends: "Endet",
    days_left: "Tage",
    source: "Herkunft",
    to: "An",
    when: "Wann",
    attempts: "Vergebliche Versuche",
    last_error: "Was beim letzten geschah",
    mail: "Die Mail",
    watched_title: "Welche URLs überwacht werden",
    watched_about: "Eine URL, von der niemand hören will, bleibt in Berichten aus. Warum, und wer das sagte, steht im Audit.",
    search: "Suche",
    filter: "Filtern",
    no_urls: "Eine solche URL gibt es nicht.",
    why: "Warum nicht",
    is_watched: "überwacht",
    is_unwatched: "ausgelassen",
    reason: "Grund",
    leave_out: "Auslassen",
    list_again: "Wieder aufführen",
};
