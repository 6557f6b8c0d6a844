//! How long something that failed is left alone. All moments are seconds since the Unix epoch.

use serde::{Deserialize, Serialize};

use super::failure::{Failure, Reason};
use super::schedule;
use crate::words::wait::Wait;

/// A rest after failures in a row.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rest {
    /// Why the last of them failed; `None`: nothing failed, and the authority is to be spared.
    pub reason: Option<Reason>,
    /// The same in words.
    pub text: String,
    /// What is waited for, where nothing failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<Wait>,
    /// How many there were.
    pub failures: u32,
    /// They were of checks, before anything was ordered.
    pub is_of_checks: bool,
    /// When the last was.
    pub since: i64,
    /// When the authority said to come again, a day later at most.
    pub told: Option<i64>,
}

impl Rest {
    /// The rest after one more failure than so many.
    pub(super) fn after(failures: u32, failure: &Failure, now: i64) -> Self {
        Self {
            reason: Some(failure.reason),
            text: failure.text.clone(),
            held: None,
            failures: failures.saturating_add(1),
            is_of_checks: false,
            since: now,
            told: failure.told().map(|told| told.min(now + LONGEST)),
        }
    }

    /// The rest after so many checks in a row that let nothing be ordered.
    pub(super) fn after_checks(checks: u32, failure: &Failure, now: i64) -> Self {
        Self { failures: checks, is_of_checks: true, ..Self::after(0, failure, now) }
    }

    /// The rest of what was not even tried.
    pub(super) fn held(failure: &Failure, now: i64) -> Self {
        let told = failure.told().map(|told| told.min(now + LONGEST));
        let held = failure.held.as_deref().cloned();
        Self { reason: None, text: failure.text.clone(), held, since: now, told, ..Self::default() }
    }

    /// What it keeps from being done: of this issuer, or of all.
    pub(super) fn wait(&self, issuer: Option<&str>) -> Wait {
        let reason = self.reason.map(|reason| reason.label().to_owned());
        let failed = || Wait::Failed { issuer: issuer.map(str::to_owned), reason, text: self.text.clone() };
        self.held.clone().unwrap_or_else(failed)
    }

    /// When it ends: after a pause that grows with the failures, unless the certificate is near its end; and never before the
    /// authority said.
    pub(super) fn until(&self, site: &str, is_urgent: bool) -> i64 {
        let pause = match (self.reason, is_urgent) {
            (None, _) => 0,
            (Some(_), _) if self.is_of_checks => schedule::pause_of_checks(self.failures, site),
            (Some(_), true) => schedule::urgent_pause(self.failures, site),
            (Some(_), false) => schedule::pause(self.failures, site),
        };
        (self.since + pause).max(self.told.unwrap_or(i64::MIN))
    }

    /// The clock was put back.
    pub(super) fn settle(&mut self, now: i64) {
        self.since = self.since.min(now);
        self.told = self.told.map(|told| told.min(now + LONGEST));
    }
}

/// Whoever says longer is asked once a day all the same.
const LONGEST: i64 = 86_400;
