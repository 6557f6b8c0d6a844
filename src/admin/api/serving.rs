//! Which certificate serves a host, why that one, and whether clients are shown it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::{choices, state, timestamp};
use crate::admin::answers::{Serving, SiteHost};
use crate::certs::{Checked, Choice, Truth};
use crate::live::{CertFacts, CertIndex, ServedCert, Site, ValidationLevel};
use crate::name::{self, HostPattern};
use crate::words::instead::Instead;

/// What the operator chose stands above all rules.
pub(super) fn chosen_by(mut host: SiteHost, site: &Site, choice: Option<&Choice>) -> SiteHost {
    for serving in &mut host.certificates {
        if let Some(rule) = choices::rule(site, choice, &serving.fingerprint) {
            rule.clone_into(&mut serving.rule);
        }
    }
    host
}

/// When it was last looked at whether clients are shown what is published, what was found, and what of that is wrong.
fn told(last: Option<Checked>) -> (Option<String>, Option<String>, Option<Instead>) {
    let Some(Checked { at, fault, .. }) = last else { return (None, None, None) };
    let found = fault.as_ref().map_or_else(|| AS_PUBLISHED.to_owned(), ToString::to_string);
    (Some(timestamp(at)), Some(found), fault)
}

/// What serves a host.
pub(super) fn host(
    pattern: &HostPattern,
    index: &CertIndex,
    candidates: &Candidates<'_>,
    truth: &Truth,
    asked: Asked,
) -> SiteHost {
    let served: Vec<_> = index.find_pattern(pattern).into_iter().flat_map(|choice| choice.iter()).collect();
    let states: Vec<_> =
        served.iter().map(|served| state(served.facts.not_before, served.facts.not_after, asked.now)).collect();
    let state = match states.first() {
        None => "no certificate",
        Some(_) if states.contains(&"valid") => "served",
        Some(_) if states.contains(&"not_yet_valid") => "not yet valid",
        Some(_) => "expired",
    };
    let serving = |one: &Arc<ServedCert>| {
        let (checked, served, wrong) = told(truth.of_certificate(pattern, one.key_type, &one.facts.fingerprint));
        Serving {
            key_type: one.key_type.label().into(),
            fingerprint: one.facts.fingerprint.to_string(),
            not_after: timestamp(one.facts.not_after),
            rule: candidates.rule(pattern, one, asked).into(),
            checked,
            served,
            wrong,
        }
    };
    let certificates = served.into_iter().map(serving).collect();
    let (checked, served, wrong) = told(truth.of_host(pattern));
    SiteHost { host: pattern.to_string(), state: state.into(), checked, served, wrong, certificates }
}

/// Which certificates could serve a name, to tell why the one that does was chosen.
pub(super) struct Candidates<'a>(HashMap<&'a HostPattern, Vec<&'a Arc<ServedCert>>>);

impl<'a> Candidates<'a> {
    /// For these hosts.
    pub(super) fn of<'h>(index: &'a CertIndex, hosts: impl IntoIterator<Item = &'h HostPattern>) -> Self {
        let mut meant: HashSet<HostPattern> = HashSet::new();
        for host in hosts {
            meant.extend(wildcard_of(host));
            meant.insert(host.clone());
        }
        let mut by_name: HashMap<_, Vec<_>> = HashMap::new();
        for served in index.certificates() {
            for pattern in served.names.iter().filter(|pattern| meant.contains(pattern)) {
                by_name.entry(pattern).or_default().push(served);
            }
        }
        Self(by_name)
    }

    /// The first rule, in the order they are applied, by which `chosen` goes before the next best. With another type of key that
    /// is one of a worse standing alone: of the same standing, both serve.
    fn rule(&self, pattern: &HostPattern, chosen: &Arc<ServedCert>, asked: Asked) -> &'static str {
        let standing = |served: &ServedCert| Standing::of(&served.facts, asked);
        let best = |place: &HostPattern| {
            let is_rival = |other: &&&Arc<ServedCert>| {
                other.facts.fingerprint != chosen.facts.fingerprint
                    && (other.key_type.label() == chosen.key_type.label() || standing(other) != standing(chosen))
            };
            self.0.get(place).into_iter().flatten().filter(is_rival).min_by_key(|rival| standing(rival)).copied()
        };
        let is_exact = chosen.names.contains(pattern);
        let wildcard = wildcard_of(pattern);
        let rivals = [(true, best(pattern)), (false, wildcard.as_ref().and_then(best))];
        let rivals = rivals.into_iter().filter_map(|(exact, rival)| Some((exact, rival?)));
        // Of equal ones the first: the exact name's.
        match rivals.min_by_key(|(_, rival)| standing(rival)) {
            None => "only candidate",
            Some((exact, rival)) if exact != is_exact && standing(rival) == standing(chosen) => {
                "exact name before wildcard"
            }
            Some((_, rival)) => decisive(&chosen.facts, &rival.facts, asked),
        }
    }
}

/// What a site asks of its certificates, and when.
#[derive(Clone, Copy)]
pub(super) struct Asked {
    pub(super) minimum: Option<ValidationLevel>,
    /// Seconds since the Unix epoch.
    pub(super) now: i64,
}

/// What goes before an exact name and the newest issue, the gravest first.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Standing {
    untimely: bool,
    untrusted: bool,
    unvouched: bool,
    revoked: bool,
    too_low: bool,
    leaving: bool,
}

impl Standing {
    fn of(facts: &CertFacts, Asked { minimum, now }: Asked) -> Self {
        let valid = state(facts.not_before, facts.not_after, now) == "valid";
        let too_low = minimum.is_some_and(|minimum| facts.traits.level < Some(minimum));
        Self {
            untimely: !valid,
            untrusted: !facts.trusted,
            unvouched: !facts.vouched,
            revoked: facts.revoked,
            too_low,
            leaving: facts.in_grace,
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

fn decisive(chosen: &CertFacts, other: &CertFacts, asked: Asked) -> &'static str {
    let (standing, other_standing) = (Standing::of(chosen, asked), Standing::of(other, asked));
    if standing.untimely != other_standing.untimely {
        "valid now before not valid now"
    } else if standing.untrusted != other_standing.untrusted {
        "trusted chain before untrusted"
    } else if standing.unvouched != other_standing.unvouched {
        "complete chain before none"
    } else if standing.revoked != other_standing.revoked {
        "in force before revoked"
    } else if standing.too_low != other_standing.too_low {
        "validation that the site asks for before less"
    } else if standing.leaving != other_standing.leaving {
        "in place before withdrawn"
    } else if chosen.not_before != other.not_before {
        "issued later"
    } else if chosen.not_after != other.not_after {
        "valid longer"
    } else {
        "fingerprint"
    }
}

const AS_PUBLISHED: &str = "as published";
