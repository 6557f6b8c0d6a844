//! Listening sockets: how they are bound, how connections are accepted, how they end.

use std::cell::OnceCell;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::rc::Rc;
use std::task::{Poll, ready};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{SocketFlags, acceptfrom_with};
use socket2::{Domain, Protocol as IpProtocol, SockRef, Type};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::TcpStream;

use super::alarm::Alarm;
use super::connection::{Agreed, Connection, Ends};
use super::http;
use super::permits::Permit;
use super::proxy_protocol::{self, NoHeader};
use super::socket::{Socket, set_options};
use super::tls::{self, Stream};
use super::worker::{Open, Worker};
use crate::live::contains;
use crate::shutdown::Lifecycle;
use crate::telemetry::{AcceptTrouble, HandshakeFailure, Label, Protocol, Shed};

/// A bound listening socket of one worker.
pub(super) struct Bound {
    socket: TcpListener,
    tls: bool,
}

impl Bound {
    /// Binds one socket of an address; all workers bind the same one, and the kernel spreads connections over them.
    pub(super) fn new(address: SocketAddr, tls: bool) -> io::Result<Self> {
        Ok(Self { socket: bind(address, true)?, tls })
    }

    pub(super) fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    pub(super) fn https_inode(&self) -> Option<u64> {
        self.tls.then(|| rustix::fs::fstat(&self.socket).ok()).flatten().map(|facts| facts.st_ino)
    }
}

/// Finds out whether somebody listens on `address` already: `SO_REUSEPORT` would let a second edge of the same user take
/// half of the connections without a word.
pub(super) fn probe(address: SocketAddr) -> io::Result<()> {
    if address.port() == 0 { Ok(()) } else { bind(address, false).map(drop) }
}

fn bind(address: SocketAddr, shared: bool) -> io::Result<TcpListener> {
    let socket = socket2::Socket::new(Domain::for_address(address), Type::STREAM, Some(IpProtocol::TCP))?;
    socket.set_reuse_address(true)?;
    if shared {
        socket.set_reuse_port(true)?;
    }
    if address.is_ipv6() && address.ip().is_unspecified() {
        socket.set_only_v6(false)?; // [::] serves IPv4 too
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    if shared {
        set_options(&SockRef::from(&socket))?;
        socket.listen(BACKLOG)?;
    }
    Ok(socket.into())
}

/// A listener known to the worker's runtime.
pub(super) struct Listening {
    listener: AsyncFd<TcpListener>,
    tls: bool,
}

/// Registers a bound socket with the runtime of the calling worker.
#[expect(
    deprecated,
    reason = "a standard listener keeps its descriptor, which is all that the unsafe successor asks for"
)]
pub(super) fn register(bound: Bound) -> io::Result<Listening> {
    Ok(Listening { listener: AsyncFd::with_interest(bound.socket, Interest::READABLE)?, tls: bound.tls })
}

/// Accepts until the edge drains, then empties the queue and closes the listener.
pub(super) async fn accept(worker: Rc<Worker>, listening: Listening, mut lifecycle: Lifecycle) {
    let Listening { listener, tls } = listening;
    {
        let mut draining = std::pin::pin!(lifecycle.draining());
        loop {
            tokio::select! {
                biased;
                accepted = next(&listener) => match accepted {
                    Ok((stream, peer)) => {
                        let permit = admit(&worker, peer).await;
                        spawn(&worker, stream, peer, permit, tls);
                    }
                    Err(error) => trouble(&worker, &error).await,
                },
                _ = &mut draining => break,
            }
        }
    }
    // What the kernel has queued was promised a connection: closing the listener would reset it.
    while let Ok((stream, peer)) = accept_one(listener.get_ref()) {
        let permit = admit(&worker, peer).await;
        spawn(&worker, stream, peer, permit, tls);
    }
}

/// The next connection. tokio's listener accepts until there is none, which costs 3.6 µs: the kernel makes a file before it looks. To ask
/// whether there is another costs 0.3.
async fn next(listener: &AsyncFd<TcpListener>) -> io::Result<(TcpStream, SocketAddr)> {
    poll_fn(|cx| {
        loop {
            let mut readiness = ready!(listener.poll_read_ready(cx))?;
            match accept_one(listener.get_ref()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => readiness.clear_ready(),
                accepted => {
                    if !has_another(listener.get_ref()) {
                        readiness.clear_ready();
                    }
                    return Poll::Ready(accepted);
                }
            }
        }
    })
    .await
}

/// A stream that is known to the runtime, of which nothing is assumed: tokio would try to read at once, before the client has said anything.
fn accept_one(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    let (stream, peer) = acceptfrom_with(listener, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC)?;
    let peer = peer.and_then(|peer| SocketAddr::try_from(peer).ok()).ok_or(Errno::AFNOSUPPORT)?;
    Ok((TcpStream::from_std(stream.into())?, peer))
}

/// Whether a connection waits to be accepted. Where that cannot be told, accepting tells.
fn has_another(listener: &TcpListener) -> bool {
    let mut looked = [PollFd::new(listener, PollFlags::IN)];
    poll(&mut looked, Some(&Timespec::default())).map_or(true, |ready| ready > 0)
}

/// Room for the connection that was just accepted. Until there is, the next ones wait in the kernel's queue. It is taken after
/// accepting: taken before, each idle listener would hold a place that another could fill.
async fn admit(worker: &Worker, peer: SocketAddr) -> Permit {
    // The edge itself is no client: neither a limit nor a count nor the log is about it.
    if worker.is_own_check(peer) {
        return Permit::own();
    }
    loop {
        match worker.take_permit() {
            Some(permit) => return permit,
            None => worker.counters.accept_trouble.count(AcceptTrouble::Full),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Nothing that goes wrong with one connection may end accepting, and running out of something must not spin.
async fn trouble(worker: &Worker, error: &io::Error) {
    let (trouble, pause) = match Errno::from_io_error(error) {
        Some(Errno::MFILE | Errno::NFILE) => (AcceptTrouble::Descriptors, true),
        Some(Errno::NOMEM | Errno::NOBUFS) => (AcceptTrouble::Memory, true),
        Some(
            Errno::CONNABORTED
            | Errno::INTR
            | Errno::PROTO
            | Errno::HOSTDOWN
            | Errno::HOSTUNREACH
            | Errno::NETDOWN
            | Errno::NETUNREACH
            | Errno::NOPROTOOPT
            | Errno::NONET
            | Errno::OPNOTSUPP
            | Errno::PERM,
        ) => (AcceptTrouble::Peer, false),
        _ => (AcceptTrouble::Other, true),
    };
    worker.counters.accept_trouble.count(trouble);
    if pause {
        worker.accept_log.say(|| {
            tracing::error!(%error, reason = trouble.label(), "accepting connections pauses");
        });
        tokio::time::sleep(PAUSE).await;
    }
}

fn spawn(worker: &Rc<Worker>, stream: TcpStream, peer: SocketAddr, mut permit: Permit, tls: bool) {
    if !permit.is_own() {
        worker.counters.accepted.add(1);
    }
    let peer = peer.ip().to_canonical();
    if !permit.is_own() && worker.shared.shortage.is_on() {
        worker.counters.shed.count(Shed::Memory);
        return;
    }
    let is_introduced = !permit.is_own() && contains(&worker.view().table.proxy_protocol, peer);
    if !is_introduced && !is_welcome(worker, &mut permit, peer) {
        return;
    }
    let open = worker.open_connection();
    let worker = Rc::clone(worker);
    tokio::task::spawn_local(async move {
        let mut socket = Socket::accepted(stream);
        let alarm = worker.alarms.alarm();
        alarm.set(worker.view().table.limits.handshake_timeout);
        let speaker = match is_introduced {
            false => Some(peer),
            true => introduced(&worker, &mut socket, &alarm, peer)
                .await
                .filter(|speaker| is_welcome(&worker, &mut permit, *speaker)),
        };
        let Some(speaker) = speaker else { return };
        let ends = Ends { speaker, peer };
        let connection = if tls {
            secure(&worker, socket, ends, alarm, permit, open).await
        } else {
            Some(Connection::new(&worker, Stream::Plain(socket), ends, Protocol::Plain, None, alarm, open, permit))
        };
        if let Some(connection) = connection {
            // A task of its own: this one has the room that a handshake takes, several times that of an idle connection.
            http::serve(connection);
        }
    });
}

/// Counts the connection for its client, if that is let in and has not its share already.
fn is_welcome(worker: &Worker, permit: &mut Permit, client: IpAddr) -> bool {
    let view = worker.view();
    let why = if !permit.is_own() && view.table.turns_away(client) {
        Shed::Denied
    } else if !permit.for_client(client, view.table.limits.connections_per_client) {
        Shed::PerClient
    } else {
        return true;
    };
    worker.counters.shed.count(why);
    false
}

/// Whom the balancer `peer` speaks for, as it says first; `None`: it does not, and is left.
async fn introduced(worker: &Worker, socket: &mut Socket, alarm: &Alarm, peer: IpAddr) -> Option<IpAddr> {
    let why = match alarm.guard(proxy_protocol::receive(socket)).await {
        Some(Ok(header)) => return Some(header.client.unwrap_or(peer)),
        // It looks whether somebody listens, every other second.
        Some(Err(NoHeader::Nothing)) => return None,
        Some(Err(NoHeader::CutShort)) => "it ended before its end".to_owned(),
        Some(Err(NoHeader::Malformed(malformed))) => malformed.to_string(),
        None => "none came in time".to_owned(),
    };
    worker.counters.shed.count(Shed::ProxyHeader);
    worker.handshake_log.say(|| {
        tracing::warn!(%peer, why, "expected a header of the PROXY protocol from this network of edge.proxy_protocol; have it sent there");
    });
    None
}

/// The handshake, under the deadline that `alarm` is set to.
async fn secure(
    worker: &Rc<Worker>,
    socket: Socket,
    ends: Ends,
    alarm: Alarm,
    permit: Permit,
    open: Open,
) -> Option<Rc<Connection>> {
    let (handshaking, client) = (Handshaking::begin(worker), ends.speaker);
    let policy = std::sync::Arc::clone(worker.policy.borrow_mut().load());
    let sni = OnceCell::new();
    let outcome = alarm
        .guard(tls::accept(
            socket,
            &policy,
            &worker.certificates,
            &worker.challenges,
            &sni,
            &worker.scratch,
            permit.is_own(),
        ))
        .await;
    let sni = sni.into_inner();
    drop(handshaking);
    if policy.tells_unknown()
        && !permit.is_own()
        && let Some(name) = sni.as_deref().filter(|_| is_unknown(&outcome))
    {
        worker.shared.unknown_names.tell(name, client);
    }
    match outcome {
        Some(Ok(None)) => {
            tracing::debug!(%client, sni = sni.as_deref(), "an authority was shown what it asked for");
            None
        }
        Some(Ok(Some(accepted))) => {
            if !permit.is_own() {
                worker.counters.handshakes.count(accepted.kind);
            }
            let protocol = if accepted.http2 { Protocol::Http2 } else { Protocol::Http1 };
            let tls::Accepted { stream, certificate, by_default, kind, own, client_fields, .. } = accepted;
            let agreed = Agreed { sni, certificate, by_default, kind, own, client_fields };
            let stream = Stream::Tls(Box::new(stream));
            Some(Connection::new(worker, stream, ends, protocol, Some(agreed), alarm, open, permit))
        }
        // The check knows what it has asked for, and tells what came of it.
        Some(Err(_)) | None if permit.is_own() => None,
        Some(Err(refused)) => {
            failed(worker, client, refused.reason, sni.as_deref(), refused.detail.as_deref());
            None
        }
        None => {
            failed(worker, client, HandshakeFailure::Timeout, sni.as_deref(), None);
            None
        }
    }
}

/// Whether the client asked for a name that nobody serves.
fn is_unknown(outcome: &Option<Result<Option<tls::Accepted>, tls::Refused>>) -> bool {
    match outcome {
        Some(Ok(Some(accepted))) => accepted.by_default,
        Some(Err(refused)) => refused.reason == HandshakeFailure::UnknownName,
        Some(Ok(None)) | None => false,
    }
}

fn failed(worker: &Worker, client: IpAddr, reason: HandshakeFailure, sni: Option<&str>, detail: Option<&str>) {
    worker.counters.handshake_failures.count(reason);
    // Port scans and health checks that connect and go are no news.
    if sni.is_some() || reason != HandshakeFailure::Closed {
        worker.handshake_log.say(|| {
            tracing::info!(%client, sni, reason = reason.label(), detail, "a TLS handshake failed");
        });
    }
}

/// A handshake under way, for the gauge.
struct Handshaking(Rc<Worker>);

impl Handshaking {
    fn begin(worker: &Rc<Worker>) -> Self {
        worker.counters.open.of(Protocol::Handshake).add(1);
        Self(Rc::clone(worker))
    }
}

impl Drop for Handshaking {
    fn drop(&mut self) {
        self.0.counters.open.of(Protocol::Handshake).sub(1);
    }
}

/// Connections the kernel holds until they are accepted; it cuts the number to `net.core.somaxconn`.
const BACKLOG: i32 = 4096;
/// How long accepting rests when something has run out: short enough that a freed descriptor is used within a second.
const PAUSE: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpStream};
    use std::task::{Context, Waker};

    use super::*;

    #[tokio::test]
    async fn whoever_has_come_is_accepted_and_whoever_comes_later() {
        let bound = Bound::new(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), false).expect("a port");
        let address = bound.address().expect("an address");
        let Listening { listener, .. } = register(bound).expect("registered");
        let mut clients: Vec<TcpStream> = Vec::new();
        for round in [3, 1, 2] {
            clients.extend((0..round).map(|_| TcpStream::connect(address).expect("connected")));
            for client in &clients[clients.len() - round..] {
                let (stream, peer) = next(&listener).await.expect("accepted");
                assert_eq!(peer, client.local_addr().expect("an address"));
                assert_eq!(stream.peer_addr().expect("an address"), peer);
            }
            let nobody = std::pin::pin!(next(&listener)).poll(&mut Context::from_waker(Waker::noop()));
            assert!(nobody.is_pending());
        }
    }
}
