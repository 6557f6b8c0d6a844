//! Requests that are sent elsewhere.

use super::plan::{Place, Provision};
use crate::name::{HostName, HostPattern};

/// A `[[site.redirect]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// Of which of the site's hosts; empty: of all.
    pub hosts: Vec<HostPattern>,
    /// Of which path, and all below it.
    pub path: String,
    /// An address, or a path.
    pub to: String,
    /// 301, 302, 307 or 308.
    pub status: u16,
    /// Whether the rest of the path and the query go behind it.
    pub keep: bool,
}

impl Redirect {
    /// Whether a site with these names may have it.
    pub(super) fn is_of(&self, hosts: &[HostPattern]) -> bool {
        let is_one = |host: &HostPattern| match host {
            HostPattern::Exact(exact) => hosts.iter().any(|own| own.covers(exact.as_str())),
            HostPattern::Wildcard(_) => hosts.contains(host),
        };
        self.hosts.iter().all(is_one)
    }
}

/// Names that only lead elsewhere.
#[derive(Clone, Debug)]
pub(super) struct Elsewhere {
    pub(super) hosts: Vec<HostPattern>,
    pub(super) redirects: Vec<Redirect>,
    pub(super) provision: Provision,
    pub(super) place: Place,
}

/// What `site.redirect.to` takes, but for plain HTTP, from where the edge leads back.
pub(super) fn is_target(to: &str) -> bool {
    let is_plain = to.bytes().all(|octet| octet.is_ascii_graphic()) && !to.contains(['$', '?', '#', '\\', '@', '"']);
    let host = to.strip_prefix("https://").map(|rest| rest.split(['/', ':']).next().unwrap_or_default());
    let is_address = host.is_some_and(|host| HostName::parse(host).is_ok());
    is_plain && (is_address || to.starts_with('/') && !to.starts_with("//"))
}
