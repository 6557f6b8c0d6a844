//! A connection to an upstream in HTTP/2 (RFC 9113): a task moves it, and requests have streams of it.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use h2::Ping;
use h2::client::{Builder, Connection, SendRequest};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, timeout_at};

use super::http2_stream::Http2Stream;
use super::stream::UpstreamStream;
use super::transport::{TIMEOUT, Unconnected};
use crate::proxy::alarm::Alarms;
use crate::proxy::pulse::Pulse;
use crate::telemetry::UpstreamFailure;

/// An open connection. When nobody has it any more and its last stream has ended, it closes.
pub(super) struct Http2 {
    sender: SendRequest<Bytes>,
    is_secure: bool,
    /// The address it leads to, where there is one.
    address: Option<IpAddr>,
    state: Rc<State>,
    clock: Alarms,
}

#[derive(Default)]
struct State {
    /// Requests that have a stream.
    streams: Cell<usize>,
    /// It takes no more requests.
    is_gone: Cell<bool>,
    /// It has had a request before.
    is_used: Cell<bool>,
    /// When a request ended last, in the worker's milliseconds.
    since: Cell<u64>,
}

impl Http2 {
    /// Begins to speak, until `until`: the upstream's settings must have come, which say how many requests it takes.
    pub(super) async fn open(
        stream: UpstreamStream,
        is_secure: bool,
        clock: &Alarms,
        until: Instant,
    ) -> Result<Rc<Self>, Unconnected> {
        let (address, heard) = (stream.address(), Rc::new(Cell::new(clock.now())));
        let stream = Listening { stream, heard: Rc::clone(&heard), clock: clock.clone() };
        let opening = async {
            let (sender, mut connection) = Builder::new()
                .enable_push(false)
                .initial_max_send_streams(0)
                .initial_window_size(WINDOW)
                .initial_connection_window_size(CONNECTION_WINDOW)
                .max_header_list_size(HEAD)
                .max_send_buffer_size(SEND_BUFFER)
                .handshake(stream)
                .await?;
            poll_fn(|cx| match Pin::new(&mut connection).poll(cx) {
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                Poll::Ready(Ok(())) => Poll::Ready(Err(h2::Reason::NO_ERROR.into())),
                Poll::Pending if connection.max_concurrent_send_streams() > 0 => Poll::Ready(Ok(())),
                Poll::Pending => Poll::Pending,
            })
            .await?;
            Ok::<_, h2::Error>((sender, connection))
        };
        let (sender, connection) = match timeout_at(until, opening).await {
            Ok(Ok(opened)) => opened,
            Ok(Err(error)) => {
                tracing::debug!(%error, "no HTTP/2 with an upstream");
                return Err(Unconnected::Failed(UpstreamFailure::NoHttp2));
            }
            Err(_) => return Err(TIMEOUT),
        };
        let state = Rc::new(State { since: Cell::new(clock.now()), ..State::default() });
        tokio::task::spawn_local(drive(connection, Rc::clone(&state), heard, clock.clone()));
        Ok(Rc::new(Self { sender, is_secure, address, state, clock: clock.clone() }))
    }

    /// Whether it takes another request now.
    pub(super) fn has_room(&self) -> bool {
        let state = &self.state;
        !state.is_gone.get() && state.streams.get() < self.sender.current_max_send_streams().min(STREAMS)
    }

    /// A stream for a request, and whether the connection had one before.
    pub(super) fn stream(self: &Rc<Self>) -> (Http2Stream, bool) {
        self.state.streams.set(self.state.streams.get() + 1);
        let is_used = self.state.is_used.replace(true);
        (Http2Stream::new(Place(Rc::clone(self))), is_used)
    }

    /// Whether it is worth keeping: it goes on, and is used or was a short while ago. `now` is in the worker's milliseconds.
    pub(super) fn is_fit(&self, now: u64, patience: u64) -> bool {
        let state = &self.state;
        !state.is_gone.get() && (state.streams.get() > 0 || now.saturating_sub(state.since.get()) < patience)
    }

    /// Whether it takes no more requests.
    pub(super) fn is_gone(&self) -> bool {
        self.state.is_gone.get()
    }

    /// The address it leads to, where there is one.
    pub(super) const fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// Whether no request has a stream.
    pub(super) fn is_idle(&self) -> bool {
        self.state.streams.get() == 0
    }
}

/// One request's place on a connection.
pub(super) struct Place(Rc<Http2>);

impl Place {
    pub(super) fn sender(&self) -> SendRequest<Bytes> {
        self.0.sender.clone()
    }

    pub(super) fn is_secure(&self) -> bool {
        self.0.is_secure
    }

    pub(super) fn is_gone(&self) -> bool {
        self.0.is_gone()
    }

    /// The connection takes no more requests.
    pub(super) fn give_up(&self) {
        self.0.state.is_gone.set(true);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let state = &self.0.state;
        state.streams.set(state.streams.get() - 1);
        state.since.set(self.0.clock.now());
    }
}

/// Moves the connection until it ends, or until the upstream is not heard any more.
async fn drive(mut connection: Connection<Listening, Bytes>, state: Rc<State>, heard: Rc<Cell<u64>>, clock: Alarms) {
    let silence = || Duration::from_millis(clock.now().saturating_sub(heard.get()));
    let mut pulse = Pulse::new(&clock);
    let mut pings = connection.ping_pong();
    pulse.begin(silence());
    let end = poll_fn(|cx| {
        let mut is_owed = false;
        if pulse.poll(silence, || is_owed = true, cx).is_ready() {
            return Poll::Ready(Ok(()));
        }
        if let Some(pings) = pings.as_mut().filter(|_| is_owed) {
            // Takes the last answer, without which there is no next question.
            let _ = pings.poll_pong(cx);
            // If the last question is still open, the upstream owes that answer.
            let _ = pings.send_ping(Ping::opaque());
        }
        Pin::new(&mut connection).poll(cx)
    })
    .await;
    state.is_gone.set(true);
    if let Err(error) = end {
        tracing::debug!(%error, "a connection in HTTP/2 to an upstream has ended");
    }
}

/// What is spoken over, and when something was heard last.
struct Listening {
    stream: UpstreamStream,
    heard: Rc<Cell<u64>>,
    clock: Alarms,
}

impl AsyncRead for Listening {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if read.is_ready() {
            self.heard.set(self.clock.now());
        }
        read
    }
}

impl AsyncWrite for Listening {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Requests at a time on one connection, if the upstream takes as many; the next has a connection of its own.
const STREAMS: usize = 100;
/// What an upstream may send of one answer before the client has taken some; as much as is held of one in HTTP/1.1.
const WINDOW: u32 = 64 * 1024;
/// All answers together: a client that takes nothing holds up its own alone.
const CONNECTION_WINDOW: u32 = 100 * WINDOW;
/// A head that is longer is refused, as in HTTP/1.1.
const HEAD: u32 = 128 * 1024;
/// What of a request waits for the upstream.
const SEND_BUFFER: usize = 64 * 1024;
