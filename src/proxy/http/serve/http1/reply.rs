//! A response over HTTP/1 on its way out (RFC 9112 §4, §6, §7), as fast as the client takes it.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, DATE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body::{Body, Frame};
use tokio::io::AsyncWrite;

use super::head::Terms;
use crate::proxy::buffer;
use crate::proxy::connection::Connection;
use crate::proxy::http::body::ResponseBody;
use crate::proxy::http::date;

/// A response of which the client has not got all.
pub(super) struct Reply {
    /// `None`: all of it is in the queue, and the exchange has ended with it.
    body: Option<ResponseBody>,
    coding: Coding,
    queue: Queue,
    /// The connection may go on behind it.
    pub(super) keeps: bool,
    /// Another protocol follows.
    switches: bool,
}

/// How the client tells where the body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    /// There is none.
    Nothing,
    /// By this many octets, which are still to come.
    Length(u64),
    /// By chunks, which trailers may follow.
    Chunked { trailers: bool },
    /// By the end of the connection.
    UntilClose,
}

/// The response broke off; what the client has got must not look complete.
pub(super) struct BrokenOff;

impl Reply {
    /// Begins with the head. `keeps`: the connection could go on, for all that is known before the response.
    pub(super) fn new(response: Response<ResponseBody>, terms: Terms, keeps: bool, room: Vec<u8>) -> Self {
        let (head, body) = response.into_parts();
        let (status, mut headers) = (head.status, head.headers);
        let coding = coding(status, &body, terms);
        let switches = status == StatusCode::SWITCHING_PROTOCOLS;
        let said = headers.get(CONNECTION).map(HeaderValue::as_bytes);
        let keeps =
            keeps && coding != Coding::UntilClose && said.is_none_or(|said| !said.eq_ignore_ascii_case(b"close"));
        if !switches {
            headers.remove(CONNECTION);
        }
        if matches!(coding, Coding::Chunked { .. } | Coding::UntilClose) {
            headers.remove(CONTENT_LENGTH);
        }
        let mut octets = room;
        write_status(&mut octets, status, terms);
        write_fields(&mut octets, &headers);
        if !headers.contains_key(DATE)
            && let Some(now) = date::now()
        {
            write_field(&mut octets, b"date", now.as_bytes());
        }
        match coding {
            Coding::Chunked { .. } => octets.extend_from_slice(b"transfer-encoding: chunked\r\n"),
            _ if headers.contains_key(CONTENT_LENGTH) || !may_say_length(status) => {}
            Coding::Length(length) => write_field(&mut octets, b"content-length", length.to_string().as_bytes()),
            Coding::Nothing if terms.head_only => {
                if let Some(length) = body.size_hint().exact().filter(|length| *length > 0) {
                    write_field(&mut octets, b"content-length", length.to_string().as_bytes());
                }
            }
            Coding::Nothing => octets.extend_from_slice(b"content-length: 0\r\n"),
            Coding::UntilClose => {}
        }
        match (switches, keeps, terms.is_http_1_1) {
            (true, ..) | (_, true, true) => {}
            (_, false, _) => octets.extend_from_slice(b"connection: close\r\n"),
            (_, true, false) => octets.extend_from_slice(b"connection: keep-alive\r\n"),
        }
        octets.extend_from_slice(LINE_END);
        let mut queue = Queue::default();
        queue.push(Piece::Head(octets));
        Self { body: (coding != Coding::Nothing).then_some(body), coding, queue, keeps, switches }
    }

    /// Ready: the client has been sent all of it.
    pub(super) fn poll(&mut self, connection: &Rc<Connection>, cx: &mut Context<'_>) -> Poll<Result<(), BrokenOff>> {
        loop {
            // More of the body at once is fewer records and system calls.
            let mut awaits_body = false;
            while let Some(body) = &mut self.body
                && self.queue.has_room()
                && !awaits_body
            {
                match Pin::new(body).poll_frame(cx) {
                    Poll::Ready(Some(Ok(frame))) => self.push(frame)?,
                    Poll::Ready(Some(Err(_))) => return Poll::Ready(Err(BrokenOff)),
                    Poll::Ready(None) => self.end(None)?,
                    Poll::Pending => awaits_body = true,
                }
            }
            if self.queue.is_empty() {
                let flushed = connection.poll_send(cx);
                return match flushed {
                    Poll::Ready(Err(_)) => Poll::Ready(Err(BrokenOff)),
                    Poll::Ready(Ok(())) if self.body.is_none() => Poll::Ready(Ok(())),
                    Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
                };
            }
            let is_last = self.body.is_none() && !self.keeps && !self.switches;
            ready!(self.queue.poll_write(connection, is_last, cx)).map_err(|_| BrokenOff)?;
        }
    }

    fn push(&mut self, frame: Frame<Bytes>) -> Result<(), BrokenOff> {
        let data = match frame.into_data() {
            Ok(data) if data.is_empty() => return Ok(()),
            Ok(data) => data,
            Err(frame) => return self.end(frame.into_trailers().ok()),
        };
        match &mut self.coding {
            Coding::Nothing => return Err(BrokenOff),
            Coding::UntilClose => {}
            Coding::Length(left) => {
                *left = left.checked_sub(data.len() as u64).ok_or(BrokenOff)?;
            }
            Coding::Chunked { .. } => self.queue.push(Piece::Line(Line::of_chunk(data.len()))),
        }
        self.queue.push(Piece::Data(data));
        if matches!(self.coding, Coding::Chunked { .. }) {
            self.queue.push(Piece::LineEnd);
        }
        if self.body.as_ref().is_some_and(Body::is_end_stream) {
            self.end(None)?; // known with the last data, which then goes out with it
        }
        Ok(())
    }

    /// The body has ended; whether as its head said.
    fn end(&mut self, trailers: Option<HeaderMap>) -> Result<(), BrokenOff> {
        match self.coding {
            Coding::Length(left) if left > 0 => return Err(BrokenOff),
            Coding::Chunked { trailers: passes } => {
                let mut octets = b"0\r\n".to_vec();
                if passes && let Some(trailers) = trailers {
                    write_fields(&mut octets, &trailers);
                }
                octets.extend_from_slice(LINE_END);
                self.queue.push(Piece::Data(octets.into()));
            }
            Coding::Nothing | Coding::Length(_) | Coding::UntilClose => {}
        }
        self.body = None;
        Ok(())
    }

    /// What the head was written into, for the next one.
    pub(super) fn into_room(self) -> Vec<u8> {
        self.queue.spare
    }
}

fn coding(status: StatusCode, body: &ResponseBody, terms: Terms) -> Coding {
    if terms.head_only || !may_say_length(status) || body.is_end_stream() {
        return Coding::Nothing;
    }
    match body.size_hint().exact() {
        Some(length) => Coding::Length(length),
        None if terms.is_http_1_1 => Coding::Chunked { trailers: terms.takes_trailers },
        None => Coding::UntilClose,
    }
}

/// RFC 9110 §8.6, §15.4.5: of what is not modified, its length would be that of what is not sent.
fn may_say_length(status: StatusCode) -> bool {
    !status.is_informational() && status != StatusCode::NO_CONTENT && status != StatusCode::NOT_MODIFIED
}

fn write_status(octets: &mut Vec<u8>, status: StatusCode, terms: Terms) {
    octets.extend_from_slice(if terms.is_http_1_1 { b"HTTP/1.1 " } else { b"HTTP/1.0 " });
    octets.extend_from_slice(status.as_str().as_bytes());
    octets.push(b' ');
    octets.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    octets.extend_from_slice(LINE_END);
}

fn write_fields(octets: &mut Vec<u8>, fields: &HeaderMap) {
    for (name, value) in fields {
        write_field(octets, name.as_str().as_bytes(), value.as_bytes());
    }
}

fn write_field(octets: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    octets.extend_from_slice(name);
    octets.extend_from_slice(b": ");
    octets.extend_from_slice(value);
    octets.extend_from_slice(LINE_END);
}

/// What waits to be written.
#[derive(Default)]
struct Queue {
    pieces: VecDeque<Piece>,
    /// How much of the first was written.
    written: usize,
    /// Octets of all.
    length: usize,
    /// What a head was in.
    spare: Vec<u8>,
}

enum Piece {
    Head(Vec<u8>),
    Line(Line),
    Data(Bytes),
    LineEnd,
}

/// What stands before a chunk.
struct Line {
    octets: [u8; LINE],
    begin: u8,
}

impl Queue {
    fn push(&mut self, piece: Piece) {
        self.length += piece.octets().len();
        self.pieces.push_back(piece);
    }

    fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    fn has_room(&self) -> bool {
        self.pieces.len() < MOST_PIECES - CHUNK && self.length < MOST
    }

    /// `is_last`: nothing follows what is in the queue.
    fn poll_write(
        &mut self,
        connection: &Rc<Connection>,
        is_last: bool,
        cx: &mut Context<'_>,
    ) -> Poll<std::io::Result<()>> {
        let mut slices = [IoSlice::new(&[]); MOST_PIECES];
        let mut number = 0;
        for (slice, piece) in slices.iter_mut().zip(&self.pieces) {
            *slice = IoSlice::new(piece.octets());
            number += 1;
        }
        if let Some(first) = self.pieces.front() {
            slices[0] = IoSlice::new(&first.octets()[self.written..]);
        }
        let slices = &slices[..number];
        let written = match is_last && number == self.pieces.len() {
            true => ready!(connection.poll_write_last(cx, slices))?,
            false => ready!(Pin::new(&mut connection.io()).poll_write_vectored(cx, slices))?,
        };
        if written == 0 {
            return Poll::Ready(Err(std::io::ErrorKind::WriteZero.into()));
        }
        self.take(written);
        Poll::Ready(Ok(()))
    }

    fn take(&mut self, written: usize) {
        self.length -= written;
        self.written += written;
        while let Some(first) = self.pieces.front()
            && self.written >= first.octets().len()
        {
            self.written -= first.octets().len();
            if let Some(Piece::Head(mut room)) = self.pieces.pop_front() {
                room.clear();
                self.spare = room;
            }
        }
    }
}

impl Piece {
    fn octets(&self) -> &[u8] {
        match self {
            Self::Head(octets) => octets,
            Self::Line(line) => &line.octets[usize::from(line.begin)..],
            Self::Data(data) => data,
            Self::LineEnd => LINE_END,
        }
    }
}

impl Line {
    /// The size of a chunk.
    fn of_chunk(size: usize) -> Self {
        let (mut octets, mut begin, mut left) = ([0; LINE], LINE - 2, size);
        octets[begin..].copy_from_slice(LINE_END);
        loop {
            begin -= 1;
            octets[begin] = b"0123456789abcdef"[left % 16];
            left /= 16;
            if left == 0 {
                break;
            }
        }
        Self { octets, begin: u8::try_from(begin).unwrap_or_default() }
    }
}

/// What is collected of a body before it is written.
const MOST: usize = buffer::PIECE;
/// In one system call where there is no TLS.
const MOST_PIECES: usize = 16;
/// Those of a chunk, and of the last one.
const CHUNK: usize = 4;
/// Sixteen digits and a line end.
const LINE: usize = 18;
const LINE_END: &[u8] = b"\r\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_has_its_size_before_it() {
        let line = |size| String::from_utf8(Piece::Line(Line::of_chunk(size)).octets().into());
        for (size, expected) in
            [(1, "1\r\n"), (16, "10\r\n"), (0x1a2b, "1a2b\r\n"), (usize::MAX, "ffffffffffffffff\r\n")]
        {
            assert_eq!(line(size).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn what_was_written_goes_and_the_rest_stays() {
        let mut queue = Queue::default();
        for piece in [Piece::Head(b"head".into()), Piece::Line(Line::of_chunk(3)), Piece::Data("abc".into())] {
            queue.push(piece);
        }
        for (written, length, first) in [(2, 8, &b"head"[2..]), (2, 6, b"3\r\n"), (4, 2, b"bc"), (2, 0, b"")] {
            queue.take(written);
            let octets = queue.pieces.front().map(|piece| &piece.octets()[queue.written..]).unwrap_or_default();
            assert_eq!((queue.length, octets), (length, first));
        }
        assert!(queue.is_empty() && queue.spare.capacity() >= 4 && queue.spare.is_empty());
    }
}
