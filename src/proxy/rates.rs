//! How often each client network has asked a site that limits it, for all workers together and in bounded memory.
//!
//! A bucket is one number: the moment at which it will be full again (the generic cell rate algorithm). One that is full says nothing, so
//! its place is free. A place is one atomic word, moment and part of the key together, so that nobody ever waits for another; the places
//! that a key may have are one cache line.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::live::RateLimit;

/// The buckets of all sites and networks. Without a site that limits anybody there is no memory for them.
pub struct Rates {
    begun: Instant,
    hasher: RandomState,
    lines: OnceLock<Box<[Line]>>,
}

/// The places of the keys that share them.
#[derive(Default)]
#[repr(align(64))]
struct Line([AtomicU64; 8]);

impl Default for Rates {
    fn default() -> Self {
        Self { begun: Instant::now(), hasher: RandomState::new(), lines: OnceLock::new() }
    }
}

impl Rates {
    /// Takes a token of the client's network at a site.
    ///
    /// # Errors
    /// How long it is until there is one.
    pub(super) fn take(&self, site: &str, client: IpAddr, limit: &RateLimit, now: Instant) -> Result<(), Duration> {
        let lines = self.lines.get_or_init(|| (0..LINES).map(|_| Line::default()).collect());
        let key = self.hasher.hash_one((site, limit.network(client)));
        // The upper bits are the tag, the lower choose the line: they tell of each other nothing.
        let (Line(places), tag) = (&lines[key as usize % LINES], key & !MOMENT);
        let now = ticks(now.saturating_duration_since(self.begun));
        let (interval, room) = (ticks(limit.interval).max(1), ticks(limit.interval).max(1) * u64::from(limit.burst));
        loop {
            let (place, seen) = find(places, tag);
            let full_at = if seen & !MOMENT == tag { (seen & MOMENT).max(now) } else { now };
            let next = full_at + interval;
            if next - now > room {
                return Err(duration(next - now - room));
            }
            let said = tag | (next & MOMENT);
            if place.compare_exchange_weak(seen, said, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                return Ok(());
            }
        }
    }
}

/// The place of the key, else the one that is or will be free first. Whoever loses a place to another has a full bucket again: in doubt
/// somebody asks too often, rather than not at all.
fn find(places: &[AtomicU64; 8], tag: u64) -> (&AtomicU64, u64) {
    let mut first = (&places[0], places[0].load(Ordering::Relaxed));
    for place in places {
        let seen = place.load(Ordering::Relaxed);
        if seen & !MOMENT == tag && seen != 0 {
            return (place, seen);
        }
        if seen & MOMENT < first.1 & MOMENT {
            first = (place, seen);
        }
    }
    first
}

/// Ticks of a sixteenth of a millisecond, from 1 on: 0 is a place that was never taken.
fn ticks(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos() / TICK.as_nanos()).unwrap_or(u64::MAX >> 1)
}

fn duration(ticks: u64) -> Duration {
    Duration::from_nanos(62_500 * ticks)
}

/// 65,536 places in 512 KiB: more networks than ask one edge within the time in which a bucket fills.
const LINES: usize = 8192;
/// Fine enough for a thousand requests a second.
const TICK: Duration = Duration::from_nanos(62_500);
/// The bits that say when the bucket is full again, of which the edge does not use up all in eight years; the 22 others are of the key:
/// of 600,000 networks that ask at once, one shares the bucket of another.
const MOMENT: u64 = (1 << 42) - 1;

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::*;

    fn limit(interval: u64, burst: u32) -> RateLimit {
        RateLimit { interval: Duration::from_millis(interval), burst, ipv4_prefix: 32, ipv6_prefix: 64 }
    }

    fn client(number: u32) -> IpAddr {
        std::net::Ipv4Addr::from_bits(number).into()
    }

    #[test]
    fn a_burst_passes_and_then_one_in_each_interval() {
        let (rates, limit) = (Rates::default(), limit(100, 3));
        let at = |millis| rates.begun + Duration::from_millis(millis);
        let ask = |millis| rates.take("shop", client(1), &limit, at(millis));
        assert_eq!([ask(5), ask(5), ask(5)], [Ok(()); 3]);
        assert_eq!(ask(5), Err(Duration::from_millis(100)));
        assert_eq!(ask(65), Err(Duration::from_millis(40)));
        assert_eq!([ask(105), ask(106)], [Ok(()), Err(Duration::from_millis(99))]);
        assert_eq!([ask(9000), ask(9000), ask(9000)], [Ok(()); 3]);
        assert_eq!(ask(9000), Err(Duration::from_millis(100)));
    }

    #[test]
    fn each_site_and_network_has_a_bucket_of_its_own() {
        let (rates, limit) = (Rates::default(), limit(1000, 1));
        let now = rates.begun;
        for (site, of) in [("a", 1), ("a", 2), ("b", 1)] {
            assert_eq!(rates.take(site, client(of), &limit, now), Ok(()), "{site} {of}");
            assert_eq!(rates.take(site, client(of), &limit, now), Err(Duration::from_secs(1)), "{site} {of}");
        }
    }

    #[test]
    fn more_networks_than_places_take_no_more_memory_and_refuse_nobody() {
        let (rates, limit) = (Rates::default(), limit(60_000, 1));
        let now = rates.begun;
        let refused = (0..200_000).filter(|number| rates.take("shop", client(*number), &limit, now).is_err()).count();
        // Those who share a bucket by chance: one in three times that this runs. More than eight: never in anybody's life.
        assert!(refused <= 8, "{refused}");
        assert_eq!(rates.lines.get().map(|lines| size_of_val(&**lines)), Some(512 * 1024));
    }

    #[test]
    fn workers_that_ask_at_once_get_no_more_than_there_is() {
        let (rates, limit) = (Rates::default(), limit(60_000, 1000));
        let (now, passed) = (rates.begun, AtomicU32::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        let taken = rates.take("shop", client(1), &limit, now).is_ok();
                        passed.fetch_add(u32::from(taken), Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(passed.into_inner(), 1000);
    }
}
