//! Whose turn it is to change the folder: one change at a time, and none while somebody takes a picture of it.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;

use super::staging::{FILE_MODE, Owner};

/// The turns of a process that changes the folder.
pub(super) struct Turns {
    here: Mutex<()>,
    gate: File,
    changing: File,
}

impl Turns {
    pub(super) fn open(root: &Path) -> io::Result<Self> {
        Ok(Self { here: Mutex::new(()), gate: lock_file(root, GATE)?, changing: lock_file(root, CHANGING)? })
    }

    /// Waits for a turn; it ends when what is given back is dropped.
    pub(super) fn take(&self) -> io::Result<Turn<'_>> {
        // Whoever panicked with it left nothing half done: the last step of a change is a rename.
        let here = self.here.lock().unwrap_or_else(PoisonError::into_inner);
        // Who changes much takes the next turn before anybody else wakes up. The gate is free nearly always, so whoever
        // waits to stop all changes gets it, and then has to wait for one change only.
        lock(&self.gate, FlockOperation::LockShared)?;
        let turn = lock(&self.changing, FlockOperation::LockExclusive);
        lock(&self.gate, FlockOperation::Unlock)?;
        turn?;
        Ok(Turn { changing: &self.changing, _here: here })
    }
}

/// A turn.
pub(super) struct Turn<'a> {
    changing: &'a File,
    _here: MutexGuard<'a, ()>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let _ = flock(self.changing, FlockOperation::Unlock);
    }
}

/// Nobody changes the folder, in this process or another, as long as it lives.
pub(super) struct Standstill {
    _gate: File,
    _changing: File,
}

impl Standstill {
    /// Waits until the change that is under way has ended.
    pub(super) fn begin(root: &Path) -> io::Result<Self> {
        let (gate, changing) = (lock_file(root, GATE)?, lock_file(root, CHANGING)?);
        for file in [&gate, &changing] {
            retried(|| flock(file, FlockOperation::LockExclusive)).map_err(|error| match error {
                Errno::NOTSUP | Errno::NOLCK | Errno::INVAL => io::Error::other(NO_LOCKS),
                error => error.into(),
            })?;
        }
        Ok(Self { _gate: gate, _changing: changing })
    }
}

/// A file in the folder that is there to be locked.
pub(super) fn lock_file(root: &Path, name: &str) -> io::Result<File> {
    let path = root.join(name);
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(FILE_MODE)
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
        .open(&path)?;
    Owner::of(root)?.give(&path)?;
    Ok(file)
}

/// Takes a lock that somebody else may have; gives whether it was free. On a file system without locks it always is.
pub(super) fn take_lock(file: &File) -> io::Result<bool> {
    let begun = Instant::now();
    loop {
        match retried(|| flock(file, FlockOperation::NonBlockingLockExclusive)) {
            Ok(()) | Err(Errno::NOTSUP | Errno::NOLCK | Errno::INVAL) => return Ok(true),
            // A process that is just being started has a copy of all that is open until it is another program: then nobody
            // has the lock, and it is taken for a moment all the same.
            Err(Errno::WOULDBLOCK) if begun.elapsed() < PATIENCE => std::thread::sleep(PATIENCE / 25),
            Err(Errno::WOULDBLOCK) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
    }
}

/// On a file system without locks nobody can take a picture either.
fn lock(file: &File, operation: FlockOperation) -> io::Result<()> {
    match retried(|| flock(file, operation)) {
        Ok(()) | Err(Errno::NOTSUP | Errno::NOLCK | Errno::INVAL) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// A signal is no reason.
fn retried(mut lock: impl FnMut() -> Result<(), Errno>) -> Result<(), Errno> {
    loop {
        match lock() {
            Err(Errno::INTR) => {}
            done => return done,
        }
    }
}

/// Far longer than a process takes to start.
const PATIENCE: Duration = Duration::from_millis(500);
const GATE: &str = ".gate";
const CHANGING: &str = ".changing";
const NO_LOCKS: &str = "its file system has no locks (flock), so the edge cannot be kept from changing it meanwhile; stop the edge \
                        and copy the folder";
