//! What all workers together have counted by a moment, and what lies between two such moments.

use std::sync::Arc;

use super::counters::{BUCKETS, WorkerCounters};
use super::labels::{HandshakeFailure, HandshakeKind, Label, Protocol};

/// What was counted since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// Responses.
    pub requests: u64,
    /// Those of them with a status of 500 or more.
    pub errors: u64,
    /// Handshakes that ended well.
    pub handshakes: u64,
    /// Handshakes that did not.
    pub failed_handshakes: u64,
    /// How many responses fell into each bucket of durations.
    buckets: [u64; BUCKETS.len() + 1],
}

impl Sample {
    /// What these workers have counted by now.
    #[must_use]
    pub fn of(workers: &[Arc<WorkerCounters>]) -> Self {
        let mut sample = Self::default();
        for worker in workers {
            for protocol in Protocol::ALL {
                for code in CODES {
                    let count = worker.responses.value(*protocol, code);
                    sample.requests += count;
                    sample.errors += if code >= FIRST_ERROR { count } else { 0 };
                }
            }
            sample.handshakes += HandshakeKind::ALL.iter().map(|kind| worker.handshakes.of(*kind).value()).sum::<u64>();
            let failed = HandshakeFailure::ALL.iter().map(|why| worker.handshake_failures.of(*why).value());
            sample.failed_handshakes += failed.sum::<u64>();
            let (buckets, _) = worker.durations.values();
            sample.buckets.iter_mut().zip(buckets).for_each(|(sum, count)| *sum += count);
        }
        sample
    }

    /// What came since an earlier one.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let less = |now: u64, before: u64| now.saturating_sub(before);
        Self {
            requests: less(self.requests, earlier.requests),
            errors: less(self.errors, earlier.errors),
            handshakes: less(self.handshakes, earlier.handshakes),
            failed_handshakes: less(self.failed_handshakes, earlier.failed_handshakes),
            buckets: std::array::from_fn(|place| less(self.buckets[place], earlier.buckets[place])),
        }
    }

    /// In how many seconds so many hundredths of the responses were done, at most: the bound of their bucket. `None`: there were none.
    #[must_use]
    pub fn percentile(&self, hundredths: u64) -> Option<f64> {
        let total: u64 = self.buckets.iter().sum();
        let wanted = (total * hundredths).div_ceil(100);
        let mut seen = 0;
        let reached = |count: &u64| {
            seen += count;
            seen >= wanted
        };
        let place = self.buckets.iter().position(reached).filter(|_| total > 0)?;
        let bound = BUCKETS.get(place).or(BUCKETS.last()).map(|(_, nanoseconds)| *nanoseconds)?;
        Some(bound as f64 / 1e9)
    }
}

/// Every status there is.
const CODES: std::ops::RangeInclusive<u16> = 100..=599;
const FIRST_ERROR: u16 = 500;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_lies_between_two_moments_is_told_with_how_long_it_took() {
        let workers: [Arc<WorkerCounters>; 2] = Default::default();
        workers[0].responses.count(Protocol::ALL[0], 200);
        let before = Sample::of(&workers);
        assert_eq!((before.requests, before.errors, before.percentile(50)), (1, 0, None));
        for (worker, code, milliseconds) in [(0, 200, 3), (1, 404, 4), (1, 502, 900), (0, 200, 2)] {
            workers[worker].responses.count(Protocol::ALL[0], code);
            workers[worker].durations.record(Duration::from_millis(milliseconds));
        }
        workers[1].handshakes.count(HandshakeKind::ALL[0]);
        workers[0].handshake_failures.count(HandshakeFailure::ALL[0]);
        let between = Sample::of(&workers).since(&before);
        assert_eq!((between.requests, between.errors), (4, 1));
        assert_eq!((between.handshakes, between.failed_handshakes), (1, 1));
        assert_eq!((between.percentile(50), between.percentile(99)), (Some(0.005), Some(1.0)));
    }
}
