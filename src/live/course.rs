//! What becomes of a request for a site, decided from its head alone. Whoever serves requests and whoever explains what would become
//! of one ask here, so that both know the same order.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use super::policy::{Access, Connections, Policy, RateLimit, https_origin};
use super::route_table::{Route, Site};
use super::well_known::WellKnownObject;

/// What becomes of a request. `T` is what a visitor who has asked too much is told.
pub enum Course<'t, T> {
    /// The edge has an object at this path.
    WellKnown(Arc<WellKnownObject>),
    /// Plain HTTP goes to HTTPS.
    ToHttps(String),
    /// The site is elsewhere, or its page is.
    Moved(StatusCode, String),
    /// The site keeps this client out.
    Denied,
    /// The client's network asks too often, or too much at once.
    TooMuch(T),
    /// The site is being worked on; for how long.
    Maintenance(Duration),
    /// No route of the site serves the path.
    NoRoute,
    /// To the upstreams of this route.
    Forward(&'t Route),
}

/// What is asked for.
pub struct Target<'a> {
    /// In normal form.
    pub host: &'a str,
    /// As it was sent: with a slash first, or `*`.
    pub path: &'a str,
    /// What follows the path's question mark.
    pub query: Option<&'a str>,
    /// It came over TLS.
    pub is_secure: bool,
}

/// Who asks, and what is known beside the routes.
pub trait Visitor {
    /// What is to be said to one who has asked too much.
    type TooMuch;

    /// What the edge has for this path.
    fn well_known(&self, host: &str, path: &str) -> Option<Arc<WellKnownObject>>;

    /// Whether `access` lets the client in.
    fn is_let_in(&self, access: &Access) -> bool;

    /// Whether the client is one of those that `access` makes an exception for.
    fn is_excepted(&self, access: &Access) -> bool;

    /// Counts a request for the client's network under this name.
    ///
    /// # Errors
    /// There were too many.
    fn take_turn(&self, name: &str, limit: &RateLimit) -> Result<(), Self::TooMuch>;

    /// Counts a request as under way for the client's network.
    ///
    /// # Errors
    /// There are as many as there may be.
    fn enter(&self, site: &str, limit: &Connections) -> Result<(), Self::TooMuch>;
}

impl Site {
    /// What becomes of a request for `target`, a host of this site. `https_port` is the one that clients know.
    #[inline]
    pub fn course<V: Visitor>(&self, target: &Target, https_port: u16, visitor: &V) -> Course<'_, V::TooMuch> {
        let Target { host, path, query, is_secure } = *target;
        if path.starts_with(WELL_KNOWN)
            && let Some(object) = visitor.well_known(host, path)
        {
            return Course::WellKnown(object);
        }
        // `OPTIONS *` asks about the server as a whole, which is what stands behind the shortest prefix.
        let path = if path == "*" { "/" } else { path };
        if !is_secure {
            // The host is a configured one, so this cannot be made to lead elsewhere.
            let mut location = https_origin(host, https_port) + path;
            if let Some(query) = query {
                location.extend(["?", query]);
            }
            return Course::ToHttps(location);
        }
        let route = self.route(path);
        let ruled = self.policy.as_ref().and_then(|policy| self.ruled(policy, route, target, https_port, visitor));
        match (ruled, route) {
            (Some(course), _) => course,
            (None, Some(route)) => Course::Forward(route),
            (None, None) => Course::NoRoute,
        }
    }

    /// What the site's rules make of a request over HTTPS; `None`: it goes on.
    fn ruled<V: Visitor>(
        &self,
        policy: &Policy,
        route: Option<&Route>,
        target: &Target,
        https_port: u16,
        visitor: &V,
    ) -> Option<Course<'_, V::TooMuch>> {
        let Target { host, path, query, .. } = *target;
        if let Some((status, location)) = policy.redirects.of(&self.hosts, host, path, query, https_port) {
            return Some(Course::Moved(status, location));
        }
        let access = route.and_then(|route| route.access.as_ref()).or(policy.access.as_ref());
        if access.is_some_and(|access| !visitor.is_let_in(access)) {
            return Some(Course::Denied);
        }
        let limit = match route.and_then(|route| route.rate_limit.as_ref()) {
            Some((name, limit)) => Some((name, limit)),
            None => policy.rate_limit.as_ref().map(|limit| (&self.name, limit)),
        };
        if let Some(Err(too_much)) = limit.map(|(name, limit)| visitor.take_turn(name, limit)) {
            return Some(Course::TooMuch(too_much));
        }
        if let Some(maintenance) = policy.maintenance.as_ref().filter(|maintenance| maintenance.on)
            && !maintenance.allow.as_ref().is_some_and(|allow| visitor.is_excepted(allow))
        {
            return Some(Course::Maintenance(maintenance.retry_after));
        }
        let entered = policy.connections.as_ref().map(|limit| visitor.enter(&self.name, limit));
        entered.and_then(Result::err).map(Course::TooMuch)
    }
}

/// RFC 8615 §3
const WELL_KNOWN: &str = "/.well-known/";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;
    use crate::live::{Provision, RouteTable, SiteSpec};
    use crate::name::HostPattern;

    /// Somebody who may do everything.
    struct Anybody;

    impl Visitor for Anybody {
        type TooMuch = std::convert::Infallible;

        fn well_known(&self, _: &str, _: &str) -> Option<Arc<WellKnownObject>> {
            None
        }

        fn is_let_in(&self, _: &Access) -> bool {
            true
        }

        fn is_excepted(&self, _: &Access) -> bool {
            true
        }

        fn take_turn(&self, _: &str, _: &RateLimit) -> Result<(), Self::TooMuch> {
            Ok(())
        }

        fn enter(&self, _: &str, _: &Connections) -> Result<(), Self::TooMuch> {
            Ok(())
        }
    }

    #[test]
    fn plain_http_goes_to_the_same_place_and_the_port_is_named_unless_it_is_the_usual_one() {
        let site = SiteSpec {
            name: "shop".into(),
            hosts: vec![HostPattern::parse("shop.example").expect("a host")],
            routes: Vec::new(),
            minimum_validation: None,
            staging: false,
            provision: Provision::Uploaded,
            on_demand: Default::default(),
            orders: Default::default(),
            policy: Default::default(),
        };
        let table = RouteTable::new(vec![site], Limits::default(), Vec::new(), 443);
        let site = table.site_of("shop.example").expect("a site");
        for (path, query, port, location) in [
            ("/a", Some("b=c"), 443, "https://shop.example/a?b=c"),
            ("//evil.example", None, 8443, "https://shop.example:8443//evil.example"),
            ("/", Some(""), 443, "https://shop.example/?"),
            ("*", None, 443, "https://shop.example/"),
        ] {
            let target = Target { host: "shop.example", path, query, is_secure: false };
            let Course::ToHttps(to) = site.course(&target, port, &Anybody) else { panic!("{location}") };
            assert_eq!(to, location);
        }
    }
}
