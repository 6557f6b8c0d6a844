//! The state folder: what the edge must know again after a restart. The only place that writes state.
//!
//! [`Store`] is what the rest of the house uses; below it lies a `Storage`, the narrow trait behind which a shared engine
//! can stand beside the folder later. Everything is written whole or not at all, and is on the disk when a call returns: a kill
//! at any moment leaves the old or the new state. All calls block; nothing of it is on the way of a request.

pub mod audit;
mod backup;
mod encryption;
mod error;
mod folder;
mod key;
mod looked_at;
mod memory;
mod rekey;
mod restore;
mod schema;
mod seal;
mod snapshot;
mod staging;
mod state_key;
mod tree;
mod turn;

use std::borrow::Cow;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use zeroize::Zeroizing;

pub use backup::{BackedUp, back_up, back_up_to_file};
use encryption::{Encryption, Extent};
pub use error::{StoreError, Trouble};
use folder::Folder;
pub use key::Key;
use looked_at::LookedAt;
pub use rekey::{Rekeyed, rekey};
pub use restore::{Backup, can_be_restored_to, check_backup, restore};
pub use state_key::{KeyFileError, KeyId, StateKey};

/// The state, to read and to change. Clones are the same state.
#[derive(Clone)]
pub struct Store {
    storage: Arc<dyn Storage>,
    /// What secrets are sealed with; plain without it.
    key: Option<Arc<StateKey>>,
    sealed: Extent,
}

impl Store {
    /// Opens the state folder, which is made when it is missing, and keeps every other process out of it.
    ///
    /// # Errors
    /// [`StoreError`] when the folder cannot be made or written, is in use, was written by a later version, or has secrets that
    /// are sealed.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        Self::open_with(folder, None)
    }

    /// The same with the key that its secrets are sealed with, or are to be from now on.
    ///
    /// # Errors
    /// As [`Store::open`], and when they are sealed with another key.
    pub fn open_with(folder: &Path, key: Option<StateKey>) -> Result<Self, StoreError> {
        let storage = Folder::open(folder)?;
        let is_new = schema::bring_up(&storage)?;
        let sealed = Encryption::check(&storage, key.as_ref(), is_new)?;
        Ok(Self { storage: Arc::new(storage), key: key.map(Arc::new), sealed })
    }

    /// A state folder that is only looked at, whoever has it; `None` when there is none. What is sealed stays so.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read, or a later version wrote it.
    pub fn look(folder: &Path) -> Result<Option<Self>, StoreError> {
        let storage = LookedAt::new(folder);
        let found = schema::check(&storage)?;
        Ok(found.map(|_| Self { storage: Arc::new(storage), key: None, sealed: Extent::All }))
    }

    /// A state that is gone with the last clone.
    #[cfg(test)]
    pub(crate) fn in_memory() -> Self {
        Self { storage: Arc::new(memory::Memory::default()), key: None, sealed: Extent::All }
    }

    /// Whether there is a key, and secrets that were written before it was given lie there plain.
    #[must_use]
    pub fn has_plain_secrets(&self) -> bool {
        self.sealed == Extent::New
    }

    /// What lies at `key`; `None` when nothing does. What is sealed is opened.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read, or is sealed and does not open with the key of this state.
    pub fn read(&self, key: &Key) -> Result<Option<Item>, StoreError> {
        let Some(content) = self.storage.read(key)? else { return Ok(None) };
        let revision = Revision::of(&content);
        let content = opened(key, content, self.key.as_deref())
            .map_err(|trouble| StoreError::new(format!("read {key}"), trouble))?;
        Ok(Some(Item { content, revision }))
    }

    /// The names right below a folder, in order. An empty folder and none at all are the same.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub fn names(&self, folder: &Key) -> Result<Vec<String>, StoreError> {
        self.storage.names(folder)
    }

    /// Writes a file. A secret, which [`Key::is_secret`] tells by its name, is sealed when the state has a key.
    ///
    /// # Errors
    /// [`Trouble::Changed`] when what lies there is not what was expected; else whatever keeps it from being written.
    pub fn put(&self, key: &Key, content: &[u8], expected: Expected) -> Result<Revision, StoreError> {
        let content = self.dressed(key, content)?;
        self.storage.put(key, &content, expected)?;
        Ok(Revision::of(&content))
    }

    /// Writes a folder with files of its own, whole; its secrets as [`Store::put`] does. There must be none yet.
    ///
    /// # Errors
    /// [`Trouble::Changed`] when there is one; else whatever keeps it from being written.
    pub fn put_folder(&self, folder: &NewFolder) -> Result<(), StoreError> {
        self.put_folders(std::slice::from_ref(folder)).pop().unwrap_or(Ok(()))
    }

    /// Writes many folders, each whole or not at all, for the price of a few. Gives what became of each, in order.
    #[must_use]
    pub fn put_folders(&self, folders: &[NewFolder]) -> Vec<Result<(), StoreError>> {
        let dressed: Vec<_> = folders.iter().map(|folder| self.dressed_folder(folder)).collect();
        let ready: Vec<&NewFolder> = dressed.iter().filter_map(|folder| folder.as_deref().ok()).collect();
        let mut put = self.storage.put_folders(&ready).into_iter();
        dressed.into_iter().map(|folder| folder.and_then(|_| put.next().unwrap_or(Ok(())))).collect()
    }

    /// Adds octets to the end of a file, which is made when it is missing. After a kill a part of them may be there. It is
    /// for what is no secret.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be written.
    pub fn append(&self, key: &Key, content: &[u8]) -> Result<(), StoreError> {
        if !key.grows() {
            let why =
                "only a file with .jsonl in its name grows: any other is replaced, so that a backup can hold on to it";
            return Err(StoreError::new(format!("write {key}"), Trouble::Refused(why)));
        }
        self.storage.append(key, content)
    }

    /// Deletes a file, or a folder with all below it, at once. Gives whether there was one.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be deleted.
    pub fn delete(&self, key: &Key) -> Result<bool, StoreError> {
        self.storage.delete(key)
    }

    /// A content as it is to lie at `key`.
    fn dressed<'a>(&self, key: &Key, content: &'a [u8]) -> Result<Cow<'a, [u8]>, StoreError> {
        dressed(key, content, self.key.as_deref()).map_err(|trouble| StoreError::new(format!("write {key}"), trouble))
    }

    fn dressed_folder<'a>(&self, folder: &'a NewFolder) -> Result<Cow<'a, NewFolder>, StoreError> {
        let mut sealed = Cow::Borrowed(folder);
        for (index, (name, content)) in folder.files.iter().enumerate() {
            let refused = || StoreError::new(format!("write {}/{name}", folder.key), Trouble::Refused(NO_NAME));
            let key = folder.key.below(name).ok_or_else(refused)?;
            if let Cow::Owned(content) = self.dressed(&key, content)? {
                sealed.to_mut().files[index].1 = content.into();
            }
        }
        Ok(sealed)
    }
}

/// Seals a secret when there is a key for it, and leaves all else as it is.
fn dressed<'a>(place: &Key, content: &'a [u8], key: Option<&StateKey>) -> Result<Cow<'a, [u8]>, Trouble> {
    if seal::sealed_with(content).is_some() {
        return Err(Trouble::Refused("it is a file that vitrine sealed, and not what was in it"));
    }
    if !place.is_secret() {
        let is_key = content.windows(PRIVATE_KEY.len()).any(|octets| octets == PRIVATE_KEY);
        return if is_key {
            Err(Trouble::Refused("a private key belongs under a name that says so"))
        } else {
            Ok(content.into())
        };
    }
    key.map_or(Ok(content.into()), |key| seal::seal(key, place, content).map(Cow::Owned))
}

/// Opens what is sealed. What was written before there was a key is as it was.
fn opened(place: &Key, content: Zeroizing<Vec<u8>>, key: Option<&StateKey>) -> Result<Zeroizing<Vec<u8>>, Trouble> {
    match (seal::sealed_with(&content), key) {
        (None, _) => Ok(content),
        (Some(sealed), None) => Err(Trouble::NoKey(sealed?)),
        (Some(_), Some(key)) => seal::open(key, place, &content),
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

/// What lies at a key. It may be a secret: it cannot be printed, and is wiped when dropped.
pub struct Item {
    /// The octets.
    pub content: Zeroizing<Vec<u8>>,
    /// By which a change made meanwhile is noticed.
    pub revision: Revision,
}

impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Item").field("octets", &self.content.len()).finish_non_exhaustive()
    }
}

/// Tells one content from another: SHA-256 over what lies there, which for a secret may be what it was sealed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Revision([u8; 32]);

impl Revision {
    /// That of a content.
    #[must_use]
    pub fn of(content: &[u8]) -> Self {
        let mut sum = [0; 32];
        sum.copy_from_slice(digest(&SHA256, content).as_ref());
        Self(sum)
    }
}

/// Lower-case hexadecimal, as in an entity tag.
impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

/// What must lie at a key for it to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Whatever does.
    Anything,
    /// Nothing.
    Nothing,
    /// What was read before.
    Still(Revision),
}

impl Expected {
    /// Whether what lies there may be replaced.
    fn admits(self, found: Option<&[u8]>) -> bool {
        match self {
            Self::Anything => true,
            Self::Nothing => found.is_none(),
            Self::Still(revision) => found.is_some_and(|found| Revision::of(found) == revision),
        }
    }
}

/// A folder to be written whole.
#[derive(Clone)]
pub struct NewFolder {
    /// Where.
    pub key: Key,
    /// The name and the content of each file.
    pub files: Vec<(&'static str, Zeroizing<Vec<u8>>)>,
}

/// Where state lies. Each change is whole or not at all, and lasts when the call returns.
trait Storage: Send + Sync {
    fn read(&self, key: &Key) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError>;
    fn names(&self, folder: &Key) -> Result<Vec<String>, StoreError>;
    fn put(&self, key: &Key, content: &[u8], expected: Expected) -> Result<(), StoreError>;
    fn put_folders(&self, folders: &[&NewFolder]) -> Vec<Result<(), StoreError>>;
    fn append(&self, key: &Key, content: &[u8]) -> Result<(), StoreError>;
    fn delete(&self, key: &Key) -> Result<bool, StoreError>;
}

/// In every form that openssl writes (RFC 7468 §10 and §11, and those before PKCS#8).
const PRIVATE_KEY: &[u8] = b"PRIVATE KEY-----";
const NO_NAME: &str = "that is no name for a file of the state";

#[cfg(test)]
mod tests;
