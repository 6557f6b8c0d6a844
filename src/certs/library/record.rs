//! What is noted of a version, and of what was decided about versions.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::lineage::{Lineage, TurnedDown};
use super::revocation::Revocation;

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
    /// Whether the key may leave, where that is not as usual for what came this way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::certs) exportable: Option<bool>,
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
    /// Ordered from an authority by the edge itself.
    Issued,
}

impl Source {
    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Dropped => "dropped",
            Self::Uploaded => "uploaded",
            Self::Requested => "requested",
            Self::Issued => "issued",
        }
    }
}

impl Record {
    /// Whether the key may leave. One that came from outside is known there already; one that was born here is known nowhere
    /// else, and stays so unless it is marked.
    pub(in crate::certs) fn is_exportable(&self) -> bool {
        self.exportable.unwrap_or(match self.source {
            Source::Dropped | Source::Uploaded => true,
            Source::Requested | Source::Issued => false,
        })
    }

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
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) revoked: BTreeMap<String, Revocation>,
}

impl Decision {
    pub(super) fn of(lineage: &Lineage) -> Self {
        Self {
            current: lineage.newest_first().next().map(|version| version.to_string()),
            turned_down: lineage.turned_down.iter().map(|(version, why)| (version.to_string(), *why)).collect(),
            revoked: lineage.revoked.iter().map(|(version, how)| (version.to_string(), how.clone())).collect(),
        }
    }

    pub(super) fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_was_born_here_stays_unless_it_is_marked() {
        let is_exportable = |source: &str, mark: &str| {
            let record = format!(
                r#"{{"fingerprint":"","names":[],"key_type":"","not_before":0,"not_after":0,"source":"{source}"{mark},"added":0}}"#
            );
            serde_json::from_str::<Record>(&record).expect("a record").is_exportable()
        };
        let (yes, no) = (r#","exportable":true"#, r#","exportable":false"#);
        for (source, expected) in [
            ("dropped", [true, true, false]),
            ("uploaded", [true, true, false]),
            ("requested", [false, true, false]),
            ("issued", [false, true, false]),
        ] {
            assert_eq!(["", yes, no].map(|mark| is_exportable(source, mark)), expected, "{source}");
        }
    }
}
