//! One request and its answer on a stream of HTTP/2, moved by whoever waits for the answer.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::client::ResponseFuture;
use h2::{Reason, RecvStream, SendStream};
use http::header::{CONTENT_LENGTH, SEC_WEBSOCKET_ACCEPT, UPGRADE};
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body::{Body, Frame, SizeHint};

use super::http2::Place;
use super::http2_head;
use super::link::{Broken, MOST_HINTS};
use super::octets::StreamOctets;
use super::request::Outgoing;
use super::response::Head;
use crate::proxy::framing::Framing;

/// A handle on a stream; clones are handles on the same one. With the last, what is not over is reset.
#[derive(Clone)]
pub(in crate::proxy) struct Http2Stream(Rc<RefCell<State>>);

struct State {
    place: Place,
    outgoing: Option<Outgoing>,
    /// The request's body; `None`: all of it is sent, or not taken.
    sending: Option<SendStream<Bytes>>,
    /// Waits for room.
    waiting: Option<Bytes>,
    /// What agreement to a WebSocket is told the client by, if that is what is asked for; then `sending` is for its octets.
    accept: Option<Box<str>>,
    answer: Answer,
    /// Octets that were handed on, and that the upstream does not know of yet.
    taken: usize,
    /// What is still to come of the answer, if its head said so.
    left: Option<u64>,
    /// Early hints that nobody has taken yet.
    hints: Vec<HeaderMap>,
    broken_off: bool,
    /// The upstream did nothing with the request.
    is_refused: bool,
}

enum Answer {
    Unasked,
    Awaited(ResponseFuture),
    Coming(RecvStream),
    /// Only trailers may follow.
    Ending(RecvStream),
    Ended,
}

impl Http2Stream {
    pub(super) fn new(place: Place) -> Self {
        Self(Rc::new(RefCell::new(State {
            place,
            outgoing: None,
            sending: None,
            waiting: None,
            accept: None,
            answer: Answer::Unasked,
            taken: 0,
            left: None,
            hints: Vec::new(),
            broken_off: false,
            is_refused: false,
        })))
    }

    /// Begins to send a request; [`Self::poll_head`] goes on with it.
    pub(super) fn begin(&self, request: Outgoing) {
        self.0.borrow_mut().outgoing = Some(request);
    }

    /// Sends the request and waits for the head of its response.
    pub(super) fn poll_head(&self, cx: &mut Context<'_>) -> Poll<Result<Head, Broken>> {
        self.0.borrow_mut().poll_head(cx)
    }

    /// The next frame of the response's body; `None`: it has ended.
    pub(super) fn poll_frame(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        self.0.borrow_mut().poll_frame(cx)
    }

    /// The early hints that have come since they were last asked for.
    pub(super) fn take_hints(&self) -> Vec<HeaderMap> {
        std::mem::take(&mut self.0.borrow_mut().hints)
    }

    /// Whether all of the response has been read.
    pub(super) fn is_answered(&self) -> bool {
        match &self.0.borrow().answer {
            Answer::Coming(stream) | Answer::Ending(stream) => stream.is_end_stream(),
            Answer::Ended => true,
            Answer::Unasked | Answer::Awaited(_) => false,
        }
    }

    /// What is known about how much of the response's body is to come.
    pub(super) fn size_hint(&self) -> SizeHint {
        match self.0.borrow().left {
            Some(left) => SizeHint::with_exact(left),
            None => SizeHint::default(),
        }
    }

    /// Goes on with sending, for whoever does not read the response now.
    pub(super) fn drive(&self, cx: &mut Context<'_>) {
        // What goes wrong shows where the response is read.
        let _ = self.0.borrow_mut().poll_send(cx);
    }

    /// The request, if nothing of an answer has come and all of the request is still here to be sent again.
    pub(super) fn take_back(&self) -> Option<Outgoing> {
        let state = &mut *self.0.borrow_mut();
        let is_refused = state.is_refused;
        match state.answer {
            Answer::Coming(_) | Answer::Ending(_) | Answer::Ended if !is_refused => None,
            // The upstream has said that it will not answer this one.
            _ if !is_refused && !state.place.is_gone() => None,
            _ => state.outgoing.take().map(|outgoing| if is_refused { outgoing.unsent() } else { outgoing.sent() }),
        }
    }

    /// The octets of a stream on which a WebSocket was agreed to, and the stream's place; `None`: somebody else has a handle.
    pub(super) fn into_octets(self) -> Option<(StreamOctets, Place)> {
        let state = Rc::try_unwrap(self.0).ok()?.into_inner();
        let (Answer::Coming(incoming), Some(outgoing)) = (state.answer, state.sending) else { return None };
        Some((StreamOctets::new(incoming, outgoing), state.place))
    }

    /// The request, if it may be sent twice.
    pub(super) fn take_repeatable(&self) -> Option<Outgoing> {
        self.0.borrow_mut().outgoing.take_if(|outgoing| outgoing.is_repeatable())
    }
}

impl State {
    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<Head, Broken>> {
        if matches!(self.answer, Answer::Unasked) {
            self.ask()?;
        }
        if let Poll::Ready(Err(broken)) = self.poll_send(cx) {
            return Poll::Ready(Err(broken));
        }
        let Answer::Awaited(awaited) = &mut self.answer else { return Poll::Pending };
        while let Poll::Ready(Some(Ok(interim))) = awaited.poll_informational(cx) {
            if interim.status() == StatusCode::EARLY_HINTS && self.hints.len() < MOST_HINTS {
                self.hints.push(interim.into_parts().0.headers);
            }
        }
        let response = match ready!(Pin::new(awaited).poll(cx)) {
            Ok(response) => response,
            Err(error) => return Poll::Ready(Err(self.sorted(&error))),
        };
        let (mut head, stream) = response.into_parts();
        if let Some(accept) = self.accept.take() {
            if head.status.is_success() {
                // As a shop in HTTP/1.1 says it (RFC 8441 §5).
                let accept = HeaderValue::try_from(&*accept).map_err(|_| Broken::Malformed)?;
                head.headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
                head.headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
                self.answer = Answer::Coming(stream);
                return Poll::Ready(Ok(read(StatusCode::SWITCHING_PROTOCOLS, head.headers)));
            }
            // There will be no tunnel. Whoever refuses may be rid of the stream, so its end is not said, and it is reset in the end.
            self.sending = None;
        }
        let length = head.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        let has_ended = stream.is_end_stream();
        self.left = if has_ended { Some(0) } else { length };
        self.answer = if has_ended { Answer::Ended } else { Answer::Coming(stream) };
        Poll::Ready(Ok(read(head.status, head.headers)))
    }

    /// Sends the head.
    fn ask(&mut self) -> Result<(), Broken> {
        let outgoing = self.outgoing.as_ref().ok_or(Broken::Malformed)?;
        let (request, accept) = http2_head::of(outgoing.head(), self.place.is_secure()).ok_or(Broken::Malformed)?;
        let mut sender = self.place.sender();
        if accept.is_some() && !sender.is_extended_connect_protocol_enabled() {
            return Err(Broken::NoWebSocket);
        }
        let ends = outgoing.body_has_ended() && accept.is_none();
        match sender.send_request(request, ends) {
            Ok((answer, sending)) => {
                self.accept = accept.map(Into::into);
                self.answer = Answer::Awaited(answer);
                self.sending = (!ends).then_some(sending);
                Ok(())
            }
            Err(error) if error.is_io() || error.is_go_away() => {
                // It is going away, and has not seen this one.
                (self.is_refused, self.answer) = (true, Answer::Ended);
                self.place.give_up();
                Err(Broken::Refused)
            }
            Err(error) => Err(self.sorted(&error)),
        }
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        if self.broken_off {
            return Poll::Ready(Err(Broken::Client));
        }
        if self.accept.is_some() {
            return Poll::Ready(Ok(())); // nothing before the upstream has agreed
        }
        loop {
            let (Some(sending), Some(outgoing)) = (&mut self.sending, &mut self.outgoing) else {
                return Poll::Ready(Ok(()));
            };
            if self.waiting.as_ref().is_some_and(|data| !data.is_empty()) {
                while sending.capacity() == 0 {
                    match ready!(sending.poll_capacity(cx)) {
                        Some(Ok(_)) => {}
                        // The upstream does not take it; it may have answered before.
                        Some(Err(_)) | None => {
                            self.sending = None;
                            return Poll::Ready(Ok(()));
                        }
                    }
                }
            }
            let Some(body) = outgoing.body_mut() else {
                self.sending = None;
                continue;
            };
            if let Some(data) = self.waiting.take() {
                let last = body.is_end_stream();
                if sending.send_data(data, last).is_err() || last {
                    self.sending = None;
                }
                continue;
            }
            match ready!(Pin::new(body).poll_frame(cx)).map(|frame| frame.map(Frame::into_data)) {
                Some(Ok(Ok(data))) => {
                    outgoing.has_begun();
                    sending.reserve_capacity(1); // the rest is reserved as it is sent
                    self.waiting = Some(data);
                }
                Some(Ok(Err(frame))) => {
                    outgoing.has_begun();
                    let trailers = frame.into_trailers().unwrap_or_default();
                    // An error means that the upstream does not take it.
                    let _ = sending.send_trailers(trailers);
                    self.sending = None;
                }
                Some(Err(_)) => {
                    sending.send_reset(Reason::CANCEL);
                    (self.sending, self.broken_off) = (None, true);
                    return Poll::Ready(Err(Broken::Client));
                }
                None => {
                    let _ = sending.send_data(Bytes::new(), true);
                    self.sending = None;
                }
            }
        }
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        if let Poll::Ready(Err(broken)) = self.poll_send(cx) {
            return Poll::Ready(Some(Err(broken)));
        }
        let taken = std::mem::take(&mut self.taken);
        if let Answer::Coming(stream) = &mut self.answer {
            if taken > 0 {
                // Whoever asks for more has room for it. An error would mean that more was taken than came.
                let _ = stream.flow_control().release_capacity(taken);
            }
            match ready!(stream.poll_data(cx)) {
                Some(Ok(data)) => {
                    self.taken = data.len();
                    self.left = self.left.map(|left| left.saturating_sub(data.len() as u64));
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(self.sorted(&error)))),
                None => {}
            }
        }
        self.answer = match std::mem::replace(&mut self.answer, Answer::Ended) {
            Answer::Coming(stream) => Answer::Ending(stream),
            other => other,
        };
        let Answer::Ending(stream) = &mut self.answer else { return Poll::Ready(None) };
        match ready!(stream.poll_trailers(cx)) {
            Ok(trailers) => {
                self.answer = Answer::Ended;
                Poll::Ready(trailers.map(Frame::trailers).map(Ok))
            }
            Err(error) => Poll::Ready(Some(Err(self.sorted(&error)))),
        }
    }

    /// What an error says of the request and of the connection.
    fn sorted(&mut self, error: &h2::Error) -> Broken {
        if error.is_io() || error.is_go_away() {
            self.place.give_up();
        }
        // Streams beyond the last that the upstream names in its farewell were not seen (RFC 9113 §6.8, §8.7).
        let is_unseen = error.is_remote() && (error.is_go_away() || error.reason() == Some(Reason::REFUSED_STREAM));
        if is_unseen && matches!(self.answer, Answer::Awaited(_)) {
            self.is_refused = true;
            return Broken::Refused;
        }
        if error.is_library() { Broken::Malformed } else { Broken::Closed }
    }
}

/// A head whose body the stream frames.
fn read(status: StatusCode, headers: HeaderMap) -> Head {
    Head { status, headers, framing: Framing::Ended, keeps: true, length: 0 }
}
