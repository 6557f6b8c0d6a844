//! Fields on their way through: what concerns one connection only is taken out first, then what the edge knows better than
//! the client is set.

use bytes::{BufMut, Bytes, BytesMut};
use http::header::{CONNECTION, COOKIE, FORWARDED, HOST, SEC_WEBSOCKET_KEY, TE, TRAILER, UPGRADE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};

use crate::proxy::connection::Connection;

/// Makes a request's fields those of a request from the edge to the shop.
pub(super) fn prepare_request(
    head: &mut Parts,
    authority: HeaderValue,
    connection: &Connection,
    upgrade: bool,
    id: &str,
) {
    let trusted = connection.peer_is_trusted;
    let wants_trailers = accepts_trailers(&head.headers);
    strip(&mut head.headers, |name| {
        // hyper answers Expect to the client when the upstream asks for the body.
        matches!(name, "expect" | "proxy-authorization") || has_underscore(name) || (!trusted && is_claim(name))
    });
    if head.version == Version::HTTP_2 {
        join_cookies(&mut head.headers);
    }
    if wants_trailers {
        // What lets a shop send trailers; hyper passes them to clients that asked (RFC 9110 §10.1.4).
        head.headers.insert(TE, HeaderValue::from_static("trailers"));
        head.headers.insert(CONNECTION, HeaderValue::from_static("te"));
    }
    if upgrade {
        head.headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        head.headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    }
    forwarded(&mut head.headers, &authority, connection, trusted);
    if let Ok(id) = HeaderValue::from_str(id) {
        head.headers.insert(X_REQUEST_ID, id);
    }
    head.headers.insert(HOST, authority);
    head.version = Version::HTTP_11;
}

/// Makes a response's fields those of a response from the edge to the client.
pub(super) fn prepare_response(headers: &mut HeaderMap) {
    strip(headers, |_| false);
}

/// Whether the request is a WebSocket handshake that may be passed on (RFC 6455 §4.1).
pub(super) fn is_websocket_handshake(head: &Parts) -> bool {
    let mut upgrades = head.headers.get_all(UPGRADE).iter();
    head.method == Method::GET
        && head.version == Version::HTTP_11
        && upgrades.next().is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
        && upgrades.next().is_none()
        && nominated(&head.headers).any(|token| token.eq_ignore_ascii_case("upgrade"))
        && head.headers.contains_key(SEC_WEBSOCKET_KEY)
}

/// The id a proxy before us gave the request, if it is one line that may stand in a log and on a page as it is.
pub(super) fn request_id(headers: &HeaderMap) -> Option<&str> {
    let mut lines = headers.get_all(X_REQUEST_ID).iter();
    let id = lines.next()?.to_str().ok()?;
    let harmless = |octet: u8| octet.is_ascii_alphanumeric() || b"-_.:+/=@".contains(&octet);
    (lines.next().is_none() && (1..=ID_LENGTH).contains(&id.len()) && id.bytes().all(harmless)).then_some(id)
}

/// Whether a trailer may pass: nothing that decides about framing, routing or identity (RFC 9110 §6.5.1).
pub(super) fn may_be_trailer(name: &HeaderName) -> bool {
    !NOT_IN_TRAILERS.contains(&name.as_str())
        && !is_claim(name.as_str())
        && !is_hop_by_hop(name.as_str())
        && *name != TRAILER
}

/// Whether a client's trailer may have this name.
pub(super) fn may_be_named_by_client(name: &HeaderName) -> bool {
    !has_underscore(name.as_str())
}

/// To a CGI-like shop such a name is the same as with a dash, which a client could not send.
fn has_underscore(name: &str) -> bool {
    name.contains('_')
}

/// The tokens of every `Connection` line; `HeaderMap::get` would see the first line only.
fn nominated(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}

/// Takes out what concerns one connection only, and what `refused` names besides. One pass finds what there is to remove:
/// asking a map for each of twenty names costs more than looking at the ten that are there.
fn strip(headers: &mut HeaderMap, refused: impl Fn(&str) -> bool) {
    let mut removed: Vec<HeaderName> = Vec::new();
    let mut announces_trailers = false;
    for name in headers.keys() {
        let text = name.as_str();
        if *name == CONNECTION {
            removed.extend(
                nominated(headers)
                    .filter(|token| !KEPT_WHATEVER_IS_NOMINATED.iter().any(|kept| token.eq_ignore_ascii_case(kept)))
                    .filter_map(|token| HeaderName::from_bytes(token.as_bytes()).ok()),
            );
            removed.push(CONNECTION);
        } else if is_hop_by_hop(text) || refused(text) {
            removed.push(name.clone());
        } else if *name == TRAILER {
            announces_trailers = true;
        }
    }
    for name in removed {
        headers.remove(name);
    }
    if announces_trailers {
        keep_honest_trailer_list(headers);
    }
}

/// `Trailer` may announce only what may come.
fn keep_honest_trailer_list(headers: &mut HeaderMap) {
    let honest: Vec<String> = headers
        .get_all(TRAILER)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| HeaderName::from_bytes(name.trim().as_bytes()).ok())
        .filter(may_be_trailer)
        .map(|name| name.as_str().to_owned())
        .collect();
    headers.remove(TRAILER);
    if let Ok(list) = HeaderValue::from_str(&honest.join(", "))
        && !list.is_empty()
    {
        headers.insert(TRAILER, list);
    }
}

/// What only a proxy may say about the client.
fn is_claim(name: &str) -> bool {
    CLAIM_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) || CLAIMS.contains(&name)
}

/// Fields of one connection (RFC 9110 §7.6.1, and what old proxies send). `Connection` itself is handled by name.
fn is_hop_by_hop(name: &str) -> bool {
    matches!(
        name,
        "connection" | "transfer-encoding" | "upgrade" | "te" | "keep-alive" | "proxy-connection" | "http2-settings"
    )
}

/// A client may send each cookie in a field of its own over HTTP/2; HTTP/1.1 has one (RFC 9113 §8.2.3).
fn join_cookies(headers: &mut HeaderMap) {
    let mut crumbs = headers.get_all(COOKIE).iter();
    let (Some(first), Some(second)) = (crumbs.next(), crumbs.next()) else { return };
    let mut whole = BytesMut::from(first.as_bytes());
    for crumb in std::iter::once(second).chain(crumbs) {
        whole.put_slice(b"; ");
        whole.put_slice(crumb.as_bytes());
    }
    // Values joined by octets that a value may hold are a value.
    if let Ok(whole) = HeaderValue::from_maybe_shared(whole.freeze()) {
        headers.insert(COOKIE, whole);
    }
}

/// Says who asked, for which host and by which scheme. What a trusted proxy said is kept, and the lists grow by that proxy.
fn forwarded(headers: &mut HeaderMap, authority: &HeaderValue, connection: &Connection, trusted: bool) {
    let scheme = if connection.tls.is_some() { "https" } else { "http" };
    let mut element = BytesMut::with_capacity(FORWARDED_ROOM);
    element.put_slice(connection.forwarded_begin.as_bytes());
    let quoted = authority.as_bytes().contains(&b':');
    if quoted {
        element.put_u8(b'"');
    }
    element.put_slice(authority.as_bytes());
    if quoted {
        element.put_u8(b'"');
    }
    element.put_slice(b";proto=");
    element.put_slice(scheme.as_bytes());

    let mut set = |name: HeaderName, value: HeaderValue, list: bool| {
        if !trusted {
            headers.insert(name, value);
        } else if list {
            let grown = grow(headers, &name, &value);
            headers.insert(name, grown);
        } else if !headers.contains_key(&name) {
            headers.insert(name, value);
        }
    };
    if let Ok(element) = HeaderValue::from_maybe_shared(element.freeze()) {
        set(FORWARDED, element, true);
    }
    set(X_FORWARDED_FOR, connection.forwarded_for.clone(), true);
    set(X_FORWARDED_PROTO, HeaderValue::from_static(scheme), false);
    set(X_FORWARDED_HOST, authority.clone(), false);
}

/// The field's lines as one list, with one more element.
fn grow(headers: &HeaderMap, name: &HeaderName, element: &HeaderValue) -> HeaderValue {
    let mut list = BytesMut::new();
    for line in headers.get_all(name) {
        list.put_slice(line.as_bytes());
        list.put_slice(b", ");
    }
    list.put_slice(element.as_bytes());
    HeaderValue::from_maybe_shared(Bytes::from(list)).unwrap_or_else(|_| element.clone())
}

fn accepts_trailers(headers: &HeaderMap) -> bool {
    headers
        .get_all(TE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|coding| coding.trim().eq_ignore_ascii_case("trailers"))
}

/// More than any proxy's ids have.
const ID_LENGTH: usize = 128;
/// Fits an element with a host of common length, so that it is allocated once.
const FORWARDED_ROOM: usize = 128;
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A client cannot have these removed by naming them in `Connection` (CVE-2022-31813 and its kin).
const KEPT_WHATEVER_IS_NOMINATED: [&str; 5] = ["host", "content-length", "cookie", "authorization", "close"];

/// What only a proxy may say: whom it speaks for, and which client certificate it has checked.
const CLAIM_PREFIXES: [&str; 4] = ["x-forwarded-", "x-ssl-", "x-client-cert", "ssl-client-"];
/// The same, by whole names.
const CLAIMS: [&str; 6] =
    ["forwarded", "x-real-ip", "x-client-ip", "true-client-ip", "x-request-id", "x-cluster-client-ip"];

const NOT_IN_TRAILERS: [&str; 16] = [
    "authorization",
    "cache-control",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "cookie",
    "expect",
    "host",
    "max-forwards",
    "proxy-authenticate",
    "proxy-authorization",
    "range",
    "set-cookie",
    "www-authenticate",
    "x-http-method-override",
];
