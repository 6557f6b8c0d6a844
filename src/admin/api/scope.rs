//! How far somebody reaches who has a role for some organisations and none for the edge.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::admin::Sources;
use crate::admin::problem::{Kind, Problem};
use crate::admin::rights::Caller;
use crate::live::{RouteTable, Site};
use crate::name::HostPattern;
use crate::words::refusal::Refusal;

/// How far somebody reaches whose role is for some organisations.
#[derive(Clone)]
pub(in crate::admin) struct Scope {
    /// The organisations.
    pub(super) organisations: BTreeSet<String>,
    /// Those of them of which something may be changed.
    operated: BTreeSet<String>,
    /// The sites that may be looked at.
    seen: BTreeSet<String>,
    /// Those of which something may be changed.
    changed: BTreeSet<String>,
    pub(super) routes: Arc<RouteTable>,
}

impl Scope {
    /// `None`: the caller has a role for the edge.
    pub(in crate::admin) fn of(caller: &Caller, sources: &Sources) -> Option<Self> {
        let roles = caller.organisations()?;
        let seen = sources.people.sites_of(roles.iter().map(|(id, _)| *id));
        let operated: Vec<&str> = roles.iter().filter(|(_, operates)| *operates).map(|(id, _)| *id).collect();
        let changed = sources.people.sites_of(operated.iter().copied());
        let organisations = roles.iter().map(|(id, _)| (*id).to_owned()).collect();
        let operated = operated.into_iter().map(str::to_owned).collect();
        Some(Self { organisations, operated, seen, changed, routes: sources.routes.snapshot() })
    }

    /// The organisations themselves.
    pub(super) fn organisations(&self) -> &BTreeSet<String> {
        &self.organisations
    }

    /// Whether something that this organisation owns may be looked at.
    pub(in crate::admin) fn sees_of(&self, owner: Option<&str>) -> bool {
        owner.is_some_and(|owner| self.organisations.contains(owner))
    }

    /// Whether it may be changed.
    pub(in crate::admin) fn changes_of(&self, owner: Option<&str>) -> bool {
        owner.is_some_and(|owner| self.operated.contains(owner))
    }

    /// The organisations of which something may be changed.
    pub(super) fn operated(&self) -> &BTreeSet<String> {
        &self.operated
    }

    /// Whether a site may be looked at.
    pub(in crate::admin) fn sees_site(&self, site: &str) -> bool {
        self.seen.contains(site)
    }

    /// Whether something of a site may be changed.
    pub(in crate::admin) fn changes_site(&self, site: &str) -> bool {
        self.changed.contains(site)
    }

    /// Whether something that is for these sites and names may be looked at: one of them is theirs.
    pub(super) fn sees(&self, sites: &BTreeSet<String>) -> bool {
        sites.iter().any(|site| self.seen.contains(site))
    }

    /// Whether it may be changed: all of them are theirs.
    pub(super) fn changes(&self, sites: &BTreeSet<String>) -> bool {
        !sites.is_empty() && sites.iter().all(|site| self.changed.contains(site))
    }

    /// The sites that something is for which has these names: those it can serve.
    pub(super) fn touched<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
        touched(&self.routes, names)
    }

    /// The sites that have this host.
    pub(super) fn having(&self, host: &str) -> BTreeSet<String> {
        let host = HostPattern::parse(host).ok();
        let has = |site: &&Arc<Site>| host.as_ref().is_some_and(|host| site.hosts.contains(host));
        self.routes.sites().iter().filter(has).map(|site| site.name.to_string()).collect()
    }

    /// Refuses something new that is not for their sites alone.
    pub(super) fn demand_new(&self, sites: &BTreeSet<String>) -> Result<(), Problem> {
        if self.changes(sites) {
            return Ok(());
        }
        let text = "this is not for sites of yours alone, of which you may change something; name such sites, or ask somebody who has a \
                    role for the edge";
        Err(Problem::new(Kind::NotAllowed, text).because(Refusal::OthersOwn))
    }
}

/// The sites that something is for which has these names: those it can serve.
pub(super) fn touched<'a>(routes: &RouteTable, names: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    let names: Vec<HostPattern> = names.into_iter().filter_map(|name| HostPattern::parse(name).ok()).collect();
    let serves = |host: &HostPattern| {
        names.iter().any(|name| match host {
            HostPattern::Exact(exact) => name.covers(exact.as_str()),
            // The names below a wildcard are those of the site, each by itself too.
            HostPattern::Wildcard(_) => {
                name == host || matches!(name, HostPattern::Exact(exact) if host.covers(exact.as_str()))
            }
        })
    };
    let sites = routes.sites().iter();
    sites.filter(|site| site.hosts.iter().any(serves)).map(|site| site.name.to_string()).collect()
}
