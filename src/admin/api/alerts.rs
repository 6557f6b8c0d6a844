//! What needs somebody, the gravest first.

use serde::Serialize;

use super::realm::{Item, Realm, Scope};
use super::{Call, Operation, Resource, aside, timestamp};
use crate::admin::problem::{Answer, Problem, json};
use crate::overview::{Alert, Overview, Severity};
use crate::words::refusal::Refusal;

/// `alerts`
pub(super) static RESOURCE: Resource = Resource {
    operations: &[Operation::get("alerts", |call| Box::pin(aside(call, list)))
        .about(Realm::List(Item::OfSite))
        .asking(&["severity", "limit"])],
    description: include_str!("alerts.json"),
};

/// One alert.
#[derive(Serialize)]
struct Entry {
    code: &'static str,
    severity: &'static str,
    subject: String,
    site: Option<String>,
    organisation: Option<String>,
    text: String,
    since: Option<String>,
    mend: &'static str,
}

impl Entry {
    fn of(alert: &Alert, overview: &Overview) -> Self {
        Self {
            organisation: overview.owner_of(alert).map(str::to_owned),
            code: alert.code.as_str(),
            severity: alert.severity().word(),
            mend: alert.mend.word(),
            subject: alert.subject.clone(),
            site: alert.site.as_deref().map(str::to_owned),
            text: alert.text.clone(),
            since: alert.since.map(timestamp),
        }
    }
}

fn list(call: &Call) -> Result<Answer, Problem> {
    let severity = match call.query.value("severity") {
        None => None,
        Some(word) => Some(Severity::ALL.into_iter().find(|severity| severity.word() == word).ok_or_else(|| {
            let known = Severity::ALL.map(Severity::word).join(", ");
            Problem::malformed(format!("severity: expected one of {known}, found {word:?}"))
                .because(Refusal::NotOffered(known))
        })?),
    };
    let limit = call.query.number("limit", MOST)?.unwrap_or(MOST);
    let overview = call.sources.lookout.look();
    let wanted = visible(&overview, None).filter(|alert| severity.is_none_or(|severity| alert.severity() == severity));
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    Ok(json(&wanted.take(limit).map(|alert| Entry::of(alert, &overview)).collect::<Vec<_>>()))
}

/// All that are on, the gravest first; those of sites and URLs within a scope, if there is one.
pub(in crate::admin) fn visible<'a>(
    overview: &'a Overview,
    scope: Option<&'a Scope>,
) -> impl Iterator<Item = &'a Alert> {
    let is_seen = |alert: &Alert, scope: &Scope| {
        alert.site.as_deref().is_some_and(|site| scope.sees_site(site)) || scope.sees_of(overview.owner_of(alert))
    };
    overview.alerts.iter().filter(move |alert| scope.is_none_or(|scope| is_seen(alert, scope)))
}

/// One for each of as many sites as an edge may have, and then some.
const MOST: u64 = 100_000;
