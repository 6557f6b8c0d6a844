//! The URLs, and whether reports list them.

use serde::{Deserialize, Serialize};

use super::realm::{Item, Realm};
use super::recorded::Note;
use super::sites::TOTAL;
use super::standing::Part;
use super::{Call, Operation, Resource, Takes, aside, now, timestamp, unwritten};
use crate::admin::problem::{Answer, Kind, Problem, json};
use crate::name::HostPattern;
use crate::reports::Unwatched;
use crate::words::refusal::{Expects, Refusal};

/// `watched`
pub(super) static RESOURCE: Resource = Resource {
    operations: &[
        Operation::get("watched", |call| Box::pin(aside(call, watched)))
            .about(Realm::List(Item::OfSite))
            .asking(&["q", "offset", "limit"]),
        Operation::post("watched/{host}", |call| Box::pin(aside(call, watch)))
            .about(Realm::Host)
            .taking(Takes::Json)
            .even_frozen(),
    ],
    description: include_str!("watched.json"),
};

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
    let (part, text) = (Part::read(&call.query)?, call.query.value("q").map(str::to_lowercase));
    let is_wanted = |host: &str| text.as_deref().is_none_or(|text| host.contains(text));
    let all = hosts.filter(|(host, _)| is_wanted(host)).map(|(host, site)| {
        let one = unwatched.get(&host);
        Watched::of(host, site, one)
    });
    let all: Vec<_> = all.collect();
    let total = all.len();
    let mut answer = json(&part.of(all));
    answer.headers_mut().insert(TOTAL, total.into());
    Ok(answer)
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
        return Err(Problem::new(Kind::NotFound, text).because(Refusal::NoHost(given.to_owned())));
    };
    let unwatched = match watched {
        true => None,
        false => Some(Unwatched { reason: because(reason)?, by: call.caller.name(), at: now() }),
    };
    call.sources.reports.watch(&host.to_string(), unwatched.clone()).map_err(|error| unwritten(&error))?;
    let detail = unwatched.as_ref().map_or("watched".to_owned(), |one| format!("not watched: {}", one.reason));
    let answer = json(&Watched::of(host.to_string(), &site.name, unwatched.as_ref()));
    Ok(Note::of(format!("watched/{host}"), detail).on(answer))
}

/// Why something is wanted of a URL, or is not any more.
pub(super) fn because(reason: Option<String>) -> Result<String, Problem> {
    let reason = reason.map(|reason| reason.trim().to_owned()).filter(|reason| !reason.is_empty());
    match reason {
        Some(reason) if reason.chars().count() <= LONGEST_REASON && !reason.contains(char::is_control) => Ok(reason),
        Some(_) => Err(Problem::malformed(format!("reason: expected one line of at most {LONGEST_REASON} letters"))
            .because(Refusal::field("reason", Expects::Line(LONGEST_REASON)))),
        None => {
            Err(Problem::malformed("reason: is needed: why somebody wants to hear of this URL, or nobody any more")
                .because(Refusal::field("reason", Expects::Usual)))
        }
    }
}

const LONGEST_REASON: usize = 500;
