//! The head of a request over HTTP/1 (RFC 9112 §3 to §6), read as it was written: what is ambiguous in it, the gate sees and refuses.

use std::mem::MaybeUninit;

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, TE, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, Version};
use httparse::{Error, Header, ParserConfig, Status};

use crate::limits::Limits;
use crate::proxy::framing::{Chunked, Framing};
use crate::proxy::http::headers;

/// A request's head, and what follows from it.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) request: Request<()>,
    /// Where its body ends. Of one that could be read in two ways it is unknown: nothing is read behind it.
    pub(super) framing: Framing,
    /// What goes for this exchange alone.
    pub(super) terms: Terms,
    /// Octets it takes.
    pub(super) length: usize,
}

/// What a client asks of the connection, beside its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Terms {
    /// To take another request.
    pub(super) keeps: bool,
    /// To say a word before it sends its body (RFC 9110 §10.1.1).
    pub(super) waits: bool,
    /// To send trailers, if there are any (RFC 9110 §6.5.1).
    pub(super) takes_trailers: bool,
    /// It speaks HTTP/1.1, and not 1.0.
    pub(super) is_http_1_1: bool,
    /// To leave the body out.
    pub(super) head_only: bool,
}

/// Reads a head that `octets` begin with; `None`: it is not complete.
///
/// # Errors
/// The status that says why it cannot be read.
pub(super) fn parse(octets: &[u8], limits: &Limits) -> Result<Option<Head>, StatusCode> {
    let (mut few, mut many);
    let room: &mut [MaybeUninit<Header<'_>>] = if limits.headers <= FEW {
        few = [const { MaybeUninit::uninit() }; FEW];
        &mut few[..limits.headers]
    } else {
        many = vec![MaybeUninit::uninit(); limits.headers];
        &mut many
    };
    let mut request = httparse::Request::new(&mut []);
    let parsed = ParserConfig::default().parse_request_with_uninit_headers(&mut request, octets, room);
    let length = match parsed {
        Ok(Status::Complete(length)) if length <= limits.head_size => length,
        Ok(Status::Partial) if octets.len() < limits.head_size => return Ok(None),
        Ok(_) | Err(Error::TooManyHeaders) => return Err(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE),
        Err(_) => return Err(StatusCode::BAD_REQUEST),
    };
    let malformed = StatusCode::BAD_REQUEST;
    let is_http_1_1 = request.version == Some(1);
    // One piece of memory that all values are parts of.
    let whole = Bytes::copy_from_slice(&octets[..length]);
    let part = |part: &[u8]| {
        let begin = part.as_ptr().addr() - octets.as_ptr().addr();
        whole.slice(begin..begin + part.len())
    };
    let method = Method::from_bytes(request.method.unwrap_or_default().as_bytes()).map_err(|_| malformed)?;
    let uri = target(request.path.unwrap_or_default(), part)?;

    let mut headers = HeaderMap::with_capacity(request.headers.len());
    let (mut coding, mut body_length) = (Said::Nothing, Said::Nothing);
    let (mut keeps, mut closes, mut waits, mut takes_trailers) = (is_http_1_1, false, false, false);
    for field in request.headers.iter() {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| malformed)?;
        match name {
            CONNECTION => {
                // `close` is final, whatever else is said (RFC 9112 §9.3).
                closes |= says(field.value, "close");
                keeps |= says(field.value, "keep-alive");
            }
            CONTENT_LENGTH => body_length = body_length.and(digits(field.value)),
            TRANSFER_ENCODING => coding = coding.and(field.value.eq_ignore_ascii_case(b"chunked").then_some(0)),
            EXPECT => waits = is_http_1_1 && field.value.eq_ignore_ascii_case(b"100-continue"),
            TE => takes_trailers |= headers::accepts_trailers(field.value),
            _ => {}
        }
        headers.append(name, HeaderValue::from_maybe_shared(part(field.value)).map_err(|_| malformed)?);
    }
    let framing = match (coding, body_length) {
        (Said::Nothing, Said::Nothing | Said::Once(0)) => Framing::Ended,
        (Said::Nothing, Said::Once(length)) => Framing::Length(length),
        (Said::Once(_), Said::Nothing) if is_http_1_1 => Framing::Chunked(Chunked::default()),
        _ => Framing::UntilClose,
    };
    let terms = Terms {
        keeps: keeps && !closes,
        waits,
        takes_trailers: takes_trailers && is_http_1_1,
        is_http_1_1,
        head_only: method == Method::HEAD,
    };
    let mut request = Request::new(());
    (*request.method_mut(), *request.uri_mut(), *request.headers_mut()) = (method, uri, headers);
    *request.version_mut() = if is_http_1_1 { Version::HTTP_11 } else { Version::HTTP_10 };
    Ok(Some(Head { request, framing, terms, length }))
}

/// How often a field was there that may be there once, and what it said.
#[derive(Clone, Copy)]
enum Said {
    Nothing,
    Once(u64),
    /// Twice, or something that it must not.
    Wrongly,
}

impl Said {
    const fn and(self, value: Option<u64>) -> Self {
        match (self, value) {
            (Self::Nothing, Some(value)) => Self::Once(value),
            _ => Self::Wrongly,
        }
    }
}

/// What is asked for. A fragment belongs to the client alone (RFC 9110 §7.1), and reading on behind it differs from server to server.
fn target(text: &str, part: impl Fn(&[u8]) -> Bytes) -> Result<Uri, StatusCode> {
    if text.len() > LONGEST_TARGET {
        return Err(StatusCode::URI_TOO_LONG);
    }
    if text.bytes().any(|octet| octet == b'#') {
        return Err(StatusCode::BAD_REQUEST);
    }
    Uri::from_maybe_shared(part(text.as_bytes())).map_err(|_| StatusCode::BAD_REQUEST)
}

/// RFC 9110 §8.6: digits and nothing else.
fn digits(value: &[u8]) -> Option<u64> {
    let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    if digits { std::str::from_utf8(value).ok()?.parse().ok() } else { None }
}

/// Whether a `Connection` line has this token.
fn says(value: &[u8], token: &str) -> bool {
    value.split(|octet| *octet == b',').any(|said| said.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
}

/// As many fields as have a place on the stack.
const FEW: usize = crate::limits::HEADERS;
/// What the type for addresses can hold.
const LONGEST_TARGET: usize = 65_534;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(head: &str) -> Result<Option<Head>, StatusCode> {
        parse(head.as_bytes(), &Limits::default())
    }

    fn whole(head: &str) -> Head {
        parsed(head).expect("well-formed").expect("complete")
    }

    #[test]
    fn a_head_is_read_with_all_its_fields() {
        let octets = "POST /a?b=c HTTP/1.1\r\nHost: shop.example\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 5\r\n\r\nhello";
        let head = whole(octets);
        let request = &head.request;
        assert_eq!((request.method(), request.uri().to_string().as_str()), (&Method::POST, "/a?b=c"));
        let fields: Vec<_> = request.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        let expected: [(&str, &[u8]); 4] =
            [("host", b"shop.example"), ("x-a", b"1"), ("x-a", b"2"), ("content-length", b"5")];
        assert_eq!(fields, expected);
        assert_eq!((head.framing, head.length), (Framing::Length(5), octets.len() - 5));
    }

    #[test]
    fn where_the_body_ends_is_known_or_nothing_is_read_behind_the_head() {
        for (version, fields, expected) in [
            ("1.1", "", Framing::Ended),
            ("1.1", "Content-Length: 0\r\n", Framing::Ended),
            ("1.0", "Content-Length: 7\r\n", Framing::Length(7)),
            ("1.1", "Transfer-Encoding: CHUNKED\r\n", Framing::Chunked(Chunked::default())),
            ("1.0", "Transfer-Encoding: chunked\r\n", Framing::UntilClose),
            ("1.1", "Transfer-Encoding: gzip, chunked\r\n", Framing::UntilClose),
            ("1.1", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", Framing::UntilClose),
            ("1.1", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", Framing::UntilClose),
            ("1.1", "Content-Length: 5\r\nContent-Length: 5\r\n", Framing::UntilClose),
            ("1.1", "Content-Length: +5\r\n", Framing::UntilClose),
            ("1.1", "Content-Length:\r\n", Framing::UntilClose),
            ("1.1", "Content-Length: 99999999999999999999\r\n", Framing::UntilClose),
        ] {
            let head = whole(&format!("POST / HTTP/{version}\r\n{fields}\r\n"));
            assert_eq!(head.framing, expected, "{version} {fields:?}");
        }
    }

    #[test]
    fn what_a_client_asks_of_the_connection_is_read() {
        let terms = |head: &str| whole(head).terms;
        let plain = Terms { keeps: true, waits: false, takes_trailers: false, is_http_1_1: true, head_only: false };
        assert_eq!(terms("GET / HTTP/1.1\r\n\r\n"), plain);
        assert_eq!(terms("GET / HTTP/1.1\r\nConnection: x, Close\r\n\r\n"), Terms { keeps: false, ..plain });
        let both = "GET / HTTP/1.1\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n";
        assert_eq!(terms(both), Terms { keeps: false, ..plain });
        let old = Terms { keeps: false, is_http_1_1: false, ..plain };
        assert_eq!(terms("GET / HTTP/1.0\r\nTE: trailers\r\nExpect: 100-continue\r\n\r\n"), old);
        assert_eq!(terms("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"), Terms { keeps: true, ..old });
        let much = "HEAD / HTTP/1.1\r\nTE: trailers\r\nExpect: 100-Continue\r\n\r\n";
        assert_eq!(terms(much), Terms { waits: true, takes_trailers: true, head_only: true, ..plain });
    }

    #[test]
    fn what_cannot_be_read_has_a_status() {
        let (bad, large) = (StatusCode::BAD_REQUEST, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
        let (many, long) = ("a: b\r\n".repeat(101), "a".repeat(40 * 1024));
        for (head, expected) in [
            ("\x16\x03\x01", bad),
            (" GET / HTTP/1.1\r\n\r\n", bad),
            ("GET / HTTP/2.0\r\n\r\n", bad),
            ("GET /\r\n\r\n", bad),
            ("GET /a#b HTTP/1.1\r\n\r\n", bad),
            ("GET / HTTP/1.1\r\na : b\r\n\r\n", bad),
            ("GET / HTTP/1.1\r\na: b\r\n c\r\n\r\n", bad),
            ("GET / HTTP/1.1\r\na: b\0\r\n\r\n", bad),
            (&format!("GET / HTTP/1.1\r\n{many}\r\n"), large),
            (&format!("GET / HTTP/1.1\r\na: {long}"), large),
            (&format!("GET / HTTP/1.1\r\na: {long}\r\n\r\n"), large),
        ] {
            assert_eq!(parsed(head).map(drop), Err(expected), "{head:.60?}");
        }
        let roomy = Limits { head_size: 1 << 20, headers: 200, ..Limits::default() };
        let fields = "a: b\r\n".repeat(200);
        let whole = parse(format!("GET / HTTP/1.1\r\n{fields}\r\n").as_bytes(), &roomy);
        assert_eq!(whole.expect("well-formed").expect("complete").request.headers().len(), 200);
        let target = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(70_000));
        assert_eq!(parse(target.as_bytes(), &roomy).map(drop), Err(StatusCode::URI_TOO_LONG));
    }

    proptest! {
        #[test]
        fn no_octets_make_it_panic_and_none_go_beyond(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
            let head = [b"POST / HTTP/1.1\r\n".as_slice(), &octets, b"\r\n\r\n"].concat();
            if let Ok(Some(head)) = parse(&head, &Limits::default()) {
                prop_assert!(head.length <= octets.len() + 21);
            }
            let _ = parse(&octets, &Limits::default());
        }
    }
}
