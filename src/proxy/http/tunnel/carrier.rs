//! Octets between two sides, both ways, as fast as each takes them. A tunnel that rests holds no buffer, and one whose reader
//! does not read holds what was read at once and no more: its writer has to wait.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::proxy::connection::Io;
use crate::proxy::http2::Octets;
use crate::proxy::upstream::Far;

/// One side of a tunnel.
pub(super) trait Side: AsyncRead + AsyncWrite + Unpin {
    /// Ready: the peer has given up both ways, where neither reading nor writing would tell.
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()>;
    /// Ends it at once, so that the peer takes it for no orderly end.
    fn break_off(&mut self);
}

/// Carries octets between a client and an upstream.
pub(super) struct Carrier<C, U> {
    client: C,
    upstream: U,
    to_upstream: Way,
    to_client: Way,
}

/// One direction.
struct Way {
    /// Was read, and not taken yet.
    waiting: Bytes,
    stage: Stage,
    /// Something was written since the last flush.
    is_unflushed: bool,
    /// The reader does not take what waits.
    is_stuck: bool,
    written: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Open,
    /// The reader is to be told that there is no more.
    Ending,
    Ended,
}

impl<C: Side, U: Side> Carrier<C, U> {
    /// `early` is what the client sent already, `late` what the upstream did.
    pub(super) fn new(client: C, early: Bytes, upstream: U, late: Bytes) -> Self {
        Self { client, upstream, to_upstream: Way::new(early), to_client: Way::new(late) }
    }

    /// Carries on until both sides have ended, which is `true`, or one has broken off, of which the other is told.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let up = self.to_upstream.poll(&mut self.client, &mut self.upstream, cx);
        let down = self.to_client.poll(&mut self.upstream, &mut self.client, cx);
        // Whoever was told the end, and has no more to say, may close as it likes.
        let ended = match (up, down) {
            (Poll::Ready(Ok(())), Poll::Ready(Ok(()))) => true,
            (Poll::Ready(Err(_)), _) => self.to_client.has_ended(),
            (_, Poll::Ready(Err(_))) => self.to_upstream.has_ended(),
            _ if self.client.poll_gone(cx).is_ready() => self.to_client.has_ended(),
            _ if self.upstream.poll_gone(cx).is_ready() => self.to_upstream.has_ended(),
            _ => return Poll::Pending,
        };
        if !ended {
            self.break_off();
        }
        Poll::Ready(ended)
    }

    /// Ends it at once, on both sides.
    pub(super) fn break_off(&mut self) {
        self.client.break_off();
        self.upstream.break_off();
    }

    /// How much the client has taken, if it does not take what waits for it.
    pub(super) fn stuck_at(&self) -> Option<u64> {
        self.to_client.is_stuck.then_some(self.to_client.written)
    }
}

impl Way {
    fn new(waiting: Bytes) -> Self {
        Self { waiting, stage: Stage::Open, is_unflushed: false, is_stuck: false, written: 0 }
    }

    fn has_ended(&self) -> bool {
        self.stage == Stage::Ended
    }

    /// Ready: all there was has been taken, and its end been told.
    fn poll(
        &mut self,
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            while !self.waiting.is_empty() {
                let waiting = std::mem::take(&mut self.waiting);
                let taken = self.poll_write(to, &waiting, cx);
                self.waiting = match &taken {
                    Poll::Ready(Ok(taken)) if *taken == waiting.len() => Bytes::new(),
                    Poll::Ready(Ok(taken)) => waiting.slice(*taken..),
                    Poll::Ready(Err(_)) | Poll::Pending => waiting,
                };
                ready!(taken)?;
            }
            match self.stage {
                Stage::Open => ready!(self.poll_pass(from, to, cx))?,
                Stage::Ending => {
                    ready!(self.poll_flush(to, cx))?;
                    let ended = Pin::new(&mut *to).poll_shutdown(cx);
                    self.is_stuck = ended.is_pending();
                    ready!(ended)?;
                    self.stage = Stage::Ended;
                }
                Stage::Ended => return Poll::Ready(Ok(())),
            }
        }
    }

    /// Reads once and writes what is taken of it; the rest waits.
    fn poll_pass(
        &mut self,
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let mut room = [const { MaybeUninit::uninit() }; ROOM];
        let mut buffer = ReadBuf::uninit(&mut room);
        let Poll::Ready(read) = Pin::new(from).poll_read(cx, &mut buffer) else {
            ready!(self.poll_flush(to, cx))?;
            return Poll::Pending;
        };
        match read {
            Ok(()) if !buffer.filled().is_empty() => {}
            Ok(()) => self.stage = Stage::Ending,
            // A WebSocket says by itself that it closes; that TLS has not is no news.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => self.stage = Stage::Ending,
            Err(error) => return Poll::Ready(Err(error)),
        }
        let octets = buffer.filled();
        if !octets.is_empty() {
            let taken = match self.poll_write(to, octets, cx) {
                Poll::Ready(taken) => taken?,
                Poll::Pending => 0,
            };
            self.waiting = Bytes::copy_from_slice(&octets[taken..]);
        }
        Poll::Ready(Ok(()))
    }

    fn poll_write(
        &mut self,
        to: &mut (impl AsyncWrite + Unpin),
        octets: &[u8],
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(to).poll_write(cx, octets);
        self.is_stuck = written.is_pending();
        let written = ready!(written)?;
        if written == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.is_unflushed = true;
        self.written += written as u64;
        Poll::Ready(Ok(written))
    }

    fn poll_flush(&mut self, to: &mut (impl AsyncWrite + Unpin), cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_unflushed {
            ready!(Pin::new(to).poll_flush(cx))?;
            self.is_unflushed = false;
        }
        Poll::Ready(Ok(()))
    }
}

impl Side for Io {
    fn poll_gone(&mut self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending // reading or writing tells
    }

    fn break_off(&mut self) {
        self.reset();
    }
}

impl Side for Octets {
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        Self::poll_gone(self, cx)
    }

    fn break_off(&mut self) {
        Self::break_off(self);
    }
}

impl Side for Far {
    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_gone(cx)
    }

    fn break_off(&mut self) {
        self.break_off();
    }
}

/// One TLS record, or one frame of HTTP/2, as most peers send them.
const ROOM: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    /// An end that remembers how it was left.
    struct End(DuplexStream, bool);

    impl Side for End {
        fn poll_gone(&mut self, _: &mut Context<'_>) -> Poll<()> {
            Poll::Pending
        }

        fn break_off(&mut self) {
            self.1 = true;
        }
    }

    impl AsyncRead for End {
        fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_read(cx, buffer)
        }
    }

    impl AsyncWrite for End {
        fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
            Pin::new(&mut self.0).poll_write(cx, octets)
        }

        fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_flush(cx)
        }

        fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_shutdown(cx)
        }
    }

    /// A client, a shop, and what carries between them; each pipe holds eight octets.
    fn tunnel(early: &'static [u8]) -> (DuplexStream, Carrier<End, End>, DuplexStream) {
        let ((client, near), (far, shop)) = (duplex(8), duplex(8));
        (client, Carrier::new(End(near, false), early.into(), End(far, false), Bytes::new()), shop)
    }

    fn poll(carrier: &mut Carrier<End, End>) -> Poll<bool> {
        carrier.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[tokio::test]
    async fn each_direction_ends_by_itself_and_then_the_tunnel_does() {
        let (mut client, mut carrier, mut shop) = tunnel(b"early ");
        client.write_all(b"word").await.expect("written");
        client.shutdown().await.expect("ended");
        assert!(poll(&mut carrier).is_pending());
        let mut said = [0; 8];
        shop.read_exact(&mut said).await.expect("octets");
        assert_eq!(&said, b"early wo");
        assert!(poll(&mut carrier).is_pending());
        let mut rest = Vec::new();
        shop.read_to_end(&mut rest).await.expect("an end");
        assert_eq!(rest, b"rd");
        shop.write_all(b"bye").await.expect("written");
        drop(shop);
        assert_eq!(poll(&mut carrier), Poll::Ready(true));
        let mut heard = Vec::new();
        drop(carrier);
        client.read_to_end(&mut heard).await.expect("an end");
        assert_eq!(heard, b"bye");
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_is_known_by_where_it_stopped() {
        let (mut client, mut carrier, mut shop) = tunnel(b"");
        shop.write_all(b"12345678").await.expect("written");
        assert!(poll(&mut carrier).is_pending());
        assert_eq!(carrier.stuck_at(), None);
        shop.write_all(b"abcdefgh").await.expect("written");
        assert!(poll(&mut carrier).is_pending());
        assert_eq!(carrier.stuck_at(), Some(8));
        client.read_exact(&mut [0; 3]).await.expect("octets");
        assert!(poll(&mut carrier).is_pending());
        assert_eq!(carrier.stuck_at(), Some(11));
        client.read_exact(&mut [0; 8]).await.expect("octets");
        assert!(poll(&mut carrier).is_pending());
        assert_eq!(carrier.stuck_at(), None);
    }

    #[tokio::test]
    async fn who_has_had_all_is_left_in_order_and_who_has_not_is_broken_off() {
        for (waits, in_order) in [(&b"bye"[..], true), (b"12345678", false)] {
            let (mut client, mut carrier, mut shop) = tunnel(b"");
            shop.write_all(b"12345").await.expect("written");
            assert!(poll(&mut carrier).is_pending());
            shop.write_all(waits).await.expect("written");
            client.write_all(b"ping").await.expect("written");
            drop(shop); // from now on nothing can be written to it
            assert_eq!(poll(&mut carrier), Poll::Ready(in_order));
            assert_eq!((carrier.client.1, carrier.upstream.1), (!in_order, !in_order));
        }
    }
}
