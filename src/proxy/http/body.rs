//! Bodies on their way through: the client's to the upstream, and the upstream's to the client. Neither is collected; each
//! frame is taken only when the other side has room for it.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, HeaderName};
use http_body::{Body, Frame, SizeHint};

use super::compression::{Next, Packing};
use super::exchange::{Exchange, Finish, Upload};
use super::headers;
use super::request_body::RequestBody;
use super::tunnel::StreamTunnel;
use crate::proxy::upstream::{Broken, Lease};
use crate::telemetry::{Label, LocalAnswer, UpstreamFailure};

/// A request's body, as the upstream connection reads it.
pub(in crate::proxy) struct ClientBody(Option<Streaming>);

struct Streaming {
    incoming: RequestBody,
    exchange: Rc<Exchange>,
    /// How many octets may still come; `None`: any number.
    left: Option<u64>,
}

impl ClientBody {
    /// The body of `exchange`'s request.
    pub(super) fn new(incoming: RequestBody, exchange: &Rc<Exchange>) -> Self {
        if incoming.is_end_stream() {
            return Self(None);
        }
        exchange.upload.set(Upload::FromClient);
        let limit = exchange.limits().body_size;
        Self(Some(Streaming { incoming, exchange: Rc::clone(exchange), left: (limit > 0).then_some(limit) }))
    }
}

impl Body for ClientBody {
    type Data = Bytes;
    type Error = ClientBodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, ClientBodyError>>> {
        let Some(streaming) = &mut self.get_mut().0 else { return Poll::Ready(None) };
        let exchange = &streaming.exchange;
        let limits = exchange.limits();
        let broken = |upload| {
            exchange.upload.set(upload);
            Poll::Ready(Some(Err(ClientBodyError)))
        };
        let Poll::Ready(frame) = Pin::new(&mut streaming.incoming).poll_frame(cx) else {
            if exchange.upload.replace(Upload::FromClient) != Upload::FromClient {
                exchange.alarm.set(limits.body_idle_timeout);
            }
            return Poll::Pending;
        };
        let Some(frame) = frame else {
            exchange.upload.set(Upload::Done);
            exchange.alarm.set(limits.upstream_response_timeout);
            return Poll::Ready(None);
        };
        let Ok(frame) = frame else { return broken(Upload::Broken(LocalAnswer::ClientBody)) };
        exchange.upload.set(Upload::ToUpstream);
        exchange.alarm.set(limits.body_idle_timeout);
        let frame = match frame.into_data() {
            Ok(data) => {
                let length = data.len() as u64;
                if let Some(left) = &mut streaming.left {
                    let Some(rest) = left.checked_sub(length) else { return broken(Upload::TooLarge) };
                    *left = rest;
                }
                exchange.received.set(exchange.received.get() + length);
                Frame::data(data)
            }
            Err(frame) => match frame.into_trailers() {
                Ok(trailers) => {
                    let rules = exchange.policy().and_then(|policy| policy.request_headers.as_ref());
                    let is_kept = |name: &HeaderName| !rules.is_some_and(|rules| rules.replaces(name));
                    let passes = |name: &HeaderName| headers::may_be_named_by_client(name) && is_kept(name);
                    Frame::trailers(pass_trailers(trailers, passes))
                }
                Err(other) => other,
            },
        };
        // Nothing follows trailers, which whoever has got them need not ask.
        if frame.is_trailers() || streaming.incoming.is_end_stream() {
            exchange.upload.set(Upload::Done);
            exchange.alarm.set(limits.upstream_response_timeout);
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(|streaming| streaming.incoming.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.0.as_ref().map_or_else(|| SizeHint::with_exact(0), |streaming| streaming.incoming.size_hint())
    }
}

/// The client's body broke off or broke a rule; the exchange knows which.
#[derive(Debug)]
pub(in crate::proxy) struct ClientBodyError;

impl std::fmt::Display for ClientBodyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the client's body broke off or broke a rule")
    }
}

impl std::error::Error for ClientBodyError {}

/// A response's body, as the client connection reads it.
pub(super) struct ResponseBody {
    content: Content,
    /// Compresses it.
    packing: Option<Box<Packing>>,
    finish: Finish,
}

enum Content {
    Local(Option<Bytes>),
    /// Nothing, and then what no response has.
    Tunnel(Box<StreamTunnel>),
    Upstream {
        /// `None`: it has been complete.
        lease: Option<Lease>,
        /// It is the upstream's turn; else the client is to take what came.
        awaited: bool,
    },
}

impl ResponseBody {
    /// A body the edge made.
    pub(super) fn local(bytes: Bytes, finish: Finish) -> Self {
        Self { content: Content::Local((!bytes.is_empty()).then_some(bytes)), packing: None, finish }
    }

    /// A body an upstream sends over the leased connection.
    pub(super) fn upstream(lease: Lease, finish: Finish) -> Self {
        let mut body =
            Self { content: Content::Upstream { lease: Some(lease), awaited: false }, packing: None, finish };
        body.complete_if_ended();
        body
    }

    /// What follows a response to a CONNECT over HTTP/2.
    pub(super) fn tunnel(tunnel: StreamTunnel, finish: Finish) -> Self {
        Self { content: Content::Tunnel(Box::new(tunnel)), packing: None, finish }
    }

    /// What follows, if it is no body.
    pub(super) fn into_tunnel(self) -> Result<Box<StreamTunnel>, Self> {
        match self.content {
            Content::Tunnel(tunnel) => Ok(tunnel),
            content => Err(Self { content, ..self }),
        }
    }

    /// The same, compressed on its way if there is something that does so.
    pub(super) fn packed(self, packing: Option<Packing>) -> Self {
        Self { packing: packing.map(Box::new), ..self }
    }

    /// Once the upstream has said all it will, its connection may serve the next request, if it took all of this one.
    fn complete_if_ended(&mut self) {
        if let Content::Upstream { lease, .. } = &mut self.content
            && let Some(lease) = lease.take_if(|lease| lease.is_answered())
            && self.finish.0.upload.get() == Upload::Done
        {
            lease.give_back();
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = ResponseBroken;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, ResponseBroken>>> {
        let this = self.get_mut();
        let polled = if this.packing.is_none() { this.poll_content(cx) } else { this.poll_packed(cx) };
        if let Poll::Ready(Some(Ok(frame))) = &polled
            && let Some(data) = frame.data_ref()
        {
            let sent = &this.finish.0.sent;
            sent.set(sent.get() + data.len() as u64);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        match (&self.packing, &self.content) {
            (Some(packing), _) => packing.is_over(),
            (None, Content::Local(bytes)) => bytes.is_none(),
            (None, Content::Tunnel(_)) => true,
            (None, Content::Upstream { lease, .. }) => lease.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match (&self.packing, &self.content) {
            (Some(_), _) => SizeHint::default(),
            (None, Content::Tunnel(_)) => SizeHint::with_exact(0),
            (None, Content::Local(bytes)) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            (None, Content::Upstream { lease, .. }) => {
                lease.as_ref().map_or_else(|| SizeHint::with_exact(0), Lease::size_hint)
            }
        }
    }
}

impl ResponseBody {
    /// The next of what the content comes to, compressed.
    fn poll_packed(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, ResponseBroken>>> {
        loop {
            let Some(packing) = &mut self.packing else { return Poll::Ready(None) };
            let next = packing.next(cx);
            match next {
                Ok(Next::More) => {}
                Ok(Next::Give(frame)) => return Poll::Ready(Some(Ok(frame))),
                Ok(Next::Wait) => return Poll::Pending,
                Ok(Next::Ended) => return Poll::Ready(None),
                Err(_) => return self.not_packed(),
            }
            let frame = match self.poll_content(cx) {
                Poll::Ready(Some(Ok(frame))) => Some(frame),
                Poll::Ready(None) => None,
                Poll::Ready(Some(Err(broken))) => return Poll::Ready(Some(Err(broken))),
                Poll::Pending => {
                    let Some(packing) = &mut self.packing else { return Poll::Ready(None) };
                    return match packing.pause() {
                        Ok(given) => given.map(|frame| Some(Ok(frame))),
                        Err(_) => self.not_packed(),
                    };
                }
            };
            if let Some(packing) = &mut self.packing {
                packing.take(frame);
            }
        }
    }

    /// The encoder failed, which it never should.
    fn not_packed(&self) -> Poll<Option<Result<Frame<Bytes>, ResponseBroken>>> {
        let exchange = &self.finish.0;
        exchange.connection.cut_short.set(true);
        exchange.reason.set(Some("compression"));
        Poll::Ready(Some(Err(ResponseBroken)))
    }

    /// The next of the content as it came.
    fn poll_content(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, ResponseBroken>>> {
        let this = self;
        let exchange = &this.finish.0;
        let (polled, awaited) = match &mut this.content {
            Content::Local(bytes) => {
                let Some(bytes) = bytes.take() else { return Poll::Ready(None) };
                exchange.alarm.set(exchange.limits().write_stall_timeout);
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
            Content::Upstream { lease: Some(lease), awaited } => (lease.poll_frame(cx), awaited),
            Content::Upstream { lease: None, .. } | Content::Tunnel(_) => return Poll::Ready(None),
        };
        let limits = exchange.limits();
        let broken = |failure, reason| {
            exchange.connection.worker.counters.upstream_failures.count(failure);
            exchange.connection.cut_short.set(true);
            exchange.reason.set(Some(reason));
            Poll::Ready(Some(Err(ResponseBroken)))
        };
        let Poll::Ready(frame) = polled else {
            if !std::mem::replace(awaited, true) {
                exchange.alarm.set(limits.body_idle_timeout);
            }
            ready!(exchange.alarm.poll(cx));
            return broken(UpstreamFailure::BodyTimeout, "upstream_body_timeout");
        };
        *awaited = false;
        let frame = match frame {
            None => {
                this.complete_if_ended();
                return Poll::Ready(None);
            }
            Some(Err(Broken::Client)) => {
                // The client's own fault, who gave up what it was to send.
                exchange.connection.cut_short.set(true);
                exchange.reason.set(Some(LocalAnswer::ClientBody.label()));
                return Poll::Ready(Some(Err(ResponseBroken)));
            }
            Some(Err(_)) => {
                return broken(UpstreamFailure::BodyBroken, "upstream_body_broken");
            }
            Some(Ok(frame)) => frame,
        };
        // From here on it is the client who has to take it; over HTTP/2 a stream can stand still by itself.
        exchange.alarm.set(limits.write_stall_timeout);
        let frame = match frame.into_data() {
            Ok(data) => Frame::data(data),
            Err(frame) => match frame.into_trailers() {
                Ok(trailers) => {
                    let rules = exchange.policy().and_then(|policy| policy.response_headers.as_ref());
                    let is_kept = |name: &HeaderName| !rules.is_some_and(|rules| rules.replaces(name));
                    Frame::trailers(pass_trailers(trailers, is_kept))
                }
                Err(other) => other,
            },
        };
        this.complete_if_ended();
        Poll::Ready(Some(Ok(frame)))
    }
}

/// The response broke off; what the client has got must not look complete.
#[derive(Debug)]
pub(super) struct ResponseBroken;

impl std::fmt::Display for ResponseBroken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the upstream's response broke off")
    }
}

impl std::error::Error for ResponseBroken {}

/// Trailers pass, except fields that decide about framing, routing or identity (RFC 9110 §6.5.1).
fn pass_trailers(mut trailers: HeaderMap, may_pass: impl Fn(&HeaderName) -> bool) -> HeaderMap {
    let passes = |name: &HeaderName| headers::may_be_trailer(name) && may_pass(name);
    let refused: Vec<_> = trailers.keys().filter(|name| !passes(name)).cloned().collect();
    for name in refused {
        trailers.remove(name);
    }
    trailers
}
