//! The servers behind the edge, how each of them is doing, and which of a group a request may go to.
//!
//! How a server is doing is shared by all workers and the control plane: a request reads two atomics of it, and takes no lock as
//! long as everything is well.

mod state;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use http::StatusCode;

pub use state::{Condition, Lever, UpstreamState};

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
    /// What the edge asks by itself to see whether a server is there.
    pub check: Option<Check>,
}

/// What the edge asks a server by itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Check {
    /// Begins with a slash.
    pub path: Box<str>,
    /// The name that is asked for; `None`: the server's address.
    pub host: Option<Box<str>>,
    /// Between two questions.
    pub interval: Duration,
    /// How long an answer may take.
    pub timeout: Duration,
    /// Good answers have a status from the first to the last.
    pub statuses: (u16, u16),
    /// A server that is down is there again after so many good answers in a row.
    pub healthy_after: u32,
    /// A server is down after so many others in a row.
    pub unhealthy_after: u32,
}

impl Default for Care {
    fn default() -> Self {
        Self {
            eject_after: 5,
            eject_for: Duration::from_secs(10),
            retries: 1,
            failure_statuses: Vec::new(),
            check: None,
        }
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
        // Nearly always there is nothing to forget, and a line that nobody writes is in everybody's cache.
        if let Some(state) = self.members.get(place).map(|member| &member.state)
            && state.failures() != 0
        {
            state.change(|doing| (doing.failures, doing.rests, doing.resting, doing.is_tried) = (0, 0, None, false));
        }
    }

    /// A member failed a request. Gives for how long it is left alone, if it is from now on: the last one that is there never is.
    pub fn failed(&self, place: usize) -> Option<Duration> {
        let state = &self.members.get(place)?.state;
        let mut others = self.members.iter().enumerate().filter(|(other, _)| *other != place);
        let is_the_last = !others.any(|(_, member)| member.state.condition() == Condition::Ready);
        state.change(|doing| {
            doing.failures = doing.failures.saturating_add(1);
            let was_tried = std::mem::take(&mut doing.is_tried);
            let is_over = self.care.eject_after > 0 && doing.failures >= self.care.eject_after;
            // What was under way when its rest began says nothing new.
            if !is_over || is_the_last || (doing.resting.is_some() && !was_tried) {
                return None;
            }
            let rest = self.care.eject_for.saturating_mul(1 << doing.rests.min(16)).min(LONGEST_REST);
            doing.rests = doing.rests.saturating_add(1);
            doing.resting = Some(Instant::now() + rest);
            Some(rest)
        })
    }
}

/// How all servers are doing, whatever table they are in: a reload forgets nothing. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct UpstreamStates(Arc<Mutex<HashMap<Key, Weak<UpstreamState>>>>);

/// Who is asked otherwise may do otherwise.
type Key = (Upstream, Option<Check>);

impl UpstreamStates {
    /// A group as it is now.
    #[must_use]
    pub fn group(&self, spec: &GroupSpec) -> UpstreamGroup {
        let check = spec.care.check.as_ref();
        let members = spec
            .upstreams
            .iter()
            .map(|upstream| Member { upstream: upstream.clone(), state: self.of(upstream, check) });
        UpstreamGroup { members: members.collect(), care: spec.care.clone() }
    }

    fn of(&self, upstream: &Upstream, check: Option<&Check>) -> Arc<UpstreamState> {
        let mut states = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (upstream.clone(), check.cloned());
        if let Some(known) = states.get(&key).and_then(Weak::upgrade) {
            return known;
        }
        let new = Arc::<UpstreamState>::default();
        states.insert(key, Arc::downgrade(&new));
        new
    }

    /// Forgets those that no table has any more.
    pub fn forget(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, state| state.strong_count() > 0);
    }
}

/// A server that comes back is found again within this time.
pub const LONGEST_REST: Duration = Duration::from_mins(5);
#[cfg(test)]
mod tests;
