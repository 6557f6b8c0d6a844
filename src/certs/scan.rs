//! Looks at the drop folder: which files are there, and what is in those that changed.
//!
//! Nothing in the folder is trusted. A file may be a pipe that never ends, a device, a link to another tenant's key, or be
//! replaced between two looks; a folder may be a link to its own parent.

use std::collections::BTreeSet;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hashbrown::HashMap;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use zeroize::Zeroizing;

use super::certificate::{Known, sha256};
use super::flaw::Flaw;
use super::folders::{Folders, leads_outside};
use super::found::Found;
use super::parts::Parts;
use super::password::Password;
use super::walk::{Stamp, Walk, plain, unfit};
use super::well_known::beneath;

/// Reads folders again and again, each file only when it changed.
pub(super) struct Scanner {
    folders: Folders,
    files: Arc<Files>,
    known: Known,
}

/// All files of the folders that could be certificates or keys.
pub(super) type Files = HashMap<Arc<Path>, Arc<Record>>;

/// What one look found.
pub(super) struct Scan {
    /// The folders, in their order.
    pub(super) roots: Vec<Root>,
    /// Of a folder that could not be read: those of the last look.
    pub(super) files: Arc<Files>,
    /// Folders and links that could not be followed. What was below them stays as it was.
    pub(super) troubles: Vec<(Arc<Path>, Flaw)>,
    /// Whether anything is other than at the last look.
    pub(super) changed: bool,
    /// Where links lead through outside the folders; `None` when one of them could not be read.
    pub(super) places: Option<BTreeSet<PathBuf>>,
}

/// The state of a drop folder itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Root {
    /// Readable; its device and inode.
    Readable(u64, u64),
    Missing,
    Unreadable(String),
}

/// A file at one look.
pub(super) struct Record {
    /// `None`: look again next time, whatever `stat` says.
    stamp: Option<Stamp>,
    /// That of the password it was read with.
    password: Option<Box<Stamp>>,
    digest: Option<[u8; 32]>,
    pub(super) content: Content,
    pub(super) readable_by: Readers,
}

/// What a file turned out to be.
#[derive(Clone)]
pub(super) enum Content {
    Parts(Arc<Parts>),
    Flawed(Flaw),
}

/// Who besides the owner may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Readers {
    Owner,
    Group,
    Everybody,
}

impl Scanner {
    /// A scanner that knows nothing yet.
    pub(super) fn new(folders: impl Into<Folders>) -> Self {
        Self { folders: folders.into(), files: Arc::default(), known: Known::default() }
    }

    /// Looks at all of every folder.
    pub(super) fn scan(&mut self) -> Scan {
        let (mut roots, mut found, mut lost, mut places) = (Vec::new(), Vec::new(), Vec::new(), Some(BTreeSet::new()));
        for (place, folder) in self.folders.all().iter().enumerate() {
            let mut walk = Walk::of(&self.folders, place);
            match walk.root(&folder.directory) {
                Ok(root) => {
                    roots.push(root);
                    found.append(&mut walk.found);
                    lost.append(&mut walk.lost);
                    let outside = walk.trails.outside(&folder.directory);
                    places.iter_mut().for_each(|places| places.extend(outside.iter().cloned()));
                }
                Err(root) => {
                    roots.push(root);
                    places = None;
                }
            }
        }
        if !roots.iter().any(Root::is_readable) {
            let files = Arc::clone(&self.files);
            return Scan { roots, files, troubles: Vec::new(), changed: false, places };
        }
        let mut files = Files::with_capacity(found.len());
        let mut unread = Vec::new();
        if !roots.iter().all(Root::is_readable) {
            let is_there = |file: &Path| roots.get(self.folders.place(file)).is_none_or(Root::is_readable);
            let kept = self.files.iter().filter(|(file, _)| !is_there(file));
            files.extend(kept.map(|(file, record)| (Arc::clone(file), Arc::clone(record))));
        }
        for found in found {
            match self.files.get(&found.path) {
                Some(record) if record.is_as_in(&found) => {
                    files.insert(found.path, Arc::clone(record));
                }
                _ => unread.push(found),
            }
        }
        let mut changed = false;
        for (found, record) in unread.iter().zip(self.read_all(&unread)) {
            let same = self.files.get(&found.path).is_some_and(|old| old.says_the_same(&record));
            changed |= !same;
            files.insert(Arc::clone(&found.path), Arc::new(record));
        }
        let troubles = lost.into_iter().map(|(path, flaw)| {
            for (old, record) in self.files.iter().filter(|(old, _)| old.starts_with(&path)) {
                files.entry(Arc::clone(old)).or_insert_with(|| Arc::clone(record));
            }
            (Arc::from(path), flaw)
        });
        let troubles = troubles.collect();
        changed |= files.len() != self.files.len() || self.files.keys().any(|path| !files.contains_key(path));
        if changed {
            self.known.forget_unused();
        }
        self.files = Arc::new(files);
        Scan { roots, files: Arc::clone(&self.files), troubles, changed, places }
    }

    /// Reads files on all processors: a certificate costs little, ten thousand keys a second.
    fn read_all(&self, files: &[Found]) -> Vec<Record> {
        let read = |found: &Found| {
            let old = self.files.get(&found.path).map(Arc::as_ref);
            // One file that a parser fails on must not keep all others out.
            catch_unwind(AssertUnwindSafe(|| Record::read(found, old, &self.known)))
                .unwrap_or_else(|_| Record::unread(found, unexpected()))
        };
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(files.len() / FILES_PER_THREAD);
        if threads < 2 {
            return files.iter().map(read).collect();
        }
        let next = AtomicUsize::new(0);
        let work = || {
            let mut records = Vec::new();
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(found) = files.get(at) else { return records };
                records.push((at, read(found)));
            }
        };
        let mut records: Vec<(usize, Record)> = std::thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
            let mut records = work();
            for other in others {
                match other.join() {
                    Ok(more) => records.extend(more),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            records
        });
        records.sort_unstable_by_key(|(at, _)| *at);
        records.into_iter().map(|(_, record)| record).collect()
    }
}

impl Root {
    pub(super) const fn is_readable(&self) -> bool {
        matches!(self, Self::Readable(..))
    }
}

impl Record {
    fn read(found: &Found, old: Option<&Self>, known: &Known) -> Self {
        if let Some(flaw) = &found.flaw {
            return Self { stamp: Some(found.stamp), ..Self::unread(found, flaw.clone()) };
        }
        let (content, before, stable) = match found.read() {
            Ok(read) => read,
            Err(flaw) => return Self::unread(found, flaw),
        };
        let digest = sha256(&content);
        let content = match old {
            // The password decides too, and is not kept to be compared.
            Some(old) if old.digest == Some(digest) && old.password.is_none() && found.password.is_none() => {
                old.content.clone()
            }
            _ => {
                let password = found.password.as_ref().map_or(Password::Absent, |file| Password::read(&file.path));
                match Parts::read(&content, &password, known) {
                    Ok(parts) => Content::Parts(Arc::new(parts)),
                    Err(flaw) => Content::Flawed(flaw),
                }
            }
        };
        let (stamp, password) = (Stamp::of(&before), found.password_stamp());
        let is_fresh = stamp.is_fresh() || password.is_some_and(Stamp::is_fresh);
        let stamp = (stable && !is_fresh).then_some(stamp);
        let password = password.copied().map(Box::new);
        Self { stamp, password, digest: Some(digest), content, readable_by: Readers::of(before.mode()) }
    }

    fn unread(found: &Found, flaw: Flaw) -> Self {
        Self {
            stamp: None,
            password: None,
            digest: None,
            content: Content::Flawed(flaw),
            readable_by: Readers::of(found.mode),
        }
    }

    /// Why it cannot be read.
    pub(super) fn flaw(&self) -> Option<&Flaw> {
        match &self.content {
            Content::Parts(_) => None,
            Content::Flawed(flaw) => Some(flaw),
        }
    }

    fn is_as_in(&self, found: &Found) -> bool {
        self.stamp == Some(found.stamp) && self.password.as_deref() == found.password_stamp()
    }

    fn says_the_same(&self, other: &Self) -> bool {
        let same_content = match (&self.content, &other.content) {
            (Content::Flawed(one), Content::Flawed(other)) => one == other,
            (Content::Parts(_), Content::Parts(_)) => true,
            _ => false,
        };
        self.digest == other.digest && same_content && self.readable_by == other.readable_by
    }
}

impl Readers {
    const fn of(mode: u32) -> Self {
        match mode {
            mode if mode & 0o004 != 0 => Self::Everybody,
            mode if mode & 0o040 != 0 => Self::Group,
            _ => Self::Owner,
        }
    }
}

/// A whole file of at most 1 MiB, its metadata, and whether it stayed the same meanwhile.
pub(super) fn bounded_read(path: &Path) -> Result<(Zeroizing<Vec<u8>>, Metadata, bool), Flaw> {
    whole(rustix::fs::open(path, HOW | OFlags::CLOEXEC, Mode::empty()).map(File::from))
}

/// The same of a file that must not lie outside of a folder, wherever links lead.
pub(super) fn bounded_read_beneath(folder: &Path, path: &Path) -> Result<(Zeroizing<Vec<u8>>, Metadata, bool), Flaw> {
    let through = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let below = path.strip_prefix(folder).unwrap_or(path);
    match rustix::fs::open(folder, through, Mode::empty()).and_then(|folder| beneath(folder.as_fd(), below, HOW)) {
        Err(Errno::XDEV) => Err(leads_outside()),
        opened => whole(opened),
    }
}

fn whole(opened: Result<File, Errno>) -> Result<(Zeroizing<Vec<u8>>, Metadata, bool), Flaw> {
    let failed = |error: io::Error| unreadable(&error);
    let mut file = opened.map_err(|error| failed(error.into()))?;
    let before = file.metadata().map_err(failed)?;
    if let Some(flaw) = unfit(&before) {
        return Err(flaw);
    }
    // With room for all of it at once: a vector that grows leaves copies of a key behind.
    let mut content = Zeroizing::new(Vec::with_capacity(usize::try_from(before.len()).unwrap_or(0) + 1));
    file.by_ref().take(before.len() + 1).read_to_end(&mut content).map_err(failed)?;
    let after = file.metadata().map_err(failed)?;
    let stable = Stamp::of(&before) == Stamp::of(&after) && content.len() as u64 == before.len();
    Ok((content, before, stable))
}

fn unreadable(error: &io::Error) -> Flaw {
    Flaw::new(
        "unreadable",
        format!("it cannot be read: {}", plain(error)),
        "let the user that runs vitrine read it (chown, chmod 0600)",
    )
}

fn unexpected() -> Flaw {
    Flaw::new(
        "unexpected",
        "reading it failed in a way that was not foreseen; that is a mistake in vitrine",
        "report it, without the file if it holds a key",
    )
}

/// What was a file at `stat` may be a pipe by now: never wait in open.
const HOW: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY);
/// Fewer are read before threads have started.
const FILES_PER_THREAD: usize = 32;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_link_whose_file_goes_before_it_is_read_is_unreadable_and_not_deleted() {
        let home = tempfile::tempdir().expect("a folder");
        let (root, file) = (home.path().join("certs"), home.path().join("a.pem"));
        std::fs::create_dir(&root).expect("created");
        std::fs::write(&file, "").expect("written");
        symlink("../a.pem", root.join("a.pem")).expect("linked");
        let mut walk = Walk::default();
        walk.root(&root).expect("readable");
        std::fs::remove_file(&file).expect("removed");
        let record = Record::read(&walk.found[0], None, &Known::default());
        assert!(matches!(record.content, Content::Flawed(flaw) if flaw.code == "unreadable"));
    }
}
