//! How a managed site is doing: what was ordered, what came of it, when it goes on.

use serde::Serialize;

use super::{now, timestamp};
use crate::acme::{LastFailure, SiteStanding};

/// What is told of a managed site.
#[derive(Serialize)]
pub(super) struct Managed {
    state: &'static str,
    /// Whose order it waits for.
    waits_for: Option<String>,
    /// When something will be done by itself.
    next: Option<String>,
    /// When its certificate is to be renewed.
    renewal: Option<String>,
    /// Whether that should have been more than a day ago.
    is_late: bool,
    issuer: Option<String>,
    issued: Option<String>,
    /// Names that the certificate was ordered without.
    left_out: Vec<String>,
    suggested: Option<Suggested>,
    failures: u32,
    failed_checks: u32,
    warning: Option<Failure>,
    last_failure: Option<Failure>,
}

/// When the authority wants the certificate renewed.
#[derive(Serialize)]
struct Suggested {
    from: String,
    until: String,
    explanation: Option<String>,
}

#[derive(Serialize)]
struct Failure {
    issuer: String,
    reason: &'static str,
    detail: String,
    at: String,
}

impl From<SiteStanding> for Managed {
    fn from(standing: SiteStanding) -> Self {
        let is_late = standing.is_late(now());
        Self {
            state: standing.phase.word(),
            waits_for: standing.waits_for,
            next: standing.next.map(timestamp),
            renewal: standing.renewal.map(timestamp),
            is_late,
            left_out: standing.left_out,
            suggested: standing.renewal_info.and_then(|info| {
                let (from, until) = info.window?;
                Some(Suggested { from: timestamp(from), until: timestamp(until), explanation: info.explanation })
            }),
            issuer: standing.issuer,
            issued: standing.issued.map(timestamp),
            failures: standing.failures,
            failed_checks: standing.failed_checks,
            warning: standing.warning.map(Failure::from),
            last_failure: standing.last_failure.map(Failure::from),
        }
    }
}

impl From<LastFailure> for Failure {
    fn from(last: LastFailure) -> Self {
        Self { issuer: last.issuer, reason: last.reason.label(), detail: last.text, at: timestamp(last.at) }
    }
}
