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
use super::policy::{Guest, TooMuch};
use super::request_body::announced_length;
use super::websocket;
use crate::live::{Course, Target, WellKnownObject};
use crate::name::NameBuffer;
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

    let target = Target {
        host,
        path: head.uri.path(),
        query: head.uri.query(),
        is_secure: connection.protocol != Protocol::Plain,
    };
    let route = match site.course(&target, table.https_port, &Guest { exchange, head }) {
        Course::WellKnown(_) if head.method != Method::GET && head.method != Method::HEAD => {
            return Plan::Answer(LocalAnswer::WellKnownMethod);
        }
        Course::WellKnown(object) => return Plan::WellKnown(object),
        Course::ToHttps(location) => return Plan::Redirect(location),
        Course::Moved(status, location) => return Plan::Moved(status, location),
        Course::Denied => return Plan::Answer(LocalAnswer::Denied),
        Course::TooMuch(TooMuch::Often(wait)) => return Plan::Limited(wait),
        Course::TooMuch(TooMuch::AtOnce) => return Plan::Crowded,
        Course::Maintenance(retry_after) => return Plan::Maintenance(retry_after),
        Course::NoRoute => return Plan::Answer(LocalAnswer::NoRoute),
        Course::Forward(route) => route,
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
