//! Who has shown too many wrong tokens or passwords.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

/// Counts failures by whoever they are laid to: an address, a name.
#[derive(Debug)]
pub(super) struct Failures<K> {
    /// When each will have been quiet for long enough.
    until: HashMap<K, Instant>,
    /// To whom those are laid who come when there are too many.
    crowd: K,
    at_once: u32,
    each: Duration,
}

impl Failures<IpAddr> {
    /// By address. A token has 256 random bits, so nobody guesses one; what is kept down is the noise and the work. The right token
    /// is let in whatever came before: else a stranger could shut the operator out.
    pub(super) fn by_address() -> Self {
        Self::new(CROWD, AT_ONCE, EACH)
    }

    /// Counts one of an address. Gives how long to wait, if there were too many.
    pub(super) fn count_address(&mut self, peer: IpAddr, now: Instant) -> Option<Duration> {
        self.count(network(peer), now)
    }
}

impl<K: Clone + Eq + Hash> Failures<K> {
    /// So many at once, and one more is forgiven after `each`.
    pub(super) fn new(crowd: K, at_once: u32, each: Duration) -> Self {
        Self { until: HashMap::new(), crowd, at_once, each }
    }

    /// Counts one. Gives how long to wait, if there were too many.
    pub(super) fn count(&mut self, whose: K, now: Instant) -> Option<Duration> {
        if self.until.len() >= MOST {
            self.until.retain(|_, until| *until > now);
        }
        let full = self.until.len() >= MOST;
        // With that many at once, those that come now share one count.
        let counted = if full && !self.until.contains_key(&whose) { self.crowd.clone() } else { whose };
        let until = self.until.entry(counted).or_insert(now);
        let next = (*until).max(now) + self.each;
        match next.duration_since(now).checked_sub(self.each * self.at_once) {
            Some(wait) if !wait.is_zero() => Some(wait),
            _ => {
                *until = next;
                None
            }
        }
    }

    /// Takes back one that was counted: it was none.
    pub(super) fn take_back(&mut self, whose: &K, now: Instant) {
        if let Some(until) = self.until.get_mut(whose) {
            *until = until.checked_sub(self.each).unwrap_or(now);
        }
    }
}

/// One subscriber has a /64 (RFC 6177).
pub(super) fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(six) => IpAddr::V6(Ipv6Addr::from(u128::from(six) & !u128::from(u64::MAX))),
        four => four,
    }
}

/// Somebody who tries several tokens by hand does not notice.
const AT_ONCE: u32 = 10;
/// One more is forgiven after this.
const EACH: Duration = Duration::from_secs(6);
const MOST: usize = 1024;
const CROWD: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_fails_too_often_is_told_to_wait_and_nobody_else_is() {
        let (mut failures, now) = (Failures::by_address(), Instant::now());
        let peer = |text: &str| text.parse().expect("an address");
        for _ in 0..AT_ONCE {
            assert_eq!(failures.count_address(peer("2001:db8::1"), now), None);
        }
        assert_eq!(failures.count_address(peer("2001:db8::2"), now), Some(EACH));
        assert_eq!(failures.count_address(peer("2001:db8:0:1::1"), now), None);
        assert_eq!(failures.count_address(peer("10.0.0.1"), now), None);
        let later = now + EACH;
        assert_eq!(failures.count_address(peer("2001:db8::1"), later), None);
        assert_eq!(failures.count_address(peer("2001:db8::1"), later), Some(EACH));
    }

    #[test]
    fn what_was_no_failure_is_not_counted() {
        let (mut failures, now) = (Failures::new("crowd", 2, EACH), Instant::now());
        for _ in 0..100 {
            assert_eq!(failures.count("anna", now), None);
            failures.take_back(&"anna", now);
        }
        assert_eq!([(); 3].map(|()| failures.count("anna", now)), [None, None, Some(EACH)]);
    }

    #[test]
    fn a_crowd_takes_no_more_memory_than_there_is_for_it() {
        let (mut failures, now) = (Failures::by_address(), Instant::now());
        for number in 0..3000_u32 {
            failures.count_address(IpAddr::from(number.to_be_bytes()), now);
        }
        assert_eq!(failures.until.len(), MOST + 1);
        assert!(failures.count_address(IpAddr::from([10, 0, 0, 1]), now).is_some());
        assert_eq!(failures.count_address(IpAddr::from([10, 0, 0, 1]), now + EACH * (AT_ONCE + 1)), None);
        assert_eq!(failures.until.len(), 1);
    }
}
