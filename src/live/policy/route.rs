//! Rules of a path and all below it.

use super::{Access, OwnLimits, RateLimit};

/// What is said of one route.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoutePolicy {
    /// The path prefix that it is for.
    pub path: Box<str>,
    /// Limits that go before those of the site.
    pub limits: OwnLimits,
    /// Who may come, in place of what the site says.
    pub access: Option<Access>,
    /// How often each client network may ask, in place of what the site says.
    pub rate_limit: Option<RateLimit>,
}
