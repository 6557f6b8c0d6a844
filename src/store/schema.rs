//! Which layout the state folder has: `schema.json`.

use serde::{Deserialize, Serialize};

use super::{Expected, Key, Store, StoreError, Trouble};

/// Refuses a folder that a later version wrote, and says in a new one which layout it has.
pub(super) fn check(store: &Store) -> Result<(), StoreError> {
    let key = Key::known(&["schema.json"]);
    let Some(item) = store.read(&key)? else {
        let content = serde_json::to_vec(&Schema { version: CURRENT }).unwrap_or_default();
        store.put(&key, &content, Expected::Nothing)?;
        return Ok(());
    };
    let wrong = |trouble| StoreError::new(format!("use {key} of the state folder"), trouble);
    match serde_json::from_slice::<Schema>(&item.content) {
        Ok(Schema { version: 1..=CURRENT }) => Ok(()),
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
