//! How traffic has gone of late, and what the next weeks bring.

use serde::Serialize;

use super::realm::{Item, Realm};
use super::{Call, Operation, Resource, aside, now, timestamp};
use crate::admin::problem::{Answer, Problem, json};
use crate::admin::traffic::Span;
use crate::certs::{End, IntakeHandle};
use crate::live::Provision;

/// `traffic` and `timeline`
pub(super) static RESOURCE: Resource = Resource {
    operations: &[
        Operation::get("traffic", |call| Box::pin(aside(call, |call| Ok(traffic(call))))).about(Realm::Edge),
        Operation::get("timeline", |call| Box::pin(aside(call, timeline)))
            .about(Realm::List(Item::OfSite))
            .asking(&["days"]),
    ],
    description: include_str!("traffic.json"),
};

/// A span of some seconds.
#[derive(Serialize)]
struct Entry {
    at: String,
    seconds: f64,
    requests: u64,
    errors: u64,
    handshakes: u64,
    failed_handshakes: u64,
    p50: Option<f64>,
    p99: Option<f64>,
}

fn traffic(call: &Call) -> Answer {
    let entry = |Span { at, seconds, counted }: Span| Entry {
        at: timestamp(at),
        seconds,
        requests: counted.requests,
        errors: counted.errors,
        handshakes: counted.handshakes,
        failed_handshakes: counted.failed_handshakes,
        p50: counted.percentile(50),
        p99: counted.percentile(99),
    };
    json(&call.sources.traffic.spans().into_iter().map(entry).collect::<Vec<_>>())
}

/// Something that comes.
#[derive(Serialize)]
struct Coming {
    at: String,
    #[serde(rename = "type")]
    kind: &'static str,
    subject: String,
    /// The site that it is about, if it is one's.
    site: Option<String>,
}

/// All ends and renewals from now on for so many days, and what is over already and still serves.
fn timeline(call: &Call) -> Result<Answer, Problem> {
    let (now, days) = (now(), call.query.number("days", MOST_DAYS)?.unwrap_or(USUAL_DAYS));
    let until = now + i64::try_from(days).unwrap_or(0) * DAY;
    let (index, routes) = (call.sources.certificates.snapshot(), call.sources.routes.snapshot());
    let overview = call.sources.lookout().look_over(&index, &routes, now);
    let mut coming: Vec<(i64, &'static str, String)> = Vec::new();
    for site in &overview.sites {
        let own_end = if site.source == Provision::Uploaded { "end" } else { "end-of-renewed" };
        coming.extend(site.not_after.map(|at| (at, own_end, site.name.to_string())));
        coming.extend(site.renewal.map(|at| (at.max(now), "renewal", site.name.to_string())));
    }
    let ledger = call.sources.intake.as_ref().map(IntakeHandle::ledger).unwrap_or_default();
    let objects = ledger.objects.iter().filter_map(|object| Some((End::of(object, &index, &routes)?.at, object)));
    coming.extend(objects.map(|(at, object)| (at, OBJECT, object.id.clone())));
    let watched = overview.elsewhere.iter().filter(|url| url.unwatched.is_none());
    coming.extend(watched.filter_map(|url| Some((url.seen.as_ref()?.not_after?, ELSEWHERE, url.address()))));
    coming.retain(|(at, ..)| *at <= until);
    coming.sort();
    let told = |(at, kind, subject): (i64, &'static str, String)| {
        let site = (kind != OBJECT && kind != ELSEWHERE).then(|| subject.clone());
        Coming { at: timestamp(at), kind, subject, site }
    };
    Ok(json(&coming.into_iter().map(told).collect::<Vec<_>>()))
}

/// What sites show, or nobody does.
const OBJECT: &str = "object";
/// What others serve ends.
const ELSEWHERE: &str = "end-elsewhere";
/// As long as one plans ahead.
const USUAL_DAYS: u64 = 90;
/// Certificates of servers last a year at most.
const MOST_DAYS: u64 = 400;
const DAY: i64 = 86_400;
