//! Reports that were made, reports to be made now, and the URLs that nobody wants to hear of.

use serde::{Deserialize, Serialize};

use super::realm::{Item, Realm};
use super::recorded::Note;
use super::{Call, Operation, Resource, Takes, aside, now, timestamp, unwritten};
use crate::admin::problem::{Answer, Kind, Problem, created, json, table};
use crate::name::HostPattern;
use crate::reports::{Report, Unmade, Unwatched, csv};

/// `reports` and `watched`
pub(super) static RESOURCE: Resource = Resource {
    operations: &[
        Operation::get("reports", |call| Box::pin(aside(call, list))).about(Realm::Edge),
        Operation::post("reports", |call| Box::pin(aside(call, make)))
            .about(Realm::Edge)
            .taking(Takes::Json)
            .even_frozen(),
        Operation::get("reports/{id}", |call| Box::pin(aside(call, |call| Ok(json(&Entry::of(&find(call)?))))))
            .about(Realm::Hidden),
        Operation::get("reports/{id}/csv", |call| Box::pin(aside(call, as_table))).about(Realm::Hidden),
        Operation::get("watched", |call| Box::pin(aside(call, watched))).about(Realm::List(Item::OfSite)),
        Operation::post("watched/{host}", |call| Box::pin(aside(call, watch)))
            .about(Realm::Hidden)
            .taking(Takes::Json)
            .even_frozen(),
    ],
    description: include_str!("reports.json"),
};

/// A report without its lines.
#[derive(Serialize)]
struct Head {
    id: String,
    kind: &'static str,
    due: String,
    made: String,
    late: bool,
    from_days: i64,
    until_days: i64,
    urls: usize,
    unwatched: usize,
    listed: usize,
}

/// A report.
#[derive(Serialize)]
struct Entry {
    #[serde(flatten)]
    head: Head,
    lines: Vec<LineEntry>,
}

#[derive(Serialize)]
struct LineEntry {
    url: String,
    site: String,
    state: &'static str,
    not_after: Option<String>,
    days_left: Option<i64>,
    source: String,
    renewal_late: bool,
}

impl Head {
    fn of(report: &Report) -> Self {
        Self {
            id: report.id.clone(),
            kind: report.kind.word(),
            due: timestamp(report.due),
            made: timestamp(report.made),
            late: report.is_late(),
            from_days: report.days.0,
            until_days: report.days.1,
            urls: report.urls,
            unwatched: report.unwatched,
            listed: report.lines.len(),
        }
    }
}

impl Entry {
    fn of(report: &Report) -> Self {
        let line = |line: &crate::reports::Line| LineEntry {
            url: line.url.clone(),
            site: line.site.clone(),
            state: line.state.word(),
            not_after: line.not_after.map(timestamp),
            days_left: line.days_left(report.made),
            source: line.source.clone(),
            renewal_late: line.is_late,
        };
        Self { head: Head::of(report), lines: report.lines.iter().map(line).collect() }
    }
}

fn list(call: &Call) -> Result<Answer, Problem> {
    let all = call.sources.reports.list().map_err(|error| unwritten(&error))?;
    Ok(json(&all.iter().map(Head::of).collect::<Vec<_>>()))
}

fn find(call: &Call) -> Result<Report, Problem> {
    let id = call.parameter("id");
    let found = call.sources.reports.find(id).map_err(|error| unwritten(&error))?;
    found.ok_or_else(|| {
        Problem::new(Kind::NotFound, format!("there is no report {id:?}; `vitrine reports list` shows those there are"))
    })
}

fn as_table(call: &Call) -> Result<Answer, Problem> {
    let report = find(call)?;
    Ok(table(&report.id, csv(&report)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    kind: String,
}

fn make(call: &Call) -> Result<Answer, Problem> {
    let Order { kind } = call.json()?;
    let report = call.sources.reports.make(&kind, now()).map_err(|unmade| match unmade {
        Unmade::Unknown(_) => Problem::malformed(unmade.to_string()),
        Unmade::State(error) => unwritten(&error),
    })?;
    Ok(Note::of(format!("reports/{}", report.id), "").on(created(&Entry::of(&report))))
}

/// A host, and whether reports list it.
#[derive(Serialize)]
struct Watched {
    host: String,
    site: String,
    url: String,
    watched: bool,
    reason: Option<String>,
    by: Option<String>,
    since: Option<String>,
}

impl Watched {
    fn of(host: String, site: &str, unwatched: Option<&Unwatched>) -> Self {
        Self {
            url: format!("https://{host}"),
            host,
            site: site.to_owned(),
            watched: unwatched.is_none(),
            reason: unwatched.map(|one| one.reason.clone()),
            by: unwatched.map(|one| one.by.clone()),
            since: unwatched.map(|one| timestamp(one.at)),
        }
    }
}

fn watched(call: &Call) -> Result<Answer, Problem> {
    let unwatched = call.sources.reports.unwatched().map_err(|error| unwritten(&error))?;
    let routes = call.sources.routes.snapshot();
    let hosts = routes.sites().iter().flat_map(|site| site.hosts.iter().map(|host| (host.to_string(), &*site.name)));
    let all = hosts.map(|(host, site)| {
        let one = unwatched.get(&host);
        Watched::of(host, site, one)
    });
    Ok(json(&all.collect::<Vec<_>>()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Watching {
    watched: bool,
    reason: Option<String>,
}

fn watch(call: &Call) -> Result<Answer, Problem> {
    let given = call.parameter("host");
    let Watching { watched, reason } = call.json()?;
    let routes = call.sources.routes.snapshot();
    let pattern = HostPattern::parse(given).ok();
    let site = routes.sites().iter().find(|site| pattern.as_ref().is_some_and(|host| site.hosts.contains(host)));
    let (Some(host), Some(site)) = (&pattern, site) else {
        let text = format!("no site has the host {given:?}; `vitrine sites list` shows those there are");
        return Err(Problem::new(Kind::NotFound, text));
    };
    let reason = reason.map(|reason| reason.trim().to_owned()).filter(|reason| !reason.is_empty());
    let unwatched = match (watched, reason) {
        (true, _) => None,
        (false, Some(reason)) if reason.chars().count() <= LONGEST_REASON && !reason.contains(char::is_control) => {
            Some(Unwatched { reason, by: call.caller.name(), at: now() })
        }
        (false, Some(_)) => {
            return Err(Problem::malformed(format!("reason: expected one line of at most {LONGEST_REASON} letters")));
        }
        (false, None) => {
            return Err(Problem::malformed("reason: is needed: why nobody wants to hear of this URL any more"));
        }
    };
    call.sources.reports.watch(&host.to_string(), unwatched.clone()).map_err(|error| unwritten(&error))?;
    let detail = unwatched.as_ref().map_or("watched".to_owned(), |one| format!("not watched: {}", one.reason));
    let answer = json(&Watched::of(host.to_string(), &site.name, unwatched.as_ref()));
    Ok(Note::of(format!("watched/{host}"), detail).on(answer))
}

const LONGEST_REASON: usize = 500;
