//! One thread that carries traffic, and what it calls its own: runtime, listeners, pools, counters, deadlines.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::Shared;
use super::alarm::Alarms;
use super::http2::Spare;
use super::listener::{self, Bound};
use super::permits::Permit;
use super::request_id::{RequestId, RequestIds};
use super::tls::{Scratch, TlsPolicy};
use super::upstream::{GroupState, Pools};
use crate::live::{Cached, CertIndex, Challenges, OwnCheck, RouteTable, UpstreamGroup, WellKnown};
use crate::shutdown::Lifecycle;
use crate::telemetry::{RateLimited, Shed, SiteCounts, WorkerCounters};

/// What every connection of one worker shares. Nothing in it is shared with another thread but what [`Shared`] holds.
pub(super) struct Worker {
    pub(super) shared: Arc<Shared>,
    pub(super) counters: Arc<WorkerCounters>,
    pub(super) alarms: Alarms,
    pub(super) pools: Pools,
    pub(super) certificates: RefCell<Cached<CertIndex>>,
    pub(super) well_known: RefCell<Cached<WellKnown>>,
    pub(super) challenges: RefCell<Cached<Challenges>>,
    pub(super) policy: RefCell<Cached<TlsPolicy>>,
    own_check: RefCell<Cached<OwnCheck>>,
    /// Where TLS is taken apart and put together.
    pub(super) scratch: Rc<Scratch>,
    /// A buffer that waits for the next connection in HTTP/2 with something to say.
    pub(super) spare: Rc<Spare>,
    /// What the next head of a response over HTTP/1 is written into.
    pub(super) head_room: Cell<Vec<u8>>,
    /// Failed handshakes are told, but not more often than a person can read.
    pub(super) handshake_log: RateLimited,
    pub(super) upstream_log: RateLimited,
    pub(super) exhausted_log: RateLimited,
    pub(super) accept_log: RateLimited,
    routes: RefCell<Cached<RouteTable>>,
    view: RefCell<Rc<View>>,
    request_ids: RequestIds,
    connections: Cell<usize>,
    none_left: Notify,
    ending: Cell<Ending>,
}

/// How far the worker is with stopping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Not at all.
    No,
    /// No new connections; open ones end when they can.
    Draining,
}

/// The published routes with this worker's own counters beside them.
pub(super) struct View {
    pub(super) table: Arc<RouteTable>,
    site_counts: Vec<Arc<SiteCounts>>,
    /// By the group's place.
    groups: Vec<GroupState>,
}

impl View {
    /// A group of upstreams, and what this worker keeps of it.
    #[inline]
    pub(super) fn group(&self, group: usize) -> Option<(&UpstreamGroup, &GroupState)> {
        self.table.groups().get(group).zip(self.groups.get(group))
    }

    /// The counters of the site with this index.
    pub(super) fn site_counts(&self, site: usize) -> Option<&Arc<SiteCounts>> {
        self.site_counts.get(site)
    }
}

/// Runs a worker on the calling thread until it has drained or its time is up.
///
/// # Errors
/// When the runtime cannot be built or a listener cannot be registered with it.
pub(super) fn run(
    shared: Arc<Shared>,
    counters: Arc<WorkerCounters>,
    listeners: Vec<Bound>,
    lifecycle: Lifecycle,
    seed: [u64; 2],
) -> std::io::Result<()> {
    drive(async {
        let worker = Worker::new(shared, counters, seed);
        worker.beside(Rc::clone(&worker).carry(listeners, lifecycle)).await
    })?
}

/// Drives `work` and what it spawns on the calling thread, until it ends.
fn drive<T>(work: impl Future<Output = T>) -> std::io::Result<T> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .event_interval(EVENT_INTERVAL)
        .build_local(LocalOptions::default())?;
    let result = runtime.block_on(work);
    // Dropped, it would wait for every upstream's name that is being looked up, and a nameserver may be silent.
    runtime.shutdown_background();
    Ok(result)
}

impl Worker {
    fn new(shared: Arc<Shared>, counters: Arc<WorkerCounters>, seed: [u64; 2]) -> Rc<Self> {
        let mut routes = shared.routes.cached();
        let view = Rc::new(view(&counters, routes.load()));
        Rc::new(Self {
            certificates: RefCell::new(shared.certificates.cached()),
            well_known: RefCell::new(shared.well_known.cached()),
            challenges: RefCell::new(shared.challenges.cached()),
            policy: RefCell::new(shared.policy.cached()),
            own_check: RefCell::new(shared.own_check.cached()),
            routes: RefCell::new(routes),
            view: RefCell::new(view),
            alarms: Alarms::new(),
            pools: Pools::default(),
            scratch: Rc::default(),
            spare: Rc::default(),
            head_room: Cell::default(),
            handshake_log: RateLimited::new("handshake", HANDSHAKE_LINES),
            upstream_log: RateLimited::new("upstream", UPSTREAM_LINES),
            exhausted_log: RateLimited::new("exhausted", 1),
            accept_log: RateLimited::new("accept", 1),
            request_ids: RequestIds::new(seed),
            connections: Cell::new(0),
            none_left: Notify::new(),
            ending: Cell::new(Ending::No),
            shared,
            counters,
        })
    }

    /// Runs `work`, and beside it what watches over the worker's deadlines and pools. These are no tasks of their own: if one
    /// of them panics, nothing ends at its deadline any more, so it ends the worker, which the edge notices.
    async fn beside<T>(&self, work: impl Future<Output = std::io::Result<T>>) -> std::io::Result<T> {
        let ended = || std::io::Error::other("what watches over its deadlines has ended");
        tokio::select! {
            result = work => result,
            () = self.alarms.run() => Err(ended()),
            () = self.keep_house() => Err(ended()),
        }
    }

    /// Accepts and serves until the edge has drained or its time is up.
    async fn carry(self: Rc<Self>, listeners: Vec<Bound>, mut lifecycle: Lifecycle) -> std::io::Result<()> {
        let mut accepting = JoinSet::new();
        for bound in listeners {
            let listener = listener::register(bound)?;
            accepting.spawn_local(listener::accept(Rc::clone(&self), listener, lifecycle.clone()));
        }
        self.shared.listening.add_permits(1);

        let deadline = loop {
            tokio::select! {
                deadline = lifecycle.draining() => break deadline,
                // Before the edge drains, a listener ends by a panic only; the others would not miss it.
                Some(ended) = accepting.join_next() => ended?,
            }
        };
        self.ending.set(Ending::Draining);
        self.alarms.wake_all();
        let drained = async {
            while let Some(ended) = accepting.join_next().await {
                ended?;
            }
            self.alarms.wake_all();
            self.until_no_connection().await;
            Ok(())
        };
        let result = tokio::select! {
            drained = drained => drained,
            () = tokio::time::sleep_until(deadline) => Ok(()),
            () = lifecycle.stopping() => Ok(()),
        };
        let open = self.connections.get();
        self.counters.shed.of(Shed::Drain).add(open as u64);
        self.shared.cut_off.fetch_add(open, std::sync::atomic::Ordering::Relaxed);
        result
    }

    /// The routes as they are now. An unchanged table costs one comparison.
    pub(super) fn view(&self) -> Rc<View> {
        let mut routes = self.routes.borrow_mut();
        let table = routes.load();
        let mut seen = self.view.borrow_mut();
        if !Arc::ptr_eq(&seen.table, table) {
            *seen = Rc::new(view(&self.counters, table));
        }
        Rc::clone(&seen)
    }

    pub(super) fn is_draining(&self) -> bool {
        self.ending.get() != Ending::No
    }

    pub(super) fn next_request_id(&self) -> RequestId {
        self.request_ids.next()
    }

    /// A draw for sampling; not for secrets.
    pub(super) fn draw(&self) -> u64 {
        self.request_ids.draw()
    }

    /// An upstream of a group failed a request. Tells when it is left alone from now on.
    pub(super) fn upstream_failed(&self, group: &UpstreamGroup, place: usize) {
        let Some(rest) = group.failed(place) else { return };
        self.counters.upstream_ejections.add(1);
        self.upstream_log.say(|| {
            let member = &group.members[place];
            let (upstream, failures, seconds) = (&member.upstream, member.state.failures(), rest.as_secs());
            tracing::warn!(%upstream, failures, seconds, "an upstream keeps failing, and is left alone for a while");
        });
    }

    /// Room for one more connection.
    pub(super) fn take_permit(&self) -> Option<Permit> {
        let limit = match self.view.borrow().table.limits.connections {
            0 => self.shared.room_for_clients,
            limit => limit,
        };
        self.shared.permits.take(limit)
    }

    /// Whether the edge itself is at the other end, to see what it serves.
    pub(super) fn is_own_check(&self, peer: SocketAddr) -> bool {
        self.own_check.borrow_mut().load().is(peer)
    }

    /// Counts a connection until the guard is dropped.
    pub(super) fn open_connection(self: &Rc<Self>) -> Open {
        self.connections.set(self.connections.get() + 1);
        Open(Rc::clone(self))
    }

    async fn until_no_connection(&self) {
        while self.connections.get() > 0 {
            self.none_left.notified().await;
        }
    }

    async fn keep_house(&self) {
        let mut seen = self.view();
        loop {
            tokio::time::sleep(HOUSEKEEPING).await;
            let view = self.view();
            if !Rc::ptr_eq(&seen, &view) {
                self.pools.forget_all_but(view.table.groups());
                seen = Rc::clone(&view);
            }
            // Without a client no deadline is pending and the worker's clock rests, while upstreams and firewalls count on.
            self.pools.expire(self.alarms.read_clock(), view.table.limits.upstream_idle_timeout);
            self.pools.give_up(self.shared.permits.upstreams_awaited());
            let now = Instant::now();
            for log in [&self.handshake_log, &self.upstream_log, &self.exhausted_log, &self.accept_log] {
                log.tell_left_out(now);
            }
        }
    }
}

/// An open connection of a worker.
pub(super) struct Open(Rc<Worker>);

impl Drop for Open {
    fn drop(&mut self) {
        let left = self.0.connections.get() - 1;
        self.0.connections.set(left);
        if left == 0 {
            self.0.none_left.notify_one();
        }
    }
}

fn view(counters: &WorkerCounters, table: &Arc<RouteTable>) -> View {
    let labels: Vec<String> = table.sites().iter().map(|site| site.label()).collect();
    let site_counts = counters.keep_sites(labels.iter().map(String::as_str));
    let groups = table.groups().iter().map(GroupState::of).collect();
    View { table: Arc::clone(table), site_counts, groups }
}

/// How often idle upstream connections are looked through: far below any keep-alive time.
const HOUSEKEEPING: Duration = Duration::from_secs(1);
/// Lines on failed handshakes, each second and worker.
const HANDSHAKE_LINES: u32 = 5;
/// Lines on failed upstreams, each second and worker.
const UPSTREAM_LINES: u32 = 5;
/// Tasks polled between two looks at the sockets (tokio's default is 61).
const EVENT_INTERVAL: u32 = 61;

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpStream};
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::atomic::AtomicUsize;
    use std::task::{Context, Wake, Waker};

    use tokio::sync::Semaphore;

    use super::*;
    use crate::access_log::AccessLog;
    use crate::limits::Limits;
    use crate::live::{TlsVersion, table, unknown_names};
    use crate::proxy::{Permits, Rates, Shortage, UnknownName};
    use crate::shutdown::lifecycle;

    #[test]
    fn a_connection_that_the_drain_deadline_cuts_off_is_counted() {
        let (conductor, lifecycle) = lifecycle();
        let counters = Arc::<WorkerCounters>::default();
        let bound = Bound::new(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), false).expect("a port");
        let address = bound.address().expect("an address");
        let (shared, mine) = (shared(), Arc::clone(&counters));
        let (theirs, cut_off) = (Arc::clone(&shared), Arc::clone(&shared));
        let worker = std::thread::spawn(move || run(theirs, mine, vec![bound], lifecycle, [1, 2]));
        let _client = TcpStream::connect(address).expect("connected");
        let begun = Instant::now();
        while counters.accepted.value() == 0 {
            assert!(begun.elapsed() < SILENCE, "nobody accepts");
            std::thread::yield_now();
        }
        conductor.drain(Duration::ZERO);
        worker.join().expect("no panic").expect("an end");
        let cut_off = cut_off.cut_off.load(std::sync::atomic::Ordering::Relaxed);
        assert_eq!((counters.shed.of(Shed::Drain).value(), cut_off), (1, 1));
    }

    #[test]
    fn a_panic_in_what_watches_over_the_deadlines_ends_the_worker() {
        struct Panics;
        impl Wake for Panics {
            fn wake(self: Arc<Self>) {
                panic!("on purpose");
            }
        }
        let worker = Worker::new(shared(), Arc::default(), [1, 2]);
        let alarm = worker.alarms.alarm();
        alarm.set(Duration::ZERO);
        assert!(alarm.poll(&Context::from_waker(&Waker::from(Arc::new(Panics)))).is_pending());
        let work = async {
            tokio::time::sleep(SILENCE).await;
            Ok(())
        };
        assert!(catch_unwind(AssertUnwindSafe(|| drive(worker.beside(work)))).is_err());
    }

    fn shared() -> Arc<Shared> {
        let routes = RouteTable::new(Vec::new(), Limits::default(), Vec::new(), 443);
        Arc::new(Shared {
            certificates: table(CertIndex::default()).1,
            routes: table(routes).1,
            well_known: table(WellKnown::default()).1,
            challenges: table(Challenges::default()).1,
            unknown_names: unknown_names().0,
            policy: table(TlsPolicy::new(TlsVersion::V1_2, UnknownName::Refuse).expect("a policy")).1,
            own_check: table(OwnCheck::default()).1,
            access_log: AccessLog::off(),
            permits: Permits::new(9),
            room_for_clients: 9,
            listening: Semaphore::new(0),
            rates: Rates::default(),
            shortage: Shortage::default(),
            own_listeners: Default::default(),
            crowds: Arc::default(),
            cut_off: AtomicUsize::new(0),
        })
    }

    #[test]
    fn a_name_that_is_being_looked_up_does_not_hold_up_the_end() {
        let (found, answer) = std::sync::mpsc::channel::<()>();
        let begun = Instant::now();
        drive(async {
            let (looking, looks) = tokio::sync::oneshot::channel();
            // As the resolver does it, with a nameserver that is silent.
            drop(tokio::task::spawn_blocking(move || {
                let _ = looking.send(());
                let _ = answer.recv_timeout(SILENCE);
            }));
            looks.await.expect("it has begun");
        })
        .expect("a runtime");
        assert!(begun.elapsed() < SILENCE / 2, "{:?}", begun.elapsed());
        drop(found);
    }

    const SILENCE: Duration = Duration::from_secs(20);
}
