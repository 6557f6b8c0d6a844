//! What happened in the words of whoever is told: a subject that tells, a text, the same in HTML, and everything for programs.

use std::fmt::Write as _;

use serde_json::json;
use time::OffsetDateTime;

use super::condition::DAY;
use super::contact::Contact;
use super::event::{Event, EventKind};
use super::message::{List, Message};
use super::terms::NoticeTerms;
use super::trial::escaped;
use crate::words::Language;
use crate::words::mail::{KindWords, MailWords};

/// The message for a contact. `events` is not empty.
pub(super) fn bulletin(
    contact: &Contact,
    events: &[&Event],
    identity: String,
    about: Vec<String>,
    terms: &NoticeTerms,
    now: i64,
) -> Message {
    let words = contact.language.mail();
    let link = |event: &Event| terms.public_url.as_ref().map(|url| format!("{url}{}", event.path));
    let footer = (words.footer)(&terms.edge, &contact.name);
    let (mut text, mut html) = (String::new(), String::new());
    let mut room = MOST_LINES;
    for (heading, part) in parts(events, words) {
        let _ = writeln!(text, "{heading}\n");
        let _ = writeln!(html, "<h2>{}</h2>\n<ul>", escaped(heading));
        let shown = part.len().min(room);
        for event in &part[..shown] {
            let line = line(event, contact.language, now);
            let line = if line.is_empty() { line } else { format!(": {line}") };
            let _ = writeln!(text, "- {}{line}", one_line(&event.subject));
            let subject = escaped(&one_line(&event.subject));
            let subject = match link(event) {
                Some(link) => {
                    let _ = writeln!(text, "  {link}");
                    format!("<a href=\"{}\" title=\"{}\">{subject}</a>", escaped(&link), escaped(words.open))
                }
                None => subject,
            };
            let _ = writeln!(html, "<li><strong>{subject}</strong>{}</li>", escaped(&line));
        }
        if shown < part.len() {
            let more = (words.more_lines)(part.len() - shown);
            let _ = writeln!(text, "  {more}");
            let _ = writeln!(html, "<li>{}</li>", escaped(&more));
        }
        room -= shown;
        text.push('\n');
        html.push_str("</ul>\n");
    }
    let _ = writeln!(text, "-- \n{footer}");
    let (tag, foot) = (contact.language.tag(), escaped(&footer));
    let html = format!(
        "<!doctype html>\n<html lang=\"{tag}\">\n<body>\n{html}<p><small>{foot}</small></p>\n</body>\n</html>\n"
    );
    let subject = subject(events, words);
    Message { identity, subject, text, html, data: data(events, &link), list: List::Notices, due: now, about }
}

/// The events by kind, the gravest first, each kind under its heading; what is over comes last.
fn parts<'a>(events: &[&'a Event], words: &'static MailWords) -> Vec<(&'static str, Vec<&'a Event>)> {
    let began = |kind: EventKind| events.iter().copied().filter(move |event| event.kind == kind && !event.is_over);
    let began = EventKind::ALL.iter().map(|kind| (of_kind(words, *kind).heading, began(*kind).collect::<Vec<_>>()));
    let over = events.iter().copied().filter(|event| event.is_over).collect::<Vec<_>>();
    began.chain([(words.over, over)]).filter(|(_, events)| !events.is_empty()).collect()
}

/// The gravest kind with its first names, and how much else there is.
fn subject(events: &[&Event], words: &MailWords) -> String {
    let gravest = events.iter().filter(|event| !event.is_over).map(|event| event.kind).min();
    let told: Vec<&&Event> = match gravest {
        Some(kind) => events.iter().filter(|event| event.kind == kind && !event.is_over).collect(),
        None => events.iter().collect(),
    };
    let names: Vec<String> = told.iter().take(NAMED).map(|event| one_line(&event.subject)).collect();
    let ellipsis = if told.len() > NAMED { ", …" } else { "" };
    let names = format!("{}{ellipsis}", names.join(", "));
    let step = told.iter().filter_map(|event| event.step).max();
    let subject = match (gravest, step) {
        (Some(EventKind::Expiring), Some(days)) => (words.expiring_within)(told.len(), days, &names),
        (Some(kind), _) => (of_kind(words, kind).subject)(told.len(), &names),
        (None, _) => (words.over_subject)(told.len(), &names),
    };
    match events.len() - told.len() {
        0 => subject,
        more => subject + &(words.and_more)(more),
    }
}

const fn of_kind(words: &MailWords, kind: EventKind) -> &KindWords {
    match kind {
        EventKind::Expired => &words.expired,
        EventKind::Unusable => &words.unusable,
        EventKind::Mismatch => &words.mismatch,
        EventKind::Expiring => &words.expiring,
        EventKind::RenewalLate => &words.renewal_late,
        EventKind::RenewalFailing => &words.renewal_failing,
        EventKind::WellKnownMissing => &words.well_known_missing,
        EventKind::Rejected => &words.rejected,
        EventKind::HandedIn => &words.handed_in,
        EventKind::Edge => &words.edge,
        EventKind::Issued => &words.issued,
        EventKind::Uploaded => &words.uploaded,
    }
}

/// What there is to say of one event, on one line; may be empty.
fn line(event: &Event, language: Language, now: i64) -> String {
    let words = language.mail();
    let mut said = Vec::new();
    if let Some(not_after) = event.not_after {
        let left = not_after - now;
        said.push(match event.kind {
            EventKind::Issued | EventKind::Uploaded => (words.holds_until)(&day(not_after)),
            _ if left < 0 => (words.ended)(&day(not_after)),
            _ => (words.ends_in)((left + DAY - 1).div_euclid(DAY).max(1), &day(not_after)),
        });
    }
    said.extend(event.was_due.map(|was_due| (words.was_due)(&day(was_due))));
    said.extend(event.detail.as_ref().map(|detail| one_line(detail.of_language(language))));
    said.join("; ")
}

fn data(events: &[&Event], link: &dyn Fn(&Event) -> Option<String>) -> serde_json::Value {
    let one = |event: &&Event| {
        json!({
            "kind": event.kind.word(),
            "state": if event.is_over { "over" } else { "began" },
            "subject": event.subject,
            "site": event.site,
            "within_days": event.step,
            "not_after": event.not_after.map(moment),
            "renewal_due": event.was_due.map(moment),
            "detail": event.detail.as_ref().map(|detail| detail.of_language(Language::En)),
            "link": link(event),
        })
    };
    let listed: Vec<_> = events.iter().take(MOST_IN_DATA).map(one).collect();
    json!({ "events": listed, "left_out": events.len() - listed.len() })
}

/// The day in UTC.
fn day(seconds: i64) -> String {
    moment(seconds).get(..10).unwrap_or_default().to_owned()
}

/// RFC 3339 in UTC; a year that it cannot name is the last that it can.
fn moment(seconds: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp(seconds).ok();
    let text = time.and_then(|time| time.format(&time::format_description::well_known::Rfc3339).ok());
    text.unwrap_or_else(|| "9999-12-31T23:59:59Z".into())
}

/// Names come from certificates and files: none of them begins a line of its own.
fn one_line(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).take(LONGEST_LINE).collect()
}

/// In a subject.
const NAMED: usize = 3;
/// In all lists of a mail; the panel shows all.
const MOST_LINES: usize = 200;
const MOST_IN_DATA: usize = 1000;
const LONGEST_LINE: usize = 600;
