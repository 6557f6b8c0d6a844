//! A client that sends any list of fields at all (RFC 7541 without a table), and looks how its stream ends.

use std::io::Read;

use crate::support::frame::{self, ACK, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, RST_STREAM, SETTINGS};
use crate::support::{Edge, Talk};

/// How a stream ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// With an answer 200, whole.
    Answered,
    /// With another answer, whole.
    Refused,
    /// Reset, with the connection or without.
    Reset,
}

/// What is sent on a stream after the head.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part {
    /// Data that does not end the stream.
    Data(&'static [u8]),
    /// The same, and as many octets of padding.
    Padded(&'static [u8], u8),
    /// The last data.
    Last(&'static [u8]),
    /// Trailers, which end the stream.
    Trailers(&'static [(&'static str, &'static str)]),
    /// Fields behind the head that do not end the stream.
    MoreFields(&'static [(&'static str, &'static str)]),
}

/// Sends a request on a connection of its own and waits for the end of its stream. Without parts the head ends the stream.
pub(super) fn ask(edge: &Edge, fields: &[(&str, &str)], parts: &[Part]) -> End {
    let mut client = frame::open(edge);
    let mut octets = head(fields, parts.is_empty());
    for part in parts {
        octets.extend(match part {
            Part::Data(data) => written(DATA, 0, data),
            Part::Padded(data, padding) => {
                let content = [&[*padding][..], data, &vec![0; usize::from(*padding)]].concat();
                written(DATA, PADDED, &content)
            }
            Part::Last(data) => written(DATA, END_STREAM, data),
            Part::Trailers(fields) => written(HEADERS, END_HEADERS | END_STREAM, &block(fields)),
            Part::MoreFields(fields) => written(HEADERS, END_HEADERS, &block(fields)),
        });
    }
    // The edge may have closed by the time all of it is sent.
    let _ = client.try_send(&octets);
    end(&mut client)
}

fn end(client: &mut Talk) -> End {
    let mut status = None;
    loop {
        let Some((kind, flags, stream, content)) = next(client) else { return End::Reset };
        match kind {
            SETTINGS if flags & ACK == 0 => drop(client.try_send(frame::frame(SETTINGS, ACK, 0, &[]))),
            RST_STREAM if stream == STREAM => return End::Reset,
            // Without an error it is a farewell, and streams that were begun go on.
            GOAWAY if content[4..8] != [0; 4] => return End::Reset,
            HEADERS if stream == STREAM && status.is_none() => status = Some(is_ok(&content)),
            _ => {}
        }
        if let Some(is_ok) =
            status.filter(|_| stream == STREAM && matches!(kind, HEADERS | DATA) && flags & END_STREAM != 0)
        {
            return if is_ok { End::Answered } else { End::Refused };
        }
    }
}

/// Whether a block of fields begins with the status 200, behind changes of the table's size.
fn is_ok(block: &[u8]) -> bool {
    block.iter().find(|octet| **octet & 0xe0 != 0x20) == Some(&0x88)
}

/// The next frame with its stream; `None` at the end.
fn next(client: &mut Talk) -> Option<(u8, u8, u32, Vec<u8>)> {
    let mut head = [0; 9];
    client.reader.read_exact(&mut head).ok()?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    let mut content = vec![0; usize::try_from(length).expect("a length")];
    client.reader.read_exact(&mut content).ok()?;
    Some((head[3], head[4], u32::from_be_bytes([head[5], head[6], head[7], head[8]]), content))
}

/// A head, in as many frames as it takes.
fn head(fields: &[(&str, &str)], ends: bool) -> Vec<u8> {
    let block = block(fields);
    let pieces: Vec<&[u8]> = block.chunks(LONGEST).collect();
    let mut octets = Vec::new();
    for (place, piece) in pieces.iter().enumerate() {
        let kind = if place == 0 { HEADERS } else { CONTINUATION };
        let last = if place + 1 == pieces.len() { END_HEADERS } else { 0 };
        let end = if ends && place == 0 { END_STREAM } else { 0 };
        octets.extend(written(kind, last | end, piece));
    }
    octets
}

fn written(kind: u8, flags: u8, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).expect("a length").to_be_bytes();
    let mut octets = vec![length[1], length[2], length[3], kind, flags];
    octets.extend(STREAM.to_be_bytes());
    octets.extend(content);
    octets
}

/// Literal fields with new names, never indexed (RFC 7541 §6.2.3).
fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut octets = Vec::new();
    for (name, value) in fields {
        octets.push(0x10);
        text(&mut octets, name);
        text(&mut octets, value);
    }
    octets
}

/// A string as it is (RFC 7541 §5.2). Letters up to U+00FF stand for single octets, so that cases can hold any.
fn text(octets: &mut Vec<u8>, text: &str) {
    let bytes: Vec<u8> = text.chars().map(|letter| u8::try_from(u32::from(letter)).expect("an octet")).collect();
    if bytes.len() < 127 {
        octets.push(u8::try_from(bytes.len()).expect("short"));
    } else {
        octets.push(127);
        let mut rest = bytes.len() - 127;
        while rest >= 128 {
            octets.push(0x80 | u8::try_from(rest % 128).expect("seven bits"));
            rest /= 128;
        }
        octets.push(u8::try_from(rest).expect("seven bits"));
    }
    octets.extend(bytes);
}

const STREAM: u32 = 1;
const PADDED: u8 = 8;
const CONTINUATION: u8 = 9;
/// What a frame may hold unless the peer says more (RFC 9113 §4.2).
const LONGEST: usize = 16_384;
