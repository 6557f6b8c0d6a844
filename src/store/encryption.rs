//! Which key the secrets of the state are sealed with: `encryption.json`. Without it they are plain.

use serde::{Deserialize, Serialize};

use super::{Expected, Key, KeyId, StateKey, Storage, StoreError, Trouble};

/// How far the secrets are sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Extent {
    /// All of them.
    All,
    /// Those written since the key was given; the others are plain.
    New,
    /// A change of the key is under way.
    Changing,
}

/// What the file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Encryption {
    /// `None` on the way back to plain files.
    pub(super) key: Option<KeyId>,
    pub(super) extent: Extent,
}

impl Encryption {
    pub(super) fn read(storage: &dyn Storage) -> Result<Option<Self>, StoreError> {
        let Some(content) = storage.read(&place())? else { return Ok(None) };
        let damaged = || failed(Trouble::Damaged("it does not say with which key the secrets are encrypted"));
        let written: Written = serde_json::from_slice(&content).map_err(|_| damaged())?;
        let key = written.key.map(|key| KeyId::parse(&key).ok_or_else(damaged)).transpose()?;
        Ok(Some(Self { key, extent: written.sealed }))
    }

    pub(super) fn write(self, storage: &dyn Storage) -> Result<(), StoreError> {
        let written = Written { key: self.key.map(|key| key.to_string()), sealed: self.extent };
        let content = serde_json::to_vec(&written).map_err(|error| failed(Trouble::System(error.into())))?;
        storage.put(&place(), &content, Expected::Anything)
    }

    pub(super) fn forget(storage: &dyn Storage) -> Result<(), StoreError> {
        storage.delete(&place()).map(drop)
    }

    /// Finds out whether `key` fits, before anything is read with it; gives how far the secrets are sealed. In a state
    /// without a key so far it is noted.
    pub(super) fn check(storage: &dyn Storage, key: Option<&StateKey>, is_new: bool) -> Result<Extent, StoreError> {
        match (Self::read(storage)?, key.map(StateKey::id)) {
            (None, None) => Ok(Extent::All),
            (None, Some(id)) => {
                let extent = if is_new { Extent::All } else { Extent::New };
                Self { key: Some(id), extent }.write(storage)?;
                Ok(extent)
            }
            (Some(Self { extent: Extent::Changing, .. }), _) => Err(failed(Trouble::HalfRekeyed)),
            (Some(Self { key: None, .. }), _) => {
                Err(failed(Trouble::Damaged("it names no key that the secrets are encrypted with")))
            }
            (Some(Self { key: Some(sealed), .. }), None) => Err(failed(Trouble::NoKey(sealed))),
            (Some(Self { key: Some(sealed), extent }), Some(given)) if sealed == given => Ok(extent),
            (Some(Self { key: Some(sealed), .. }), Some(given)) => Err(failed(Trouble::OtherKey(sealed, given))),
        }
    }
}

/// Where it is written.
pub(super) fn place() -> Key {
    Key::known(&["encryption.json"])
}

fn failed(trouble: Trouble) -> StoreError {
    StoreError::new("use the secrets of the state folder", trouble)
}

#[derive(Serialize, Deserialize)]
struct Written {
    key: Option<String>,
    sealed: Extent,
}
