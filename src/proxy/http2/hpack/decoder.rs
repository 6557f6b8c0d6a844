//! Reads blocks of fields.

use std::ops::ControlFlow;

use super::field::{Field, Name};
use super::huffman;
use super::table::{Entry, Table};

/// Reads the blocks of one connection, in the order in which they come.
pub(in super::super) struct Decoder(Table);

/// A block cannot be read, and neither can any that follows: COMPRESSION_ERROR (RFC 7541 §3, RFC 9113 §4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Corrupt;

impl Decoder {
    pub(in super::super) const fn new() -> Self {
        Self(Table::new())
    }

    /// Hands each field of a whole block to `take`, with its size (RFC 9113 §6.5.2), until that wants no more. After that no other
    /// block can be read.
    ///
    /// # Errors
    /// [`Corrupt`]: the block breaks RFC 7541.
    pub(in super::super) fn decode(
        &mut self,
        block: &[u8],
        mut take: impl FnMut(Field, usize) -> ControlFlow<()>,
    ) -> Result<(), Corrupt> {
        let (mut rest, mut room, mut resized) = (block, Vec::new(), 0);
        while let Some(first) = rest.first() {
            let entry = match first {
                // RFC 7541 §6.1.
                0x80.. => {
                    let number = integer(&mut rest, 7)?;
                    self.0.entry(number).ok_or(Corrupt)?.clone()
                }
                // §6.2.1.
                0x40.. => {
                    let entry = self.literal(&mut rest, 6, &mut room)?;
                    self.0.insert(entry.clone());
                    entry
                }
                // §6.3; §4.2: at most two of them, before everything else.
                0x20.. => {
                    resized += 1;
                    let limit = integer(&mut rest, 5)?;
                    if resized > 2 || !self.0.set_limit(limit) {
                        return Err(Corrupt);
                    }
                    continue;
                }
                // §6.2.2 and §6.2.3.
                _ => self.literal(&mut rest, 4, &mut room)?,
            };
            resized = 2;
            let size = entry.size();
            if take(entry.field, size).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn literal(&self, rest: &mut &[u8], prefix: u8, room: &mut Vec<u8>) -> Result<Entry, Corrupt> {
        let (name, name_length) = match integer(rest, prefix)? {
            0 => string(rest, room, |name| (Name::read(name), name.len()))?,
            number => {
                let entry = self.0.entry(number).ok_or(Corrupt)?;
                (entry.field.name(), entry.name_length)
            }
        };
        string(rest, room, |value| Entry { value_length: value.len(), field: name.with(value), name_length })
    }
}

/// RFC 7541 §5.1. What is longer than any block is none.
fn integer(rest: &mut &[u8], prefix: u8) -> Result<usize, Corrupt> {
    let mask = 0xff >> (8 - prefix);
    let mut number = usize::from(take(rest)? & mask);
    if number < usize::from(mask) {
        return Ok(number);
    }
    for shift in [0, 7, 14, 21] {
        let octet = take(rest)?;
        number += usize::from(octet & 0x7f) << shift;
        if octet & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(Corrupt)
}

/// RFC 7541 §5.2. `room` is for what was coded.
fn string<T>(rest: &mut &[u8], room: &mut Vec<u8>, read: impl FnOnce(&[u8]) -> T) -> Result<T, Corrupt> {
    let is_coded = rest.first().is_some_and(|first| first & 0x80 != 0);
    let length = integer(rest, 7)?;
    let (octets, after) = rest.split_at_checked(length).ok_or(Corrupt)?;
    *rest = after;
    if !is_coded {
        return Ok(read(octets));
    }
    room.clear();
    huffman::decode(octets, room).ok_or(Corrupt)?;
    Ok(read(room))
}

fn take(rest: &mut &[u8]) -> Result<u8, Corrupt> {
    let (first, after) = rest.split_first().ok_or(Corrupt)?;
    *rest = after;
    Ok(*first)
}

#[cfg(test)]
mod tests {
    use super::super::Pseudo;
    use super::*;

    fn decoded(decoder: &mut Decoder, block: &[u8]) -> Result<Vec<(String, String)>, Corrupt> {
        let mut fields = Vec::new();
        decoder.decode(block, |field, _| {
            fields.push(match field {
                Field::Regular(name, value) => (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into()),
                Field::Pseudo(pseudo, value) => (format!("{pseudo:?}"), String::from_utf8_lossy(&value).into()),
                Field::Malformed => ("malformed".into(), String::new()),
            });
            ControlFlow::Continue(())
        })?;
        Ok(fields)
    }

    fn pairs(fields: &[(&str, &str)]) -> Vec<(String, String)> {
        fields.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
    }

    /// RFC 7541 appendix C.4: three requests of one connection, coded.
    #[test]
    fn the_requests_of_the_rfc_are_read() {
        let mut decoder = Decoder::new();
        let first = b"\x82\x86\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff";
        let usual = [("Method", "GET"), ("Scheme", "http"), ("Path", "/"), ("Authority", "www.example.com")];
        assert_eq!(decoded(&mut decoder, first), Ok(pairs(&usual)));
        let second = b"\x82\x86\x84\xbe\x58\x86\xa8\xeb\x10\x64\x9c\xbf";
        assert_eq!(decoded(&mut decoder, second), Ok(pairs(&[&usual[..], &[("cache-control", "no-cache")]].concat())));
        let third = b"\x82\x87\x85\xbf\x40\x88\x25\xa8\x49\xe9\x5b\xa9\x7d\x7f\x89\x25\xa8\x49\xe9\x5b\xb8\xe8\xb4\xbf";
        let wanted = [
            ("Method", "GET"),
            ("Scheme", "https"),
            ("Path", "/index.html"),
            ("Authority", "www.example.com"),
            ("custom-key", "custom-value"),
        ];
        assert_eq!(decoded(&mut decoder, third), Ok(pairs(&wanted)));
    }

    #[test]
    fn what_breaks_the_rules_cannot_be_read() {
        for block in [
            &b"\x80"[..],                // no number
            b"\xbe",                     // nothing is remembered
            b"\xff\x80\x80\x80\x80\x01", // a number without end
            b"\x40",                     // a field without a name
            b"\x40\x01a",                // a field without a value
            b"\x40\x05a",                // a name that is cut off
            b"\x04\x82\x00\x00",         // no such code
            b"\x3f\xe2\x1f",             // a table of 4097 octets
            b"\x82\x20",                 // a size behind a field
            b"\x20\x20\x20",
        ] {
            assert_eq!(decoded(&mut Decoder::new(), block), Err(Corrupt), "{block:x?}");
        }
        assert_eq!(decoded(&mut Decoder::new(), b"\x20\x3f\xe1\x1f\x82"), Ok(pairs(&[("Method", "GET")])));
    }

    #[test]
    fn what_is_malformed_is_told_and_keeps_its_place() {
        let mut decoder = Decoder::new();
        // A name in capitals, remembered; then a good one; then both by number, and the first name with another value.
        let block = b"\x40\x01A\x01x\x40\x01b\x01y\xbe\xbf\x0f\x30\x01z";
        let wanted = [("malformed", ""), ("b", "y"), ("b", "y"), ("malformed", ""), ("malformed", "")];
        assert_eq!(decoded(&mut decoder, block), Ok(pairs(&wanted)));
        for (name, value) in
            [("", "x"), (":admin", "x"), ("a b", "x"), ("a", "x\r\ny"), ("a", " x"), ("a", "x\t"), ("a", "\0")]
        {
            let lengths = [u8::try_from(name.len()).expect("short"), u8::try_from(value.len()).expect("short")];
            let block = [&[0, lengths[0]], name.as_bytes(), &[lengths[1]], value.as_bytes()].concat();
            assert_eq!(decoded(&mut decoder, &block), Ok(pairs(&[("malformed", "")])), "{name:?} {value:?}");
        }
        assert_eq!(Name::read(b":protocol"), Name::Pseudo(Pseudo::Protocol));
    }

    #[test]
    fn what_has_no_room_is_forgotten() {
        let mut decoder = Decoder::new();
        // Room for two fields of 34 octets each.
        let block = b"\x3f\x25\x40\x01a\x011\x40\x01b\x012\x40\x01c\x013";
        assert_eq!(decoded(&mut decoder, block).map(|fields| fields.len()), Ok(3));
        assert_eq!(decoded(&mut decoder, b"\xbe\xbf"), Ok(pairs(&[("c", "3"), ("b", "2")])));
        assert_eq!(decoded(&mut decoder, b"\xc0"), Err(Corrupt));
        // One that is larger than all there may be empties the table.
        let large = [&b"\x40\x01d\x3c"[..], &[b'4'; 60]].concat();
        assert_eq!(decoded(&mut decoder, &large).map(|fields| fields.len()), Ok(1));
        assert_eq!(decoded(&mut decoder, b"\xbe"), Err(Corrupt));
    }

    #[test]
    fn whoever_wants_no_more_gets_no_more() {
        let mut seen = 0;
        let result = Decoder::new().decode(b"\x82\x84\x86", |_, size| {
            seen += size;
            ControlFlow::Break(())
        });
        assert_eq!((result, seen), (Ok(()), 7 + 3 + 32));
    }
}
