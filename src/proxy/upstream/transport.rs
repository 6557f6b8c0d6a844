//! What octets take to an upstream: a TCP connection or a socket in the file system, with TLS upon it or without.

use std::fmt;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::unconstrained;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::client::TlsStream;

use super::introduction::{self, Introduction};
use crate::live::{Speech, Upstream, UpstreamAddress};
use crate::proxy::socket::Socket;
use crate::proxy::tls::{agrees_to_http2, secure};
use crate::telemetry::{Label, UpstreamFailure};

/// An open way to an upstream.
pub struct Transport(Way);

enum Way {
    Plain(Plain),
    Tls(Box<TlsStream<Plain>>),
}

/// Without TLS.
enum Plain {
    Tcp(Socket),
    Unix(UnixStream),
}

pub(super) const TIMEOUT: Unconnected = Unconnected::Failed(UpstreamFailure::ConnectTimeout);

/// Why there is no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unconnected {
    /// It is the upstream's fault, or that of what lies between.
    Failed(UpstreamFailure),
    /// It is ours: no file descriptor is left.
    Descriptors,
}

impl fmt::Display for Unconnected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(failure) => write!(f, "no connection comes about: {}", failure.label()),
            Self::Descriptors => f.write_str("no file descriptor is left"),
        }
    }
}

impl std::error::Error for Unconnected {}

impl Transport {
    /// Over TCP.
    #[must_use]
    pub fn tcp(stream: TcpStream) -> Self {
        Self::socket(Socket::opened(stream))
    }

    /// Over a TCP connection that has its options.
    pub(super) const fn socket(socket: Socket) -> Self {
        Self(Way::Plain(Plain::Tcp(socket)))
    }

    /// Over a socket in the file system.
    #[must_use]
    pub const fn unix(stream: UnixStream) -> Self {
        Self(Way::Plain(Plain::Unix(stream)))
    }

    /// What comes before a question of the edge's own, until `until`.
    ///
    /// # Errors
    /// [`Unconnected`]
    pub async fn begun(self, upstream: &Upstream, until: Instant) -> Result<Self, Unconnected> {
        self.begun_for(None, upstream, until).await
    }

    /// What comes before the first request, until `until`. No request is sent to whom the upstream has to be and does not prove to
    /// be; who asks is told before, as that is what balancers and their like read.
    pub(super) async fn begun_for(
        mut self,
        introduced: Option<Introduction>,
        upstream: &Upstream,
        until: Instant,
    ) -> Result<Self, Unconnected> {
        if let Some(version) = upstream.announces {
            let header = introduction::header(version, introduced);
            match timeout_at(until, self.write_all(&header)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(Unconnected::Failed(UpstreamFailure::Connect)),
                Err(_) => return Err(TIMEOUT),
            }
        }
        let (tls, plain) = match (&upstream.tls, self.0) {
            (Some(tls), Way::Plain(plain)) => (tls, plain),
            (_, way) => return Ok(Self(way)),
        };
        let host = match &upstream.address {
            UpstreamAddress::Tcp { host, .. } => host,
            UpstreamAddress::Unix(_) => "localhost",
        };
        match timeout_at(until, secure(tls, host, plain)).await {
            Ok(Ok(stream)) if upstream.speech == Speech::Http2 && !agrees_to_http2(&stream) => {
                Err(Unconnected::Failed(UpstreamFailure::NoHttp2))
            }
            Ok(Ok(stream)) => Ok(Self(Way::Tls(Box::new(stream)))),
            Ok(Err(unsecured)) => {
                tracing::debug!(%upstream, error = &*unsecured.detail, "no TLS with an upstream");
                Err(Unconnected::Failed(unsecured.failure))
            }
            Err(_) => Err(TIMEOUT),
        }
    }

    /// Whether it is open and has nothing to say. Outside of tokio's budget: with that used up, whatever was closed would
    /// seem open, and a shop that restarts closes hundreds at once.
    pub(super) fn is_quiet(&mut self) -> bool {
        let unasked = match &mut self.0 {
            Way::Plain(Plain::Tcp(socket)) => socket.tcp().try_read(&mut [0]),
            Way::Plain(Plain::Unix(stream)) => stream.try_read(&mut [0]),
            // Tickets may have come, which TLS keeps to itself.
            Way::Tls(stream) => {
                let mut octet = [0];
                let read = pin!(unconstrained(stream.read(&mut octet)));
                return read.poll(&mut Context::from_waker(Waker::noop())).is_pending();
            }
        };
        unasked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }

    /// Closes with a reset, where there is one, once it is dropped.
    pub(super) fn reset(&self) {
        let plain = match &self.0 {
            Way::Plain(plain) => plain,
            Way::Tls(stream) => stream.get_ref().0,
        };
        if let Plain::Tcp(socket) = plain {
            socket.reset();
        }
    }
}

impl AsyncRead for Transport {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Way::Plain(plain) => Pin::new(plain).poll_read(cx, buffer),
            Way::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().0 {
            Way::Plain(plain) => Pin::new(plain).poll_write(cx, bytes),
            Way::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Way::Plain(plain) => Pin::new(plain).poll_flush(cx),
            Way::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Way::Plain(plain) => Pin::new(plain).poll_shutdown(cx),
            Way::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

impl AsyncRead for Plain {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(socket) => Pin::new(socket).poll_read(cx, buffer),
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Plain {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(socket) => Pin::new(socket).poll_write(cx, bytes),
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(socket) => Pin::new(socket).poll_flush(cx),
            Self::Unix(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(socket) => Pin::new(socket).poll_shutdown(cx),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
