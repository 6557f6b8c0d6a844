//! Fields on their way through: which concern one connection only, which only a proxy may say, which may be trailers.

use http::header::{CONNECTION, TRAILER};
use http::{HeaderMap, HeaderName, HeaderValue};

pub(super) use crate::live::{has_underscore, is_about_client_certificate, is_claim, is_hop_by_hop};

/// Makes a response's fields those of a response from the edge to the client.
///
/// One pass finds what there is to remove: asking a map for each of ten names costs more than looking at the ten that are
/// there.
pub(super) fn prepare_response(headers: &mut HeaderMap) {
    let mut removed: Vec<HeaderName> = Vec::new();
    let mut announces_trailers = false;
    for name in headers.keys() {
        if is_hop_by_hop(name.as_str()) {
            removed.push(name.clone());
        }
        if *name == CONNECTION {
            let tokens = nominated_for_removal(headers).into_iter();
            removed.extend(tokens.filter_map(|token| HeaderName::from_bytes(token.as_bytes()).ok()));
        }
        announces_trailers |= *name == TRAILER;
    }
    for name in removed {
        headers.remove(name);
    }
    if announces_trailers {
        let list = honest_trailer_list(headers);
        headers.remove(TRAILER);
        if let Ok(list) = HeaderValue::from_str(&list)
            && !list.is_empty()
        {
            headers.insert(TRAILER, list);
        }
    }
}

/// Whether some `Connection` line has this token.
pub(super) fn nominates(headers: &HeaderMap, token: &str) -> bool {
    nominated(headers).any(|said| said.eq_ignore_ascii_case(token))
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

/// The tokens of every `Connection` line; `HeaderMap::get` would see the first line only.
fn nominated(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}

/// Whether the client can be sent trailers, as far as this line of `TE` says.
pub(super) fn accepts_trailers(value: &[u8]) -> bool {
    let Ok(codings) = str::from_utf8(value) else { return false };
    codings.split(',').any(|coding| coding.trim().eq_ignore_ascii_case("trailers"))
}

/// Fields that the sender's `Connection` says concern that connection alone; what always does is not among them. Nearly always
/// none.
pub(super) fn nominated_for_removal(headers: &HeaderMap) -> Vec<&str> {
    let kept = |token: &str| KEPT_WHATEVER_IS_NOMINATED.iter().any(|kept| token.eq_ignore_ascii_case(kept));
    nominated(headers).filter(|token| !kept(token)).collect()
}

/// `Trailer` may announce only what may come.
pub(super) fn honest_trailer_list(headers: &HeaderMap) -> String {
    let honest: Vec<String> = headers
        .get_all(TRAILER)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| HeaderName::from_bytes(name.trim().as_bytes()).ok())
        .filter(may_be_trailer)
        .map(|name| name.as_str().to_owned())
        .collect();
    honest.join(", ")
}

/// More than any proxy's ids have.
const ID_LENGTH: usize = 128;
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A client cannot have these removed by naming them in `Connection` (CVE-2022-31813 and its kin). Some are no field's name, or
/// go with the connection anyway.
const KEPT_WHATEVER_IS_NOMINATED: [&str; 8] =
    ["close", "keep-alive", "upgrade", "te", "host", "content-length", "cookie", "authorization"];

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
