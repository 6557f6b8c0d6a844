//! A file that was found in a drop folder, with the password that may open it.

use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hashbrown::HashSet;
use zeroize::Zeroizing;

use super::bounded::{bounded_read, bounded_read_beneath};
use super::flaw::Flaw;
use super::password;
use super::walk::{Stamp, unfit};

/// A file that was found, before it is read.
pub(super) struct Found {
    pub(super) path: Arc<Path>,
    pub(super) stamp: Stamp,
    pub(super) mode: u32,
    /// Known without reading it.
    pub(super) flaw: Option<Flaw>,
    /// Apart: hardly a file has one, and there may be many files.
    pub(super) password: Option<Box<PasswordFile>>,
    /// The folder, where nothing may be read from outside of it.
    pub(super) confines: Option<Arc<Path>>,
}

impl Found {
    /// A file without a password.
    pub(super) fn of(path: Arc<Path>, metadata: &Metadata, confines: Option<Arc<Path>>) -> Self {
        let (stamp, mode, flaw) = (Stamp::of(metadata), metadata.mode(), unfit(metadata));
        Self { path, stamp, mode, flaw, password: None, confines }
    }

    /// Reads it, whole.
    pub(super) fn read(&self) -> Result<(Zeroizing<Vec<u8>>, Metadata, bool), Flaw> {
        match &self.confines {
            Some(folder) => bounded_read_beneath(folder, &self.path),
            None => bounded_read(&self.path),
        }
    }

    pub(super) fn password_stamp(&self) -> Option<&Stamp> {
        self.password.as_ref().map(|password| &password.stamp)
    }
}

/// A file that holds the password of the one beside it, or of a whole folder.
#[derive(Clone)]
pub(super) struct PasswordFile {
    pub(super) path: PathBuf,
    pub(super) stamp: Stamp,
}

impl PasswordFile {
    pub(super) fn beside(path: &Path, passwords: &HashSet<OsString>) -> Option<Self> {
        if passwords.is_empty() {
            return None;
        }
        let mut name = path.file_name()?.to_owned();
        name.push(password::EXTENSION);
        let path = passwords.contains(&name).then(|| path.with_file_name(name))?;
        Self::at(path)
    }

    /// The one at `path`, if there is one.
    pub(super) fn at(path: PathBuf) -> Option<Self> {
        let stamp = Stamp::of(&fs::metadata(&path).ok()?);
        Some(Self { path, stamp })
    }
}
