//! Whose sites are whose, and whom each organisation wants to be told.

use std::collections::BTreeMap;

use super::contact::{Contact, Scope, Way};
use super::message::Recipient;
use crate::mail_address::MailAddress;
use crate::words::Language;

/// What is known of organisations at a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owners {
    /// The organisation that owns a site, by the site's name.
    pub of_site: BTreeMap<String, String>,
    /// Whom organisations name.
    pub members: Vec<Member>,
}

/// Somebody whom an organisation names, to be told of its sites by mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The id of the organisation.
    pub organisation: String,
    /// Who.
    pub name: String,
    /// Where to.
    pub mail: MailAddress,
}

/// Says what is known of organisations now.
pub type AskOwners = Box<dyn Fn() -> Owners + Send + Sync>;

impl Member {
    /// The same as a contact of the organisation, in this language; its id tells it from those that are kept.
    pub(super) fn contact(&self, language: Language) -> Contact {
        let Self { organisation, name, mail } = self;
        Contact {
            id: format!("{MEMBER}{organisation}:{mail}"),
            name: if name.is_empty() { mail.to_string() } else { name.clone() },
            scope: Scope::Organisation(organisation.clone()),
            way: Way::Mail(mail.clone()),
            language,
            events: None,
        }
    }
}

impl Contact {
    /// Where a message for it is handed in. A member is in no book: the address is all there is.
    #[must_use]
    pub fn recipient(&self) -> Recipient {
        match &self.way {
            Way::Mail(address) if self.id.starts_with(MEMBER) => Recipient::Mail(address.clone()),
            _ => Recipient::Contact(self.id.clone()),
        }
    }
}

/// What the ids of members begin with.
const MEMBER: &str = "organisation:";
