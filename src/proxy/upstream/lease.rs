//! An upstream connection while one request has it.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::http2;
use super::link::Broken;
use super::octets::StreamOctets;
use super::pool::Pool;
use super::request::Outgoing;
use super::response::Head;
use super::stream::UpstreamStream;
use super::wire::Wire;
use crate::live::Place;

/// An upstream connection in use by one request, which drives it. Unless it is given back, it is closed when dropped.
pub(in crate::proxy) struct Lease {
    pub(super) pool: Rc<Pool>,
    pub(super) wire: Wire,
    /// The upstream's in its group.
    pub(super) place: usize,
    pub(super) reused: bool,
    pub(super) last: bool,
    /// Where open requests are counted.
    pub(super) open: Option<Place>,
}

impl Lease {
    /// What logs call the upstream.
    pub(in crate::proxy) fn name(&self) -> &Arc<str> {
        self.pool.name()
    }

    /// The upstream's place in its group.
    pub(in crate::proxy) fn place(&self) -> usize {
        self.place
    }

    /// Whether the connection has served requests before.
    pub(in crate::proxy) fn is_reused(&self) -> bool {
        self.reused
    }

    /// Begins to send a request; [`Self::poll_head`] goes on with it.
    pub(in crate::proxy) fn begin(&self, request: Outgoing) {
        self.wire.begin(request);
    }

    /// Sends the request and waits for the head of its response.
    pub(in crate::proxy) fn poll_head(&self, cx: &mut Context<'_>) -> Poll<Result<Head, Broken>> {
        self.wire.poll_head(cx)
    }

    /// The next frame of the response's body; `None`: it has ended.
    pub(in crate::proxy) fn poll_frame(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        self.wire.poll_frame(cx)
    }

    /// The early hints that have come since they were last asked for.
    pub(in crate::proxy) fn take_hints(&self) -> Vec<HeaderMap> {
        self.wire.take_hints()
    }

    /// Whether all of the response has been read.
    pub(in crate::proxy) fn is_answered(&self) -> bool {
        self.wire.is_answered()
    }

    /// What is known about how much of the response's body is to come.
    pub(in crate::proxy) fn size_hint(&self) -> SizeHint {
        self.wire.size_hint()
    }

    /// The last request, if nothing of an answer has come and all of the request is still here to be sent again.
    pub(in crate::proxy) fn take_back(&self) -> Option<Outgoing> {
        self.wire.take_back()
    }

    /// The last request, if all of it is still here, whatever came of it.
    pub(in crate::proxy) fn take_repeatable(&self) -> Option<Outgoing> {
        self.wire.take_repeatable()
    }

    /// Closes the connection after this response: what the upstream has not read of this request must not meet the next.
    /// The request goes on meanwhile, whether or not the client takes the response: whoever gets the link drives it.
    pub(in crate::proxy) fn is_the_last(&mut self) -> Wire {
        self.last = true;
        self.wire.clone()
    }

    /// The response was read to its end: the next request may use the connection, if this one was sent to its end.
    pub(in crate::proxy) fn give_back(self) {
        let Wire::Http1(link) = &self.wire else { return };
        if self.last || !link.is_free() {
            return;
        }
        if self.pool.is_awaited() {
            return; // by somebody who cannot have this one, perhaps on another worker
        }
        self.pool.keep(link);
    }
}

/// The upstream's side of a connection that has switched protocols.
pub(in crate::proxy) struct Tunnel {
    wire: Wire,
    open: Option<Place>,
}

impl Tunnel {
    /// Takes the connection out of its lease.
    pub(in crate::proxy) fn after(lease: Lease) -> Self {
        Self { wire: lease.wire, open: lease.open }
    }

    /// The upstream's octets, and what it sent behind its 101.
    pub(in crate::proxy) fn open(self) -> Option<(Far, Bytes)> {
        let (side, late) = match self.wire {
            Wire::Http1(link) => {
                let (stream, late) = link.into_stream()?;
                (Side::Connection(stream), late)
            }
            Wire::Http2(stream) => {
                let (octets, place) = stream.into_octets()?;
                (Side::Stream { octets, _place: place }, Bytes::new())
            }
        };
        Some((Far { side, _open: self.open }, late))
    }
}

/// The far side of a tunnel, and the place that the upstream has for it as long as it is open.
pub(in crate::proxy) struct Far {
    side: Side,
    _open: Option<Place>,
}

enum Side {
    Connection(UpstreamStream),
    Stream { octets: StreamOctets, _place: http2::Place },
}

impl Far {
    /// Ready: the upstream has given up more than its own direction.
    pub(in crate::proxy) fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.side {
            Side::Connection(_) => Poll::Pending, // reading or writing tells
            Side::Stream { octets, .. } => octets.poll_gone(cx),
        }
    }

    /// Ends it at once, so that the upstream takes it for no orderly end.
    pub(in crate::proxy) fn break_off(&mut self) {
        match &mut self.side {
            Side::Connection(stream) => stream.reset(),
            Side::Stream { octets, .. } => octets.break_off(),
        }
    }
}

impl AsyncRead for Far {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut self.side {
            Side::Connection(stream) => Pin::new(stream).poll_read(cx, buffer),
            Side::Stream { octets, .. } => Pin::new(octets).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Far {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.side {
            Side::Connection(stream) => Pin::new(stream).poll_write(cx, bytes),
            Side::Stream { octets, .. } => Pin::new(octets).poll_write(cx, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.side {
            Side::Connection(stream) => Pin::new(stream).poll_flush(cx),
            Side::Stream { octets, .. } => Pin::new(octets).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.side {
            Side::Connection(stream) => Pin::new(stream).poll_shutdown(cx),
            Side::Stream { octets, .. } => Pin::new(octets).poll_shutdown(cx),
        }
    }
}
