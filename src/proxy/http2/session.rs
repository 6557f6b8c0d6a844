//! One connection, as whoever has the socket sees it.

use std::cell::{RefCell, RefMut};
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use http::Request;

use super::blocks::Block;
use super::frame::{self, MOST_OF_A_NUMBER, Reason};
use super::handles::{FromClient, ToClient};
use super::hpack::{Decoder, Encoder};
use super::out::{Out, Spare};
use super::receive::Data;
use super::settings::{FIRST_WINDOW, Limits};
use super::stream::{Stream, Window};

/// A connection in HTTP/2.
pub(in crate::proxy) struct Session(RefCell<Core>);

/// What a connection is made of. `receive` has what comes, `send` what goes.
pub(super) struct Core {
    pub(super) limits: Limits,
    pub(super) stage: Stage,
    pub(super) out: Out,
    pub(super) encoder: Encoder,
    pub(super) decoder: Decoder,
    /// The client has said that it knows what the edge takes.
    pub(super) is_known: bool,
    /// Octets of a frame of which more is to come.
    pub(super) partial: Vec<u8>,
    /// Content of a DATA frame that is to come.
    pub(super) data: Data,
    /// A head that goes on in the next frame.
    pub(super) block: Option<Box<Block>>,
    /// The client's latest stream.
    pub(super) last: u32,
    /// Those that are not over, by their numbers.
    pub(super) streams: Vec<Rc<Stream>>,
    /// Those that nobody has taken yet.
    pub(super) arrived: VecDeque<(Request<()>, Rc<Stream>)>,
    /// Those that have something to send, and room for some of it, in turn.
    pub(super) ready: VecDeque<Rc<Stream>>,
    /// What the client may send on all streams together.
    pub(super) window: Window,
    /// What it takes on all streams together.
    pub(super) send_window: i64,
    /// What it takes on each at first.
    pub(super) first_window: u32,
    /// Streams that the edge gave up last: what comes of them was on its way.
    pub(super) given_up: VecDeque<u32>,
    /// Streams that ended by mistakes of the client.
    pub(super) mistakes: usize,
    /// Streams that the client gave up in this turn, before anybody had seen them.
    pub(super) unseen: usize,
    /// A stream was answered, and its client goes on sending.
    pub(super) lingers: bool,
    pub(super) farewell: Farewell,
    /// The client opens no more streams.
    pub(super) client_leaves: bool,
    driver: Option<Waker>,
}

/// How far the connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The client's preface is to come.
    Preface,
    /// Its settings are, which are part of the preface.
    Settings,
    Open,
    /// There is nothing more to read; what waits to be written goes out.
    Over,
}

/// How far the edge is with leaving (RFC 9113 §6.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Farewell {
    None,
    /// The client has been told, and has not said that it knows: streams that it opens until then are answered.
    Announced,
    /// Streams beyond this one are nobody's.
    Final(u32),
}

impl Session {
    /// A connection on which nothing has been said. The edge begins with what it takes.
    pub(in crate::proxy) fn new(limits: Limits, spare: Rc<Spare>) -> Rc<Self> {
        let window = limits.connection_window.max(FIRST_WINDOW);
        let mut core = Core {
            limits,
            stage: Stage::Preface,
            out: Out::new(spare),
            encoder: Encoder::new(),
            decoder: Decoder::new(),
            is_known: false,
            partial: Vec::new(),
            data: Data::NONE,
            block: None,
            last: 0,
            streams: Vec::new(),
            arrived: VecDeque::new(),
            ready: VecDeque::new(),
            window: Window::new(window, window),
            send_window: i64::from(FIRST_WINDOW),
            first_window: FIRST_WINDOW,
            given_up: VecDeque::new(),
            mistakes: 0,
            unseen: 0,
            lingers: false,
            farewell: Farewell::None,
            client_leaves: false,
            driver: None,
        };
        core.out.write(|out| limits.write(out));
        Rc::new(Self(RefCell::new(core)))
    }

    pub(super) fn core(&self) -> RefMut<'_, Core> {
        self.0.borrow_mut()
    }

    /// A turn of whoever has the socket begins.
    pub(in crate::proxy) fn begin_turn(&self) {
        self.core().unseen = 0;
    }

    /// Whether there is so much to write that nothing more is to be read.
    pub(in crate::proxy) fn is_full(&self) -> bool {
        let core = self.core();
        core.stage == Stage::Over || core.out.len() >= FULL
    }

    /// Takes what has come.
    pub(in crate::proxy) fn receive(&self, octets: &[u8]) {
        self.core().receive(octets);
    }

    /// The client says nothing more.
    pub(in crate::proxy) fn receive_end(&self) {
        self.core().close_all();
    }

    /// The next request that has come.
    pub(in crate::proxy) fn accept(self: &Rc<Self>) -> Option<(Request<FromClient>, ToClient)> {
        let (request, stream) = self.core().arrived.pop_front()?;
        stream.state.borrow_mut().is_taken = true;
        let to_client = ToClient::new(self, &stream);
        Some((request.map(|()| FromClient::new(self, stream)), to_client))
    }

    /// Writes by `write` all that is to be written. Ready: all of it has gone, or cannot.
    pub(in crate::proxy) fn poll_write(
        &self,
        mut write: impl FnMut(&[IoSlice<'_>]) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<()>> {
        let mut core = self.core();
        loop {
            core.send_waiting();
            if core.out.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let mut slices = [IoSlice::new(&[]); AT_ONCE];
            let used = core.out.slices(&mut slices);
            match std::task::ready!(write(&slices[..used]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => core.out.advance(written),
            }
        }
    }

    /// Has `cx` woken when there is something to write.
    pub(in crate::proxy) fn wait(&self, cx: &Context<'_>) {
        let driver = &mut self.core().driver;
        if !driver.as_ref().is_some_and(|driver| driver.will_wake(cx.waker())) {
            *driver = Some(cx.waker().clone());
        }
    }

    /// Whether a client goes on sending on a stream that has been answered: after a while it is to be [told](Self::end_lingering).
    pub(in crate::proxy) fn lingers(&self) -> bool {
        self.core().lingers
    }

    /// Tells the client to send no more on streams that have been answered.
    pub(in crate::proxy) fn end_lingering(&self) {
        self.core().end_lingering();
    }

    /// Asks the client for a sign that it is there.
    pub(in crate::proxy) fn ask(&self) {
        self.core().out.write(|out| frame::write_ping(out, 0, QUESTION));
    }

    /// Lets the client know that it is to open no more streams.
    pub(in crate::proxy) fn leave(&self) {
        let mut core = self.core();
        if core.farewell == Farewell::None && core.stage != Stage::Over {
            core.farewell = Farewell::Announced;
            core.out.write(|out| {
                frame::write_farewell(out, MOST_OF_A_NUMBER, Reason::NO_ERROR);
                frame::write_ping(out, 0, LEAVING);
            });
        }
    }

    /// Ends it at once, with everything on it.
    pub(in crate::proxy) fn end(&self, reason: Reason) {
        self.core().fail(reason);
    }

    /// Whether nothing follows: what waits to be written is the last of it.
    pub(in crate::proxy) fn is_over(&self) -> bool {
        let core = self.core();
        let leaves = core.client_leaves || matches!(core.farewell, Farewell::Final(_));
        core.stage == Stage::Over || (leaves && core.streams.is_empty())
    }
}

impl Core {
    /// The edge takes no more from a client that breaks a rule of the connection.
    pub(super) fn fail(&mut self, reason: Reason) {
        if self.stage != Stage::Over {
            let last = self.last;
            self.out.write(|out| frame::write_farewell(out, last, reason));
            self.close_all();
        }
    }

    /// Nothing more is read, and what nobody has answered never is.
    pub(super) fn close_all(&mut self) {
        self.stage = Stage::Over;
        (self.partial, self.block, self.data) = (Vec::new(), None, Data::NONE);
        self.arrived.clear();
        self.ready.clear();
        for stream in std::mem::take(&mut self.streams) {
            stream.state.borrow_mut().close(true);
        }
        self.wake();
    }

    /// There is something to write, or the connection is over.
    pub(super) fn wake(&mut self) {
        if let Some(driver) = self.driver.take() {
            driver.wake();
        }
    }

    pub(super) fn stream(&self, id: u32) -> Option<&Rc<Stream>> {
        let place = self.streams.binary_search_by_key(&id, |stream| stream.id).ok()?;
        self.streams.get(place)
    }

    /// Takes a stream that is over out of those that are not.
    pub(super) fn forget(&mut self, stream: &Stream) {
        if let Ok(place) = self.streams.binary_search_by_key(&stream.id, |stream| stream.id) {
            self.streams.remove(place);
            if self.streams.is_empty() {
                self.rest();
            }
        }
    }

    /// Holds no more than is needed.
    fn rest(&mut self) {
        (self.streams, self.arrived, self.ready) = (Vec::new(), VecDeque::new(), VecDeque::new());
        self.wake(); // it may be the last of a connection that is left
    }
}

/// The least that keeps the edge from reading on: heads, and answers to what the client asks of the connection, since content waits in
/// its stream before it comes to as much.
const FULL: usize = 192 * 1024;
/// Pieces that are written at once: six records of TLS, each with the head of its frame.
const AT_ONCE: usize = 24;
/// What the edge asks when it has heard nothing for long, and when it leaves.
const QUESTION: [u8; 8] = *b"are you?";
pub(super) const LEAVING: [u8; 8] = *b"see you!";
