//! What is done with a request, decided from its head alone: gate, name, well-known objects, the site's
//! policy, route. In that order.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;
use http::{Method, StatusCode};

use super::client;
use super::exchange::Exchange;
use super::gate;
use super::policy;
use super::request_body::announced_length;
use super::websocket;
use crate::live::{WellKnownObject, https_origin};
use crate::name::NameBuffer;
use crate::proxy::worker::Worker;
use crate::telemetry::{GateRule, LocalAnswer, Protocol};

/// What is done with a request.
pub(super) enum Plan<'r> {
    /// The gate refuses it.
    Refuse(GateRule),
    /// The edge answers by itself.
    Answer(LocalAnswer),
    /// A well-known object.
    WellKnown(Arc<WellKnownObject>),
    /// Plain HTTP goes to HTTPS.
    Redirect(String),
    /// The site is elsewhere, or its page is.
    Moved(StatusCode, String),
    /// The client's network asks too often; for how long yet.
    Limited(Duration),
    /// The client's network has as many requests under way as it may.
    Crowded,
    /// The site is being worked on; for how long.
    Maintenance(Duration),
    /// To an upstream of this group.
    Forward {
        /// Place of the group in the routes.
        group: usize,
        /// `Host` for the upstream.
        authority: &'r str,
        /// It is a WebSocket handshake.
        upgrade: bool,
    },
}

/// Decides. Nothing here waits.
pub(super) fn plan<'r>(head: &'r Parts, has_body: bool, exchange: &Rc<Exchange>) -> Plan<'r> {
    let connection = &exchange.connection;
    let passed = match gate::pass(head, has_body, &connection.limits) {
        Ok(passed) => passed,
        Err(rule) => return Plan::Refuse(rule),
    };

    if connection.worker.shared.shortage.is_on() && !connection.is_own_check() {
        return Plan::Answer(LocalAnswer::Memory);
    }
    let mut buffer = NameBuffer::new();
    let host = buffer.normalise(passed.host).unwrap_or(passed.host);
    exchange.note_host(host);
    if !connection.may_ask_for(host) {
        return Plan::Answer(LocalAnswer::Misdirected);
    }
    let table = &exchange.view.table;
    // A connection from before, or one of somebody's that a trusted proxy brings.
    if table.denied.is_some()
        && !connection.is_own_check()
        && table.turns_away(client::address(connection, &head.headers, &table.trusted_proxies))
    {
        return Plan::Answer(LocalAnswer::Denied);
    }
    let Some(site) = table.site_of(host) else { return Plan::Answer(LocalAnswer::UnknownHost) };
    exchange.note_site(site);

    let path = head.uri.path();
    if path.starts_with(WELL_KNOWN)
        && let Some(object) = well_known(&connection.worker, host, path)
    {
        if head.method != Method::GET && head.method != Method::HEAD {
            return Plan::Answer(LocalAnswer::WellKnownMethod);
        }
        return Plan::WellKnown(object);
    }
    if connection.protocol == Protocol::Plain {
        let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
        return Plan::Redirect(https_location(host, table.https_port, target));
    }
    // `OPTIONS *` asks about the server as a whole, which is what stands behind the shortest prefix.
    let route = site.route(if path == "*" { "/" } else { path });
    if let Some(policy) = &site.policy
        && let Some(plan) = policy::decide(policy, site, route, head, host, exchange)
    {
        return plan;
    }
    let Some(route) = route else {
        return Plan::Answer(LocalAnswer::NoRoute);
    };
    if let Some(limits) = &route.limits {
        exchange.limit(limits);
    }
    let limit = exchange.limits().body_size;
    if limit > 0 && announced_length(&head.headers).is_some_and(|length| length > limit) {
        return Plan::Refuse(GateRule::BodySize);
    }
    Plan::Forward { group: route.group, authority: passed.authority, upgrade: websocket::is_handshake(head) }
}

/// What an authority asks for goes before what the operator has there.
fn well_known(worker: &Worker, host: &str, path: &str) -> Option<Arc<WellKnownObject>> {
    if let Some(answer) = worker.challenges.borrow_mut().load().find(host, path) {
        return Some(Arc::clone(answer));
    }
    worker.well_known.borrow_mut().load().find(host, path).cloned()
}

/// The same place over HTTPS. The host is a configured one, so this cannot be made to lead elsewhere.
fn https_location(host: &str, port: u16, target: &str) -> String {
    https_origin(host, port) + if target == "*" { "/" } else { target }
}

/// RFC 8615 §3
const WELL_KNOWN: &str = "/.well-known/";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_named_unless_it_is_the_usual_one() {
        assert_eq!(https_location("shop.example", 443, "/a?b=c"), "https://shop.example/a?b=c");
        assert_eq!(https_location("shop.example", 8443, "//evil.example"), "https://shop.example:8443//evil.example");
    }
}
