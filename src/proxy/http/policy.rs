//! What a site does with a request besides passing it on: its rules, in the order in which they are asked.

use http::HeaderMap;
use http::header::STRICT_TRANSPORT_SECURITY;
use http::request::Parts;

use super::client;
use super::exchange::Exchange;
use super::plan::Plan;
use crate::live::{Policy, Route, Site};
use crate::telemetry::LocalAnswer;

/// What the site's rules make of a request over HTTPS; `None`: it goes on.
pub(super) fn decide<'r>(
    policy: &Policy,
    site: &Site,
    route: Option<&Route>,
    head: &Parts,
    host: &str,
    exchange: &Exchange,
) -> Option<Plan<'r>> {
    let (path, query, table) = (head.uri.path(), head.uri.query(), &exchange.view.table);
    if let Some((status, location)) = policy.redirects.of(&site.hosts, host, path, query, table.https_port) {
        return Some(Plan::Moved(status, location));
    }
    let access = route.and_then(|route| route.access.as_ref()).or(policy.access.as_ref());
    let client = || client::address(&exchange.connection, &head.headers, &table.trusted_proxies);
    if access.is_some_and(|access| !access.lets_in(client())) {
        return Some(Plan::Answer(LocalAnswer::Denied));
    }
    let (connection, shared) = (&exchange.connection, &exchange.connection.worker.shared);
    let limit = match route.and_then(|route| route.rate_limit.as_ref()) {
        Some((name, limit)) => Some((name, limit)),
        None => policy.rate_limit.as_ref().map(|limit| (&site.name, limit)),
    };
    if let Some((name, limit)) = limit
        && !connection.is_own_check()
        && let Err(wait) = shared.rates.take(name, client(), limit, exchange.started())
    {
        return Some(Plan::Limited(wait));
    }
    if let Some(maintenance) = policy.maintenance.as_ref().filter(|maintenance| maintenance.on)
        && !maintenance.allow.as_ref().is_some_and(|access| access.lets_in(client()))
    {
        return Some(Plan::Maintenance(maintenance.retry_after));
    }
    if let Some(limit) = &policy.connections
        && !connection.is_own_check()
    {
        match shared.crowds.enter(&site.name, client(), limit) {
            Some(place) => exchange.take_place(place),
            None => return Some(Plan::Crowded),
        }
    }
    None
}

/// Adds to a response what the site says with each, whoever made it.
pub(super) fn mark(exchange: &Exchange, headers: &mut HeaderMap) {
    let Some(policy) = exchange.policy() else { return };
    // Over plain HTTP anybody could have said it (RFC 6797 §7.2).
    if let Some(hsts) = &policy.hsts
        && exchange.connection.tls.is_some()
    {
        headers.insert(STRICT_TRANSPORT_SECURITY, hsts.value.clone());
    }
}
