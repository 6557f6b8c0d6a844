//! HTTP on one connection, from the first octet to the close: `http1` and `http2` speak it, `stream` is one exchange of HTTP/2,
//! and what both end with is here.

mod http1;
mod http2;
mod sending;
mod stream;

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::StatusCode;
use tokio::io::AsyncWrite;

pub(super) use self::http1::Upload;
pub use self::http1::{ReadRequests, read_requests};
use crate::proxy::connection::{Connection, Phase};
use crate::telemetry::{Protocol, Shed};

/// Serves a connection until it ends, in a task of this thread.
pub(in crate::proxy) fn serve(connection: Rc<Connection>) {
    if connection.protocol == Protocol::Http2 {
        tokio::task::spawn_local(async move { http2::serve(&connection).await });
    } else {
        tokio::task::spawn_local(async move { http1::serve(&connection).await });
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
    /// A head cannot be read; this says why.
    Unreadable(StatusCode),
    /// The peer is not worth an orderly end.
    Shed(Shed),
}

/// Leaves a connection on which no more HTTP is spoken.
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
