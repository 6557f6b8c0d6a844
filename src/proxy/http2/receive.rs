//! What comes (RFC 9113 §4 to §6), frame by frame. An error is why the connection ends.

use std::rc::Rc;

use bytes::Buf;
use http::HeaderMap;

use super::frame::{self, Head, Reason};
use super::session::{Core, Farewell, LEAVING, Stage};
use super::settings;
use super::stream::Stream;

/// The content of a DATA frame, which is handed on as it comes.
#[derive(Clone, Copy)]
pub(super) struct Data {
    stream: u32,
    /// Octets of content that are to come, and of padding behind them.
    left: usize,
    padding: usize,
    ends: bool,
}

impl Core {
    /// Takes all of `octets`.
    pub(super) fn receive(&mut self, octets: &[u8]) {
        if self.stage == Stage::Over {
            return;
        }
        let mut partial = std::mem::take(&mut self.partial);
        if partial.is_empty() {
            let mut rest = octets;
            match self.receive_frames(&mut rest) {
                Ok(()) => self.partial = rest.to_vec(),
                Err(reason) => self.fail(reason),
            }
            return;
        }
        partial.extend_from_slice(octets);
        let mut rest = &partial[..];
        match self.receive_frames(&mut rest) {
            Ok(()) if rest.is_empty() => {}
            Ok(()) => {
                let taken = partial.len() - rest.len();
                partial.drain(..taken);
                self.partial = partial;
            }
            Err(reason) => self.fail(reason),
        }
    }

    /// Leaves what is no whole frame.
    fn receive_frames(&mut self, octets: &mut &[u8]) -> Result<(), Reason> {
        if self.stage == Stage::Preface {
            let most = octets.len().min(frame::PREFACE.len());
            if octets[..most] != frame::PREFACE[..most] {
                return Err(Reason::PROTOCOL_ERROR);
            }
            if most < frame::PREFACE.len() {
                return Ok(());
            }
            octets.advance(most);
            self.stage = Stage::Settings;
        }
        loop {
            self.receive_data(octets);
            let Some(head) = Head::read(octets) else { return Ok(()) };
            self.judge(head)?;
            let mut rest = &octets[frame::LENGTH..];
            if head.kind == frame::DATA {
                let mut padding = None;
                if head.has(frame::PADDED) {
                    let Ok(octet) = rest.try_get_u8() else { return Ok(()) };
                    padding = Some(octet);
                }
                self.begin_data(head, padding)?;
                *octets = rest;
                continue;
            }
            let Some((content, after)) = rest.split_at_checked(head.length) else { return Ok(()) };
            self.take(head, content)?;
            *octets = after;
        }
    }

    /// What can be said of a frame before its content has come.
    fn judge(&self, head: Head) -> Result<(), Reason> {
        let goes_on = self.block.as_ref().map(|block| block.stream);
        let is_expected = match (self.stage, goes_on) {
            (Stage::Settings, _) => head.kind == frame::SETTINGS && !head.has(frame::ACK),
            (_, Some(stream)) => head.kind == frame::CONTINUATION && head.stream == stream,
            (_, None) => !matches!(head.kind, frame::CONTINUATION | frame::PUSH_PROMISE),
        };
        let is_placed = match head.kind {
            frame::DATA | frame::HEADERS | frame::PRIORITY | frame::RST_STREAM | frame::CONTINUATION => {
                head.stream != 0
            }
            frame::SETTINGS | frame::PING | frame::GOAWAY => head.stream == 0,
            _ => true,
        };
        let is_sized = match head.kind {
            frame::DATA | frame::HEADERS => head.length > 0 || !head.has(frame::PADDED),
            frame::PRIORITY => head.length == 5,
            frame::RST_STREAM | frame::WINDOW_UPDATE => head.length == 4,
            frame::SETTINGS => head.length.is_multiple_of(6) && (head.length == 0 || !head.has(frame::ACK)),
            frame::PING => head.length == 8,
            frame::GOAWAY => head.length >= 8,
            _ => true,
        };
        if head.length > frame::MOST_OF_A_FRAME {
            Err(Reason::FRAME_SIZE_ERROR)
        } else if !is_expected || !is_placed {
            Err(Reason::PROTOCOL_ERROR)
        } else if !is_sized {
            Err(Reason::FRAME_SIZE_ERROR)
        } else {
            Ok(())
        }
    }

    /// A whole frame that holds no data.
    fn take(&mut self, head: Head, content: &[u8]) -> Result<(), Reason> {
        match head.kind {
            frame::HEADERS => self.take_head(head, content),
            frame::CONTINUATION => self.take_more(head, content),
            frame::RST_STREAM => self.take_reset(head.stream),
            frame::SETTINGS if head.has(frame::ACK) => {
                self.is_known = true;
                Ok(())
            }
            frame::SETTINGS => self.take_settings(content),
            frame::PING => self.take_ping(head, content),
            frame::GOAWAY => {
                self.client_leaves = true;
                Ok(())
            }
            frame::WINDOW_UPDATE => self.take_window(head.stream, content),
            // A stream that depends on itself (RFC 7540 §5.3.1); what else is said of priorities nobody goes by.
            frame::PRIORITY if Self::depends(content) == head.stream => Err(Reason::PROTOCOL_ERROR),
            // RFC 9113 §5.5.
            _ => Ok(()),
        }
    }

    pub(super) fn depends(content: &[u8]) -> u32 {
        content.first_chunk().map_or(0, |octets| u32::from_be_bytes(*octets) & frame::MOST_OF_A_NUMBER)
    }

    // Data (RFC 9113 §6.1).

    fn begin_data(&mut self, head: Head, padding: Option<u8>) -> Result<(), Reason> {
        let (said, padding) = (usize::from(padding.is_some()), usize::from(padding.unwrap_or(0)));
        let left = head.length.checked_sub(said + padding).ok_or(Reason::PROTOCOL_ERROR)?;
        let length = u32::try_from(head.length).unwrap_or(u32::MAX);
        if !self.window.take(length) {
            return Err(Reason::FLOW_CONTROL_ERROR);
        }
        self.data = Data { stream: head.stream, left, padding, ends: head.has(frame::END_STREAM) };
        let mistake = match self.stream(head.stream) {
            None => return self.unknown(head.stream).map(|()| self.release(said)),
            Some(stream) => {
                let incoming = &mut stream.state.borrow_mut().incoming;
                let is_promised = incoming.left.is_none_or(|all| match self.data.ends {
                    true => all == left as u64,
                    false => all >= left as u64,
                });
                if incoming.has_ended {
                    Some(Reason::STREAM_CLOSED)
                } else if !incoming.window.take(length) {
                    Some(Reason::FLOW_CONTROL_ERROR)
                } else if !is_promised {
                    Some(Reason::PROTOCOL_ERROR)
                } else {
                    incoming.left = incoming.left.map(|all| all - left as u64);
                    None
                }
            }
        };
        self.release(said);
        match mistake {
            Some(reason) => self.mistake(head.stream, reason),
            None => {
                self.release_on(head.stream, said + padding);
                Ok(())
            }
        }
    }

    /// Takes what has come of a DATA frame.
    fn receive_data(&mut self, octets: &mut &[u8]) {
        let Data { stream: id, left, padding, ends } = self.data;
        if id == 0 {
            return;
        }
        let (come, rest) = octets.split_at(left.min(octets.len()));
        let (gone, rest) = rest.split_at(padding.min(rest.len()));
        *octets = rest;
        self.data.left -= come.len();
        self.data.padding -= gone.len();
        let is_whole = self.data.left == 0 && self.data.padding == 0;
        if is_whole {
            self.data = Data::NONE;
        }
        self.release(gone.len());
        let stream = self.stream(id).cloned();
        match stream.as_ref().map(|stream| stream.state.borrow_mut()) {
            Some(mut state) if !state.incoming.is_unread => {
                if !come.is_empty() {
                    state.incoming.push(come);
                }
            }
            Some(state) => {
                drop(state);
                self.release(come.len());
                if let Some(stream) = &stream {
                    self.settle(stream);
                }
            }
            None => self.release(come.len()),
        }
        if is_whole
            && ends
            && let Some(stream) = stream
        {
            self.end_incoming(&stream, None);
        }
    }

    /// The client has said all of a stream.
    pub(super) fn end_incoming(&mut self, stream: &Rc<Stream>, trailers: Option<HeaderMap>) {
        {
            let incoming = &mut stream.state.borrow_mut().incoming;
            incoming.has_ended = true;
            if !incoming.is_unread {
                incoming.trailers = trailers;
            }
            incoming.wake();
        }
        self.settle(stream);
    }

    // Others.

    fn take_reset(&mut self, id: u32) -> Result<(), Reason> {
        let Some(stream) = self.stream(id).cloned() else {
            return self.unknown(id).or_else(|reason| self.was(id, reason));
        };
        if !stream.state.borrow().is_taken {
            self.unseen += 1;
            self.arrived.retain(|(_, arrived)| arrived.id != id);
            if self.unseen > MOST_UNSEEN {
                return Err(Reason::ENHANCE_YOUR_CALM);
            }
        }
        self.close(&stream);
        Ok(())
    }

    fn take_settings(&mut self, content: &[u8]) -> Result<(), Reason> {
        let said = settings::read(content)?;
        if let Some(table) = said.table {
            self.encoder.limit_table(table);
        }
        if let Some(window) = said.window {
            let more = i64::from(window) - i64::from(self.first_window);
            self.first_window = window;
            let changed = if more == 0 { Vec::new() } else { self.streams.clone() };
            for stream in changed {
                self.open_window(&stream, more).map_err(|()| Reason::FLOW_CONTROL_ERROR)?;
            }
        }
        if self.stage == Stage::Settings {
            self.stage = Stage::Open;
        }
        self.out.write(|out| frame::write_head(out, 0, frame::SETTINGS, frame::ACK, 0));
        Ok(())
    }

    fn take_ping(&mut self, head: Head, content: &[u8]) -> Result<(), Reason> {
        let Some(content) = content.first_chunk() else { return Err(Reason::FRAME_SIZE_ERROR) };
        if !head.has(frame::ACK) {
            self.out.write(|out| frame::write_ping(out, frame::ACK, *content));
        } else if *content == LEAVING && self.farewell == Farewell::Announced {
            let last = self.last;
            self.farewell = Farewell::Final(last);
            self.out.write(|out| frame::write_farewell(out, last, Reason::NO_ERROR));
        }
        Ok(())
    }

    fn take_window(&mut self, id: u32, content: &[u8]) -> Result<(), Reason> {
        let more = i64::from(Self::depends(content));
        if id == 0 {
            self.send_window += more;
            return match more > 0 && self.send_window <= i64::from(frame::MOST_OF_A_NUMBER) {
                true => Ok(()),
                false if more == 0 => Err(Reason::PROTOCOL_ERROR),
                false => Err(Reason::FLOW_CONTROL_ERROR),
            };
        }
        match self.stream(id).cloned() {
            None => self.unknown(id).or_else(|reason| self.was(id, reason)),
            Some(_) if more == 0 => self.mistake(id, Reason::PROTOCOL_ERROR),
            Some(stream) => match self.open_window(&stream, more) {
                Ok(()) => Ok(()),
                Err(()) => self.mistake(id, Reason::FLOW_CONTROL_ERROR),
            },
        }
    }

    // What is wrong.

    /// A frame for a stream that is not open (RFC 9113 §5.1): of one that the edge gave up it was on its way.
    pub(super) fn unknown(&self, id: u32) -> Result<(), Reason> {
        if id > self.last || id.is_multiple_of(2) {
            Err(Reason::PROTOCOL_ERROR)
        } else if self.given_up.contains(&id) {
            Ok(())
        } else {
            Err(Reason::STREAM_CLOSED)
        }
    }

    /// What may come of a stream for a short while after both sides have ended it (RFC 9113 §5.1).
    fn was(&self, id: u32, reason: Reason) -> Result<(), Reason> {
        if id <= self.last && !id.is_multiple_of(2) { Ok(()) } else { Err(reason) }
    }

    /// The stream ends by a mistake of the client, who may not go on making them (CVE-2025-8671).
    pub(super) fn mistake(&mut self, id: u32, reason: Reason) -> Result<(), Reason> {
        self.mistakes += 1;
        if self.mistakes > MOST_MISTAKES {
            return Err(Reason::ENHANCE_YOUR_CALM);
        }
        match self.stream(id).cloned() {
            Some(stream) => self.reset(&stream, reason),
            None => self.give_up(id, reason),
        }
        Ok(())
    }
}

impl Data {
    pub(super) const NONE: Self = Self { stream: 0, left: 0, padding: 0, ends: false };
}

/// Streams that end by mistakes of the client before it is taken for an attacker.
const MOST_MISTAKES: usize = 100;
/// Streams that are given up as soon as they are opened, in what is read at once (CVE-2023-44487).
const MOST_UNSEEN: usize = 20;
