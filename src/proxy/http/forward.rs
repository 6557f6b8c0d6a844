//! A request to an upstream and its response back.

use std::rc::Rc;

use http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, TRANSFER_ENCODING, UPGRADE};
use http::request::Parts;
use http::uri::{PathAndQuery, Uri};
use http::{HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body::Body;
use hyper::body::Incoming;

use super::body::{ClientBody, ResponseBody};
use super::errors::Asker;
use super::exchange::{Exchange, Upload};
use super::headers;
use super::respond::Answer;
use crate::proxy::upstream::{Lease, NoLease, Tunnel, Wanted};
use crate::telemetry::{Label, LocalAnswer, Protocol, UpstreamFailure};

/// Sends the request to one of the group's upstreams and makes the client's response of what comes back.
pub(super) fn forward(
    asker: Asker,
    mut head: Parts,
    body: Incoming,
    group: usize,
    authority: HeaderValue,
    upgrade: bool,
) -> impl Future<Output = Answer> {
    let exchange = Rc::clone(&asker.finish.0);
    headers::prepare_request(&mut head, authority, &exchange.connection, upgrade, exchange.id());
    head.uri = origin_form(head.uri);
    let request = Request::from_parts(head, ClientBody::new(body, &exchange));
    send(asker, exchange, request, group, upgrade)
}

async fn send(
    asker: Asker,
    exchange: Rc<Exchange>,
    mut request: Request<ClientBody>,
    group: usize,
    upgrade: bool,
) -> Answer {
    let worker = &exchange.connection.worker;
    let mut wanted = Wanted::Any;
    loop {
        let lease = match worker.pools.lease(worker, &exchange.view, group, wanted).await {
            Ok(lease) => lease,
            Err(no_lease) => return Ok(unconnected(asker, no_lease)),
        };
        exchange.note_upstream(lease.name());
        let limits = &exchange.connection.limits;
        exchange.alarm.set(match exchange.upload.get() {
            Upload::Done => limits.upstream_response_timeout,
            _ => limits.body_idle_timeout,
        });
        let repeatable = lease.is_reused() && is_repeatable(&request);
        let sent = exchange.alarm.guard(lease.send(request, repeatable)).await;
        exchange.alarm.clear();
        return Ok(match sent {
            Some(Ok(response)) => passed_back(asker, response, lease, upgrade),
            Some(Err(mut error)) => match (error.take_message(), lease.asked_again()) {
                // The pooled connection was closed before a single octet went out: nothing is lost by another.
                (Some(unsent), _) if lease.is_reused() => {
                    request = unsent;
                    continue;
                }
                // The upstream closed a connection it had kept, as our request came: nobody saw an answer, and asking
                // twice does no harm (RFC 9110 §9.2.2). Once: a request that kills whoever takes it is not passed round.
                (_, Some(again)) if !error.error().is_parse() => {
                    request = again.map(|()| ClientBody::none());
                    wanted = Wanted::Fresh;
                    continue;
                }
                _ => broken(asker, error.error(), &lease),
            },
            None => timed_out(asker, &exchange, &lease),
        });
    }
}

/// Whether a request may be sent twice: it has no body, and its method asks for no change.
fn is_repeatable(request: &Request<ClientBody>) -> bool {
    matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) && request.body().is_end_stream()
}

/// The upstream's response, made fit for the client.
fn passed_back(asker: Asker, response: Response<Incoming>, mut lease: Lease, upgrade: bool) -> Response<ResponseBody> {
    let exchange = Rc::clone(&asker.finish.0);
    let (mut head, incoming) = response.into_parts();
    let switching = head.status == StatusCode::SWITCHING_PROTOCOLS;
    if switching && !(upgrade && agrees_to_websocket(&head.headers)) {
        return failed(asker, UpstreamFailure::UnaskedUpgrade, lease.name());
    }
    if !is_framed_plainly(&head.headers) {
        return failed(asker, UpstreamFailure::Malformed, lease.name());
    }
    headers::prepare_response(&mut head.headers);
    head.version = Version::HTTP_11;
    head.extensions.clear();
    exchange.note_status(head.status);
    if switching {
        head.headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        head.headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        exchange.connection.tunnel.replace(Some(Tunnel::after(lease)));
        return Response::from_parts(head, ResponseBody::local(bytes::Bytes::new(), asker.finish));
    }
    // An answer that comes before the request was read leaves octets on the way, on both sides, that are no next request.
    let unread = exchange.upload.get() != Upload::Done;
    if unread {
        exchange.drives(lease.is_the_last());
    }
    if (unread || exchange.connection.is_leaving()) && exchange.connection.protocol != Protocol::Http2 {
        head.headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    exchange.alarm.set(exchange.connection.limits.write_stall_timeout);
    Response::from_parts(head, ResponseBody::upstream(incoming, lease, asker.finish))
}

/// Whether the body's framing is the only coding it came through: `gzip, chunked` would reach the client as octets that are
/// gzip and are not called so, since the field that says it concerns our connection alone (RFC 9112 §6.1).
fn is_framed_plainly(headers: &http::HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    codings.next().is_none_or(|coding| coding.as_bytes().eq_ignore_ascii_case(b"chunked")) && codings.next().is_none()
}

/// RFC 6455 §4.2.2; the client checks the value against its key.
fn agrees_to_websocket(headers: &http::HeaderMap) -> bool {
    headers.get(UPGRADE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
        && headers.contains_key(SEC_WEBSOCKET_ACCEPT)
}

/// Neither a response nor the request moved on in time.
fn timed_out(asker: Asker, exchange: &Exchange, lease: &Lease) -> Response<ResponseBody> {
    if exchange.upload.get() == Upload::FromClient {
        return asker.local(LocalAnswer::ClientTimeout);
    }
    failed(asker, UpstreamFailure::ResponseTimeout, lease.name())
}

/// The connection broke: by the client's body, or by the upstream.
fn broken(asker: Asker, error: &hyper::Error, lease: &Lease) -> Response<ResponseBody> {
    match asker.finish.0.upload.get() {
        Upload::Broken(answer) => asker.local(answer),
        Upload::TooLarge => asker.too_large(),
        _ if error.is_parse() => failed(asker, UpstreamFailure::Malformed, lease.name()),
        _ => failed(asker, UpstreamFailure::Closed, lease.name()),
    }
}

/// There is nobody to send the request to.
fn unconnected(asker: Asker, no_lease: NoLease) -> Response<ResponseBody> {
    let answer = match no_lease {
        NoLease::Unreachable { failure, upstream } => return failed(asker, failure, &upstream),
        NoLease::Full => LocalAnswer::UpstreamLimit,
        NoLease::Descriptors => LocalAnswer::Descriptors,
    };
    asker.finish.0.connection.worker.exhausted_log.say(|| {
        tracing::error!(
            reason = answer.label(),
            request = asker.finish.0.id(),
            "no connection to an upstream can be opened: raise the limit of open files"
        );
    });
    asker.local(answer)
}

/// Counts and logs the upstream's failure, with the reason that the client is not told.
fn failed(asker: Asker, failure: UpstreamFailure, upstream: &str) -> Response<ResponseBody> {
    let worker = &asker.finish.0.connection.worker;
    worker.counters.upstream_failures.count(failure);
    worker.upstream_log.say(|| {
        tracing::warn!(
            upstream,
            reason = failure.label(),
            request = asker.finish.0.id(),
            "an upstream failed a request"
        );
    });
    asker.local(match failure {
        UpstreamFailure::Connect | UpstreamFailure::ConnectTimeout => LocalAnswer::UpstreamUnreachable,
        UpstreamFailure::ResponseTimeout => LocalAnswer::UpstreamTimeout,
        _ => LocalAnswer::UpstreamBroken,
    })
}

/// What an HTTP/1.1 server is asked: path and query alone (RFC 9112 §3.2.1).
fn origin_form(uri: Uri) -> Uri {
    if uri.authority().is_none() {
        return uri;
    }
    let target = uri.into_parts().path_and_query.unwrap_or_else(|| PathAndQuery::from_static("/"));
    target.into()
}
