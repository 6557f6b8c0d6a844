//! What a site does with requests besides passing them on: the parts of `[[site]]` that are about answers.

mod access;
mod compression;
mod field_rules;
mod hsts;
mod pages;
mod rate;
mod redirect;
mod tls;

pub use field_rules::may_touch_field;

use super::bounds;
use super::reader::{Pad, Placed, Section};
use crate::live::{Hsts, Policy, RoutePolicy};
use crate::name::HostPattern;

/// What is said of one site, and where.
#[derive(Default)]
pub(super) struct ReadPolicy {
    policy: Policy,
    redirects: redirect::Places,
    hsts: Option<Placed<Hsts>>,
}

impl ReadPolicy {
    /// Reads what `site` says.
    pub(super) fn read(site: &Section<'_>) -> Self {
        let (redirects, places) = redirect::read(site);
        let hsts = hsts::read(site);
        let policy = Policy {
            redirects,
            tls: tls::read(site),
            hsts: hsts.as_ref().map(|hsts| hsts.value.clone()),
            request_headers: field_rules::of_requests(site),
            response_headers: field_rules::of_responses(site),
            limits: bounds::own(&site.table_of("limits", "site.limits")),
            access: access::read(site),
            rate_limit: rate::read(&site.table_of("rate_limit", "site.rate_limit")),
            connections: rate::connections(site),
            maintenance: pages::maintenance(site),
            compression: compression::read(site),
            error_pages: pages::read(site),
            routes: Box::default(),
        };
        Self { policy, redirects: places, hsts }
    }

    /// What is not said as `model` has it.
    pub(super) fn inherit(&mut self, model: &Policy) {
        self.policy.inherit(model);
    }

    /// What `model` says of its routes, which are this one's too.
    pub(super) fn inherit_routes(&mut self, model: &Policy) {
        self.policy.inherit_routes(model);
    }

    /// Takes what was read of single routes.
    pub(super) fn with_routes(mut self, routes: Vec<RoutePolicy>) -> Self {
        self.policy.routes = routes.into();
        self
    }

    /// Remarks on what does not fit the site.
    pub(super) fn check(&self, pad: &Pad<'_>, hosts: &[Placed<HostPattern>]) {
        self.redirects.check(pad, &self.policy.redirects, hosts);
        if let Some(hsts) = &self.hsts {
            hsts::check(pad, hsts, hosts);
        }
    }

    /// What is said of a site's answers.
    pub(super) fn finish(self) -> Policy {
        self.policy
    }
}

/// What `route` says of the path `path`; `None`: nothing.
pub(super) fn of_route(route: &Section<'_>, path: &str) -> Option<RoutePolicy> {
    let limits = bounds::own(&route.table_of("limits", "site.route.limits"));
    let rate_limit = rate::read(&route.table_of("rate_limit", "site.route.rate_limit"));
    let policy = RoutePolicy { path: path.into(), limits, access: access::read(route), rate_limit };
    (policy != RoutePolicy { path: path.into(), ..RoutePolicy::default() }).then_some(policy)
}
