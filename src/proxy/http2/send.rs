//! What goes: heads and content of answers, as far as the client takes them, and what is said of streams.

use std::rc::Rc;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use super::frame::{self, Head, MOST_OF_A_FRAME, MOST_OF_A_NUMBER, Reason};
use super::session::Core;
use super::stream::Stream;

impl Core {
    /// Sends the head of an answer, or what is said before it.
    pub(super) fn send_head(&mut self, stream: &Rc<Stream>, status: StatusCode, fields: &HeaderMap, ends: bool) {
        self.write_fields(stream.id, Some(status), fields, ends);
        if ends {
            self.end_outgoing(stream);
        }
        self.wake();
    }

    /// Takes content, and sends as much of it as there is room for.
    pub(super) fn send_content(&mut self, stream: &Rc<Stream>, content: Bytes, is_last: bool) {
        {
            let outgoing = &mut stream.state.borrow_mut().outgoing;
            outgoing.push(content);
            outgoing.is_complete = is_last;
        }
        self.queue(stream);
    }

    /// Takes what goes behind the content.
    pub(super) fn send_trailers(&mut self, stream: &Rc<Stream>, trailers: HeaderMap) {
        {
            let outgoing = &mut stream.state.borrow_mut().outgoing;
            outgoing.trailers = Some(trailers);
            outgoing.is_complete = true;
        }
        self.queue(stream);
    }

    fn queue(&mut self, stream: &Rc<Stream>) {
        let outgoing = &mut stream.state.borrow_mut().outgoing;
        let fits = outgoing.window > 0 || outgoing.backlog == 0;
        if outgoing.has_more() && fits && !outgoing.is_queued {
            outgoing.is_queued = true;
            self.ready.push_back(Rc::clone(stream));
            self.wake();
        }
    }

    /// Sends what waits, as much as the client takes and as is written at once, a frame of each stream in turn.
    pub(super) fn send_waiting(&mut self) {
        let mut held = 0; // those that the connection's window keeps
        while self.out.len() < AT_ONCE && held < self.ready.len() {
            let Some(stream) = self.ready.pop_front() else { return };
            let mut state = stream.state.borrow_mut();
            if state.is_closed {
                continue;
            }
            let outgoing = &mut state.outgoing;
            let room = outgoing.window.min(self.send_window).clamp(0, MOST_OF_A_FRAME as i64) as usize;
            if room == 0 && outgoing.backlog > 0 {
                if outgoing.window > 0 {
                    drop(state);
                    self.ready.push_back(stream);
                    held += 1;
                } else {
                    outgoing.is_queued = false; // until its window opens
                }
                continue;
            }
            held = 0;
            let piece = outgoing.take(room);
            let length = piece.len();
            (outgoing.window, self.send_window) = (outgoing.window - length as i64, self.send_window - length as i64);
            let is_all = outgoing.backlog == 0;
            let ends = is_all && outgoing.is_complete;
            let trailers = outgoing.trailers.take_if(|_| ends);
            if length > 0 || (ends && trailers.is_none()) {
                let flags = if ends && trailers.is_none() { frame::END_STREAM } else { 0 };
                let head = Head { length, kind: frame::DATA, flags, stream: stream.id };
                self.out.write(|out| out.extend_from_slice(&head.octets()));
                self.out.push(piece);
            }
            outgoing.is_queued = !is_all;
            if outgoing.backlog < self.limits.send_buffer {
                outgoing.wake();
            }
            drop(state);
            if let Some(trailers) = trailers {
                self.write_fields(stream.id, None, &trailers, true);
            }
            if ends {
                self.end_outgoing(&stream);
            } else if !is_all {
                self.ready.push_back(stream);
            }
        }
    }

    fn write_fields(&mut self, id: u32, status: Option<StatusCode>, fields: &HeaderMap, ends: bool) {
        let encoder = &mut self.encoder;
        self.out.write(|out| {
            // Written behind the room for a head that fits nearly always, so that nothing is copied.
            let begin = out.len();
            frame::write_head(out, 0, frame::HEADERS, 0, id);
            match status {
                Some(status) => encoder.response(status, fields, out),
                None => encoder.trailers(fields, out),
            }
            let length = out.len() - begin - frame::LENGTH;
            if length <= MOST_OF_A_FRAME {
                let flags = frame::END_HEADERS | if ends { frame::END_STREAM } else { 0 };
                let head = Head { length, kind: frame::HEADERS, flags, stream: id };
                out[begin..begin + frame::LENGTH].copy_from_slice(&head.octets());
            } else {
                let block = out.split_off(begin + frame::LENGTH);
                out.truncate(begin);
                frame::write_block(out, id, ends, &block);
            }
        });
    }

    /// The end of an answer has been said.
    fn end_outgoing(&mut self, stream: &Rc<Stream>) {
        {
            let outgoing = &mut stream.state.borrow_mut().outgoing;
            outgoing.has_ended = true;
            outgoing.wake();
        }
        self.settle(stream);
    }

    /// Sees whether a stream is over: both sides have ended it, or the edge has and takes nothing more (RFC 9113 §8.1). A client that is
    /// told so while it sends may never look at its answer (curl 7.88 did not): it is told once it can send no more, or after a while.
    pub(super) fn settle(&mut self, stream: &Rc<Stream>) {
        let (has_answered, has_come, is_unread, may_send) = {
            let state = stream.state.borrow();
            let incoming = &state.incoming;
            (state.outgoing.has_ended, incoming.has_ended, incoming.is_unread, incoming.window.is_open())
        };
        if has_answered && has_come {
            stream.state.borrow_mut().close(false);
            self.forget(stream);
        } else if has_answered && is_unread && may_send {
            self.lingers = true;
            self.wake();
        } else if has_answered && is_unread {
            self.reset(stream, Reason::NO_ERROR);
        }
    }

    /// Tells clients to send no more on streams that have been answered.
    pub(super) fn end_lingering(&mut self) {
        self.lingers = false;
        for stream in self.streams.clone() {
            if stream.state.borrow().outgoing.has_ended && stream.state.borrow().incoming.is_unread {
                self.reset(&stream, Reason::NO_ERROR);
            }
        }
    }

    /// Room for so many octets of all streams is the client's again.
    pub(super) fn release(&mut self, length: usize) {
        if let Some(more) = self.window.read(length as u32) {
            self.out.write(|out| frame::write_window(out, 0, more));
            self.wake();
        }
    }

    /// Room for so many octets of a stream is.
    pub(super) fn release_on(&mut self, id: u32, length: usize) {
        let more = self.stream(id).and_then(|stream| {
            let incoming = &mut stream.state.borrow_mut().incoming;
            incoming.window.read(length as u32).filter(|_| !incoming.has_ended && !incoming.is_unread)
        });
        if let Some(more) = more {
            self.out.write(|out| frame::write_window(out, id, more));
            self.wake();
        }
    }

    /// The client takes so much more of a stream, or less. An error: more than can be counted.
    pub(super) fn open_window(&mut self, stream: &Rc<Stream>, more: i64) -> Result<(), ()> {
        {
            let outgoing = &mut stream.state.borrow_mut().outgoing;
            outgoing.window += more;
            if outgoing.window > i64::from(MOST_OF_A_NUMBER) {
                return Err(());
            }
        }
        self.queue(stream);
        Ok(())
    }

    /// Gives up a stream, and says why.
    pub(super) fn reset(&mut self, stream: &Rc<Stream>, reason: Reason) {
        if !stream.state.borrow().is_closed {
            self.give_up(stream.id, reason);
            self.close(stream);
        }
    }

    /// Says that a stream is given up. What comes of it is no mistake from then on.
    pub(super) fn give_up(&mut self, id: u32, reason: Reason) {
        self.out.write(|out| frame::write_reset(out, id, reason));
        if self.given_up.len() >= MOST_GIVEN_UP {
            self.given_up.pop_front();
        }
        self.given_up.push_back(id);
        self.wake();
    }

    /// Answers a stream that is not even opened.
    pub(super) fn refuse(&mut self, id: u32, has_ended: bool, status: StatusCode) {
        self.write_fields(id, Some(status), &HeaderMap::new(), true);
        if !has_ended {
            self.give_up(id, Reason::NO_ERROR);
        }
    }

    /// A stream has been given up by one side or the other.
    pub(super) fn close(&mut self, stream: &Rc<Stream>) {
        let unread = stream.state.borrow_mut().close(true);
        self.release(unread);
        self.arrived.retain(|(_, arrived)| arrived.id != stream.id);
        self.forget(stream);
    }
}

/// What is written at once, octets: six records of TLS.
const AT_ONCE: usize = 96 * 1024;
/// As many as a client may have open, and some more.
const MOST_GIVEN_UP: usize = 256;
