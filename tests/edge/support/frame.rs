//! HTTP/2 octet by octet, for what no client's library would send or show (RFC 9113).

use std::io::Read;

use rustls::version::TLS13;

use super::{ClientTls, Edge, Talk};

/// A frame (RFC 9113 §4.1).
pub(crate) fn frame(kind: u8, flags: u8, stream: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).expect("a short frame");
    [&[0, 0, length, kind, flags, 0, 0, 0, stream], content].concat()
}

/// Kind, flags and content of the next frame; `None` at the end.
pub(crate) fn next_frame(client: &mut Talk) -> Option<(u8, u8, Vec<u8>)> {
    let mut head = [0; 9];
    client.reader.read_exact(&mut head).ok()?;
    let mut content = vec![0; usize::from(u16::from_be_bytes([head[1], head[2]]))];
    client.reader.read_exact(&mut content).ok()?;
    Some((head[3], head[4], content))
}

/// A connection without a library on which both have said their settings, and the edge the size of its window.
pub(crate) fn open(edge: &Edge) -> Talk {
    let mut client = ClientTls::new(&[&TLS13]).alpn(&["h2"]).open(edge.https, "shop.example");
    client.send([PREFACE, &frame(SETTINGS, 0, 0, &[]), &frame(SETTINGS, ACK, 0, &[])].concat());
    let mut kinds: Vec<_> = (0..3).map(|_| next_frame(&mut client).expect("a frame").0).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, [SETTINGS, SETTINGS, WINDOW_UPDATE]);
    client
}

/// A request to `shop.example`, by its method's place in HPACK's table: `GET` is 2, `POST` is 3. Indexed `:method`,
/// `:scheme https` and `:path /`, then `:authority` in full (RFC 7541 §6).
pub(crate) fn head(method: u8) -> Vec<u8> {
    [&[0x80 | method, 0x87, 0x84, 0x41, 12][..], b"shop.example"].concat()
}

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const ACK: u8 = 1;
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;
