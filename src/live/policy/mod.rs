//! What a site does with requests besides passing them on.

mod access;
mod compression;
mod connections;
mod demands;
mod field_rules;
mod hsts;
mod limits;
mod maintenance;
mod pages;
mod rate;
mod redirect;
mod route;

use std::sync::Arc;

use crate::limits::Limits;

pub use access::Access;
pub use compression::{Coding, Compression};
pub use connections::Connections;
pub use demands::{ClientCheck, ClientDemands, Demands, TlsVersion};
pub use field_rules::FieldRules;
pub use hsts::Hsts;
pub use limits::OwnLimits;
pub use maintenance::{Maintenance, RETRY_AFTER};
pub use pages::ErrorPages;
pub use rate::RateLimit;
pub use redirect::{Redirect, RedirectTarget, Redirects, Www, https_origin};
pub use route::RoutePolicy;

/// The rules of one site. Each part that is absent costs nothing; a site without any has no policy at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Where its requests are sent instead.
    pub redirects: Redirects,
    /// What it asks of the TLS of its clients; `None`: what the edge asks of all.
    pub tls: Option<Demands>,
    /// What browsers are told over TLS, whatever the shop says.
    pub hsts: Option<Hsts>,
    /// Fields of requests on their way to the shop.
    pub request_headers: Option<FieldRules>,
    /// Fields of the shop's responses on their way to the client.
    pub response_headers: Option<FieldRules>,
    /// Limits that go before those of the edge.
    pub limits: OwnLimits,
    /// Who may come; `None`: everybody.
    pub access: Option<Access>,
    /// How often each client network may ask; `None`: as it likes.
    pub rate_limit: Option<RateLimit>,
    /// How many requests each client network may have under way; `None`: as many as it likes.
    pub connections: Option<Connections>,
    /// Whether it is being worked on; `None`: it is not.
    pub maintenance: Option<Maintenance>,
    /// Which of the shop's answers are compressed; `None`: none.
    pub compression: Option<Compression>,
    /// Pages in place of the edge's own.
    pub error_pages: Option<ErrorPages>,
    /// What is said of single routes, in no order.
    pub routes: Box<[RoutePolicy]>,
}

impl Policy {
    /// What is not said here as `model` has it.
    pub fn inherit(&mut self, model: &Self) {
        self.redirects.inherit(&model.redirects);
        keep_or_take(&mut self.tls, &model.tls);
        keep_or_take(&mut self.hsts, &model.hsts);
        keep_or_take(&mut self.request_headers, &model.request_headers);
        keep_or_take(&mut self.response_headers, &model.response_headers);
        self.limits.inherit(&model.limits);
        keep_or_take(&mut self.access, &model.access);
        keep_or_take(&mut self.rate_limit, &model.rate_limit);
        keep_or_take(&mut self.connections, &model.connections);
        keep_or_take(&mut self.maintenance, &model.maintenance);
        keep_or_take(&mut self.compression, &model.compression);
        keep_or_take(&mut self.error_pages, &model.error_pages);
    }

    /// What `model` says of its routes, which are this one's too.
    pub fn inherit_routes(&mut self, model: &Self) {
        self.routes.clone_from(&model.routes);
    }

    /// The limits of the route of this very prefix; `None`: those of the edge.
    pub(super) fn limits_of(&self, prefix: &str, edge: &Limits) -> Option<Limits> {
        let mut limits = self.of_route(prefix).map(|route| route.limits.clone()).unwrap_or_default();
        limits.inherit(&self.limits);
        limits.over(edge)
    }

    /// What the route of this very prefix says in place of the site.
    pub(super) fn access_of(&self, prefix: &str) -> Option<Access> {
        self.of_route(prefix).and_then(|route| route.access.clone())
    }

    /// How often each client network may ask the route of this very prefix, in place of what the site says.
    pub(super) fn rate_of(&self, prefix: &str) -> Option<RateLimit> {
        self.of_route(prefix).and_then(|route| route.rate_limit.clone())
    }

    fn of_route(&self, prefix: &str) -> Option<&RoutePolicy> {
        self.routes.iter().find(|route| &*route.path == prefix)
    }

    /// For the table; `None`: there is no rule.
    #[must_use]
    pub fn kept(self) -> Option<Arc<Self>> {
        (self != Self::default()).then(|| Arc::new(self))
    }
}

fn keep_or_take<T: Clone>(own: &mut Option<T>, model: &Option<T>) {
    if own.is_none() {
        own.clone_from(model);
    }
}
