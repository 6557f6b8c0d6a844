//! How much of an authority's favour is left. What is spent is on the disk before the authority is asked, so that no start, and no
//! crash in a loop, uses up what is given back only after a week.
//!
//! ```text
//! state/acme/<issuer>/budgets/orders.json              orders of the account
//! state/acme/<issuer>/budgets/domains/<domain>.json    certificates and failed validations of a registered domain's names
//! ```

mod ledger;
mod window;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ledger::{Domain, Ledger, Page};
use window::{Span, Spent};

use super::failure::Failure;
use crate::config;
use crate::name::HostPattern;
use crate::store::Store;
use crate::words::wait::Wait;

/// What an order is for: who comes first when little is left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A configured site that has no certificate.
    #[default]
    New,
    /// A site whose certificate comes to its end.
    Renewal,
    /// A name that somebody asked for in a handshake.
    OnDemand,
}

impl Kind {
    /// All there are.
    pub(super) const ALL: [Self; 3] = [Self::New, Self::Renewal, Self::OnDemand];

    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Renewal => "renewal",
            Self::OnDemand => "on-demand",
        }
    }

    /// How much of a budget may be used up by its like: renewals all of it, new sites leave a tenth, names that strangers can ask for
    /// leave half.
    #[must_use]
    pub const fn share(self, most: u32) -> u32 {
        match self {
            Self::Renewal => most,
            Self::New => most - most / 10,
            Self::OnDemand => most / 2,
        }
    }
}

/// What an order would use up.
#[derive(Clone, Copy)]
pub(super) struct Claim<'a> {
    pub(super) issuer: &'a str,
    pub(super) limits: config::Budgets,
    pub(super) kind: Kind,
    pub(super) names: &'a [HostPattern],
    /// It replaces a certificate of the issuer's.
    pub(super) replaces: bool,
}

impl Claim<'_> {
    /// Whether it counts for validations alone.
    pub(super) fn is_free(&self) -> bool {
        self.replaces && self.limits.replacing_is_free
    }

    /// The very names, whatever their order.
    fn set(&self) -> String {
        let names: BTreeSet<String> = self.names.iter().map(ToString::to_string).collect();
        names.into_iter().collect::<Vec<_>>().join(" ")
    }
}

/// What is used up, and when there is some again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Empty {
    /// Seconds since the Unix epoch.
    pub(super) until: i64,
    pub(super) what: Wait,
}

impl From<Empty> for Failure {
    fn from(empty: Empty) -> Self {
        Self::held(empty.until, empty.what)
    }
}

/// How many orders an issuer still takes of us; `None`: as many as are needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// Whose they are.
    pub issuer: String,
    /// For sites whose certificate comes to its end.
    pub renewals: Option<u32>,
    /// For sites that have none.
    pub new: Option<u32>,
    /// For names that somebody asked for in a handshake.
    pub on_demand: Option<u32>,
    /// When there is one more for a renewal, seconds since the Unix epoch; past: there is.
    pub next: i64,
}

impl Left {
    /// For what an order is for.
    pub(super) const fn of(&self, kind: Kind) -> Option<u32> {
        match kind {
            Kind::New => self.new,
            Kind::Renewal => self.renewals,
            Kind::OnDemand => self.on_demand,
        }
    }
}

/// All budgets. Clones are the same.
#[derive(Clone)]
pub(super) struct Budgets {
    ledger: Arc<Mutex<Ledger>>,
    /// `None`: nothing is written down.
    store: Option<Store>,
    /// Who writes does so in the order in which it was spent.
    turn: Arc<Mutex<()>>,
}

impl Budgets {
    pub(super) fn new(store: Store) -> Self {
        Self { ledger: Arc::default(), store: Some(store), turn: Arc::default() }
    }

    /// As they are now, to be spent in thought: nothing is written down, and these know nothing of it.
    pub(super) fn trial(&self) -> Self {
        Self { ledger: Arc::new(Mutex::new(self.ledger().clone())), store: None, turn: Arc::default() }
    }

    /// Reads what was spent before. Waits for the disk; before it nothing may be spent.
    pub(super) fn load(&self, issuers: &[&str]) {
        let Some(store) = &self.store else { return };
        for issuer in issuers {
            let pages = ledger::read(store, issuer);
            self.ledger().take_in(issuer, pages);
        }
    }

    /// Whether what was spent at an issuer was read.
    pub(super) fn knows(&self, issuer: &str) -> bool {
        self.ledger().knows(issuer)
    }

    /// Whether an order may be made now.
    pub(super) fn look(&self, claim: &Claim<'_>, now: i64) -> Result<(), Empty> {
        self.ledger().look(claim, now)
    }

    /// Uses up what an order needs, or nothing. Waits for the disk.
    pub(super) fn spend(&self, claim: &Claim<'_>, now: i64) -> Result<(), Failure> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let pages = {
            let mut ledger = self.ledger();
            ledger.look(claim, now)?;
            ledger.spend(claim, now)
        };
        self.write(claim.issuer, pages)
    }

    /// No certificate comes of an order that was paid for: the order counts, and the certificate does not.
    pub(super) fn give_back(&self, claim: &Claim<'_>, now: i64) {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let pages = self.ledger().give_back(claim, now);
        self.write_later(claim.issuer, pages);
    }

    /// Whether each of the names may be looked at; if so, counts it as a look that failed, until [`Self::forgive`]. Waits for the
    /// disk.
    pub(super) fn risk(&self, claim: &Claim<'_>, now: i64) -> Result<(), Failure> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let pages = {
            let mut ledger = self.ledger();
            ledger.look_at_names(claim, now)?;
            ledger.change_failed(claim, now, |failed| failed.add(Span::HOUR, now))
        };
        self.write(claim.issuer, pages)
    }

    /// The looks did not fail. What cannot be written is counted too much after a start, and no harm.
    pub(super) fn forgive(&self, claim: &Claim<'_>, now: i64) {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let pages = self.ledger().change_failed(claim, now, Spent::take_back);
        self.write_later(claim.issuer, pages);
    }

    /// What is left of an issuer's orders.
    pub(super) fn left(&self, issuer: &str, limits: config::Budgets, now: i64) -> Left {
        let ledger = self.ledger();
        let orders = ledger.orders(issuer);
        let spent = orders.map_or(0, |spent| spent.count(Span::THREE_HOURS, now));
        let left = |kind: Kind| (limits.orders > 0).then(|| kind.share(limits.orders).saturating_sub(spent));
        let next = empty(orders, Span::THREE_HOURS, limits.orders, Kind::Renewal, now).map_or(now, |(until, _)| until);
        let (renewals, new, on_demand) = (left(Kind::Renewal), left(Kind::New), left(Kind::OnDemand));
        Left { issuer: issuer.to_owned(), renewals, new, on_demand, next }
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_later(&self, issuer: &str, pages: Vec<Page>) {
        if let Err(error) = self.write(issuer, pages) {
            tracing::warn!(%error, "what was not spent cannot be written down");
        }
    }

    fn write(&self, issuer: &str, pages: Vec<Page>) -> Result<(), Failure> {
        let Some(store) = &self.store else { return Ok(()) };
        pages.iter().try_for_each(|page| ledger::write(store, issuer, page)).map_err(Failure::from)
    }
}

impl Ledger {
    fn look(&self, claim: &Claim<'_>, now: i64) -> Result<(), Empty> {
        if claim.is_free() {
            return self.look_at_names(claim, now);
        }
        let issuer = claim.issuer;
        let spent = self.orders(issuer);
        let kept = |most: u32| most - claim.kind.share(most);
        let issued_by = || issuer.to_owned();
        if let Some((until, most)) = empty(spent, Span::THREE_HOURS, claim.limits.orders, claim.kind, now) {
            let what = Wait::OrdersLimited { issuer: issued_by(), most, kept: kept(most) };
            return Err(Empty { until, what });
        }
        let set = claim.set();
        for (name, domain) in self.domains(issuer, claim.names) {
            let (certificates, sets) = (domain.map(|known| &known.certificates), domain.map(|known| &known.sets));
            let most = claim.limits.certificates_per_domain;
            if let Some((until, most)) = empty(certificates, Span::WEEK, most, claim.kind, now) {
                let domain = name.to_string();
                let what = Wait::DomainLimited { issuer: issued_by(), domain, most, kept: kept(most) };
                return Err(Empty { until, what });
            }
            let same = sets.and_then(|sets| sets.get(&set));
            let most = claim.limits.certificates_per_names;
            if let Some((until, most)) = empty(same, Span::WEEK, most, Kind::Renewal, now) {
                return Err(Empty { until, what: Wait::NamesLimited { issuer: issued_by(), most } });
            }
        }
        self.look_at_names(claim, now)
    }

    fn look_at_names(&self, claim: &Claim<'_>, now: i64) -> Result<(), Empty> {
        let most = claim.limits.failed_validations;
        for name in claim.names {
            let failed = self.failed(claim.issuer, name);
            if let Some((until, most)) = empty(failed, Span::HOUR, most, Kind::Renewal, now) {
                let (issuer, name) = (claim.issuer.to_owned(), name.to_string());
                let what = Wait::ValidationsLimited { issuer, name, most };
                return Err(Empty { until, what });
            }
        }
        Ok(())
    }

    fn spend(&mut self, claim: &Claim<'_>, now: i64) -> Vec<Page> {
        if claim.is_free() {
            return Vec::new();
        }
        let set = claim.set();
        let limits = claim.limits;
        let mut pages = Vec::new();
        if limits.orders > 0 {
            pages.push(self.change_orders(claim.issuer, |orders| orders.add(Span::THREE_HOURS, now)));
        }
        if limits.certificates_per_domain > 0 || limits.certificates_per_names > 0 {
            let spend = |domain: &mut Domain, _: &str| {
                domain.certificates.add(Span::WEEK, now);
                domain.sets.entry(set.clone()).or_default().add(Span::WEEK, now);
            };
            pages.extend(self.change_domains(claim.issuer, claim.names, now, spend));
        }
        pages
    }
}

impl Ledger {
    fn give_back(&mut self, claim: &Claim<'_>, now: i64) -> Vec<Page> {
        let set = claim.set();
        self.change_domains(claim.issuer, claim.names, now, |domain, _| {
            domain.certificates.take_back();
            if let Some(same) = domain.sets.get_mut(&set) {
                same.take_back();
            }
        })
    }
}

/// When there is some again, and how much there ever is; `None`: there is.
fn empty(spent: Option<&Spent>, span: Span, most: u32, kind: Kind, now: i64) -> Option<(i64, u32)> {
    let spent = spent.filter(|_| most > 0)?;
    let until = spent.free_at(span, kind.share(most), now);
    (until > now).then_some((until, most))
}

#[cfg(test)]
mod tests;
