//! What is told to whom.

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use crate::mail_address::MailAddress;

/// Something to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What it is about, in one text that is never used for anything else: a second message of the same identity to the same
    /// recipient is the first one, and not sent again, however often the edge was started between.
    pub identity: String,
    /// In some words, on one line.
    pub subject: String,
    /// The whole, for people.
    pub text: String,
    /// The same with marks for their eyes.
    pub html: String,
    /// The same for programs: what a webhook gets beside the subject and the text.
    pub data: serde_json::Value,
    /// Which kind of mail it is.
    pub list: List,
    /// When it became due, seconds since the Unix epoch.
    pub due: i64,
    /// The conditions that it tells of: while one of them lasts it is not given up. May be empty.
    pub about: Vec<String>,
}

/// Kinds of mails, which programs sort by (RFC 2919).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum List {
    /// Something has happened, or will.
    Notices,
    /// How everything is, at regular times.
    Reports,
    /// Nothing: whether it arrives is all that is asked.
    Test,
}

impl List {
    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Notices => "notices",
            Self::Reports => "reports",
            Self::Test => "test",
        }
    }
}

/// Who is told.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Recipient {
    /// Whoever reads the mail of this address.
    Mail(MailAddress),
    /// The contact of this id, whichever way it is reached at the time.
    Contact(String),
}

impl Recipient {
    /// One text for it.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Mail(address) => format!("mail:{address}"),
            Self::Contact(id) => format!("contact:{id}"),
        }
    }

    /// The one of such a text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once(':')? {
            ("mail", address) => MailAddress::parse(address).ok().map(Self::Mail),
            ("contact", id) => Some(Self::Contact(id.to_owned())),
            _ => None,
        }
    }
}

/// The name of a delivery: the same for the same message to the same recipient, whenever it is asked for. It is the name of a
/// file, of a mail and of a post, by which whoever gets it twice knows it again.
pub(super) fn delivery_id(identity: &str, recipient: &Recipient) -> String {
    let whole = format!("{identity}\n{}", recipient.text());
    digest(&SHA256, whole.as_bytes()).as_ref()[..16].iter().map(|octet| format!("{octet:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_has_the_same_name_whenever_it_is_asked_for() {
        let mail = |address: &str| Recipient::Mail(MailAddress::parse(address).expect("an address"));
        let (ops, other) = (mail("ops@shop.example"), mail("other@shop.example"));
        assert_eq!(delivery_id("a", &ops), delivery_id("a", &mail("ops@Shop.example")));
        let all = [delivery_id("a", &ops), delivery_id("b", &ops), delivery_id("a", &other)];
        assert!(all[0] != all[1] && all[0] != all[2] && all.iter().all(|id| id.len() == 32), "{all:?}");
        for recipient in [ops, Recipient::Contact("config:night shift".into())] {
            assert_eq!(Recipient::parse(&recipient.text()), Some(recipient));
        }
        assert_eq!(Recipient::parse("pigeon:7"), None);
    }
}
