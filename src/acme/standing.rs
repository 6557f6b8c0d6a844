//! How each managed site is doing.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::failure::{Failure, Reason};
use super::on_demand::Answer;
use super::progress::{Progress, Step};
use super::schedule;
use super::tally::{EndedOrders, Tally};
use crate::config::Challenge;

/// How a managed site is doing; what is written of it is what must outlast a start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteStanding {
    /// Where it is.
    #[serde(skip)]
    pub phase: Phase,
    /// Whose order it waits for, in words.
    #[serde(skip)]
    pub waits_for: Option<String>,
    /// When something will be done by itself, seconds since the Unix epoch.
    pub next: Option<i64>,
    /// When its certificate is to be renewed, seconds since the Unix epoch; `None`: it has none yet.
    #[serde(skip)]
    pub renewal: Option<i64>,
    /// Orders in a row that came to nothing.
    pub failures: u32,
    /// Checks in a row that let nothing be ordered, since the last order.
    #[serde(default)]
    pub failed_checks: u32,
    /// What was found before an order that was made all the same.
    #[serde(default)]
    pub warning: Option<LastFailure>,
    /// What came to nothing last, an order or a check.
    pub last_failure: Option<LastFailure>,
    /// Who issued last.
    pub issuer: Option<String>,
    /// When that was, seconds since the Unix epoch.
    pub issued: Option<i64>,
    /// How control of the names was shown then.
    pub challenge: Option<String>,
}

/// Where a managed site is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// It has no certificate, and its turn will come.
    #[default]
    Waiting,
    /// Its names are looked at before anything is ordered.
    Checking,
    /// A certificate is ordered, and none serves.
    Ordering,
    /// The authority looks at its names.
    Validating,
    /// One serves.
    Issued,
    /// One serves, and the next one is ordered.
    Renewing,
    /// The last order came to nothing, or was not made; it is tried again.
    Failed,
}

impl Phase {
    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Waiting => "WAITING",
            Self::Checking => "CHECKING",
            Self::Ordering => "ORDERING",
            Self::Validating => "VALIDATING",
            Self::Issued => "ISSUED",
            Self::Renewing => "RENEWING",
            Self::Failed => "FAILED",
        }
    }
}

/// An order that came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastFailure {
    /// Whose it was.
    pub issuer: String,
    /// Why, in a word.
    pub reason: Reason,
    /// Why, as the authority wrote it.
    pub text: String,
    /// When, seconds since the Unix epoch.
    pub at: i64,
}

impl LastFailure {
    pub(super) fn of(issuer: &str, failure: &Failure, now: i64) -> Self {
        Self { issuer: issuer.into(), reason: failure.reason, text: failure.text.clone(), at: now }
    }
}

impl SiteStanding {
    /// Whether its certificate should have been renewed a day ago.
    #[must_use]
    pub fn is_late(&self, now: i64) -> bool {
        self.renewal.is_some_and(|at| at + LATE < now)
    }

    /// How control of the names is to be shown: first as it was last time, after a failure the next way.
    pub(super) fn challenge(&self, known: &[Challenge]) -> Challenge {
        let last = known.iter().position(|one| self.challenge.as_deref() == Some(one.word())).unwrap_or(0);
        let place = (last + self.failures as usize) % known.len().max(1);
        known.get(place).copied().unwrap_or(Challenge::Http01)
    }

    /// Whether what was tried last came to nothing.
    pub(super) const fn has_failed(&self) -> bool {
        self.failures > 0 || self.failed_checks > 0
    }

    /// An order came to nothing, or was not made.
    pub(super) fn fail(&mut self, site: &str, issuer: &str, failure: &Failure, now: i64) {
        let pause = if failure.is_beforehand {
            self.failed_checks = self.failed_checks.saturating_add(1);
            schedule::pause_of_checks(self.failed_checks, site)
        } else {
            self.failed_checks = 0;
            self.failures = self.failures.saturating_add(1);
            schedule::pause(self.failures, site)
        };
        let told = failure.come_again.and_then(|then| then.duration_since(std::time::SystemTime::UNIX_EPOCH).ok());
        let told = told.and_then(|then| i64::try_from(then.as_secs()).ok()).unwrap_or(0);
        self.next = Some(told.max(now + pause));
        self.last_failure = Some(LastFailure::of(issuer, failure, now));
    }

    /// A certificate was issued.
    pub(super) fn succeed(&mut self, issuer: &str, challenge: Challenge, now: i64) {
        (self.failures, self.failed_checks, self.last_failure, self.next) = (0, 0, None, None);
        (self.issuer, self.issued) = (Some(issuer.into()), Some(now));
        self.challenge = Some(challenge.word().into());
    }
}

/// What the rest of the house asks of orders.
#[derive(Clone, Debug)]
pub struct AcmeHandle {
    sites: Arc<Mutex<BTreeMap<String, SiteStanding>>>,
    tally: Arc<Mutex<Tally>>,
    questions: Arc<[AtomicU64; Answer::WORDS.len()]>,
    progress: Progress,
    wishes: mpsc::Sender<String>,
}

/// The site is not managed, so nothing is ordered for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotManaged;

impl AcmeHandle {
    /// A handle, and what is wished for through it.
    #[must_use]
    pub fn new() -> (Self, mpsc::Receiver<String>) {
        let (wishes, received) = mpsc::channel(WISHES);
        let (tally, questions, progress) = Default::default();
        (Self { sites: Arc::default(), tally, questions, progress, wishes }, received)
    }

    /// How a site is doing; `None`: it is not managed.
    #[must_use]
    pub fn of(&self, site: &str) -> Option<SiteStanding> {
        let standing = self.sites.lock().unwrap_or_else(PoisonError::into_inner).get(site).cloned()?;
        let phase = match self.progress.of(site) {
            Some(Step::Checking) => Phase::Checking,
            Some(Step::Validating) => Phase::Validating,
            None => standing.phase,
        };
        Some(SiteStanding { phase, ..standing })
    }

    /// Where orders under way tell how far they have come.
    pub(super) const fn progress(&self) -> &Progress {
        &self.progress
    }

    /// How every managed site is doing, by its name.
    #[must_use]
    pub fn all(&self) -> BTreeMap<String, SiteStanding> {
        self.sites.lock().unwrap_or_else(PoisonError::into_inner).clone()
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
        if self.of(site).is_none() {
            return Err(NotManaged);
        }
        self.wishes.send(site.to_owned()).await.map_err(|_| NotManaged)
    }

    pub(super) fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn replace(&self, sites: BTreeMap<String, SiteStanding>) {
        *self.sites.lock().unwrap_or_else(PoisonError::into_inner) = sites;
    }
}

/// Seconds after which a renewal is late.
const LATE: i64 = 86_400;
/// Wishes that wait while the manager looks round.
const WISHES: usize = 16;
