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

use super::errors;
use super::exchange::Exchange;
use super::respond::respond;
use super::tunnel;
use crate::proxy::connection::{Connection, Phase};
use crate::telemetry::{GateRule, Protocol, Shed};

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
    /// The peer is not worth an orderly end.
    Shed(Shed),
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
        let mut told = false;
        poll_fn(|cx| {
            if connection.is_leaving() && !told {
                told = true;
                connection.leave();
            }
            if let Poll::Ready(end) = poll_deadline(connection, cx) {
                return Poll::Ready(end);
            }
            let Poll::Ready(parts) = http.as_mut().poll(cx) else {
                if let Some(exchange) = &*connection.newest.borrow() {
                    exchange.drive(cx);
                }
                return Poll::Pending;
            };
            Poll::Ready(parts.map_or_else(|error| failed(connection, &error), |parts| End::Done(parts.read_buf)))
        })
        .await
    };
    match &end {
        End::Done(early) => {
            if let Some(tunnel) = connection.tunnel.take() {
                return tunnel::carry(connection, tunnel, early.clone()).await;
            }
        }
        End::HalfHead => {
            let answer = errors::late_head(connection);
            // The peer may be gone; the connection ends either way.
            let _ = connection.alarm.guard(connection.io().write_all(&answer)).await;
        }
        End::Failed | End::Quiet | End::Shed(_) => {}
    }
    leave(connection, &end).await;
}

/// hyper answers what it cannot read, 400 or 431, without asking anybody: here it is counted.
fn failed(connection: &Connection, error: &hyper::Error) -> End {
    if error.is_parse() {
        connection.worker.counters.refused.count(GateRule::Malformed);
    }
    End::Failed
}

/// The deadline that goes with the phase.
fn poll_deadline(connection: &Connection, cx: &Context<'_>) -> Poll<End> {
    ready!(connection.alarm.poll(cx));
    if connection.is_stalled() {
        return Poll::Ready(End::Shed(Shed::WriteStall));
    }
    match connection.phase.get() {
        Phase::Idle => Poll::Ready(End::Quiet),
        Phase::Head => Poll::Ready(End::HalfHead),
        Phase::Exchange | Phase::Closing => Poll::Pending,
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
    let end = {
        let mut http = pin!(http);
        let mut told = false;
        poll_fn(|cx| {
            loop {
                while connection.alarm.poll(cx).is_ready() {
                    if let Poll::Ready(end) = poll_http2_deadline(connection, told) {
                        return Poll::Ready(end);
                    }
                }
                if connection.is_leaving() && !told {
                    told = true;
                    connection.leave();
                    http.as_mut().graceful_shutdown();
                }
                if http.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(End::Quiet);
                }
                if let Poll::Ready(Err(_)) = connection.poll_send(cx) {
                    return Poll::Ready(End::Failed);
                }
                // The last request may have come on a connection that was old enough.
                if told == connection.is_leaving() {
                    return Poll::Pending;
                }
            }
        })
        .await
    };
    leave(connection, &end).await;
}

/// The deadline has passed; pending: that was no reason to end, and the alarm was set anew. `told`: the peer knows that it is
/// being left.
fn poll_http2_deadline(connection: &Connection, told: bool) -> Poll<End> {
    if connection.is_stalled() {
        return Poll::Ready(End::Shed(Shed::WriteStall));
    }
    if connection.is_flooding() {
        return Poll::Ready(End::Shed(Shed::StreamFlood));
    }
    match connection.phase.get() {
        Phase::Idle if told => return Poll::Ready(End::Quiet),
        Phase::Idle => connection.leave(),
        _ => connection.alarm.clear(),
    }
    Poll::Pending
}

async fn leave(connection: &Rc<Connection>, end: &End) {
    if let End::Shed(reason) = end {
        connection.worker.counters.shed.count(*reason);
        connection.reset();
    } else if connection.cut_short.get() {
        // A client of HTTP/1.0 takes an orderly end for the end of the body.
        connection.reset();
    } else {
        close(connection).await;
    }
}

/// Ends the connection so that the peer can read all it was sent: says the end, then throws away what still comes, for a
/// while. Closing with octets unread would reset the connection and could destroy the answer on its way (RFC 9112 §9.6).
async fn close(connection: &Rc<Connection>) {
    connection.enter(Phase::Closing);
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
        exchange.drive(cx);
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
