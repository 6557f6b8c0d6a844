//! What the rest of the house asks of orders.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use super::on_demand::Answer;
use super::progress::{Progress, Step};
use super::slot::Slot;
use super::standing::{Phase, SiteStanding};
use super::tally::{EndedOrders, Tally};
use crate::live::OrderedKey;

/// What the rest of the house asks of orders.
#[derive(Clone, Debug)]
pub struct AcmeHandle {
    sites: Arc<Mutex<BTreeMap<Slot, Arc<SiteStanding>>>>,
    tally: Arc<Mutex<Tally>>,
    questions: Arc<[AtomicU64; Answer::WORDS.len()]>,
    progress: Progress,
    changes: Arc<AtomicU64>,
    wishes: mpsc::Sender<Wish>,
    /// Whether every site was looked at once.
    looked: Arc<watch::Sender<bool>>,
}

/// The site is not managed, so nothing is ordered for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotManaged;

impl AcmeHandle {
    /// A handle, and what is wished for through it.
    #[must_use]
    pub fn new() -> (Self, mpsc::Receiver<Wish>) {
        let (wishes, received) = mpsc::channel(WISHES);
        let (tally, questions, progress, changes) = Default::default();
        let looked = Arc::new(watch::Sender::new(false));
        (Self { sites: Arc::default(), tally, questions, progress, changes, wishes, looked }, received)
    }

    /// How a site is doing, with two types of key the one that needs more attention; `None`: it is not managed.
    #[must_use]
    pub fn of(&self, site: &str) -> Option<Arc<SiteStanding>> {
        let each: Vec<_> = self.each_of(site).into_iter().map(|(_, standing)| standing).collect();
        SiteStanding::of_all(&each)
    }

    /// How a site is doing for each type of key that it has certificates for; none: it is not managed.
    #[must_use]
    pub fn each_of(&self, site: &str) -> Vec<(OrderedKey, Arc<SiteStanding>)> {
        let sites = self.sites.lock().unwrap_or_else(PoisonError::into_inner);
        let standing = |key| {
            let slot = Slot::new(site, key);
            let standing = sites.get(&slot)?;
            Some((key, self.at_its_step(&slot, standing)))
        };
        OrderedKey::ALL.into_iter().filter_map(standing).collect()
    }

    /// How it is doing with what its order has come to since.
    fn at_its_step(&self, slot: &Slot, standing: &Arc<SiteStanding>) -> Arc<SiteStanding> {
        let mut standing = Arc::clone(standing);
        if let Some(step) = self.progress.of(slot) {
            Arc::make_mut(&mut standing).phase = match step {
                Step::Checking => Phase::Checking,
                Step::Validating => Phase::Validating,
            };
        }
        standing
    }

    /// Where orders under way tell how far they have come.
    pub(super) const fn progress(&self) -> &Progress {
        &self.progress
    }

    /// How every managed site is doing, by its name.
    #[must_use]
    pub fn all(&self) -> BTreeMap<String, Arc<SiteStanding>> {
        let sites = self.sites.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: BTreeMap<String, Arc<SiteStanding>> = BTreeMap::new();
        for (slot, standing) in sites.iter() {
            let known = all.get(&slot.site).cloned().into_iter().chain([self.at_its_step(slot, standing)]);
            if let Some(both) = SiteStanding::of_all(&known.collect::<Vec<_>>()) {
                all.insert(slot.site.clone(), both);
            }
        }
        all
    }

    /// How often anything of this has changed.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire).wrapping_add(self.progress.changes())
    }

    /// The orders that have ended, for every issuer and outcome.
    #[must_use]
    pub fn ended(&self) -> Vec<EndedOrders> {
        self.tally().all()
    }

    /// How questions about names that nobody serves were answered, by word.
    #[must_use]
    pub fn questions(&self) -> Vec<(&'static str, u64)> {
        let totals = self.questions.iter().map(|total| total.load(Ordering::Relaxed));
        Answer::WORDS.into_iter().zip(totals).collect()
    }

    pub(super) fn asked(&self, answer: &Answer) {
        self.questions[answer.place()].fetch_add(1, Ordering::Relaxed);
    }

    /// Has a certificate ordered now, whatever serves and whatever failed before.
    ///
    /// # Errors
    /// When the site is not managed.
    pub async fn renew(&self, site: &str) -> Result<(), NotManaged> {
        // After a start it is known which sites are managed once all were looked at.
        if self.of(site).is_none() && !self.wishes.is_closed() {
            let _ = timeout(FIRST_LOOK, self.looked.subscribe().wait_for(|looked| *looked)).await;
        }
        if self.of(site).is_none() {
            return Err(NotManaged);
        }
        let wish = Wish { site: site.to_owned(), key: None };
        self.wishes.send(wish).await.map_err(|_| NotManaged)
    }

    /// The same for one type of key.
    ///
    /// # Errors
    /// When the site is not managed.
    pub(super) async fn replace_key(&self, site: &str, key: OrderedKey) -> Result<(), NotManaged> {
        let each = self.each_of(site);
        let key = match each.iter().any(|(known, _)| *known == key) {
            true => Some(key),
            false if each.is_empty() => return Err(NotManaged),
            // What comes in its place is of another type.
            false => None,
        };
        self.wishes.send(Wish { site: site.to_owned(), key }).await.map_err(|_| NotManaged)
    }

    /// Every site was looked at.
    pub(super) fn has_looked(&self) {
        self.looked.send_if_modified(|looked| !std::mem::replace(looked, true));
    }

    pub(super) fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn replace(&self, sites: BTreeMap<Slot, Arc<SiteStanding>>) {
        let mut known = self.sites.lock().unwrap_or_else(PoisonError::into_inner);
        if *known != sites {
            *known = sites;
            self.changes.fetch_add(1, Ordering::Release);
        }
    }
}

/// What is to be ordered whenever its time is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    site: String,
    /// `None`: for each that the site has certificates for.
    key: Option<OrderedKey>,
}

impl Wish {
    pub(super) fn is_for(&self, slot: &Slot) -> bool {
        self.site == slot.site && self.key.is_none_or(|key| key == slot.key)
    }
}

/// A look at ten thousand sites takes less.
const FIRST_LOOK: Duration = Duration::from_secs(10);
/// Wishes that wait while the manager looks round.
const WISHES: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_step_of_an_order_is_told_of_one_site_as_of_all() {
        let (handle, _wishes) = AcmeHandle::new();
        let slot = Slot::new("shop.example", OrderedKey::Rsa);
        let ordering = SiteStanding { phase: Phase::Ordering, ..SiteStanding::default() };
        let all = || BTreeMap::from([(slot.clone(), Arc::new(ordering.clone()))]);
        let mut changes = handle.changes();
        handle.replace(all());
        let mut told = || {
            assert_ne!(std::mem::replace(&mut changes, handle.changes()), handle.changes());
            let one = handle.of("shop.example").map(|standing| standing.phase);
            assert_eq!(handle.all().get("shop.example").map(|standing| standing.phase), one);
            one
        };
        assert_eq!(told(), Some(Phase::Ordering));
        for (step, phase) in [(Step::Checking, Phase::Checking), (Step::Validating, Phase::Validating)] {
            handle.progress().enter(&slot, Some(step));
            assert_eq!(told(), Some(phase));
        }
        handle.progress().enter(&slot, None);
        assert_eq!(told(), Some(Phase::Ordering));
        handle.replace(all());
        assert_eq!(handle.changes(), changes);
    }
}
