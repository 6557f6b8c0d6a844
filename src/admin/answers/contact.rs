//! Who is told what happens.

use serde::{Deserialize, Serialize};

use crate::notices::{EventKind, Format};

/// A contact, without what is secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Contact {
    pub(crate) id: String,
    pub(crate) name: String,
    /// The site it is told of.
    pub(crate) site: Option<String>,
    /// The organisation whose sites it is told of; `None`, and no site either: it is told of everything.
    pub(crate) organisation: Option<String>,
    pub(crate) mail: Option<String>,
    pub(crate) webhook: Option<ContactWebhook>,
    /// Its tag.
    pub(crate) language: String,
    /// `None`: all.
    pub(crate) events: Option<Vec<EventKind>>,
    /// `configuration` or `made`.
    pub(crate) source: String,
}

/// Where it is told by a post.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ContactWebhook {
    /// Scheme and host.
    pub(crate) address: String,
    pub(crate) format: Format,
    pub(crate) signed: bool,
}

impl Contact {
    /// The address that it is told at.
    pub(crate) fn address(&self) -> &str {
        let webhook = || self.webhook.as_ref().map(|webhook| webhook.address.as_str());
        self.mail.as_deref().or_else(webhook).unwrap_or_default()
    }

    /// The words of the events that it is told of, with this between them; `None`: all.
    pub(crate) fn event_words(&self, between: &str) -> Option<String> {
        let words = |events: &Vec<EventKind>| events.iter().map(|event| event.word()).collect::<Vec<_>>().join(between);
        self.events.as_ref().map(words)
    }
}
