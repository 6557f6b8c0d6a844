//! A TCP connection as both sides of the edge use it.

use std::io;
use std::net::Shutdown;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::net::{SendAncillaryBuffer, SendFlags, sendmsg};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

/// An open TCP connection with the options that every one has.
pub(super) struct Socket {
    tcp: TcpStream,
    /// The peer was told that nothing follows.
    ended: bool,
}

/// Sets the options that every connection has. One that is accepted has those of its listener, so that none is set for it.
pub(super) fn set_options(socket: &SockRef<'_>) -> io::Result<()> {
    // Without it a message in two segments waits for a delayed acknowledgement.
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE_TIME).with_interval(KEEPALIVE_INTERVAL))
}

impl Socket {
    /// One that was opened. It works without its options too, if slower; a peer that has gone already shows at the first read.
    pub(super) fn opened(stream: TcpStream) -> Self {
        let _ = set_options(&SockRef::from(&stream));
        Self::accepted(stream)
    }

    /// One that was accepted from a listener with these options.
    pub(super) const fn accepted(stream: TcpStream) -> Self {
        Self { tcp: stream, ended: false }
    }

    pub(super) fn tcp(&self) -> &TcpStream {
        &self.tcp
    }

    /// Writes the last of what is said. Where the socket takes all of it, the end goes out in the same segment: it is a third of those
    /// that a connection with one answer takes.
    pub(super) fn poll_write_last(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let whole: usize = slices.iter().map(|slice| slice.len()).sum();
        // More is to come: the end.
        let flags = SendFlags::MORE | SendFlags::NOSIGNAL;
        let tcp = &self.tcp;
        let send = || Ok(sendmsg(tcp, slices, &mut SendAncillaryBuffer::default(), flags)?);
        loop {
            ready!(tcp.poll_write_ready(cx))?;
            match tcp.try_io(Interest::WRITABLE, send) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Ok(sent) if sent == whole => {
                    self.end()?;
                    return Poll::Ready(Ok(sent));
                }
                sent => return Poll::Ready(sent),
            }
        }
    }

    fn end(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.ended, true) {
            return Ok(());
        }
        SockRef::from(&self.tcp).shutdown(Shutdown::Write)
    }

    /// Closes with a reset, once it is dropped.
    pub(super) fn reset(&self) {
        // If the option cannot be set, the close is an orderly one, which is no harm.
        let _ = self.tcp.set_zero_linger();
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tcp).poll_write(cx, bytes)
    }

    /// What is one piece goes out by send(2), which takes a shorter way through the kernel than writev(2).
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match slices {
            [whole] => Pin::new(&mut self.tcp).poll_write(cx, whole),
            _ => Pin::new(&mut self.tcp).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.end())
    }
}

/// A peer that vanished without a word is found after about three minutes, on tunnels too.
const KEEPALIVE_TIME: Duration = Duration::from_secs(60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::io::{Read, Write};
    use std::net::{Ipv4Addr, TcpListener, TcpStream as StdStream};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn the_last_that_is_said_comes_with_the_end_and_the_other_way_stays_open() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a listener");
        let mut peer = StdStream::connect(listener.local_addr().expect("an address")).expect("connected");
        let (accepted, _) = listener.accept().expect("accepted");
        accepted.set_nonblocking(true).expect("an option");
        let mut socket = Socket::accepted(TcpStream::from_std(accepted).expect("a stream"));
        let slices = [io::IoSlice::new(b"fare"), io::IoSlice::new(b"well")];
        let sent = poll_fn(|cx| socket.poll_write_last(cx, &slices)).await.expect("sent");
        socket.shutdown().await.expect("an end that was said before");
        let mut said = String::new();
        peer.read_to_string(&mut said).expect("read up to the end");
        assert_eq!((sent, said.as_str()), (8, "farewell"));
        peer.write_all(b"you too").expect("written");
        let mut heard = [0; 7];
        socket.read_exact(&mut heard).await.expect("heard");
        assert_eq!(&heard, b"you too");
    }

    #[test]
    fn what_is_accepted_has_the_options_of_its_listener() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a listener");
        set_options(&SockRef::from(&listener)).expect("options");
        let _client = StdStream::connect(listener.local_addr().expect("an address")).expect("connected");
        let (accepted, _) = listener.accept().expect("accepted");
        let accepted = SockRef::from(&accepted);
        assert!(accepted.tcp_nodelay().expect("an option") && accepted.keepalive().expect("an option"));
        let times = (accepted.tcp_keepalive_time(), accepted.tcp_keepalive_interval());
        assert_eq!((times.0.expect("a time"), times.1.expect("a time")), (KEEPALIVE_TIME, KEEPALIVE_INTERVAL));
    }
}
