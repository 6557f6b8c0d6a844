//! Where the servers of one name are: workers read it, and one task finds it out.

use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::watch;

use crate::live::{Live, Publisher, table};

/// Where the servers of one name are. Nothing before its [`Finder`] has found it.
pub struct Whereabouts {
    host: Box<str>,
    found: Live<Vec<IpAddr>>,
    /// Whose turn it is to be connected to first.
    turn: AtomicUsize,
    /// Whether somebody has looked.
    looked: watch::Sender<bool>,
    failures: AtomicU64,
    /// Why it was not found the last time.
    trouble: Mutex<Option<Box<str>>>,
}

/// Who finds it out, and the only one who can say it.
pub struct Finder {
    host: Box<str>,
    whereabouts: Weak<Whereabouts>,
    publisher: Publisher<Vec<IpAddr>>,
}

impl Whereabouts {
    /// Of a name that nobody has looked for yet.
    #[must_use]
    pub fn new(host: &str) -> (Arc<Self>, Finder) {
        let (publisher, found) = table(Vec::new());
        let whereabouts = Arc::new(Self {
            host: host.into(),
            found,
            turn: AtomicUsize::new(0),
            looked: watch::Sender::new(false),
            failures: AtomicU64::new(0),
            trouble: Mutex::default(),
        });
        let finder = Finder { host: host.into(), whereabouts: Arc::downgrade(&whereabouts), publisher };
        (whereabouts, finder)
    }

    /// The name.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether somebody at this address is still one of them. No lock is taken for that.
    #[inline]
    #[must_use]
    pub fn is_at(&self, address: IpAddr) -> bool {
        self.found.load().contains(&address)
    }

    /// All addresses, as they were found.
    #[must_use]
    pub fn addresses(&self) -> Vec<IpAddr> {
        self.found.load().to_vec()
    }

    /// All addresses, each time with another one first. Waits until somebody has looked; none: it was not found.
    pub async fn in_turn(&self) -> Vec<IpAddr> {
        let mut addresses = self.addresses();
        if addresses.is_empty() {
            // It cannot be closed while this is borrowed.
            let _ = self.looked.subscribe().wait_for(|has_looked| *has_looked).await;
            addresses = self.addresses();
        }
        if addresses.len() > 1 {
            let turn = self.turn.fetch_add(1, Ordering::Relaxed) % addresses.len();
            addresses.rotate_left(turn);
        }
        addresses
    }

    /// How often it was not found.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Why it was not found the last time; `None`: it was.
    #[must_use]
    pub fn trouble(&self) -> Option<Box<str>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, trouble: Option<Box<str>>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
        self.looked.send_replace(true);
    }
}

impl fmt::Debug for Finder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Finder").field("host", &self.host).finish_non_exhaustive()
    }
}

impl fmt::Debug for Whereabouts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Whereabouts")
            .field("host", &self.host)
            .field("found", &self.addresses())
            .finish_non_exhaustive()
    }
}

impl Finder {
    /// The name.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether nobody wants to know any more.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.whereabouts.strong_count() == 0
    }

    /// There they are, and nowhere else. Gives where they were, if that is anywhere else.
    pub fn found(&mut self, addresses: Vec<IpAddr>) -> Option<Vec<IpAddr>> {
        let before = self.publisher.current().to_vec();
        let is_new = addresses.iter().any(|now| !before.contains(now)) || addresses.len() != before.len();
        if is_new {
            self.publisher.publish(addresses);
        } else {
            self.publisher.let_go();
        }
        if let Some(whereabouts) = self.whereabouts.upgrade() {
            whereabouts.note(None);
        }
        is_new.then_some(before)
    }

    /// They were not found: what was found before holds on. Gives whether that is new.
    pub fn missed(&mut self, why: &str) -> bool {
        let Some(whereabouts) = self.whereabouts.upgrade() else { return false };
        whereabouts.failures.fetch_add(1, Ordering::Relaxed);
        let is_new = whereabouts.trouble().is_none();
        whereabouts.note(Some(why.into()));
        is_new
    }

    /// Where they are, as far as is known.
    #[must_use]
    pub fn current(&self) -> Arc<Vec<IpAddr>> {
        self.publisher.current()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(last: &[u8]) -> Vec<IpAddr> {
        last.iter().map(|last| IpAddr::from([10, 0, 0, *last])).collect()
    }

    #[tokio::test]
    async fn each_connection_begins_with_another_address() {
        let (whereabouts, mut finder) = Whereabouts::new("shop");
        assert_eq!(finder.found(addresses(&[1, 2, 3])), Some(Vec::new()));
        let mut turns = Vec::new();
        for _ in 0..4 {
            turns.push(whereabouts.in_turn().await);
        }
        let expected = [[1, 2, 3], [2, 3, 1], [3, 1, 2], [1, 2, 3]].map(|turn| addresses(&turn));
        assert_eq!(turns, expected);
    }

    #[tokio::test]
    async fn what_was_found_holds_on_until_it_is_found_elsewhere() {
        let (whereabouts, mut finder) = Whereabouts::new("shop");
        assert!(finder.missed("nobody answers"));
        // Somebody has looked: nobody waits any longer.
        assert_eq!(whereabouts.in_turn().await, addresses(&[]));
        assert_eq!(finder.found(addresses(&[1])), Some(addresses(&[])));
        assert_eq!(finder.found(addresses(&[1])), None);
        assert!(finder.missed("nobody answers") && !finder.missed("it says SERVFAIL"));
        let known = (whereabouts.addresses(), whereabouts.failures(), whereabouts.trouble());
        assert_eq!(known, (addresses(&[1]), 3, Some("it says SERVFAIL".into())));
        assert_eq!(finder.found(addresses(&[2])), Some(addresses(&[1])));
        assert_eq!((whereabouts.is_at(addresses(&[1])[0]), whereabouts.trouble()), (false, None));
        assert!(!finder.is_idle());
        drop(whereabouts);
        assert!(finder.is_idle());
    }

    #[tokio::test]
    async fn who_comes_before_somebody_has_looked_waits() {
        let (whereabouts, mut finder) = Whereabouts::new("shop");
        let waiting = tokio::spawn({
            let whereabouts = Arc::clone(&whereabouts);
            async move { whereabouts.in_turn().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        finder.found(addresses(&[1]));
        assert_eq!(waiting.await.expect("no panic"), addresses(&[1]));
    }
}
