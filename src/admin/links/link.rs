//! One link, and what became of it.

use serde::{Deserialize, Serialize};

use crate::overview::HandedIn;

/// A link as it is kept in `links/<id>.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::admin) struct Link {
    /// The name the API calls it by.
    pub(in crate::admin) id: String,
    /// The operator's words for it.
    pub(in crate::admin) note: String,
    /// The sites that the certificate may be for.
    pub(in crate::admin) sites: Vec<String>,
    /// The request that it answers, if it is for one.
    pub(in crate::admin) request: Option<String>,
    /// Whether what is handed in serves at once; else it waits for the operator's yes.
    pub(in crate::admin) goes_live: bool,
    /// Seconds since the Unix epoch, as all times here.
    pub(in crate::admin) created: i64,
    /// Who made it.
    pub(in crate::admin) created_by: String,
    /// Until when something may be handed in.
    pub(in crate::admin) expires: i64,
    /// When it was first opened.
    pub(in crate::admin) opened: Option<i64>,
    /// How many times something was handed in that could not be taken.
    pub(in crate::admin) wrong: u32,
    /// What became of it.
    pub(in crate::admin) fate: Fate,
    /// What was handed in, without keys.
    pub(in crate::admin) found: Option<Found>,
    /// When that was.
    #[serde(default)]
    pub(in crate::admin) handed_in: Option<i64>,
    /// SHA-256 over the secret, in hexadecimal. That has 256 random bits, so no slow hash is needed.
    pub(super) sha256: String,
}

/// What became of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::admin) enum Fate {
    /// Nothing was handed in yet.
    Open,
    /// What was handed in waits for the operator's yes.
    Waiting,
    /// What was handed in was taken.
    Taken,
    /// The operator did not take it.
    Declined,
    /// It was revoked.
    Revoked,
    /// Too much was handed in that could not be taken.
    Spoiled,
}

/// A certificate that was handed in, as far as everybody may know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Found {
    pub(crate) fingerprint: String,
    pub(crate) subject: String,
    pub(crate) issuer: String,
    pub(crate) names: Vec<String>,
    pub(crate) not_after: String,
}

impl Fate {
    /// Its word.
    pub(in crate::admin) const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Waiting => "waiting",
            Self::Taken => "taken",
            Self::Declined => "declined",
            Self::Revoked => "revoked",
            Self::Spoiled => "spoiled",
        }
    }
}

impl Link {
    /// What waits for somebody's word, if anything does.
    pub(super) fn waiting(&self) -> Option<HandedIn> {
        let link = if self.note.is_empty() { self.id.clone() } else { self.note.clone() };
        (self.fate == Fate::Waiting).then(|| HandedIn { link, sites: self.sites.clone(), since: self.handed_in })
    }

    /// What it is now: one whose time is over is `expired`.
    pub(in crate::admin) fn state(&self, now: i64) -> &'static str {
        match self.fate {
            Fate::Open if self.expires <= now => "expired",
            fate => fate.word(),
        }
    }
}
