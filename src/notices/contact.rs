//! Whom something is told, how, and of what.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::event::EventKind;
use crate::mail_address::MailAddress;
use crate::outbound::PostAddress;
use crate::words::Language;

/// Somebody who wants to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Its name for the API.
    pub id: String,
    /// The operator's name for it, on one line.
    pub name: String,
    /// Of what.
    pub scope: Scope,
    /// How.
    pub way: Way,
    /// In which language.
    pub language: Language,
    /// Which kinds of events; `None`: all, those to come too.
    pub events: Option<Vec<EventKind>>,
}

impl Contact {
    /// Whether it stands in the configuration, where alone it can be changed.
    #[must_use]
    pub fn is_configured(&self) -> bool {
        self.id.starts_with(CONFIGURED)
    }

    /// Whether it wants to hear of events of this kind.
    pub(super) fn wants(&self, kind: EventKind) -> bool {
        self.events.as_ref().is_none_or(|events| events.contains(&kind))
    }
}

/// Of what somebody wants to be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Of everything, the edge itself too.
    Everything,
    /// Of what concerns the site of this name.
    Site(String),
    /// Of what concerns the sites of the organisation of this id.
    Organisation(String),
}

/// How somebody is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// By mail.
    Mail(MailAddress),
    /// By a post to an address.
    Webhook(Webhook),
}

/// An address that is posted to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Where.
    pub address: PostAddress,
    /// In which form.
    pub format: Format,
    /// What posts are signed with.
    pub secret: Option<Secret>,
}

/// What a post holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// All there is to know, for programs.
    #[default]
    Json,
    /// A text, as Slack, Mattermost and others take it.
    Slack,
}

/// What posts are signed with. It goes in and never comes out.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes over a secret of at least [`Secret::SHORTEST`] letters on one line.
    ///
    /// # Errors
    /// What was expected.
    pub fn new(text: &str) -> Result<Self, String> {
        if !(Self::SHORTEST..=Self::LONGEST).contains(&text.len()) || text.contains(char::is_control) {
            return Err(format!("expected a secret of {} to {} letters on one line", Self::SHORTEST, Self::LONGEST));
        }
        Ok(Self(text.to_owned().into()))
    }

    /// For signing, and for the file it is kept in.
    pub(super) fn reveal(&self) -> &str {
        &self.0
    }

    /// Shorter ones are guessed.
    pub const SHORTEST: usize = 16;
    /// Longer ones are files.
    pub const LONGEST: usize = 256;
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What the ids of contacts in the configuration begin with.
pub(super) const CONFIGURED: &str = "config:";
