//! A file that was found in a drop folder, with the password that may open it.

use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hashbrown::HashSet;

use super::bounded::{Room, bounded_read, bounded_read_beneath};
use super::flaw::Flaw;
use super::password;
use super::walk::{Stamp, unfit};

/// A file that was found, before it is read.
pub(super) struct Found {
    pub(super) path: Arc<Path>,
    /// `None`: nobody has looked, and whoever reads it will.
    pub(super) stamp: Option<Stamp>,
    mode: Option<u32>,
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
        let (stamp, mode) = (Some(Stamp::of(metadata)), Some(metadata.mode()));
        Self { path, stamp, mode, flaw: unfit(metadata), password: None, confines }
    }

    /// A regular file without a password, of which its folder told that much.
    pub(super) const fn regular(path: Arc<Path>, confines: Option<Arc<Path>>) -> Self {
        Self { path, stamp: None, mode: None, flaw: None, password: None, confines }
    }

    /// Reads it, whole.
    pub(super) fn read<'r>(&self, room: &'r mut Room) -> Result<(&'r [u8], Metadata, bool), Flaw> {
        match &self.confines {
            Some(folder) => bounded_read_beneath(folder, &self.path, room),
            None => bounded_read(&self.path, room),
        }
    }

    /// Who may read it; `None` if it cannot be looked at.
    pub(super) fn mode(&self) -> Option<u32> {
        self.mode.or_else(|| fs::metadata(&self.path).ok().map(|metadata| metadata.mode()))
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
