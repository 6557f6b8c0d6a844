//! Answers the edge makes itself: one clear body per status, JSON or HTML as the client likes, or a page of the
//! site's own, that tells a visitor what to
//! do and an attacker nothing.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body::Body;

use super::body::ResponseBody;
use super::exchange::{Exchange, Finish};
use super::policy;
use crate::live::{ErrorPages, WellKnownObject};
use crate::proxy::connection::Connection;
use crate::telemetry::{GateRule, Label, LocalAnswer, Protocol};

/// Whether the client would rather read JSON than HTML, by its `Accept` (RFC 9110 §12.5.1). Whichever is named first wins.
pub(super) fn wants_json(headers: &HeaderMap) -> bool {
    headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .find_map(|range| {
            let kind = range.split(';').next().unwrap_or_default().trim();
            if kind.eq_ignore_ascii_case("text/html") || kind.eq_ignore_ascii_case("application/xhtml+xml") {
                Some(false)
            } else if kind.eq_ignore_ascii_case("application/json") || kind.ends_with("+json") {
                Some(true)
            } else {
                None
            }
        })
        .unwrap_or(false)
}

/// Who the answer goes to, as far as making it needs to know.
pub(super) struct Asker {
    pub(super) finish: Finish,
    json: bool,
    /// The request's body has not been read to its end: the connection cannot be used again.
    unread: bool,
}

impl Asker {
    pub(super) fn of<B: Body>(request: &Request<B>, finish: Finish) -> Self {
        Self { finish, json: wants_json(request.headers()), unread: !request.body().is_end_stream() }
    }

    fn exchange(&self) -> &Rc<Exchange> {
        &self.finish.0
    }

    /// The gate's refusal.
    pub(super) fn refused(self, rule: GateRule) -> Response<ResponseBody> {
        let exchange = self.exchange();
        if !exchange.connection.is_own_check() {
            exchange.connection.worker.counters.refused.count(rule);
        }
        exchange.reason.set(Some(rule.label()));
        let status = refusal_status(rule);
        let mut response = self.answer(status, true);
        if rule == GateRule::Method {
            response
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"));
        }
        response
    }

    /// An answer that is nobody's fault or the upstream's.
    pub(super) fn local(self, answer: LocalAnswer) -> Response<ResponseBody> {
        self.count(answer);
        let close = matches!(answer, LocalAnswer::ClientTimeout | LocalAnswer::ClientBody);
        if answer == LocalAnswer::Maintenance {
            return self.maintenance();
        }
        self.answer(status_of(answer), close)
    }

    /// The body was larger than allowed, found while it was passed on.
    pub(super) fn too_large(self) -> Response<ResponseBody> {
        self.refused(GateRule::BodySize)
    }

    /// To another place.
    pub(super) fn redirect(self, answer: LocalAnswer, status: StatusCode, location: &str) -> Response<ResponseBody> {
        let Ok(location) = HeaderValue::from_str(location) else { return self.refused(GateRule::Target) };
        self.count(answer);
        let mut response = self.answer(status, false);
        response.headers_mut().insert(LOCATION, location);
        response
    }

    /// Not now, but after a while.
    pub(super) fn later(self, answer: LocalAnswer, retry_after: Duration) -> Response<ResponseBody> {
        let seconds = retry_after.as_secs() + u64::from(retry_after.subsec_nanos() > 0);
        let mut response = self.local(answer);
        response.headers_mut().insert(RETRY_AFTER, seconds.max(1).into());
        response
    }

    /// A well-known object.
    pub(super) fn well_known(self, object: &WellKnownObject) -> Response<ResponseBody> {
        self.count(LocalAnswer::WellKnown);
        self.respond(StatusCode::OK, object.content.clone(), HeaderValue::from_static(PLAIN_TEXT), false)
    }

    /// A well-known object takes GET and HEAD only.
    pub(super) fn well_known_method(self) -> Response<ResponseBody> {
        self.count(LocalAnswer::WellKnownMethod);
        let mut response = self.answer(StatusCode::METHOD_NOT_ALLOWED, false);
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        response
    }

    fn count(&self, answer: LocalAnswer) {
        let exchange = self.exchange();
        if !exchange.connection.is_own_check() {
            exchange.connection.worker.counters.local_answers.count(answer);
        }
        exchange.reason.set(Some(answer.label()));
    }

    fn answer(self, status: StatusCode, close: bool) -> Response<ResponseBody> {
        let own = self.own_page(|pages| pages.of(status.as_u16()));
        let (content, kind) = own.unwrap_or_else(|| page(status, advice(status), self.exchange().id(), self.json));
        self.respond(status, content, HeaderValue::from_static(kind), close)
    }

    fn maintenance(self) -> Response<ResponseBody> {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        let own = self.own_page(|pages| pages.maintenance.as_ref().or_else(|| pages.of(status.as_u16())));
        let (content, kind) = own.unwrap_or_else(|| page(status, MAINTENANCE, self.exchange().id(), self.json));
        self.respond(status, content, HeaderValue::from_static(kind), false)
    }

    /// The site's page, for whoever reads pages.
    fn own_page(&self, pick: impl Fn(&ErrorPages) -> Option<&Bytes>) -> Option<(Bytes, &'static str)> {
        let pages = self.exchange().policy().filter(|_| !self.json)?.error_pages.as_ref()?;
        pick(pages).map(|page| (page.clone(), HTML))
    }

    fn respond(self, status: StatusCode, content: Bytes, kind: HeaderValue, close: bool) -> Response<ResponseBody> {
        let exchange = self.exchange();
        exchange.note_status(status);
        // Over HTTP/2 a stream can stand still by itself.
        exchange.alarm.set(exchange.limits().write_stall_timeout);
        let close = close || self.unread || exchange.connection.is_leaving();
        let http1 = exchange.connection.protocol != Protocol::Http2;
        let length = content.len();
        let mut headers = HeaderMap::new();
        policy::mark(exchange, &mut headers);
        let mut response = Response::new(ResponseBody::local(content, self.finish));
        *response.status_mut() = status;
        headers.insert(CONTENT_TYPE, kind);
        headers.insert(CONTENT_LENGTH, length.into());
        headers.insert(NOSNIFF.0, NOSNIFF.1);
        if status != StatusCode::OK && !status.is_redirection() {
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        if close && http1 {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        *response.headers_mut() = headers;
        response
    }
}

/// The answer to a head over HTTP/1 that has not come, 408, or cannot be read, as it goes over the wire.
pub(super) fn without_request(connection: &Connection, status: StatusCode) -> Vec<u8> {
    let counters = &connection.worker.counters;
    if status == StatusCode::REQUEST_TIMEOUT {
        counters.local_answers.count(LocalAnswer::ClientTimeout);
    }
    counters.responses.count(connection.protocol, status.as_u16());
    let id = connection.worker.next_request_id();
    let (content, kind) = page(status, advice(status), std::str::from_utf8(&id).unwrap_or_default(), false);
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nx-content-type-options: nosniff\r\n\
         cache-control: no-store\r\nconnection: close\r\n\r\n",
        content.len()
    );
    [head.as_bytes(), &content].concat()
}

fn refusal_status(rule: GateRule) -> StatusCode {
    match rule {
        GateRule::Method => StatusCode::METHOD_NOT_ALLOWED,
        GateRule::TargetLength => StatusCode::URI_TOO_LONG,
        GateRule::Fields => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        GateRule::Expect => StatusCode::EXPECTATION_FAILED,
        GateRule::BodySize => StatusCode::PAYLOAD_TOO_LARGE,
        // RFC 9220 §3
        GateRule::Protocol => StatusCode::NOT_IMPLEMENTED,
        GateRule::TransferEncoding
        | GateRule::ContentLength
        | GateRule::Host
        | GateRule::AuthorityMismatch
        | GateRule::Target
        | GateRule::Malformed
        | GateRule::UpgradeBody => StatusCode::BAD_REQUEST,
    }
}

fn status_of(answer: LocalAnswer) -> StatusCode {
    match answer {
        LocalAnswer::Misdirected => StatusCode::MISDIRECTED_REQUEST,
        LocalAnswer::UnknownHost | LocalAnswer::NoRoute => StatusCode::NOT_FOUND,
        LocalAnswer::Denied => StatusCode::FORBIDDEN,
        LocalAnswer::RateLimited | LocalAnswer::Crowded => StatusCode::TOO_MANY_REQUESTS,
        LocalAnswer::WellKnown => StatusCode::OK,
        LocalAnswer::WellKnownMethod => StatusCode::METHOD_NOT_ALLOWED,
        LocalAnswer::Redirect | LocalAnswer::Moved => StatusCode::PERMANENT_REDIRECT,
        LocalAnswer::ClientTimeout => StatusCode::REQUEST_TIMEOUT,
        LocalAnswer::ClientBody => StatusCode::BAD_REQUEST,
        LocalAnswer::UpstreamUnreachable | LocalAnswer::UpstreamBroken => StatusCode::BAD_GATEWAY,
        LocalAnswer::UpstreamTimeout => StatusCode::GATEWAY_TIMEOUT,
        LocalAnswer::UpstreamQueueFull
        | LocalAnswer::UpstreamQueueTimeout
        | LocalAnswer::UpstreamLimit
        | LocalAnswer::Descriptors
        | LocalAnswer::Memory
        | LocalAnswer::Maintenance => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// The body for a status, and its media type.
fn page(status: StatusCode, advice: &str, id: &str, json: bool) -> (Bytes, &'static str) {
    let code = status.as_u16();
    let title = status.canonical_reason().unwrap_or("Error");
    if json {
        let text = format!(
            "{{\"type\":\"about:blank\",\"title\":\"{title}\",\"status\":{code},\"detail\":\"{advice}\",\"request_id\":\"{id}\"}}\n"
        );
        return (text.into(), PROBLEM_JSON);
    }
    let text = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{code} {title}</title>\n\
         <style>body{{font:1rem/1.5 system-ui,sans-serif;max-width:36rem;margin:20vh auto;padding:0 1rem;color-scheme:light dark}}\
         code{{opacity:.7}}</style>\n<h1>{title}</h1>\n<p>{advice}</p>\n<p><code>{code} · {id}</code></p>\n</html>\n"
    );
    (text.into(), HTML)
}

/// What a visitor can do about it.
fn advice(status: StatusCode) -> &'static str {
    match status {
        status if status.is_redirection() => "This page has another address, which your browser should open by itself.",
        StatusCode::FORBIDDEN => "This address is not open to you.",
        StatusCode::NOT_FOUND => "There is nothing at this address. Check the address for a typing mistake.",
        StatusCode::METHOD_NOT_ALLOWED => "This address does not take such a request.",
        StatusCode::REQUEST_TIMEOUT => "The request took too long to arrive. Please try again.",
        StatusCode::PAYLOAD_TOO_LARGE => "The upload is larger than this site accepts.",
        StatusCode::URI_TOO_LONG => "The address is longer than this site accepts.",
        StatusCode::EXPECTATION_FAILED => "The request expects something this site does not offer.",
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => {
            "The request carries more than this site accepts. Deleting this site's cookies may help."
        }
        StatusCode::TOO_MANY_REQUESTS => "Those were many requests in a short time. Please try again in a while.",
        StatusCode::MISDIRECTED_REQUEST => "This connection does not serve that site. Please try again.",
        StatusCode::NOT_IMPLEMENTED => "This address does not speak that protocol.",
        StatusCode::BAD_GATEWAY => "The shop cannot be reached at the moment. Please try again in a minute.",
        StatusCode::SERVICE_UNAVAILABLE => "Too many visitors at the moment. Please try again in a minute.",
        StatusCode::GATEWAY_TIMEOUT => "The shop takes too long to answer. Please try again in a minute.",
        _ => "The request could not be understood.",
    }
}

const MAINTENANCE: &str = "The shop is being worked on. Please come back in a little while.";
const HTML: &str = "text/html; charset=utf-8";
const PLAIN_TEXT: &str = "text/plain; charset=utf-8";
/// RFC 9457 §3
const PROBLEM_JSON: &str = "application/problem+json";
const NOSNIFF: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-content-type-options"), HeaderValue::from_static("nosniff"));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_named_first_in_accept_wins() {
        for (accept, json) in [
            ("", false),
            ("*/*", false),
            ("application/json", true),
            ("text/html,application/json", false),
            ("application/problem+json, text/html", true),
            ("image/png", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_static(accept));
            assert_eq!(wants_json(&headers), json, "{accept}");
        }
    }

    #[test]
    fn a_json_page_is_json() {
        let (text, _) = page(StatusCode::BAD_GATEWAY, "Wait.", "0123456789abcdef", true);
        let value: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
        assert_eq!(value["status"], 502);
        assert_eq!(value["request_id"], "0123456789abcdef");
    }
}
