//! How many requests are open at a server.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Requests that are open at a server: of all workers, and of all groups that count them.
#[derive(Debug, Default)]
pub struct Load {
    open: AtomicU32,
}

/// One request's place at a server, given back when it is dropped.
#[derive(Debug)]
pub struct Place(Arc<Load>);

impl Load {
    /// How many are open.
    #[inline]
    #[must_use]
    pub fn open(&self) -> u32 {
        self.open.load(Ordering::Relaxed)
    }

    /// One more.
    #[must_use]
    pub fn take(self: &Arc<Self>) -> Place {
        self.open.fetch_add(1, Ordering::Relaxed);
        Place(Arc::clone(self))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}
