//! The search for an upstream connection for one request.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::choice::{Asked, Choice};
use super::connect::connect;
use super::group_state::GroupState;
use super::http2::Http2;
use super::http2_stream::Http2Stream;
use super::introduction::Introduction;
use super::lease::Lease;
use super::pool::{NoLease, Pool, Pools, Wanted};
use super::queue;
use super::stream::UpstreamStream;
use super::transport::Unconnected;
use super::wire::Wire;
use crate::live::{Full, Member, Place, Speech, UpstreamGroup};
use crate::proxy::worker::Worker;
use crate::telemetry::{Label, UpstreamFailure};

/// A search among a group's upstreams.
pub(super) struct Search<'a> {
    pools: &'a Pools,
    worker: &'a Worker,
    group: &'a UpstreamGroup,
    state: &'a GroupState,
    choice: Choice<'a>,
    wanted: Wanted,
    introduced: Option<&'a Introduction>,
    /// For how long a connection may have been idle.
    idle: Duration,
    /// How long opening one may take.
    patience: Duration,
}

/// What a look at the group came to.
pub(super) enum Chosen {
    /// An upstream, by its place in the group, and where the request is counted there.
    Upstream(usize, Option<Place>),
    /// All that would do have as many requests as they may.
    Full,
    /// There is no other.
    Nobody,
}

impl<'a> Search<'a> {
    pub(super) fn new(
        pools: &'a Pools,
        worker: &'a Worker,
        (group, state): (&'a UpstreamGroup, &'a GroupState),
        asked: Asked,
        wanted: Wanted,
        introduced: Option<&'a Introduction>,
        (idle, patience): (Duration, Duration),
    ) -> Self {
        let without = match wanted {
            Wanted::NotFrom(place) => Some(place),
            Wanted::Any | Wanted::Fresh => None,
        };
        let choice = Choice::new(group, &state.rota, asked, without);
        Self { pools, worker, group, state, choice, wanted, introduced, idle, patience }
    }

    /// A connection that waits for its next request, at the upstream whose turn it is; otherwise who was chosen, for [`Self::go_on`].
    pub(super) fn at_once(&mut self) -> Result<Lease, Chosen> {
        match self.choose(true) {
            Chosen::Upstream(place, open) => {
                let pool = self.pool(place);
                match self.kept(&pool, place) {
                    Some(wire) => Ok(self.found(pool, wire, true, place, open)),
                    None => Err(Chosen::Upstream(place, open)),
                }
            }
            other => Err(other),
        }
    }

    /// Connects to who was chosen, or waits until somebody is free, and asks one after the other.
    pub(super) async fn go_on(mut self, first: Chosen) -> Result<Lease, NoLease> {
        let mut last: Option<(UpstreamFailure, Arc<str>)> = None;
        let (mut chosen, mut has_waited) = (first, false);
        loop {
            let (place, open) = match chosen {
                Chosen::Upstream(place, open) => (place, open),
                Chosen::Full => {
                    has_waited = true;
                    let (place, open) = queue::wait(self.worker, self.group, self.choice.full()).await?;
                    (place, Some(open))
                }
                Chosen::Nobody => break,
            };
            if let Some((failure, name)) = last.take() {
                self.passed_over(failure, &name);
            }
            let (member, pool) = (&self.group.members[place], self.pool(place));
            let opened = match (self.kept(&pool, place), member.upstream.speech) {
                (Some(wire), _) => Ok((wire, true)),
                (None, Speech::Http1) => self.open(member).await,
                (None, Speech::Http2) => self.join(member, &pool).await,
            };
            match opened {
                Ok((wire, reused)) => return Ok(self.found(pool, wire, reused, place, open)),
                Err(NoLink::Full) => return Err(NoLease::Full),
                Err(NoLink::Unconnected(Unconnected::Descriptors)) => {
                    self.pools.give_up(1);
                    return Err(NoLease::Descriptors);
                }
                Err(NoLink::Unconnected(Unconnected::Failed(failure))) => {
                    self.worker.upstream_failed(self.group, place);
                    last = Some((failure, Arc::clone(pool.name())));
                }
            }
            drop(open);
            chosen = self.choose(!has_waited);
        }
        Err(match last {
            Some((failure, upstream)) => NoLease::Unreachable { failure, upstream },
            None if self.group.is_in_maintenance() => NoLease::Maintenance,
            None => nobody(),
        })
    }

    /// Whose turn it is.
    fn choose(&mut self, may_wait: bool) -> Chosen {
        loop {
            match self.choice.next() {
                Some(place) => match self.group.take(place) {
                    Ok(open) => return Chosen::Upstream(place, open),
                    Err(Full) if self.choice.is_full() && may_wait => return Chosen::Full,
                    Err(Full) => {}
                },
                None if may_wait && !self.choice.full().is_empty() => return Chosen::Full,
                None => return Chosen::Nobody,
            }
        }
    }

    fn pool(&self, place: usize) -> Rc<Pool> {
        self.state.pool(place, || self.pools.pool(self.worker, &self.group.members[place]))
    }

    /// A connection that waits for its next request.
    fn kept(&self, pool: &Pool, place: usize) -> Option<Wire> {
        let upstream = &self.group.members[place].upstream;
        // What was said of who asks holds for all that follows.
        if self.wanted == Wanted::Fresh || upstream.announces.is_some() {
            return None;
        }
        match upstream.speech {
            Speech::Http1 => pool.take_idle(self.idle).map(Wire::Http1),
            Speech::Http2 => pool.stream().map(|(stream, _)| Wire::Http2(stream)),
        }
    }

    fn found(&self, pool: Rc<Pool>, wire: Wire, reused: bool, place: usize, open: Option<Place>) -> Lease {
        self.worker.counters.upstream_reuses.add(u64::from(reused));
        let last = self.group.members[place].upstream.announces.is_some();
        // What was kept is tried once.
        Lease { pool, wire, place, reused: reused && self.wanted != Wanted::Fresh, last, open }
    }

    fn passed_over(&self, failure: UpstreamFailure, upstream: &str) {
        self.worker.counters.upstream_failures.count(failure);
        self.worker.upstream_log.say(|| {
            tracing::warn!(upstream, reason = failure.label(), "no connection to an upstream; trying another");
        });
    }

    /// A connection in HTTP/1.1.
    async fn open(&self, member: &Member) -> Result<(Wire, bool), NoLink> {
        let (stream, _) = self.connect(member).await?;
        Ok((Wire::Http1(self.pools.link(stream)), false))
    }

    /// A stream of a connection in HTTP/2.
    async fn join(&self, member: &Member, pool: &Pool) -> Result<(Wire, bool), NoLink> {
        let upstream = &member.upstream;
        let open = async {
            let (stream, until) = self.connect(member).await?;
            let opened = Http2::open(stream, upstream.tls.is_some(), &self.worker.alarms, until).await;
            opened.map_err(NoLink::Unconnected)
        };
        let (stream, reused): (Http2Stream, bool) = match upstream.announces {
            Some(_) => open.await?.stream(),
            None => pool.sessions.stream_or(open).await?,
        };
        Ok((Wire::Http2(stream), reused))
    }

    /// Connects, and gives until when what else comes before the first request must be done.
    async fn connect(&self, member: &Member) -> Result<(UpstreamStream, Instant), NoLink> {
        let (worker, patience) = (self.worker, self.patience);
        let permits = &worker.shared.permits;
        let permit = match permits.take_upstream() {
            Some(permit) => permit,
            None => {
                self.pools.give_up(1);
                timeout(patience, permits.await_upstream()).await.map_err(|_| NoLink::Full)?
            }
        };
        let until = Instant::now() + patience;
        let connected = connect(worker.shared.own_listeners(), member, self.introduced.copied(), until).await;
        let transport = connected.map_err(NoLink::Unconnected)?;
        worker.counters.upstream_connects.add(1);
        Ok((UpstreamStream::new(transport, permit, &worker.counters), until))
    }
}

/// Why a connection could not be opened.
#[derive(Clone, Copy)]
pub(super) enum NoLink {
    Full,
    Unconnected(Unconnected),
}

/// There is no upstream to choose.
pub(super) fn nobody() -> NoLease {
    NoLease::Unreachable { failure: UpstreamFailure::Connect, upstream: "none".into() }
}
