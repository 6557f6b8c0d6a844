//! An upstream connection while one request has it.

use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Frame, SizeHint};

use super::link::Broken;
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

    /// The stream, what the upstream sent behind its 101, and the place that the upstream has for it as long as it is open.
    pub(in crate::proxy) fn open(self) -> Option<(UpstreamStream, Bytes, Option<Place>)> {
        let Wire::Http1(link) = self.wire else { return None };
        let (stream, late) = link.into_stream()?;
        Some((stream, late, self.open))
    }
}
