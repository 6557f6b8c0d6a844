//! A place inside the state folder where things come into being, and go, before and after they have their name.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, lchown};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::OFlags;

/// The folder `.staging`. What a kill left there is nothing that anybody was told of.
pub(super) struct Staging {
    folder: PathBuf,
    next: AtomicU64,
    owner: Owner,
}

impl Staging {
    /// Makes it, empty.
    pub(super) fn open(root: &Path) -> io::Result<Self> {
        let folder = root.join(".staging");
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let owner = Owner::of(root)?;
        make_folder(&folder, owner)?;
        Ok(Self { folder, next: AtomicU64::new(0), owner })
    }

    /// Whom everything new belongs to.
    pub(super) fn owner(&self) -> Owner {
        self.owner
    }

    /// A name that nothing has yet.
    pub(super) fn name(&self) -> Staged {
        Staged(self.folder.join(self.next.fetch_add(1, Ordering::Relaxed).to_string()))
    }
}

/// Something in the staging folder, or nothing yet. It goes when dropped, unless it was moved to its own name.
pub(super) struct Staged(PathBuf);

impl Staged {
    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // Nearly always it is gone already, moved to where it belongs.
        if let Ok(found) = fs::symlink_metadata(&self.0) {
            let _ = if found.is_dir() { fs::remove_dir_all(&self.0) } else { fs::remove_file(&self.0) };
        }
    }
}

/// Whom the files of a state folder belong to.
#[derive(Clone, Copy)]
pub(super) struct Owner(Option<(u32, u32)>);

impl Owner {
    /// What root makes in the folder of somebody else is to be that one's: the edge must be able to read it.
    pub(super) fn of(root: &Path) -> io::Result<Self> {
        let folder = fs::metadata(root)?;
        let is_given = rustix::process::geteuid().is_root() && folder.uid() != 0;
        Ok(Self(is_given.then(|| (folder.uid(), folder.gid()))))
    }

    pub(super) fn give(self, path: &Path) -> io::Result<()> {
        match self.0 {
            Some((user, group)) => lchown(path, Some(user), Some(group)),
            None => Ok(()),
        }
    }
}

/// Writes a new file that nobody else can read. `lasting`: it is on the disk when this returns.
pub(super) fn write_new(path: &Path, content: &[u8], lasting: bool, owner: Owner) -> io::Result<()> {
    let flags = OFlags::NOFOLLOW.bits();
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).custom_flags(flags.cast_signed()).open(path)?;
    owner.give(path)?;
    file.write_all(content)?;
    if lasting { file.sync_all() } else { Ok(()) }
}

/// Makes a folder that nobody else can enter; one that is there stays as it is.
pub(super) fn make_folder(path: &Path, owner: Owner) -> io::Result<()> {
    match DirBuilder::new().mode(FOLDER_MODE).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made.and_then(|()| owner.give(path)),
    }
}

/// Names in a folder last once the folder itself is on the disk.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

pub(super) const FILE_MODE: u32 = 0o600;
pub(super) const FOLDER_MODE: u32 = 0o700;
