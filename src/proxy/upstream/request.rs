//! A request on its way to an upstream: the octets of its head, then its body as the client sends it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, Method};
use http_body::{Body, Frame};
use tokio::io::AsyncWrite;

use crate::proxy::http::ClientBody;

/// A request that is sent or about to be.
pub(in crate::proxy) struct Outgoing {
    /// The head, and what of the body was framed since.
    octets: Vec<u8>,
    /// How many of the octets have left.
    written: usize,
    /// Octets that have left are gone for good: it cannot begin anew.
    begun: bool,
    body: Option<ClientBody>,
    framing: BodyFraming,
    head_only: bool,
    repeatable: bool,
}

/// How a request's body tells where it ends (RFC 9112 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::proxy) enum BodyFraming {
    /// By the length its head names. The client's connection has it kept.
    Length,
    /// By a chunk of no octets.
    Chunked,
}

/// Why a request did not get through.
#[derive(Debug)]
pub(super) enum Unsent {
    /// The upstream does not take it.
    Upstream,
    /// The client did not send all of it.
    Client,
}

impl Outgoing {
    /// `head` is the octets of the whole head.
    pub(in crate::proxy) fn new(method: &Method, head: Vec<u8>, body: ClientBody, framing: BodyFraming) -> Self {
        let body = (!body.is_end_stream()).then_some(body);
        Self {
            octets: head,
            written: 0,
            begun: false,
            framing,
            head_only: *method == Method::HEAD,
            repeatable: matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) && body.is_none(),
            body,
        }
    }

    /// Whether the answer will have a head only.
    pub(super) fn is_head_only(&self) -> bool {
        self.head_only
    }

    /// Whether the last octet has left.
    pub(super) fn is_sent(&self) -> bool {
        self.body.is_none() && self.written == self.octets.len()
    }

    /// Whether not a single octet has left.
    pub(in crate::proxy) fn is_untouched(&self) -> bool {
        !self.begun && self.written == 0
    }

    /// Whether it may be sent twice: its method asks for no change (RFC 9110 §9.2.2), and all of it is still here.
    pub(in crate::proxy) fn is_repeatable(&self) -> bool {
        self.repeatable
    }

    /// The octets of the head, as long as nothing of the body was framed behind them.
    pub(super) fn head(&self) -> &[u8] {
        &self.octets
    }

    /// Whether there is no body, or no more of it.
    pub(super) fn body_has_ended(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    /// The body, for who frames it by himself.
    pub(super) fn body_mut(&mut self) -> Option<&mut ClientBody> {
        self.body.as_mut()
    }

    /// Something of the body has been taken.
    pub(super) fn has_begun(&mut self) {
        self.begun = true;
    }

    /// The same, as one whose head has left.
    pub(super) fn sent(self) -> Self {
        Self { written: self.octets.len(), ..self }
    }

    /// The same, as one that the upstream has not looked at.
    pub(super) fn unsent(self) -> Self {
        Self { written: 0, ..self }
    }

    /// A repeatable request as it was before it was sent.
    pub(in crate::proxy) fn anew(self) -> Self {
        Self { written: 0, ..self }
    }

    /// Sends what can be sent now; ready when all is. What is small and there at once leaves in one piece.
    pub(super) fn poll_send<S: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Unsent>> {
        loop {
            if let Some(body) = &mut self.body
                && self.octets.len() - self.written < GATHERED
            {
                match Pin::new(body).poll_frame(cx) {
                    Poll::Ready(Some(Ok(frame))) => {
                        self.forget_written();
                        self.frame(frame);
                    }
                    Poll::Ready(Some(Err(_))) => return Poll::Ready(Err(Unsent::Client)),
                    Poll::Ready(None) => self.end(None),
                    Poll::Pending if self.written == self.octets.len() => {
                        ready!(Pin::new(stream).poll_flush(cx)).map_err(|_| Unsent::Upstream)?;
                        return Poll::Pending;
                    }
                    Poll::Pending => ready!(self.poll_write(stream, cx)).map_err(|_| Unsent::Upstream)?,
                }
            } else if self.written < self.octets.len() {
                ready!(self.poll_write(stream, cx)).map_err(|_| Unsent::Upstream)?;
            } else {
                // TLS may hold back what the system had no room for.
                return Pin::new(stream).poll_flush(cx).map_err(|_| Unsent::Upstream);
            }
        }
    }

    fn poll_write<S: AsyncWrite + Unpin>(&mut self, stream: &mut S, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match ready!(Pin::new(stream).poll_write(cx, &self.octets[self.written..]))? {
            0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            written => self.written += written,
        }
        Poll::Ready(Ok(()))
    }

    /// Makes room for more of the body. An upstream that never quite catches up would have all of it gather here.
    fn forget_written(&mut self) {
        if self.written > 0 {
            self.octets.drain(..self.written);
            (self.written, self.begun) = (0, true);
        }
    }

    fn frame(&mut self, frame: Frame<Bytes>) {
        match frame.into_data() {
            Ok(data) if self.framing == BodyFraming::Length => self.octets.extend_from_slice(&data),
            // A chunk of no octets would be the end.
            Ok(data) if data.is_empty() => {}
            Ok(data) => {
                // Writing to a vector cannot fail.
                let _ = io::Write::write_fmt(&mut self.octets, format_args!("{:x}\r\n", data.len()));
                self.octets.extend_from_slice(&data);
                self.octets.extend_from_slice(b"\r\n");
            }
            Err(frame) => return self.end(frame.trailers_ref()),
        }
        if self.body.as_ref().is_some_and(Body::is_end_stream) {
            self.end(None);
        }
    }

    fn end(&mut self, trailers: Option<&HeaderMap>) {
        self.body = None;
        if self.framing == BodyFraming::Chunked {
            self.octets.extend_from_slice(b"0\r\n");
            for (name, value) in trailers.into_iter().flatten() {
                write_field(&mut self.octets, name.as_str(), value.as_bytes());
            }
            self.octets.extend_from_slice(b"\r\n");
        }
    }
}

/// Writes one field line.
pub(in crate::proxy) fn write_field(octets: &mut Vec<u8>, name: &str, value: &[u8]) {
    octets.extend_from_slice(name.as_bytes());
    octets.extend_from_slice(b": ");
    octets.extend_from_slice(value);
    octets.extend_from_slice(b"\r\n");
}

/// Beyond it the client has to wait until the upstream has taken some.
const GATHERED: usize = 16 * 1024;
