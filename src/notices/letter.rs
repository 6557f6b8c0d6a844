//! A message as a mail (RFC 5322): what it says as text and as HTML, and headers that programs know it by.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox as LettreMailbox, MultiPart};
use lettre::{Address, Message as Letter};

use super::queue::Entry;
use crate::mail_address::{MailAddress, Mailbox};

/// The octets of the mail, all of them ASCII.
///
/// # Errors
/// In words, when an address cannot stand in a header; none that was read does.
pub(super) fn letter(id: &str, from: &Mailbox, to: &MailAddress, entry: &Entry) -> Result<Vec<u8>, String> {
    let (domain, list) = (from.address.domain(), entry.list.word());
    let due = UNIX_EPOCH + Duration::from_secs(u64::try_from(entry.due).unwrap_or_default());
    let mut letter = Letter::builder()
        .from(LettreMailbox::new(from.name.clone(), address(&from.address)?))
        .to(LettreMailbox::new(None, address(to)?))
        .subject(one_line(&entry.subject))
        .date(due.min(SystemTime::now()))
        .message_id(Some(format!("<{id}.vitrine@{domain}>")));
    for (name, value) in [
        // Nobody is away from the desk for a program (RFC 3834 §5).
        ("Auto-Submitted", "auto-generated".to_owned()),
        ("X-Auto-Response-Suppress", "All".to_owned()),
        ("List-Id", format!("<{list}.vitrine.{domain}>")),
        ("X-Vitrine-Delivery", id.to_owned()),
    ] {
        let name = HeaderName::new_from_ascii(name.to_owned()).map_err(|error| error.to_string())?;
        letter = letter.raw_header(HeaderValue::new(name, value));
    }
    let both = MultiPart::alternative_plain_html(entry.text.clone(), entry.html.clone());
    letter.multipart(both).map(|letter| letter.formatted()).map_err(|error| error.to_string())
}

/// For commands and headers.
pub(super) fn address(address: &MailAddress) -> Result<Address, String> {
    Address::new(address.local(), address.domain()).map_err(|error| format!("{address}: {error}"))
}

/// A header is one line, whatever the names in it hold.
fn one_line(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).take(LONGEST_SUBJECT).collect()
}

/// Far more than any list of mails shows.
const LONGEST_SUBJECT: usize = 250;

#[cfg(test)]
mod tests {
    use super::super::message::{List, Recipient};
    use super::super::queue::Queue;
    use super::*;
    use crate::notices::Message;
    use crate::store::Store;

    fn written(subject: &str, text: &str) -> String {
        let to = MailAddress::parse("ops@shop.example").expect("an address");
        let queue = Queue::open(Store::in_memory()).expect("open");
        let message = Message {
            identity: "x".into(),
            subject: subject.into(),
            text: text.into(),
            html: format!("<p>{text}</p>"),
            data: serde_json::Value::Null,
            list: List::Notices,
            due: 1_795_305_600,
            about: Vec::new(),
        };
        queue.take(&message, &Recipient::Mail(to.clone())).expect("taken");
        let entry = queue.entry(&queue.waiting()[0].id).expect("read").expect("waiting");
        let from = Mailbox::parse("Vitrine Köln <edge@shop.example>").expect("a mailbox");
        String::from_utf8(letter("0a", &from, &to, &entry).expect("a letter")).expect("ASCII")
    }

    #[test]
    fn a_letter_is_known_by_its_headers() {
        let letter = written("2 certificates end", "a text");
        for line in [
            "From: =?utf-8?b?Vml0cmluZSBLw7Zsbg==?= <edge@shop.example>",
            "To: ops@shop.example",
            "Subject: 2 certificates end",
            "Date: Sun, 22 Nov 2026 00:00:00 +0000",
            "Message-ID: <0a.vitrine@shop.example>",
            "Auto-Submitted: auto-generated",
            "List-Id: <notices.vitrine.shop.example>",
            "X-Vitrine-Delivery: 0a",
            "MIME-Version: 1.0",
            "Content-Type: text/plain; charset=utf-8",
            "Content-Type: text/html; charset=utf-8",
        ] {
            assert!(letter.contains(&format!("{line}\r\n")), "{line}: {letter}");
        }
        assert!(letter.contains("\r\na text\r\n") && letter.contains("<p>a text</p>"), "{letter}");
    }

    #[test]
    fn nothing_in_a_subject_becomes_a_header() {
        for subject in ["a\r\nBcc: x@y.example", "a\nBcc: x@y.example\n\nbody", "a\0b\u{85}c", &"ö\r\n".repeat(400)] {
            let letter = written(subject, "text\r\n.\r\nMAIL FROM:<x@y.example>");
            let head = letter.split("\r\n\r\n").next().expect("a head");
            assert!(head.lines().all(|line| !line.to_ascii_lowercase().starts_with("bcc")), "{head}");
            let names = head.lines().filter(|line| !line.starts_with(' ')).count();
            assert_eq!(names, 11, "{head}");
            assert!(letter.is_ascii() && !letter.contains('\0'), "{letter}");
        }
    }
}
