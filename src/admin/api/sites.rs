//! The configured sites: which certificate serves each host and why, and where requests go.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Serialize;

use super::{state, timestamp};
use crate::admin::Sources;
use crate::live::{CertFacts, CertIndex, RouteTable, ServedCert, Site};
use crate::name::{self, HostPattern};

/// One site.
#[derive(Serialize)]
pub(super) struct SiteEntry {
    name: String,
    hosts: Vec<Host>,
    routes: Vec<RouteEntry>,
}

#[derive(Serialize)]
struct Host {
    host: String,
    state: &'static str,
    certificates: Vec<Serving>,
}

#[derive(Serialize)]
struct Serving {
    key_type: &'static str,
    fingerprint: String,
    not_after: String,
    rule: &'static str,
}

#[derive(Serialize)]
struct RouteEntry {
    path: String,
    upstreams: Vec<String>,
}

/// Every site in the order of the configuration.
pub(super) fn list(sources: &Sources, now: i64) -> Vec<SiteEntry> {
    let (index, routes) = (sources.certificates.snapshot(), sources.routes.snapshot());
    let candidates = Candidates::of(&index);
    let host = |pattern: &HostPattern| host(pattern, &index, &candidates, now);
    let entry = |site: &Arc<Site>| SiteEntry {
        name: site.name.to_string(),
        hosts: site.hosts.iter().map(host).collect(),
        routes: site.routes().iter().map(|route| route_entry(&routes, &route.prefix, route.group)).collect(),
    };
    routes.sites().iter().map(entry).collect()
}

fn host(pattern: &HostPattern, index: &CertIndex, candidates: &Candidates<'_>, now: i64) -> Host {
    let served: Vec<_> = index.find_pattern(pattern).into_iter().flat_map(|choice| choice.iter()).collect();
    let states: Vec<_> =
        served.iter().map(|served| state(served.facts.not_before, served.facts.not_after, now)).collect();
    let state = match states.first() {
        None => "no certificate",
        Some(_) if states.contains(&"valid") => "served",
        Some(_) if states.contains(&"not_yet_valid") => "not yet valid",
        Some(_) => "expired",
    };
    let serving = |served: &Arc<ServedCert>| Serving {
        key_type: served.key_type.label(),
        fingerprint: served.facts.fingerprint.to_string(),
        not_after: timestamp(served.facts.not_after),
        rule: candidates.rule(pattern, served, now),
    };
    Host { host: pattern.to_string(), state, certificates: served.into_iter().map(serving).collect() }
}

fn route_entry(routes: &RouteTable, prefix: &str, group: usize) -> RouteEntry {
    let upstreams = routes.groups().get(group).map(|group| group.upstreams.iter().map(ToString::to_string).collect());
    RouteEntry { path: prefix.into(), upstreams: upstreams.unwrap_or_default() }
}

/// Which certificates could serve a name, to tell why the one that does was chosen.
struct Candidates<'a>(HashMap<&'a HostPattern, Vec<&'a Arc<ServedCert>>>);

impl<'a> Candidates<'a> {
    fn of(index: &'a CertIndex) -> Self {
        let mut by_name: HashMap<_, Vec<_>> = HashMap::new();
        for served in index.certificates() {
            for pattern in &served.names {
                by_name.entry(pattern).or_default().push(served);
            }
        }
        Self(by_name)
    }

    /// The first rule, in the order they are applied, by which `chosen` goes before the next best of its type of key.
    fn rule(&self, pattern: &HostPattern, chosen: &Arc<ServedCert>, now: i64) -> &'static str {
        let others = |pattern: &HostPattern| {
            let same_kind = |other: &&&Arc<ServedCert>| {
                other.key_type.label() == chosen.key_type.label() && other.facts.fingerprint != chosen.facts.fingerprint
            };
            self.0.get(pattern).into_iter().flatten().find(same_kind).copied()
        };
        let is_exact = chosen.names.contains(pattern);
        let place = if is_exact { Some(pattern.clone()) } else { wildcard_of(pattern) };
        match place.as_ref().and_then(others) {
            Some(other) => decisive(chosen, other, now),
            None if is_exact && wildcard_of(pattern).as_ref().and_then(others).is_some() => {
                "exact name before wildcard"
            }
            None => "only candidate",
        }
    }
}

/// The only wildcard that can cover a name.
fn wildcard_of(pattern: &HostPattern) -> Option<HostPattern> {
    match pattern {
        HostPattern::Exact(exact) => HostPattern::parse(&format!("*.{}", name::parent(exact.as_str())?)).ok(),
        HostPattern::Wildcard(_) => None,
    }
}

fn decisive(chosen: &ServedCert, other: &ServedCert, now: i64) -> &'static str {
    let (chosen, other) = (&chosen.facts, &other.facts);
    let valid = |facts: &CertFacts| state(facts.not_before, facts.not_after, now) == "valid";
    if valid(chosen) != valid(other) {
        "valid now before not valid now"
    } else if chosen.vouched != other.vouched {
        "complete chain before none"
    } else if chosen.in_grace != other.in_grace {
        "in place before withdrawn"
    } else if chosen.not_before != other.not_before {
        "issued later"
    } else if chosen.not_after != other.not_after {
        "valid longer"
    } else {
        "fingerprint"
    }
}
