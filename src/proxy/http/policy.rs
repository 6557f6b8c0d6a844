//! What a site's rules want to know of a request, and what it says with each response.

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use http::header::STRICT_TRANSPORT_SECURITY;
use http::request::Parts;

use super::client;
use super::exchange::Exchange;
use crate::live::{Access, Connections, RateLimit, Visitor, WellKnownObject};

/// Who makes a request.
pub(super) struct Guest<'a> {
    pub(super) exchange: &'a Rc<Exchange>,
    pub(super) head: &'a Parts,
}

impl Guest<'_> {
    fn address(&self) -> IpAddr {
        client::address(&self.exchange.connection, &self.head.headers, &self.exchange.view.table.trusted_proxies)
    }
}

/// What the client's network has had too much of.
pub(super) enum TooMuch {
    /// Requests; for how long yet.
    Often(Duration),
    /// Requests under way.
    AtOnce,
}

impl Visitor for Guest<'_> {
    type TooMuch = TooMuch;

    /// What an authority asks for goes before what the operator has there.
    fn well_known(&self, host: &str, path: &str) -> Option<Arc<WellKnownObject>> {
        let worker = &self.exchange.connection.worker;
        if let Some(answer) = worker.challenges.borrow_mut().load().find(host, path) {
            return Some(Arc::clone(answer));
        }
        worker.well_known.borrow_mut().load().find(host, path).cloned()
    }

    fn is_let_in(&self, access: &Access) -> bool {
        access.lets_in(self.address())
    }

    fn is_excepted(&self, access: &Access) -> bool {
        access.lets_in(self.address())
    }

    fn take_turn(&self, name: &str, limit: &RateLimit) -> Result<(), TooMuch> {
        let connection = &self.exchange.connection;
        if connection.is_own_check() {
            return Ok(());
        }
        let taken = connection.worker.shared.rates.take(name, self.address(), limit, self.exchange.started());
        taken.map_err(TooMuch::Often)
    }

    fn enter(&self, site: &str, limit: &Connections) -> Result<(), TooMuch> {
        let connection = &self.exchange.connection;
        if connection.is_own_check() {
            return Ok(());
        }
        let place = connection.worker.shared.crowds.enter(site, self.address(), limit).ok_or(TooMuch::AtOnce)?;
        self.exchange.take_place(place);
        Ok(())
    }
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
