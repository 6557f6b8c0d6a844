//! Places for orders: so many are made together, and sites that failed before for a reason of their own take half of them at most. A
//! few names that hang must not hold back all others.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Places; clones are the same.
#[derive(Clone)]
pub(super) struct Places {
    pub(super) number: usize,
    all: Arc<Semaphore>,
    for_failed: Arc<Semaphore>,
}

/// A place until this is dropped.
pub(super) struct Place {
    _own: Option<OwnedSemaphorePermit>,
    _of_failed: Option<OwnedSemaphorePermit>,
}

impl Places {
    pub(super) fn new(number: usize) -> Self {
        Self { number, all: Arc::new(Semaphore::new(number)), for_failed: Arc::new(Semaphore::new(number.div_ceil(2))) }
    }

    /// Waits for a place.
    pub(super) async fn take(&self, has_failed: bool) -> Place {
        // They are never closed.
        let of_failed = match has_failed {
            true => Arc::clone(&self.for_failed).acquire_owned().await.ok(),
            false => None,
        };
        Place { _own: Arc::clone(&self.all).acquire_owned().await.ok(), _of_failed: of_failed }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn those_that_failed_before_leave_half_to_the_others() {
        for (number, most_failed) in [(1, 1), (2, 1), (8, 4)] {
            let places = Places::new(number);
            let take = |has_failed| places.take(has_failed).now_or_never();
            let failed: Vec<Place> = std::iter::from_fn(|| take(true)).collect();
            let others: Vec<Place> = std::iter::from_fn(|| take(false)).collect();
            assert_eq!((failed.len(), others.len()), (most_failed, number - most_failed));
            drop(failed);
            assert!(take(false).is_some());
        }
    }
}
