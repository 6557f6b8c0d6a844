//! What is noted of a version, and of what was decided about versions.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::lineage::{Lineage, TurnedDown};

/// `meta.json` of a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::certs) struct Record {
    /// SHA-256 over the leaf's DER, lower-case hexadecimal.
    pub(in crate::certs) fingerprint: String,
    pub(in crate::certs) names: Vec<String>,
    pub(in crate::certs) key_type: String,
    /// Seconds since the Unix epoch.
    pub(in crate::certs) not_before: i64,
    pub(in crate::certs) not_after: i64,
    pub(in crate::certs) source: Source,
    /// Where in the drop folder it was found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(in crate::certs) certificate_files: Vec<PathBuf>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(in crate::certs) key_files: Vec<PathBuf>,
    /// Seconds since the Unix epoch.
    pub(in crate::certs) added: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::certs) added_by: Option<String>,
}

/// How a certificate came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// As files in a drop folder.
    Dropped,
    /// Through the API or the command line.
    Uploaded,
    /// For a request: its key was made here.
    Requested,
}

impl Record {
    pub(super) fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).unwrap_or_default()
    }
}

/// `meta.json` of a certificate: which version is current, and which are not to serve, by name.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Decision {
    /// For whoever reads the file; it follows from the rest.
    #[serde(default)]
    current: Option<String>,
    #[serde(default)]
    pub(super) turned_down: BTreeMap<String, TurnedDown>,
}

impl Decision {
    pub(super) fn of(lineage: &Lineage) -> Self {
        Self {
            current: lineage.newest_first().next().map(|version| version.to_string()),
            turned_down: lineage.turned_down.iter().map(|(version, why)| (version.to_string(), *why)).collect(),
        }
    }

    pub(super) fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).unwrap_or_default()
    }
}
