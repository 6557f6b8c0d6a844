//! How traffic has gone of late, and what the next weeks bring.

use serde::Serialize;

use super::realm::{Realm, Scope};
use super::{Call, Operation, Resource, aside, now, timestamp};
use crate::admin::Sources;
use crate::admin::problem::{Answer, Problem, json};
use crate::admin::traffic::Span;
use crate::certs::{End, IntakeHandle};
use crate::elsewhere::Foreign;
use crate::live::Provision;

/// `traffic` and `timeline`
pub(super) static RESOURCE: Resource = Resource {
    operations: &[
        Operation::get("traffic", |call| Box::pin(aside(call, |call| Ok(traffic(call))))).about(Realm::Edge),
        Operation::get("timeline", |call| Box::pin(aside(call, timeline))).about(Realm::Part).asking(&["days"]),
    ],
    description: include_str!("traffic.json"),
};

/// A span of some seconds.
#[derive(Serialize)]
struct SpanEntry {
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
    let entry = |Span { at, seconds, counted }: Span| SpanEntry {
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
struct Entry {
    at: String,
    #[serde(rename = "type")]
    kind: &'static str,
    subject: String,
    /// The site that it is about, if it is one's.
    site: Option<String>,
}

impl From<Coming> for Entry {
    fn from(Coming { at, kind, subject }: Coming) -> Self {
        let site = (!matches!(kind, ComingKind::Object | ComingKind::Elsewhere)).then(|| subject.clone());
        Self { at: timestamp(at), kind: kind.word(), subject, site }
    }
}

fn timeline(call: &Call) -> Result<Answer, Problem> {
    let days = call.query.number("days", MOST_DAYS)?.unwrap_or(USUAL_DAYS);
    let scope = Scope::of(&call.caller, &call.sources);
    let coming = coming(&call.sources, scope.as_ref(), now(), i64::try_from(days).unwrap_or(0));
    Ok(json(&coming.into_iter().map(Entry::from).collect::<Vec<_>>()))
}

/// Something that ends or is to be renewed.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::admin) struct Coming {
    /// Seconds since the Unix epoch.
    pub(in crate::admin) at: i64,
    pub(in crate::admin) kind: ComingKind,
    /// A site, the id of an object, or the address of what others serve.
    pub(in crate::admin) subject: String,
}

/// What comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::admin) enum ComingKind {
    /// The end of a certificate that somebody has to replace.
    End,
    /// The end of one that replaces itself.
    EndOfRenewed,
    /// The end of what sites show, or nobody does.
    Object,
    /// The end of what others serve.
    Elsewhere,
    /// A renewal.
    Renewal,
}

impl ComingKind {
    /// Its name, stable, for programs.
    const fn word(self) -> &'static str {
        match self {
            Self::End => "end",
            Self::EndOfRenewed => "end-of-renewed",
            Self::Object => "object",
            Self::Elsewhere => "end-elsewhere",
            Self::Renewal => "renewal",
        }
    }
}

/// All ends and renewals from `now` on for so many days, and what is over already and still serves, in the order in which it comes;
/// within a scope, what is about sites and URLs of it.
pub(in crate::admin) fn coming(sources: &Sources, scope: Option<&Scope>, now: i64, days: i64) -> Vec<Coming> {
    let until = now + days * DAY;
    let (index, routes) = (sources.certificates.snapshot(), sources.routes.snapshot());
    let overview = sources.lookout.look_over(&index, &routes, now);
    let mut coming: Vec<Coming> = Vec::new();
    let mut add = |at: i64, kind: ComingKind, subject: &str| {
        if at <= until {
            coming.push(Coming { at, kind, subject: subject.to_owned() });
        }
    };
    for site in overview.sites.iter().filter(|site| scope.is_none_or(|scope| scope.sees_site(&site.name))) {
        let end = if site.source == Provision::Uploaded { ComingKind::End } else { ComingKind::EndOfRenewed };
        site.not_after.into_iter().for_each(|at| add(at, end, &site.name));
        site.renewal.into_iter().for_each(|at| add(at.max(now), ComingKind::Renewal, &site.name));
    }
    if scope.is_none() {
        let ledger = sources.intake.as_ref().map(IntakeHandle::ledger).unwrap_or_default();
        for object in ledger.objects.iter() {
            End::of(object, &index, &routes).into_iter().for_each(|end| add(end.at, ComingKind::Object, &object.id));
        }
    }
    let is_seen = |url: &&Foreign| scope.is_none_or(|scope| scope.sees_of(url.organisation.as_deref()));
    for url in overview.elsewhere.iter().filter(|url| url.unwatched.is_none()).filter(is_seen) {
        let end = url.seen.as_ref().and_then(|seen| seen.not_after);
        end.into_iter().for_each(|at| add(at, ComingKind::Elsewhere, &url.address()));
    }
    coming.sort();
    coming
}

/// As long as one plans ahead.
const USUAL_DAYS: u64 = 90;
/// Certificates of servers last a year at most.
const MOST_DAYS: u64 = 400;
const DAY: i64 = 86_400;
