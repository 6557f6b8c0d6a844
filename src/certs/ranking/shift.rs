//! An order in which little changes, and its index: the rest stays as it is.

use std::cmp::Ordering;
use std::sync::Arc;

use hashbrown::HashSet;

use super::{Place, Ranked, Tier, index, is_covered};
use crate::certs::judgement::Minimums;
use crate::live::{CertIndex, Choice, Courtesy, ServedCert};
use crate::name::HostPattern;

/// Few certificates that went out of an order, and few that came.
#[derive(Default)]
pub(in crate::certs) struct Shift {
    pub(in crate::certs) went: Vec<Arc<ServedCert>>,
    pub(in crate::certs) came: Vec<Arc<ServedCert>>,
}

impl Shift {
    /// Whether nothing went and nothing came.
    pub(in crate::certs) fn is_empty(&self) -> bool {
        self.went.is_empty() && self.came.is_empty()
    }

    /// Brings an order up to date that nothing governs. Where that may concern the names that others stand for, or is not little,
    /// it is left as it is: `false`.
    pub(in crate::certs) fn apply(&self, order: &mut Vec<Ranked>, minimums: &Minimums, now: i64) -> bool {
        let Some(best) = order.first().map(|first| Tier::of(&first.certificate, now)) else { return false };
        let (changed, is_best) =
            (|| self.went.iter().chain(&self.came), |served: &ServedCert| Tier::of(served, now) == best);
        if !minimums.is_empty() || changed().count() > FEW_CHANGES || !changed().all(|served| is_best(served)) {
            return false;
        }
        let names = self.names();
        let mut below = order.iter().rev().take_while(|ranked| !is_best(&ranked.certificate));
        if below.any(|ranked| ranked.certificate.names.iter().any(|name| is_covered(&names, name))) {
            return false;
        }
        let place = |order: &[Ranked], served: &ServedCert| {
            order.binary_search_by(|ranked| by_rank(&ranked.certificate, served, now))
        };
        if self.went.iter().any(|gone| place(order, gone).is_err()) {
            return false;
        }
        for gone in &self.went {
            place(order, gone).map(|at| order.remove(at)).ok();
        }
        for new in &self.came {
            let at = place(order, new).unwrap_or_else(|at| at);
            order.insert(at, Ranked { certificate: Arc::clone(new), names: None });
        }
        true
    }

    /// The index of the order that it was applied to, out of the index `before`.
    pub(in crate::certs) fn index(&self, before: &CertIndex, order: &[Ranked], now: i64) -> CertIndex {
        let names = self.names();
        let standing: Option<Vec<_>> = names
            .iter()
            .map(|name| Some((*name, self.standing_for(name, before.standing_for_pattern(name), now)?)))
            .collect();
        let mut courtesy = Courtesy::default();
        let certificate = |ranked: &Ranked| {
            courtesy.step();
            Arc::clone(ranked.certificate())
        };
        let all = || order.iter().map(certificate).collect();
        let amended = match standing {
            Some(standing) => before.with_standing(standing, all()),
            None => before.with_changed(&names, order.iter().map(|ranked| (ranked.certificate(), ranked.names()))),
        };
        amended.unwrap_or_else(|| index(order))
    }

    /// What stands for a name now, best first; `None` when something may be next in turn that nobody sees.
    fn standing_for(&self, name: &HostPattern, before: Option<&Choice>, now: i64) -> Option<Vec<Arc<ServedCert>>> {
        let (went, stayed): (Vec<_>, Vec<_>) = before
            .into_iter()
            .flat_map(Choice::iter)
            .partition(|served| self.went.iter().any(|gone| Arc::ptr_eq(gone, served)));
        let came = self.came.iter().filter(|served| served.names.contains(name));
        let mut standing: Vec<Arc<ServedCert>> = stayed.into_iter().chain(came).map(Arc::clone).collect();
        standing.sort_unstable_by(|one, other| by_rank(one, other, now));
        let outranks = |one: &ServedCert, gone: &ServedCert| {
            one.key_type.label() == gone.key_type.label() && by_rank(one, gone, now).is_lt()
        };
        went.iter().all(|gone| standing.iter().any(|one| outranks(one, gone))).then_some(standing)
    }

    fn names(&self) -> HashSet<&HostPattern> {
        self.went.iter().chain(&self.came).flat_map(|served| served.names.iter()).collect()
    }
}

fn by_rank(one: &ServedCert, other: &ServedCert, now: i64) -> Ordering {
    let place = Place::of(one, now).cmp(&Place::of(other, now));
    place.then_with(|| one.facts.fingerprint.cmp(&other.facts.fingerprint))
}

/// With more, an order is made anew.
const FEW_CHANGES: usize = 64;
