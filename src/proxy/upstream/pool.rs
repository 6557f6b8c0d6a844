//! Upstream connections that wait for their next request.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::future::pending;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::Either;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{self, Parts, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use super::connect::connect;
use crate::live::{Upstream, UpstreamGroup};
use crate::proxy::http::ClientBody;
use crate::proxy::worker::{View, Worker};
use crate::telemetry::{Label, UpstreamFailure, WorkerCounters};

/// One worker's pools, one for each upstream. They outlive a reload that keeps the upstream.
#[derive(Default)]
pub(in crate::proxy) struct Pools {
    pools: RefCell<HashMap<Upstream, Rc<Pool>>>,
    turn: Cell<usize>,
}

/// Which connection will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::proxy) enum Wanted {
    /// One that waits, else a new one.
    Any,
    /// A new one, in place of one that had just been closed.
    Fresh,
}

struct Pool {
    name: Arc<str>,
    idle: RefCell<Vec<Idle>>,
}

struct Idle {
    connection: Link,
    /// When it came back, in the worker's milliseconds.
    since: u64,
}

/// One connection to an upstream and the task that drives it.
struct Link {
    sender: SendRequest<ClientBody>,
    /// What is left of the connection once it has switched protocols.
    switched: oneshot::Receiver<Parts<TokioIo<TcpStream>>>,
    task: AbortHandle,
}

impl Pools {
    /// A connection to one of the group's upstreams: an idle one, or a new one. Upstreams take turns; one that cannot be
    /// connected to is passed over.
    pub(in crate::proxy) async fn lease(
        &self,
        worker: &Worker,
        view: &View,
        group: usize,
        wanted: Wanted,
    ) -> Result<Lease, UpstreamFailure> {
        let upstreams = view.table.groups().get(group).map_or(&[][..], |group| &group.upstreams);
        let first = self.turn.replace(self.turn.get().wrapping_add(1));
        let mut last = UpstreamFailure::Connect;
        for place in 0..upstreams.len() {
            let upstream = &upstreams[first.wrapping_add(place) % upstreams.len()];
            let pool = self.pool(upstream);
            let idle = if wanted == Wanted::Any { pool.take_idle() } else { None };
            if let Some(link) = idle {
                worker.counters.upstream_reuses.add(1);
                return Ok(Lease { pool, link: Some(link), reused: true, last: false, now: worker.alarms.clone() });
            }
            // Boxed: connecting is rare and its future large, and every request's future would carry the room for it.
            match Box::pin(open(upstream, view.table.limits.upstream_connect_timeout, &worker.counters)).await {
                Ok(link) => return Ok(Lease { pool, link: Some(link), reused: false, last: false, now: worker.alarms.clone() }),
                Err(failure) => {
                    last = failure;
                    if place + 1 < upstreams.len() {
                        worker.counters.upstream_failures.count(failure);
                    }
                    worker.upstream_log.say(|| {
                        tracing::warn!(%upstream, reason = failure.label(), "no connection to an upstream");
                    });
                }
            }
        }
        Err(last)
    }

    /// Closes what has been idle for longer than `patience`.
    pub(in crate::proxy) fn expire(&self, now: u64, patience: Duration) {
        let patience = u64::try_from(patience.as_millis()).unwrap_or(u64::MAX);
        for pool in self.pools.borrow().values() {
            pool.idle
                .borrow_mut()
                .retain(|idle| !idle.connection.sender.is_closed() && now.saturating_sub(idle.since) < patience);
        }
    }

    /// Closes idle connections to upstreams that are in no group any more.
    pub(in crate::proxy) fn forget_all_but(&self, groups: &[UpstreamGroup]) {
        self.pools.borrow_mut().retain(|upstream, _| groups.iter().any(|group| group.upstreams.contains(upstream)));
    }

    fn pool(&self, upstream: &Upstream) -> Rc<Pool> {
        if let Some(pool) = self.pools.borrow().get(upstream) {
            return Rc::clone(pool);
        }
        let pool = Rc::new(Pool { name: upstream.to_string().into(), idle: RefCell::new(Vec::new()) });
        self.pools.borrow_mut().insert(upstream.clone(), Rc::clone(&pool));
        pool
    }
}

impl Pool {
    /// The connection that came back last: it is the least likely to have been closed meanwhile.
    fn take_idle(&self) -> Option<Link> {
        let mut idle = self.idle.borrow_mut();
        // One that is not ready has been closed.
        std::iter::from_fn(|| idle.pop()).map(|idle| idle.connection).find(|link| link.sender.is_ready())
    }
}

/// Connects, and spawns the task that drives the connection.
async fn open(
    upstream: &Upstream,
    patience: Duration,
    counters: &Arc<WorkerCounters>,
) -> Result<Link, UpstreamFailure> {
    let stream = connect(upstream, patience).await?;
    let (sender, connection) =
        http1::Builder::new().handshake(TokioIo::new(stream)).await.map_err(|_| UpstreamFailure::Connect)?;
    counters.upstream_connects.add(1);
    counters.upstream_open.add(1);
    let open = StillOpen(Arc::clone(counters));
    let (hand_over, switched) = oneshot::channel();
    let task = tokio::task::spawn_local(async move {
        let _open = open;
        // An error has reached whoever waits for the response.
        if let Ok(parts) = connection.without_shutdown().await {
            // Nobody waits for it unless protocols were switched.
            let _ = hand_over.send(parts);
        }
    });
    Ok(Link { sender, switched, task: task.abort_handle() })
}

/// An upstream connection in use by one request. Unless it is given back, it is closed when dropped.
pub(in crate::proxy) struct Lease {
    pool: Rc<Pool>,
    link: Option<Link>,
    reused: bool,
    last: bool,
    now: crate::proxy::alarm::Alarms,
}

impl Lease {
    /// What logs call the upstream.
    pub(in crate::proxy) fn name(&self) -> &Arc<str> {
        &self.pool.name
    }

    /// Whether the connection has served requests before.
    pub(in crate::proxy) fn is_reused(&self) -> bool {
        self.reused
    }

    /// Sends the request and waits for the head of its response. An error gives back a request that was never written.
    pub(in crate::proxy) fn send(
        &mut self,
        request: Request<ClientBody>,
    ) -> impl Future<Output = Result<Response<Incoming>, TrySendError<Request<ClientBody>>>> + use<> {
        match &mut self.link {
            Some(link) => Either::Left(link.sender.try_send_request(request)),
            // A lease holds its link until it is given back or handed over, which ends the lease.
            None => Either::Right(pending()),
        }
    }

    /// Closes the connection after this response: what the upstream has not read of this request must not meet the next.
    pub(in crate::proxy) fn is_the_last(&mut self) {
        self.last = true;
    }

    /// The response was read to its end and the request was handed over to its end: the next request may use the connection.
    ///
    /// Unless it waits for the next request already, it does not: handed over is not written, and what an upstream has left
    /// in our buffer would hold up whoever comes next for as long as that upstream likes. One whose request was written is
    /// ready by now, as it turns from its response to the next request within the turn that ended the response.
    pub(in crate::proxy) fn give_back(mut self) {
        if self.last || !self.link.as_ref().is_some_and(|link| link.sender.is_ready()) {
            return;
        }
        let mut idle = self.pool.idle.borrow_mut();
        if idle.len() < MAX_IDLE
            && let Some(connection) = self.link.take()
        {
            idle.push(Idle { connection, since: self.now.now() });
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(link) = self.link.take() {
            link.task.abort();
        }
    }
}

/// The upstream's side of a connection that has switched protocols.
pub(in crate::proxy) struct Tunnel(oneshot::Receiver<Parts<TokioIo<TcpStream>>>, AbortHandle);

impl Tunnel {
    /// Takes the connection out of its lease.
    pub(in crate::proxy) fn after(lease: &mut Lease) -> Option<Self> {
        lease.link.take().map(|link| Self(link.switched, link.task))
    }

    /// The stream, and what the upstream sent behind its 101. `None`: it is gone.
    pub(in crate::proxy) async fn open(self) -> Option<(TcpStream, Bytes)> {
        let Self(switched, _task) = self;
        let parts = switched.await.ok()?;
        Some((parts.io.into_inner(), parts.read_buf))
    }
}

struct StillOpen(Arc<WorkerCounters>);

impl Drop for StillOpen {
    fn drop(&mut self) {
        self.0.upstream_open.sub(1);
    }
}

/// Idle connections kept for one upstream by one worker; more were a burst.
const MAX_IDLE: usize = 512;
