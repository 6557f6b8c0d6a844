//! A connection's octets: read and written under its deadlines, and HTTP/2's small writes gathered.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Buf;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Connection, Phase};
use crate::proxy::buffer;
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
        if connection.dry.get() {
            return Poll::Pending;
        }
        let Poll::Ready(result) = connection.stream.borrow_mut().poll_read(cx, buffer) else {
            connection.dry.set(connection.protocol == Protocol::Http2);
            return Poll::Pending;
        };
        connection.heard.set(connection.worker.alarms.now());
        connection.end_turn_in_time(buffer.filled().len() - before, cx);
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

impl Connection {
    /// A new turn of HTTP/2's driver, in which it may read.
    pub(in crate::proxy) fn begin_turn(&self) {
        self.dry.set(false);
        self.read.set(0);
    }

    /// Whoever sends without end has its turn like all others, and the next after them: a frame costs its sender a few octets, and may
    /// cost us a thousand instructions.
    fn end_turn_in_time(&self, read: usize, cx: &Context<'_>) {
        if self.protocol != Protocol::Http2 {
            return;
        }
        let read = self.read.get() + read;
        self.read.set(read);
        if read >= TURN {
            self.dry.set(true);
            cx.waker().wake_by_ref();
        }
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

    /// Sends what was gathered. HTTP/2's driver calls it after each turn, in which h2's own flushes do nothing.
    pub(in crate::proxy) fn poll_send(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
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
                sent => gathered.advance(sent),
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
            let spare = self.worker.spare.take();
            // One of which a part was sent first has lost the room of that part.
            *gathered = if spare.capacity() < GATHERED { buffer::with_room(GATHERED) } else { spare };
        }
        slices.iter().for_each(|slice| gathered.extend_from_slice(slice));
        true
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

/// What one turn of an HTTP/2 connection reads, octets: it ends with the read that comes to as much.
const TURN: usize = 32 * 1024;
/// One TLS record.
const GATHERED: usize = 16 * 1024;
/// A larger write goes out by itself: copying it would cost more than the record it saves.
const GATHERED_WRITE: usize = 4 * 1024;
