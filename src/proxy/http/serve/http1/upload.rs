//! A request's body over HTTP/1: read from the connection when the upstream asks for it, so that one that comes slowly holds nothing
//! but what has come.

use std::cell::RefCell;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body::{Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::proxy::connection::Connection;
use crate::proxy::framing::Framing;
use crate::proxy::http::request_body::BrokenOff;

/// A body that is on its way, for whoever passes it on and for the connection that goes on behind it.
#[derive(Clone)]
pub(in crate::proxy::http) struct Upload(Rc<Shared>);

struct Shared {
    connection: Rc<Connection>,
    state: RefCell<State>,
}

struct State {
    framing: Framing,
    /// Has come, and is not passed on.
    incoming: BytesMut,
    /// What is left to be said before the client sends anything.
    owed: &'static [u8],
    /// What was said may be held back by TLS yet.
    unflushed: bool,
    /// Nobody answers the request any more.
    over: bool,
}

impl Upload {
    /// The body behind a head, of which `incoming` has come. `waits`: the client sends the rest when it is told to.
    pub(super) fn new(connection: &Rc<Connection>, incoming: BytesMut, framing: Framing, waits: bool) -> Self {
        let owed: &[u8] = if waits && incoming.is_empty() { GO_ON } else { &[] };
        let state = RefCell::new(State { framing, incoming, owed, unflushed: false, over: false });
        Self(Rc::new(Shared { connection: Rc::clone(connection), state }))
    }

    pub(in crate::proxy::http) fn is_ended(&self) -> bool {
        self.0.state.borrow().framing.is_ended()
    }

    pub(in crate::proxy::http) fn size_hint(&self) -> SizeHint {
        self.0.state.borrow().framing.size_hint()
    }

    /// The request is answered. Gives what has come behind its body; `None`: the body has not ended, so that nothing that follows can be
    /// told from it.
    pub(super) fn leave(&self) -> Option<BytesMut> {
        let mut state = self.0.state.borrow_mut();
        state.over = true;
        state.framing.is_ended().then(|| std::mem::take(&mut state.incoming))
    }

    /// The next frame.
    pub(in crate::proxy::http) fn poll_frame(
        &self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Frame<Bytes>>, BrokenOff>> {
        let state = &mut *self.0.state.borrow_mut();
        // The gate lets none through whose end could be told in two ways.
        if state.over || state.framing.is_unknown() {
            return Poll::Ready(Err(BrokenOff));
        }
        loop {
            match state.framing.next(&mut state.incoming) {
                Ok(Some(frame)) => return Poll::Ready(Ok(Some(frame))),
                Ok(None) if state.framing.is_ended() => return Poll::Ready(Ok(None)),
                Ok(None) => {}
                Err(_) => return Poll::Ready(Err(BrokenOff)),
            }
            ready!(self.poll_go_on(state, cx))?;
            ready!(self.poll_read(state, cx))?;
        }
    }

    /// Has the client send its body, if it waits for that.
    fn poll_go_on(&self, state: &mut State, cx: &mut Context<'_>) -> Poll<Result<(), BrokenOff>> {
        while !state.owed.is_empty() {
            let sent = ready!(Pin::new(&mut self.0.connection.io()).poll_write(cx, state.owed));
            state.owed = &state.owed[sent.map_err(|_| BrokenOff)?..];
            state.unflushed = true;
        }
        if state.unflushed {
            ready!(self.0.connection.poll_send(cx)).map_err(|_| BrokenOff)?;
            state.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_read(&self, state: &mut State, cx: &mut Context<'_>) -> Poll<Result<(), BrokenOff>> {
        let mut room = [const { MaybeUninit::uninit() }; ROOM];
        let mut buffer = ReadBuf::uninit(&mut room);
        ready!(Pin::new(&mut self.0.connection.io()).poll_read(cx, &mut buffer)).map_err(|_| BrokenOff)?;
        match buffer.filled() {
            [] => Poll::Ready(Err(BrokenOff)),
            read => {
                state.incoming.extend_from_slice(read);
                Poll::Ready(Ok(()))
            }
        }
    }
}

/// Sent when an upstream asks for the body: a client that is refused has sent nothing for nothing.
const GO_ON: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
/// What is read at once: one TLS record.
const ROOM: usize = 16 * 1024;
