//! The versions of a certificate.

use serde::{Deserialize, Serialize};

use crate::certs::{Source, TurnedDown};

/// One version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Version {
    pub(crate) id: String,
    /// Its name among them.
    pub(crate) version: String,
    pub(crate) fingerprint: String,
    pub(crate) names: Vec<String>,
    pub(crate) key_type: String,
    pub(crate) not_before: String,
    pub(crate) not_after: String,
    /// `valid`, `expired` or `not_yet_valid`.
    pub(crate) state: String,
    pub(crate) source: Source,
    pub(crate) added: String,
    pub(crate) added_by: Option<String>,
    /// Whether it is the one that serves.
    pub(crate) current: bool,
    /// Why it does not serve, if it was decided.
    pub(crate) turned_down: Option<TurnedDown>,
    /// Why its authority took it back, if it did.
    pub(crate) revoked: Option<String>,
}
