//! Which certificate serves a name when several could: one order, always the same, whatever the files are called.

use std::cmp::Reverse;
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};

use super::judgement::Minimums;
use crate::live::{CertIndex, ServedCert};
use crate::name::{self, HostPattern};

/// A certificate's place in the order, and the names it stands for there.
#[derive(Clone)]
pub(super) struct Ranked {
    certificate: Arc<ServedCert>,
    /// `None`: all its names.
    names: Option<Box<[HostPattern]>>,
}

/// Puts certificates in order, best first: valid now, trusted, with its issuer, not in grace, issued later, valid longer, fingerprint.
///
/// Exact names go before wildcards and each type of key has its own choice, so the order alone does not keep an expired
/// certificate back where a valid one covers its name otherwise. It therefore stands only for the names that nothing better
/// covers; the same holds for one that leads to no root, for one without its issuer and for one in grace.
///
/// One of which less was checked than a site asks for does not serve that site's names where one does that is valid, trusted and
/// whole as it is. It does where nothing else could: a browser that is content is better than one that is refused.
pub(super) fn ranked(certificates: &[Arc<ServedCert>], minimums: &Minimums, now: i64) -> Vec<Ranked> {
    let mut order: Vec<(Tier, &Arc<ServedCert>)> =
        certificates.iter().map(|certificate| (Tier::of(certificate, now), certificate)).collect();
    order.sort_by(|(tier, one), (other_tier, other)| {
        let rank = |served: &ServedCert| (Reverse(served.facts.not_before), Reverse(served.facts.not_after));
        tier.cmp(other_tier)
            .then_with(|| rank(one).cmp(&rank(other)))
            .then_with(|| one.facts.fingerprint.cmp(&other.facts.fingerprint))
    });
    let mut covered: HashSet<&HostPattern> = HashSet::new();
    let mut ranked = Vec::with_capacity(order.len());
    for of_credit in order.chunk_by(|(tier, _), (next, _)| tier.credit() == next.credit()) {
        let mut enough: HashSet<&HostPattern> = HashSet::new();
        if !minimums.is_empty() {
            let names = of_credit.iter().flat_map(|(_, served)| served.names.iter().map(move |name| (served, name)));
            enough.extend(names.filter(|(served, name)| !minimums.exceed(served, name)).map(|(_, name)| name));
        }
        let gives_way = |served: &ServedCert, name: &HostPattern| {
            !enough.is_empty() && minimums.exceed(served, name) && is_covered(&enough, name)
        };
        for of_tier in of_credit.chunk_by(|(tier, _), (next, _)| tier == next) {
            let first = ranked.len();
            let stands_for =
                |served: &ServedCert, name: &HostPattern| !is_covered(&covered, name) && !gives_way(served, name);
            for (_, served) in of_tier {
                let left: Box<[HostPattern]> =
                    served.names.iter().filter(|name| stands_for(served, name)).cloned().collect();
                let names = (left.len() < served.names.len()).then_some(left);
                ranked.push(Ranked { certificate: Arc::clone(served), names });
            }
            // Nearly always there is one tier only, and nothing to look up.
            if first + of_tier.len() < order.len() {
                let served = of_tier.iter().flat_map(|(_, served)| served.names.iter().map(move |name| (served, name)));
                covered.extend(served.filter(|(served, name)| !gives_way(served, name)).map(|(_, name)| name));
            }
        }
    }
    ranked
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
    (order, ignored)
}

/// Whether a certificate is for a host, or for all that a wildcard answers for.
fn is_for(served: &ServedCert, host: &HostPattern) -> bool {
    match host {
        HostPattern::Exact(name) => served.covers(name.as_str()),
        HostPattern::Wildcard(_) => served.names.contains(host),
    }
}

/// The index of certificates in this order.
pub(super) fn index(order: &[Ranked]) -> CertIndex {
    CertIndex::standing_for(order.iter().map(|ranked| (ranked.certificate(), ranked.names())))
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
    let HostPattern::Exact(exact) = pattern else { return false };
    name::parent(exact.as_str())
        .and_then(|parent| HostPattern::parse(&format!("*.{parent}")).ok())
        .is_some_and(|wildcard| patterns.contains(&wildcard))
}

/// What outranks everything else, the gravest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Tier {
    /// Expired or not valid yet.
    untimely: bool,
    /// Leads to no root that clients trust.
    untrusted: bool,
    /// Self-signed, or clients must know its issuer by themselves.
    unvouched: bool,
    /// Withdrawn.
    leaving: bool,
}

impl Tier {
    /// What of it no validation makes up for.
    const fn credit(&self) -> (bool, bool, bool) {
        (self.untimely, self.untrusted, self.unvouched)
    }

    fn of(ServedCert { facts, .. }: &ServedCert, now: i64) -> Self {
        let valid = (facts.not_before..=facts.not_after).contains(&now);
        Self { untimely: !valid, untrusted: !facts.trusted, unvouched: !facts.vouched, leaving: facts.in_grace }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certs::testing::served;
    use crate::live::{KeyType, SiteSpec, ValidationLevel};

    const NOW: i64 = 1_000_000;

    fn index(certificates: &[Arc<ServedCert>]) -> CertIndex {
        super::index(&ranked(certificates, &Minimums::default(), NOW))
    }

    fn serving(certificates: &[Arc<ServedCert>], name: &str) -> Vec<String> {
        let found = |served: &Arc<ServedCert>| served.facts.subject_cn.to_string();
        let choices: Vec<Vec<String>> = [certificates.to_vec(), certificates.iter().rev().cloned().collect()]
            .iter()
            .map(|order| index(order).find(name).map(|choice| choice.iter().map(found).collect()).unwrap_or_default())
            .collect();
        assert_eq!(choices[0], choices[1], "the order of arrival decided");
        choices[0].clone()
    }

    #[test]
    fn the_newest_valid_certificate_serves() {
        let old = served("old", &["a.example"], NOW - 100, NOW + 900, false);
        let new = served("new", &["a.example"], NOW - 50, NOW + 100, false);
        let longer = served("longer", &["a.example"], NOW - 50, NOW + 200, false);
        let expired = served("expired", &["a.example"], NOW - 10, NOW - 1, false);
        let future = served("future", &["a.example"], NOW + 1, NOW + 9999, false);
        assert_eq!(serving(&[old.clone(), new.clone()], "a.example"), ["new"]);
        assert_eq!(serving(&[new.clone(), longer.clone(), old.clone()], "a.example"), ["longer"]);
        assert_eq!(serving(&[expired.clone(), old.clone(), future], "a.example"), ["old"]);
        assert_eq!(serving(&[expired], "a.example"), ["expired"]);
    }

    #[test]
    fn a_certificate_in_grace_ranks_below_any_valid_one() {
        let leaving = served("leaving", &["a.example"], NOW - 10, NOW + 900, true);
        let old = served("old", &["a.example"], NOW - 100, NOW + 100, false);
        let wildcard = served("wildcard", &["*.example.org"], NOW - 100, NOW + 100, false);
        let leaving_exact = served("exact", &["a.example.org"], NOW - 10, NOW + 900, true);
        let expired = served("expired", &["a.example"], NOW - 10, NOW - 1, false);
        assert_eq!(serving(&[leaving.clone(), old], "a.example"), ["old"]);
        assert_eq!(serving(&[leaving.clone(), expired], "a.example"), ["leaving"]);
        assert_eq!(serving(&[leaving], "a.example"), ["leaving"]);
        assert_eq!(serving(&[wildcard, leaving_exact], "a.example.org"), ["wildcard"]);
    }

    #[test]
    fn an_expired_certificate_serves_only_what_nothing_valid_covers() {
        let expired = served("expired", &["a.example.org", "b.example.org", "c.example"], NOW - 10, NOW - 1, false);
        let exact = served("exact", &["b.example.org"], NOW - 100, NOW + 100, false);
        let wildcard = served("wildcard", &["*.example.org"], NOW - 100, NOW + 100, false);
        let all = [expired, exact, wildcard];
        assert_eq!(serving(&all, "a.example.org"), ["wildcard"]);
        assert_eq!(serving(&all, "b.example.org"), ["exact"]);
        assert_eq!(serving(&all, "c.example"), ["expired"]);
    }

    #[test]
    fn a_certificate_that_stands_for_few_of_its_names_is_listed_with_all_and_may_be_asked_for_all() {
        let expired = served("expired", &["a.example.org", "c.example"], NOW - 10, NOW - 1, false);
        let valid = served("valid", &["a.example.org"], NOW - 100, NOW + 100, false);
        let index = index(&[expired, valid]);
        let listed: Vec<_> =
            index.certificates().iter().map(|served| (&*served.facts.subject_cn, &served.names)).collect();
        let names = |names: &[&str]| names.iter().map(|name| HostPattern::parse(name).expect("a name")).collect();
        assert_eq!(
            listed,
            [("valid", &names(&["a.example.org"])), ("expired", &names(&["a.example.org", "c.example"]))]
        );
        let given = index.find("c.example").and_then(|choice| choice.iter().next()).expect("a certificate");
        assert!(given.covers("a.example.org"));
    }

    #[test]
    fn an_expired_key_of_another_type_does_not_serve_beside_a_valid_one() {
        let expired = served("expired", &["a.example"], NOW - 10, NOW - 1, false);
        let mut rsa =
            Arc::into_inner(served("rsa", &["a.example"], NOW - 100, NOW + 100, false)).expect("the only one");
        rsa.key_type = KeyType::Rsa;
        let rsa = Arc::new(rsa);
        assert_eq!(serving(&[expired, Arc::clone(&rsa)], "a.example"), ["rsa"]);
        let ecdsa = served("ecdsa", &["a.example"], NOW - 100, NOW + 100, false);
        assert_eq!(serving(&[ecdsa, rsa], "a.example"), ["ecdsa", "rsa"]);
    }

    #[test]
    fn a_certificate_with_its_issuer_goes_before_one_without() {
        let alone = |cn, not_before, in_grace| {
            let served = served(cn, &["a.example"], not_before, NOW + 900, in_grace);
            let mut served = Arc::into_inner(served).expect("the only one");
            served.facts.vouched = false;
            Arc::new(served)
        };
        let old = served("old", &["a.example"], NOW - 100, NOW + 100, false);
        let leaving = served("leaving", &["a.example"], NOW - 100, NOW + 100, true);
        let expired = served("expired", &["a.example"], NOW - 100, NOW - 1, false);
        assert_eq!(serving(&[alone("fresh", NOW - 1, false), old], "a.example"), ["old"]);
        assert_eq!(serving(&[alone("fresh", NOW - 1, false), leaving], "a.example"), ["leaving"]);
        assert_eq!(serving(&[alone("fresh", NOW - 1, false), expired], "a.example"), ["fresh"]);
        assert_eq!(serving(&[alone("1", NOW - 2, false), alone("2", NOW - 1, true)], "a.example"), ["1"]);
    }

    #[test]
    fn what_leads_to_no_root_displaces_nothing_valid_that_does() {
        let unknown = |cn, names: &[&str], not_before, key_type| {
            let mut served = Arc::into_inner(served(cn, names, not_before, NOW + 900, false)).expect("the only one");
            (served.facts.trusted, served.key_type) = (false, key_type);
            Arc::new(served)
        };
        let fresh = |names: &[&str]| unknown("fresh", names, NOW - 1, KeyType::EcdsaP256);
        let old = served("old", &["a.example"], NOW - 100, NOW + 100, false);
        let leaving = served("leaving", &["a.example"], NOW - 100, NOW + 100, true);
        let wildcard = served("wildcard", &["*.shop.example"], NOW - 100, NOW + 100, false);
        let expired = served("expired", &["a.example"], NOW - 100, NOW - 1, false);
        assert_eq!(serving(&[fresh(&["a.example"]), old.clone()], "a.example"), ["old"]);
        assert_eq!(serving(&[unknown("rsa", &["a.example"], NOW - 1, KeyType::Rsa), old], "a.example"), ["old"]);
        assert_eq!(serving(&[fresh(&["a.example"]), leaving], "a.example"), ["leaving"]);
        assert_eq!(serving(&[fresh(&["a.shop.example"]), wildcard], "a.shop.example"), ["wildcard"]);
        assert_eq!(serving(&[fresh(&["a.example"]), expired], "a.example"), ["fresh"]);
    }

    #[test]
    fn one_below_what_its_site_asks_for_serves_only_where_nothing_else_could() {
        let hosts = [HostPattern::parse("ev.example").expect("a name")];
        let site = SiteSpec {
            name: "ev".into(),
            hosts: hosts.to_vec(),
            routes: Vec::new(),
            minimum_validation: Some(ValidationLevel::Extended),
            staging: false,
            provision: Default::default(),
        };
        let minimums = Minimums::of([&site]);
        let chosen = |certificates: &[&Arc<ServedCert>], name: &str| -> Vec<String> {
            let certificates: Vec<_> = certificates.iter().map(|served| Arc::clone(served)).collect();
            let index = super::index(&ranked(&certificates, &minimums, NOW));
            let choice = index.find(name).into_iter().flat_map(|choice| choice.iter());
            choice.map(|served| served.facts.subject_cn.to_string()).collect()
        };
        let made = |cn, from: i64, level, change: fn(&mut ServedCert)| {
            let served = served(cn, &["ev.example", "any.example"], NOW - from, NOW + 900, false);
            let mut served = Arc::into_inner(served).expect("the only one");
            served.facts.traits.level = Some(level);
            change(&mut served);
            Arc::new(served)
        };
        let dv = made("dv", 1, ValidationLevel::Domain, |_| {});
        let ev = made("ev", 100, ValidationLevel::Extended, |_| {});
        assert_eq!(chosen(&[&dv, &ev], "ev.example"), ["ev"]);
        assert_eq!(chosen(&[&dv, &ev], "any.example"), ["dv"]);
        assert_eq!(chosen(&[&dv], "ev.example"), ["dv"]);
        let rsa = made("rsa", 1, ValidationLevel::Domain, |served| served.key_type = KeyType::Rsa);
        assert_eq!(chosen(&[&rsa, &ev], "ev.example"), ["ev"]);
        // Withdrawn, it serves until its grace is over. Nothing makes up for time and trust.
        let leaving = made("leaving", 100, ValidationLevel::Extended, |served| served.facts.in_grace = true);
        assert_eq!(chosen(&[&dv, &leaving], "ev.example"), ["leaving"]);
        assert_eq!(chosen(&[&dv, &leaving], "any.example"), ["dv"]);
        let expired = made("expired", 100, ValidationLevel::Extended, |served| served.facts.not_after = NOW - 1);
        let unknown = made("unknown", 100, ValidationLevel::Extended, |served| served.facts.trusted = false);
        assert_eq!(chosen(&[&dv, &expired, &unknown], "ev.example"), ["dv"]);
    }

    #[test]
    fn equals_are_decided_by_fingerprint() {
        let one = served("1", &["a.example"], NOW - 10, NOW + 10, false);
        let two = served("2", &["a.example"], NOW - 10, NOW + 10, false);
        let first = if one.facts.fingerprint < two.facts.fingerprint { "1" } else { "2" };
        assert_eq!(serving(&[one, two], "a.example"), [first]);
    }
}
