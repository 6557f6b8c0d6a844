//! A request to an upstream and its response back.

use std::future::poll_fn;
use std::rc::Rc;
use std::time::Duration;

use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, SEC_WEBSOCKET_ACCEPT, UPGRADE};
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode, Version};
use http_body::Body;

use super::balance;
use super::body::{ClientBody, ResponseBody};
use super::client;
use super::compression::Wish;
use super::errors::Asker;
use super::exchange::{Exchange, Upload};
use super::headers;
use super::policy;
use super::request_body::RequestBody;
use super::request_head;
use super::respond::Answer;
use super::tunnel::StreamTunnel;
use super::turns::Turns;
use super::websocket::Handshake;
use crate::live::RETRY_AFTER;
use crate::proxy::upstream::{Asked, Broken, Head, Introduction, Lease, NoLease, Outgoing, Tunnel, Wanted};
use crate::telemetry::{Label, LocalAnswer, Protocol, UpstreamFailure};

/// Sends the request to one of the group's upstreams and makes the client's response of what comes back.
pub(super) fn forward(
    asker: Asker,
    head: &Parts,
    mut body: RequestBody,
    group: usize,
    authority: &str,
    upgrade: bool,
) -> impl Future<Output = Answer> + use<> {
    let exchange = Rc::clone(&asker.finish.0);
    let handshake = upgrade.then(|| Handshake::begin(&mut body));
    let body = ClientBody::new(body, &exchange);
    // Over HTTP/1.1 the body says it; the gate has let nothing else through (RFC 9110 §10.1.1).
    if head.version == Version::HTTP_2 && head.headers.contains_key(EXPECT) && !body.is_end_stream() {
        exchange.go_on();
    }
    if let Some(policy) = exchange.policy() {
        exchange.wish.set(Wish::of(head, policy.compression.as_ref()));
    }
    let rules = exchange.policy().and_then(|policy| policy.request_headers.as_ref());
    let hidden = balance::own_cookie(group, &exchange);
    let connection = &exchange.connection;
    let (octets, framing) =
        request_head::write(head, &body, authority, connection, handshake.as_deref(), exchange.id(), (rules, hidden));
    let method = if upgrade { &Method::GET } else { &head.method };
    let request = Outgoing::new(method, octets, body, framing);
    let introduced = introduction(&exchange, head, group);
    let asked = balance::asked(head, group, &exchange);
    send(asker, exchange, request, (group, asked, introduced), handshake)
}

/// What the group's upstreams are told of who asks, if they are.
fn introduction(exchange: &Exchange, head: &Parts, group: usize) -> Option<Box<Introduction>> {
    let table = &exchange.view.table;
    table.groups().get(group)?.members.first()?.upstream.announces?;
    let client = client::address(&exchange.connection, &head.headers, &table.trusted_proxies);
    exchange.connection.introduction(client).map(Box::new)
}

async fn send(
    asker: Asker,
    exchange: Rc<Exchange>,
    mut request: Outgoing,
    (group, asked, introduced): (usize, Asked, Option<Box<Introduction>>),
    handshake: Option<Box<Handshake>>,
) -> Answer {
    let worker = &exchange.connection.worker;
    let mut turns = Turns::new(worker, &exchange.view, group);
    let (mut wanted, mut refusals) = (Wanted::Any, 0);
    loop {
        let new = (exchange.connect_timeout(), introduced.as_deref());
        let lease = match worker.pools.lease(worker, &exchange.view, group, asked, wanted, new).await {
            Ok(lease) => lease,
            Err(no_lease) => return Ok(unconnected(asker, no_lease)),
        };
        exchange.note_upstream(lease.name());
        let limits = exchange.limits();
        exchange.alarm.set(match exchange.upload.get() {
            Upload::Done => limits.upstream_response_timeout,
            _ => limits.body_idle_timeout,
        });
        turns.begin(&exchange);
        lease.begin(request);
        let answered = exchange
            .alarm
            .guard(poll_fn(|cx| {
                let polled = lease.poll_head(cx);
                lease.take_hints().iter().for_each(|hints| exchange.hint(hints));
                polled
            }))
            .await;
        exchange.alarm.clear();
        let broken = match answered {
            Some(Ok(head)) => {
                let again = if turns.has_failed(head.status, &lease) { turns.another(&lease) } else { None };
                let Some(again) = again else {
                    let place = lease.place();
                    let mut response = passed_back(asker, head, lease, handshake);
                    balance::keep(&exchange, group, asked, place, response.headers_mut());
                    return Ok(response);
                };
                (request, wanted) = again;
                continue;
            }
            Some(Err(broken)) => Some(broken),
            None => None,
        };
        let stale = match broken {
            // A connection that had been kept may close as the request comes.
            Some(Broken::Closed) if lease.is_reused() => lease.take_back(),
            // One in HTTP/2 takes no more than it says, and leaves when it likes; whoever refuses everything is not asked for ever.
            Some(Broken::Refused) if refusals < MOST_REFUSALS => {
                refusals += 1;
                lease.take_back()
            }
            _ => None,
        };
        match stale {
            // Not a single octet went out: nothing is lost by another.
            Some(again) if again.is_untouched() => {
                request = again;
                continue;
            }
            // Nobody saw an answer, and asking twice does no harm. Once: a request that kills whoever takes it is not passed round.
            Some(again) if again.is_repeatable() => {
                (request, wanted) = (again.anew(), Wanted::Fresh);
                continue;
            }
            _ => {}
        }
        let again = if turns.is_its_fault(broken, &exchange, &lease) { turns.another(&lease) } else { None };
        match (again, broken) {
            (Some(again), _) => (request, wanted) = again,
            (None, Some(broken)) => return Ok(failed_to_answer(asker, broken, &lease)),
            (None, None) => return Ok(timed_out(asker, &exchange, &lease)),
        }
    }
}

/// The upstream's response, made fit for the client.
fn passed_back(
    asker: Asker,
    head: Head,
    mut lease: Lease,
    handshake: Option<Box<Handshake>>,
) -> Response<ResponseBody> {
    let exchange = Rc::clone(&asker.finish.0);
    let Head { mut status, mut headers, .. } = head;
    let switching = status == StatusCode::SWITCHING_PROTOCOLS;
    if switching && !handshake.as_ref().is_some_and(|handshake| handshake.is_agreed_to(&headers)) {
        return failed(asker, UpstreamFailure::UnaskedUpgrade, lease.name());
    }
    let from_client = handshake.and_then(|handshake| handshake.into_stream());
    if from_client.is_some() && status.is_success() {
        // To a client of HTTP/2 it would say that octets follow which are the WebSocket's (RFC 9113 §8.5).
        return failed(asker, UpstreamFailure::NoWebSocket, lease.name());
    }
    if switching && from_client.is_some() {
        status = StatusCode::OK;
    }
    headers::prepare_response(&mut headers);
    if let Some(rules) = exchange.policy().and_then(|policy| policy.response_headers.as_ref()) {
        rules.apply(&mut headers);
    }
    policy::mark(&exchange, &mut headers);
    exchange.note_status(status);
    let body = if switching {
        headers.remove(CONTENT_LENGTH);
        let (upstream, place) = (Tunnel::after(lease), exchange.leave_place());
        if let Some(from_client) = from_client {
            headers.remove(SEC_WEBSOCKET_ACCEPT);
            let patience = exchange.limits().write_stall_timeout;
            ResponseBody::tunnel(StreamTunnel { from_client, upstream, patience, place }, asker.finish)
        } else {
            headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
            exchange.connection.tunnel.replace(Some((upstream, place)));
            ResponseBody::local(bytes::Bytes::new(), asker.finish)
        }
    } else {
        // An answer that comes before the request was read leaves octets on the way, on both sides, that are no next request.
        let unread = exchange.upload.get() != Upload::Done;
        if unread {
            exchange.drives(lease.is_the_last());
        }
        if (unread || exchange.connection.is_leaving()) && exchange.connection.protocol != Protocol::Http2 {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        exchange.alarm.set(exchange.limits().write_stall_timeout);
        let mut body = ResponseBody::upstream(lease, asker.finish);
        if let Some(wish) = exchange.wish.get()
            && let Some(compression) = exchange.policy().and_then(|policy| policy.compression.as_ref())
        {
            let packing = wish.apply(compression, status, &mut headers, body.is_end_stream());
            body = body.packed(packing);
        }
        body
    };
    let mut response = Response::new(body);
    (*response.status_mut(), *response.headers_mut()) = (status, headers);
    response
}

/// Neither a response nor the request moved on in time.
fn timed_out(asker: Asker, exchange: &Exchange, lease: &Lease) -> Response<ResponseBody> {
    if exchange.upload.get() == Upload::FromClient {
        return asker.local(LocalAnswer::ClientTimeout);
    }
    failed(asker, UpstreamFailure::ResponseTimeout, lease.name())
}

/// The connection broke: by the client's body, or by the upstream.
fn failed_to_answer(asker: Asker, broken: Broken, lease: &Lease) -> Response<ResponseBody> {
    match (asker.finish.0.upload.get(), broken) {
        (Upload::Broken(answer), _) => asker.local(answer),
        (Upload::TooLarge, _) => asker.too_large(),
        (_, Broken::Malformed) => failed(asker, UpstreamFailure::Malformed, lease.name()),
        (_, Broken::NoWebSocket) => failed(asker, UpstreamFailure::NoWebSocket, lease.name()),
        (_, Broken::Closed | Broken::Client | Broken::Refused) => failed(asker, UpstreamFailure::Closed, lease.name()),
    }
}

/// There is nobody to send the request to.
fn unconnected(asker: Asker, no_lease: NoLease) -> Response<ResponseBody> {
    let answer = match no_lease {
        NoLease::Unreachable { failure, upstream } => return failed(asker, failure, &upstream),
        NoLease::QueueFull => return full(asker, LocalAnswer::UpstreamQueueFull, Duration::ZERO),
        NoLease::QueueTimeout { patience } => return full(asker, LocalAnswer::UpstreamQueueTimeout, patience),
        NoLease::Maintenance => {
            let policy = asker.finish.0.policy().and_then(|policy| policy.maintenance.as_ref());
            let retry_after = policy.map_or(RETRY_AFTER, |maintenance| maintenance.retry_after);
            return asker.later(LocalAnswer::Maintenance, retry_after);
        }
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

/// The upstreams have as many requests as the operator lets them have.
fn full(asker: Asker, answer: LocalAnswer, retry_after: Duration) -> Response<ResponseBody> {
    asker.finish.0.connection.worker.upstream_log.say(|| {
        tracing::warn!(
            reason = answer.label(),
            request = asker.finish.0.id(),
            "all upstreams have as many requests as site.balance.connections lets them have"
        );
    });
    asker.later(answer, retry_after)
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
        failure if failure.is_before_any_request() => LocalAnswer::UpstreamUnreachable,
        UpstreamFailure::ResponseTimeout => LocalAnswer::UpstreamTimeout,
        _ => LocalAnswer::UpstreamBroken,
    })
}

/// A connection that leaves while others are opened, and one that lowers its limit, may each refuse a request once.
const MOST_REFUSALS: u32 = 3;
