//! A shop's answers compressed on their way, where the site wants it and the client can read it.

mod accepted;
mod encoder;
mod packing;

use http::header::{
    ACCEPT_ENCODING, ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG,
    IF_NONE_MATCH, VARY,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version};

use crate::live::{Coding, Compression};

pub(super) use packing::{Next, Packing};

/// What is known of a request to a site that compresses, until there is an answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish {
    /// What the client reads that the site makes.
    coding: Option<Coding>,
    /// Its answer has no body.
    is_head: bool,
    /// It asks by an entity tag that a compressed answer had.
    knows_weak: bool,
}

impl Wish {
    /// What a request wishes; `None`: the site leaves answers as they are.
    pub(super) fn of(head: &Parts, compression: Option<&Compression>) -> Option<Self> {
        let compression = compression.filter(|compression| compression.on)?;
        // Who speaks HTTP/1.0 tells the end of a body of unknown length by the end of the connection, which anything may cause.
        let coding = match head.version {
            Version::HTTP_10 | Version::HTTP_09 => None,
            _ => accepted::best(head.headers.get_all(ACCEPT_ENCODING), &compression.codings),
        };
        let mut asked = head.headers.get_all(IF_NONE_MATCH).iter();
        let knows_weak = asked.any(|tags| tags.as_bytes().windows(WEAK.len()).any(|window| window == WEAK.as_bytes()));
        Some(Self { coding, is_head: head.method == Method::HEAD, knows_weak })
    }

    /// Makes the head one of a compressed answer, if it is to be one, and gives what its body goes through. `is_empty`: there is no body.
    pub(super) fn apply(
        self,
        compression: &Compression,
        status: StatusCode,
        headers: &mut HeaderMap,
        is_empty: bool,
    ) -> Option<Packing> {
        if status == StatusCode::NOT_MODIFIED {
            if self.knows_weak {
                weaken(headers);
                vary(headers);
            }
            return None;
        }
        let length = length(headers);
        if !is_whole(status)
            || UNTOUCHED.iter().any(|name| headers.contains_key(name))
            || forbids_transforming(headers)
            || !headers
                .get(CONTENT_TYPE)
                .and_then(|kind| kind.to_str().ok())
                .is_some_and(|kind| compression.takes(kind))
            || length.is_some_and(|length| length < compression.min_size)
        {
            return None;
        }
        // What another client would get is another answer.
        vary(headers);
        let coding = self.coding?;
        // Of an answer to HEAD the head alone is there, and is the one that GET would have.
        let packing = match (self.is_head, is_empty) {
            (true, _) => None,
            (false, true) => return None,
            (false, false) => Some(Packing::begin(coding, length)?),
        };
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.token()));
        headers.remove(CONTENT_LENGTH);
        headers.remove(ACCEPT_RANGES);
        weaken(headers);
        packing
    }
}

/// Whether the body of such an answer is the whole of something.
fn is_whole(status: StatusCode) -> bool {
    !status.is_informational()
        && ![StatusCode::NO_CONTENT, StatusCode::RESET_CONTENT, StatusCode::PARTIAL_CONTENT].contains(&status)
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// RFC 9111 §5.2.2.6
fn forbids_transforming(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(CACHE_CONTROL).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|directive| directive.trim().eq_ignore_ascii_case("no-transform"))
}

/// What is compressed is the same only in meaning, octet by octet it is not (RFC 9110 §8.8.1).
fn weaken(headers: &mut HeaderMap) {
    let strong = headers.get(ETAG).filter(|tag| tag.as_bytes().starts_with(b"\""));
    if let Some(weak) = strong.and_then(|tag| HeaderValue::from_bytes(&[b"W/", tag.as_bytes()].concat()).ok()) {
        headers.insert(ETAG, weak);
    }
}

/// Says that the answer depends on what the client reads.
fn vary(headers: &mut HeaderMap) {
    let lines = headers.get_all(VARY).iter().filter_map(|line| line.to_str().ok());
    let mut named = lines.flat_map(|line| line.split(',')).map(str::trim);
    if !named.any(|name| name == "*" || name.eq_ignore_ascii_case(ACCEPT_ENCODING.as_str())) {
        headers.append(VARY, HeaderValue::from_static("Accept-Encoding"));
    }
}

const WEAK: &str = "W/\"";
/// Says that the content is coded already, is a part, or is known octet by octet.
const UNTOUCHED: [HeaderName; 6] = [
    CONTENT_ENCODING,
    CONTENT_RANGE,
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("content-md5"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn compression() -> Compression {
        Compression { on: true, types: ["text/*".into()].into(), min_size: 100, codings: [Coding::Gzip].into() }
    }

    /// The fields of an answer after they were looked at, and whether its body is compressed.
    fn applied(wish: Wish, status: u16, fields: &[(&'static str, &'static str)]) -> (String, bool) {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let status = StatusCode::from_u16(status).expect("a status");
        let is_packed = wish.apply(&compression(), status, &mut headers, false).is_some();
        let lines = headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().expect("text")));
        (lines.collect::<Vec<_>>().join("; "), is_packed)
    }

    const GZIP: Wish = Wish { coding: Some(Coding::Gzip), is_head: false, knows_weak: false };
    const TEXT: (&str, &str) = ("content-type", "text/html");

    #[test]
    fn a_compressed_answer_says_so_and_no_more_than_is_so() {
        let fields =
            [TEXT, ("content-length", "100"), ("etag", "\"a\""), ("accept-ranges", "bytes"), ("vary", "Cookie")];
        let expected =
            "content-type: text/html; etag: W/\"a\"; vary: Cookie; vary: Accept-Encoding; content-encoding: gzip";
        let (said, is_packed) = applied(GZIP, 200, &fields);
        let mut said: Vec<_> = said.split("; ").collect();
        let mut expected: Vec<_> = expected.split("; ").collect();
        said.sort_unstable();
        expected.sort_unstable();
        assert_eq!((said, is_packed), (expected.clone(), true));
        let (head, is_packed) = applied(Wish { is_head: true, ..GZIP }, 200, &fields);
        let mut head: Vec<_> = head.split("; ").collect();
        head.sort_unstable();
        assert_eq!((head, is_packed), (expected, false), "HEAD has the head that GET has");
    }

    #[test]
    fn an_answer_that_is_not_to_be_compressed_stays_as_it_is() {
        for (status, fields) in [
            (200, &[TEXT, ("content-length", "99")][..]),
            (200, &[("content-type", "image/png")]),
            (200, &[("content-length", "1000")]),
            (200, &[TEXT, ("content-encoding", "br")]),
            (200, &[TEXT, ("cache-control", "public, No-Transform")]),
            (200, &[TEXT, ("content-digest", "sha-256=:x:")]),
            (206, &[TEXT, ("content-range", "bytes 0-1/2")]),
            (206, &[TEXT]),
            (204, &[TEXT]),
            (304, &[TEXT, ("etag", "\"a\"")]),
        ] {
            let lines: Vec<_> = fields.iter().map(|(name, value)| format!("{name}: {value}")).collect();
            assert_eq!(applied(GZIP, status, fields), (lines.join("; "), false), "{status}");
        }
    }

    #[test]
    fn who_cannot_read_it_is_told_that_others_get_something_else() {
        let plain = Wish { coding: None, ..GZIP };
        let said = "content-type: text/html; vary: Accept-Encoding";
        assert_eq!(applied(plain, 200, &[TEXT]), (said.into(), false));
        let said = "content-type: text/html; vary: *";
        assert_eq!(applied(plain, 200, &[TEXT, ("vary", "*")]), (said.into(), false));
        let said = "content-type: text/html; vary: cookie, accept-encoding";
        assert_eq!(applied(plain, 200, &[TEXT, ("vary", "cookie, accept-encoding")]), (said.into(), false));
    }

    #[test]
    fn what_is_not_modified_has_the_tag_that_the_client_has() {
        let weak = Wish { knows_weak: true, ..GZIP };
        assert_eq!(applied(weak, 304, &[("etag", "\"a\"")]), ("etag: W/\"a\"; vary: Accept-Encoding".into(), false));
        assert_eq!(applied(GZIP, 304, &[("etag", "\"a\"")]), ("etag: \"a\"".into(), false));
    }
}
