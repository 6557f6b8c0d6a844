//! Mails in English.

use crate::words::mail::{KindWords, MailWords, TestWords};

pub(in crate::words) static MAIL: MailWords = MailWords {
    test: TestWords {
        subject: "A test from Vitrine",
        text: |name| {
            format!(
                "This is a test for the contact {name}. Nothing has happened: notices for this contact arrive here."
            )
        },
    },
    expired: KindWords {
        heading: "Expired: browsers turn customers away",
        subject: |count, names| match count {
            1 => format!("The certificate of {names} has expired"),
            _ => format!("{count} certificates have expired: {names}"),
        },
    },
    unusable: KindWords {
        heading: "Without a certificate that holds",
        subject: |count, names| match count {
            1 => format!("{names} has no certificate that holds"),
            _ => format!("{count} sites have no certificate that holds: {names}"),
        },
    },
    mismatch: KindWords {
        heading: "Served otherwise than published",
        subject: |count, names| match count {
            1 => format!("{names} is served another certificate than the published one"),
            _ => format!("{count} sites are served other certificates than the published ones: {names}"),
        },
    },
    expiring: KindWords {
        heading: "End soon, and do not renew themselves",
        subject: |count, names| match count {
            1 => format!("The certificate of {names} ends soon"),
            _ => format!("{count} certificates end soon: {names}"),
        },
    },
    expiring_within: |count, days, names| {
        let within = if days == 1 { "within a day".to_owned() } else { format!("within {days} days") };
        match count {
            1 => format!("The certificate of {names} ends {within}"),
            _ => format!("{count} certificates end {within}: {names}"),
        }
    },
    renewal_late: KindWords {
        heading: "Not renewed in time",
        subject: |count, names| match count {
            1 => format!("The certificate of {names} was not renewed in time"),
            _ => format!("{count} certificates were not renewed in time: {names}"),
        },
    },
    renewal_failing: KindWords {
        heading: "Orders come to nothing",
        subject: |count, names| match count {
            1 => format!("No certificate can be had for {names}"),
            _ => format!("No certificates can be had for {count} sites: {names}"),
        },
    },
    well_known_missing: KindWords {
        heading: "Not shown as they should be",
        subject: |count, names| match count {
            1 => format!("{names} does not show a file that others look for"),
            _ => format!("{count} sites do not show files that others look for: {names}"),
        },
    },
    rejected: KindWords {
        heading: "Files that are not served",
        subject: |count, names| match count {
            1 => format!("The file {names} was rejected"),
            _ => format!("{count} files were rejected: {names}"),
        },
    },
    handed_in: KindWords {
        heading: "Handed in, and waiting for a yes or a no",
        subject: |count, names| match count {
            1 => format!("What was handed in for {names} waits"),
            _ => format!("What was handed in waits, {count} times: {names}"),
        },
    },
    edge: KindWords {
        heading: "The edge needs a hand",
        subject: |count, names| match count {
            1 => format!("The edge needs a hand: {names}"),
            _ => format!("The edge needs a hand in {count} things: {names}"),
        },
    },
    issued: KindWords {
        heading: "Issued",
        subject: |count, names| match count {
            1 => format!("A certificate was issued for {names}"),
            _ => format!("Certificates were issued for {count} sites: {names}"),
        },
    },
    uploaded: KindWords {
        heading: "New certificates in service",
        subject: |count, names| match count {
            1 => format!("{names} has a new certificate"),
            _ => format!("{count} sites have new certificates: {names}"),
        },
    },
    over: "Over",
    over_subject: |count, names| match count {
        1 => format!("Over: {names}"),
        _ => format!("{count} things are over: {names}"),
    },
    ends_in: |days, day| match days {
        1 => format!("ends within a day, on {day}"),
        _ => format!("ends within {days} days, on {day}"),
    },
    ended: |day| format!("ended on {day}"),
    holds_until: |day| format!("holds until {day}"),
    was_due: |day| format!("was due on {day}"),
    and_more: |count| format!(", and {count} more"),
    more_lines: |count| format!("and {count} more"),
    open: "Open in the panel",
    footer: |edge, name| format!("From Vitrine on {edge}, for the contact {name}. Days are in UTC."),
};
