//! What authorities took back: a version that is revoked serves only where nothing else could.

use serde::{Deserialize, Serialize};

use super::lineage::TurnedDown;
use super::{Leaf, Library};
use crate::store::StoreError;

/// That a version was revoked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    /// Why, in a word of RFC 5280 §5.3.1 with hyphens.
    pub reason: String,
    /// When, seconds since the Unix epoch.
    pub at: i64,
}

impl Library {
    /// Writes down that a version is revoked. `leaves`: it is not to serve any more, whatever is left without. Gives whether there
    /// is such a version.
    pub(in crate::certs) fn revoke(
        &mut self,
        fingerprint: &str,
        revocation: &Revocation,
        leaves: bool,
    ) -> Result<bool, StoreError> {
        let Some((version, id)) = self.place(fingerprint).map(|(version, id)| (version, id.to_owned())) else {
            return Ok(false);
        };
        let Some(lineage) = self.lineages.get_mut(&*id) else { return Ok(false) };
        let before = lineage.clone();
        lineage.revoked.entry(version).or_insert_with(|| revocation.clone());
        if leaves {
            lineage.turned_down.insert(version, TurnedDown::Revoked);
        }
        let written = self.write_decision(&id);
        if written.is_err() {
            self.lineages.insert(id.into(), before);
        }
        written.map(|()| true)
    }

    /// Whether a version is revoked.
    pub(in crate::certs) fn is_revoked(&self, leaf: &Leaf<'_>) -> bool {
        let version = leaf.version();
        let lineage = self.places.get(&version).and_then(|id| self.lineages.get(id));
        lineage.is_some_and(|lineage| lineage.revoked.contains_key(&version))
    }

    /// Whether the operator has turned a version down.
    pub(in crate::certs) fn is_turned_down(&self, leaf: &Leaf<'_>) -> bool {
        let version = leaf.version();
        let lineage = self.places.get(&version).and_then(|id| self.lineages.get(id));
        let why = lineage.and_then(|lineage| lineage.turned_down.get(&version));
        matches!(why, Some(TurnedDown::RolledBack | TurnedDown::Revoked))
    }
}
