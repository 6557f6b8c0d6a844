//! Tells that something in a folder may have changed; certificates and configuration both listen to it.
//!
//! Events are hints and never facts: they only set a flag. Who listens reads the folder again, so an event too many costs one
//! look and an event too few costs one poll. inotify does not cross network file systems, loses its watch when the folder is
//! replaced, and drops events when its queue is full; the poll, the look at the folder's identity, and the treatment of every
//! error as a change cover these three.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{Config, ErrorKind, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// Watches folders (with all below them) and single files, which all may be missing, vanish, come back, or be links that
/// are swapped.
pub struct FolderWatch {
    paths: Vec<PathBuf>,
    signal: Arc<Signal>,
    watcher: Option<RecommendedWatcher>,
    armed: Vec<Identity>,
    pending: Option<Pending>,
    next_poll: Instant,
    degraded: bool,
}

/// Why [`FolderWatch::changed`] returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// Nothing was reported; the time to look anyway has come.
    Poll,
    /// The system reported a change.
    Event,
    /// The system lost track: anything may have changed.
    Overflow,
}

impl Why {
    /// A word for logs and metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Poll => "poll",
            Self::Event => "event",
            Self::Overflow => "overflow",
        }
    }
}

impl FolderWatch {
    /// Starts to watch. What cannot be watched is polled; nothing here fails.
    #[must_use]
    pub fn new(paths: Vec<PathBuf>) -> Self {
        let mut watch = Self {
            paths,
            signal: Arc::default(),
            watcher: None,
            armed: Vec::new(),
            pending: None,
            next_poll: Instant::now(),
            degraded: false,
        };
        let arming = Arming::arm(&watch.paths, &watch.signal);
        watch.adopt(arming);
        watch.next_poll = Instant::now() + watch.poll_interval();
        watch
    }

    /// Waits for a change that has come to rest, or for the next poll. Losing the future loses no change.
    pub async fn changed(&mut self) -> Why {
        loop {
            self.collect();
            let now = Instant::now();
            let due = self.pending.as_ref().map(Pending::due);
            if due.is_some_and(|due| now >= due) || now >= self.next_poll {
                self.follow_moved_folders().await;
                self.next_poll = Instant::now() + self.poll_interval();
                return self.pending.take().map_or(Why::Poll, |pending| pending.why);
            }
            let until = due.map_or(self.next_poll, |due| due.min(self.next_poll));
            tokio::select! {
                () = self.signal.wake.notified() => {}
                () = sleep_until(until) => {}
            }
        }
    }

    /// Whether the system refused to watch, so that changes are only found by polling.
    #[must_use]
    pub fn is_degraded(&self) -> bool {
        self.degraded
    }

    /// Takes over what the handler has flagged since the last look.
    fn collect(&mut self) {
        let flags = self.signal.flags.swap(0, Ordering::AcqRel);
        if flags & LIMIT != 0 {
            self.degrade("the limit of inotify watches is reached (fs.inotify.max_user_watches)");
        }
        if flags & (EVENT | LOST) == 0 {
            return;
        }
        let why = if flags & LOST != 0 { Why::Overflow } else { Why::Event };
        let now = Instant::now();
        let pending = self.pending.get_or_insert(Pending { first: now, last: now, why });
        pending.last = now;
        pending.why = pending.why.max(why);
    }

    /// A removed and re-created folder is another inode, and the watch died with the old one, without a word.
    async fn follow_moved_folders(&mut self) {
        let (paths, armed, signal) = (self.paths.clone(), self.armed.clone(), Arc::clone(&self.signal));
        let retry = self.watcher.is_none();
        let arming = tokio::task::spawn_blocking(move || {
            (retry || identities(&paths) != armed).then(|| Arming::arm(&paths, &signal))
        });
        if let Ok(Some(arming)) = arming.await {
            self.adopt(arming);
        }
    }

    fn adopt(&mut self, arming: Arming) {
        self.armed = arming.identities;
        self.watcher = arming.watcher;
        match arming.refused {
            Some(reason) => self.degrade(&reason),
            None => self.degraded = false,
        }
    }

    fn degrade(&mut self, reason: &str) {
        if !self.degraded {
            tracing::warn!(
                reason,
                seconds = SHORT_POLL.as_secs(),
                "cannot watch {:?} for changes, looks at regular intervals instead",
                self.paths
            );
        }
        self.degraded = true;
    }

    fn poll_interval(&self) -> Duration {
        let missing = self.armed.iter().any(|identity| identity.target.is_none());
        if self.degraded || missing { SHORT_POLL } else { POLL }
    }
}

/// A change that has not come to rest.
struct Pending {
    first: Instant,
    last: Instant,
    why: Why,
}

impl Pending {
    fn due(&self) -> Instant {
        (self.last + QUIET).min(self.first + QUIET_LIMIT)
    }
}

/// What the notify crate's thread writes and the listener reads.
#[derive(Default)]
struct Signal {
    flags: AtomicU8,
    wake: Notify,
    scopes: Mutex<Vec<Scope>>,
}

impl Signal {
    fn note(&self, event: notify::Result<Event>) {
        let flag = match event {
            Ok(event) if event.need_rescan() => LOST,
            Ok(event) if self.concerns_us(&event) => EVENT,
            Ok(_) => return,
            Err(error) if matches!(error.kind, ErrorKind::MaxFilesWatch) => LIMIT | LOST,
            Err(_) => LOST,
        };
        self.flags.fetch_or(flag, Ordering::AcqRel);
        self.wake.notify_one();
    }

    fn concerns_us(&self, event: &Event) -> bool {
        // Reading a file reports Access(Open): who reads on every event would wake itself forever.
        if let EventKind::Access(access) = event.kind
            && access != AccessKind::Close(AccessMode::Write)
        {
            return false;
        }
        let scopes = self.scopes.lock().unwrap_or_else(PoisonError::into_inner);
        event.paths.is_empty() || event.paths.iter().any(|path| scopes.iter().any(|scope| scope.holds(path)))
    }
}

/// Which events concern one watched path. Its parent is watched too, and much may happen there that does not.
struct Scope {
    /// The path as given, its parent resolved.
    named: PathBuf,
    /// The path with all links resolved; `None` while there is nothing.
    real: Option<PathBuf>,
}

impl Scope {
    fn of(path: &Path) -> Self {
        let parent = parent_of(path);
        let parent = parent.canonicalize().unwrap_or(parent);
        let named = path.file_name().map_or_else(|| parent.clone(), |name| parent.join(name));
        Self { named, real: path.canonicalize().ok() }
    }

    fn holds(&self, changed: &Path) -> bool {
        if changed == self.named || self.real.as_ref().is_some_and(|real| changed.starts_with(real)) {
            return true;
        }
        // Kubernetes swaps the link `..data` beside the links that lead through it.
        let beside = changed.parent() == self.named.parent();
        beside && changed.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".."))
    }
}

/// Which file or folder a path led to; another one means the watches are on the wrong one.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Identity {
    target: Option<(u64, u64)>,
    parent: Option<(u64, u64)>,
}

fn identities(paths: &[PathBuf]) -> Vec<Identity> {
    let inode = |path: &Path| path.metadata().ok().map(|found| (found.dev(), found.ino()));
    paths.iter().map(|path| Identity { target: inode(path), parent: inode(&parent_of(path)) }).collect()
}

/// A set of watches, as far as the system gave them.
struct Arming {
    watcher: Option<RecommendedWatcher>,
    identities: Vec<Identity>,
    refused: Option<String>,
}

impl Arming {
    fn arm(paths: &[PathBuf], signal: &Arc<Signal>) -> Self {
        let scopes: Vec<Scope> = paths.iter().map(|path| Scope::of(path)).collect();
        let watches = watches(&scopes);
        *signal.scopes.lock().unwrap_or_else(PoisonError::into_inner) = scopes;
        // Before the watches are set: a folder that is replaced meanwhile is then found at the next look.
        let identities = identities(paths);

        let handler = Arc::clone(signal);
        // Links are not followed: one to `/` would cost a watch for every folder of the machine.
        let config = Config::default().with_follow_symlinks(false);
        let mut watcher = match RecommendedWatcher::new(move |event| handler.note(event), config) {
            Ok(watcher) => watcher,
            Err(error) => return Self { watcher: None, identities, refused: Some(error.to_string()) },
        };
        let mut refused = None;
        for (path, mode) in watches {
            // Once more: a subfolder that goes while the tree is walked fails the whole of it.
            let watched = watcher.watch(&path, mode).or_else(|_| watcher.watch(&path, mode));
            if let Err(error) = watched
                && path.exists()
            {
                refused = Some(error.to_string());
            }
        }
        Self { watcher: Some(watcher), identities, refused }
    }
}

/// Every folder to watch: what is named, with all below it, and the parents, so that a swap of the name itself is seen.
fn watches(scopes: &[Scope]) -> BTreeMap<PathBuf, RecursiveMode> {
    let mut watches = BTreeMap::new();
    for scope in scopes {
        for path in [Some(&scope.named), scope.real.as_ref()].into_iter().flatten() {
            if let Some(parent) = path.parent() {
                watches.entry(parent.to_owned()).or_insert(RecursiveMode::NonRecursive);
            }
        }
        if let Some(real) = scope.real.as_ref().filter(|real| real.is_dir()) {
            watches.insert(real.clone(), RecursiveMode::Recursive);
        }
    }
    watches.retain(|path, _| path.is_dir());
    watches
}

fn parent_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        Some(_) => PathBuf::from("."),
        None => path.to_owned(),
    }
}

/// Something in scope changed.
const EVENT: u8 = 1;
/// Events were lost, or the system reported an error.
const LOST: u8 = 2;
/// The limit of watches is reached.
const LIMIT: u8 = 4;
/// A certificate and its key are two writes; so long after the last one the writer is probably done.
const QUIET: Duration = Duration::from_millis(100);
/// A folder that never rests is looked at all the same.
const QUIET_LIMIT: Duration = Duration::from_millis(500);
/// Network file systems, changes behind links, lost watches: everything else is found at the latest by then.
const POLL: Duration = Duration::from_secs(60);
/// The poll while nothing can be watched or a path is missing.
const SHORT_POLL: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests;
