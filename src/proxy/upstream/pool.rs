//! Upstream connections that wait for their next request.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use hashbrown::{HashMap, HashSet};
use tokio::time::{Instant, timeout};

use super::choice::{Asked, Choice};
use super::connect::connect;
use super::http2::Http2;
use super::http2_stream::Http2Stream;
use super::introduction::Introduction;
use super::lease::Lease;
use super::link::{Link, Scratch, scratch};
use super::queue;
use super::sessions::Sessions;
use super::stream::UpstreamStream;
use super::transport::Unconnected;
use super::wire::Wire;
use crate::live::{Full, Member, Speech, Upstream, UpstreamGroup, Whereabouts};
use crate::proxy::alarm::Alarms;
use crate::proxy::permits::Permits;
use crate::proxy::worker::{View, Worker};
use crate::telemetry::{Label, UpstreamFailure};

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
    sessions: Sessions,
}

struct Idle {
    connection: Link,
    /// When it came back, in the worker's milliseconds.
    since: u64,
}

impl Pools {
    /// A connection to one of the group's upstreams: an idle one, or a new one, which may take so long. One that cannot be connected to
    /// is passed over.
    pub(in crate::proxy) async fn lease(
        &self,
        worker: &Worker,
        view: &View,
        group: usize,
        asked: Asked,
        wanted: Wanted,
        (patience, introduced): (Duration, Option<Introduction>),
    ) -> Result<Lease, NoLease> {
        let (Some(group), Some(rota)) = (view.table.groups().get(group), view.rota(group)) else {
            return Err(nobody());
        };
        let limits = &view.table.limits;
        let without = match wanted {
            Wanted::NotFrom(place) => Some(place),
            Wanted::Any | Wanted::Fresh => None,
        };
        let mut last: Option<(UpstreamFailure, Arc<str>)> = None;
        let mut choice = Choice::new(group, rota, asked, without);
        let mut has_waited = false;
        loop {
            let (place, open) = match choice.next() {
                Some(place) => match group.take(place) {
                    Ok(open) => (place, open),
                    Err(Full) if choice.is_full() && !has_waited => {
                        has_waited = true;
                        let (place, open) = Box::pin(queue::wait(worker, group, choice.full())).await?;
                        (place, Some(open))
                    }
                    Err(Full) => continue,
                },
                None if !has_waited && !choice.full().is_empty() => {
                    has_waited = true;
                    let (place, open) = Box::pin(queue::wait(worker, group, choice.full())).await?;
                    (place, Some(open))
                }
                None => break,
            };
            let member = &group.members[place];
            let upstream = &member.upstream;
            if let Some((failure, name)) = last.take() {
                worker.counters.upstream_failures.count(failure);
                worker.upstream_log.say(|| {
                    tracing::warn!(
                        upstream = &*name,
                        reason = failure.label(),
                        "no connection to an upstream; trying another"
                    );
                });
            }
            let pool = self.pool(worker, member);
            // What was said of who asks holds for all that follows.
            let is_for_one = upstream.announces.is_some();
            let kept = match upstream.speech {
                _ if wanted == Wanted::Fresh || is_for_one => None,
                Speech::Http1 => pool.take_idle(milliseconds(limits.upstream_idle_timeout)).map(Wire::Http1),
                Speech::Http2 => pool.stream().map(|(stream, _)| Wire::Http2(stream)),
            };
            let opened = match (kept, upstream.speech) {
                (Some(wire), _) => Ok((wire, true)),
                // Boxed: connecting is rare and its future large, and every request's future would carry the room for it.
                (None, Speech::Http1) => Box::pin(self.open(worker, member, introduced, patience)).await,
                (None, Speech::Http2) => Box::pin(self.join(worker, member, &pool, introduced, patience)).await,
            };
            match opened {
                Ok((wire, reused)) => {
                    worker.counters.upstream_reuses.add(u64::from(reused));
                    // What was kept is tried once.
                    let reused = reused && wanted != Wanted::Fresh;
                    return Ok(Lease { pool, wire, place, reused, last: is_for_one, open });
                }
                Err(NoLink::Full) => return Err(NoLease::Full),
                Err(NoLink::Unconnected(Unconnected::Descriptors)) => {
                    self.give_up(1);
                    return Err(NoLease::Descriptors);
                }
                Err(NoLink::Unconnected(Unconnected::Failed(failure))) => {
                    worker.upstream_failed(group, place);
                    last = Some((failure, Arc::clone(&pool.name)))
                }
            }
        }
        Err(match last {
            Some((failure, upstream)) => NoLease::Unreachable { failure, upstream },
            None if group.is_in_maintenance() => NoLease::Maintenance,
            None => nobody(),
        })
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

    fn pool(&self, worker: &Worker, member: &Member) -> Rc<Pool> {
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
}

impl Pools {
    /// A connection in HTTP/1.1.
    async fn open(
        &self,
        worker: &Worker,
        member: &Member,
        introduced: Option<Introduction>,
        patience: Duration,
    ) -> Result<(Wire, bool), NoLink> {
        let (stream, _) = self.connect(worker, member, introduced, patience).await?;
        Ok((Wire::Http1(Link::new(stream, &self.scratch)), false))
    }

    /// A stream of a connection in HTTP/2.
    async fn join(
        &self,
        worker: &Worker,
        member: &Member,
        pool: &Pool,
        introduced: Option<Introduction>,
        patience: Duration,
    ) -> Result<(Wire, bool), NoLink> {
        let upstream = &member.upstream;
        let open = async {
            let (stream, until) = self.connect(worker, member, introduced, patience).await?;
            let opened = Http2::open(stream, upstream.tls.is_some(), &worker.alarms, until).await;
            opened.map_err(NoLink::Unconnected)
        };
        let (stream, reused): (Http2Stream, bool) = match upstream.announces {
            Some(_) => open.await?.stream(),
            None => pool.sessions.stream_or(open).await?,
        };
        Ok((Wire::Http2(stream), reused))
    }

    /// Connects, and gives until when what else comes before the first request must be done.
    async fn connect(
        &self,
        worker: &Worker,
        member: &Member,
        introduced: Option<Introduction>,
        patience: Duration,
    ) -> Result<(UpstreamStream, Instant), NoLink> {
        let permits = &worker.shared.permits;
        let permit = match permits.take_upstream() {
            Some(permit) => permit,
            None => {
                self.give_up(1);
                timeout(patience, permits.await_upstream()).await.map_err(|_| NoLink::Full)?
            }
        };
        let until = Instant::now() + patience;
        let transport =
            connect(worker.shared.own_listeners(), member, introduced, until).await.map_err(NoLink::Unconnected)?;
        worker.counters.upstream_connects.add(1);
        Ok((UpstreamStream::new(transport, permit, &worker.counters), until))
    }
}

/// There is no upstream to choose.
fn nobody() -> NoLease {
    NoLease::Unreachable { failure: UpstreamFailure::Connect, upstream: "none".into() }
}

/// Why a connection could not be opened.
#[derive(Clone, Copy)]
pub(super) enum NoLink {
    Full,
    Unconnected(Unconnected),
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
    fn stream(&self) -> Option<(Http2Stream, bool)> {
        self.sessions.leave(self.whereabouts.as_deref());
        self.sessions.stream()
    }

    /// The connection that came back last: it is the least likely to have been closed meanwhile.
    fn take_idle(&self, patience: u64) -> Option<Link> {
        let now = self.clock.now();
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
