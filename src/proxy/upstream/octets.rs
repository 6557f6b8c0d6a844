//! A stream of HTTP/2 that carries octets both ways, as a WebSocket does (RFC 8441 §5): the end of the stream is the end of the
//! octets, and a reset is what a reset is in TCP.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use h2::{Reason, RecvStream, SendStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What is read has room again at its sender once it is handed on, and what is written waits until the peer has room.
pub(super) struct StreamOctets {
    incoming: RecvStream,
    outgoing: SendStream<Bytes>,
    /// Has come, and is not read yet.
    read: Bytes,
    has_said_end: bool,
}

impl StreamOctets {
    pub(super) fn new(incoming: RecvStream, outgoing: SendStream<Bytes>) -> Self {
        Self { incoming, outgoing, read: Bytes::new(), has_said_end: false }
    }

    /// Ready: the peer has reset the stream.
    pub(super) fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.outgoing.poll_reset(cx).map(drop)
    }

    /// Ends it at once, both ways (RFC 8441 §5).
    pub(super) fn break_off(&mut self) {
        self.outgoing.send_reset(Reason::CANCEL);
    }

    /// Has something to read; false: there is no more.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        while self.read.is_empty() {
            match ready!(self.incoming.poll_data(cx)) {
                Some(data) => self.read = data.map_err(io::Error::other)?,
                // Nothing but data may be in a tunnel (RFC 9113 §8.5).
                None => match ready!(self.incoming.poll_trailers(cx)).map_err(io::Error::other)? {
                    None => return Poll::Ready(Ok(false)),
                    Some(_) => return Poll::Ready(Err(io::ErrorKind::InvalidData.into())),
                },
            }
        }
        Poll::Ready(Ok(true))
    }
}

impl AsyncRead for StreamOctets {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if ready!(this.poll_fill(cx))? {
            let length = this.read.len().min(buffer.remaining());
            buffer.put_slice(&this.read[..length]);
            this.read.advance(length);
            // An error would mean that more was read than came.
            let _ = this.incoming.flow_control().release_capacity(length);
            if this.read.is_empty() {
                this.read = Bytes::new(); // a part that has been read keeps all that came with it
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for StreamOctets {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        let outgoing = &mut self.get_mut().outgoing;
        while outgoing.capacity() == 0 {
            outgoing.reserve_capacity(1); // the rest is reserved as it is sent
            match ready!(outgoing.poll_capacity(cx)) {
                Some(room) => drop(room.map_err(io::Error::other)?),
                None => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            }
        }
        outgoing.send_data(Bytes::copy_from_slice(octets), false).map_err(io::Error::other)?;
        Poll::Ready(Ok(octets.len()))
    }

    /// The connection's own task writes.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if std::mem::replace(&mut self.has_said_end, true) {
            return Poll::Ready(Ok(()));
        }
        Poll::Ready(self.outgoing.send_data(Bytes::new(), true).map_err(io::Error::other))
    }
}
