//! The state folder: what the edge must know again after a restart. The only place that writes state.
//!
//! [`Store`] is what the rest of the house uses; below it lies a [`Storage`], the narrow trait behind which a shared engine
//! can stand beside the folder later. Everything is written whole or not at all, and is on the disk when a call returns: a kill
//! at any moment leaves the old or the new state. All calls block; nothing of it is on the way of a request.

pub mod audit;
mod error;
mod folder;
mod key;
#[cfg(test)]
mod memory;
mod schema;
mod staging;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use zeroize::Zeroizing;

pub use error::{StoreError, Trouble};
use folder::Folder;
pub use key::Key;

/// The state, to read and to change. Clones are the same state.
#[derive(Clone)]
pub struct Store(Arc<dyn Storage>);

impl Store {
    /// Opens the state folder, which is made when it is missing, and keeps every other process out of it.
    ///
    /// # Errors
    /// [`StoreError`] when the folder cannot be made or written, is in use, or was written by a later version.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let store = Self(Arc::new(Folder::open(folder)?));
        schema::check(&store)?;
        Ok(store)
    }

    /// A state that is gone with the last clone.
    #[cfg(test)]
    pub(crate) fn in_memory() -> Self {
        Self(Arc::new(memory::Memory::default()))
    }

    /// What lies at `key`; `None` when nothing does.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub fn read(&self, key: &Key) -> Result<Option<Item>, StoreError> {
        let content = self.0.read(key)?;
        Ok(content.map(|content| Item { revision: Revision::of(&content), content }))
    }

    /// The names right below a folder, in order. An empty folder and none at all are the same.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub fn names(&self, folder: &Key) -> Result<Vec<String>, StoreError> {
        self.0.names(folder)
    }

    /// Writes what everybody who may enter the state folder may know.
    ///
    /// # Errors
    /// [`Trouble::Changed`] when what lies there is not what was expected; else whatever keeps it from being written.
    pub fn put(&self, key: &Key, content: &[u8], expected: Expected) -> Result<Revision, StoreError> {
        self.0.put(key, content, expected)?;
        Ok(Revision::of(content))
    }

    /// Writes a folder with files of its own, whole. There must be none yet.
    ///
    /// # Errors
    /// [`Trouble::Changed`] when there is one; else whatever keeps it from being written.
    pub fn put_folder(&self, folder: &NewFolder) -> Result<(), StoreError> {
        self.0.put_folders(std::slice::from_ref(folder)).pop().unwrap_or(Ok(()))
    }

    /// Writes many folders, each whole or not at all, for the price of a few. Gives what became of each, in order.
    #[must_use]
    pub fn put_folders(&self, folders: &[NewFolder]) -> Vec<Result<(), StoreError>> {
        self.0.put_folders(folders)
    }

    /// Adds octets to the end of a file, which is made when it is missing. After a kill a part of them may be there.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be written.
    pub fn append(&self, key: &Key, content: &[u8]) -> Result<(), StoreError> {
        self.0.append(key, content)
    }

    /// Deletes a file, or a folder with all below it, at once. Gives whether there was one.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be deleted.
    pub fn delete(&self, key: &Key) -> Result<bool, StoreError> {
        self.0.delete(key)
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

/// Tells one content from another: SHA-256 over it.
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
    fn put_folders(&self, folders: &[NewFolder]) -> Vec<Result<(), StoreError>>;
    fn append(&self, key: &Key, content: &[u8]) -> Result<(), StoreError>;
    fn delete(&self, key: &Key) -> Result<bool, StoreError>;
}

#[cfg(test)]
mod tests;
