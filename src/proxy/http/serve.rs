//! HTTP on one connection, from the first octet to the close.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use pin_project_lite::pin_project;
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::exchange::Exchange;
use super::respond::respond;
use super::tunnel;
use crate::proxy::connection::{Connection, Phase};
use crate::telemetry::{LocalAnswer, Protocol, Shed};

/// Serves a connection until it ends.
pub(in crate::proxy) async fn serve(connection: Rc<Connection>) {
    if connection.protocol == Protocol::Http2 {
        serve_http2(&connection).await;
    } else {
        serve_http1(&connection).await;
    }
}

/// How speaking HTTP ended.
enum End {
    /// By its own rules. What the client sent beyond is left over.
    Done(Bytes),
    /// By a mistake of the peer, or because it went.
    Failed,
    /// Nothing was asked for too long.
    Quiet,
    /// A head was begun and not ended in time.
    HalfHead,
    /// The peer does not read.
    Stalled,
}

async fn serve_http1(connection: &Rc<Connection>) {
    let limits = &connection.limits;
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(None) // ours tells a quiet connection from a started head
        .half_close(true)
        .max_header_size(limits.head_size)
        .max_buf_size(BUFFER.max(limits.head_size));
    if limits.headers != crate::limits::HEADERS {
        builder.max_headers(limits.headers);
    }
    let service = service_fn(|request| respond(Exchange::begin(connection, &request), request));
    let end = {
        let mut http = pin!(builder.serve_connection(TokioIo::new(connection.io()), service).without_shutdown());
        let mut seen_draining = false;
        poll_fn(|cx| {
            if let Poll::Ready(end) = poll_deadline(connection, &mut seen_draining, cx) {
                return Poll::Ready(end);
            }
            let parts = ready!(http.as_mut().poll(cx));
            Poll::Ready(parts.map_or(End::Failed, |parts| End::Done(parts.read_buf)))
        })
        .await
    };
    match end {
        End::Done(early) => match connection.tunnel.take() {
            Some(tunnel) => {
                connection.enter(Phase::Exchange);
                tunnel::carry(connection, tunnel, early).await;
            }
            None => close(connection).await,
        },
        End::Failed | End::Quiet => close(connection).await,
        End::HalfHead => {
            connection.worker.counters.local_answers.count(LocalAnswer::ClientTimeout);
            // The peer may be gone; the connection ends either way.
            let _ = connection.alarm.guard(connection.io().write_all(REQUEST_TIMEOUT)).await;
            close(connection).await;
        }
        End::Stalled => reset(connection),
    }
}

/// The deadline that goes with the phase; also where a connection learns that the edge drains.
fn poll_deadline(connection: &Connection, seen_draining: &mut bool, cx: &Context<'_>) -> Poll<End> {
    if connection.worker.is_draining() && !*seen_draining {
        *seen_draining = true;
        if connection.phase.get() == Phase::Idle {
            connection.enter(Phase::Idle); // again, for the deadline of a draining edge
        }
    }
    ready!(connection.alarm.poll(cx));
    if connection.is_stalled() {
        return Poll::Ready(End::Stalled);
    }
    match connection.phase.get() {
        Phase::Idle => Poll::Ready(End::Quiet),
        Phase::Head => Poll::Ready(End::HalfHead),
        Phase::Exchange => Poll::Pending,
    }
}

async fn serve_http2(connection: &Rc<Connection>) {
    let limits = &connection.limits;
    let service = service_fn(|request| respond(Exchange::begin(connection, &request), request));
    let http = http2::Builder::new(StreamTasks(Rc::clone(connection)))
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.h2_streams)
        .initial_stream_window_size(limits.h2_stream_window)
        .initial_connection_window_size(limits.h2_connection_window)
        .max_send_buf_size(limits.h2_send_buffer)
        .max_header_list_size(u32::try_from(limits.head_size).unwrap_or(u32::MAX))
        .max_local_error_reset_streams(LOCAL_RESETS)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .serve_connection(TokioIo::new(connection.io()), service);
    let mut http = pin!(http);
    let mut leaving = false;
    let stalled = poll_fn(|cx| {
        if connection.worker.is_draining() && !leaving {
            leaving = true;
            http.as_mut().graceful_shutdown();
        }
        if connection.alarm.poll(cx).is_ready() {
            if connection.is_stalled() {
                return Poll::Ready(true);
            }
            if connection.active.get() == 0 {
                if leaving {
                    return Poll::Ready(false); // it was told, and had its time
                }
                leaving = true;
                http.as_mut().graceful_shutdown();
                connection.alarm.set(FAREWELL);
            } else {
                connection.alarm.clear();
            }
            // The alarm was moved: it must know whom to wake.
            if connection.alarm.poll(cx).is_ready() {
                return Poll::Ready(false);
            }
        }
        let done = http.as_mut().poll(cx).map(|_| false);
        if done.is_pending()
            && let Poll::Ready(Err(_)) = connection.poll_send(cx)
        {
            return Poll::Ready(false);
        }
        done
    })
    .await;
    if stalled { reset(connection) } else { close(connection).await }
}

fn reset(connection: &Connection) {
    connection.worker.counters.shed.count(Shed::WriteStall);
    connection.reset();
}

/// Ends the connection so that the peer can read all it was sent: says the end, then throws away what still comes, for a
/// while. Closing with octets unread would reset the connection and could destroy the answer on its way (RFC 9112 §9.6).
async fn close(connection: &Rc<Connection>) {
    connection.enter(Phase::Exchange);
    connection.alarm.set(FAREWELL);
    let mut io = connection.io();
    let mut said = false;
    let farewell = poll_fn(|cx: &mut Context<'_>| {
        if !said {
            // An error means that the peer is gone already.
            let _ = ready!(Pin::new(&mut io).poll_shutdown(cx));
            said = true;
        }
        if connection.read_ended.get() {
            return Poll::Ready(());
        }
        loop {
            match ready!(connection.poll_discard(cx)) {
                Ok(0) | Err(_) => return Poll::Ready(()),
                Ok(_) => {}
            }
        }
    });
    // A peer that goes on sending is left to itself after a while.
    let _ = connection.alarm.guard(farewell).await;
}

/// Runs HTTP/2 streams as tasks of this thread, each under its exchange's deadline: a client that opens no window for its
/// response cannot keep the stream for ever, and loses only that stream.
#[derive(Clone)]
struct StreamTasks(Rc<Connection>);

impl<F: Future<Output = ()> + 'static> hyper::rt::Executor<F> for StreamTasks {
    fn execute(&self, stream: F) {
        let exchange = self.0.newest.take();
        tokio::task::spawn_local(StreamTask { stream, exchange });
    }
}

pin_project! {
    /// One HTTP/2 stream, with its exchange once it has one.
    struct StreamTask<F> {
        #[pin]
        stream: F,
        exchange: Option<Rc<Exchange>>,
    }
}

impl<F: Future<Output = ()>> Future for StreamTask<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        if this.stream.poll(cx).is_ready() {
            return Poll::Ready(());
        }
        let Some(exchange) = this.exchange else { return Poll::Pending };
        ready!(exchange.alarm.poll(cx));
        exchange.connection.worker.counters.shed.count(Shed::WriteStall);
        exchange.reason.set(Some("write_stall"));
        Poll::Ready(())
    }
}

/// hyper's read buffer at most; one head and a TLS record or two of body.
const BUFFER: usize = 64 * 1024;
/// Streams that end by our own fault before the peer is taken for an attacker (CVE-2025-8671).
const LOCAL_RESETS: usize = 100;
/// A vanished HTTP/2 peer is found within 40 s.
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a peer that is being left may take to read the rest.
const FAREWELL: Duration = Duration::from_secs(2);
/// hyper cannot answer a request whose head has not ended.
const REQUEST_TIMEOUT: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\ncache-control: no-store\r\nconnection: close\r\n\r\n";
