//! What the hot path counts: one block of counters per worker, written by that worker alone, summed at scrape.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::labels::{
    AcceptTrouble, GateRule, HandshakeFailure, HandshakeKind, Label, LocalAnswer, Protocol, Shed, StatusClass,
    UpstreamFailure,
};

/// A counter or gauge with one writer: the owner adds without a locked instruction, anybody may read.
#[derive(Default)]
pub struct Count(AtomicU64);

impl Count {
    /// Adds; only the owning worker may.
    #[inline]
    pub fn add(&self, amount: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(amount), Ordering::Relaxed);
    }

    /// Takes away again; only the owning worker may.
    #[inline]
    pub fn sub(&self, amount: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_sub(amount), Ordering::Relaxed);
    }

    /// The value now.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// One [`Count`] for each value of a closed set.
pub struct Counts<L> {
    counts: Box<[Count]>,
    labels: PhantomData<L>,
}

impl<L: Label> Counts<L> {
    /// The count of one value.
    #[inline]
    pub fn of(&self, label: L) -> &Count {
        &self.counts[label.index()]
    }

    /// One more of `label`.
    #[inline]
    pub fn count(&self, label: L) {
        self.of(label).add(1);
    }
}

impl<L: Label> Default for Counts<L> {
    fn default() -> Self {
        Self { counts: L::ALL.iter().map(|_| Count::default()).collect(), labels: PhantomData }
    }
}

/// Everything one worker counts. Padded to its own cache lines, so that workers never share one.
#[derive(Default)]
#[repr(align(128))]
pub struct WorkerCounters {
    /// Connections accepted.
    pub accepted: Count,
    /// Connections open now.
    pub open: Counts<Protocol>,
    /// Accepting paused or failed.
    pub accept_trouble: Counts<AcceptTrouble>,
    /// Handshakes that ended well.
    pub handshakes: Counts<HandshakeKind>,
    /// Handshakes that did not.
    pub handshake_failures: Counts<HandshakeFailure>,
    /// Connections ended by a limit.
    pub shed: Counts<Shed>,
    /// Responses by protocol and status code.
    pub responses: ResponseCounts,
    /// How long responses took, from the request's head to the last octet of the response.
    pub durations: Histogram,
    /// Requests the gate refused.
    pub refused: Counts<GateRule>,
    /// Requests the edge answered itself.
    pub local_answers: Counts<LocalAnswer>,
    /// Octets of request bodies passed on.
    pub received: Count,
    /// Octets of response bodies passed on.
    pub sent: Count,
    /// Connections made to upstreams.
    pub upstream_connects: Count,
    /// Requests sent over a connection that was used before.
    pub upstream_reuses: Count,
    /// Upstream connections open now.
    pub upstream_open: Count,
    /// Failures of upstreams.
    pub upstream_failures: Counts<UpstreamFailure>,
    /// Upstreams that were left alone because they kept failing.
    pub upstream_ejections: Count,
    /// Requests that were sent again, to another upstream.
    pub upstream_retries: Count,
    /// Requests that wait for a place at an upstream now.
    pub upstream_queue: Count,
    /// Access records dropped because the queue was full.
    pub access_records_dropped: Count,
    sites: Mutex<BTreeMap<Box<str>, Arc<SiteCounts>>>,
}

/// Responses of one site by class.
pub type SiteCounts = Counts<StatusClass>;

impl WorkerCounters {
    /// The counts of these sites, in order. Sites that are not named any more are forgotten; those that stay go on counting.
    /// Called when the routes change, never per request.
    pub fn keep_sites<'a>(&self, labels: impl Iterator<Item = &'a str>) -> Vec<Arc<SiteCounts>> {
        let mut sites = self.sites.lock().unwrap_or_else(PoisonError::into_inner);
        let mut kept = BTreeMap::new();
        let counts = labels
            .map(|label| {
                let count = sites.get(label).map(Arc::clone).unwrap_or_default();
                kept.insert(label.into(), Arc::clone(&count));
                count
            })
            .collect();
        *sites = kept;
        counts
    }

    /// Every site's label with its counts, for the scrape.
    pub fn sites(&self) -> Vec<(Box<str>, Arc<SiteCounts>)> {
        let sites = self.sites.lock().unwrap_or_else(PoisonError::into_inner);
        sites.iter().map(|(label, counts)| (label.clone(), Arc::clone(counts))).collect()
    }
}

/// Responses by protocol and status code.
pub struct ResponseCounts(Box<[Count]>);

impl ResponseCounts {
    /// One more response. A code outside 100 to 599 counts as 599.
    #[inline]
    pub fn count(&self, protocol: Protocol, code: u16) {
        self.0[Self::place(protocol, code)].add(1);
    }

    /// How many responses with this code.
    pub fn value(&self, protocol: Protocol, code: u16) -> u64 {
        self.0[Self::place(protocol, code)].value()
    }

    fn place(protocol: Protocol, code: u16) -> usize {
        let code = if (FIRST_CODE..=LAST_CODE).contains(&code) { code } else { LAST_CODE };
        protocol.index() * CODES + usize::from(code - FIRST_CODE)
    }
}

impl Default for ResponseCounts {
    fn default() -> Self {
        Self((0..Protocol::ALL.len() * CODES).map(|_| Count::default()).collect())
    }
}

/// Durations in fixed buckets: recording is two additions, and memory never grows.
#[derive(Default)]
pub struct Histogram {
    buckets: [Count; BUCKETS.len() + 1],
    nanoseconds: Count,
}

impl Histogram {
    /// One more observation.
    #[inline]
    pub fn record(&self, duration: Duration) {
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let place = BUCKETS.partition_point(|(_, bound)| *bound < nanoseconds);
        self.buckets[place].add(1);
        self.nanoseconds.add(nanoseconds);
    }

    /// How many observations fell into each bucket, the last one unbounded, and their sum in nanoseconds.
    pub fn values(&self) -> ([u64; BUCKETS.len() + 1], u64) {
        (std::array::from_fn(|place| self.buckets[place].value()), self.nanoseconds.value())
    }
}

/// Upper bounds of the buckets: as the exposition writes them in seconds, and in nanoseconds. From a cached page to a
/// checkout that waits for a payment provider.
pub const BUCKETS: [(&str, u64); 13] = [
    ("0.0005", 500_000),
    ("0.001", 1_000_000),
    ("0.0025", 2_500_000),
    ("0.005", 5_000_000),
    ("0.01", 10_000_000),
    ("0.025", 25_000_000),
    ("0.05", 50_000_000),
    ("0.1", 100_000_000),
    ("0.25", 250_000_000),
    ("0.5", 500_000_000),
    ("1", 1_000_000_000),
    ("5", 5_000_000_000),
    ("30", 30_000_000_000),
];
const FIRST_CODE: u16 = 100;
const LAST_CODE: u16 = 599;
const CODES: usize = (LAST_CODE - FIRST_CODE + 1) as usize;
