//! What a request goes over, whichever HTTP the upstream speaks.

use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Frame, SizeHint};

use super::http2_stream::Http2Stream;
use super::link::{Broken, Link};
use super::request::Outgoing;
use super::response::Head;

/// A connection in HTTP/1.1, or a stream of one in HTTP/2; clones are handles on the same one.
#[derive(Clone)]
pub(in crate::proxy) enum Wire {
    Http1(Link),
    Http2(Http2Stream),
}

impl Wire {
    /// Begins to send a request; [`Self::poll_head`] goes on with it.
    pub(super) fn begin(&self, request: Outgoing) {
        match self {
            Self::Http1(link) => link.begin(request),
            Self::Http2(stream) => stream.begin(request),
        }
    }

    /// Sends the request and waits for the head of its response.
    pub(super) fn poll_head(&self, cx: &mut Context<'_>) -> Poll<Result<Head, Broken>> {
        match self {
            Self::Http1(link) => link.poll_head(cx),
            Self::Http2(stream) => stream.poll_head(cx),
        }
    }

    /// The next frame of the response's body; `None`: it has ended.
    pub(super) fn poll_frame(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        match self {
            Self::Http1(link) => link.poll_frame(cx),
            Self::Http2(stream) => stream.poll_frame(cx),
        }
    }

    /// The early hints that have come since they were last asked for.
    pub(super) fn take_hints(&self) -> Vec<HeaderMap> {
        match self {
            Self::Http1(link) => link.take_hints(),
            Self::Http2(stream) => stream.take_hints(),
        }
    }

    /// Whether all of the response has been read.
    pub(super) fn is_answered(&self) -> bool {
        match self {
            Self::Http1(link) => link.is_answered(),
            Self::Http2(stream) => stream.is_answered(),
        }
    }

    /// What is known about how much of the response's body is to come.
    pub(super) fn size_hint(&self) -> SizeHint {
        match self {
            Self::Http1(link) => link.size_hint(),
            Self::Http2(stream) => stream.size_hint(),
        }
    }

    /// Goes on with sending, for whoever does not read the response now.
    pub(in crate::proxy) fn drive(&self, cx: &mut Context<'_>) {
        match self {
            Self::Http1(link) => link.drive(cx),
            Self::Http2(stream) => stream.drive(cx),
        }
    }

    /// The last request, if nothing of an answer has come and all of the request is still here to be sent again.
    pub(super) fn take_back(&self) -> Option<Outgoing> {
        match self {
            Self::Http1(link) => link.take_back(),
            Self::Http2(stream) => stream.take_back(),
        }
    }

    /// The last request, if it may be sent twice.
    pub(super) fn take_repeatable(&self) -> Option<Outgoing> {
        match self {
            Self::Http1(link) => link.take_repeatable(),
            Self::Http2(stream) => stream.take_repeatable(),
        }
    }
}
