//! A stream that carries octets both ways, as a WebSocket does (RFC 8441 §5): the end of the stream is the end of the octets, and a
//! reset is what a reset is in TCP.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::frame::Reason;
use super::handles::{FromClient, GivenUp, ToClient};

/// What is read has room again at the client once it is handed on, and what is written waits until the client has room.
pub(in crate::proxy) struct Octets {
    from_client: FromClient,
    to_client: ToClient,
    /// Has come, and is not read yet.
    read: Bytes,
    has_said_end: bool,
}

impl Octets {
    pub(in crate::proxy) const fn new(from_client: FromClient, to_client: ToClient) -> Self {
        Self { from_client, to_client, read: Bytes::new(), has_said_end: false }
    }

    /// Ready: the client has given up the stream.
    pub(in crate::proxy) fn poll_gone(&self, cx: &Context<'_>) -> Poll<()> {
        self.to_client.poll_reset(cx)
    }

    /// Ends it at once, both ways (RFC 8441 §5).
    pub(in crate::proxy) fn break_off(&self) {
        self.to_client.reset(Reason::CANCEL);
    }

    /// Has something to read; false: there is no more.
    fn poll_fill(&mut self, cx: &Context<'_>) -> Poll<io::Result<bool>> {
        while self.read.is_empty() {
            match ready!(self.from_client.poll_data(cx))? {
                Some(data) => self.read = data,
                // Nothing but data may be in a tunnel (RFC 9113 §8.5).
                None => match ready!(self.from_client.poll_trailers(cx))? {
                    None => return Poll::Ready(Ok(false)),
                    Some(_) => return Poll::Ready(Err(io::ErrorKind::InvalidData.into())),
                },
            }
        }
        Poll::Ready(Ok(true))
    }
}

impl AsyncRead for Octets {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if ready!(this.poll_fill(cx))? {
            let length = this.read.len().min(buffer.remaining());
            buffer.put_slice(&this.read[..length]);
            this.read.advance(length);
            this.from_client.release(length);
            if this.read.is_empty() {
                this.read = Bytes::new();
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Octets {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        if !ready!(self.to_client.poll_room(cx)) {
            return Poll::Ready(Err(GivenUp.into()));
        }
        self.to_client.send(Bytes::copy_from_slice(octets), false);
        Poll::Ready(Ok(octets.len()))
    }

    /// The connection's own task writes.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.has_said_end {
            if !ready!(self.to_client.poll_room(cx)) {
                return Poll::Ready(Err(GivenUp.into()));
            }
            self.to_client.send(Bytes::new(), true);
            self.has_said_end = true;
        }
        ready!(self.to_client.poll_sent(cx));
        Poll::Ready(Ok(()))
    }
}
