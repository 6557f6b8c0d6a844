//! Which layout the state folder has: `schema.json`.

use serde::{Deserialize, Serialize};

use super::{Expected, Key, Storage, StoreError, Trouble};

/// Refuses a folder that a later version wrote, and says in a new one which layout it has. Gives whether it is new.
pub(super) fn check(storage: &dyn Storage) -> Result<bool, StoreError> {
    let key = Key::known(&["schema.json"]);
    let Some(content) = storage.read(&key)? else {
        let content = serde_json::to_vec(&Schema { version: CURRENT }).unwrap_or_default();
        storage.put(&key, &content, Expected::Nothing)?;
        return Ok(true);
    };
    let wrong = |trouble| StoreError::new(format!("use {key} of the state folder"), trouble);
    match serde_json::from_slice::<Schema>(&content) {
        Ok(Schema { version: 1..=CURRENT }) => Ok(false),
        Ok(Schema { version }) => Err(wrong(Trouble::TooNew(version, CURRENT))),
        Err(_) => Err(wrong(Trouble::Damaged("it does not say which layout the folder has"))),
    }
}

#[derive(Serialize, Deserialize)]
struct Schema {
    version: u64,
}

/// Raised by whoever changes what lies where, together with the way from the one before.
const CURRENT: u64 = 1;
