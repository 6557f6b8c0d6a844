//! What became of what came, went, was gone back to or was to be deleted.

use std::sync::Arc;

use super::Holding;
use crate::certs::certificate::Fingerprint;
use crate::certs::flaw::Flaw;
use crate::certs::library::{TurnedDown, Unreadable};
use crate::certs::request::Answer;
use crate::live::ServedCert;
use crate::name::HostPattern;
use crate::store::StoreError;

/// What went, and why.
pub(super) struct Departure {
    pub(super) holding: Holding,
    pub(super) why: TurnedDown,
}

impl Departure {
    pub(super) fn new(holding: Holding, why: TurnedDown) -> Self {
        Self { holding, why }
    }
}

/// A certificate that was taken in, which may have ended behind another version.
pub(in crate::certs) struct Taken {
    pub(super) certificate: Arc<ServedCert>,
    /// What it is a version of.
    pub(super) id: String,
    pub(super) fingerprint: Fingerprint,
    key: [u8; 32],
}

impl Taken {
    pub(super) fn of(holding: &Holding) -> Self {
        let certificate = Arc::clone(&holding.served);
        Self { certificate, id: holding.leaf().lineage(), fingerprint: *holding.bundle.fingerprint(), key: holding.key }
    }

    /// What a request whose key it has is told; `file` is where it lies, if it does.
    pub(in crate::certs) fn answer(&self, file: Option<String>) -> Answer {
        Answer::served(self.key, &self.certificate.facts, file)
    }
}

/// A certificate that came through the API.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// As the index has it.
    pub certificate: Arc<ServedCert>,
    /// What it is a version of.
    pub id: String,
    /// The names it serves from now on; none: something else serves them better.
    pub serves: Vec<HostPattern>,
}

/// Why a pair was not taken in.
#[derive(Debug)]
pub(in crate::certs) enum NotTaken {
    /// It cannot be served.
    Flaw(Flaw),
    /// It cannot be kept.
    Store(StoreError),
}

impl From<Flaw> for NotTaken {
    fn from(flaw: Flaw) -> Self {
        Self::Flaw(flaw)
    }
}

impl From<StoreError> for NotTaken {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Why the version is not current.
#[derive(Debug)]
pub enum NotGoneBack {
    /// No version has this fingerprint.
    Unknown,
    /// It is expired, or not valid yet.
    Untimely,
    /// It was revoked.
    Revoked,
    /// What is kept of it cannot be served.
    Damaged(String),
    /// It could not be written down.
    Store(StoreError),
}

impl NotGoneBack {
    pub(super) fn of(unreadable: Unreadable) -> Self {
        match unreadable {
            Unreadable::Store(error) => Self::Store(error),
            Unreadable::Damaged(what) => Self::Damaged(what),
        }
    }
}

/// Why the version is there still.
#[derive(Debug)]
pub enum NotDeleted {
    /// No version has this fingerprint.
    Unknown,
    /// It lies in the drop folder, in these files.
    Dropped(Vec<String>),
    /// These names would be left with nothing valid.
    LastGood(Vec<String>),
    /// It could not be deleted.
    Store(StoreError),
}
