//! The servers behind the edge, how each of them is doing, and which of a group a request may go to.
//!
//! How a server is doing is shared by all workers and the control plane: a request reads two atomics of it, and takes no lock as
//! long as everything is well.

mod balance;
mod load;
mod own;
mod server;
mod state;
mod states;
mod sticky;
mod tls;
mod whereabouts;

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::StatusCode;

pub use balance::{Balance, BalanceMethod, MOST_WEIGHT, MemberSpec, OpenLimit, Sticky, bid, number_of};
pub use load::{Load, Place, Queue, Waiting};
pub use own::is_own_listener;
pub use server::{ProxyVersion, Speech, Upstream, UpstreamAddress};
pub use state::{Condition, Lever, UpstreamState};
pub use states::UpstreamStates;
pub use sticky::{Cookies, Kept, StickyKey};
pub use tls::{TlsTerms, UpstreamTls};
pub use whereabouts::{Finder, Whereabouts};

/// Servers that answer alike, as the configuration gives them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GroupSpec {
    /// At least one.
    pub upstreams: Vec<MemberSpec>,
    /// When one is left alone, and what is asked of another.
    pub care: Care,
    /// How requests are shared out.
    pub balance: Balance,
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
    /// An answer that begins later than this is a failure of the server; `None`: no answer is too slow.
    pub eject_slower_than: Option<Duration>,
    /// For so long a server that came back gets less than its share; `None`: it gets all at once.
    pub slow_start: Option<Duration>,
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
            eject_slower_than: None,
            slow_start: None,
            check: None,
        }
    }
}

impl From<Vec<Upstream>> for GroupSpec {
    fn from(upstreams: Vec<Upstream>) -> Self {
        let upstreams = upstreams.into_iter().map(MemberSpec::from).collect();
        Self { upstreams, care: Care::default(), balance: Balance::default() }
    }
}

/// Servers that answer alike.
#[derive(Clone, Debug)]
pub struct UpstreamGroup {
    /// At least one.
    pub members: Box<[Member]>,
    /// When one is left alone, and what is asked of another.
    pub care: Care,
    /// How requests are shared out.
    pub balance: Balance,
    /// The cookies by which clients come back, if there are any.
    pub cookies: Option<Arc<Cookies>>,
    /// Who waits for a place, where places are limited.
    pub queue: Option<Arc<Queue>>,
}

/// A server of a group.
#[derive(Clone, Debug)]
pub struct Member {
    /// Where it is.
    pub upstream: Upstream,
    /// Its share beside the others'; 0: it gets requests only when nobody else is there.
    pub weight: u32,
    /// How it is doing, in whatever groups it is.
    pub state: Arc<UpstreamState>,
    /// How many requests it has; `None`: nobody needs to know.
    pub load: Option<Arc<Load>>,
    /// Where its name leads; `None`: it is not addressed by one.
    pub whereabouts: Option<Arc<Whereabouts>>,
    /// What it bids for clients with.
    pub number: u64,
}

/// A server has as many requests as it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl UpstreamGroup {
    /// A member's share, to be compared with the others'; less for a while after it came back. Nobody's is nothing: who is chosen among those
    /// that should get none still does.
    #[inline]
    #[must_use]
    pub fn share(&self, member: &Member) -> u64 {
        let all = u64::from(member.weight.max(1)) * balance::FULL;
        let risen = self.care.slow_start.and_then(|whole| member.state.risen(whole));
        risen.map_or(all, |part| (all * part / balance::FULL).max(1))
    }

    /// Whether an answer with this status is a failure of the server.
    #[must_use]
    pub fn is_failure(&self, status: StatusCode) -> bool {
        !self.care.failure_statuses.is_empty() && self.care.failure_statuses.contains(&status.as_u16())
    }

    /// A place for a request at a member; nothing, where nobody counts.
    ///
    /// # Errors
    /// It has as many as it may.
    #[inline]
    pub fn take(&self, place: usize) -> Result<Option<Place>, Full> {
        let Some(load) = self.members.get(place).and_then(|member| member.load.as_ref()) else { return Ok(None) };
        match &self.balance.limit {
            None => Ok(Some(load.take())),
            Some(limit) => load.take_below(limit.connections).map(Some).ok_or(Full),
        }
    }

    /// Waits for a place at one of these members, which are full. `None`: too many wait already.
    #[must_use]
    pub fn wait(&self, places: &[usize]) -> Option<Waiting> {
        let loads = places.iter().filter_map(|place| Some((*place, self.members.get(*place)?.load.as_ref()?)));
        self.queue.as_ref()?.wait(loads, self.balance.limit.as_ref()?.connections)
    }

    /// Whether the operator wants none of them to get anything.
    #[must_use]
    pub fn is_in_maintenance(&self) -> bool {
        self.members.iter().all(|member| member.state.condition() == Condition::Maintenance)
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

/// A server that comes back is found again within this time.
pub const LONGEST_REST: Duration = Duration::from_mins(5);
#[cfg(test)]
mod tests;
