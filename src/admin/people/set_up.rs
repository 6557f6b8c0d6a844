//! Setting up: as long as there is nobody, who can read a file of the edge's makes the first user.

use std::sync::{Mutex, PoisonError};

use crate::admin::secrets::{NoRandomness, hash, random_hex, same};
use crate::store::{Expected, Key, Store, StoreError};

/// The way in while there is no user. It closes by itself, and for ever once there is one.
#[derive(Debug)]
pub(super) struct SetUp {
    store: Store,
    open: Mutex<Option<Open>>,
}

#[derive(Clone, Debug)]
struct Open {
    /// Over the token.
    sha256: String,
    /// Seconds since the Unix epoch.
    until: i64,
}

/// Why the way in could not be opened.
#[derive(Debug)]
pub(super) enum NotOpened {
    /// The system gives no random numbers.
    NoRandomness,
    /// The token could not be written.
    Unwritten(StoreError),
}

impl SetUp {
    /// Closed.
    pub(super) fn new(store: Store) -> Self {
        Self { store, open: Mutex::new(None) }
    }

    /// Opens it, with a token in `setup.token`. Blocks for the disk.
    pub(super) fn open(&self, now: i64) -> Result<(), NotOpened> {
        let token = random_hex::<32>()?;
        let content = format!("{}\n", *token);
        self.store.put(&key(), content.as_bytes(), Expected::Anything).map_err(NotOpened::Unwritten)?;
        *self.locked() = Some(Open { sha256: hash(&token), until: now + LIFE });
        Ok(())
    }

    /// Closes it, and takes away the token, one of an earlier start too. Blocks for the disk.
    pub(super) fn close(&self) {
        self.locked().take();
        if let Err(error) = self.store.delete(&key()) {
            // It opens nothing any more.
            tracing::warn!(%error, "the token for the first user could not be deleted");
        }
    }

    /// Until when it is open.
    pub(super) fn until(&self, now: i64) -> Option<i64> {
        self.locked().as_ref().map(|open| open.until).filter(|until| now < *until)
    }

    /// Whether this is the token, and holds.
    pub(super) fn is(&self, token: &str, now: i64) -> bool {
        let open = self.locked();
        let open = open.as_ref().filter(|open| now < open.until);
        open.is_some_and(|open| same(open.sha256.as_bytes(), hash(token.trim()).as_bytes()))
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Option<Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<NoRandomness> for NotOpened {
    fn from(_: NoRandomness) -> Self {
        Self::NoRandomness
    }
}

fn key() -> Key {
    Key::known(&[FILE])
}

/// Not sealed with the key of the state: whoever sets up has to read it.
pub(super) const FILE: &str = "setup.token";
/// In seconds: the time to read a line of a log and open a page.
pub(super) const LIFE: i64 = 15 * 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_in_its_file_alone_and_ends_with_its_time() {
        let store = Store::in_memory();
        let set_up = SetUp::new(store.clone());
        assert_eq!((set_up.until(1000), set_up.is("", 1000)), (None, false));
        set_up.open(1000).expect("opened");
        let kept = store.read(&key()).expect("read").expect("written");
        let token = String::from_utf8(kept.content.to_vec()).expect("text");
        assert!(set_up.is(&token, 1899) && set_up.is(token.trim(), 1000));
        assert!(!set_up.is(&token, 1900) && !set_up.is(&token[1..], 1000) && !set_up.is("", 1000));
        assert_eq!((set_up.until(1899), set_up.until(1900)), (Some(1900), None));
        assert!(!format!("{set_up:?}").contains(token.trim()));
        set_up.close();
        assert!(!set_up.is(&token, 1000) && store.read(&key()).expect("read").is_none());
    }
}
