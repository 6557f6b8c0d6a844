//! How far orders under way have come, beyond being under way: what the tasks that carry them out tell.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Where an order is that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Its names are looked at before it is made.
    Checking,
    /// The authority looks at them.
    Validating,
}

/// The steps of all orders under way, by site; clones are the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress(Arc<Mutex<BTreeMap<String, Step>>>);

impl Progress {
    /// A site's order is at this step; `None`: at none that needs a word of its own.
    pub(super) fn enter(&self, site: &str, step: Option<Step>) {
        let mut steps = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match step {
            Some(step) => steps.insert(site.to_owned(), step),
            None => steps.remove(site),
        };
    }

    pub(super) fn of(&self, site: &str) -> Option<Step> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(site).copied()
    }
}
