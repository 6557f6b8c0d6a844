//! The head of an upstream's response (RFC 9112 §4 to §6).

use std::mem::MaybeUninit;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use httparse::{ParserConfig, Status};

use crate::proxy::framing::{Chunked, Framing, Malformed};

/// A response's head, and what follows from it.
#[derive(Debug)]
pub(in crate::proxy) struct Head {
    pub(in crate::proxy) status: StatusCode,
    pub(in crate::proxy) headers: HeaderMap,
    /// How its body tells where it ends.
    pub(super) framing: Framing,
    /// The upstream will take another request on this connection.
    pub(super) keeps: bool,
    /// Octets it takes.
    pub(super) length: usize,
}

/// Reads a head that `octets` begin with; `None`: it is not complete. `head_only`: the request was one that is answered
/// without a body, whatever the fields say.
pub(super) fn parse(octets: &[u8], head_only: bool) -> Result<Option<Head>, Malformed> {
    let mut room = [const { MaybeUninit::uninit() }; FIELDS];
    let mut response = httparse::Response::new(&mut []);
    let parsed = ParserConfig::default().parse_response_with_uninit_headers(&mut response, octets, &mut room);
    let Status::Complete(length) = parsed.map_err(|_| Malformed)? else { return Ok(None) };
    let status = response.code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or(Malformed)?;
    let is_http_1_1 = response.version == Some(1);

    // One piece of memory that all values are parts of.
    let whole = Bytes::copy_from_slice(&octets[..length]);
    let mut headers = HeaderMap::with_capacity(response.headers.len() + ADDED);
    let (mut body_length, mut chunked, mut keeps, mut closes) = (None, false, is_http_1_1, false);
    for field in response.headers.iter() {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| Malformed)?;
        if name == CONTENT_LENGTH {
            let said = content_length(field.value).ok_or(Malformed)?;
            match body_length.replace(said) {
                None => {}
                Some(before) if before == said => continue,
                Some(_) => return Err(Malformed),
            }
        } else if name == TRANSFER_ENCODING {
            // `gzip, chunked` would reach the client as octets that are gzip and are not called so.
            let plain = field.value.eq_ignore_ascii_case(b"chunked") && is_http_1_1;
            if !plain || std::mem::replace(&mut chunked, true) {
                return Err(Malformed);
            }
        } else if name == CONNECTION {
            // `close` is final, whatever else is said (RFC 9112 §9.3).
            closes |= says(field.value, "close");
            keeps |= says(field.value, "keep-alive");
        }
        let begin = field.value.as_ptr().addr() - octets.as_ptr().addr();
        let value = whole.slice(begin..begin + field.value.len());
        headers.append(name, HeaderValue::from_maybe_shared(value).map_err(|_| Malformed)?);
    }
    if chunked && body_length.take().is_some() {
        // The chunks decide (RFC 9112 §6.3), and who says both is not to be trusted with what comes next.
        headers.remove(CONTENT_LENGTH);
        closes = true;
    }
    if status == StatusCode::NO_CONTENT {
        // It is not to be there (RFC 9110 §8.6), and a client of HTTP/2 would miss the octets.
        headers.remove(CONTENT_LENGTH);
    }
    let framing = match body_length {
        _ if head_only || has_no_body(status) => Framing::Ended,
        _ if chunked => Framing::Chunked(Chunked::default()),
        Some(0) => Framing::Ended,
        Some(length) => Framing::Length(length),
        None => Framing::UntilClose,
    };
    keeps &= !closes && framing != Framing::UntilClose;
    Ok(Some(Head { status, headers, framing, keeps, length }))
}

/// RFC 9110 §8.6: digits and nothing else.
fn content_length(value: &[u8]) -> Option<u64> {
    let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    if digits { std::str::from_utf8(value).ok()?.parse().ok() } else { None }
}

/// Whether a `Connection` line has this token.
fn says(value: &[u8], token: &str) -> bool {
    value.split(|octet| *octet == b',').any(|said| said.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
}

/// RFC 9110 §6.4.1.
fn has_no_body(status: StatusCode) -> bool {
    status.is_informational() || status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED
}

/// More than any shop sends; a head with more is refused.
const FIELDS: usize = 100;
/// Fields that are added on the way to the client, so that the map need not grow.
const ADDED: usize = 2;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(head: &str) -> Result<Option<Head>, Malformed> {
        parse(head.as_bytes(), false)
    }

    fn whole(head: &str) -> Head {
        parsed(head).expect("well-formed").expect("complete")
    }

    #[test]
    fn a_head_is_read_with_all_its_fields() {
        let octets = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nSet-Cookie: a=1\r\nset-cookie: b=\u{e9}\r\n\
                      content-length: 5\r\nempty:\r\n\r\nhello";
        let head = whole(octets);
        let fields: Vec<_> = head.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        let expected: [(&str, &[u8]); 5] = [
            ("content-type", b"text/html"),
            ("set-cookie", b"a=1"),
            ("set-cookie", "b=\u{e9}".as_bytes()),
            ("content-length", b"5"),
            ("empty", b""),
        ];
        assert_eq!((head.status, fields), (StatusCode::OK, expected.to_vec()));
        assert_eq!((head.framing, head.keeps, head.length), (Framing::Length(5), true, octets.len() - 5));
    }

    #[test]
    fn the_fields_decide_where_the_body_ends_and_whether_the_connection_stays() {
        use Framing::{Ended, Length, UntilClose};
        let chunked = || Framing::Chunked(Chunked::default());
        for (head, framing, keeps) in [
            ("HTTP/1.1 200 OK\r\n\r\n", UntilClose, false),
            ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", Ended, true),
            ("HTTP/1.1 200 OK\r\ncontent-length: 7\r\ncontent-length: 7\r\n\r\n", Length(7), true),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n", chunked(), true),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 7\r\n\r\n", chunked(), false),
            ("HTTP/1.1 200 OK\r\ncontent-length: 7\r\nconnection: x, Close\r\n\r\n", Length(7), false),
            ("HTTP/1.1 200 OK\r\ncontent-length: 7\r\nconnection: keep-alive, close\r\n\r\n", Length(7), false),
            (
                "HTTP/1.1 200 OK\r\ncontent-length: 7\r\nconnection: close\r\nconnection: keep-alive\r\n\r\n",
                Length(7),
                false,
            ),
            ("HTTP/1.0 200 OK\r\ncontent-length: 7\r\n\r\n", Length(7), false),
            ("HTTP/1.0 200 OK\r\ncontent-length: 7\r\nconnection: Keep-Alive\r\n\r\n", Length(7), true),
            ("HTTP/1.0 200 OK\r\nconnection: keep-alive\r\n\r\n", UntilClose, false),
            ("HTTP/1.1 204 No Content\r\n\r\n", Ended, true),
            ("HTTP/1.1 304 Not Modified\r\ncontent-length: 7\r\n\r\n", Ended, true),
            ("HTTP/1.1 103 Early Hints\r\n\r\n", Ended, true),
        ] {
            let read = whole(head);
            assert_eq!((read.framing, read.keeps), (framing, keeps), "{head}");
        }
        let head =
            parse(b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n", true).expect("well-formed").expect("complete");
        assert_eq!((head.framing, &head.headers[CONTENT_LENGTH]), (Ended, &HeaderValue::from_static("7")));
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for fields in [
            "content-length: 7\r\ncontent-length: 8\r\n",
            "content-length: 7, 7\r\n",
            "content-length: +7\r\n",
            "content-length:\r\n",
            "content-length: 99999999999999999999\r\n",
            "transfer-encoding: gzip, chunked\r\n",
            "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
            "transfer-encoding: identity\r\n",
            "x: a\r\n folded\r\n",
            "x : a\r\n",
            ": a\r\n",
            "x: a\0b\r\n",
        ] {
            let head = format!("HTTP/1.1 200 OK\r\n{fields}\r\n");
            assert_eq!(parsed(&head).map(|_| ()), Err(Malformed), "{fields:?}");
        }
        for head in [
            "HTTP/2 200 OK\r\n\r\n",
            "HTTP/1.1 20 OK\r\n\r\n",
            "SSH-2.0\r\n",
            "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
        ] {
            assert_eq!(parsed(head).map(|_| ()), Err(Malformed), "{head:?}");
        }
    }

    proptest! {
        #[test]
        fn a_head_is_complete_at_its_end_and_not_before(fields in proptest::collection::vec(("x-[a-z]{1,8}", "[!-~]{0,20}"), 0..20)) {
            let lines: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
            let octets = format!("HTTP/1.1 200 OK\r\n{lines}\r\n");
            prop_assert_eq!(whole(&octets).length, octets.len());
            for end in 0..octets.len() {
                prop_assert!(parsed(&octets[..end]).expect("well-formed so far").is_none());
            }
        }

        #[test]
        fn no_octets_make_it_panic(octets in proptest::collection::vec(any::<u8>(), 0..200), head_only: bool) {
            let _ = parse(&octets, head_only);
        }
    }
}
