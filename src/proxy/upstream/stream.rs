//! An upstream's socket, and what it counts as for as long as it is open.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::proxy::permits::UpstreamPermit;
use crate::proxy::socket::Socket;
use crate::telemetry::WorkerCounters;

/// A connection to an upstream, whatever is spoken on it.
pub(in crate::proxy) struct UpstreamStream {
    // Closed before it is counted as closed.
    socket: Socket,
    _open: StillOpen,
    _permit: UpstreamPermit,
}

impl UpstreamStream {
    pub(super) fn new(socket: Socket, permit: UpstreamPermit, counters: &Arc<WorkerCounters>) -> Self {
        counters.upstream_open.add(1);
        Self { socket, _open: StillOpen(Arc::clone(counters)), _permit: permit }
    }

    /// Whether it is open and has nothing to say. Outside of tokio's budget: with that used up, whatever was closed would
    /// seem open, and a shop that restarts closes hundreds at once.
    pub(super) fn is_quiet(&self) -> bool {
        let unasked = self.socket.tcp().try_read(&mut [0]);
        unasked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
    }
}

impl AsyncRead for UpstreamStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(cx, buffer)
    }
}

impl AsyncWrite for UpstreamStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

struct StillOpen(Arc<WorkerCounters>);

impl Drop for StillOpen {
    fn drop(&mut self) {
        self.0.upstream_open.sub(1);
    }
}
