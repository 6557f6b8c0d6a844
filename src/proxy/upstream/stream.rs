//! An upstream's socket, and what it counts as for as long as it is open.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::transport::Transport;
use crate::proxy::permits::UpstreamPermit;
use crate::telemetry::WorkerCounters;

/// A connection to an upstream, whatever is spoken on it.
pub(in crate::proxy) struct UpstreamStream {
    // Closed before it is counted as closed.
    transport: Transport,
    /// The address it leads to, where there is one.
    address: Option<IpAddr>,
    _open: StillOpen,
    _permit: UpstreamPermit,
}

impl UpstreamStream {
    pub(super) fn new(
        (transport, address): (Transport, Option<IpAddr>),
        permit: UpstreamPermit,
        counters: &Arc<WorkerCounters>,
    ) -> Self {
        counters.upstream_open.add(1);
        Self { transport, address, _open: StillOpen(Arc::clone(counters)), _permit: permit }
    }

    /// The address it leads to, where there is one.
    pub(super) const fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// Whether it is open and has nothing to say.
    pub(super) fn is_quiet(&mut self) -> bool {
        self.transport.is_quiet()
    }

    /// Closes with a reset.
    pub(super) fn reset(&self) {
        self.transport.reset();
    }
}

impl AsyncRead for UpstreamStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_read(cx, buffer)
    }
}

impl AsyncWrite for UpstreamStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.transport).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.transport).poll_shutdown(cx)
    }
}

struct StillOpen(Arc<WorkerCounters>);

impl Drop for StillOpen {
    fn drop(&mut self) {
        self.0.upstream_open.sub(1);
    }
}
