//! A client's connection: its stream, what was agreed on it, and the deadlines it lives under.

mod io;

use std::cell::{Cell, RefCell};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;

use super::alarm::Alarm;
use super::crowds::Place;
use super::http::Exchange;
use super::permits::Permit;
use super::tls::{OwnPolicy, Stream};
use super::upstream::{Introduction, Tunnel};
use super::worker::{Open, Worker};
use crate::limits::Limits;
use crate::live::{ServedCert, contains};
use crate::telemetry::{HandshakeKind, Protocol};

pub(super) use io::Io;

/// A connection on which requests are served.
pub(super) struct Connection {
    pub(super) worker: Rc<Worker>,
    pub(super) ends: Ends,
    pub(super) protocol: Protocol,
    pub(super) tls: Option<Agreed>,
    /// What the speaker says about who is behind it is believed.
    pub(super) speaker_is_trusted: bool,
    /// Limits as they were when the connection was accepted.
    pub(super) limits: Arc<Limits>,
    /// `X-Forwarded-For` of every request, made once.
    pub(super) forwarded_for: HeaderValue,
    /// The beginning of `Forwarded` of every request: `for=…;host=` (RFC 7239 §4).
    pub(super) forwarded_begin: Box<str>,
    pub(super) phase: Cell<Phase>,
    pub(super) alarm: Alarm,
    /// The read side has ended.
    pub(super) read_ended: Cell<bool>,
    /// A response broke off: the connection must not end as if it were complete.
    pub(super) cut_short: Cell<bool>,
    /// Streams of HTTP/2 that are being answered.
    pub(super) active: Cell<usize>,
    /// By how many more streams were given up by the client than were answered.
    abandoned: Cell<u32>,
    /// HTTP/1's exchange, while there is one.
    pub(super) newest: RefCell<Option<Rc<Exchange>>>,
    /// The upstream's side of a tunnel that begins once HTTP has ended, and the place that it takes of its client's.
    pub(super) tunnel: RefCell<Option<(Tunnel, Option<Box<Place>>)>>,
    stream: RefCell<Stream>,
    /// When something was read last, by the worker's clock.
    heard: Cell<u64>,
    /// For how long a peer may not take what it is sent: over HTTP/1 as the route of its request has it.
    pub(super) write_stall: Cell<Duration>,
    /// The peer does not take what it is sent.
    stalled: Cell<bool>,
    /// It takes no more requests, though the edge goes on.
    leaving: Cell<bool>,
    /// How many requests it has had.
    requests: Cell<u32>,
    /// When it is old enough to end, by the worker's clock.
    old_at: u64,
    /// What the gauge of open connections counts it as.
    counted_as: Cell<Protocol>,
    _open: Open,
    permit: Permit,
}

/// Who is at the other end, IPv4 in its own form.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends {
    /// Who speaks: the peer, or whom a balancer that passes on octets has announced.
    pub(super) speaker: IpAddr,
    /// Who has connected.
    pub(super) peer: IpAddr,
}

/// What the handshake fixed for the life of a connection.
pub(super) struct Agreed {
    pub(super) sni: Option<Box<str>>,
    /// Names covered by it may be asked for.
    pub(super) certificate: Arc<ServedCert>,
    /// The name was nobody's: coverage is not asked, only configuration.
    pub(super) by_default: bool,
    pub(super) kind: HandshakeKind,
    /// The policy that it was agreed on under, where that is not everybody's.
    pub(super) own: Option<Arc<OwnPolicy>>,
    /// What the shop is told of the client's certificate, as it goes over the wire.
    pub(super) client_fields: Option<Box<[u8]>>,
}

/// What the connection is waiting for; decides what its deadline means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// A request, of which nothing has come yet.
    Idle,
    /// The rest of a request head.
    Head,
    /// A request is being answered.
    Exchange,
    /// The peer's end, after ours. Nothing follows it.
    Closing,
}

impl Connection {
    #[allow(clippy::too_many_arguments)] // each is a fact of the connection that is known once
    pub(super) fn new(
        worker: &Rc<Worker>,
        stream: Stream,
        ends: Ends,
        protocol: Protocol,
        tls: Option<Agreed>,
        alarm: Alarm,
        open: Open,
        permit: Permit,
    ) -> Rc<Self> {
        let view = worker.view();
        let limits = Arc::clone(&view.table.limits);
        worker.counters.open.of(protocol).add(1);
        alarm.set(limits.idle_timeout);
        Rc::new(Self {
            worker: Rc::clone(worker),
            ends,
            protocol,
            tls,
            speaker_is_trusted: contains(&view.table.trusted_proxies, ends.speaker),
            forwarded_for: address_value(ends.speaker),
            forwarded_begin: match ends.speaker {
                IpAddr::V4(address) => format!("for={address};host=").into(),
                IpAddr::V6(address) => format!("for=\"[{address}]\";host=").into(),
            },
            phase: Cell::new(Phase::Idle),
            alarm,
            read_ended: Cell::new(false),
            cut_short: Cell::new(false),
            active: Cell::new(0),
            abandoned: Cell::new(0),
            newest: RefCell::new(None),
            tunnel: RefCell::new(None),
            stream: RefCell::new(stream),
            heard: Cell::new(worker.alarms.now()),
            write_stall: Cell::new(limits.write_stall_timeout),
            stalled: Cell::new(false),
            leaving: Cell::new(false),
            requests: Cell::new(0),
            old_at: worker.alarms.now().saturating_add(about(limits.connection_age, worker.draw())),
            counted_as: Cell::new(protocol),
            limits,
            _open: open,
            permit,
        })
    }

    /// Moves to `phase` and sets the deadline that goes with it. A connection that is closing stays so: its last streams
    /// may end later than it.
    pub(super) fn enter(&self, phase: Phase) {
        if self.phase.get() == Phase::Closing {
            return;
        }
        self.phase.set(phase);
        if !self.stalled.get() {
            self.set_phase_alarm();
        }
    }

    /// Whether the edge itself is at the other end, to see what it shows. It is no client: no count of requests and no record is
    /// about it.
    pub(super) const fn is_own_check(&self) -> bool {
        self.permit.is_own()
    }

    /// Whether the writer has been standing still when the deadline passed.
    pub(super) fn is_stalled(&self) -> bool {
        self.stalled.get()
    }

    /// For how long nothing has been read.
    pub(super) fn silence(&self) -> Duration {
        Duration::from_millis(self.worker.alarms.now() - self.heard.get())
    }

    /// Whether it is to end after the requests it has: the edge drains, or it has been open for long enough or has had enough of them.
    pub(super) fn is_leaving(&self) -> bool {
        self.leaving.get() || self.worker.is_draining()
    }

    /// Takes no more requests than it has.
    pub(super) fn leave(&self) {
        self.leaving.set(true);
        if self.phase.get() == Phase::Idle {
            self.enter(Phase::Idle); // again, for the deadline of one that leaves
        }
    }

    /// Whether it has been open for long enough.
    pub(super) fn is_old(&self) -> bool {
        self.worker.alarms.now() >= self.old_at
    }

    /// A request begins.
    pub(super) fn begin(&self) {
        self.active.set(self.active.get() + 1);
        self.write_stall.set(self.limits.write_stall_timeout);
        let requests = self.requests.get().saturating_add(1);
        self.requests.set(requests);
        let most = self.limits.connection_requests;
        if self.is_old() || (most > 0 && requests >= most) {
            self.leaving.set(true);
        }
        self.enter(Phase::Exchange);
    }

    /// A request has ended. `abandoned`: the client gave it up before there was an answer.
    pub(super) fn end(&self, abandoned: bool) {
        let net = self.abandoned.get();
        self.abandoned.set(if abandoned { net + 1 } else { net.saturating_sub(1) });
        self.rest();
    }

    /// One less is under way.
    fn rest(&self) {
        let active = self.active.get() - 1;
        self.active.set(active);
        if self.is_flooding() {
            self.alarm.set(Duration::ZERO);
        } else if active == 0 {
            self.enter(Phase::Idle);
        }
    }

    /// Whether the client opens streams only to give them up, each of which costs the shop a request (CVE-2023-44487). The
    /// session counts those that end before they are seen; pacing them evades it.
    pub(super) fn is_flooding(&self) -> bool {
        self.abandoned.get() > ABANDONED
    }

    /// From here on it carries a tunnel.
    pub(super) fn becomes_tunnel(&self) {
        self.enter(Phase::Exchange);
        let open = &self.worker.counters.open;
        open.of(self.counted_as.replace(Protocol::Tunnel)).sub(1);
        open.of(Protocol::Tunnel).add(1);
    }

    /// One of its streams is a tunnel, until the guard is dropped.
    pub(super) fn carries(self: &Rc<Self>) -> Carrying {
        self.active.set(self.active.get() + 1);
        self.worker.counters.open.of(Protocol::Tunnel).add(1);
        self.enter(Phase::Exchange);
        Carrying(Rc::clone(self))
    }

    /// Whether `host`, in normal form, may be asked for on this connection.
    pub(super) fn may_ask_for(&self, host: &str) -> bool {
        match &self.tls {
            None => true,
            Some(agreed) => {
                (agreed.by_default || agreed.certificate.covers(host))
                    && (self.is_own_check() || self.was_agreed_for(host, agreed))
            }
        }
    }

    /// Whether the site of `host` would have agreed to what this connection was opened with: a client that came in by the name of another
    /// has shown what that one asks for.
    fn was_agreed_for(&self, host: &str, agreed: &Agreed) -> bool {
        let mut policy = self.worker.policy.borrow_mut();
        match (policy.load().own(host), &agreed.own) {
            (None, None) => true,
            (Some(asked), Some(own)) => Arc::ptr_eq(asked, own),
            (None, Some(_)) | (Some(_), None) => false,
        }
    }

    /// Closes with a reset, for a peer that does not take what it is sent.
    pub(super) fn reset(&self) {
        self.stream.borrow().socket().reset();
    }

    /// What upstreams are told of `client`, who asks; `None`: the connection is no more. The port is known of whoever has connected
    /// alone.
    pub(super) fn introduction(&self, client: IpAddr) -> Option<Introduction> {
        let stream = self.stream.borrow();
        let tcp = stream.socket().tcp();
        let (peer, edge) = (tcp.peer_addr().ok()?, tcp.local_addr().ok()?);
        let port = if peer.ip().to_canonical() == client { peer.port() } else { 0 };
        Some(Introduction { client: SocketAddr::new(client, port), edge })
    }

    /// The stream, for what comes after HTTP.
    pub(super) fn io(self: &Rc<Self>) -> Io {
        Io(Rc::clone(self))
    }

    fn set_phase_alarm(&self) {
        match self.phase.get() {
            Phase::Idle if self.is_leaving() => self.alarm.set(LEAVE_GRACE),
            Phase::Idle => self.alarm.set(self.limits.idle_timeout),
            Phase::Head => self.alarm.set(self.limits.header_timeout),
            Phase::Exchange => self.alarm.clear(),
            Phase::Closing => self.alarm.set(FAREWELL),
        }
    }
}

/// A connection of HTTP/2 with one of its streams a tunnel.
pub(super) struct Carrying(Rc<Connection>);

impl Drop for Carrying {
    fn drop(&mut self) {
        self.0.worker.counters.open.of(Protocol::Tunnel).sub(1);
        self.0.rest();
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.worker.counters.open.of(self.counted_as.get()).sub(1);
    }
}

/// An age in milliseconds, a tenth more or less: connections that were opened together, as after a restart, do not end together.
fn about(age: Duration, draw: u64) -> u64 {
    let age = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
    let tenth = age / 10;
    age - tenth + draw % (2 * tenth + 1)
}

/// An address as `X-Forwarded-For` has it.
fn address_value(address: IpAddr) -> HeaderValue {
    // An address has digits, letters, dots and colons only.
    HeaderValue::from_str(&address.to_string()).unwrap_or_else(|_| HeaderValue::from_static("unknown"))
}

/// A request may be on its way on a connection that looks idle: it gets this long to arrive when the connection is to end.
const LEAVE_GRACE: Duration = Duration::from_secs(1);
/// How long a peer that is being left may take to read the rest.
const FAREWELL: Duration = Duration::from_secs(2);
/// A browser that leaves a page gives up as many streams as are open, 100 by default; an attacker goes on.
const ABANDONED: u32 = 200;
