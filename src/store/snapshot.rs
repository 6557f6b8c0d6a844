//! A picture of the state folder as it is at one moment, while the edge goes on changing it.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::staging::{FILE_MODE, Owner, make_folder};
use super::turn::{Standstill, lock_file, take_lock};
use super::{Key, StoreError, Trouble, tree};

/// The picture: hard links, since a file that has its name is replaced and never changed; the one kind that grows is copied.
/// Where there is no room for links, as on a full disk, it is the folder itself, and changes wait as long as it lives.
pub(super) struct Snapshot {
    root: PathBuf,
    files: Vec<Key>,
    links: Option<Links>,
    _standstill: Option<Standstill>,
    /// One at a time.
    _lock: Held,
}

/// The lock, given back by name: closing the file leaves it taken for as long as a process that is being started has a copy of it.
struct Held(File);

impl Drop for Held {
    fn drop(&mut self) {
        let _ = flock(&self.0, FlockOperation::Unlock);
    }
}

impl Snapshot {
    /// Takes it. All changes wait meanwhile: some ten microseconds for each file, more on a busy disk.
    pub(super) fn take(root: &Path) -> Result<Self, StoreError> {
        let failed = |error| StoreError::new(format!("take a picture of {}", root.display()), Trouble::of(error));
        let lock = lock_file(root, LOCK).map_err(failed)?;
        if !take_lock(&lock).map_err(failed)? {
            return Err(failed(io::Error::other(ANOTHER)));
        }
        let lock = Held(lock);
        let links = Links(root.join(FOLDER));
        clear(&links.0).map_err(failed)?;
        let standstill = Standstill::begin(root).map_err(failed)?;
        let files = tree::files(root).map_err(failed)?;
        let (links, standstill) = match links.make(root, &files).map_err(Trouble::of) {
            Ok(()) => (Some(links), None),
            Err(Trouble::Full) => (None, Some(standstill)),
            Err(trouble) => return Err(StoreError::new(format!("take a picture of {}", root.display()), trouble)),
        };
        Ok(Self { root: root.to_owned(), files, links, _standstill: standstill, _lock: lock })
    }

    /// Every file of it, and where it lies.
    pub(super) fn files(&self) -> impl Iterator<Item = (&Key, PathBuf)> {
        let place = |(number, key): (usize, &Key)| match &self.links {
            Some(links) => links.place(number),
            None => key.under(&self.root),
        };
        self.files.iter().enumerate().map(move |file| (file.1, place(file)))
    }
}

/// The folder of the links. It goes when dropped, or with the next one, or when an edge starts.
struct Links(PathBuf);

impl Links {
    fn make(&self, root: &Path, files: &[Key]) -> io::Result<()> {
        let owner = Owner::of(root)?;
        make_folder(&self.0, owner)?;
        // By number in one folder: making folders for them took most of the time.
        files.iter().enumerate().try_for_each(|(number, key)| link(root, key, &self.place(number), owner))
    }

    fn place(&self, number: usize) -> PathBuf {
        self.0.join(number.to_string())
    }
}

impl Drop for Links {
    fn drop(&mut self) {
        let _ = clear(&self.0);
    }
}

/// Removes what one that was killed left behind: its links keep content that was deleted since.
pub(super) fn sweep(root: &Path) -> io::Result<()> {
    let folder = root.join(FOLDER);
    let lock = lock_file(root, LOCK)?;
    match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {
            let _lock = Held(lock);
            clear(&folder)
        }
        // Somebody is at it.
        Err(_) => Ok(()),
    }
}

fn clear(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn link(root: &Path, key: &Key, to: &Path, owner: Owner) -> io::Result<()> {
    let from = key.under(root);
    let linked = if key.grows() { Err(ErrorKind::Unsupported.into()) } else { fs::hard_link(&from, to) };
    linked.or_else(|_| copy(&from, to, owner))
}

/// For a file that grows, and where the file system has no hard links.
fn copy(from: &Path, to: &Path, owner: Owner) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut copy = fs::OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(to)?;
    owner.give(to)?;
    io::copy(&mut File::open(from)?, &mut copy).map(drop)
}

const FOLDER: &str = ".backup";
/// There from the first start on: a full disk has no room for it.
const LOCK: &str = ".backup.lock";
const ANOTHER: &str = "another backup is under way; let it end";
