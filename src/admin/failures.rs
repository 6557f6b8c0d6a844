//! Who has shown too many wrong tokens.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

/// Counts failures by address. A token has 256 random bits, so nobody guesses one; what is kept down is the noise and the work.
/// The right token is let in whatever came before: else a stranger could shut the operator out.
#[derive(Debug, Default)]
pub(super) struct Failures {
    /// When each will have been quiet for long enough.
    until: HashMap<IpAddr, Instant>,
}

impl Failures {
    /// Counts one. Gives how long to wait, if there were too many.
    pub(super) fn count(&mut self, peer: IpAddr, now: Instant) -> Option<Duration> {
        if self.until.len() >= MOST_ADDRESSES {
            self.until.retain(|_, until| *until > now);
        }
        let full = self.until.len() >= MOST_ADDRESSES;
        let network = network(peer);
        // With that many at once, those that come now share one count.
        let counted = if full && !self.until.contains_key(&network) { CROWD } else { network };
        let until = self.until.entry(counted).or_insert(now);
        let next = (*until).max(now) + EACH;
        match next.duration_since(now).checked_sub(EACH * AT_ONCE) {
            Some(wait) if !wait.is_zero() => Some(wait),
            _ => {
                *until = next;
                None
            }
        }
    }
}

/// One subscriber has a /64 (RFC 6177).
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(six) => IpAddr::V6(Ipv6Addr::from(u128::from(six) & !u128::from(u64::MAX))),
        four => four,
    }
}

/// Somebody who tries several tokens by hand does not notice.
const AT_ONCE: u32 = 10;
/// One more is forgiven after this.
const EACH: Duration = Duration::from_secs(6);
const MOST_ADDRESSES: usize = 1024;
const CROWD: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_fails_too_often_is_told_to_wait_and_nobody_else_is() {
        let (mut failures, now) = (Failures::default(), Instant::now());
        let peer = |text: &str| text.parse().expect("an address");
        for _ in 0..AT_ONCE {
            assert_eq!(failures.count(peer("2001:db8::1"), now), None);
        }
        assert_eq!(failures.count(peer("2001:db8::2"), now), Some(EACH));
        assert_eq!(failures.count(peer("2001:db8:0:1::1"), now), None);
        assert_eq!(failures.count(peer("10.0.0.1"), now), None);
        let later = now + EACH;
        assert_eq!(failures.count(peer("2001:db8::1"), later), None);
        assert_eq!(failures.count(peer("2001:db8::1"), later), Some(EACH));
    }

    #[test]
    fn a_crowd_takes_no_more_memory_than_there_is_for_it() {
        let (mut failures, now) = (Failures::default(), Instant::now());
        for number in 0..3000_u32 {
            failures.count(IpAddr::from(number.to_be_bytes()), now);
        }
        assert_eq!(failures.until.len(), MOST_ADDRESSES + 1);
        assert!(failures.count(IpAddr::from([10, 0, 0, 1]), now).is_some());
        assert_eq!(failures.count(IpAddr::from([10, 0, 0, 1]), now + EACH * (AT_ONCE + 1)), None);
        assert_eq!(failures.until.len(), 1);
    }
}
