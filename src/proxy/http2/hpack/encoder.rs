//! Writes blocks of fields. It has nothing remembered, so that it holds nothing itself and says nothing twice as short.

use bytes::{BufMut, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::huffman;
use super::table::{MOST, STATIC_FIELDS};

/// Writes the blocks of one connection.
pub(in super::super) struct Encoder {
    /// What the peer is told of its table.
    table: Told,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    /// Nothing, as long as it has the size that it has at first.
    Nothing,
    /// It is to be told before the next block that nothing is ever remembered, since it has less room now (RFC 7541 §4.2).
    Owed,
    All,
}

impl Encoder {
    pub(in super::super) const fn new() -> Self {
        Self { table: Told::Nothing }
    }

    /// Appends the block of a response.
    pub(in super::super) fn response(&mut self, status: StatusCode, fields: &HeaderMap, block: &mut BytesMut) {
        self.begin(block);
        match STATUSES.iter().position(|known| *known == status.as_u16()) {
            Some(place) => block.put_u8(0x80 | (FIRST_STATUS + place as u8)),
            None => {
                block.put_u8(FIRST_STATUS);
                string(status.as_str().as_bytes(), block);
            }
        }
        write(fields, block);
    }

    /// Appends the block of trailers.
    pub(in super::super) fn trailers(&mut self, fields: &HeaderMap, block: &mut BytesMut) {
        self.begin(block);
        write(fields, block);
    }

    /// The peer has room for so many octets in its table.
    pub(in super::super) fn limit_table(&mut self, most: u32) {
        if self.table == Told::Nothing && (most as usize) < MOST {
            self.table = Told::Owed;
        }
    }

    fn begin(&mut self, block: &mut BytesMut) {
        if self.table == Told::Owed {
            self.table = Told::All;
            block.put_u8(0x20);
        }
    }
}

fn write(fields: &HeaderMap, block: &mut BytesMut) {
    for (name, value) in fields {
        field(name, value, block);
    }
}

/// RFC 7541 §6.2.2, or §6.2.3 for what no one on the way may remember either.
fn field(name: &HeaderName, value: &HeaderValue, block: &mut BytesMut) {
    let kind = if value.is_sensitive() { 0x10 } else { 0 };
    match static_name(name.as_str()) {
        Some(number) if number < 15 => block.put_u8(kind | number),
        Some(number) => block.put_slice(&[kind | 15, number - 15]),
        None => {
            block.put_u8(kind);
            string(name.as_str().as_bytes(), block);
        }
    }
    string(value.as_bytes(), block);
}

/// RFC 7541 §5.2, whichever way is shorter.
fn string(octets: &[u8], block: &mut BytesMut) {
    let coded = huffman::coded_length(octets);
    if coded < octets.len() {
        integer(0x80, coded, block);
        huffman::encode(octets, block);
    } else {
        integer(0, octets.len(), block);
        block.put_slice(octets);
    }
}

/// RFC 7541 §5.1, with seven bits for the beginning.
fn integer(flag: u8, number: usize, block: &mut BytesMut) {
    if number < 0x7f {
        block.put_u8(flag | number as u8);
        return;
    }
    block.put_u8(flag | 0x7f);
    let mut rest = number - 0x7f;
    while rest >= 0x80 {
        block.put_u8(rest as u8 | 0x80);
        rest >>= 7;
    }
    block.put_u8(rest as u8);
}

/// Where the static table has a name, if it does: by its length and a letter first, since most names are looked for in vain.
fn static_name(name: &str) -> Option<u8> {
    let fits = |place: &u8| STATIC_FIELDS[usize::from(*place)].0 == name;
    PLACES[hash(name.as_bytes())]
        .iter()
        .take_while(|place| **place != 0)
        .find(|place| fits(place))
        .map(|place| place + 1)
}

const fn hash(name: &[u8]) -> usize {
    if name.is_empty() {
        return 0;
    }
    (name.len() * 3 + name[name.len() - 1] as usize + name[name.len() / 2] as usize * 5) % PLACES_LENGTH
}

const fn places() -> [[u8; 4]; PLACES_LENGTH] {
    // The fields before are pseudo-header fields, so that no place is 0.
    let (mut places, mut place) = ([[0; 4]; PLACES_LENGTH], 14);
    while place < STATIC_FIELDS.len() {
        let bucket = hash(STATIC_FIELDS[place].0.as_bytes());
        let mut used = 0;
        while places[bucket][used] != 0 {
            used += 1;
        }
        places[bucket][used] = place as u8;
        place += 1;
    }
    places
}

const PLACES_LENGTH: usize = 128;
static PLACES: [[u8; 4]; PLACES_LENGTH] = places();
/// In the order of the static table, from [`FIRST_STATUS`] on.
const STATUSES: [u16; 7] = [200, 204, 206, 304, 400, 404, 500];
const FIRST_STATUS: u8 = 8;

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;

    use http::header::{SERVER, SET_COOKIE};
    use proptest::prelude::*;

    use super::super::{Decoder, Field, Pseudo};
    use super::*;

    fn read(decoder: &mut Decoder, block: &[u8]) -> (Option<u16>, HeaderMap) {
        let (mut status, mut fields) = (None, HeaderMap::new());
        let read = decoder.decode(block, |field, _| {
            match field {
                Field::Pseudo(Pseudo::Status, value) => {
                    status = Some(std::str::from_utf8(&value).expect("text").parse().expect("a number"));
                }
                Field::Regular(name, value) => drop(fields.append(name, value)),
                other => panic!("{other:?}"),
            }
            ControlFlow::Continue(())
        });
        assert_eq!(read, Ok(()));
        (status, fields)
    }

    #[test]
    fn every_name_of_the_static_table_is_found() {
        for (place, (name, _)) in STATIC_FIELDS.iter().enumerate().skip(14) {
            assert_eq!(static_name(name), u8::try_from(place + 1).ok(), "{name}");
        }
        for name in ["x-shop", ":status", "content-typf", ""] {
            assert_eq!(static_name(name), None, "{name}");
        }
    }

    #[test]
    fn a_small_table_is_refused_once_and_a_secret_is_remembered_by_nobody() {
        let mut encoder = Encoder::new();
        encoder.limit_table(4096);
        let mut block = BytesMut::new();
        encoder.response(StatusCode::OK, &HeaderMap::new(), &mut block);
        assert_eq!(&block[..], b"\x88");
        encoder.limit_table(4095);
        let mut secret = HeaderValue::from_static("a=1");
        secret.set_sensitive(true);
        let fields = HeaderMap::from_iter([(SERVER, HeaderValue::from_static("shop")), (SET_COOKIE, secret)]);
        let mut block = BytesMut::new();
        encoder.response(StatusCode::OK, &fields, &mut block);
        assert_eq!(&block[..2], b"\x20\x88");
        // The second is number 55, never to be remembered (RFC 7541 §6.2.3).
        assert!(block.windows(2).any(|octets| octets == [0x1f, 55 - 15]), "{block:x?}");
        let mut block = BytesMut::new();
        encoder.limit_table(0);
        encoder.response(StatusCode::IM_A_TEAPOT, &HeaderMap::new(), &mut block);
        assert_eq!(&block[..], b"\x08\x03418");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(
            status in 100_u16..1000,
            fields in proptest::collection::vec(("[a-z0-9!#$&'*+.^_|~-]{1,40}", "[!-~]([ -~\u{80}-\u{ff}]{0,300}[!-~])?"), 0..20),
        ) {
            let fields: HeaderMap = fields.iter().map(|(name, value)| {
                (HeaderName::try_from(name).expect("a name"), HeaderValue::from_bytes(value.as_bytes()).expect("a value"))
            }).collect();
            let (mut encoder, mut decoder) = (Encoder::new(), Decoder::new());
            let status = StatusCode::from_u16(status).expect("a status");
            for _ in 0..2 {
                let mut block = BytesMut::new();
                encoder.response(status, &fields, &mut block);
                prop_assert_eq!(read(&mut decoder, &block), (Some(status.as_u16()), fields.clone()));
                block.clear();
                encoder.trailers(&fields, &mut block);
                prop_assert_eq!(read(&mut decoder, &block), (None, fields.clone()));
            }
        }
    }
}
