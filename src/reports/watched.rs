//! The URLs that nobody wants to hear of, each with who said so and why.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::store::{Expected, Key, Store, StoreError};

/// Who wants to hear nothing of a URL any more, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unwatched {
    /// Why.
    pub reason: String,
    /// Who said so.
    pub by: String,
    /// When, seconds since the Unix epoch.
    pub at: i64,
}

/// All of them, by the host as its site has it.
pub(super) fn read(store: &Store) -> Result<BTreeMap<String, Unwatched>, StoreError> {
    let Some(item) = store.read(&key())? else { return Ok(BTreeMap::new()) };
    Ok(serde_json::from_slice(&item.content).unwrap_or_else(|error| {
        // Whoever hears too much finds it out; whoever hears nothing does not.
        tracing::error!(%error, "reports/unwatched.json cannot be read, and every URL is watched; restore it from a backup");
        BTreeMap::new()
    }))
}

/// Keeps them.
pub(super) fn write(store: &Store, all: &BTreeMap<String, Unwatched>) -> Result<(), StoreError> {
    store.put(&key(), &serde_json::to_vec_pretty(all).unwrap_or_default(), Expected::Anything).map(drop)
}

fn key() -> Key {
    Key::known(&["reports", "unwatched.json"])
}
