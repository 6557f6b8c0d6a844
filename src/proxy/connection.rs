//! A client's connection: its stream, what was agreed on it, and the deadlines it lives under.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::HeaderValue;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::alarm::Alarm;
use super::http::Exchange;
use super::permits::Permit;
use super::tls::Stream;
use super::upstream::Tunnel;
use super::worker::{Open, Worker};
use crate::limits::Limits;
use crate::live::ServedCert;
use crate::telemetry::{HandshakeKind, Protocol};

/// A connection on which requests are served.
pub(super) struct Connection {
    pub(super) worker: Rc<Worker>,
    /// The address at the other end, IPv4 in its own form.
    pub(super) peer: IpAddr,
    pub(super) protocol: Protocol,
    pub(super) tls: Option<Agreed>,
    /// What the peer says about who is behind it is believed.
    pub(super) peer_is_trusted: bool,
    /// Limits as they were when the connection was accepted.
    pub(super) limits: Limits,
    /// `X-Forwarded-For` of every request, made once.
    pub(super) forwarded_for: HeaderValue,
    /// The beginning of `Forwarded` of every request: `for=…;host=` (RFC 7239 §4).
    pub(super) forwarded_begin: Box<str>,
    pub(super) phase: Cell<Phase>,
    pub(super) alarm: Alarm,
    /// The read side has ended.
    pub(super) read_ended: Cell<bool>,
    /// Streams of HTTP/2 that are being answered.
    pub(super) active: Cell<usize>,
    /// The stream whose task is about to be spawned.
    pub(super) newest: RefCell<Option<Rc<Exchange>>>,
    /// The upstream's side of a tunnel that begins once HTTP has ended.
    pub(super) tunnel: RefCell<Option<Tunnel>>,
    stream: RefCell<Stream>,
    /// Small writes of HTTP/2 that wait to be one: each response is two frames at least, and a record and a system call for
    /// every frame cost more than the frames.
    gathered: RefCell<Vec<u8>>,
    stalled: Cell<bool>,
    _open: Open,
    _permit: Permit,
}

/// What the handshake fixed for the life of a connection.
pub(super) struct Agreed {
    pub(super) sni: Option<Box<str>>,
    /// Names covered by it may be asked for.
    pub(super) certificate: Arc<ServedCert>,
    /// The name was nobody's: coverage is not asked, only configuration.
    pub(super) by_default: bool,
    pub(super) kind: HandshakeKind,
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
}

impl Connection {
    #[allow(clippy::too_many_arguments)] // each is a fact of the connection that is known once
    pub(super) fn new(
        worker: &Rc<Worker>,
        stream: Stream,
        peer: IpAddr,
        protocol: Protocol,
        tls: Option<Agreed>,
        alarm: Alarm,
        open: Open,
        permit: Permit,
    ) -> Rc<Self> {
        let view = worker.view();
        let limits = view.table.limits.clone();
        worker.counters.open.of(protocol).add(1);
        alarm.set(limits.idle_timeout);
        Rc::new(Self {
            worker: Rc::clone(worker),
            peer,
            protocol,
            tls,
            peer_is_trusted: view.table.trusted_proxies.iter().any(|network| network.contains(&peer)),
            forwarded_for: address_value(peer),
            forwarded_begin: match peer {
                IpAddr::V4(address) => format!("for={address};host=").into(),
                IpAddr::V6(address) => format!("for=\"[{address}]\";host=").into(),
            },
            phase: Cell::new(Phase::Idle),
            alarm,
            read_ended: Cell::new(false),
            active: Cell::new(0),
            newest: RefCell::new(None),
            tunnel: RefCell::new(None),
            stream: RefCell::new(stream),
            gathered: RefCell::new(Vec::new()),
            stalled: Cell::new(false),
            limits,
            _open: open,
            _permit: permit,
        })
    }

    /// Moves to `phase` and sets the deadline that goes with it.
    pub(super) fn enter(&self, phase: Phase) {
        self.phase.set(phase);
        if !self.stalled.get() {
            self.set_phase_alarm();
        }
    }

    /// Whether the writer has been standing still when the deadline passed.
    pub(super) fn is_stalled(&self) -> bool {
        self.stalled.get()
    }

    /// Whether `host`, in normal form, may be asked for on this connection.
    pub(super) fn may_ask_for(&self, host: &str) -> bool {
        match &self.tls {
            None => true,
            Some(agreed) => agreed.by_default || agreed.certificate.covers(host),
        }
    }

    /// Closes with a reset, for a peer that does not take what it is sent.
    pub(super) fn reset(&self) {
        // If the option cannot be set, the close is an orderly one, which is no harm.
        let _ = self.stream.borrow().tcp().set_zero_linger();
    }

    /// The stream, for what comes after HTTP.
    pub(super) fn io(self: &Rc<Self>) -> Io {
        Io(Rc::clone(self))
    }

    /// Reads and throws away what the peer still sends, past TLS, so that closing does not reset what it has not read yet.
    pub(super) fn poll_discard(&self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut waste = [0; 4096];
        let mut buffer = ReadBuf::new(&mut waste);
        let mut stream = self.stream.borrow_mut();
        ready!(Pin::new(stream.tcp_mut()).poll_read(cx, &mut buffer))?;
        Poll::Ready(Ok(buffer.filled().len()))
    }

    /// Sends what was gathered. HTTP/2's driver calls it after each turn, in which hyper's own flushes do nothing.
    pub(super) fn poll_send(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send_gathered(cx))?;
        self.wrote(self.stream.borrow_mut().poll_flush(cx))
    }

    fn poll_send_gathered(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut gathered = self.gathered.borrow_mut();
        while !gathered.is_empty() {
            let sent = self.stream.borrow_mut().poll_write(cx, &gathered);
            match ready!(self.wrote(sent))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                sent if sent == gathered.len() => {
                    gathered.clear();
                    self.worker.spare.replace(std::mem::take(&mut gathered));
                }
                sent => drop(gathered.drain(..sent)),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Keeps a small write for later. False: it is large, or there is no more room.
    fn gather(&self, slices: &[io::IoSlice<'_>], length: usize) -> bool {
        let mut gathered = self.gathered.borrow_mut();
        if length > GATHERED_WRITE || gathered.len() + length > GATHERED {
            return false;
        }
        if gathered.capacity() == 0 {
            *gathered = self.worker.spare.take();
        }
        slices.iter().for_each(|slice| gathered.extend_from_slice(slice));
        true
    }

    fn set_phase_alarm(&self) {
        match self.phase.get() {
            Phase::Idle if self.worker.is_draining() => self.alarm.set(DRAIN_GRACE),
            Phase::Idle => self.alarm.set(self.limits.idle_timeout),
            Phase::Head => self.alarm.set(self.limits.header_timeout),
            Phase::Exchange => self.alarm.clear(),
        }
    }

    fn wrote<T>(&self, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if result.is_pending() {
            if !self.stalled.replace(true) {
                self.alarm.set(self.limits.write_stall_timeout);
            }
        } else if self.stalled.replace(false) {
            self.set_phase_alarm();
        }
        result
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.worker.counters.open.of(self.protocol).sub(1);
    }
}

/// A handle on a connection's stream: hyper holds one while HTTP is spoken, and whoever comes after takes another.
pub(super) struct Io(Rc<Connection>);

impl AsyncRead for Io {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let connection = &self.0;
        let before = buffer.filled().len();
        let result = connection.stream.borrow_mut().poll_read(cx, buffer);
        match ready!(result) {
            Ok(()) if buffer.filled().len() == before => connection.read_ended.set(true),
            Ok(()) if connection.phase.get() == Phase::Idle => connection.enter(Phase::Head),
            Ok(()) => {}
            // A peer that closes TCP without close_notify has ended like any other: HTTP's own framing tells a cut body.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => connection.read_ended.set(true),
            Err(error) => {
                connection.read_ended.set(true);
                return Poll::Ready(Err(error));
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Io {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[io::IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let connection = &self.0;
        if connection.protocol == Protocol::Http2 {
            let length = slices.iter().map(|slice| slice.len()).sum();
            if connection.gather(slices, length) {
                return Poll::Ready(Ok(length));
            }
            ready!(connection.poll_send_gathered(cx))?;
        }
        connection.wrote(connection.stream.borrow_mut().poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // HTTP/2's driver sends once for all that one turn has written.
        if self.0.protocol == Protocol::Http2 { Poll::Ready(Ok(())) } else { self.0.poll_send(cx) }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.0.poll_send_gathered(cx))?;
        self.0.stream.borrow_mut().poll_shutdown(cx)
    }
}

/// An address as `X-Forwarded-For` has it.
fn address_value(address: IpAddr) -> HeaderValue {
    // An address has digits, letters, dots and colons only.
    HeaderValue::from_str(&address.to_string()).unwrap_or_else(|_| HeaderValue::from_static("unknown"))
}

/// A request may be on its way on a connection that looks idle: it gets this long to arrive while the edge drains.
const DRAIN_GRACE: Duration = Duration::from_secs(1);
/// One TLS record.
const GATHERED: usize = 16 * 1024;
/// A larger write goes out by itself: copying it would cost more than the record it saves.
const GATHERED_WRITE: usize = 4 * 1024;
