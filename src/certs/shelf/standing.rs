//! Which certificate stands for which name, as far as that was made out.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;
use tokio::time::Instant;

use super::{Holding, Moment, Shelf};
use crate::certs::certificate::Fingerprint;
use crate::certs::judgement::Minimums;
use crate::certs::ranking::{By, Ranked, Rule, Shift, governed, index, index_after, is_for, ranked};
use crate::live::{CertIndex, ServedCert};
use crate::name::HostPattern;

/// The order of all certificates, and what was made of it.
#[derive(Default)]
pub(super) struct Standing {
    order: Vec<Ranked>,
    /// What is in the order.
    listed: HashMap<Fingerprint, Arc<ServedCert>>,
    /// What the operator chose above the order.
    rules: Vec<Rule>,
    /// The hosts whose choice names nothing that is valid.
    ignored: Vec<HostPattern>,
    /// Of that order.
    index: Arc<CertIndex>,
    /// As long as none begins or ends to be valid, seconds since the Unix epoch; empty: it is to be made out.
    good: Range<i64>,
    next_look: Option<Instant>,
}

impl Standing {
    pub(super) fn order(&self) -> &[Ranked] {
        &self.order
    }

    pub(super) fn ignored(&self) -> &[HostPattern] {
        &self.ignored
    }

    /// Those of the order that are not valid at `unix`, best first.
    pub(super) fn untimely(&self, unix: i64) -> Vec<&Ranked> {
        let is_valid = |ranked: &&Ranked| {
            let facts = &ranked.certificate().facts;
            (facts.not_before..=facts.not_after).contains(&unix)
        };
        // What is valid goes before what is not, and behind both what stands above the order.
        let above = self.rules.iter().filter(|rule| matches!(rule.by, By::Own(_))).count();
        let above = above + self.order.iter().rev().take_while(|own| own.certificate().facts.stand_in).count();
        let (order, above) = self.order.split_at(self.order.len().saturating_sub(above));
        let mut untimely: Vec<&Ranked> = order.iter().rev().take_while(|ranked| !is_valid(ranked)).collect();
        untimely.reverse();
        untimely.extend(above.iter().filter(|ranked| !is_valid(ranked)));
        untimely
    }

    /// When the next certificate begins or ends to be valid.
    pub(super) const fn next_look(&self) -> Option<Instant> {
        self.next_look
    }
}

impl Shelf {
    /// Sets what stands above the order of certificates.
    pub(in crate::certs) fn govern(&mut self, rules: Vec<Rule>) {
        let before = &self.standing.rules;
        if rules.len() != before.len() || !rules.iter().zip(before).all(|(one, other)| one.is_same(other)) {
            self.standing.good = 0..0;
        }
        self.standing.rules = rules;
    }

    /// Sets what must have been checked of what is chosen.
    pub(in crate::certs) fn demand(&mut self, minimums: Minimums) {
        if minimums != self.minimums {
            self.minimums = minimums;
            self.standing.good = 0..0;
        }
    }

    /// What would be published if this were asked for.
    pub(in crate::certs) fn demanding(&self, minimums: &Minimums, now: Moment) -> CertIndex {
        let certificates: Vec<Arc<ServedCert>> =
            self.offered().map(|(_, holding)| Arc::clone(&holding.served)).collect();
        let (order, _) = governed(ranked(&certificates, minimums, now.unix), &self.standing.rules, now.unix);
        index(&order)
    }

    /// The certificates that may serve some of these hosts, in the order of their fingerprints.
    pub(in crate::certs) fn candidates(&self, hosts: &[HostPattern]) -> Vec<Arc<ServedCert>> {
        let is_for = |served: &ServedCert| hosts.iter().any(|host| is_for(served, host));
        let offered = self.offered().map(|(_, holding)| &holding.served);
        let mut found: Vec<_> = offered.filter(|served| is_for(served)).cloned().collect();
        found.sort_by(|one, other| one.facts.fingerprint.cmp(&other.facts.fingerprint));
        found
    }

    /// Those that may serve.
    pub(super) fn offered(&self) -> impl Iterator<Item = (&Fingerprint, &Holding)> {
        self.holdings.iter().filter(|(_, holding)| !holding.is_turned_down)
    }

    /// Puts everything in order; gives the new index when the order is another one.
    pub(in crate::certs) fn rank(&mut self, now: Moment) -> Option<Arc<CertIndex>> {
        let stirred = self.holdings.settle();
        for fingerprint in &stirred {
            self.holdings.refresh(fingerprint, &self.terms.roots, now.unix);
        }
        let index = match self.standing.good.contains(&now.unix) {
            true => self.amend_order(&stirred, now.unix),
            false => self.put_in_order(now.unix),
        };
        let next = Some(self.standing.good.end).filter(|next| *next < i64::MAX);
        let seconds = next.and_then(|next| u64::try_from(next - now.unix).ok());
        self.standing.next_look =
            seconds.and_then(|seconds| now.steady.checked_add(Duration::from_secs(seconds.min(FARTHEST_LOOK))));
        index
    }

    /// Has the next order made of everything.
    pub(super) fn rank_anew(&mut self) {
        self.holdings.stir();
        self.standing.good = 0..0;
    }

    /// The same where few have changed.
    fn amend_order(&mut self, stirred: &BTreeSet<Fingerprint>, unix: i64) -> Option<Arc<CertIndex>> {
        let mut shift = Shift::default();
        for fingerprint in stirred {
            let offered = self.holdings.get(fingerprint).filter(|holding| !holding.is_turned_down);
            let (then, now) = (self.standing.listed.get(fingerprint), offered.map(|holding| &holding.served));
            if then.map(Arc::as_ptr) != now.map(Arc::as_ptr) {
                shift.went.extend(then.cloned());
                shift.came.extend(now.cloned());
            }
        }
        if shift.is_empty() {
            return None;
        }
        let standing = &mut self.standing;
        if !standing.rules.is_empty() || !shift.apply(&mut standing.order, &self.minimums, unix) {
            return self.put_in_order(unix);
        }
        standing.index = Arc::new(shift.index(&standing.index, &standing.order, unix));
        // That of what went may come once for nothing.
        standing.good.end = boundaries(&shift.came, unix).chain([standing.good.end]).min().unwrap_or(i64::MAX);
        for (fingerprint, served) in stirred.iter().map(|own| (own, self.holdings.get(own))) {
            let served = served.filter(|holding| !holding.is_turned_down).map(|holding| Arc::clone(&holding.served));
            match served {
                Some(served) => drop(standing.listed.insert(*fingerprint, served)),
                None => drop(standing.listed.remove(fingerprint)),
            }
        }
        Some(Arc::clone(&standing.index))
    }

    fn put_in_order(&mut self, unix: i64) -> Option<Arc<CertIndex>> {
        let listed: HashMap<Fingerprint, Arc<ServedCert>> =
            self.offered().map(|(own, holding)| (*own, Arc::clone(&holding.served))).collect();
        let certificates: Vec<Arc<ServedCert>> = listed.values().cloned().collect();
        let order = ranked(&certificates, &self.minimums, unix);
        let standing = &mut self.standing;
        let (order, ignored) = governed(order, &standing.rules, unix);
        standing.ignored = ignored;
        standing.good = unix..boundaries(&certificates, unix).min().unwrap_or(i64::MAX);
        standing.listed = listed;
        let same = order.len() == standing.order.len()
            && order.iter().zip(&standing.order).all(|(one, other)| one.is_same(other));
        if same {
            return None;
        }
        let index = Arc::new(index_after(&standing.index, &standing.order, &order));
        (standing.order, standing.index) = (order, Arc::clone(&index));
        Some(index)
    }
}

/// When certificates begin and end to be valid after `unix`.
fn boundaries(certificates: &[Arc<ServedCert>], unix: i64) -> impl Iterator<Item = i64> {
    let boundaries = certificates.iter().flat_map(|served| [served.facts.not_before, served.facts.not_after + 1]);
    boundaries.filter(move |boundary| *boundary > unix)
}

/// The calendar may be set meanwhile; look again after an hour.
const FARTHEST_LOOK: u64 = 3600;
