//! The wait for a request over HTTP/1, in as little memory as it takes: whoever says nothing, and whoever says a head octet by octet, holds
//! none of what speaking HTTP needs.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::End;
use super::http1::poll_deadline;
use crate::proxy::connection::{Connection, Io};

/// Waits for a head that HTTP can be spoken about: a whole one, or one that is too long or too strange to wait for more of. `read` came before.
pub(super) async fn await_head(connection: &Rc<Connection>, read: Bytes) -> Result<Bytes, End> {
    let (mut read, mut io, mut told) = (Vec::from(read), connection.io(), false);
    poll_fn(|cx| {
        loop {
            if is_for_http(&read) {
                return Poll::Ready(Ok(std::mem::take(&mut read).into()));
            }
            if connection.is_leaving() && !told {
                told = true;
                connection.leave();
            }
            if let Poll::Ready(end) = poll_deadline(connection, cx) {
                return Poll::Ready(Err(end));
            }
            let mut room = [const { MaybeUninit::uninit() }; ROOM];
            let mut buffer = ReadBuf::uninit(&mut room);
            match ready!(Pin::new(&mut io).poll_read(cx, &mut buffer)) {
                Err(_) => return Poll::Ready(Err(End::Failed)),
                Ok(()) if !buffer.filled().is_empty() => read.extend_from_slice(buffer.filled()),
                Ok(()) if read.is_empty() => return Poll::Ready(Err(End::Done(Bytes::new()))),
                Ok(()) => return Poll::Ready(Ok(std::mem::take(&mut read).into())),
            }
        }
    })
    .await
}

/// Whether nothing is to be gained by more of it.
fn is_for_http(read: &[u8]) -> bool {
    // Empty lines before a request are to be skipped (RFC 9112 §2.2).
    let Some(begin) = read.iter().position(|octet| !matches!(octet, b'\r' | b'\n')) else { return read.len() >= MOST };
    let head = &read[begin..];
    let is_strange = !head[0].is_ascii_alphabetic() || !has_version(head);
    is_strange || read.len() >= MOST || head.ends_with(b"\r\n\r\n") || has_end(head)
}

/// Whether the first line ends as a request's does, or has not ended yet.
fn has_version(head: &[u8]) -> bool {
    let Some(end) = head.iter().position(|octet| *octet == b'\n') else { return true };
    let line = head[..end].strip_suffix(b"\r").unwrap_or(&head[..end]);
    [" HTTP/1.1", " HTTP/1.0"].iter().any(|version| line.ends_with(version.as_bytes()))
}

/// Whether the empty line is there that ends a head.
fn has_end(head: &[u8]) -> bool {
    let is_empty = |line: &[u8]| line.starts_with(b"\n") || line.starts_with(b"\r\n");
    head.iter().enumerate().any(|(place, octet)| *octet == b'\n' && is_empty(&head[place + 1..]))
}

/// A connection of which the beginning was read before.
pub(super) struct Begun {
    read: Bytes,
    io: Io,
}

impl Begun {
    pub(super) const fn new(read: Bytes, io: Io) -> Self {
        Self { read, io }
    }
}

impl AsyncRead for Begun {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.read.is_empty() {
            return Pin::new(&mut self.io).poll_read(cx, buffer);
        }
        let some = buffer.remaining().min(self.read.len());
        buffer.put_slice(&self.read[..some]);
        self.read.advance(some);
        if self.read.is_empty() {
            self.read = Bytes::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Begun {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    /// HTTP is no longer spoken; whether the connection ends with that others know.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

/// What is read at once.
const ROOM: usize = 4 * 1024;
/// A head of this size is spoken about though its end has not come: whoever drips so much is late.
const MOST: usize = 2 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_waited_for_until_its_end_or_until_it_is_strange() {
        for (read, expected) in [
            ("", false),
            ("\r\n\r\n", false),
            ("GET / HTTP/1.1\r\nHost: a\r\n", false),
            ("GET / HTTP/1.1\r\nHost: a\r\n\r", false),
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", true),
            ("\r\nGET / HTTP/1.1\r\n\r\n", true),
            ("POST / HTTP/1.1\r\nHost: a\r\n\r\nbody", true),
            ("GET / HTTP/1.1\nHost: a\n\n", true),
            ("GET / HTTP/1.1\nHost: a\n", false),
            ("\x16\x03\x01", true),
            (" GET", true),
            ("GET /\r\n", true),
            ("GET / HTTP/2.0\r\n", true),
            ("GET / HTTP/1.0\r\n", false),
        ] {
            assert_eq!(is_for_http(read.as_bytes()), expected, "{read:?}");
        }
        assert!(is_for_http(&[b'G'; MOST]) && !is_for_http(&[b'G'; MOST - 1]) && is_for_http(&[b'\n'; MOST]));
    }
}
