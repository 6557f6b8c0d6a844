//! A version of a certificate: what says which one it is, what is to be kept of it, and what is told of it.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use super::lineage::{TurnedDown, VersionName, lineage_id};
use super::record::{Record, Source};
use super::revocation::Revocation;
use crate::certs::certificate::Fingerprint;
use crate::certs::pairing::Pair;
use crate::live::{CertFacts, KeyType};
use crate::name::HostPattern;
use crate::store::StoreError;

/// What of a certificate says which version of what it is.
#[derive(Clone, Copy)]
pub(in crate::certs) struct Leaf<'a> {
    pub(in crate::certs) fingerprint: &'a Fingerprint,
    pub(in crate::certs) facts: &'a CertFacts,
    pub(in crate::certs) names: &'a [HostPattern],
    pub(in crate::certs) key_type: KeyType,
}

impl Leaf<'_> {
    pub(in crate::certs) fn lineage(&self) -> String {
        lineage_id(self.names, self.key_type)
    }

    pub(super) fn version(&self) -> VersionName {
        VersionName::of(self.fingerprint, self.facts.not_before)
    }
}

/// A pair to be kept.
pub(in crate::certs) struct NewVersion<'a> {
    pub(in crate::certs) leaf: Leaf<'a>,
    /// DER, the leaf first.
    pub(in crate::certs) chain: &'a [Arc<[u8]>],
    /// PEM.
    pub(in crate::certs) key: &'a [u8],
    pub(in crate::certs) source: Source,
    pub(in crate::certs) certificate_files: &'a [Arc<Path>],
    pub(in crate::certs) key_files: &'a [Arc<Path>],
    /// Seconds since the Unix epoch.
    pub(in crate::certs) added: i64,
    pub(in crate::certs) added_by: Option<&'a str>,
    /// Whether the key may leave although that is not usual for what came this way.
    pub(in crate::certs) is_exportable: bool,
}

/// A version that was read again.
pub(in crate::certs) struct Stored {
    pub(in crate::certs) pair: Pair,
    /// Whether the drop folder has a say in whether it serves.
    pub(in crate::certs) is_dropped: bool,
    /// Whether its authority took it back.
    pub(in crate::certs) is_revoked: bool,
    pub(in crate::certs) record: Record,
}

/// A version of a certificate, as its history tells it.
#[derive(Clone, Debug, Serialize)]
pub struct Version {
    /// What it is a version of.
    pub id: String,
    /// Its name there.
    pub version: String,
    /// SHA-256 over the leaf's DER, lower-case hexadecimal.
    pub fingerprint: String,
    /// The names it is for.
    pub names: Vec<String>,
    /// `ecdsa`, `ed25519` or `rsa`.
    pub key_type: String,
    /// Start of validity, seconds since the Unix epoch.
    pub not_before: i64,
    /// End of validity, seconds since the Unix epoch.
    pub not_after: i64,
    /// How it came.
    pub source: Source,
    /// When it came, seconds since the Unix epoch.
    pub added: i64,
    /// Who brought it, if anybody did by name.
    pub added_by: Option<String>,
    /// Whether it is the one that serves, or would.
    pub is_current: bool,
    /// Why it does not serve.
    pub turned_down: Option<TurnedDown>,
    /// That it was revoked.
    pub revoked: Option<Revocation>,
}

/// Why a version could not be read.
#[derive(Debug)]
pub(in crate::certs) enum Unreadable {
    /// The store's fault.
    Store(StoreError),
    /// What is there is not what was written.
    Damaged(String),
}

impl From<StoreError> for Unreadable {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::Damaged(what) => f.write_str(what),
        }
    }
}
