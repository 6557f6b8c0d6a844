//! The two halves of a stream, as whoever answers has them.

use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use super::frame::Reason;
use super::session::Session;
use super::stream::Stream;

/// What the client sends on a stream. With it goes the wish to read any more.
pub(in crate::proxy) struct FromClient {
    session: Rc<Session>,
    stream: Rc<Stream>,
}

/// What the client is sent on a stream. One that is dropped before all of it has gone gives up the stream.
pub(in crate::proxy) struct ToClient {
    session: Rc<Session>,
    stream: Rc<Stream>,
}

/// The stream was given up, or the connection has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::proxy) struct GivenUp;

impl From<GivenUp> for io::Error {
    fn from(_: GivenUp) -> Self {
        Self::new(io::ErrorKind::ConnectionReset, "the stream was given up")
    }
}

impl FromClient {
    pub(super) fn new(session: &Rc<Session>, stream: Rc<Stream>) -> Self {
        Self { session: Rc::clone(session), stream }
    }

    /// Whether nothing is to come, nor was left unread.
    pub(in crate::proxy) fn has_ended(&self) -> bool {
        let state = self.stream.state.borrow();
        let incoming = &state.incoming;
        !state.is_reset && incoming.has_ended && incoming.pieces.is_empty() && incoming.trailers.is_none()
    }

    /// The next of what has come; `None`: trailers alone may follow. The client has room for as much again once it is
    /// [released](Self::release).
    ///
    /// # Errors
    /// [`GivenUp`]: not all of it comes.
    pub(in crate::proxy) fn poll_data(&self, cx: &Context<'_>) -> Poll<Result<Option<Bytes>, GivenUp>> {
        let mut state = self.stream.state.borrow_mut();
        if state.is_reset {
            return Poll::Ready(Err(GivenUp));
        }
        let incoming = &mut state.incoming;
        match incoming.pieces.pop_front() {
            Some(piece) => Poll::Ready(Ok(Some(piece.freeze()))),
            None if incoming.has_ended => Poll::Ready(Ok(None)),
            None => {
                register(&mut incoming.reader, cx);
                Poll::Pending
            }
        }
    }

    /// What goes behind the data, once that has ended.
    ///
    /// # Errors
    /// [`GivenUp`]: not all of it comes.
    pub(in crate::proxy) fn poll_trailers(&self, cx: &Context<'_>) -> Poll<Result<Option<HeaderMap>, GivenUp>> {
        let mut state = self.stream.state.borrow_mut();
        if state.is_reset {
            return Poll::Ready(Err(GivenUp));
        }
        if !state.incoming.has_ended {
            register(&mut state.incoming.reader, cx);
            return Poll::Pending;
        }
        Poll::Ready(Ok(state.incoming.trailers.take()))
    }

    /// So many octets of what came have gone on.
    pub(in crate::proxy) fn release(&self, length: usize) {
        let mut core = self.session.core();
        core.release(length);
        core.release_on(self.stream.id, length);
    }
}

impl Drop for FromClient {
    fn drop(&mut self) {
        let mut core = self.session.core();
        let unread = {
            let incoming = &mut self.stream.state.borrow_mut().incoming;
            incoming.is_unread = true;
            incoming.discard()
        };
        core.release(unread);
        if !self.stream.state.borrow().is_closed {
            core.settle(&self.stream);
        }
    }
}

impl ToClient {
    pub(super) fn new(session: &Rc<Session>, stream: &Rc<Stream>) -> Self {
        Self { session: Rc::clone(session), stream: Rc::clone(stream) }
    }

    /// Sends the head of the answer, which may be all of it; or one before it, which is not.
    pub(in crate::proxy) fn send_head(&self, status: StatusCode, fields: &HeaderMap, ends: bool) {
        if self.is_open() {
            self.session.core().send_head(&self.stream, status, fields, ends);
        }
    }

    /// Ready: there is room for something to [send](Self::send). False: there never will be.
    pub(in crate::proxy) fn poll_room(&self, cx: &Context<'_>) -> Poll<bool> {
        // What is at hand is sent by now, not when this task has had its turn: it is then known whether there is room.
        let mut core = self.session.core();
        core.send_waiting();
        let mut state = self.stream.state.borrow_mut();
        if state.is_closed || state.outgoing.backlog < core.limits.send_buffer {
            return Poll::Ready(!state.is_closed);
        }
        register(&mut state.outgoing.writer, cx);
        Poll::Pending
    }

    /// Ready: all that was sent is on its way, or never will be.
    pub(in crate::proxy) fn poll_sent(&self, cx: &Context<'_>) -> Poll<()> {
        self.session.core().send_waiting();
        let mut state = self.stream.state.borrow_mut();
        if state.is_closed || !state.outgoing.has_more() {
            return Poll::Ready(());
        }
        register(&mut state.outgoing.writer, cx);
        Poll::Pending
    }

    /// Sends content, for which there is room.
    pub(in crate::proxy) fn send(&self, content: Bytes, is_last: bool) {
        if self.is_open() {
            self.session.core().send_content(&self.stream, content, is_last);
        }
    }

    /// Sends what goes behind the content, which ends the answer.
    pub(in crate::proxy) fn send_trailers(&self, trailers: HeaderMap) {
        if self.is_open() {
            self.session.core().send_trailers(&self.stream, trailers);
        }
    }

    /// Gives up the stream, if it is not over.
    pub(in crate::proxy) fn reset(&self, reason: Reason) {
        self.session.core().reset(&self.stream, reason);
    }

    /// Ready: the client has given up the stream, or gone.
    pub(in crate::proxy) fn poll_reset(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.stream.state.borrow_mut();
        if state.is_reset {
            return Poll::Ready(());
        }
        register(&mut state.outgoing.writer, cx);
        Poll::Pending
    }

    /// Whether more can be said.
    fn is_open(&self) -> bool {
        let state = self.stream.state.borrow();
        !state.is_closed && !state.outgoing.is_complete && !state.outgoing.has_ended
    }
}

impl Drop for ToClient {
    fn drop(&mut self) {
        // Nobody would look whether the rest is ever taken.
        if !self.stream.state.borrow().outgoing.has_ended {
            self.reset(Reason::CANCEL);
        }
    }
}

fn register(place: &mut Option<Waker>, cx: &Context<'_>) {
    if !place.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
        *place = Some(cx.waker().clone());
    }
}
