//! What serves a managed site, and until when that is enough.

use std::sync::Arc;
use std::time::Duration;

use super::partial;
use super::schedule::{self, Life};
use super::slot::Slot;
use super::standing::SiteStanding;
use super::terms::ManagedSite;
use crate::live::{CertFacts, CertIndex, OrderedKey, ServedCert};
use crate::name::HostPattern;

/// A site with one type of its keys, and everything that serves. All moments are seconds since the Unix epoch.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) index: &'a CertIndex,
    pub(super) site: &'a ManagedSite,
    pub(super) slot: &'a Slot,
    pub(super) standing: &'a SiteStanding,
    /// When a name that fails may be left out.
    pub(super) partial_after: Option<Duration>,
    pub(super) now: i64,
}

impl View<'_> {
    /// Of all hosts' certificates the one that is to be renewed first; `None`: one of the hosts has none. A site with one type of
    /// key needs none beside a good one of another type: who moves here orders nothing before its time.
    pub(super) fn serving(&self) -> Option<Arc<ServedCert>> {
        let first = self.of_hosts();
        match first {
            Some(first) if self.due(first) > self.now => Some(first),
            // To order the same again would bring the same again.
            _ => self.unused().or(first),
        }
        .map(Arc::clone)
    }

    /// Whether a certificate that is valid serves one of the site's hosts, of whatever type its key is.
    pub(super) fn is_served(&self) -> bool {
        let is_valid = |served: &Arc<ServedCert>| is_good(&served.facts, self.now);
        self.site
            .hosts
            .iter()
            .filter_map(|host| self.index.find_pattern(host))
            .any(|choice| choice.iter().any(is_valid))
    }

    /// The certificate of the site with this type of key, by its fingerprint.
    pub(super) fn predecessor(&self) -> Option<String> {
        let choice = self.index.find_pattern(self.site.hosts.first()?)?;
        let served = choice.iter().find(|served| is_of(served, self.slot.key))?;
        Some(served.facts.fingerprint.to_string())
    }

    fn of_hosts(&self) -> Option<&Arc<ServedCert>> {
        let is_only = self.site.key_types.len() == 1;
        let mut first: Option<(i64, &Arc<ServedCert>)> = None;
        for host in self.hosts() {
            let choice = self.index.find_pattern(host)?;
            let of_type = choice.iter().filter(|served| is_only || is_of(served, self.slot.key));
            let good = of_type.filter(|served| is_good(&served.facts, self.now));
            let last = good.max_by_key(|served| served.facts.not_after)?;
            let at = self.due(last);
            first = first.filter(|(known, _)| *known <= at).or(Some((at, last)));
        }
        first.map(|(_, served)| served)
    }

    /// What was issued lately and does not serve, because something else goes before it: an authority that clients do not know,
    /// beside a certificate of one that they do.
    fn unused(&self) -> Option<&Arc<ServedCert>> {
        let issued = self.standing.issued.filter(|issued| *issued > self.now - LATELY)?;
        let is_for = |served: &ServedCert| {
            self.hosts().all(|host| match host {
                HostPattern::Exact(name) => served.covers(name.as_str()),
                HostPattern::Wildcard(_) => served.names.contains(host),
            })
        };
        let of_then = |served: &&Arc<ServedCert>| {
            let facts = &served.facts;
            let is_new = facts.not_before > issued - A_DAY && is_good(facts, self.now);
            is_new && is_of(served, self.slot.key) && is_for(served)
        };
        self.index.certificates().iter().filter(of_then).max_by_key(|served| self.due(served))
    }

    fn hosts(&self) -> impl Iterator<Item = &HostPattern> {
        partial::expected(self.site, self.standing, self.partial_after)
    }

    fn due(&self, served: &ServedCert) -> i64 {
        let seed = self.slot.seed();
        let suggested = self.standing.suggested(&served.facts.fingerprint, &seed, self.now);
        schedule::due(life(served), suggested, &seed)
    }
}

/// From when until when a certificate is valid.
pub(super) fn life(served: &ServedCert) -> Life {
    Life { not_before: served.facts.not_before, not_after: served.facts.not_after }
}

/// Whether it may serve as long as it is valid.
fn is_good(facts: &CertFacts, now: i64) -> bool {
    let is_stopgap = facts.in_grace || facts.revoked || facts.stand_in || facts.traits.self_signed;
    !is_stopgap && (facts.not_before..=facts.not_after).contains(&now)
}

fn is_of(served: &ServedCert, key: OrderedKey) -> bool {
    served.key_type.label() == key.word()
}

/// Authorities date their certificates back by an hour or so.
const A_DAY: i64 = 86_400;
/// One order a week is within every authority's limits.
const LATELY: i64 = 7 * A_DAY;
