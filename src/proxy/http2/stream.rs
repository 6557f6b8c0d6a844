//! One stream (RFC 9113 §5): what has come of it and is not read yet, what is to go and has no room yet.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::task::Waker;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;

/// A stream that both sides know of.
pub(super) struct Stream {
    pub(super) id: u32,
    pub(super) state: RefCell<State>,
}

pub(super) struct State {
    /// What the client sends.
    pub(super) incoming: Incoming,
    /// What the edge sends.
    pub(super) outgoing: Outgoing,
    /// It is over: both sides have ended, or one has given it up.
    pub(super) is_closed: bool,
    /// It was given up, by whomever.
    pub(super) is_reset: bool,
    /// Whoever answers has it.
    pub(super) is_taken: bool,
}

pub(super) struct Incoming {
    /// What has come, in pieces.
    pub(super) pieces: VecDeque<BytesMut>,
    pub(super) trailers: Option<HeaderMap>,
    /// The client has said that nothing follows.
    pub(super) has_ended: bool,
    /// How much the head said is still to come (RFC 9113 §8.1.1).
    pub(super) left: Option<u64>,
    pub(super) window: Window,
    /// Nobody reads any more.
    pub(super) is_unread: bool,
    pub(super) reader: Option<Waker>,
}

#[derive(Default)]
pub(super) struct Outgoing {
    /// What may be sent; below zero after the client has taken some back (RFC 9113 §6.9.2).
    pub(super) window: i64,
    /// Has no room yet.
    pub(super) waiting: Bytes,
    /// Comes after it.
    pub(super) behind: VecDeque<Bytes>,
    /// Octets of both.
    pub(super) backlog: usize,
    /// Go behind the last of it.
    pub(super) trailers: Option<HeaderMap>,
    /// Nothing is added to what waits.
    pub(super) is_complete: bool,
    /// The end has been said.
    pub(super) has_ended: bool,
    /// It waits for its turn.
    pub(super) is_queued: bool,
    pub(super) writer: Option<Waker>,
}

/// What the client may send: how much of it is left, and how much was read since it was last told of more.
pub(super) struct Window {
    left: u32,
    read: u32,
    most: u32,
}

impl Window {
    /// What the client may send at first, and what it may at most once it has read so.
    pub(super) const fn new(first: u32, most: u32) -> Self {
        Self { left: first, read: 0, most }
    }

    /// So much comes. False: that is more than was allowed.
    pub(super) fn take(&mut self, length: u32) -> bool {
        match self.left.checked_sub(length) {
            Some(left) => self.left = left,
            None => return false,
        }
        true
    }

    /// Whether anything may come.
    pub(super) const fn is_open(&self) -> bool {
        self.left > 0
    }

    /// So much has been read. Gives what the client is to be told, which is worth a frame once it is half of all.
    pub(super) fn read(&mut self, length: u32) -> Option<u32> {
        self.read += length;
        if self.read < self.most / 2 {
            return None;
        }
        self.left += self.read;
        Some(std::mem::take(&mut self.read))
    }
}

impl Stream {
    pub(super) fn new(id: u32, left: Option<u64>, has_ended: bool, first_window: u32, window: Window) -> Self {
        let incoming = Incoming {
            pieces: VecDeque::new(),
            trailers: None,
            has_ended,
            left,
            window,
            is_unread: false,
            reader: None,
        };
        let outgoing = Outgoing { window: i64::from(first_window), ..Outgoing::default() };
        let state = State { incoming, outgoing, is_closed: false, is_reset: false, is_taken: false };
        Self { id, state: RefCell::new(state) }
    }
}

impl State {
    /// It is over; gives how many octets had come and will not be read.
    pub(super) fn close(&mut self, is_reset: bool) -> usize {
        (self.is_closed, self.is_reset) = (true, is_reset);
        let mut unread = 0;
        if is_reset {
            unread = self.incoming.discard();
            (self.outgoing.waiting, self.outgoing.behind) = (Bytes::new(), VecDeque::new());
            (self.outgoing.backlog, self.outgoing.trailers) = (0, None);
        }
        self.incoming.wake();
        self.outgoing.wake();
        unread
    }
}

impl Incoming {
    /// Takes what has come. What comes in drops is kept together: a piece for each octet would take fifty times as much memory.
    pub(super) fn push(&mut self, octets: &[u8]) {
        match self.pieces.back_mut().filter(|last| last.len() + octets.len() <= TOGETHER) {
            Some(last) => last.extend_from_slice(octets),
            None => self.pieces.push_back(octets.into()),
        }
        self.wake();
    }

    pub(super) fn wake(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }

    /// Throws away what has come, and gives how many octets that were.
    pub(super) fn discard(&mut self) -> usize {
        self.trailers = None;
        std::mem::take(&mut self.pieces).iter().map(BytesMut::len).sum()
    }
}

impl Outgoing {
    pub(super) fn wake(&mut self) {
        if let Some(writer) = self.writer.take() {
            writer.wake();
        }
    }

    /// Adds content.
    pub(super) fn push(&mut self, content: Bytes) {
        self.backlog += content.len();
        if self.waiting.is_empty() {
            self.waiting = content;
        } else if !content.is_empty() {
            self.behind.push_back(content);
        }
    }

    /// Takes the next octets, `most` of them at most.
    pub(super) fn take(&mut self, most: usize) -> Bytes {
        let piece = self.waiting.split_to(most.min(self.waiting.len()));
        self.backlog -= piece.len();
        if self.waiting.is_empty() {
            self.waiting = self.behind.pop_front().unwrap_or_default();
        }
        piece
    }

    /// Whether there is something that could go, were there room for it.
    pub(super) fn has_more(&self) -> bool {
        !self.has_ended && (self.backlog > 0 || self.is_complete)
    }
}

/// One frame.
const TOGETHER: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_are_kept_together() {
        let mut stream = Stream::new(1, None, false, 0, Window::new(100, 100)).state.into_inner();
        (0..3 * TOGETHER).for_each(|_| stream.incoming.push(b"x"));
        stream.incoming.push(&[b'y'; TOGETHER]);
        let lengths: Vec<_> = stream.incoming.pieces.iter().map(BytesMut::len).collect();
        assert_eq!(lengths, [TOGETHER; 4]);
        assert_eq!(stream.incoming.discard(), 4 * TOGETHER);
    }

    #[test]
    fn a_window_opens_again_by_halves() {
        let mut window = Window::new(100, 100);
        assert!(window.take(60) && !window.take(41));
        assert_eq!(window.read(49), None);
        assert_eq!(window.read(11), Some(60));
        assert!(window.take(100) && !window.take(1));
    }
}
