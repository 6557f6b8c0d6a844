//! The body of an HTTP/2 response on its way out, as fast as the client takes it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::{Reason, SendStream};
use http_body::{Body, Frame};

use crate::proxy::http::body::ResponseBody;

/// A body of which one frame at a time is taken, and goes on once the client has room for some of it. Room is not asked for
/// before there is something to send, since what one stream holds of the connection's window all others lack.
pub(super) struct Sending {
    body: ResponseBody,
    stream: SendStream<Bytes>,
    /// Waits for room.
    waiting: Option<Bytes>,
}

impl Sending {
    pub(super) fn new(body: ResponseBody, stream: SendStream<Bytes>) -> Self {
        Self { body, stream, waiting: None }
    }

    /// Ready: all of it is on its way, or the stream is no more.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.waiting.as_ref().is_some_and(|data| !data.is_empty()) && !ready!(self.poll_room(cx)) {
                return Poll::Ready(());
            }
            if let Some(data) = self.waiting.take() {
                let last = self.body.is_end_stream();
                if self.stream.send_data(data, last).is_err() || last {
                    return Poll::Ready(());
                }
            }
            let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) else {
                return self.stream.poll_reset(cx).map(drop);
            };
            match frame.map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(data))) => {
                    self.stream.reserve_capacity(1); // the rest is reserved as it is sent
                    self.waiting = Some(data);
                }
                Some(Ok(Err(frame))) => {
                    let Ok(trailers) = frame.into_trailers() else { continue };
                    if self.stream.send_trailers(trailers).is_err() {
                        self.stream.send_reset(Reason::INTERNAL_ERROR);
                    }
                    return Poll::Ready(());
                }
                Some(Err(_)) => {
                    self.stream.send_reset(Reason::INTERNAL_ERROR);
                    return Poll::Ready(());
                }
                None => {
                    // An error means that the client has given the stream up.
                    let _ = self.stream.send_data(Bytes::new(), true);
                    return Poll::Ready(());
                }
            }
        }
    }

    /// Whether the client takes something; false: it never will.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        while self.stream.capacity() == 0 {
            match ready!(self.stream.poll_capacity(cx)) {
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Poll::Ready(false),
            }
        }
        Poll::Ready(true)
    }
}
