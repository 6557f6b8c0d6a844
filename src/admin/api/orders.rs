//! How a managed site is doing: what was ordered, what came of it, when it goes on.

use std::sync::Arc;

use serde::Serialize;

use super::timestamp;
use crate::acme::{AcmeHandle, LastFailure, Outcome, Reason, RenewalInfo, SiteStanding};
use crate::live::OrderedKey;
use crate::overview::{SiteState, is_late};
use crate::words::wait::Wait;

/// What is told of a managed site: what needs most attention, then each type of key by itself.
#[derive(Serialize)]
pub(super) struct Managed {
    #[serde(flatten)]
    gravest: Doing,
    keys: Vec<KeyDoing>,
}

#[derive(Serialize)]
struct KeyDoing {
    key_type: &'static str,
    #[serde(flatten)]
    doing: Doing,
    /// What its last orders came to, the newest last; of one site that is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    history: Option<Vec<Past>>,
}

/// What an order came to.
#[derive(Serialize)]
struct Past {
    at: String,
    issuer: String,
    /// `null`: a certificate was issued.
    reason: Option<&'static str>,
    detail: String,
}

#[derive(Serialize)]
struct Doing {
    state: &'static str,
    /// Whose order it waits for.
    waits_for: Option<String>,
    /// The same as a code with its details.
    wait: Option<Wait>,
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

impl Managed {
    /// As a site is at a moment, seconds since the Unix epoch; `None`: it is not managed.
    pub(super) fn of(ordering: &AcmeHandle, site: &SiteState, at: i64, with_history: bool) -> Option<Self> {
        let each = ordering.each_of(&site.name).into_iter();
        let key = |(key, standing): (OrderedKey, Arc<SiteStanding>)| KeyDoing {
            key_type: key.word(),
            doing: Doing::of(&standing, is_late(&standing, at)),
            history: with_history.then(|| standing.history.iter().map(Past::from).collect()),
        };
        let keys = each.map(key).collect();
        Some(Self { gravest: Doing::of(&*ordering.of(&site.name)?, site.is_late), keys })
    }
}

impl Doing {
    fn of(standing: &SiteStanding, is_late: bool) -> Self {
        let suggested = |info: &RenewalInfo| {
            let (from, until) = info.window?;
            Some(Suggested { from: timestamp(from), until: timestamp(until), explanation: info.explanation.clone() })
        };
        Self {
            state: standing.phase.word(),
            waits_for: standing.waits_for.as_ref().map(ToString::to_string),
            wait: standing.waits_for.clone(),
            next: standing.next.map(timestamp),
            renewal: standing.renewal.map(timestamp),
            is_late,
            left_out: standing.left_out.clone(),
            suggested: standing.renewal_info.as_ref().and_then(suggested),
            issuer: standing.issuer.clone(),
            issued: standing.issued.map(timestamp),
            failures: standing.failures,
            failed_checks: standing.failed_checks,
            warning: standing.warning.as_ref().map(Failure::from),
            last_failure: standing.last_failure.as_ref().map(Failure::from),
        }
    }
}

impl From<&Outcome> for Past {
    fn from(outcome: &Outcome) -> Self {
        Self {
            at: timestamp(outcome.at),
            issuer: outcome.issuer.clone(),
            reason: outcome.reason.map(Reason::label),
            detail: outcome.text.clone(),
        }
    }
}

impl From<&LastFailure> for Failure {
    fn from(last: &LastFailure) -> Self {
        Self {
            issuer: last.issuer.clone(),
            reason: last.reason.label(),
            detail: last.text.clone(),
            at: timestamp(last.at),
        }
    }
}
