//! A connection's octets: read and written under its deadlines.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Connection, Phase};
use crate::telemetry::Protocol;

/// A handle on a connection's stream: whoever speaks HTTP holds one, and whoever comes after takes another.
pub(in crate::proxy) struct Io(pub(super) Rc<Connection>);

impl Io {
    /// Closes the connection with a reset.
    pub(in crate::proxy) fn reset(&self) {
        self.0.reset();
    }
}

impl AsyncRead for Io {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let connection = &self.0;
        let before = buffer.filled().len();
        let result = ready!(connection.stream.borrow_mut().poll_read(cx, buffer));
        connection.heard.set(connection.worker.alarms.now());
        match result {
            Ok(()) if buffer.filled().len() == before => connection.read_ended.set(true),
            // HTTP/2 has more to say than requests: none of it makes a connection less idle, nor more.
            Ok(()) if connection.protocol != Protocol::Http2 && connection.phase.get() == Phase::Idle => {
                connection.enter(Phase::Head);
            }
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
        self.0.poll_write(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_send(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.stream.borrow_mut().poll_shutdown(cx)
    }
}

impl Connection {
    /// Writes what the peer takes of `slices`, under the deadline of one that takes nothing.
    pub(in crate::proxy) fn poll_write(
        &self,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.wrote(self.stream.borrow_mut().poll_write_vectored(cx, slices))
    }

    /// Reads and throws away what the peer still sends, past TLS, so that closing does not reset what it has not read yet.
    pub(in crate::proxy) fn poll_discard(&self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut waste = [0; 4096];
        let mut buffer = ReadBuf::new(&mut waste);
        let mut stream = self.stream.borrow_mut();
        ready!(Pin::new(stream.socket_mut()).poll_read(cx, &mut buffer))?;
        Poll::Ready(Ok(buffer.filled().len()))
    }

    /// Writes the last of what is said over HTTP/1: TLS tells with it that nothing follows.
    pub(in crate::proxy) fn poll_write_last(
        &self,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.wrote(self.stream.borrow_mut().poll_write_last(cx, slices))
    }

    /// Has what was written sent.
    pub(in crate::proxy) fn poll_send(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.wrote(self.stream.borrow_mut().poll_flush(cx))
    }

    fn wrote<T>(&self, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if result.is_pending() {
            if !self.stalled.replace(true) {
                self.alarm.set(self.write_stall.get());
            }
        } else if self.stalled.replace(false) {
            self.set_phase_alarm();
        }
        result
    }
}
