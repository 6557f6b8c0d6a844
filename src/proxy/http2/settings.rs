//! What each side says at first of itself (RFC 9113 §6.5).

use bytes::{BufMut, BytesMut};

use super::frame::{self, MOST_OF_A_FRAME, MOST_OF_A_NUMBER, Reason, SETTINGS};

/// What the edge takes.
#[derive(Clone, Copy, Debug)]
pub(in crate::proxy) struct Limits {
    /// Streams at a time.
    pub(in crate::proxy) streams: u32,
    /// Octets of one stream that may be on their way.
    pub(in crate::proxy) stream_window: u32,
    /// Octets of all streams.
    pub(in crate::proxy) connection_window: u32,
    /// Octets of a head, as RFC 9113 §6.5.2 counts them.
    pub(in crate::proxy) head_size: u32,
    /// Octets of an answer that are kept for a client that does not take them, and a piece beyond.
    pub(in crate::proxy) send_buffer: usize,
    /// Fields of a head, beside crumbs of a cookie: that there are more is for whoever reads the request to say.
    pub(in crate::proxy) fields: usize,
}

impl Limits {
    /// Says so, and that WebSockets are taken (RFC 8441 §3).
    pub(super) fn write(&self, out: &mut BytesMut) {
        let settings = [
            (MAX_CONCURRENT_STREAMS, self.streams),
            (INITIAL_WINDOW_SIZE, self.stream_window),
            (MAX_HEADER_LIST_SIZE, self.head_size),
            (ENABLE_CONNECT_PROTOCOL, 1),
        ];
        frame::write_head(out, settings.len() * SETTING, SETTINGS, 0, 0);
        for (number, value) in settings {
            out.put_u16(number);
            out.put_u32(value);
        }
        if let Some(more) = self.connection_window.checked_sub(FIRST_WINDOW).filter(|more| *more > 0) {
            frame::write_window(out, 0, more);
        }
    }
}

/// What a client says that matters: the rest nobody goes by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// What it takes on each stream at first.
    pub(super) window: Option<u32>,
    /// What it has room for in its table of fields: the least that it says.
    pub(super) table: Option<u32>,
}

/// Reads settings.
///
/// # Errors
/// Why the connection cannot go on.
pub(super) fn read(content: &[u8]) -> Result<Said, Reason> {
    let (settings, rest) = content.as_chunks::<SETTING>();
    if !rest.is_empty() {
        return Err(Reason::FRAME_SIZE_ERROR);
    }
    let mut said = Said::default();
    for [high, low, a, b, c, d] in settings {
        let value = u32::from_be_bytes([*a, *b, *c, *d]);
        match u16::from_be_bytes([*high, *low]) {
            INITIAL_WINDOW_SIZE if value > MOST_OF_A_NUMBER => return Err(Reason::FLOW_CONTROL_ERROR),
            INITIAL_WINDOW_SIZE => said.window = Some(value),
            HEADER_TABLE_SIZE => said.table = Some(said.table.map_or(value, |least| least.min(value))),
            // Nothing is pushed, and no frame is larger than the least that everybody takes.
            ENABLE_PUSH | ENABLE_CONNECT_PROTOCOL if value > 1 => return Err(Reason::PROTOCOL_ERROR),
            MAX_FRAME_SIZE if !(MOST_OF_A_FRAME as u32..1 << 24).contains(&value) => {
                return Err(Reason::PROTOCOL_ERROR);
            }
            _ => {}
        }
    }
    Ok(said)
}

/// The window that everything begins with (RFC 9113 §6.9.2).
pub(super) const FIRST_WINDOW: u32 = 65_535;
/// Octets of one.
const SETTING: usize = 6;

const HEADER_TABLE_SIZE: u16 = 1;
const ENABLE_PUSH: u16 = 2;
const MAX_CONCURRENT_STREAMS: u16 = 3;
const INITIAL_WINDOW_SIZE: u16 = 4;
const MAX_FRAME_SIZE: u16 = 5;
const MAX_HEADER_LIST_SIZE: u16 = 6;
const ENABLE_CONNECT_PROTOCOL: u16 = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_and_what_no_peer_may_say_is_refused() {
        let window = |content: &[u8]| read(content).map(|said| said.window);
        assert_eq!(window(&[]), Ok(None));
        assert_eq!(window(&[0, 4, 0, 0, 0, 9, 0x7f, 1, 9, 9, 9, 9]), Ok(Some(9)), "an unknown one is nobody's");
        assert_eq!(window(&[0, 4, 0, 0, 0, 9, 0, 4, 0, 0, 0, 8]), Ok(Some(8)), "the last counts");
        assert_eq!(window(&[0, 5, 0, 0xff, 0xff, 0xff, 0, 2, 0, 0, 0, 1]), Ok(None));
        let least = Said { window: None, table: Some(7) };
        assert_eq!(read(&[0, 1, 0, 0, 0, 7, 0, 1, 0, 0, 0, 9]), Ok(least));
        for (content, reason) in [
            (&[0, 4, 0, 0, 0][..], Reason::FRAME_SIZE_ERROR),
            (&[0, 4, 0x80, 0, 0, 0], Reason::FLOW_CONTROL_ERROR),
            (&[0, 2, 0, 0, 0, 2], Reason::PROTOCOL_ERROR),
            (&[0, 8, 0, 0, 0, 2], Reason::PROTOCOL_ERROR),
            (&[0, 5, 0, 0, 0x3f, 0xff], Reason::PROTOCOL_ERROR),
            (&[0, 5, 1, 0, 0, 0], Reason::PROTOCOL_ERROR),
        ] {
            assert_eq!(window(content), Err(reason), "{content:?}");
        }
    }
}
