//! An HTTP/1 connection: one request after the other, read and written by hyper.

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::AsyncWriteExt;

use super::await_head::{Begun, await_head};
use super::{End, leave};
use crate::proxy::connection::{Connection, Phase};
use crate::proxy::http::errors;
use crate::proxy::http::exchange::Exchange;
use crate::proxy::http::request_body::RequestBody;
use crate::proxy::http::respond::respond;
use crate::proxy::http::tunnel;
use crate::telemetry::{GateRule, Shed};

/// Serves the connection until it ends.
pub(super) async fn serve(connection: &Rc<Connection>) {
    connection.enter(Phase::Resting);
    let mut read = Bytes::new();
    let end = loop {
        match await_head(connection, read).await {
            Ok(begun) => read = begun,
            Err(end) => break end,
        }
        // Boxed: a connection that rests holds nothing of it.
        match Box::pin(speak(connection, read)).await {
            Spoken::Rests(left) => read = left,
            Spoken::Ended(end) => break end,
        }
    };
    match &end {
        End::Done(early) => {
            if let Some((tunnel, place)) = connection.tunnel.take() {
                // In a task of its own: connections that rest need no room for it.
                let (connection, early) = (Rc::clone(connection), early.clone());
                tokio::task::spawn_local(async move {
                    let _place = place;
                    match tunnel::carry(&connection, tunnel, early).await {
                        // What is left to be read is read, so that closing resets nothing.
                        true => leave(&connection, &End::Done(Bytes::new())).await,
                        false => connection.reset(),
                    }
                });
                return;
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

/// What came of speaking HTTP.
enum Spoken {
    /// Nothing has been asked for a while. What was read beyond is left over.
    Rests(Bytes),
    Ended(End),
}

/// Speaks HTTP until the connection ends or has been quiet for a while. `begun` was read of it before.
async fn speak(connection: &Rc<Connection>, begun: Bytes) -> Spoken {
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
    let service = service_fn(|request: Request<Incoming>| {
        let request = request.map(RequestBody::http1);
        let exchange = Exchange::begin(connection, &request);
        connection.newest.replace(Some(Rc::clone(&exchange)));
        respond(exchange, request)
    });
    let mut http = builder.serve_connection(TokioIo::new(Begun::new(begun, connection.io())), service);
    let mut told = false;
    let end = poll_fn(|cx| {
        if connection.is_leaving() && !told {
            told = true;
            connection.leave();
        }
        if let Poll::Ready(end) = poll_deadline(connection, cx) {
            return Poll::Ready(Some(end));
        }
        let Poll::Ready(done) = Pin::new(&mut http).poll(cx) else {
            if let Some(exchange) = &*connection.newest.borrow() {
                exchange.drive(cx);
            }
            return Poll::Pending;
        };
        Poll::Ready(done.err().map(|error| failed(connection, &error)))
    });
    let end = end.await;
    // A copy: what hyper has read keeps the whole of its buffer, even if it is nothing.
    let left = Bytes::copy_from_slice(&http.into_parts().read_buf);
    match end {
        Some(End::Quiet) if connection.rests() => Spoken::Rests(left),
        Some(end) => Spoken::Ended(end),
        None => Spoken::Ended(End::Done(left)),
    }
}

/// hyper answers what it cannot read, 400 or 431, without asking anybody: here it is counted.
fn failed(connection: &Connection, error: &hyper::Error) -> End {
    if error.is_parse() {
        connection.worker.counters.refused.count(GateRule::Malformed);
    }
    End::Failed
}

/// The deadline that goes with the phase.
pub(super) fn poll_deadline(connection: &Connection, cx: &Context<'_>) -> Poll<End> {
    ready!(connection.alarm.poll(cx));
    if connection.is_stalled() {
        return Poll::Ready(End::Shed(Shed::WriteStall));
    }
    match connection.phase.get() {
        Phase::Idle | Phase::Resting => Poll::Ready(End::Quiet),
        Phase::Head => Poll::Ready(End::HalfHead),
        Phase::Exchange | Phase::Closing => Poll::Pending,
    }
}

/// hyper's read buffer at most; one head and a TLS record or two of body.
const BUFFER: usize = 64 * 1024;
