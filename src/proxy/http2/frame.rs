//! Frames (RFC 9113 §4 and §6): their heads, what kinds there are, and the small ones as they are written.

use bytes::{BufMut, BytesMut};

/// The nine octets before each frame's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) length: usize,
    pub(super) kind: u8,
    pub(super) flags: u8,
    /// The reserved bit is nobody's (RFC 9113 §4.1).
    pub(super) stream: u32,
}

impl Head {
    /// `None`: not all of it has come.
    pub(super) fn read(octets: &[u8]) -> Option<Self> {
        let [high, middle, low, kind, flags, stream @ ..] = octets.first_chunk::<LENGTH>()?;
        Some(Self {
            length: u32::from_be_bytes([0, *high, *middle, *low]) as usize,
            kind: *kind,
            flags: *flags,
            stream: u32::from_be_bytes(*stream) & MOST_OF_A_NUMBER,
        })
    }

    pub(super) const fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// As it goes over the wire.
    pub(super) const fn octets(self) -> [u8; LENGTH] {
        let ([_, high, middle, low], [a, b, c, d]) = ((self.length as u32).to_be_bytes(), self.stream.to_be_bytes());
        [high, middle, low, self.kind, self.flags, a, b, c, d]
    }
}

/// Why a stream or a connection ends (RFC 9113 §7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::proxy) struct Reason(pub(super) u32);

impl Reason {
    pub(in crate::proxy) const NO_ERROR: Self = Self(0);
    pub(in crate::proxy) const PROTOCOL_ERROR: Self = Self(1);
    pub(in crate::proxy) const INTERNAL_ERROR: Self = Self(2);
    pub(in crate::proxy) const FLOW_CONTROL_ERROR: Self = Self(3);
    pub(in crate::proxy) const STREAM_CLOSED: Self = Self(5);
    pub(in crate::proxy) const FRAME_SIZE_ERROR: Self = Self(6);
    pub(in crate::proxy) const REFUSED_STREAM: Self = Self(7);
    pub(in crate::proxy) const CANCEL: Self = Self(8);
    pub(in crate::proxy) const COMPRESSION_ERROR: Self = Self(9);
    pub(in crate::proxy) const ENHANCE_YOUR_CALM: Self = Self(11);
}

pub(super) fn write_head(out: &mut BytesMut, length: usize, kind: u8, flags: u8, stream: u32) {
    out.put_slice(&Head { length, kind, flags, stream }.octets());
}

pub(super) fn write_reset(out: &mut BytesMut, stream: u32, reason: Reason) {
    write_head(out, 4, RST_STREAM, 0, stream);
    out.put_u32(reason.0);
}

pub(super) fn write_farewell(out: &mut BytesMut, last_stream: u32, reason: Reason) {
    write_head(out, 8, GOAWAY, 0, 0);
    out.put_u32(last_stream);
    out.put_u32(reason.0);
}

pub(super) fn write_ping(out: &mut BytesMut, flags: u8, content: [u8; 8]) {
    write_head(out, 8, PING, flags, 0);
    out.put_slice(&content);
}

pub(super) fn write_window(out: &mut BytesMut, stream: u32, more: u32) {
    write_head(out, 4, WINDOW_UPDATE, 0, stream);
    out.put_u32(more);
}

/// A block of fields, in as many frames as it takes (RFC 9113 §4.3).
pub(super) fn write_block(out: &mut BytesMut, stream: u32, ends: bool, block: &[u8]) {
    let (mut kind, mut flags) = (HEADERS, if ends { END_STREAM } else { 0 });
    let mut rest = block;
    loop {
        let (piece, after) = rest.split_at(rest.len().min(MOST_OF_A_FRAME));
        rest = after;
        if rest.is_empty() {
            flags |= END_HEADERS;
        }
        write_head(out, piece.len(), kind, flags, stream);
        out.put_slice(piece);
        if rest.is_empty() {
            return;
        }
        (kind, flags) = (CONTINUATION, 0);
    }
}

/// Octets of a head.
pub(super) const LENGTH: usize = 9;
/// What SETTINGS_MAX_FRAME_SIZE is, unless it is said otherwise (RFC 9113 §6.5.2): what is taken, and what is sent.
pub(super) const MOST_OF_A_FRAME: usize = 16_384;
/// Of streams, and of what a window is opened by.
pub(super) const MOST_OF_A_NUMBER: u32 = 0x7fff_ffff;
/// What a client says first (RFC 9113 §3.4).
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const PRIORITY: u8 = 2;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PUSH_PROMISE: u8 = 5;
pub(super) const PING: u8 = 6;
pub(super) const GOAWAY: u8 = 7;
pub(super) const WINDOW_UPDATE: u8 = 8;
pub(super) const CONTINUATION: u8 = 9;

pub(super) const ACK: u8 = 0x1;
pub(super) const END_STREAM: u8 = 0x1;
pub(super) const END_HEADERS: u8 = 0x4;
pub(super) const PADDED: u8 = 0x8;
pub(super) const HAS_PRIORITY: u8 = 0x20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_written_as_it_is_read() {
        let head = Head { length: 0x01_02_03, kind: DATA, flags: END_STREAM, stream: 0x0405_0607 };
        assert_eq!(head.octets(), [1, 2, 3, 0, 1, 4, 5, 6, 7]);
        assert_eq!(Head::read(&head.octets()), Some(head));
        assert_eq!(Head::read(&[1, 2, 3, 0, 1, 0x84, 5, 6, 7, 9]), Some(head), "the reserved bit");
        assert_eq!(Head::read(&[0; 8]), None);
    }

    #[test]
    fn a_long_block_goes_on_in_frames_of_its_own() {
        let mut out = BytesMut::new();
        write_block(&mut out, 5, true, &[7; MOST_OF_A_FRAME + 1]);
        let first = Head { length: MOST_OF_A_FRAME, kind: HEADERS, flags: END_STREAM, stream: 5 };
        assert_eq!(Head::read(&out), Some(first));
        let second = Head { length: 1, kind: CONTINUATION, flags: END_HEADERS, stream: 5 };
        assert_eq!(Head::read(&out[LENGTH + MOST_OF_A_FRAME..]), Some(second));
        assert_eq!(out.len(), 2 * LENGTH + MOST_OF_A_FRAME + 1);
    }
}
