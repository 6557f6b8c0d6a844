//! What the operator wants otherwise than the configuration says, while the edge runs: an upstream or a site taken out, clients turned
//! away, a standstill of all that changes, another level of the log. Until it is taken back, until it is over, or until the
//! process ends, unless it is to be kept.
//!
//! Whoever owns the configuration lays it over what was read; requests see one table, and pay nothing for it.

mod pulled;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::time::{sleep, timeout};

pub use pulled::{Change, Held, Hold, Network, Pulled};

use crate::shutdown::Lifecycle;
use crate::store::{Expected, Key, Store, StoreError};

/// What is wanted otherwise. Clones are the same.
#[derive(Clone)]
pub struct Levers(Arc<Inner>);

struct Inner {
    store: Store,
    pulled: Mutex<Pulled>,
    /// How often it changed.
    changes: watch::Sender<u64>,
    /// How many of these changes are in force.
    in_force: watch::Sender<u64>,
    frozen: watch::Sender<bool>,
}

/// Why nothing was changed.
#[derive(Debug)]
pub enum NotPulled {
    /// There is as much of it as there may be.
    TooMany,
    /// It could not be written.
    Store(StoreError),
    /// The change came to no end, for a reason of our own.
    Lost,
}

impl Levers {
    /// Those that were kept.
    ///
    /// # Errors
    /// When the state cannot be read. What is written there and cannot be understood is told and left alone.
    pub fn open(store: Store) -> Result<Self, StoreError> {
        let kept = match store.read(&key())?.map(|item| serde_json::from_slice::<Pulled>(&item.content)) {
            None => Pulled::default(),
            Some(Ok(kept)) => kept.at(now()),
            Some(Err(error)) => {
                tracing::error!(file = %key(), %error, "what was to outlast a start cannot be read and does not hold");
                Pulled::default()
            }
        };
        if kept != Pulled::default() {
            tracing::warn!("what the operator wanted otherwise than configured still holds; `vitrine levers` shows it");
        }
        let frozen = watch::Sender::new(kept.frozen.is_some());
        let (changes, in_force) = (watch::Sender::new(0), watch::Sender::new(0));
        Ok(Self(Arc::new(Inner { store, pulled: Mutex::new(kept), changes, in_force, frozen })))
    }

    /// What is wanted otherwise now.
    #[must_use]
    pub fn pulled(&self) -> Pulled {
        self.0.pulled.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether all that changes stands still.
    #[must_use]
    pub fn frozen(&self) -> watch::Receiver<bool> {
        self.0.frozen.subscribe()
    }

    /// Changes it, and waits until the change is in force.
    ///
    /// # Errors
    /// [`NotPulled`], and nothing has changed.
    pub async fn pull(&self, change: Change, hold: Hold) -> Result<(), NotPulled> {
        let own = self.clone();
        let done = tokio::task::spawn_blocking(move || own.change(|pulled, now| pulled.take(change, hold, now)));
        let number = done.await.unwrap_or(Err(NotPulled::Lost))?;
        let mut in_force = self.0.in_force.subscribe();
        // Whoever lays it over the configuration may be at work on that; it comes to it.
        let _ = timeout(PATIENCE, in_force.wait_for(|done| *done >= number)).await;
        Ok(())
    }

    /// Lets go of what is over, until the edge drains.
    pub async fn run(self, mut lifecycle: Lifecycle) {
        tokio::select! {
            _ = lifecycle.draining() => {}
            () = self.keep_time() => {}
        }
    }

    async fn keep_time(&self) {
        let mut changes = self.0.changes.subscribe();
        loop {
            changes.mark_unchanged();
            // The calendar may be set meanwhile.
            let wait = match self.pulled().next_end() {
                Some(end) => Duration::from_secs(u64::try_from(end - now()).unwrap_or(0)).min(LONGEST_WAIT),
                None => LONGEST_WAIT,
            };
            tokio::select! {
                _ = changes.changed() => continue,
                () = sleep(wait) => {}
            }
            if self.pulled().next_end().is_some_and(|end| end <= now()) {
                let own = self.clone();
                let ended = tokio::task::spawn_blocking(move || own.change(|_, _| {})).await;
                if let Ok(Err(NotPulled::Store(error))) = ended {
                    tracing::error!(%error, "what is over cannot be written down, and is tried again");
                    sleep(AFTER_FAILURE).await;
                }
            }
        }
    }

    /// The number of the last change.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    /// What is wanted now is what requests see: all changes up to this number.
    pub fn are_in_force(&self, number: u64) {
        self.0.in_force.send_modify(|done| *done = number.max(*done));
    }

    /// Changes it, without what is over. Gives the change's number.
    fn change(&self, change: impl FnOnce(&mut Pulled, i64)) -> Result<u64, NotPulled> {
        let now = now();
        let mut pulled = self.0.pulled.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = pulled.clone();
        change(&mut next, now);
        let next = next.at(now);
        if next.denied.len() > MOST_DENIED {
            return Err(NotPulled::TooMany);
        }
        let kept = next.clone().kept();
        if kept != pulled.clone().kept() {
            self.write(&kept).map_err(NotPulled::Store)?;
        }
        let frozen = next.frozen.is_some();
        *pulled = next;
        // Under the lock, so that what stands still and what is written agree.
        self.0.frozen.send_if_modified(|known| std::mem::replace(known, frozen) != frozen);
        let mut number = 0;
        self.0.changes.send_modify(|changes| {
            *changes += 1;
            number = *changes;
        });
        Ok(number)
    }

    fn write(&self, kept: &Pulled) -> Result<(), StoreError> {
        if *kept == Pulled::default() {
            return self.0.store.delete(&key()).map(drop);
        }
        let text = serde_json::to_vec_pretty(kept).unwrap_or_default();
        self.0.store.put(&key(), &text, Expected::Anything).map(drop)
    }
}

fn key() -> Key {
    Key::known(&["levers.json"])
}

/// Seconds since the Unix epoch.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    i64::try_from(since).unwrap_or(i64::MAX)
}

/// A list of networks that is longer belongs into a firewall.
const MOST_DENIED: usize = 10_000;
/// How long whoever changed something waits to see it in force.
const PATIENCE: Duration = Duration::from_secs(10);
const LONGEST_WAIT: Duration = Duration::from_mins(1);
const AFTER_FAILURE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests;
