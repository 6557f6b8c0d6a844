//! The strict gate: what is ambiguous is refused before anything looks at it.
//!
//! Two parsers that read one request differently are a way for one visitor to speak with another's voice. So a request is
//! either in a form that every reader understands alike, or it is not passed on. What cannot be read at all has been refused
//! before.

use http::header::{CONTENT_LENGTH, COOKIE, EXPECT, HOST, TRANSFER_ENCODING, UPGRADE};
use http::request::Parts;
use http::{Method, Version};

use super::websocket::{self, WEBSOCKET};
use crate::limits::{COOKIE_CRUMBS, Limits};
use crate::name::NameBuffer;
use crate::telemetry::GateRule;

/// What a passed request is for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Passed<'r> {
    /// Host and port as the client wrote them.
    pub(super) authority: &'r str,
    /// The host alone; an IP address keeps its brackets.
    pub(super) host: &'r str,
}

/// Lets an unambiguous request through.
///
/// # Errors
/// The rule that the request broke.
pub(super) fn pass<'r>(head: &'r Parts, has_body: bool, limits: &Limits) -> Result<Passed<'r>, GateRule> {
    fields(head, limits)?;
    framing(head)?;
    method(head, has_body)?;
    target(head, limits)?;
    if head.headers.contains_key(UPGRADE) && has_body && head.version == Version::HTTP_11 {
        return Err(GateRule::UpgradeBody);
    }
    if head.headers.get_all(EXPECT).iter().any(|value| !value.as_bytes().eq_ignore_ascii_case(b"100-continue")) {
        return Err(GateRule::Expect);
    }
    authority(head)
}

/// Not too many fields; crumbs of HTTP/2's `Cookie` are counted apart (RFC 9113 §8.2.3).
fn fields(head: &Parts, limits: &Limits) -> Result<(), GateRule> {
    let all = head.headers.len();
    if all <= limits.headers {
        return Ok(());
    }
    let crumbs = if head.version == Version::HTTP_2 { head.headers.get_all(COOKIE).iter().count() } else { 0 };
    if crumbs > COOKIE_CRUMBS || all - crumbs > limits.headers { Err(GateRule::Fields) } else { Ok(()) }
}

/// One way to tell where the body ends (RFC 9112 §6.1, §6.3).
fn framing(head: &Parts) -> Result<(), GateRule> {
    let mut encodings = head.headers.get_all(TRANSFER_ENCODING).iter();
    if let Some(encoding) = encodings.next() {
        let plain = encoding.as_bytes().eq_ignore_ascii_case(b"chunked");
        let both = head.headers.contains_key(CONTENT_LENGTH);
        if !plain || both || encodings.next().is_some() || head.version != Version::HTTP_11 {
            return Err(GateRule::TransferEncoding);
        }
    }
    let mut lengths = head.headers.get_all(CONTENT_LENGTH).iter();
    if let Some(length) = lengths.next() {
        let digits = length.as_bytes();
        let number = !digits.is_empty() && digits.len() <= LENGTH_DIGITS && digits.iter().all(u8::is_ascii_digit);
        if !number || lengths.next().is_some() {
            return Err(GateRule::ContentLength);
        }
    }
    Ok(())
}

/// CONNECT is for a WebSocket over HTTP/2 alone (RFC 8441 §4), which `goes_on` behind its head.
fn method(head: &Parts, goes_on: bool) -> Result<(), GateRule> {
    let method = &head.method;
    if *method == Method::CONNECT
        && head.version == Version::HTTP_2
        && let Some(protocol) = websocket::protocol_of(&head.extensions)
    {
        return match protocol == WEBSOCKET {
            true if websocket::is_sound(head, goes_on) => Ok(()),
            true => Err(GateRule::UpgradeBody),
            false => Err(GateRule::Protocol),
        };
    }
    if *method == Method::CONNECT || *method == Method::TRACE || method.as_str().len() > METHOD_LENGTH {
        return Err(GateRule::Method);
    }
    Ok(())
}

/// Origin form, absolute form without userinfo, or `*` for OPTIONS (RFC 9112 §3.2).
fn target(head: &Parts, limits: &Limits) -> Result<(), GateRule> {
    let path = head.uri.path();
    let length = path.len() + head.uri.query().map_or(0, |query| query.len() + 1);
    if length > limits.uri_length {
        return Err(GateRule::TargetLength);
    }
    let star = path == "*" && head.method == Method::OPTIONS;
    if !star && !path.starts_with('/') {
        return Err(GateRule::Target);
    }
    // An empty path is one in absolute form alone (RFC 9113 §8.3.1); elsewhere it would be mended before anybody sees it.
    if head.version == Version::HTTP_2 && head.uri.path_and_query().is_some_and(|whole| whole.as_str().starts_with('?'))
    {
        return Err(GateRule::Target);
    }
    if let Some(scheme) = head.uri.scheme_str()
        && scheme != "https"
        && scheme != "http"
    {
        return Err(GateRule::Target);
    }
    Ok(())
}

/// One name, said once or twice alike (RFC 9112 §3.2, RFC 9113 §8.3.1).
fn authority(head: &Parts) -> Result<Passed<'_>, GateRule> {
    let mut hosts = head.headers.get_all(HOST).iter();
    let host = hosts.next().map(|value| value.to_str().map_err(|_| GateRule::Host)).transpose()?;
    if hosts.next().is_some() {
        return Err(GateRule::Host);
    }
    let target = head.uri.authority().map(http::uri::Authority::as_str);
    let authority = match (host, target) {
        (Some(host), Some(target)) if !host.eq_ignore_ascii_case(target) => return Err(GateRule::AuthorityMismatch),
        (Some(host), _) => host,
        // Only HTTP/2 may leave Host out (RFC 9113 §8.3.1).
        (None, Some(target)) if head.version == Version::HTTP_2 => target,
        (None, _) => return Err(GateRule::Host),
    };
    let host = split(authority).ok_or(GateRule::Host)?;
    Ok(Passed { authority, host })
}

/// The host of `uri-host [":" port]`; `None` when it is anything else.
fn split(authority: &str) -> Option<&str> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (address, after) = rest.split_once(']')?;
            address.parse::<std::net::Ipv6Addr>().ok()?;
            let port = if after.is_empty() { None } else { Some(after.strip_prefix(':')?) };
            (&authority[..address.len() + 2], port)
        }
        None => {
            let (host, port) = match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            };
            let mut buffer = NameBuffer::new();
            if buffer.normalise(host).is_none() && host.parse::<std::net::Ipv4Addr>().is_err() {
                return None;
            }
            (host, port)
        }
    };
    if let Some(port) = port {
        let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        if !digits || port.parse::<u16>().is_err() {
            return None;
        }
    }
    Some(host)
}

/// Longer than any registered method (IANA's longest has 17).
const METHOD_LENGTH: usize = 32;
/// What fits 64 bits whatever the digits.
const LENGTH_DIGITS: usize = 19;

#[cfg(test)]
mod tests {
    use http::Request;
    use proptest::prelude::*;

    use super::*;

    fn head(method: &str, target: &str, version: Version, fields: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder().method(method).uri(target).version(version);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        request.body(()).expect("a request").into_parts().0
    }

    fn verdict(method: &str, target: &str, version: Version, fields: &[(&str, &str)]) -> Result<String, GateRule> {
        let head = head(method, target, version, fields);
        pass(&head, false, &Limits::default()).map(|passed| passed.host.to_owned())
    }

    const OK: (&str, &str) = ("host", "shop.example");

    #[test]
    fn an_honest_request_passes() {
        for (target, version, fields) in [
            ("/", Version::HTTP_11, &[OK][..]),
            ("/", Version::HTTP_10, &[OK]),
            ("https://shop.example/", Version::HTTP_11, &[OK]),
            ("https://shop.example/", Version::HTTP_2, &[]),
            ("https://shop.example/", Version::HTTP_2, &[OK]),
            ("/", Version::HTTP_11, &[OK, ("content-length", "5")]),
            ("/", Version::HTTP_11, &[OK, ("transfer-encoding", "Chunked")]),
        ] {
            assert_eq!(verdict("POST", target, version, fields), Ok("shop.example".into()), "{target} {fields:?}");
        }
        assert_eq!(verdict("OPTIONS", "*", Version::HTTP_11, &[OK]), Ok("shop.example".into()));
    }

    #[test]
    fn each_rule_refuses_what_it_is_for() {
        use GateRule as Rule;
        let long = format!("/{}", "a".repeat(16 * 1024));
        for (rule, method, target, version, fields) in [
            (Rule::TransferEncoding, "POST", "/", Version::HTTP_11, &[OK, ("transfer-encoding", "gzip, chunked")][..]),
            (Rule::TransferEncoding, "POST", "/", Version::HTTP_10, &[OK, ("transfer-encoding", "chunked")]),
            (
                Rule::TransferEncoding,
                "POST",
                "/",
                Version::HTTP_11,
                &[OK, ("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")],
            ),
            (
                Rule::TransferEncoding,
                "POST",
                "/",
                Version::HTTP_11,
                &[OK, ("transfer-encoding", "chunked"), ("content-length", "5")],
            ),
            (Rule::ContentLength, "POST", "/", Version::HTTP_11, &[OK, ("content-length", "+5")]),
            (Rule::ContentLength, "POST", "/", Version::HTTP_11, &[OK, ("content-length", "")]),
            (Rule::Target, "GET", "https://shop.example?a=b", Version::HTTP_2, &[OK]),
            (Rule::ContentLength, "POST", "/", Version::HTTP_11, &[OK, ("content-length", "12345678901234567890")]),
            (
                Rule::ContentLength,
                "POST",
                "/",
                Version::HTTP_11,
                &[OK, ("content-length", "5"), ("content-length", "5")],
            ),
            (Rule::Host, "GET", "/", Version::HTTP_11, &[]),
            (Rule::Host, "GET", "/", Version::HTTP_10, &[]),
            (Rule::Host, "GET", "/", Version::HTTP_11, &[OK, OK]),
            (Rule::Host, "GET", "https://shop.example/", Version::HTTP_11, &[]),
            (Rule::AuthorityMismatch, "GET", "https://other.example/", Version::HTTP_11, &[OK]),
            (Rule::AuthorityMismatch, "GET", "https://shop.example:444/", Version::HTTP_2, &[OK]),
            (Rule::Target, "GET", "ftp://shop.example/", Version::HTTP_11, &[OK]),
            (Rule::Target, "GET", "*", Version::HTTP_11, &[OK]),
            (Rule::TargetLength, "GET", &long, Version::HTTP_11, &[OK]),
            (Rule::Method, "TRACE", "/", Version::HTTP_11, &[OK]),
            (Rule::Method, "AMETHODTHATISLONGERTHANANYTHATIS1", "/", Version::HTTP_11, &[OK]),
            (Rule::Expect, "GET", "/", Version::HTTP_11, &[OK, ("expect", "200-maybe")]),
        ] {
            assert_eq!(verdict(method, target, version, fields), Err(rule), "{method} {target:.40} {fields:?}");
        }
    }

    #[test]
    fn a_host_is_a_name_or_an_address_with_a_port_at_most() {
        for good in [
            "shop.example",
            "SHOP.example.",
            "shop.example:8443",
            "10.0.0.1",
            "10.0.0.1:80",
            "[::1]",
            "[::1]:80",
            "a_b.example",
        ] {
            assert!(split(good).is_some(), "{good}");
        }
        for bad in [
            "",
            ":80",
            "shop.example:",
            "shop.example:x",
            "shop.example:65536",
            "shop.example:+80",
            "a,b",
            "a/b",
            "u@shop.example",
            "shop.example?",
            "a b",
            "[::1",
            "[x]",
            "[::1]x",
            "::1",
            "shop%2eexample",
            "caf\u{e9}.example",
            "shop..example",
        ] {
            assert!(split(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn crumbs_of_a_cookie_are_counted_apart() {
        let with = |cookies: usize, others: usize| {
            let fields: Vec<(&str, &str)> = std::iter::repeat_n(("cookie", "a=b"), cookies)
                .chain(std::iter::repeat_n(("x", "y"), others))
                .collect();
            verdict("GET", "https://shop.example/", Version::HTTP_2, &fields)
        };
        assert!(with(200, 100).is_ok());
        assert_eq!(with(257, 0), Err(GateRule::Fields));
        assert_eq!(with(10, 101), Err(GateRule::Fields));
    }

    proptest! {
        #[test]
        fn what_passes_has_one_host_in_a_known_form(host in "\\PC{0,40}") {
            if let Some(name) = split(&host) {
                prop_assert!(host.starts_with(name));
                let rest = &host[name.len()..];
                prop_assert!(rest.is_empty() || rest[1..].parse::<u16>().is_ok());
            }
        }
    }
}
