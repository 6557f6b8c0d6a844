//! Whose turn it is: a record is written or removed by one at a time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Mutex as Turn, OwnedMutexGuard};

/// The turns of all records that somebody works on.
#[derive(Clone, Default)]
pub(super) struct Turns(Arc<Mutex<HashMap<String, Arc<Turn<()>>>>>);

impl Turns {
    /// Waits until nobody else works on a record.
    pub(super) async fn take(&self, value: &str) -> OwnedMutexGuard<()> {
        self.of(value).lock_owned().await
    }

    /// The same, unless somebody works on it.
    pub(super) fn try_take(&self, value: &str) -> Option<OwnedMutexGuard<()>> {
        self.of(value).try_lock_owned().ok()
    }

    fn of(&self, value: &str) -> Arc<Turn<()>> {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        Arc::clone(turns.entry(value.to_owned()).or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_at_a_time_works_on_a_record_and_what_nobody_works_on_is_forgotten() {
        let turns = Turns::default();
        let first = turns.take("a").await;
        assert!(turns.try_take("a").is_none());
        assert!(turns.try_take("b").is_some());
        drop(first);
        assert!(turns.try_take("a").is_some());
        drop(turns.of("c"));
        assert_eq!(turns.0.lock().expect("a table").len(), 1);
    }
}
