//! How a managed site is doing: what was ordered, what came of it, when it goes on.

use serde::Serialize;

use super::timestamp;
use crate::acme::SiteStanding;

/// What is told of a managed site.
#[derive(Serialize)]
pub(super) struct Managed {
    state: &'static str,
    /// When something will be done by itself.
    next: Option<String>,
    issuer: Option<String>,
    issued: Option<String>,
    failures: u32,
    last_failure: Option<Failure>,
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
        Self {
            state: standing.phase.word(),
            next: standing.next.map(timestamp),
            issuer: standing.issuer,
            issued: standing.issued.map(timestamp),
            failures: standing.failures,
            last_failure: standing.last_failure.map(|last| Failure {
                issuer: last.issuer,
                reason: last.reason.label(),
                detail: last.text,
                at: timestamp(last.at),
            }),
        }
    }
}
