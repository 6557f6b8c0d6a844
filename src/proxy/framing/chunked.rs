//! A body in chunks (RFC 9112 §7.1), read strictly: two readers that disagree about a chunk disagree about the next message.

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::Frame;

use super::{Malformed, take};

/// Where in the body the next octet belongs.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::proxy) enum Chunked {
    /// A line with a chunk's size.
    #[default]
    Size,
    /// This many octets of a chunk.
    Data(u64),
    /// The line end behind a chunk.
    DataEnd,
    /// Behind the last chunk: trailers, if any, and an empty line.
    Trailers,
    /// Behind the body.
    Done,
}

impl Chunked {
    /// The next frame, if enough of it has come.
    pub(super) fn next(&mut self, incoming: &mut BytesMut) -> Result<Option<Frame<Bytes>>, Malformed> {
        loop {
            match self {
                Self::Size => {
                    let Some(end) = line_end(incoming)? else { return Ok(None) };
                    *self = match chunk_size(&incoming[..end]).ok_or(Malformed)? {
                        0 => Self::Trailers,
                        size => Self::Data(size),
                    };
                    incoming.advance(end + 2);
                }
                Self::Data(_) if incoming.is_empty() => return Ok(None),
                Self::Data(left) => {
                    let data = take(incoming, usize::try_from(*left).unwrap_or(usize::MAX));
                    *left -= data.len() as u64;
                    if *left == 0 {
                        *self = Self::DataEnd;
                    }
                    if **incoming == *LAST_CHUNK && *self == Self::DataEnd {
                        incoming.clear();
                        *self = Self::Done; // known with the last data, which need not wait for its end to be asked for
                    }
                    return Ok(Some(Frame::data(data)));
                }
                Self::DataEnd => match **incoming {
                    [b'\r', b'\n', ..] => {
                        incoming.advance(2);
                        *self = Self::Size;
                    }
                    [] | [b'\r'] => return Ok(None),
                    _ => return Err(Malformed),
                },
                Self::Trailers => {
                    let Some((length, trailers)) = trailers(incoming)? else { return Ok(None) };
                    incoming.advance(length);
                    *self = Self::Done;
                    return Ok((!trailers.is_empty()).then(|| Frame::trailers(trailers)));
                }
                Self::Done => return Ok(None),
            }
        }
    }

    pub(super) fn is_done(&self) -> bool {
        *self == Self::Done
    }

    /// How many octets are known to come.
    pub(super) fn wants(&self) -> usize {
        match self {
            Self::Data(left) => usize::try_from(*left).unwrap_or(usize::MAX).saturating_add(LAST_CHUNK.len()),
            _ => 0,
        }
    }
}

/// Where the first line ends; `None`: it has not come whole.
fn line_end(octets: &[u8]) -> Result<Option<usize>, Malformed> {
    let seen = &octets[..octets.len().min(LINE)];
    match seen.iter().position(|octet| *octet == b'\n') {
        Some(end) if end > 0 && octets[end - 1] == b'\r' => Ok(Some(end - 1)),
        None if seen.len() < LINE => Ok(None),
        _ => Err(Malformed),
    }
}

/// Hexadecimal digits, white space that old servers pad with, and extensions, which nobody uses and everybody ignores.
fn chunk_size(line: &[u8]) -> Option<u64> {
    let digits = line.iter().position(|octet| !octet.is_ascii_hexdigit()).unwrap_or(line.len());
    let padding = line[digits..].iter().position(|octet| !matches!(octet, b' ' | b'\t')).unwrap_or(line.len() - digits);
    let rest = &line[digits + padding..];
    if !(rest.is_empty() || rest.starts_with(b";")) || rest.contains(&b'\r') {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(&line[..digits]).ok()?, 16).ok()
}

/// The trailers and how many octets they take with the empty line; `None`: they have not come whole.
fn trailers(octets: &[u8]) -> Result<Option<(usize, HeaderMap)>, Malformed> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS];
    let parsed = httparse::parse_headers(octets, &mut fields).map_err(|_| Malformed)?;
    let httparse::Status::Complete((length, fields)) = parsed else {
        return if octets.len() > TRAILERS { Err(Malformed) } else { Ok(None) };
    };
    if length > TRAILERS {
        return Err(Malformed);
    }
    let mut trailers = HeaderMap::with_capacity(fields.len());
    for field in fields {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| Malformed)?;
        trailers.append(name, HeaderValue::from_bytes(field.value).map_err(|_| Malformed)?);
    }
    Ok(Some((length, trailers)))
}

const LAST_CHUNK: &[u8] = b"\r\n0\r\n\r\n";
/// A size and extensions.
const LINE: usize = 4 * 1024;
/// More trailers than anybody sends.
const FIELDS: usize = 100;
/// All trailers together.
const TRAILERS: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Data and trailers, read from pieces that arrive one after the other; `None`: the end did not come.
    fn read(pieces: &[&[u8]]) -> Result<Option<(Vec<u8>, HeaderMap)>, Malformed> {
        let (mut chunked, mut incoming) = (Chunked::default(), BytesMut::new());
        let (mut data, mut trailers) = (Vec::new(), HeaderMap::new());
        for piece in pieces {
            incoming.extend_from_slice(piece);
            while let Some(frame) = chunked.next(&mut incoming)? {
                match frame.into_data() {
                    Ok(piece) => data.extend_from_slice(&piece),
                    Err(frame) => trailers = frame.into_trailers().expect("data or trailers"),
                }
            }
        }
        assert!(!chunked.is_done() || incoming.is_empty(), "something is left");
        Ok(chunked.is_done().then_some((data, trailers)))
    }

    #[test]
    fn chunks_are_read_as_the_rfc_has_them() {
        let trailers: HeaderMap = [("x-sum", "1")]
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .into_iter()
            .collect();
        for (octets, data, expected) in [
            ("5\r\nhello\r\n0\r\n\r\n", "hello", HeaderMap::new()),
            ("0\r\n\r\n", "", HeaderMap::new()),
            ("A  \r\n0123456789\r\n000\r\n\r\n", "0123456789", HeaderMap::new()),
            ("2;a=b\r\nhe\r\n3 ; c\r\nllo\r\n0;d\r\nX-Sum: 1\r\n\r\n", "hello", trailers),
        ] {
            assert_eq!(read(&[octets.as_bytes()]), Ok(Some((data.into(), expected))), "{octets:?}");
        }
    }

    #[test]
    fn the_end_is_known_with_the_last_data() {
        let (mut chunked, mut incoming) = (Chunked::default(), BytesMut::from(&b"2\r\nhi\r\n0\r\n\r\n"[..]));
        assert!(chunked.next(&mut incoming).expect("well-formed").is_some());
        assert!(chunked.is_done() && incoming.is_empty());
    }

    #[test]
    fn what_is_no_chunk_is_refused() {
        for octets in [
            "\r\n",
            "g\r\n",
            "-1\r\n",
            "0x5\r\n",
            "5\nhello\r\n",
            "5 5\r\nhello\r\n",
            "5;\rx\r\nhello\r\n",
            "5\r\r\nhello\r\n",
            "5\r\nhelloX\n0\r\n\r\n",
            "5\r\nhello\n0\r\n\r\n",
            "11111111111111111\r\n",
            "0\r\nno field\r\n\r\n",
        ] {
            assert_eq!(read(&[octets.as_bytes()]), Err(Malformed), "{octets:?}");
        }
        assert_eq!(read(&[&[b'0'; LINE]]), Err(Malformed), "a line without end");
        assert_eq!(read(&[b"0\r\n", "x: 1\r\n".repeat(TRAILERS).as_bytes()]), Err(Malformed), "trailers without end");
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(
            chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..50), 0..5),
            cuts in proptest::collection::vec(0..400usize, 0..8),
        ) {
            let mut octets: Vec<u8> = chunks
                .iter()
                .flat_map(|chunk| [format!("{:x}\r\n", chunk.len()).into_bytes(), chunk.clone(), b"\r\n".to_vec()].concat())
                .collect();
            octets.extend_from_slice(b"0\r\nx: 1\r\n\r\n");
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(octets.len())).collect();
            cuts.extend([0, octets.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|ends| &octets[ends[0]..ends[1]]).collect();
            let (data, trailers) = read(&pieces).expect("well-formed").expect("an end");
            prop_assert_eq!((data, trailers.len()), (chunks.concat(), 1));
        }

        #[test]
        fn no_octets_make_it_panic(octets in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = read(&[&octets]);
        }
    }
}
