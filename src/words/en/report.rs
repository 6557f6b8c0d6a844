//! Reports in English.

use crate::words::report::ReportWords;

pub(in crate::words) static REPORT: ReportWords = ReportWords {
    kind: ["Daily", "Weekly", "Monthly"],
    subject: |kind, date, [missing, expired, expiring]| match missing + expired + expiring {
        0 => format!("{kind} certificate report {date}: nothing to do"),
        _ => format!(
            "{kind} certificate report {date}: {expired} expired, {expiring} expiring, {missing} without a certificate"
        ),
    },
    opening: |urls, (from, until), made, zone| {
        let days = if from == 0 { format!("within {until} days") } else { format!("in {from} to {until} days") };
        format!("What has expired and what expires {days}, of {urls} URLs, as of {made} ({zone}).")
    },
    unwatched: |urls| format!("{urls} URLs are not watched and left out."),
    late: |due| format!("This report was due on {due}; the edge was not running then."),
    nothing: "There is nothing to do. This mail comes all the same: if it stays away, something is broken.",
    heading: |state, count, (from, until)| match state {
        0 => format!("Without a certificate: {count}"),
        1 => format!("Expired: {count}"),
        _ if from == 0 => format!("Expiring within {until} days: {count}"),
        _ => format!("Expiring in {from} to {until} days: {count}"),
    },
    heads: ["URL", "End", "Days", "Remark"],
    days: |days| match days {
        1 => "1 day left".into(),
        days if days < 0 => format!("expired {} days ago", -days),
        days => format!("{days} days left"),
    },
    renewal_late: "its renewal is late",
    closing: "Certificates that renew by themselves are listed only when they are late.",
    closing_with_managed: "Certificates that renew by themselves are listed too.",
};
