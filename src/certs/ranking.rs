//! Which certificate serves a name when several could: one order, always the same, whatever the files are called.

mod shift;

use std::cmp::Reverse;
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};

use super::judgement::Minimums;
use crate::live::{CertIndex, ServedCert};
use crate::name::{self, HostPattern};

pub(super) use shift::Shift;

/// A certificate's place in the order, and the names it stands for there.
#[derive(Clone)]
pub(super) struct Ranked {
    certificate: Arc<ServedCert>,
    /// `None`: all its names.
    names: Option<Box<[HostPattern]>>,
}

/// Puts certificates in order, best first: valid now, trusted, with its issuer, not revoked, not in grace, issued later, valid longer, fingerprint.
///
/// Exact names go before wildcards and each type of key has its own choice, so the order alone does not keep an expired
/// certificate back where a valid one covers its name otherwise. It therefore stands only for the names that nothing better
/// covers; the same holds for one that leads to no root, for one without its issuer and for one in grace.
///
/// One of which less was checked than a site asks for does not serve that site's names where one does that is valid, trusted and
/// whole as it is. It does where nothing else could: a browser that is content is better than one that is refused.
pub(super) fn ranked(certificates: &[Arc<ServedCert>], minimums: &Minimums, now: i64) -> Vec<Ranked> {
    let mut order: Vec<(Place, &Arc<ServedCert>)> =
        certificates.iter().map(|certificate| (Place::of(certificate, now), certificate)).collect();
    order.sort_unstable_by(|(place, one), (other_place, other)| {
        place.cmp(other_place).then_with(|| one.facts.fingerprint.cmp(&other.facts.fingerprint))
    });
    let mut ranked = Vec::with_capacity(order.len());
    // Nearly always there is one tier only, and nothing to look up; else few are below it.
    let best = order.iter().take_while(|(place, _)| place.tier == order[0].0.tier).count();
    let below = asked_about(order[best..].iter().flat_map(|(_, served)| served.names.iter()));
    let mut covered: HashSet<&HostPattern> = HashSet::new();
    for of_credit in order.chunk_by(|(place, _), (next, _)| place.tier.credit() == next.tier.credit()) {
        let enough = enough(of_credit, minimums);
        let gives_way = |served: &ServedCert, name: &HostPattern| {
            !enough.is_empty() && minimums.exceed(served, name) && is_covered(&enough, name)
        };
        for of_tier in of_credit.chunk_by(|(place, _), (next, _)| place.tier == next.tier) {
            let stands_for =
                |served: &ServedCert, name: &HostPattern| !is_covered(&covered, name) && !gives_way(served, name);
            for (_, served) in of_tier {
                let stands_for_all = served.names.iter().all(|name| stands_for(served, name));
                let left = || served.names.iter().filter(|name| stands_for(served, name)).cloned().collect();
                let names = (!stands_for_all).then(left);
                ranked.push(Ranked { certificate: Arc::clone(served), names });
            }
            if !below.is_empty() {
                let served = of_tier.iter().flat_map(|(_, served)| served.names.iter().map(move |name| (served, name)));
                let served = served.filter(|(served, name)| below.contains(*name) && !gives_way(served, name));
                covered.extend(served.map(|(_, name)| name));
            }
        }
    }
    ranked
}

/// The names of which as much was checked as is asked for, among those of which less was checked elsewhere.
fn enough<'c>(order: &[(Place, &'c Arc<ServedCert>)], minimums: &Minimums) -> HashSet<&'c HostPattern> {
    if minimums.is_empty() {
        return HashSet::new();
    }
    let names = || order.iter().flat_map(|(_, served)| served.names.iter().map(move |name| (served, name)));
    let lacking = asked_about(names().filter(|(served, name)| minimums.exceed(served, name)).map(|(_, name)| name));
    if lacking.is_empty() {
        return HashSet::new();
    }
    let enough = names().filter(|(served, name)| lacking.contains(*name) && !minimums.exceed(served, name));
    enough.map(|(_, name)| name).collect()
}

/// All that [`is_covered`] looks up for these names.
pub(super) fn asked_about<'n>(names: impl Iterator<Item = &'n HostPattern>) -> HashSet<HostPattern> {
    names.flat_map(|name| [Some(name.clone()), wildcard_above(name)]).flatten().collect()
}

/// Whose certificates serve certain hosts whatever ranks better.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) hosts: Vec<HostPattern>,
    pub(super) by: By,
}

/// What a rule names.
#[derive(Clone, Debug)]
pub(super) enum By {
    /// A certificate that stands for nothing else.
    Own(Arc<ServedCert>),
    /// Certificates of the order, by their fingerprints.
    Fingerprints(Vec<String>),
    /// A certificate for those of the hosts that nothing else is for.
    StandIn(Arc<ServedCert>),
}

impl Rule {
    /// Whether `other` in its place would change nothing.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let is_same = match (&self.by, &other.by) {
            (By::Own(one), By::Own(other)) | (By::StandIn(one), By::StandIn(other)) => Arc::ptr_eq(one, other),
            (By::Fingerprints(ones), By::Fingerprints(others)) => ones == others,
            _ => false,
        };
        is_same && self.hosts == other.hosts
    }
}

/// Puts rules above the order. A rule that names nothing valid for a host has no say over it; those hosts are given back.
pub(super) fn governed(mut order: Vec<Ranked>, rules: &[Rule], now: i64) -> (Vec<Ranked>, Vec<HostPattern>) {
    let mut ignored = Vec::new();
    if rules.is_empty() {
        return (order, ignored);
    }
    // By certificate, the hosts it is to serve; and all hosts that are governed.
    let mut taken: HashMap<*const ServedCert, Vec<HostPattern>> = HashMap::new();
    let mut hosts: HashSet<&HostPattern> = HashSet::new();
    let mut own: Vec<Ranked> = Vec::new();
    for rule in rules {
        let named: Vec<&Arc<ServedCert>> = match &rule.by {
            By::Own(certificate) => {
                let names = Some(rule.hosts.clone().into_boxed_slice());
                own.push(Ranked { certificate: Arc::clone(certificate), names });
                hosts.extend(&rule.hosts);
                continue;
            }
            By::StandIn(_) => continue,
            By::Fingerprints(wanted) => {
                let is_named =
                    |facts: &crate::live::CertFacts| wanted.iter().any(|wanted| **wanted == *facts.fingerprint);
                let valid = |facts: &crate::live::CertFacts| (facts.not_before..=facts.not_after).contains(&now);
                let found = order.iter().map(Ranked::certificate);
                found.filter(|served| is_named(&served.facts) && valid(&served.facts)).collect()
            }
        };
        for host in &rule.hosts {
            let fit: Vec<_> = named.iter().filter(|served| is_for(served, host)).collect();
            if fit.is_empty() {
                ignored.push(host.clone());
                continue;
            }
            hosts.insert(host);
            for served in fit {
                taken.entry(Arc::as_ptr(served)).or_default().push(host.clone());
            }
        }
    }
    for ranked in &mut order {
        let given = taken.remove(&Arc::as_ptr(&ranked.certificate)).unwrap_or_default();
        if !given.is_empty() || ranked.names().iter().any(|name| hosts.contains(name)) {
            let left = ranked.names().iter().filter(|name| !hosts.contains(name)).cloned();
            ranked.names = Some(left.chain(given).collect());
        }
    }
    order.extend(own);
    let stand_ins = standing_in(&order, rules);
    order.extend(stand_ins);
    (order, ignored)
}

/// What stands in for those hosts that nothing in the order is for, expired or not.
fn standing_in(order: &[Ranked], rules: &[Rule]) -> Vec<Ranked> {
    let of_rule = |rule: &Rule| match &rule.by {
        By::StandIn(served) => Some((Arc::clone(served), rule.hosts.clone())),
        By::Own(_) | By::Fingerprints(_) => None,
    };
    let mut wanted: Vec<_> = rules.iter().filter_map(of_rule).collect();
    if wanted.is_empty() {
        return Vec::new();
    }
    let asked = asked_about(wanted.iter().flat_map(|(_, hosts)| hosts));
    let names = order.iter().flat_map(Ranked::names);
    let covered: HashSet<&HostPattern> = names.filter(|name| asked.contains(*name)).collect();
    wanted.iter_mut().for_each(|(_, hosts)| hosts.retain(|host| !is_covered(&covered, host)));
    let ranked = |(certificate, hosts): (_, Vec<_>)| Ranked { certificate, names: Some(hosts.into()) };
    wanted.into_iter().filter(|(_, hosts)| !hosts.is_empty()).map(ranked).collect()
}

/// Whether a certificate is for a host, or for all that a wildcard answers for.
pub(super) fn is_for(served: &ServedCert, host: &HostPattern) -> bool {
    match host {
        HostPattern::Exact(name) => served.covers(name.as_str()),
        HostPattern::Wildcard(_) => served.names.contains(host),
    }
}

/// The index of certificates in this order.
pub(super) fn index(order: &[Ranked]) -> CertIndex {
    CertIndex::standing_for(order.iter().map(|ranked| (ranked.certificate(), ranked.names())))
}

/// The same, out of the index of the order `before`: where few came or went, the rest is taken over as it is.
pub(super) fn index_after(index_before: &CertIndex, before: &[Ranked], order: &[Ranked]) -> CertIndex {
    let Some(changed) = changed(before, order) else { return index(order) };
    let standing = order.iter().map(|ranked| (ranked.certificate(), ranked.names()));
    index_before.with_changed(&changed, standing).unwrap_or_else(|| index(order))
}

/// The names of what came and what went; `None` when that is much, or the others changed places.
fn changed<'r>(before: &'r [Ranked], order: &'r [Ranked]) -> Option<HashSet<&'r HostPattern>> {
    let same = |(one, other): &(&Ranked, &Ranked)| one.is_same(other);
    let ahead = before.iter().zip(order).take_while(same).count();
    let (before, order) = (&before[ahead..], &order[ahead..]);
    let behind = before.iter().rev().zip(order.iter().rev()).take_while(same).count();
    let (before, order) = (&before[..before.len() - behind], &order[..order.len() - behind]);
    let by_address = |order: &'r [Ranked]| -> HashMap<*const ServedCert, &'r Ranked> {
        order.iter().map(|ranked| (Arc::as_ptr(&ranked.certificate), ranked)).collect()
    };
    let lacks = |others: &HashMap<*const ServedCert, &Ranked>, ranked: &Ranked| {
        !others.get(&Arc::as_ptr(&ranked.certificate)).is_some_and(|other| other.is_same(ranked))
    };
    let (old, new) = (by_address(before), by_address(order));
    let went: Vec<&Ranked> = before.iter().filter(|ranked| lacks(&new, ranked)).collect();
    let came: Vec<&Ranked> = order.iter().filter(|ranked| lacks(&old, ranked)).collect();
    let stayed = before.iter().filter(|ranked| !lacks(&new, ranked));
    let in_order = stayed.zip(order.iter().filter(|ranked| !lacks(&old, ranked))).all(|pair| same(&pair));
    let is_little = went.len() + came.len() <= MOST_CHANGES;
    (in_order && is_little).then(|| went.into_iter().chain(came).flat_map(Ranked::names).collect())
}

impl Ranked {
    /// The certificate, whether it stands for a name or not.
    pub(super) fn certificate(&self) -> &Arc<ServedCert> {
        &self.certificate
    }

    /// The names it stands for.
    pub(super) fn names(&self) -> &[HostPattern] {
        self.names.as_deref().unwrap_or(&self.certificate.names)
    }

    /// Whether publishing `other` instead would change nothing.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.certificate, &other.certificate) && self.names == other.names
    }
}

/// Whether one of `patterns` answers for all that `name` does.
pub(super) fn is_covered<H: std::hash::BuildHasher>(
    patterns: &HashSet<&HostPattern, H>,
    pattern: &HostPattern,
) -> bool {
    if patterns.is_empty() || patterns.contains(pattern) {
        return !patterns.is_empty();
    }
    wildcard_above(pattern).is_some_and(|wildcard| patterns.contains(&wildcard))
}

/// The only wildcard that answers for an exact name.
pub(super) fn wildcard_above(pattern: &HostPattern) -> Option<HostPattern> {
    let HostPattern::Exact(exact) = pattern else { return None };
    HostPattern::parse(&format!("*.{}", name::parent(exact.as_str())?)).ok()
}

/// What decides before the fingerprint, the gravest first; read once, since sorting asks often.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    tier: Tier,
    not_before: Reverse<i64>,
    not_after: Reverse<i64>,
    /// How the fingerprint begins: all that is asked of it but once in 2^64.
    begin: [u8; 16],
}

impl Place {
    fn of(served: &ServedCert, now: i64) -> Self {
        let facts = &served.facts;
        let begin = facts.fingerprint.as_bytes().first_chunk().copied().unwrap_or_default();
        let (not_before, not_after) = (Reverse(facts.not_before), Reverse(facts.not_after));
        Self { tier: Tier::of(served, now), not_before, not_after, begin }
    }
}

/// What outranks everything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Tier {
    /// Expired or not valid yet.
    untimely: bool,
    /// Leads to no root that clients trust.
    untrusted: bool,
    /// Self-signed, or clients must know its issuer by themselves.
    unvouched: bool,
    /// Its authority took it back: few clients look, and those are refused.
    revoked: bool,
    /// Withdrawn.
    leaving: bool,
}

impl Tier {
    /// What of it no validation makes up for.
    const fn credit(&self) -> (bool, bool, bool, bool) {
        (self.untimely, self.untrusted, self.unvouched, self.revoked)
    }

    fn of(ServedCert { facts, .. }: &ServedCert, now: i64) -> Self {
        let valid = (facts.not_before..=facts.not_after).contains(&now);
        Self {
            untimely: !valid,
            untrusted: !facts.trusted,
            unvouched: !facts.vouched,
            revoked: facts.revoked,
            leaving: facts.in_grace,
        }
    }
}

/// With more, the index is built anew.
const MOST_CHANGES: usize = 1000;

#[cfg(test)]
mod tests;
