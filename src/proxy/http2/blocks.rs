//! Blocks of fields that come (RFC 9113 §6.2 and §6.10): heads of requests, and trailers.

use std::rc::Rc;

use bytes::Buf;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Request, StatusCode};

use super::frame::{self, Head, MOST_OF_A_FRAME, Reason};
use super::head::{Gathered, Read};
use super::session::{Core, Farewell};
use super::settings::FIRST_WINDOW;
use super::stream::{Stream, Window};
use crate::limits::COOKIE_CRUMBS;

/// A head of which more is to come.
pub(super) struct Block {
    pub(super) stream: u32,
    ends: bool,
    is_malformed: bool,
    octets: Vec<u8>,
    frames: usize,
}

/// A frame of a head without its padding.
struct Opening<'c> {
    block: &'c [u8],
    is_malformed: bool,
}

impl Core {
    pub(super) fn take_head(&mut self, head: Head, content: &[u8]) -> Result<(), Reason> {
        if head.stream.is_multiple_of(2) {
            return Err(Reason::PROTOCOL_ERROR);
        }
        let Opening { block, is_malformed } = Opening::of(head, content)?;
        let ends = head.has(frame::END_STREAM);
        if head.has(frame::END_HEADERS) {
            return self.take_block(head.stream, ends, is_malformed, block);
        }
        let octets = block.to_vec();
        self.block = Some(Box::new(Block { stream: head.stream, ends, is_malformed, octets, frames: 1 }));
        Ok(())
    }

    pub(super) fn take_more(&mut self, head: Head, content: &[u8]) -> Result<(), Reason> {
        let Some(mut block) = self.block.take() else { return Err(Reason::PROTOCOL_ERROR) };
        block.octets.extend_from_slice(content);
        block.frames += 1;
        let allowed = self.limits.head_size as usize;
        // However it is packed, a head is hardly longer than what it says; and no one needs many frames for it (CVE-2024-27316).
        if block.octets.len() > 2 * allowed || block.frames > MOST_FRAMES + allowed / MOST_OF_A_FRAME {
            return Err(Reason::ENHANCE_YOUR_CALM);
        }
        if head.has(frame::END_HEADERS) {
            return self.take_block(block.stream, block.ends, block.is_malformed, &block.octets);
        }
        self.block = Some(block);
        Ok(())
    }

    /// All fields of a head have come: they are read in any case, since others may be understood by them alone.
    fn take_block(&mut self, id: u32, ends: bool, is_malformed: bool, block: &[u8]) -> Result<(), Reason> {
        let mut gathered = Gathered::new(self.limits.head_size as usize, self.limits.fields + COOKIE_CRUMBS + 1);
        self.decoder.decode(block, |field, size| gathered.take(field, size)).map_err(|_| Reason::COMPRESSION_ERROR)?;
        if let Some(stream) = self.stream(id).cloned() {
            return self.take_trailers(&stream, ends && !is_malformed, gathered.trailers());
        }
        if id <= self.last {
            return self.unknown(id);
        }
        self.last = id;
        let is_late = matches!(self.farewell, Farewell::Final(last) if id > last);
        if is_late || self.streams.len() >= self.limits.streams as usize {
            self.give_up(id, Reason::REFUSED_STREAM);
            return Ok(());
        }
        match gathered.request() {
            Read::Endless => Err(Reason::ENHANCE_YOUR_CALM),
            Read::TooLong => {
                self.refuse(id, ends, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
                Ok(())
            }
            Read::Whole(request) if !is_malformed => match length(request.headers()) {
                Ok(length) if !ends || length.unwrap_or(0) == 0 => {
                    self.open(id, ends, length, request);
                    Ok(())
                }
                _ => self.mistake(id, Reason::PROTOCOL_ERROR),
            },
            Read::Whole(_) | Read::Malformed => self.mistake(id, Reason::PROTOCOL_ERROR),
        }
    }

    fn open(&mut self, id: u32, ends: bool, length: Option<u64>, request: Request<()>) {
        // Until a client has heard otherwise it may send what everybody takes (RFC 9113 §6.9.2).
        let most = self.limits.stream_window;
        let window = Window::new(if self.is_known { most } else { most.max(FIRST_WINDOW) }, most);
        let stream = Rc::new(Stream::new(id, length, ends, self.first_window, window));
        self.streams.push(Rc::clone(&stream));
        self.arrived.push_back((request, stream));
    }

    fn take_trailers(&mut self, stream: &Rc<Stream>, ends: bool, trailers: Read<HeaderMap>) -> Result<(), Reason> {
        let (has_ended, is_short) = {
            let incoming = &stream.state.borrow().incoming;
            (incoming.has_ended, incoming.left.is_some_and(|left| left > 0))
        };
        match trailers {
            Read::Endless => Err(Reason::ENHANCE_YOUR_CALM),
            _ if has_ended => self.mistake(stream.id, Reason::STREAM_CLOSED),
            Read::Whole(trailers) if ends && !is_short => {
                self.end_incoming(stream, Some(trailers));
                Ok(())
            }
            _ => self.mistake(stream.id, Reason::PROTOCOL_ERROR),
        }
    }
}

impl<'c> Opening<'c> {
    fn of(head: Head, content: &'c [u8]) -> Result<Self, Reason> {
        let mut block = content;
        let mut padding = 0;
        if head.has(frame::PADDED) {
            padding = usize::from(block.try_get_u8().map_err(|_| Reason::FRAME_SIZE_ERROR)?);
        }
        let mut depends = 0;
        if head.has(frame::HAS_PRIORITY) {
            depends = Core::depends(block);
            block = block.get(5..).ok_or(Reason::FRAME_SIZE_ERROR)?;
        }
        let length = block.len().checked_sub(padding).ok_or(Reason::PROTOCOL_ERROR)?;
        Ok(Self { block: &block[..length], is_malformed: depends == head.stream })
    }
}

/// What Content-Length says; an error: nothing that could be kept (RFC 9113 §8.1.1).
fn length(fields: &HeaderMap) -> Result<Option<u64>, ()> {
    let mut lengths = fields.get_all(CONTENT_LENGTH).iter();
    let Some(length) = lengths.next() else { return Ok(None) };
    let digits = length.to_str().ok().filter(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()));
    match digits.and_then(|digits| digits.parse().ok()) {
        Some(length) if lengths.next().is_none() => Ok(Some(length)),
        _ => Err(()),
    }
}

/// Frames of one head beyond those that what is allowed fits into: whoever sends smaller ones needs a few more.
const MOST_FRAMES: usize = 10;
