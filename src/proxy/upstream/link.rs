//! One HTTP/1.1 connection to an upstream, driven by whoever uses it.
//!
//! hyper's client does the same for twice the price: its connection, its sender and its bodies speak through channels, for
//! tasks that may live apart. Here one task sends a request and reads its response, and nobody but the socket wakes anybody.
//! While a connection waits for its next request nobody polls it; what has happened meanwhile shows when it is looked at.

use std::cell::RefCell;
use std::io;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, StatusCode};
use http_body::{Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

use super::request::{Outgoing, Unsent};
use super::response::{self, Head};
use super::stream::UpstreamStream;
use crate::proxy::buffer;
use crate::proxy::framing::{Framing, Malformed};

/// A handle on a connection; clones are handles on the same one, which closes with the last.
#[derive(Clone)]
pub(in crate::proxy) struct Link(Rc<RefCell<State>>);

/// Where a worker's connections read what is small, one after the other.
pub(super) type Scratch = Rc<RefCell<Box<[u8]>>>;

/// Why there is no response, or no more of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::proxy) enum Broken {
    /// The upstream closed, or reset.
    Closed,
    /// It does not speak HTTP/1.1 as it should.
    Malformed,
    /// The client did not send all of its request.
    Client,
    /// The upstream has not looked at the request.
    Refused,
    /// The upstream takes no WebSocket, and has not been asked for one.
    NoWebSocket,
}

struct State {
    stream: UpstreamStream,
    scratch: Scratch,
    /// The last request; the next one replaces it.
    outgoing: Option<Outgoing>,
    /// The upstream does not take the request; it may have answered before.
    untaken: bool,
    /// The client's part of the request broke off. Asked again, its body might go on, or seem to have ended well.
    broken_off: bool,
    /// Octets that were read and belong to what comes next.
    incoming: BytesMut,
    /// A line has come since the octets were last read as a head.
    unparsed: bool,
    /// How much is made room for when a body is read.
    room: usize,
    /// Something of an answer has come.
    answered: bool,
    /// Early hints that nobody has taken yet (RFC 8297).
    hints: Vec<HeaderMap>,
    /// What is still to come of the response.
    body: Framing,
    /// The upstream will take another request.
    keeps: bool,
}

impl Link {
    pub(super) fn new(stream: UpstreamStream, scratch: &Scratch) -> Self {
        Self(Rc::new(RefCell::new(State {
            stream,
            scratch: Rc::clone(scratch),
            outgoing: None,
            untaken: false,
            broken_off: false,
            incoming: BytesMut::new(),
            unparsed: false,
            room: LEAST,
            answered: false,
            hints: Vec::new(),
            body: Framing::Ended,
            keeps: true,
        })))
    }

    /// Whether request and response are over and the upstream takes another, as far as was seen.
    pub(super) fn is_free(&self) -> bool {
        let state = self.0.borrow();
        state.keeps
            && state.body.is_ended()
            && state.incoming.is_empty()
            && state.outgoing.as_ref().is_none_or(Outgoing::is_sent)
    }

    /// Whether it can take a request now. One that was closed meanwhile, or says something unasked, cannot.
    pub(super) fn is_still_free(&self) -> bool {
        self.0.borrow_mut().stream.is_quiet()
    }

    /// The address it leads to, where there is one.
    pub(super) fn address(&self) -> Option<IpAddr> {
        self.0.borrow().stream.address()
    }

    /// Puts away what belonged to the last request: a connection that waits for its next one holds nothing else.
    pub(super) fn rest(&self) {
        let state = &mut *self.0.borrow_mut();
        (state.outgoing, state.incoming) = (None, BytesMut::new());
    }

    /// Begins to send a request; [`Self::poll_head`] goes on with it.
    pub(super) fn begin(&self, request: Outgoing) {
        let state = &mut *self.0.borrow_mut();
        state.outgoing = Some(request);
        (state.answered, state.untaken, state.broken_off) = (false, false, false);
        (state.unparsed, state.room) = (false, LEAST);
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
        self.0.borrow().body.is_ended()
    }

    /// What is known about how much of the response's body is to come.
    pub(super) fn size_hint(&self) -> SizeHint {
        self.0.borrow().body.size_hint()
    }

    /// Goes on with sending, for whoever does not read the response now.
    pub(in crate::proxy) fn drive(&self, cx: &mut Context<'_>) {
        // What goes wrong shows where the response is read.
        let _ = self.0.borrow_mut().poll_send(cx);
    }

    /// The last request, if nothing of an answer has come and all of the request is still here to be sent again.
    pub(super) fn take_back(&self) -> Option<Outgoing> {
        let state = &mut *self.0.borrow_mut();
        if state.answered { None } else { state.outgoing.take() }
    }

    /// The last request, if it may be sent twice.
    pub(super) fn take_repeatable(&self) -> Option<Outgoing> {
        self.0.borrow_mut().outgoing.take_if(|outgoing| outgoing.is_repeatable())
    }

    /// The stream of a connection that has switched protocols, and what the upstream sent behind its 101.
    pub(super) fn into_stream(self) -> Option<(UpstreamStream, Bytes)> {
        let state = Rc::try_unwrap(self.0).ok()?.into_inner();
        Some((state.stream, state.incoming.freeze()))
    }
}

impl State {
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        let Some(outgoing) = &mut self.outgoing else { return Poll::Ready(Ok(())) };
        if self.untaken {
            return Poll::Pending;
        }
        if self.broken_off {
            return Poll::Ready(Err(Broken::Client));
        }
        match ready!(outgoing.poll_send(&mut self.stream, cx)) {
            Ok(()) => Poll::Ready(Ok(())),
            Err(Unsent::Client) => {
                self.broken_off = true;
                Poll::Ready(Err(Broken::Client))
            }
            Err(Unsent::Upstream) => {
                self.untaken = true;
                self.keeps = false;
                Poll::Pending
            }
        }
    }

    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<Head, Broken>> {
        if let Poll::Ready(Err(broken)) = self.poll_send(cx) {
            return Poll::Ready(Err(broken));
        }
        let head_only = self.outgoing.as_ref().is_some_and(Outgoing::is_head_only);
        loop {
            if std::mem::take(&mut self.unparsed)
                && let Some(head) = response::parse(&self.incoming, head_only)?
            {
                self.incoming.advance(head.length);
                if is_interim(&head) {
                    if head.status == StatusCode::EARLY_HINTS && self.hints.len() < MOST_HINTS {
                        self.hints.push(head.headers);
                    }
                    self.unparsed = !self.incoming.is_empty();
                    continue;
                }
                return Poll::Ready(Ok(self.begin_body(head)));
            }
            if self.incoming.len() > HEAD {
                return Poll::Ready(Err(Broken::Malformed));
            }
            let mut scratch = self.scratch.borrow_mut();
            let mut buffer = ReadBuf::new(&mut scratch);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer)).map_err(|_| Broken::Closed)?;
            let octets = buffer.filled();
            if octets.is_empty() {
                return Poll::Ready(Err(Broken::Closed));
            }
            self.answered = true;
            // Nearly always it is all here, and need not be kept.
            if self.incoming.is_empty()
                && let Some(head) = response::parse(octets, head_only)?
                && !is_interim(&head)
            {
                self.incoming = buffer::copy(&octets[head.length..]);
                drop(scratch);
                return Poll::Ready(Ok(self.begin_body(head)));
            }
            // A head that comes octet by octet is looked at once for each line.
            self.unparsed = octets.contains(&b'\n');
            self.incoming.extend_from_slice(octets);
        }
    }

    fn begin_body(&mut self, mut head: Head) -> Head {
        self.body = std::mem::replace(&mut head.framing, Framing::Ended);
        self.keeps = head.keeps && !self.untaken;
        head
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        if let Poll::Ready(Err(broken)) = self.poll_send(cx) {
            return Poll::Ready(Some(Err(broken)));
        }
        loop {
            match self.body.next(&mut self.incoming) {
                Ok(Some(frame)) => return Poll::Ready(Some(Ok(frame))),
                Ok(None) if self.body.is_ended() => return Poll::Ready(None),
                Ok(None) => {}
                Err(Malformed) => return Poll::Ready(Some(Err(Broken::Malformed))),
            }
            match ready!(self.poll_fill(cx)) {
                Ok(0) if self.body == Framing::UntilClose => self.body = Framing::Ended,
                Ok(0) | Err(_) => return Poll::Ready(Some(Err(Broken::Closed))),
                Ok(_) => {}
            }
        }
    }

    /// Reads more of a body, in pieces that grow as long as they are filled.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let room = self.body.wants().clamp(self.room, MOST);
        buffer::reserve(&mut self.incoming, room);
        let read = ready!(pin!(self.stream.read_buf(&mut self.incoming)).poll(cx))?;
        if read >= self.room {
            self.room = (2 * self.room).min(MOST);
        }
        Poll::Ready(Ok(read))
    }
}

fn is_interim(head: &Head) -> bool {
    head.status.is_informational() && head.status != StatusCode::SWITCHING_PROTOCOLS
}

impl From<Malformed> for Broken {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

/// What a worker's connections read heads into: a page of a shop with its head, so that it costs one system call and no
/// buffer that waits with the connection.
pub(super) fn scratch() -> Scratch {
    Rc::new(RefCell::new(vec![0; 16 * 1024].into()))
}

/// A head that is longer is refused; shops that set many cookies and policies stay far below this.
const HEAD: usize = 128 * 1024;
/// Early hints that are passed on at a time; whoever sends more floods.
pub(super) const MOST_HINTS: usize = 4;
/// What is read at once, at first and at most: twice the latter made no download cheaper, and a client that takes nothing of its
/// hundred streams can make us hold about two of it for each.
const LEAST: usize = 8 * 1024;
const MOST: usize = buffer::PIECE;
