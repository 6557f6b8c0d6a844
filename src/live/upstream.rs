//! The servers behind the edge, how each of them is doing, and which of a group a request may go to.
//!
//! How a server is doing lies in atomics that all workers and the control plane share: a request reads one of them, and writes
//! none as long as everything is well.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use http::StatusCode;

/// One server behind the edge, spoken to in HTTP/1.1 without TLS.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Upstream {
    /// A name or an IP address without brackets.
    pub host: Box<str>,
    /// The TCP port.
    pub port: u16,
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Servers that answer alike, as the configuration gives them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GroupSpec {
    /// At least one.
    pub upstreams: Vec<Upstream>,
    /// When one is left alone, and what is asked of another.
    pub care: Care,
}

/// When a server is left alone, and what is asked of another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Care {
    /// After so many failures in a row a server is left alone; 0: never.
    pub eject_after: u32,
    /// For how long at first; twice as long each time, [`LONGEST_REST`] at most.
    pub eject_for: Duration,
    /// How often a request that failed may be sent to another server.
    pub retries: u32,
    /// Answers with these are failures of the server.
    pub failure_statuses: Vec<u16>,
}

impl Default for Care {
    fn default() -> Self {
        Self { eject_after: 5, eject_for: Duration::from_secs(10), retries: 1, failure_statuses: Vec::new() }
    }
}

impl From<Vec<Upstream>> for GroupSpec {
    fn from(upstreams: Vec<Upstream>) -> Self {
        Self { upstreams, care: Care::default() }
    }
}

/// Servers that answer alike.
#[derive(Clone, Debug)]
pub struct UpstreamGroup {
    /// At least one.
    pub members: Box<[Member]>,
    /// When one is left alone, and what is asked of another.
    pub care: Care,
}

/// A server of a group.
#[derive(Clone, Debug)]
pub struct Member {
    /// Where it is.
    pub upstream: Upstream,
    /// How it is doing, in whatever groups it is.
    pub state: Arc<UpstreamState>,
}

impl UpstreamGroup {
    /// Whether an answer with this status is a failure of the server.
    #[must_use]
    pub fn is_failure(&self, status: StatusCode) -> bool {
        !self.care.failure_statuses.is_empty() && self.care.failure_statuses.contains(&status.as_u16())
    }

    /// A member answered.
    #[inline]
    pub fn succeeded(&self, place: usize) {
        if let Some(member) = self.members.get(place) {
            member.state.succeed();
        }
    }

    /// A member failed a request. Gives for how long it is left alone, if it is from now on: the last one that is there never is.
    pub fn failed(&self, place: usize) -> Option<Duration> {
        let state = &self.members.get(place)?.state;
        let failures = state.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        let was_tried = state.is_tried.swap(false, Ordering::Relaxed);
        let is_over = self.care.eject_after > 0 && failures >= self.care.eject_after;
        // What was under way when its rest began says nothing new.
        if !is_over || (state.is_resting() && !was_tried) {
            return None;
        }
        let mut others = self.members.iter().enumerate().filter(|(other, _)| *other != place);
        if !others.any(|(_, member)| !member.state.is_resting()) {
            return None;
        }
        let times = state.rests.fetch_add(1, Ordering::Relaxed);
        let rest = self.care.eject_for.saturating_mul(1 << times.min(16)).min(LONGEST_REST);
        state.resting.store(since_start(Instant::now() + rest), Ordering::Relaxed);
        Some(rest)
    }
}

/// How a server is doing.
#[derive(Debug, Default)]
pub struct UpstreamState {
    /// Until when it is left alone, in milliseconds since the process began; 0: it is not.
    resting: AtomicU64,
    /// Its rest was over, and one request tries whether it is there again.
    is_tried: AtomicBool,
    /// Failures in a row.
    failures: AtomicU32,
    /// How often it was left alone since it answered last.
    rests: AtomicU32,
}

impl UpstreamState {
    /// Whether a request may go there. When its rest is over one may, and others when that one was answered: whoever does not answer
    /// would keep many waiting each time.
    #[inline]
    #[must_use]
    pub fn admits(&self) -> bool {
        let until = self.resting.load(Ordering::Relaxed);
        until == 0 || self.may_be_tried(until)
    }

    #[cold]
    fn may_be_tried(&self, until: u64) -> bool {
        let now = Instant::now();
        let next = since_start(now + TRIAL);
        let is_mine = until <= since_start(now)
            && self.resting.compare_exchange(until, next, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if is_mine {
            self.is_tried.store(true, Ordering::Relaxed);
        }
        is_mine
    }

    /// Whether it is left alone.
    #[must_use]
    pub fn is_resting(&self) -> bool {
        self.rest().is_some()
    }

    /// For how long it is left alone yet, a trial not counted.
    #[must_use]
    pub fn rest(&self) -> Option<Duration> {
        let left = self.resting.load(Ordering::Relaxed).saturating_sub(since_start(Instant::now()));
        (left > 0).then(|| Duration::from_millis(left))
    }

    /// Failures in a row.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures.load(Ordering::Relaxed)
    }

    #[inline]
    fn succeed(&self) {
        // Nearly always there is nothing to forget, and a line that nobody writes is in everybody's cache.
        if self.failures.load(Ordering::Relaxed) != 0 {
            for count in [&self.failures, &self.rests] {
                count.store(0, Ordering::Relaxed);
            }
            self.is_tried.store(false, Ordering::Relaxed);
            self.resting.store(0, Ordering::Relaxed);
        }
    }
}

/// How all servers are doing, whatever table they are in: a reload forgets nothing. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct UpstreamStates(Arc<Mutex<HashMap<Upstream, Weak<UpstreamState>>>>);

impl UpstreamStates {
    /// A group as it is now.
    #[must_use]
    pub fn group(&self, spec: &GroupSpec) -> UpstreamGroup {
        let members =
            spec.upstreams.iter().map(|upstream| Member { upstream: upstream.clone(), state: self.of(upstream) });
        UpstreamGroup { members: members.collect(), care: spec.care.clone() }
    }

    /// How a server is doing.
    #[must_use]
    pub fn of(&self, upstream: &Upstream) -> Arc<UpstreamState> {
        let mut states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = states.get(upstream).and_then(Weak::upgrade) {
            return known;
        }
        let new = Arc::<UpstreamState>::default();
        states.insert(upstream.clone(), Arc::downgrade(&new));
        new
    }

    /// Forgets those that no table has any more.
    pub fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, state| state.strong_count() > 0);
    }
}

/// Milliseconds since the first look at it, and one more: none is 0.
fn since_start(moment: Instant) -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(moment.saturating_duration_since(*START).as_millis()).unwrap_or(u64::MAX).saturating_add(1)
}

/// A server that comes back is found again within this time.
pub const LONGEST_REST: Duration = Duration::from_mins(5);
/// A request that tries whether a server is there again has so long before the next one tries.
const TRIAL: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    fn group(count: u16, eject_after: u32, eject_for: Duration) -> UpstreamGroup {
        let upstreams = (1..=count).map(|port| Upstream { host: "127.0.0.1".into(), port }).collect();
        let care = Care { eject_after, eject_for, ..Care::default() };
        UpstreamStates::default().group(&GroupSpec { upstreams, care })
    }

    fn admitted(group: &UpstreamGroup) -> Vec<bool> {
        group.members.iter().map(|member| member.state.admits()).collect()
    }

    #[test]
    fn who_fails_in_a_row_is_left_alone_and_the_last_one_never_is() {
        let hour = Duration::from_hours(1);
        let group = group(3, 2, hour);
        assert_eq!(group.failed(0), None);
        group.succeeded(0);
        assert_eq!(group.failed(0), None);
        assert_eq!(group.failed(0), Some(LONGEST_REST));
        // What was under way.
        assert_eq!((group.failed(0), group.members[0].state.failures()), (None, 3));
        assert_eq!(admitted(&group), [false, true, true]);
        assert_eq!((group.failed(1), group.failed(1)), (None, Some(LONGEST_REST)));
        assert_eq!((group.failed(2), group.failed(2), group.failed(2)), (None, None, None));
        assert_eq!(admitted(&group), [false, false, true]);
        group.succeeded(0);
        assert_eq!(admitted(&group), [true, false, true]);
        assert_eq!(self::group(2, 0, hour).failed(0), None);
    }

    #[test]
    fn one_request_tries_whether_it_is_there_again() {
        let group = group(2, 1, Duration::ZERO);
        assert_eq!(group.failed(0), Some(Duration::ZERO));
        assert_eq!((admitted(&group), admitted(&group)), (vec![true, true], vec![false, true]));
        // It fails, and the next rest is over at once too.
        assert_eq!(group.failed(0), Some(Duration::ZERO));
        assert_eq!((admitted(&group), admitted(&group)), (vec![true, true], vec![false, true]));
        group.succeeded(0);
        assert_eq!((admitted(&group), admitted(&group)), (vec![true, true], vec![true, true]));
    }

    #[test]
    fn rests_grow_until_it_answers() {
        let group = group(2, 1, Duration::from_millis(1));
        let mut rests = Vec::new();
        while rests.len() < 4 {
            rests.extend(group.failed(0));
            while !group.members[0].state.admits() {
                std::thread::yield_now();
            }
        }
        assert_eq!(rests.iter().map(Duration::as_millis).collect::<Vec<_>>(), [1, 2, 4, 8]);
        group.succeeded(0);
        assert_eq!(group.failed(0), Some(Duration::from_millis(1)));
    }

    #[test]
    fn how_a_server_is_doing_is_one_thing_in_all_groups_and_outlasts_a_table() {
        let states = UpstreamStates::default();
        let spec =
            GroupSpec::from(vec![Upstream { host: "a".into(), port: 1 }, Upstream { host: "b".into(), port: 1 }]);
        let (one, other) = (states.group(&spec), states.group(&spec));
        one.failed(0);
        assert_eq!(other.members[0].state.failures(), 1);
        drop(one);
        states.forget();
        assert_eq!(states.group(&spec).members[0].state.failures(), 1);
        drop(other);
        states.forget();
        assert!(states.0.lock().expect("no panic").is_empty());
        assert_eq!(states.group(&spec).members[0].state.failures(), 0);
    }
}
