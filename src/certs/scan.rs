//! Looks at the drop folder: which files are there, and what is in those that changed.
//!
//! Nothing in the folder is trusted. A file may be a pipe that never ends, a device, a link to another tenant's key, or be
//! replaced between two looks; a folder may be a link to its own parent.

mod named;

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hashbrown::{HashMap, HashSet};

use super::bounded::Room;
use super::certificate::sha256;
use super::flaw::Flaw;
use super::folders::Folders;
use super::found::Found;
use super::ground::Ground;
use super::known::Known;
use super::parts::Parts;
use super::password::Password;
use super::walk::{Stamp, Walk};

/// Reads folders again and again, each file only when it changed.
pub(super) struct Scanner {
    folders: Folders,
    files: Arc<Files>,
    known: Known,
    /// Those to be read at the next look, whatever `stat` says.
    restless: HashSet<Arc<Path>>,
    /// What the last walk through each folder went over; `None` where there was none.
    grounds: Vec<Option<Ground>>,
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
    /// Whether all of every folder was looked at.
    pub(super) is_of_all: bool,
    /// Whether anything is other than at the last look.
    pub(super) changed: bool,
    /// The files that have another record than at the last look, or none any more.
    pub(super) touched: Vec<Touched>,
    /// Where links lead through outside the folders; `None` when one of them could not be read.
    pub(super) places: Option<BTreeSet<PathBuf>>,
}

/// A file that has another record than before.
#[derive(Clone)]
pub(super) struct Touched {
    pub(super) path: Arc<Path>,
    /// What it was.
    pub(super) before: Option<Arc<Record>>,
}

/// The state of a drop folder itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Root {
    /// Readable; its device and inode.
    Readable(u64, u64),
    Missing,
    Unreadable(String),
}

/// What became of single files of a folder; all others are as they were.
struct Alone {
    root: Root,
    unread: Vec<Found>,
    gone: Vec<Arc<Path>>,
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
    /// Apart: hardly a file is.
    Flawed(Box<Flaw>),
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
        let folders = folders.into();
        let grounds = folders.all().iter().map(|_| None).collect();
        Self { folders, files: Arc::default(), known: Known::default(), restless: HashSet::new(), grounds }
    }

    /// What the last look found.
    pub(super) fn files(&self) -> &Files {
        &self.files
    }

    /// Looks at all of every folder.
    pub(super) fn scan(&mut self) -> Scan {
        let scan = Scan { is_of_all: true, ..self.look(|_, _| None) };
        self.known.forget_unused();
        scan
    }

    /// Looks at the folders: walks through those of which `alone` does not tell what became of single files.
    fn look(&mut self, mut alone: impl FnMut(&Self, usize) -> Option<Alone>) -> Scan {
        let mut roots = Vec::with_capacity(self.grounds.len());
        let (mut found, mut unread, mut gone, mut lost) = (HashSet::new(), Vec::new(), Vec::new(), Vec::new());
        let (mut walked, mut places) = (vec![false; self.grounds.len()], Some(BTreeSet::new()));
        for (place, folder) in self.folders.all().iter().enumerate() {
            if let Some(alone) = alone(self, place) {
                roots.push(alone.root);
                unread.extend(alone.unread);
                gone.extend(alone.gone);
                continue;
            }
            self.grounds[place] = None;
            let mut walk = Walk::of(&self.folders, place, &self.files);
            match walk.root(&folder.directory) {
                Ok(root) => {
                    walked[place] = true;
                    found.extend(walk.found.iter().map(|found| Arc::clone(&found.path)));
                    let is_as_before =
                        |found: &Found| self.files.get(&found.path).is_some_and(|record| record.is_as_in(found));
                    walk.found.retain(|found| !is_as_before(found));
                    // Of the first folder nothing is copied, and mostly there is no other.
                    if unread.is_empty() {
                        unread = std::mem::take(&mut walk.found);
                    } else {
                        unread.append(&mut walk.found);
                    }
                    self.grounds[place] = Ground::of(&folder.directory, &root, &mut walk);
                    lost.append(&mut walk.lost);
                    let outside = walk.trails.outside(&folder.directory);
                    places.iter_mut().for_each(|places| places.extend(outside.iter().cloned()));
                    roots.push(root);
                }
                Err(root) => {
                    roots.push(root);
                    places = None;
                }
            }
        }
        // What was below something that could not be followed stays as it was, as does all of a folder that could not be read.
        let is_lost = |file: &Path| lost.iter().any(|(lost, _): &(PathBuf, Flaw)| file.starts_with(lost));
        let is_gone = |file: &&Arc<Path>| !found.contains(*file) && walked[self.folders.place(file)] && !is_lost(file);
        if walked.contains(&true) {
            gone.extend(self.files.keys().filter(is_gone).cloned());
        }
        let (touched, changed) = self.take_over(&unread, gone);
        let troubles = lost.into_iter().map(|(path, flaw)| (Arc::from(path), flaw)).collect();
        Scan { roots, files: Arc::clone(&self.files), troubles, is_of_all: false, changed, touched, places }
    }

    /// Reads these, and lets go of those. Gives what was touched, and whether anything is other than before.
    fn take_over(&mut self, unread: &[Found], gone: Vec<Arc<Path>>) -> (Vec<Touched>, bool) {
        let records = self.read_all(unread);
        let mut touched = Vec::with_capacity(records.len() + gone.len());
        let mut changed = !gone.is_empty();
        // Nobody else holds them between two looks, so that nothing is copied.
        let files = Arc::make_mut(&mut self.files);
        // As much as is new at the first look; a table that grows is copied each time.
        files.reserve(if files.is_empty() { records.len() } else { 0 });
        for (found, record) in unread.iter().zip(records) {
            let path = Arc::clone(&found.path);
            match record.stamp {
                None => drop(self.restless.insert(Arc::clone(&path))),
                Some(_) => drop(self.restless.remove(&path)),
            }
            let record = Arc::new(record);
            let before = files.insert(Arc::clone(&path), Arc::clone(&record));
            changed |= !before.as_ref().is_some_and(|before| before.says_the_same(&record));
            touched.push(Touched { path, before });
        }
        for path in gone {
            self.restless.remove(&path);
            let before = files.remove(&path);
            touched.push(Touched { path, before });
        }
        (touched, changed)
    }

    /// Reads files on all processors, some ten thousand a second each. Where the first ones were waited for, on more threads than
    /// there are processors: a disk is quickest when it is asked for much at once.
    fn read_all(&self, files: &[Found]) -> Vec<Record> {
        let read = |found: &Found, room: &mut Room| {
            let old = self.files.get(&found.path).map(Arc::as_ref);
            // One file that a parser fails on must not keep all others out.
            catch_unwind(AssertUnwindSafe(|| Record::read(found, old, &self.known, room)))
                .unwrap_or_else(|_| Record::unread(found, unexpected()))
        };
        let (began, mut room) = (Instant::now(), Room::default());
        let (first, rest) = files.split_at(files.len().min(FILES_PER_THREAD));
        let mut records = Vec::with_capacity(files.len());
        records.extend(first.iter().map(|found| read(found, &mut room)));
        let is_waited_for = began.elapsed() > FROM_MEMORY * FILES_PER_THREAD as u32;
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = processors * if is_waited_for { THREADS_PER_PROCESSOR } else { 1 };
        let threads = threads.min(rest.len() / FILES_PER_THREAD);
        if threads < 2 {
            records.extend(rest.iter().map(|found| read(found, &mut room)));
            return records;
        }
        let next = AtomicUsize::new(0);
        let work = || {
            let (mut records, mut room) = (Vec::new(), Room::default());
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let Some(found) = rest.get(at) else { return records };
                records.push((at, read(found, &mut room)));
            }
        };
        let mut numbered: Vec<(usize, Record)> = std::thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
            let mut numbered = work();
            for other in others {
                match other.join() {
                    Ok(more) => numbered.extend(more),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            numbered
        });
        numbered.sort_unstable_by_key(|(at, _)| *at);
        records.extend(numbered.into_iter().map(|(_, record)| record));
        records
    }
}

impl Root {
    pub(super) const fn is_readable(&self) -> bool {
        matches!(self, Self::Readable(..))
    }
}

impl Record {
    fn read(found: &Found, old: Option<&Self>, known: &Known, room: &mut Room) -> Self {
        if let Some(flaw) = &found.flaw {
            return Self { stamp: found.stamp, ..Self::unread(found, flaw.clone()) };
        }
        let (content, before, stable) = match found.read(room) {
            Ok(read) => read,
            Err(flaw) => return Self::unread(found, flaw),
        };
        let digest = sha256(content);
        let content = match old {
            // The password decides too, and is not kept to be compared.
            Some(old) if old.digest == Some(digest) && old.password.is_none() && found.password.is_none() => {
                old.content.clone()
            }
            _ => {
                let password = found.password.as_ref().map_or(Password::Absent, |file| Password::read(&file.path));
                match Parts::read(content, &password, known) {
                    Ok(parts) => Content::Parts(Arc::new(parts)),
                    Err(flaw) => Content::Flawed(Box::new(flaw)),
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
            content: Content::Flawed(Box::new(flaw)),
            readable_by: found.mode().map_or(Readers::Owner, Readers::of),
        }
    }

    /// What is in it, if it can be read.
    pub(super) fn parts(&self) -> Option<&Parts> {
        if let Content::Parts(parts) = &self.content { Some(parts) } else { None }
    }

    /// Why it cannot be read.
    pub(super) fn flaw(&self) -> Option<&Flaw> {
        if let Content::Flawed(flaw) = &self.content { Some(flaw) } else { None }
    }

    /// Tells contents apart.
    #[cfg(test)]
    pub(super) fn mark(&self) -> String {
        format!("{:?}", self.digest)
    }

    fn is_as_in(&self, found: &Found) -> bool {
        self.stamp.is_some() && self.stamp == found.stamp && self.password.as_deref() == found.password_stamp()
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

fn unexpected() -> Flaw {
    Flaw::new(
        "unexpected",
        "reading it failed in a way that was not foreseen; that is a mistake in vitrine",
        "report it, without the file if it holds a key",
    )
}

/// Fewer are read before threads have started.
const FILES_PER_THREAD: usize = 32;
/// What a file takes at most that nobody waits for.
const FROM_MEMORY: Duration = Duration::from_micros(200);
const THREADS_PER_PROCESSOR: usize = 4;

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
        let record = Record::read(&walk.found[0], None, &Known::default(), &mut Room::default());
        assert!(matches!(record.content, Content::Flawed(flaw) if flaw.code == "unreadable"));
    }
}
