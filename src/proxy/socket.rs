//! A TCP connection as both sides of the edge use it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// An open TCP connection with the options that every one has.
pub(super) struct Socket(TcpStream);

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
        Self(stream)
    }

    /// One that was accepted from a listener with these options.
    pub(super) const fn accepted(stream: TcpStream) -> Self {
        Self(stream)
    }

    pub(super) fn tcp(&self) -> &TcpStream {
        &self.0
    }

    /// Closes with a reset, once it is dropped.
    pub(super) fn reset(&self) {
        // If the option cannot be set, the close is an orderly one, which is no harm.
        let _ = self.0.set_zero_linger();
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    /// What is one piece goes out by send(2), which takes a shorter way through the kernel than writev(2).
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match slices {
            [whole] => Pin::new(&mut self.0).poll_write(cx, whole),
            _ => Pin::new(&mut self.0).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// A peer that vanished without a word is found after about three minutes, on tunnels too.
const KEEPALIVE_TIME: Duration = Duration::from_secs(60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener, TcpStream as StdStream};

    use super::*;

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
