//! An HTTP/1 connection: one request after the other, read and written by hyper.

use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::AsyncWriteExt;

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
            if let Some((tunnel, place)) = connection.tunnel.take() {
                // In a task of its own, since this one has room for all that HTTP takes; and a copy, since what hyper has read
                // keeps the whole of its buffer, even if it is nothing.
                let (connection, early) = (Rc::clone(connection), Bytes::copy_from_slice(early));
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

/// hyper's read buffer at most; one head and a TLS record or two of body.
const BUFFER: usize = 64 * 1024;
