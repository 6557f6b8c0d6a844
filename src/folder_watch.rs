//! Tells that something in a folder may have changed; certificates and configuration both listen to it.
//!
//! Events are hints and never facts: they only set a flag. Who listens reads the folder again, so an event too many costs one
//! look and an event too few costs one poll. Who does not want to look at everything may ask which paths were named. inotify
//! does not cross network file systems, loses its watch when the folder is replaced, and drops events when its queue is full;
//! the poll, the look at the folder's identity, and the treatment of every error as a change cover these three.

mod scope;

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{Config, ErrorKind, Event, EventKind, RecommendedWatcher, Watcher};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use scope::{Scopes, Targets, parent_of, watches};

/// Watches folders (with all below them) and single files, which all may be missing, vanish, come back, or be links that
/// are swapped.
pub struct FolderWatch {
    targets: Targets,
    signal: Arc<Signal>,
    watcher: Option<SharedWatcher>,
    armed: Vec<Identity>,
    pending: Option<Pending>,
    next_poll: Instant,
    degraded: bool,
}

/// Shared with the thread that sets watches, so that losing the future that waits for it loses no watch.
type SharedWatcher = Arc<Mutex<RecommendedWatcher>>;

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
            targets: Targets { paths, places: Arc::default() },
            signal: Arc::default(),
            watcher: None,
            armed: Vec::new(),
            pending: None,
            next_poll: Instant::now(),
            degraded: false,
        };
        let arming = Arming::new(&watch.targets, &watch.signal);
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
                let why = self.pending.as_ref().map_or(Why::Poll, |pending| pending.why);
                self.mend(why).await;
                self.next_poll = Instant::now() + self.poll_interval();
                self.pending = None;
                return why;
            }
            let until = due.map_or(self.next_poll, |due| due.min(self.next_poll));
            tokio::select! {
                () = self.signal.wake.notified() => {}
                () = sleep_until(until) => {}
            }
        }
    }

    /// Watches these files and folders besides, without what is below them: where links in the folders lead to. A new place may
    /// have changed before it was watched, so that is a change.
    pub async fn watch_also(&mut self, places: BTreeSet<PathBuf>) {
        if *self.targets.places == places {
            return;
        }
        let news = places.iter().any(|place| !self.targets.places.contains(place));
        self.targets.places = Arc::new(places);
        let (targets, signal) = (self.targets.clone(), Arc::clone(&self.signal));
        if let Ok(arming) = tokio::task::spawn_blocking(move || Arming::new(&targets, &signal)).await {
            self.adopt(arming);
        }
        if news {
            self.signal.flags.fetch_or(EVENT, Ordering::AcqRel);
        }
    }

    /// The paths that changed since this was last asked; `None` when more than these may have. Asked for after
    /// [`changed`](Self::changed), and before the look.
    #[must_use]
    pub fn named(&self) -> Option<BTreeSet<PathBuf>> {
        self.signal.named().take()
    }

    /// Says that what is watched is being read, until what this gives is dropped: opened files are no news then.
    #[must_use]
    pub fn reading(&self) -> Reading {
        self.signal.is_read.store(true, Ordering::Release);
        Reading(Arc::clone(&self.signal))
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

    /// Sets the watches that are missing. A removed and re-created folder is another inode, and the watch died with the old one,
    /// without a word; a lost event may have told of a new subfolder; and a limit may have been raised.
    async fn mend(&mut self, why: Why) {
        let (targets, armed, signal) = (self.targets.clone(), self.armed.clone(), Arc::clone(&self.signal));
        let watcher = self.watcher.clone();
        let incomplete = why == Why::Overflow || self.degraded && why == Why::Poll;
        let arming = tokio::task::spawn_blocking(move || match watcher {
            Some(watcher) if identities(&targets.paths) == armed => {
                incomplete.then(|| Arming::complete(watcher, &targets, &signal))
            }
            _ => Some(Arming::new(&targets, &signal)),
        });
        if let Ok(Some(arming)) = arming.await {
            self.adopt(arming);
        }
    }

    fn adopt(&mut self, arming: Arming) {
        // What changed before there was a watch has no event.
        self.signal.named().lose();
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
                self.targets.paths
            );
        }
        self.degraded = true;
    }

    fn poll_interval(&self) -> Duration {
        let missing = self.armed.iter().any(|identity| identity.target.is_none());
        if self.degraded || missing { SHORT_POLL } else { POLL }
    }
}

/// Somebody reads what is watched.
pub struct Reading(Arc<Signal>);

impl Drop for Reading {
    fn drop(&mut self) {
        self.0.is_read.store(false, Ordering::Release);
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
    scopes: Mutex<Scopes>,
    named: Mutex<Named>,
    /// Whether somebody reads what is watched.
    is_read: AtomicBool,
    /// When events were last let come together.
    gathered: Mutex<Option<std::time::Instant>>,
}

impl Signal {
    fn note(&self, event: notify::Result<Event>) {
        let flag = match event {
            Ok(Event { kind: EventKind::Access(AccessKind::Open(_)), .. }) => return self.gather(),
            Ok(event) if event.need_rescan() => LOST,
            Ok(event) if self.concerns_us(&event) => {
                self.named().add(event.paths);
                EVENT
            }
            Ok(_) => return,
            Err(error) if matches!(error.kind, ErrorKind::MaxFilesWatch) => LIMIT | LOST,
            Err(_) => LOST,
        };
        if flag & LOST != 0 {
            self.named().lose();
        }
        self.flags.fetch_or(flag, Ordering::AcqRel);
        self.wake.notify_one();
    }

    /// A file was opened. While somebody reads them all, this thread would be woken for each, and be waited for where there is one
    /// processor: then events are let come together for most of the time. Nobody could look again before that look has ended.
    fn gather(&self) {
        if !self.is_read.load(Ordering::Acquire) {
            return;
        }
        let mut gathered = self.gathered.lock().unwrap_or_else(PoisonError::into_inner);
        if gathered.is_none_or(|gathered| gathered.elapsed() > HANDLING) {
            std::thread::sleep(GATHERING);
            *gathered = Some(std::time::Instant::now());
        }
    }

    fn named(&self) -> MutexGuard<'_, Named> {
        self.named.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn concerns_us(&self, event: &Event) -> bool {
        // Reading a file reports Access(Open): who reads on every event would wake itself forever.
        if let EventKind::Access(access) = event.kind
            && access != AccessKind::Close(AccessMode::Write)
        {
            return false;
        }
        let scopes = self.scopes.lock().unwrap_or_else(PoisonError::into_inner);
        event.paths.is_empty() || event.paths.iter().any(|path| scopes.hold(path))
    }
}

/// The paths that events named.
#[derive(Default)]
struct Named {
    paths: BTreeSet<PathBuf>,
    /// Something changed that has no name here.
    more: bool,
}

impl Named {
    fn add(&mut self, paths: Vec<PathBuf>) {
        if paths.is_empty() {
            return self.lose();
        }
        self.paths.extend(paths);
        if self.paths.len() > MOST_NAMED {
            self.lose();
        }
    }

    fn lose(&mut self) {
        *self = Self { paths: BTreeSet::new(), more: true };
    }

    fn take(&mut self) -> Option<BTreeSet<PathBuf>> {
        let Self { paths, more } = std::mem::take(self);
        (!more).then_some(paths)
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
    watcher: Option<SharedWatcher>,
    identities: Vec<Identity>,
    refused: Option<String>,
}

impl Arming {
    /// Sets all watches anew.
    fn new(targets: &Targets, signal: &Arc<Signal>) -> Self {
        let handler = Arc::clone(signal);
        // Links are not followed: one to `/` would cost a watch for every folder of the machine.
        let config = Config::default().with_follow_symlinks(false);
        match RecommendedWatcher::new(move |event| handler.note(event), config) {
            Ok(watcher) => Self::complete(Arc::new(Mutex::new(watcher)), targets, signal),
            Err(error) => {
                Self { watcher: None, identities: identities(&targets.paths), refused: Some(error.to_string()) }
            }
        }
    }

    /// Sets those that are missing; the system takes no second one where there is one.
    fn complete(watcher: SharedWatcher, targets: &Targets, signal: &Signal) -> Self {
        let scopes = Scopes::of(targets);
        let watches = watches(&scopes);
        *signal.scopes.lock().unwrap_or_else(PoisonError::into_inner) = scopes;
        // Before the watches are set: a folder that is replaced meanwhile is then found at the next look.
        let identities = identities(&targets.paths);
        let mut refused = None;
        let mut setter = watcher.lock().unwrap_or_else(PoisonError::into_inner);
        for (path, mode) in watches {
            // Once more: a subfolder that goes while the tree is walked fails the whole of it.
            let watched = setter.watch(&path, mode).or_else(|_| setter.watch(&path, mode));
            if let Err(error) = watched
                && path.exists()
            {
                refused = Some(error.to_string());
            }
        }
        drop(setter);
        Self { watcher: Some(watcher), identities, refused }
    }
}

/// Something in scope changed.
const EVENT: u8 = 1;
/// Events were lost, or the system reported an error.
const LOST: u8 = 2;
/// The limit of watches is reached.
const LIMIT: u8 = 4;
/// Far less than [`QUIET`], and than it takes to fill the system's queue of events.
const GATHERING: Duration = Duration::from_millis(4);
/// So long events are handled as they come, before they are let come together again: time for some hundred.
const HANDLING: Duration = Duration::from_millis(1);
/// With more, everything is looked at.
const MOST_NAMED: usize = 1000;
/// A certificate and its key are two writes; so long after the last one the writer is probably done.
const QUIET: Duration = Duration::from_millis(100);
/// A folder that never rests is looked at all the same.
const QUIET_LIMIT: Duration = Duration::from_millis(500);
/// Network file systems, lost watches: everything else is found at the latest by then.
const POLL: Duration = Duration::from_secs(60);
/// The poll while nothing can be watched or a path is missing.
const SHORT_POLL: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests;
