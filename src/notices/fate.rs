//! What has become of something that was to be told.

use super::Notices;
use super::message::{Recipient, delivery_id};
use super::queue::End;

/// What has become of a message for one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is tried, or will be.
    Waiting {
        /// How often it was tried in vain.
        attempts: u32,
        /// What came of the last time.
        last_error: Option<String>,
    },
    /// The other side has taken it.
    Told {
        /// When, seconds since the Unix epoch.
        at: i64,
    },
    /// It will not be tried any more.
    GivenUp {
        /// Since when, seconds since the Unix epoch.
        at: i64,
    },
    /// It was never handed in, or ended so long ago that nobody knows.
    Unknown,
}

impl Fate {
    /// Its name, stable, for programs.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Waiting { .. } => "waiting",
            Self::Told { .. } => "told",
            Self::GivenUp { .. } => "given_up",
            Self::Unknown => "unknown",
        }
    }
}

impl Notices {
    /// What has become of the message of this identity for this recipient.
    #[must_use]
    pub fn fate(&self, identity: &str, recipient: &Recipient) -> Fate {
        match self.0.queue.standing(&delivery_id(identity, recipient)) {
            Some(Ok(head)) => Fate::Waiting { attempts: head.attempts, last_error: head.last_error.clone() },
            Some(Err(ended)) if ended.end == End::Told => Fate::Told { at: ended.at },
            Some(Err(ended)) => Fate::GivenUp { at: ended.at },
            None => Fate::Unknown,
        }
    }
}
