//! Who did what.

use super::realm::Realm;
use super::{Call, Operation, Resource, aside};
use crate::admin::problem::{Answer, Kind, Problem, json};
use crate::store::StoreError;

/// `audit`
pub(super) static RESOURCE: Resource = Resource {
    operations: &[
        Operation::get("audit", |call| Box::pin(aside(call, list))).about(Realm::Edge).asking(&["after", "limit"]),
        Operation::get("audit/verification", |call| Box::pin(aside(call, verify))).about(Realm::Edge),
    ],
    description: include_str!("audit.json"),
};

fn list(call: &Call) -> Result<Answer, Problem> {
    // What programs with floating numbers count to.
    let after = call.query.number("after", 1 << 53)?;
    let limit = call.query.number("limit", MOST)?.unwrap_or(USUAL);
    let lines = call.sources.audit.lines(after, usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(json(&lines.map_err(|error| unread(&error))?))
}

fn verify(call: &Call) -> Result<Answer, Problem> {
    let verified = call.sources.audit.verify().map_err(|error| unread(&error))?;
    Ok(json(&verified))
}

fn unread(error: &StoreError) -> Problem {
    tracing::error!(%error, "the audit trail cannot be read");
    Problem::new(Kind::Internal, error.to_string())
}

const USUAL: u64 = 100;
/// Some 400 KiB.
const MOST: u64 = 1000;
