//! What is noted down of an order that is placed elsewhere: with whom, under which number, and what they ask to see.

use serde::{Deserialize, Serialize};
use time::{Date, Month};

use super::form::{Form, Mistakes};
use crate::certs::well_known::{fit_name, holds_secret};

/// The notes as somebody wrote them. What is empty is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OrderDraft {
    /// Where it is ordered.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub provider: String,
    /// What is ordered.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub product: String,
    /// What the provider calls the order.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub number: String,
    /// For how long, in the provider's words.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub period: String,
    /// The mail address that approves it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub approver: String,
    /// Whatever else is to be known.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// What the authority asks for below `/.well-known/pki-validation/`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation_file: Option<ValidationFileDraft>,
    /// When to look after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reminder: Option<ReminderDraft>,
}

/// A file as it is handed in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidationFileDraft {
    /// Its name, without folders.
    pub name: String,
    /// What it says, as it is served.
    pub content: String,
}

/// A reminder as it is handed in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReminderDraft {
    /// `2026-12-31`
    pub date: String,
    /// Mail addresses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contacts: Vec<String>,
}

/// The notes, each valid.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// Where it is ordered.
    pub provider: Option<Box<str>>,
    /// What is ordered.
    pub product: Option<Box<str>>,
    /// What the provider calls the order.
    pub number: Option<Box<str>>,
    /// For how long, in the provider's words.
    pub period: Option<Box<str>>,
    /// The mail address that approves it.
    pub approver: Option<Box<str>>,
    /// Whatever else is to be known.
    pub note: Option<Box<str>>,
    /// What the authority asks for below `/.well-known/pki-validation/`.
    pub validation_file: Option<ValidationFile>,
    /// When to look after it.
    pub reminder: Option<Reminder>,
}

/// A file that may be shown to everybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidationFile {
    /// Its name, which needs no encoding in a URL.
    pub name: Box<str>,
    /// What it says.
    pub content: Box<str>,
}

/// A day on which somebody is to look after the order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reminder {
    /// `2026-12-31`
    pub date: Box<str>,
    /// The day's beginning in UTC, seconds since the Unix epoch.
    pub due: i64,
    /// Mail addresses.
    pub contacts: Vec<Box<str>>,
}

impl OrderDraft {
    /// Reads all notes.
    ///
    /// # Errors
    /// All [`Mistakes`] at once.
    pub fn read(&self) -> Result<Order, Mistakes> {
        let mut form = Form::default();
        let order = Order {
            provider: form.line("order.provider", &self.provider, LONGEST_LINE),
            product: form.line("order.product", &self.product, LONGEST_LINE),
            number: form.line("order.number", &self.number, LONGEST_LINE),
            period: form.line("order.period", &self.period, LONGEST_LINE),
            approver: address("order.approver", &self.approver, &mut form),
            note: form.lines("order.note", &self.note, LONGEST_NOTE),
            validation_file: self.validation_file.as_ref().and_then(|file| file.read(&mut form)),
            reminder: self.reminder.as_ref().and_then(|reminder| reminder.read(&mut form)),
        };
        form.done(order)
    }
}

impl ValidationFileDraft {
    fn read(&self, form: &mut Form) -> Option<ValidationFile> {
        let name = self.name.trim();
        if name.is_empty() || name.len() > LONGEST_LINE || name.starts_with('.') || name.contains('/') {
            form.mistake(
                "order.validation_file.name",
                "the name of a file is expected, without a folder, like fileauth.txt; it is served below /.well-known/pki-validation/",
            );
        } else if let Err(flaw) = fit_name(name) {
            form.mistake("order.validation_file.name", format!("{}; {}", flaw.reason, flaw.mend));
        }
        if self.content.len() > LARGEST_FILE {
            form.mistake(
                "order.validation_file.content",
                format!("at most {LARGEST_FILE} octets are expected, and it has {}", self.content.len()),
            );
        } else if holds_secret(self.content.as_bytes()) {
            form.mistake("order.validation_file.content", "it is a private key, and the file is shown to everybody");
        }
        Some(ValidationFile { name: name.into(), content: self.content.as_str().into() })
    }
}

impl ReminderDraft {
    fn read(&self, form: &mut Form) -> Option<Reminder> {
        if self.contacts.len() > MOST_CONTACTS {
            let found = self.contacts.len();
            form.mistake(
                "order.reminder.contacts",
                format!("at most {MOST_CONTACTS} are expected, and there are {found}"),
            );
        }
        let contacts = self.contacts.iter().filter_map(|contact| address("order.reminder.contacts", contact, form));
        let contacts = contacts.collect();
        let date = self.date.trim();
        let Some(due) = beginning_of(date) else {
            form.mistake("order.reminder.date", "a day is expected, like 2026-12-31");
            return None;
        };
        Some(Reminder { date: date.into(), due, contacts })
    }
}

impl Order {
    /// The form that reads as these.
    #[must_use]
    pub fn draft(&self) -> OrderDraft {
        let text = |field: &Option<Box<str>>| field.as_deref().unwrap_or_default().to_owned();
        OrderDraft {
            provider: text(&self.provider),
            product: text(&self.product),
            number: text(&self.number),
            period: text(&self.period),
            approver: text(&self.approver),
            note: text(&self.note),
            validation_file: self
                .validation_file
                .as_ref()
                .map(|file| ValidationFileDraft { name: file.name.to_string(), content: file.content.to_string() }),
            reminder: self.reminder.as_ref().map(|reminder| ReminderDraft {
                date: reminder.date.to_string(),
                contacts: reminder.contacts.iter().map(ToString::to_string).collect(),
            }),
        }
    }

    /// The notes for the same order once more: its number and its reminder are those of the last one.
    #[must_use]
    pub fn again(&self) -> Self {
        Self { number: None, reminder: None, ..self.clone() }
    }
}

/// A mail address as far as it can be told without sending one; `None` when nothing was written.
fn address(field: &'static str, text: &str, form: &mut Form) -> Option<Box<str>> {
    let address = form.line(field, text, LONGEST_ADDRESS)?;
    let fits = address.split_once('@').is_some_and(|(mailbox, host)| {
        !mailbox.is_empty()
            && !host.is_empty()
            && !host.contains('@')
            && !address.contains([' ', ',', ';', '<', '>', '"'])
    });
    if !fits {
        form.mistake(field, "a mail address is expected, like admin@shop.example");
        return None;
    }
    Some(address)
}

/// A day's beginning in UTC.
fn beginning_of(text: &str) -> Option<i64> {
    let mut parts = text.split('-');
    let mut number = |digits: usize| {
        parts.next().filter(|part| part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit()))?.parse().ok()
    };
    let (year, month, day): (i32, i32, i32) = (number(4)?, number(2)?, number(2)?);
    let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
    let date = Date::from_calendar_date(year, month, u8::try_from(day).ok()?).ok()?;
    parts.next().is_none().then(|| date.midnight().assume_utc().unix_timestamp())
}

/// What fits into a field of a list.
const LONGEST_LINE: usize = 100;
/// RFC 5321 §4.5.3.1.3
const LONGEST_ADDRESS: usize = 254;
/// A page.
const LONGEST_NOTE: usize = 4000;
/// More than any authority asks for; it is held in memory.
const LARGEST_FILE: usize = 64 * 1024;
/// More read none of it.
const MOST_CONTACTS: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn whole() -> OrderDraft {
        OrderDraft {
            provider: "Some CA".into(),
            product: "OV Wildcard".into(),
            number: "4711/26".into(),
            period: "200 days".into(),
            approver: "admin@shop.example".into(),
            note: "ask Ms Example\nfor the second factor".into(),
            validation_file: Some(ValidationFileDraft { name: "fileauth.txt".into(), content: "abc\n".into() }),
            reminder: Some(ReminderDraft { date: "2026-12-31".into(), contacts: vec!["ops@shop.example".into()] }),
        }
    }

    fn fields(draft: &OrderDraft) -> Vec<&'static str> {
        draft.read().err().map_or(Vec::new(), |Mistakes(mistakes)| mistakes.iter().map(|one| one.field).collect())
    }

    #[test]
    fn what_is_noted_down_is_read_again() {
        let order = whole().read().expect("an order");
        assert_eq!(order.draft(), whole());
        assert_eq!(order.reminder.as_ref().map(|reminder| reminder.due), Some(1_798_675_200));
        assert_eq!(OrderDraft::default().read(), Ok(Order::default()));
        let again = order.again().draft();
        assert_eq!(again, OrderDraft { number: String::new(), reminder: None, ..whole() });
    }

    #[test]
    fn every_mistake_is_told() {
        let file = |name: &str, content: &str| {
            let file = ValidationFileDraft { name: name.into(), content: content.into() };
            fields(&OrderDraft { validation_file: Some(file), ..OrderDraft::default() })
        };
        for name in ["", ".", "..", ".htaccess", "a/b", "../a", "a b", "a?", "ä.txt", "key.pfx", "a.password"] {
            assert_eq!(file(name, "x"), ["order.validation_file.name"], "{name:?}");
        }
        assert_eq!(file("a.txt", "-----BEGIN PRIVATE KEY-----"), ["order.validation_file.content"]);
        assert_eq!(file("a.txt", &"x".repeat(65_537)), ["order.validation_file.content"]);
        let reminder = |date: &str, contact: &str| {
            let reminder = ReminderDraft { date: date.into(), contacts: vec![contact.into()] };
            fields(&OrderDraft { reminder: Some(reminder), ..OrderDraft::default() })
        };
        for date in
            ["", "tomorrow", "2026-13-01", "2026-02-29", "26-1-1", "2026-12-31-1", "+026-12-31", "2026-12-31T00"]
        {
            assert_eq!(reminder(date, "a@b"), ["order.reminder.date"], "{date:?}");
        }
        for contact in ["a", "@b", "a@", "a b@c", "a@b@c", "a@b,c@d", "A <a@b>", "a@b\nBcc: c@d"] {
            assert_eq!(reminder("2028-02-29", contact), ["order.reminder.contacts"], "{contact:?}");
        }
        let wrong = OrderDraft { provider: "x".repeat(101), number: "a\nb".into(), note: "\0".into(), ..whole() };
        assert_eq!(fields(&wrong), ["order.provider", "order.number", "order.note"]);
    }
}
