//! An HTTP/2 connection: takes streams in, each of which is a task of its own, and keeps deadlines, pulse and farewell.

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::server::{self, Handshake};

use super::{End, leave, stream};
use crate::proxy::connection::{Connection, Io, Phase};
use crate::proxy::pulse::Pulse;
use crate::telemetry::Shed;

/// Serves the connection until it ends.
pub(super) async fn serve(connection: &Rc<Connection>) {
    let end = {
        let mut driver = Driver::new(connection);
        poll_fn(|cx| driver.poll(cx)).await
    };
    leave(connection, &end).await;
}

struct Driver<'c> {
    connection: &'c Rc<Connection>,
    http: Http,
    pulse: Pulse,
    /// The peer knows that it is being left.
    told: bool,
}

enum Http {
    /// The peer has yet to say that it speaks HTTP/2.
    Opening(Handshake<Io, Bytes>),
    Open(server::Connection<Io, Bytes>),
}

impl<'c> Driver<'c> {
    fn new(connection: &'c Rc<Connection>) -> Self {
        let limits = &connection.limits;
        let opening = server::Builder::new()
            .enable_connect_protocol()
            .max_concurrent_streams(limits.h2_streams)
            .initial_window_size(limits.h2_stream_window)
            .initial_connection_window_size(limits.h2_connection_window)
            .max_send_buffer_size(limits.h2_send_buffer)
            .max_header_list_size(u32::try_from(limits.head_size).unwrap_or(u32::MAX))
            .max_local_error_reset_streams(Some(LOCAL_RESETS))
            .handshake(connection.io());
        Self { connection, http: Http::Opening(opening), pulse: Pulse::new(&connection.worker.alarms), told: false }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        let connection = self.connection;
        connection.begin_turn();
        if !self.told && connection.is_old() {
            connection.leave(); // one that asks for nothing, or has a stream that never ends, is woken by its pulse
        }
        loop {
            while connection.alarm.poll(cx).is_ready() {
                if let Poll::Ready(end) = self.poll_deadline() {
                    return Poll::Ready(end);
                }
            }
            if connection.is_leaving() && !self.told {
                self.told = true;
                connection.leave();
                if let Http::Open(http) = &mut self.http {
                    http.graceful_shutdown();
                }
            }
            if self.poll_http(cx).is_ready() {
                return Poll::Ready(End::Quiet);
            }
            if let Poll::Ready(Err(_)) = connection.poll_send(cx) {
                return Poll::Ready(End::Failed);
            }
            // The last request may have come on a connection that was old enough.
            if self.told == connection.is_leaving() {
                return Poll::Pending;
            }
        }
    }

    /// Reads and writes all that can be, and begins the streams that come. Ready: the connection is over.
    fn poll_http(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Http::Opening(opening) = &mut self.http {
            let Ok(mut http) = ready!(Pin::new(opening).poll(cx)) else { return Poll::Ready(()) };
            self.pulse.begin(self.connection.silence(), http.ping_pong());
            if self.told {
                http.graceful_shutdown();
            }
            self.http = Http::Open(http);
        }
        let Http::Open(http) = &mut self.http else { return Poll::Pending };
        if self.pulse.poll(|| self.connection.silence(), cx).is_ready() {
            http.abrupt_shutdown(h2::Reason::NO_ERROR);
        }
        loop {
            match ready!(http.poll_accept(cx)) {
                Some(Ok((request, reply))) => stream::begin(self.connection, request, reply),
                // Which of both it was, the peer has been told.
                Some(Err(_)) | None => return Poll::Ready(()),
            }
        }
    }

    /// The deadline has passed; pending: that was no reason to end, and the alarm was set anew.
    fn poll_deadline(&self) -> Poll<End> {
        let connection = self.connection;
        if connection.is_stalled() {
            return Poll::Ready(End::Shed(Shed::WriteStall));
        }
        if connection.is_flooding() {
            return Poll::Ready(End::Shed(Shed::StreamFlood));
        }
        match connection.phase.get() {
            Phase::Idle if self.told => return Poll::Ready(End::Quiet),
            Phase::Idle => connection.leave(),
            _ => connection.alarm.clear(),
        }
        Poll::Pending
    }
}

/// Streams that end by our own fault before the peer is taken for an attacker (CVE-2025-8671).
const LOCAL_RESETS: usize = 100;
