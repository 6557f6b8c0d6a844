//! Upstream connections that wait for their next request.

use std::cell::RefCell;
use std::future::ready;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::Either;
use hashbrown::{HashMap, HashSet};

use super::choice::Asked;
use super::http2_stream::Http2Stream;
use super::introduction::Introduction;
use super::lease::Lease;
use super::link::{Link, Scratch, scratch};
use super::search::{self, Search};
use super::sessions::Sessions;
use super::stream::UpstreamStream;
use crate::live::{Member, Upstream, UpstreamGroup, Whereabouts};
use crate::proxy::alarm::Alarms;
use crate::proxy::permits::Permits;
use crate::proxy::worker::{View, Worker};
use crate::telemetry::UpstreamFailure;

/// One worker's pools, one for each upstream. They outlive a reload that keeps the upstream.
pub(in crate::proxy) struct Pools {
    pools: RefCell<HashMap<Upstream, Rc<Pool>>>,
    scratch: Scratch,
}

impl Default for Pools {
    fn default() -> Self {
        Self { pools: RefCell::default(), scratch: scratch() }
    }
}

/// Why there is no connection.
pub(in crate::proxy) enum NoLease {
    /// None of the group's upstreams could be connected to; this is the last one, not counted and not logged yet.
    Unreachable { failure: UpstreamFailure, upstream: Arc<str> },
    /// All upstreams have as many requests as they may, and as many wait as may.
    QueueFull,
    /// All upstreams have as many requests as they may, and no place became free in time.
    QueueTimeout { patience: Duration },
    /// The operator has taken all of the group's upstreams out.
    Maintenance,
    /// The edge has as many upstream connections as it may, and none became free in time.
    Full,
    /// The edge is out of file descriptors.
    Descriptors,
}

/// Which connection will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::proxy) enum Wanted {
    /// One that waits, else a new one.
    Any,
    /// A new one, in place of one that had just been closed.
    Fresh,
    /// One to another upstream than that in this place of the group.
    NotFrom(usize),
}

pub(super) struct Pool {
    name: Arc<str>,
    /// Where the upstream's name leads; `None`: it is not addressed by one.
    whereabouts: Option<Arc<Whereabouts>>,
    clock: Alarms,
    permits: Arc<Permits>,
    idle: RefCell<Vec<Idle>>,
    pub(super) sessions: Sessions,
}

struct Idle {
    connection: Link,
    /// When it came back, in the worker's milliseconds.
    since: u64,
}

impl Pools {
    /// A connection to one of the group's upstreams: an idle one, or a new one, which may take so long. One that cannot be connected to
    /// is passed over.
    pub(in crate::proxy) fn lease<'a>(
        &'a self,
        worker: &'a Worker,
        view: &'a View,
        group: usize,
        asked: Asked,
        wanted: Wanted,
        (patience, introduced): (Duration, Option<&'a Introduction>),
    ) -> impl Future<Output = Result<Lease, NoLease>> + use<'a> {
        let Some(group) = view.group(group) else {
            return Either::Left(ready(Err(search::nobody())));
        };
        let idle = view.table.limits.upstream_idle_timeout;
        let mut search = Search::new(self, worker, group, asked, wanted, introduced, (idle, patience));
        match search.at_once() {
            Ok(lease) => Either::Left(ready(Ok(lease))),
            // Boxed: waiting is rare and its future large, and every request's future would carry the room for it.
            Err(chosen) => Either::Right(Box::pin(search.go_on(chosen))),
        }
    }

    /// Closes what has been idle for longer than `patience`. `now` is in the worker's milliseconds.
    pub(in crate::proxy) fn expire(&self, now: u64, patience: Duration) {
        let patience = milliseconds(patience);
        self.pools.borrow_mut().retain(|_, pool| {
            let mut idle = pool.idle.borrow_mut();
            idle.retain(|idle| idle.is_fit(now, patience) && pool.leads_to(&idle.connection));
            // One without connections is made anew when it is needed; there may be as many upstreams as sites.
            pool.sessions.expire(now, patience);
            pool.sessions.leave(pool.whereabouts.as_deref());
            !idle.is_empty() || !pool.sessions.is_empty() || Rc::strong_count(pool) > 1
        });
    }

    /// Closes idle connections to upstreams that are in no group any more. To be called when the groups have changed.
    pub(in crate::proxy) fn forget_all_but(&self, groups: &[UpstreamGroup]) {
        let members = groups.iter().flat_map(|group| &group.members);
        let kept: HashSet<&Upstream> = members.map(|member| &member.upstream).collect();
        self.pools.borrow_mut().retain(|upstream, _| kept.contains(upstream));
    }

    /// Closes up to `number` idle connections: somebody needs what they hold.
    pub(in crate::proxy) fn give_up(&self, mut number: usize) {
        for pool in self.pools.borrow().values() {
            let mut idle = pool.idle.borrow_mut();
            let oldest = number.min(idle.len());
            idle.drain(..oldest);
            number -= oldest;
            number -= pool.sessions.give_up(number);
            if number == 0 {
                return;
            }
        }
    }

    pub(super) fn pool(&self, worker: &Worker, member: &Member) -> Rc<Pool> {
        let upstream = &member.upstream;
        if let Some(pool) = self.pools.borrow().get(upstream) {
            return Rc::clone(pool);
        }
        let pool = Rc::new(Pool {
            name: upstream.to_string().into(),
            whereabouts: member.whereabouts.clone(),
            clock: worker.alarms.clone(),
            permits: Arc::clone(&worker.shared.permits),
            idle: RefCell::new(Vec::new()),
            sessions: Sessions::default(),
        });
        self.pools.borrow_mut().insert(upstream.clone(), Rc::clone(&pool));
        pool
    }

    /// A connection in HTTP/1.1 over what was opened.
    pub(super) fn link(&self, stream: UpstreamStream) -> Link {
        Link::new(stream, &self.scratch)
    }
}

impl Pool {
    /// What logs call the upstream.
    pub(super) const fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// Whether somebody waits for a connection that is not idle.
    pub(super) fn is_awaited(&self) -> bool {
        self.permits.upstreams_awaited() > 0
    }

    /// Keeps a connection for the next request, unless there are enough, or the upstream is elsewhere by now.
    pub(super) fn keep(&self, link: &Link) {
        if !self.leads_to(link) {
            return;
        }
        let mut idle = self.idle.borrow_mut();
        if idle.len() < MAX_IDLE {
            link.rest();
            idle.push(Idle { connection: link.clone(), since: self.clock.now() });
        }
    }

    /// Whether a connection leads to where the upstream is now.
    #[inline]
    fn leads_to(&self, link: &Link) -> bool {
        let Some(whereabouts) = &self.whereabouts else { return true };
        link.address().is_none_or(|address| whereabouts.is_at(address))
    }

    /// A stream of a connection in HTTP/2 that is there.
    pub(super) fn stream(&self) -> Option<(Http2Stream, bool)> {
        self.sessions.leave(self.whereabouts.as_deref());
        self.sessions.stream()
    }

    /// The connection that came back last: it is the least likely to have been closed meanwhile.
    pub(super) fn take_idle(&self, patience: Duration) -> Option<Link> {
        let (now, patience) = (self.clock.now(), milliseconds(patience));
        let mut idle = self.idle.borrow_mut();
        while let Some(candidate) = idle.pop() {
            if candidate.is_fit(now, patience) && self.leads_to(&candidate.connection) {
                return Some(candidate.connection);
            }
        }
        None
    }
}

impl Idle {
    /// Whether it may serve a request: it is open, and not so old that somebody on the way may have forgotten it.
    fn is_fit(&self, now: u64, patience: u64) -> bool {
        now.saturating_sub(self.since) < patience && self.connection.is_still_free()
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Idle connections kept for one upstream by one worker; more were a burst.
const MAX_IDLE: usize = 512;
