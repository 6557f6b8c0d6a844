//! The body of an HTTP/2 response on its way out, as fast as the client takes it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame};

use crate::proxy::http::body::ResponseBody;
use crate::proxy::http2::{Reason, ToClient};

/// A body of which the next frame is taken once the client has taken most of those before.
pub(super) struct Sending {
    body: ResponseBody,
    to_client: ToClient,
    /// All of the body has been taken.
    is_last: bool,
}

impl Sending {
    pub(super) const fn new(body: ResponseBody, to_client: ToClient) -> Self {
        Self { body, to_client, is_last: false }
    }

    /// Ready: all of it is on its way, or the stream is no more.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while !self.is_last {
            if !ready!(self.to_client.poll_room(cx)) {
                return Poll::Ready(());
            }
            let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) else {
                return self.to_client.poll_reset(cx);
            };
            match frame.map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(data))) => {
                    self.is_last = self.body.is_end_stream();
                    self.to_client.send(data, self.is_last);
                }
                Some(Ok(Err(frame))) => {
                    let Ok(trailers) = frame.into_trailers() else { continue };
                    self.is_last = true;
                    self.to_client.send_trailers(trailers);
                }
                Some(Err(_)) => {
                    self.to_client.reset(Reason::INTERNAL_ERROR);
                    return Poll::Ready(());
                }
                None => {
                    self.is_last = true;
                    self.to_client.send(Bytes::new(), true);
                }
            }
        }
        self.to_client.poll_sent(cx)
    }
}
