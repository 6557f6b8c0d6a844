//! How far orders under way have come, beyond being under way: what the tasks that carry them out tell.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::slot::Slot;

/// Where an order is that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Its names are looked at before it is made.
    Checking,
    /// The authority looks at them.
    Validating,
}

/// The steps of all orders under way, by what is ordered; clones are the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress {
    steps: Arc<Mutex<BTreeMap<Slot, Step>>>,
    changes: Arc<AtomicU64>,
}

impl Progress {
    /// An order is at this step; `None`: at none that needs a word of its own.
    pub(super) fn enter(&self, slot: &Slot, step: Option<Step>) {
        let mut steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner);
        match step {
            Some(step) => steps.insert(slot.clone(), step),
            None => steps.remove(slot),
        };
        self.changes.fetch_add(1, Ordering::Release);
    }

    /// How often any has changed.
    pub(super) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    pub(super) fn of(&self, slot: &Slot) -> Option<Step> {
        self.steps.lock().unwrap_or_else(PoisonError::into_inner).get(slot).copied()
    }
}
