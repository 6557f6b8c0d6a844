//! When what is to be ordered will be, as far as the issuers' limits let it. Nobody is asked anything and nothing is spent: the
//! functions that the manager asks are asked here, of a copy of what was spent. All moments are seconds since the Unix epoch.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, PoisonError};

use super::authorities::{Authorities, NotDone};
use super::budget::{Budgets, Claim, Kind, Left};
use super::health::Health;
use super::partial;
use super::schedule::{self, Life};
use super::serving::{View, life};
use super::slot::Slot;
use super::standing::SiteStanding;
use super::step::{Ground, Rank, Situation, Step, step};
use super::terms::{AcmeTerms, Issuer, ManagedSite};
use crate::config;
use crate::live::OrderedKey;
use crate::name::HostPattern;
use crate::words::wait::Wait;

/// When what is to be ordered will be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The next order for each certificate, the first to be made first.
    pub orders: Vec<PlannedOrder>,
    /// Certificates that are being ordered already.
    pub under_way: usize,
    /// Certificates that nothing is ordered for in the time that was asked about.
    pub later: usize,
    /// What each issuer takes, in order of preference.
    pub issuers: Vec<PlannedIssuer>,
}

/// An order that is to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedOrder {
    /// For which site.
    pub site: String,
    /// For which type of its keys.
    pub key: OrderedKey,
    /// What it is for.
    pub kind: Kind,
    /// When it will be made.
    pub at: i64,
    /// At which issuer.
    pub issuer: String,
    /// When the certificate that serves is to be renewed; `None`: it has none.
    pub renewal: Option<i64>,
    /// When that certificate ends.
    pub ends: Option<i64>,
    /// What makes it wait when its own time has come.
    pub waits_for: Option<Wait>,
}

impl PlannedOrder {
    /// Whether the certificate that serves ends before.
    #[must_use]
    pub fn is_too_late(&self) -> bool {
        self.ends.is_some_and(|ends| ends < self.at)
    }
}

/// What an issuer takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedIssuer {
    /// Its limits; 0: none.
    pub limits: config::Budgets,
    /// What of it is left at this moment.
    pub left: Left,
}

impl Authorities {
    /// The next order for every managed certificate from now until a moment, as if there were so many `more` sites that have none,
    /// each with a domain of its own. Waits for the disk.
    ///
    /// # Errors
    /// [`NotDone::Conflict`] before the edge has looked at its sites for the first time, [`NotDone::State`].
    pub fn plan(&self, (now, until): (i64, i64), more: usize) -> Result<Plan, NotDone> {
        let terms = self.terms.borrow().clone();
        if !terms.issuers.iter().all(|issuer| self.budgets.knows(&issuer.name)) {
            return Err(NotDone::Conflict("the edge has not looked at its sites yet; ask again in a moment".into()));
        }
        let (mut candidates, mut under_way) = (Vec::new(), 0);
        let choices = Arc::clone(&self.intake.ledger().choices);
        for site in terms.sites.iter().filter(|site| site.is_managed(&choices)) {
            let each = self.ordering.each_of(&site.name);
            for slot in site.slots() {
                let known = each.iter().find(|(key, _)| *key == slot.key).map(|(_, standing)| Arc::clone(standing));
                if known.as_ref().is_some_and(|standing| standing.phase.is_under_way()) {
                    under_way += 1;
                    continue;
                }
                let standing = match known {
                    Some(standing) => standing,
                    None => Arc::new(self.records.standing(&slot).map_err(|error| NotDone::State(error.to_string()))?),
                };
                candidates.push(self.candidate((site, slot), standing, (&terms, now)));
            }
        }
        candidates.extend((1..=more).filter_map(Candidate::of_thought));
        let health = self.health.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (orders, later) = orders(&candidates, (&terms.issuers, &health, &self.budgets), (now, until));
        let issuer = |issuer: &Issuer| {
            let limits = issuer.budgets;
            PlannedIssuer { limits, left: self.budgets.left(&issuer.name, limits, now) }
        };
        let issuers = terms.issuers.iter().map(issuer).collect();
        Ok(Plan { orders, under_way, later, issuers })
    }

    fn candidate(
        &self,
        (site, slot): (&ManagedSite, Slot),
        standing: Arc<SiteStanding>,
        (terms, now): (&AcmeTerms, i64),
    ) -> Candidate {
        let (index, partial_after) = (self.certificates.load(), terms.partial_after);
        let view = View { index: &index, site, slot: &slot, standing: &standing, partial_after, now };
        let serving = view.serving().map(|served| (life(&served), served.facts.fingerprint.to_string()));
        let (names, _) = partial::names(site, &standing, partial_after, false, now);
        Candidate { slot, is_on_demand: site.allowed_by.is_some(), standing, serving, names }
    }
}

/// A certificate that may be ordered.
pub(super) struct Candidate {
    pub(super) slot: Slot,
    pub(super) is_on_demand: bool,
    pub(super) standing: Arc<SiteStanding>,
    /// What serves now.
    pub(super) serving: Option<(Life, String)>,
    /// What would be ordered.
    pub(super) names: Vec<HostPattern>,
}

impl Candidate {
    /// One of the sites that might be.
    fn of_thought(number: usize) -> Option<Self> {
        let name = format!("new-{number}.example");
        let names = vec![HostPattern::parse(&name).ok()?];
        let (slot, standing) = (Slot::new(&name, OrderedKey::Ecdsa), Arc::default());
        Some(Self { slot, is_on_demand: false, standing, serving: None, names })
    }

    fn step(&self, ground: Ground<'_>, now: i64) -> Step {
        let seed = self.slot.seed();
        let situation = Situation {
            site: &seed,
            standing: &self.standing,
            serving: self.serving_at(now),
            names: &self.names,
            is_on_demand: self.is_on_demand,
            is_wished: false,
            now,
        };
        step(situation, ground)
    }

    /// When its renewal becomes urgent.
    fn urgent(&self) -> Option<i64> {
        self.serving.as_ref().map(|(life, _)| schedule::emergency(*life))
    }

    fn serving_at(&self, now: i64) -> Option<(Life, &str)> {
        let (life, fingerprint) = self.serving.as_ref().filter(|(life, _)| now <= life.not_after)?;
        Some((*life, fingerprint))
    }

    fn claim<'a>(&'a self, issuer: &'a Issuer, kind: Kind, now: i64) -> Claim<'a> {
        let replaces = self.serving_at(now).is_some() && self.standing.issuer.as_ref() == Some(&issuer.name);
        Claim { issuer: &issuer.name, limits: issuer.budgets, kind, names: &self.names, replaces }
    }
}

/// Candidates whose time has not come.
struct Waiting {
    /// By the moment when they are looked at again.
    looks: BTreeMap<i64, Vec<usize>>,
    /// Those that wait for an order to be left at any issuer: as many are looked at again as there are orders.
    in_line: BTreeMap<Kind, BTreeSet<(Rank, usize)>>,
    /// Where in line each is.
    places: Vec<Option<(Kind, Rank)>>,
    /// What each waits for, once its own time has come.
    reasons: Vec<Option<Wait>>,
}

impl Waiting {
    fn put(&mut self, place: usize, step: Step, now: i64) {
        if step.waits_for.is_some() {
            self.reasons[place] = step.waits_for;
        }
        self.looks.entry(step.at.max(now + 1)).or_default().push(place);
    }

    /// The same for one of many, which goes before others when it has become urgent.
    fn line_up(&mut self, place: usize, step: Step, (urgent, now): (Option<i64>, i64)) {
        self.in_line.entry(step.kind).or_default().insert((step.rank, place));
        self.places[place] = Some((step.kind, step.rank));
        if let Some(urgent) = urgent.filter(|urgent| *urgent > now) {
            self.looks.entry(urgent).or_default().push(place);
        }
        self.reasons[place] = step.waits_for;
    }

    fn leave_line(&mut self, place: usize) {
        let Some((kind, rank)) = self.places[place].take() else { return };
        if let Some(line) = self.in_line.get_mut(&kind) {
            line.remove(&(rank, place));
        }
    }

    /// The first in line, as many as there is room for.
    fn called(&mut self, kind: Kind, room: usize) -> Vec<usize> {
        let called: Vec<_> =
            self.in_line.get(&kind).into_iter().flatten().map(|(_, place)| *place).take(room).collect();
        called.iter().for_each(|place| self.leave_line(*place));
        called
    }
}

/// The next order for each candidate until a moment, and how many have none until then. How long orders take is not known and
/// counts for nothing: what fails, or is slow, comes later than planned.
pub(super) fn orders(
    candidates: &[Candidate],
    (issuers, health, budgets): (&[Issuer], &Health, &Budgets),
    (now, until): (i64, i64),
) -> (Vec<PlannedOrder>, usize) {
    let (trial, at_work) = (budgets.trial(), HashMap::new());
    let ground = Ground { issuers, health, budgets: &trial, at_work: &at_work };
    let room = |kind: Kind, now: i64| -> usize {
        let left = issuers.iter().map(|issuer| trial.left(&issuer.name, issuer.budgets, now).of(kind));
        left.map(|left| left.map_or(usize::MAX, |left| left as usize)).fold(0, usize::saturating_add)
    };
    let looks = BTreeMap::from([(now, (0..candidates.len()).collect())]);
    let (places, reasons) = (vec![None; candidates.len()], vec![None; candidates.len()]);
    let mut waiting = Waiting { looks, in_line: BTreeMap::new(), places, reasons };
    let (mut planned, mut is_planned) = (Vec::new(), vec![false; candidates.len()]);
    while let Some((now, places)) = waiting.looks.pop_first().filter(|(at, _)| *at <= until) {
        let called = Kind::ALL.into_iter().flat_map(|kind| waiting.called(kind, room(kind, now))).collect::<Vec<_>>();
        let places = places.into_iter().chain(called).filter(|place| !is_planned[*place]);
        let ready: BTreeSet<_> = places.map(|place| (candidates[place].step(ground, now).rank, place)).collect();
        for (_, place) in ready {
            waiting.leave_line(place);
            let candidate = &candidates[place];
            let step = candidate.step(ground, now);
            let issuer = step.issuer.and_then(|place| issuers.get(place));
            let issuer = issuer.filter(|issuer| {
                let is_paid = candidate.standing.open.as_ref().is_some_and(|open| open.issuer == issuer.name);
                is_paid || trial.spend(&candidate.claim(issuer, step.kind, now), now).is_ok()
            });
            let Some(issuer) = issuer else {
                match step.waits_for.is_some() && room(step.kind, now) == 0 {
                    true => waiting.line_up(place, step, (candidate.urgent(), now)),
                    false => waiting.put(place, step, now),
                }
                continue;
            };
            planned.push(planned_order(candidate, &step, issuer, (now, waiting.reasons[place].take())));
            is_planned[place] = true;
        }
        let firsts = waiting.in_line.values().filter_map(BTreeSet::first);
        let next: Vec<_> = firsts.map(|(_, place)| candidates[*place].step(ground, now).at.max(now + 1)).collect();
        next.into_iter().for_each(|at| _ = waiting.looks.entry(at).or_default());
    }
    let later = candidates.len() - planned.len();
    (planned, later)
}

fn planned_order(
    candidate: &Candidate,
    step: &Step,
    issuer: &Issuer,
    (at, waits_for): (i64, Option<Wait>),
) -> PlannedOrder {
    PlannedOrder {
        site: candidate.slot.site.clone(),
        key: candidate.slot.key,
        kind: step.kind,
        at,
        issuer: issuer.name.clone(),
        renewal: step.due,
        ends: candidate.serving.as_ref().map(|(life, _)| life.not_after),
        waits_for,
    }
}

#[cfg(test)]
mod tests;
