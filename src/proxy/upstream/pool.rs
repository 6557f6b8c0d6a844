//! Upstream connections that wait for their next request.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hashbrown::{HashMap, HashSet};
use http_body::{Frame, SizeHint};
use tokio::time::timeout;

use super::choice::{Asked, Choice};
use super::connect::connect;
use super::introduction::Introduction;
use super::link::{Broken, Link, Scratch, scratch};
use super::queue;
use super::request::Outgoing;
use super::response::Head;
use super::stream::UpstreamStream;
use super::transport::Unconnected;
use crate::limits::Limits;
use crate::live::{Full, Place, Upstream, UpstreamGroup};
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

struct Pool {
    name: Arc<str>,
    clock: Alarms,
    permits: Arc<Permits>,
    idle: RefCell<Vec<Idle>>,
}

struct Idle {
    connection: Link,
    /// When it came back, in the worker's milliseconds.
    since: u64,
}

impl Pools {
    /// A connection to one of the group's upstreams: an idle one, or a new one. One that cannot be connected to is passed over.
    pub(in crate::proxy) async fn lease(
        &self,
        worker: &Worker,
        view: &View,
        group: usize,
        asked: Asked,
        wanted: Wanted,
        introduced: Option<Introduction>,
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
            let upstream = &group.members[place].upstream;
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
            let pool = self.pool(worker, upstream);
            // What was said of who asks holds for all that follows.
            let is_for_one = upstream.announces.is_some();
            let lease = |pool, link, reused| Lease { pool, link, place, reused, last: is_for_one, open };
            if wanted != Wanted::Fresh
                && let Some(link) = pool.take_idle(milliseconds(limits.upstream_idle_timeout))
            {
                worker.counters.upstream_reuses.add(1);
                return Ok(lease(pool, link, true));
            }
            // Boxed: connecting is rare and its future large, and every request's future would carry the room for it.
            match Box::pin(self.open(worker, upstream, introduced, limits)).await {
                Ok(link) => return Ok(lease(pool, link, false)),
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
            idle.retain(|idle| idle.is_fit(now, patience));
            // One without connections is made anew when it is needed; there may be as many upstreams as sites.
            !idle.is_empty() || Rc::strong_count(pool) > 1
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
            if number == 0 {
                return;
            }
        }
    }

    fn pool(&self, worker: &Worker, upstream: &Upstream) -> Rc<Pool> {
        if let Some(pool) = self.pools.borrow().get(upstream) {
            return Rc::clone(pool);
        }
        let pool = Rc::new(Pool {
            name: upstream.to_string().into(),
            clock: worker.alarms.clone(),
            permits: Arc::clone(&worker.shared.permits),
            idle: RefCell::new(Vec::new()),
        });
        self.pools.borrow_mut().insert(upstream.clone(), Rc::clone(&pool));
        pool
    }
}

impl Pools {
    /// Connects.
    async fn open(
        &self,
        worker: &Worker,
        upstream: &Upstream,
        introduced: Option<Introduction>,
        limits: &Limits,
    ) -> Result<Link, NoLink> {
        let permits = &worker.shared.permits;
        let permit = match permits.take_upstream() {
            Some(permit) => permit,
            None => {
                self.give_up(1);
                let patience = limits.upstream_connect_timeout;
                timeout(patience, permits.await_upstream()).await.map_err(|_| NoLink::Full)?
            }
        };
        let transport =
            connect(upstream, introduced, limits.upstream_connect_timeout).await.map_err(NoLink::Unconnected)?;
        worker.counters.upstream_connects.add(1);
        Ok(Link::new(UpstreamStream::new(transport, permit, &worker.counters), &self.scratch))
    }
}

/// There is no upstream to choose.
fn nobody() -> NoLease {
    NoLease::Unreachable { failure: UpstreamFailure::Connect, upstream: "none".into() }
}

/// Why a connection could not be opened.
enum NoLink {
    Full,
    Unconnected(Unconnected),
}

impl Pool {
    /// The connection that came back last: it is the least likely to have been closed meanwhile.
    fn take_idle(&self, patience: u64) -> Option<Link> {
        let now = self.clock.now();
        let mut idle = self.idle.borrow_mut();
        while let Some(candidate) = idle.pop() {
            if candidate.is_fit(now, patience) {
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

/// An upstream connection in use by one request, which drives it. Unless it is given back, it is closed when dropped.
pub(in crate::proxy) struct Lease {
    pool: Rc<Pool>,
    link: Link,
    /// The upstream's in its group.
    place: usize,
    reused: bool,
    last: bool,
    /// Where open requests are counted.
    open: Option<Place>,
}

impl Lease {
    /// What logs call the upstream.
    pub(in crate::proxy) fn name(&self) -> &Arc<str> {
        &self.pool.name
    }

    /// The upstream's place in its group.
    pub(in crate::proxy) fn place(&self) -> usize {
        self.place
    }

    /// Whether the connection has served requests before.
    pub(in crate::proxy) fn is_reused(&self) -> bool {
        self.reused
    }

    /// Begins to send a request; [`Self::poll_head`] goes on with it.
    pub(in crate::proxy) fn begin(&self, request: Outgoing) {
        self.link.begin(request);
    }

    /// Sends the request and waits for the head of its response.
    pub(in crate::proxy) fn poll_head(&self, cx: &mut Context<'_>) -> Poll<Result<Head, Broken>> {
        self.link.poll_head(cx)
    }

    /// The next frame of the response's body; `None`: it has ended.
    pub(in crate::proxy) fn poll_frame(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        self.link.poll_frame(cx)
    }

    /// Whether all of the response has been read.
    pub(in crate::proxy) fn is_answered(&self) -> bool {
        self.link.is_answered()
    }

    /// What is known about how much of the response's body is to come.
    pub(in crate::proxy) fn size_hint(&self) -> SizeHint {
        self.link.size_hint()
    }

    /// The last request, if nothing of an answer has come and all of the request is still here to be sent again.
    pub(in crate::proxy) fn take_back(&self) -> Option<Outgoing> {
        self.link.take_back()
    }

    /// The last request, if all of it is still here, whatever came of it.
    pub(in crate::proxy) fn take_repeatable(&self) -> Option<Outgoing> {
        self.link.take_repeatable()
    }

    /// Closes the connection after this response: what the upstream has not read of this request must not meet the next.
    /// The request goes on meanwhile, whether or not the client takes the response: whoever gets the link drives it.
    pub(in crate::proxy) fn is_the_last(&mut self) -> Link {
        self.last = true;
        self.link.clone()
    }

    /// The response was read to its end: the next request may use the connection, if this one was sent to its end.
    pub(in crate::proxy) fn give_back(self) {
        if self.last || !self.link.is_free() {
            return;
        }
        if self.pool.permits.upstreams_awaited() > 0 {
            return; // by somebody who cannot have this one, perhaps on another worker
        }
        let mut idle = self.pool.idle.borrow_mut();
        if idle.len() < MAX_IDLE {
            self.link.rest();
            idle.push(Idle { connection: self.link.clone(), since: self.pool.clock.now() });
        }
    }
}

/// The upstream's side of a connection that has switched protocols.
pub(in crate::proxy) struct Tunnel {
    link: Link,
    open: Option<Place>,
}

impl Tunnel {
    /// Takes the connection out of its lease.
    pub(in crate::proxy) fn after(lease: Lease) -> Self {
        Self { link: lease.link, open: lease.open }
    }

    /// The stream, what the upstream sent behind its 101, and the place that the upstream has for it as long as it is open.
    pub(in crate::proxy) fn open(self) -> Option<(UpstreamStream, Bytes, Option<Place>)> {
        let (stream, late) = self.link.into_stream()?;
        Some((stream, late, self.open))
    }
}

/// Idle connections kept for one upstream by one worker; more were a burst.
const MAX_IDLE: usize = 512;
