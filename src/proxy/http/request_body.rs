//! A request's body as it comes from the client, whichever HTTP it speaks.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Method, Request};
use http_body::{Body, Frame, SizeHint};

use super::serve::Upload;
use super::websocket::{self, WEBSOCKET};
use crate::proxy::http2::{FromClient, GivenUp};

/// What follows a request's head.
pub(super) enum RequestBody {
    /// Nothing.
    None,
    Http1(Upload),
    Http2(Http2Body),
    /// What follows a CONNECT for a WebSocket: no body, but the client's side of a tunnel.
    Tunnel(FromClient),
}

/// A body that comes over a stream of HTTP/2.
pub(super) struct Http2Body {
    stream: FromClient,
    /// How much is still to come, if the head said so; the session sees to it that this is kept.
    left: Option<u64>,
    /// Only trailers may follow.
    data_has_ended: bool,
}

impl RequestBody {
    /// The request with its stream as its body.
    pub(super) fn http2(request: Request<FromClient>) -> Request<Self> {
        let (head, stream) = request.into_parts();
        let body = if stream.has_ended() {
            Self::None
        } else if head.method == Method::CONNECT && websocket::protocol_of(&head.extensions) == Some(WEBSOCKET) {
            Self::Tunnel(stream)
        } else {
            Self::Http2(Http2Body { stream, left: announced_length(&head.headers), data_has_ended: false })
        };
        Request::from_parts(head, body)
    }

    /// The client's side of a tunnel, if that is what follows.
    pub(super) fn take_stream(&mut self) -> Option<FromClient> {
        match std::mem::replace(self, Self::None) {
            Self::Tunnel(stream) => Some(stream),
            other => {
                *self = other;
                None
            }
        }
    }
}

/// What Content-Length says.
pub(super) fn announced_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        match self.get_mut() {
            // What a tunnel carries is nobody's content.
            Self::None | Self::Tunnel(_) => Poll::Ready(None),
            Self::Http1(upload) => upload.poll_frame(cx).map(Result::transpose),
            Self::Http2(body) => body.poll_frame(cx).map(Result::transpose),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::None => true,
            Self::Tunnel(_) => false,
            Self::Http1(upload) => upload.is_ended(),
            Self::Http2(body) => body.stream.has_ended(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::None | Self::Tunnel(_) => SizeHint::with_exact(0),
            Self::Http1(upload) => upload.size_hint(),
            Self::Http2(body) => body.left.map_or_else(SizeHint::default, SizeHint::with_exact),
        }
    }
}

impl Http2Body {
    /// Whatever reset it, a stream that is reset has not ended: what came of it must not look complete to the shop.
    fn poll_frame(&mut self, cx: &Context<'_>) -> Poll<Result<Option<Frame<Bytes>>, BrokenOff>> {
        if !self.data_has_ended {
            if let Some(data) = ready!(self.stream.poll_data(cx))? {
                // The octets are on their way to the upstream.
                self.stream.release(data.len());
                self.left = self.left.map(|left| left.saturating_sub(data.len() as u64));
                return Poll::Ready(Ok(Some(Frame::data(data))));
            }
            self.data_has_ended = true;
        }
        let trailers = ready!(self.stream.poll_trailers(cx))?;
        Poll::Ready(Ok(trailers.map(Frame::trailers)))
    }
}

/// The client did not send all of its body.
#[derive(Debug)]
pub(super) struct BrokenOff;

impl From<GivenUp> for BrokenOff {
    fn from(GivenUp: GivenUp) -> Self {
        Self
    }
}
