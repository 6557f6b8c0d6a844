//! How each managed site is doing.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::failure::{Failure, Reason};
use super::renewal_info::RenewalInfo;
use super::rest::Rest;
use super::schedule::Suggested;
use crate::config::Challenge;
use crate::name::HostPattern;
use crate::words::wait::Wait;

/// How a managed site is doing; what is written of it is what must outlast a start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SiteStanding {
    /// Where it is.
    #[serde(skip)]
    pub phase: Phase,
    /// Why nothing is done before [`Self::next`], if that is not for its certificate's time.
    #[serde(skip)]
    pub waits_for: Option<Wait>,
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
    /// When the certificate ends that served last, seconds since the Unix epoch.
    pub ends: Option<i64>,
    /// What kind of certificate was asked for then.
    pub profile: Option<String>,
    /// The names it was ordered for.
    pub names: Vec<String>,
    /// Names of the site that it was ordered without, because they kept failing.
    pub left_out: Vec<String>,
    /// Names that fail, and since when, seconds since the Unix epoch.
    pub failing: BTreeMap<String, i64>,
    /// Orders in a row that came to nothing and that another way of showing control may help.
    pub ways_failed: u32,
    /// Until when the site itself rests, after a fault of its own.
    pub own_rest: Option<Rest>,
    /// Until when it leaves issuers alone that failed for a reason of theirs, by name.
    pub resting: BTreeMap<String, Rest>,
    /// When the authority suggests to renew what serves.
    pub renewal_info: Option<RenewalInfo>,
    /// What the last orders came to, the newest last; twenty at most.
    pub history: Vec<Outcome>,
    /// The order that is open: it is gone on with, which costs nothing.
    #[serde(skip)]
    pub open: Option<Open>,
}

/// An order that has not ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// Whose it is.
    pub issuer: String,
    /// The names it is for.
    pub names: Vec<String>,
    /// When it was begun, seconds since the Unix epoch.
    pub begun: i64,
}

impl Open {
    /// Whether it is for just these names.
    pub(super) fn is_for(&self, names: &[HostPattern]) -> bool {
        self.names.len() == names.len() && names.iter().zip(&self.names).all(|(name, known)| name.to_string() == *known)
    }
}

/// What an order came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// When, seconds since the Unix epoch.
    pub at: i64,
    /// Whose order it was.
    pub issuer: String,
    /// Why it came to nothing; `None`: a certificate was issued.
    pub reason: Option<Reason>,
    /// In words: the authority's, or what was issued.
    pub text: String,
}

/// What was ordered and issued.
pub(super) struct Success<'a> {
    pub(super) issuer: &'a str,
    pub(super) challenge: Challenge,
    pub(super) profile: Option<String>,
    pub(super) names: Vec<String>,
    pub(super) left_out: Vec<String>,
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

    /// Whether an order of it has not ended, or the checks before it.
    pub(super) const fn is_under_way(self) -> bool {
        matches!(self, Self::Checking | Self::Ordering | Self::Validating | Self::Renewing)
    }

    /// How much it asks for a look.
    const fn gravity(self) -> u8 {
        match self {
            Self::Issued => 0,
            Self::Renewing => 1,
            Self::Checking | Self::Ordering | Self::Validating => 2,
            Self::Waiting => 3,
            Self::Failed => 4,
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
    /// Several as one: the one that needs most attention, with the renewal that is due first.
    pub(super) fn of_all(each: &[Arc<Self>]) -> Option<Arc<Self>> {
        let renewal = each.iter().filter_map(|standing| standing.renewal).min();
        let gravity = |standing: &&Arc<Self>| (standing.phase.gravity(), std::cmp::Reverse(standing.next));
        let mut gravest = Arc::clone(each.iter().max_by_key(gravity)?);
        if gravest.renewal != renewal {
            Arc::make_mut(&mut gravest).renewal = renewal;
        }
        Some(gravest)
    }

    /// What the authority suggests for the certificate with this fingerprint.
    pub(super) fn suggested(&self, fingerprint: &str, seed: &str, now: i64) -> Option<Suggested> {
        let info = self.renewal_info.as_ref().filter(|info| info.fingerprint == fingerprint)?;
        info.suggested(seed, now)
    }

    /// Whether its certificate should have been renewed a day ago.
    #[must_use]
    pub fn is_late(&self, now: i64) -> bool {
        self.renewal.is_some_and(|at| at + LATE < now)
    }

    /// How control of the names is to be shown: first as it was last time, after a failure the next way.
    pub(super) fn challenge(&self, known: &[Challenge]) -> Challenge {
        let last = known.iter().position(|one| self.challenge.as_deref() == Some(one.word())).unwrap_or(0);
        let place = (last + self.ways_failed as usize) % known.len().max(1);
        known.get(place).copied().unwrap_or(Challenge::Http01)
    }

    /// Whether nothing of it would matter to a site of its name that is managed again at `now`: no rest and no certificate of it is
    /// left, and authorities count no longer.
    pub(super) fn is_long_past(&self, now: i64) -> bool {
        let rests = self.own_rest.iter().chain(self.resting.values()).map(|rest| rest.told.unwrap_or(rest.since));
        let orders = self.history.last().map(|outcome| outcome.at);
        let last = rests.chain(orders).chain([self.next, self.issued, self.ends].into_iter().flatten()).max();
        last.is_none_or(|last| last.saturating_add(KEPT) < now)
    }

    /// Whether what was tried last came to nothing.
    pub(super) const fn has_failed(&self) -> bool {
        self.failures > 0 || self.failed_checks > 0
    }

    /// An order came to nothing, or was not made. The fault of an issuer keeps the site from that issuer alone.
    pub(super) fn fail(&mut self, issuer: &str, failure: &Failure, now: i64) {
        if failure.is_beforehand {
            self.failed_checks = self.failed_checks.saturating_add(1);
            self.own_rest = Some(Rest::after_checks(self.failed_checks, failure, now));
        } else {
            self.failed_checks = 0;
            self.failures = self.failures.saturating_add(1);
            if failure.reason.is_the_issuers() {
                let failures = self.resting.get(issuer).map_or(0, |rest| rest.failures);
                self.resting.insert(issuer.into(), Rest::after(failures, failure, now));
            } else {
                self.own_rest = Some(Rest::after(self.ways_failed, failure, now));
                self.ways_failed = self.ways_failed.saturating_add(1);
            }
        }
        for name in &failure.names {
            self.failing.entry(name.clone()).or_insert(now);
        }
        self.record(Outcome {
            at: now,
            issuer: issuer.into(),
            reason: Some(failure.reason),
            text: failure.text.clone(),
        });
        self.last_failure = Some(LastFailure::of(issuer, failure, now));
    }

    /// An order was not made, to spare the issuer.
    pub(super) fn hold(&mut self, issuer: &str, failure: &Failure, now: i64) {
        let failures = self.resting.get(issuer).map_or(0, |rest| rest.failures);
        self.resting.insert(issuer.into(), Rest { failures, ..Rest::held(failure, now) });
    }

    /// A certificate was issued.
    pub(super) fn succeed(&mut self, success: Success<'_>, now: i64) {
        let Success { issuer, challenge, profile, names, left_out } = success;
        (self.failures, self.failed_checks, self.ways_failed) = (0, 0, 0);
        (self.last_failure, self.own_rest) = (None, None);
        self.resting.clear();
        self.failing.retain(|name, _| !names.contains(name));
        (self.issuer, self.issued) = (Some(issuer.into()), Some(now));
        self.challenge = Some(challenge.word().into());
        let mut text = format!("issued for {}", names.join(", "));
        if !left_out.is_empty() {
            text += &format!("; without {}", left_out.join(", "));
        }
        self.record(Outcome { at: now, issuer: issuer.into(), reason: None, text });
        (self.profile, self.names, self.left_out) = (profile, names, left_out);
    }

    /// The issuer is there again: what it failed of is no reason any more to leave it alone.
    pub(super) fn forgive(&mut self, issuer: &str) -> bool {
        let was_away = self.resting.get(issuer).is_some_and(|rest| rest.reason == Some(Reason::Unreachable));
        was_away && self.resting.remove(issuer).is_some()
    }

    /// The clock was put back: what seems to have happened later happened now, so that it ends.
    pub(super) fn settle(&mut self, now: i64) {
        self.resting.values_mut().chain(&mut self.own_rest).for_each(|rest| rest.settle(now));
        self.failing.values_mut().for_each(|since| *since = (*since).min(now));
        self.issued = self.issued.map(|issued| issued.min(now));
        if let Some(info) = &mut self.renewal_info {
            info.settle(now);
        }
    }

    fn record(&mut self, outcome: Outcome) {
        self.history.push(outcome);
        let over = self.history.len().saturating_sub(LONGEST_HISTORY);
        self.history.drain(..over);
    }
}

/// Seconds after which a renewal is late.
const LATE: i64 = 86_400;
const LONGEST_HISTORY: usize = 20;
/// Seconds for which a site that is gone is remembered; the longest that authorities count is a week.
const KEPT: i64 = 90 * 86_400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_order_brought_is_told_in_every_language() {
        let words = crate::words::Language::De.said().expect("words");
        let names = vec!["a.example".to_owned(), "b.example".to_owned()];
        for (left_out, expected) in [
            (Vec::new(), "für a.example, b.example"),
            (vec!["c.example".to_owned()], "für a.example, b.example; ohne c.example"),
        ] {
            let mut standing = SiteStanding::default();
            let challenge = Challenge::Http01;
            let names = names.clone();
            standing.succeed(Success { issuer: "le", challenge, profile: None, names, left_out }, 1);
            let written = &standing.history.last().expect("an outcome").text;
            assert_eq!((words.issued)(written).as_deref(), Some(expected), "{written}");
        }
    }
}
