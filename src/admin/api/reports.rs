//! Reports that were made, reports to be made now, and those that would go out now.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::realm::{Realm, Scope};
use super::recorded::Note;
use super::standing::Part;
use super::{Call, Operation, Resource, Takes, aside, now, timestamp, unwritten};
use crate::admin::answers::{Report as Entry, ReportDelivery, ReportHead, ReportLine};
use crate::admin::problem::{Answer, Kind, Problem, created, json, table};
use crate::notices::Fate;
use crate::reports::{NEXT, Report, ReportKind, Told, Unmade, csv};
use crate::words::Language;
use crate::words::refusal::{Expects, Refusal, Thing};

/// `reports`
pub(super) static RESOURCE: Resource = Resource {
    operations: &[
        Operation::get("reports", |call| Box::pin(aside(call, list))).about(Realm::Part).asking(&["offset", "limit"]),
        Operation::post("reports", |call| Box::pin(aside(call, make)))
            .about(Realm::Edge)
            .taking(Takes::Json)
            .even_frozen(),
        Operation::get("reports/terms", |call| Box::pin(aside(call, |call| Ok(json(&Terms::of(call))))))
            .about(Realm::Part),
        Operation::get("reports/{id}", |call| Box::pin(aside(call, |call| Ok(json(&entry(call, &find(call)?))))))
            .about(Realm::Part),
        Operation::get("reports/{id}/csv", |call| Box::pin(aside(call, as_table))).about(Realm::Part),
        Operation::get("reports/{id}/mail", |call| Box::pin(aside(call, as_mail)))
            .about(Realm::Part)
            .asking(&["language"]),
    ],
    description: include_str!("reports.json"),
};

/// What is wanted of reports.
#[derive(Serialize)]
struct Terms {
    time_zone: String,
    managed: bool,
    organisations: bool,
    kinds: Vec<Kinds>,
    recipients: Vec<Recipient>,
}

#[derive(Serialize)]
struct Kinds {
    kind: &'static str,
    schedule: Option<String>,
    next: Option<String>,
    from_days: i64,
    until_days: i64,
}

#[derive(Serialize)]
struct Recipient {
    to: String,
    organisations: Option<BTreeSet<String>>,
}

impl Terms {
    fn of(call: &Call) -> Self {
        let (reports, scope) = (&call.sources.reports, Scope::of(&call.caller, &call.sources));
        let terms = reports.terms();
        let kind = |kind: ReportKind| {
            let term = terms.of(kind)?;
            let next = term.schedule.as_ref().and_then(|schedule| schedule.next(&terms.zone, now()));
            Some(Kinds {
                kind: kind.word(),
                schedule: term.schedule.as_ref().map(ToString::to_string),
                next: next.map(|next| timestamp(next.due)),
                from_days: term.days.0,
                until_days: term.days.1,
            })
        };
        let is_theirs = |organisations: &Option<BTreeSet<String>>| match (&scope, organisations) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(scope), Some(whose)) => !whose.is_disjoint(scope.organisations()),
        };
        let readers = reports.audience().into_iter().filter(|reader| is_theirs(&reader.organisations));
        Self {
            time_zone: terms.zone.name().to_owned(),
            managed: terms.lists_managed,
            organisations: terms.tells_organisations,
            kinds: ReportKind::ALL.into_iter().filter_map(kind).collect(),
            recipients: readers
                .map(|reader| Recipient { to: reader.to, organisations: ours(reader.organisations, scope.as_ref()) })
                .collect(),
        }
    }
}

/// Of several organisations, those that whoever asks may know of.
fn ours(organisations: Option<BTreeSet<String>>, scope: Option<&Scope>) -> Option<BTreeSet<String>> {
    let is_known = |id: &String| scope.is_none_or(|scope| scope.organisations().contains(id));
    organisations.map(|all| all.into_iter().filter(is_known).collect())
}

fn head(call: &Call, report: &Report) -> ReportHead {
    let fates: Vec<Fate> = report.told.iter().map(|told| call.sources.reports.fate(&report.id, told)).collect();
    let count = |wanted: fn(&Fate) -> bool| fates.iter().filter(|fate| wanted(fate)).count();
    ReportHead {
        id: report.id.clone(),
        kind: report.kind.word().into(),
        due: timestamp(report.due),
        made: timestamp(report.made),
        late: report.is_late(),
        from_days: report.days.0,
        until_days: report.days.1,
        urls: report.urls,
        unwatched: report.unwatched,
        listed: report.lines.len(),
        told: count(|fate| matches!(fate, Fate::Told { .. })),
        waiting: count(|fate| matches!(fate, Fate::Waiting { .. })),
        given_up: count(|fate| matches!(fate, Fate::GivenUp { .. })),
    }
}

fn entry(call: &Call, report: &Report) -> Entry {
    let line = |line: &crate::reports::Line| ReportLine {
        url: line.url.clone(),
        site: line.site.clone(),
        state: line.state.word().into(),
        not_after: line.not_after.map(timestamp),
        days_left: line.days_left(report.made),
        source: line.source.clone(),
        renewal_late: line.is_late,
        detail: line.detail.clone(),
        fault: line.fault.clone(),
    };
    let scope = Scope::of(&call.caller, &call.sources);
    let delivery = |told: &Told| delivery(told, call.sources.reports.fate(&report.id, told), scope.as_ref());
    Entry {
        head: head(call, report),
        lines: report.lines.iter().map(line).collect(),
        deliveries: report.told.iter().map(delivery).collect(),
    }
}

fn delivery(told: &Told, fate: Fate, scope: Option<&Scope>) -> ReportDelivery {
    let state = fate.word().to_owned();
    let (at, attempts, last_error) = match fate {
        Fate::Waiting { attempts, last_error } => (None, Some(attempts), last_error),
        Fate::Told { at } | Fate::GivenUp { at } => (Some(timestamp(at)), None, None),
        Fate::Unknown => (None, None, None),
    };
    let organisations = ours(told.organisations.clone(), scope);
    ReportDelivery { to: told.to.clone(), organisations, state, at, attempts, last_error }
}

/// What of a report whoever asks may see.
fn seen(call: &Call, report: Report) -> Option<Report> {
    match Scope::of(&call.caller, &call.sources) {
        None => Some(report),
        Some(scope) => report.part_of(scope.organisations()),
    }
}

fn list(call: &Call) -> Result<Answer, Problem> {
    let part = Part::read(&call.query)?;
    let all = call.sources.reports.list().map_err(|error| unwritten(&error))?;
    let all: Vec<Report> = all.into_iter().filter_map(|report| seen(call, report)).collect();
    let total = all.len();
    let mut answer = json(&part.of(all).iter().map(|report| head(call, report)).collect::<Vec<_>>());
    answer.headers_mut().insert(super::TOTAL, total.into());
    Ok(answer)
}

fn find(call: &Call) -> Result<Report, Problem> {
    let id = call.parameter("id");
    let found = match id.strip_prefix(NEXT) {
        Some(kind) => call.sources.reports.preview(kind, now()).map(Some),
        None => call.sources.reports.find(id).map_err(Unmade::from),
    };
    let found = match found {
        Ok(found) => found,
        Err(Unmade::Unknown(_)) => None,
        Err(Unmade::State(error)) => return Err(unwritten(&error)),
    };
    found.and_then(|report| seen(call, report)).ok_or_else(|| {
        Problem::new(Kind::NotFound, format!("there is no report {id:?}; `vitrine reports list` shows those there are"))
            .because(Refusal::NoSuch(Thing::Report, id.to_owned()))
    })
}

fn as_table(call: &Call) -> Result<Answer, Problem> {
    let report = find(call)?;
    Ok(table(&report.id, csv(&report)))
}

/// A report as it is read in a mail.
#[derive(Serialize)]
struct Mail {
    subject: String,
    text: String,
    html: String,
}

fn as_mail(call: &Call) -> Result<Answer, Problem> {
    let language = match call.query.value("language") {
        None => call.sources.notices.language(),
        Some(tag) => Language::ALL.into_iter().find(|language| language.tag() == tag).ok_or_else(|| {
            let all = Language::ALL.map(Language::tag).join(", ");
            Problem::malformed(format!("language: expected one of {all}, found {tag:?}"))
                .because(Refusal::NotOffered(all))
        })?,
    };
    let letter = call.sources.reports.letter(&find(call)?, language);
    Ok(json(&Mail { subject: letter.subject, text: letter.text, html: letter.html }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    kind: String,
}

fn make(call: &Call) -> Result<Answer, Problem> {
    let Order { kind } = call.json()?;
    let report = call.sources.reports.make(&kind, now()).map_err(|unmade| match unmade {
        Unmade::Unknown(_) => Problem::malformed(unmade.to_string()).because(Refusal::field("kind", Expects::Usual)),
        Unmade::State(error) => unwritten(&error),
    })?;
    Ok(Note::of(format!("reports/{}", report.id), "").on(created(&entry(call, &report))))
}
