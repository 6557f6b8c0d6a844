//! The head of a request as a shop gets it: the client's fields without what concerns its connection alone, and what the edge
//! knows better than the client. Written in one pass, straight into the octets that are sent.

use http::header::{COOKIE, FORWARDED, SEC_WEBSOCKET_KEY};
use http::request::Parts;
use http::{HeaderMap, HeaderName, Method, Version};
use http_body::Body;

use super::balance;
use super::body::ClientBody;
use super::headers;
use super::websocket::Handshake;
use crate::live::FieldRules;
use crate::proxy::connection::Connection;
use crate::proxy::upstream::{BodyFraming, write_field};

/// The octets of the head, and how the body behind it is framed. `authority` is the host and port the client asked for,
/// `rules` are the site's, the cookie `hidden` is the edge's own.
pub(super) fn write(
    head: &Parts,
    body: &ClientBody,
    authority: &str,
    connection: &Connection,
    handshake: Option<&Handshake>,
    id: &str,
    (rules, hidden): (Option<&FieldRules>, Option<&str>),
) -> (Vec<u8>, BodyFraming) {
    let mut octets = Vec::with_capacity(ROOM);
    // CONNECT for a WebSocket, in HTTP/1.1 (RFC 8441 §5).
    let method = if head.method == Method::CONNECT { &Method::GET } else { &head.method };
    octets.extend_from_slice(method.as_str().as_bytes());
    octets.push(b' ');
    // Path and query alone (RFC 9112 §3.2.1).
    octets.extend_from_slice(head.uri.path().as_bytes());
    if let Some(query) = head.uri.query() {
        octets.push(b'?');
        octets.extend_from_slice(query.as_bytes());
    }
    octets.extend_from_slice(b" HTTP/1.1\r\n");
    write_field(&mut octets, "host", authority.as_bytes());

    let vouched = connection.tls.as_ref().and_then(|agreed| agreed.client_fields.as_deref());
    let believed = Believed { proxy: connection.speaker_is_trusted, certificate: vouched.is_none() };
    let seen = write_client_fields(&mut octets, head, believed, rules, hidden);
    octets.extend_from_slice(vouched.unwrap_or_default());
    for (name, value) in rules.iter().flat_map(|rules| rules.said()) {
        write_field(&mut octets, name.as_str(), value.as_bytes());
    }
    write_forwarded(&mut octets, &head.headers, authority, connection, seen);
    write_field(&mut octets, X_REQUEST_ID, id.as_bytes());
    if seen.announces_trailers {
        let honest = headers::honest_trailer_list(&head.headers);
        if !honest.is_empty() {
            write_field(&mut octets, "trailer", honest.as_bytes());
        }
    }
    if let Some(handshake) = handshake {
        if let Some(key) = handshake.own_key() {
            write_field(&mut octets, SEC_WEBSOCKET_KEY.as_str(), key.as_bytes());
        }
        octets.extend_from_slice(b"connection: upgrade\r\nupgrade: websocket\r\n");
    } else if seen.wants_trailers {
        // What lets a shop send trailers; they are passed to clients that asked (RFC 9110 §10.1.4).
        octets.extend_from_slice(b"connection: te\r\nte: trailers\r\n");
    }
    let framing = if seen.names_length || body.is_end_stream() { BodyFraming::Length } else { BodyFraming::Chunked };
    if framing == BodyFraming::Chunked {
        octets.extend_from_slice(b"transfer-encoding: chunked\r\n");
    } else if !seen.names_length && matches!(head.method, Method::POST | Method::PUT | Method::PATCH) {
        // Servers ask for it where a body has a meaning (RFC 9110 §8.6).
        octets.extend_from_slice(b"content-length: 0\r\n");
    }
    octets.extend_from_slice(b"\r\n");
    (octets, framing)
}

/// What the client's fields say that decides about others.
#[derive(Clone, Copy, Default)]
struct Seen {
    names_length: bool,
    announces_trailers: bool,
    wants_trailers: bool,
    forwarded_proto: bool,
    forwarded_host: bool,
}

/// What of that which only a proxy may say is believed.
#[derive(Clone, Copy)]
struct Believed {
    /// What it says at all.
    proxy: bool,
    /// What it says of certificates: the edge has checked none itself.
    certificate: bool,
}

/// Writes the fields that are the client's to choose, without those that the site's rules replace.
fn write_client_fields(
    octets: &mut Vec<u8>,
    head: &Parts,
    believed: Believed,
    rules: Option<&FieldRules>,
    hidden: Option<&str>,
) -> Seen {
    let mut seen = Seen::default();
    let nominated = headers::nominated_for_removal(&head.headers);
    let mut in_cookie = false;
    for (name, value) in &head.headers {
        if rules.is_some_and(|rules| rules.replaces(name)) {
            continue;
        }
        let text = name.as_str();
        let is_cookie = *name == COOKIE;
        let without = hidden.filter(|_| is_cookie).and_then(|hidden| balance::without(value.as_bytes(), hidden));
        let value = match &without {
            Some(nothing) if nothing.is_empty() => continue,
            Some(rest) => rest,
            None => value.as_bytes(),
        };
        if is_cookie && std::mem::replace(&mut in_cookie, is_cookie) && head.version == Version::HTTP_2 {
            // Crumbs of HTTP/2, which a map keeps together, are one line in HTTP/1.1 (RFC 9113 §8.2.3).
            octets.truncate(octets.len() - LINE_END.len());
            octets.extend_from_slice(b"; ");
            octets.extend_from_slice(value);
            octets.extend_from_slice(LINE_END);
            continue;
        }
        in_cookie = is_cookie;
        match text {
            // The edge answers `Expect` when the upstream's connection asks for the body.
            "host" | "expect" | "proxy-authorization" | X_REQUEST_ID | "forwarded" | X_FORWARDED_FOR => continue,
            // There is a key of the edge's own, and no answer of the client's.
            "sec-websocket-key" | "sec-websocket-accept" if head.method == Method::CONNECT => continue,
            "trailer" => seen.announces_trailers = true,
            "te" => seen.wants_trailers |= headers::accepts_trailers(value),
            _ => {}
        }
        let refused = text == "trailer"
            || headers::is_hop_by_hop(text)
            || headers::has_underscore(text)
            || (!believed.proxy && headers::is_claim(text))
            || (!believed.certificate && headers::is_about_client_certificate(text))
            || nominated.iter().any(|token| token.eq_ignore_ascii_case(text));
        if refused {
            continue;
        }
        match text {
            "content-length" => seen.names_length = true,
            X_FORWARDED_PROTO => seen.forwarded_proto = true,
            X_FORWARDED_HOST => seen.forwarded_host = true,
            _ => {}
        }
        write_field(octets, text, value);
    }
    seen
}

/// Says who asked, for which host and by which scheme. What a trusted proxy said is kept, and the lists grow by that proxy.
fn write_forwarded(octets: &mut Vec<u8>, headers: &HeaderMap, authority: &str, connection: &Connection, seen: Seen) {
    let scheme = if connection.tls.is_some() { "https" } else { "http" };
    let said = |name: HeaderName| connection.speaker_is_trusted.then(|| headers.get_all(name)).into_iter().flatten();

    octets.extend_from_slice(b"forwarded: ");
    for line in said(FORWARDED) {
        octets.extend_from_slice(line.as_bytes());
        octets.extend_from_slice(b", ");
    }
    octets.extend_from_slice(connection.forwarded_begin.as_bytes());
    // A colon is no part of a token (RFC 7239 §6).
    let quote: &[u8] = if authority.contains(':') { b"\"" } else { b"" };
    octets.extend_from_slice(quote);
    octets.extend_from_slice(authority.as_bytes());
    octets.extend_from_slice(quote);
    octets.extend_from_slice(b";proto=");
    octets.extend_from_slice(scheme.as_bytes());
    octets.extend_from_slice(LINE_END);

    octets.extend_from_slice(b"x-forwarded-for: ");
    for line in said(HeaderName::from_static(X_FORWARDED_FOR)) {
        octets.extend_from_slice(line.as_bytes());
        octets.extend_from_slice(b", ");
    }
    octets.extend_from_slice(connection.forwarded_for.as_bytes());
    octets.extend_from_slice(LINE_END);

    if !seen.forwarded_proto {
        write_field(octets, X_FORWARDED_PROTO, scheme.as_bytes());
    }
    if !seen.forwarded_host {
        write_field(octets, X_FORWARDED_HOST, authority.as_bytes());
    }
}

const LINE_END: &[u8] = b"\r\n";
/// Fits an ordinary browser's head with what the edge adds, so that it is allocated once.
const ROOM: usize = 1024;
const X_FORWARDED_FOR: &str = "x-forwarded-for";
const X_FORWARDED_PROTO: &str = "x-forwarded-proto";
const X_FORWARDED_HOST: &str = "x-forwarded-host";
const X_REQUEST_ID: &str = "x-request-id";
