//! What the hot path counts: one block of counters per worker, written by that worker alone, summed at scrape.

use std::sync::atomic::{AtomicU64, Ordering};

/// A counter or gauge with one writer: the owner adds without a locked instruction, anybody may read.
#[derive(Default)]
pub struct Count(AtomicU64);

impl Count {
    /// Adds; only the owning worker may.
    #[inline]
    pub fn add(&self, amount: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(amount), Ordering::Relaxed);
    }

    /// Takes away again; only the owning worker may.
    #[inline]
    pub fn sub(&self, amount: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_sub(amount), Ordering::Relaxed);
    }

    /// The value now.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
