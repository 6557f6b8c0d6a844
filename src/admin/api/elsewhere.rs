//! URLs that others serve, and what was seen when they were looked at.

use serde::{Deserialize, Serialize};

use super::realm::Realm;
use super::recorded::Note;
use super::watched::because;
use super::{Call, Operation, Resource, Takes, aside, now, timestamp, unwritten};
use crate::admin::problem::{Answer, Kind, Problem, created, json};
use crate::elsewhere::{Foreign, ForeignUrl, NotKept, Said};
use crate::words::refusal::{Expects, Refusal, Thing};

/// `elsewhere`
pub(super) static RESOURCE: Resource = Resource {
    operations: &[
        Operation::get("elsewhere", |call| Box::pin(async move { Ok(list(&call)) })).about(Realm::Edge),
        Operation::post("elsewhere", |call| Box::pin(aside(call, add)))
            .about(Realm::Edge)
            .taking(Takes::Json)
            .even_frozen(),
        Operation::get("elsewhere/{url}", |call| Box::pin(async move { one(&call) })).about(Realm::Hidden),
        Operation::delete("elsewhere/{url}", |call| Box::pin(aside(call, remove)))
            .about(Realm::Hidden)
            .asking(&["reason"])
            .even_frozen(),
        Operation::post("elsewhere/{url}/watched", |call| Box::pin(aside(call, watch)))
            .about(Realm::Hidden)
            .taking(Takes::Json)
            .even_frozen(),
        Operation::post("elsewhere/{url}/look", |call| Box::pin(look(call))).about(Realm::Hidden).even_frozen(),
    ],
    description: include_str!("elsewhere.json"),
};

/// A URL that others serve.
#[derive(Serialize)]
struct Entry {
    name: String,
    url: String,
    state: &'static str,
    added: Remark,
    unwatched: Option<Remark>,
    seen: Option<Sight>,
}

#[derive(Serialize)]
struct Remark {
    reason: String,
    by: String,
    at: String,
}

#[derive(Serialize)]
struct Sight {
    at: String,
    not_after: Option<String>,
    days_left: Option<i64>,
    fingerprint: Option<String>,
    issuer: Option<String>,
    names: Vec<String>,
    fault: Option<String>,
    detail: Option<String>,
    since: Option<String>,
    misses: u32,
}

impl Remark {
    fn of(said: &Said) -> Self {
        Self { reason: said.reason.clone(), by: said.by.clone(), at: timestamp(said.at) }
    }
}

impl Entry {
    fn of(url: &Foreign, now: i64) -> Self {
        let seen = url.seen.as_ref().map(|seen| Sight {
            at: timestamp(seen.at),
            not_after: seen.not_after.map(timestamp),
            days_left: seen.not_after.map(|end| (end - now).div_euclid(86_400)),
            fingerprint: seen.fingerprint.clone(),
            issuer: seen.issuer.clone(),
            names: seen.names.clone(),
            fault: seen.fault.clone(),
            detail: seen.detail.clone(),
            since: seen.since.map(timestamp),
            misses: seen.misses,
        });
        Self {
            name: url.name.clone(),
            url: url.address(),
            state: url.state(now).word(),
            added: Remark::of(&url.added),
            unwatched: url.unwatched.as_ref().map(Remark::of),
            seen,
        }
    }
}

fn list(call: &Call) -> Answer {
    let now = now();
    json(&call.sources.elsewhere.list().iter().map(|url| Entry::of(url, now)).collect::<Vec<_>>())
}

/// The name of a path, however it is written.
fn name(call: &Call) -> String {
    let given = call.parameter("url");
    ForeignUrl::parse(given).map_or_else(|_| given.to_owned(), |url| url.to_string())
}

fn one(call: &Call) -> Result<Answer, Problem> {
    let found = call.sources.elsewhere.find(&name(call)).ok_or_else(|| told(&NotKept::Unknown))?;
    Ok(json(&Entry::of(&found, now())))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    url: String,
    reason: Option<String>,
}

fn add(call: &Call) -> Result<Answer, Problem> {
    let Order { url, reason } = call.json()?;
    let url = ForeignUrl::parse(&url)
        .map_err(|wrong| Problem::malformed(format!("url: {wrong}")).because(Refusal::Field("url", Expects::Usual)))?;
    let routes = call.sources.routes.snapshot();
    if let Some(site) =
        routes.sites().iter().find(|site| site.hosts.iter().any(|host| host.covers(url.host().as_str())))
    {
        let text = format!("{} is a host of the site {}, which is watched as it is", url.host(), site.name);
        let why = Refusal::UrlServed(url.host().to_string(), site.name.to_string());
        return Err(Problem::new(Kind::Conflict, text).because(why));
    }
    let added = said(call, reason)?;
    let detail = added.reason.clone();
    let made = call.sources.elsewhere.add(&url, added).map_err(|why| told(&why))?;
    Ok(Note::of(format!("elsewhere/{url}"), detail).on(created(&Entry::of(&made, now()))))
}

fn remove(call: &Call) -> Result<Answer, Problem> {
    let (name, reason) = (name(call), because(call.query.value("reason").map(str::to_owned))?);
    let found = call.sources.elsewhere.find(&name).ok_or_else(|| told(&NotKept::Unknown))?;
    call.sources.elsewhere.remove(&name).map_err(|why| told(&why))?;
    Ok(Note::of(format!("elsewhere/{name}"), reason).on(json(&Entry::of(&found, now()))))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Watching {
    watched: bool,
    reason: Option<String>,
}

fn watch(call: &Call) -> Result<Answer, Problem> {
    let (name, Watching { watched, reason }) = (name(call), call.json()?);
    let unwatched = if watched { None } else { Some(said(call, reason)?) };
    let detail = unwatched.as_ref().map_or("watched".to_owned(), |said| format!("not watched: {}", said.reason));
    let changed = call.sources.elsewhere.watch(&name, unwatched).map_err(|why| told(&why))?;
    Ok(Note::of(format!("elsewhere/{name}"), detail).on(json(&Entry::of(&changed, now()))))
}

async fn look(call: Call) -> Result<Answer, Problem> {
    let name = name(&call);
    let looked = call.sources.elsewhere.look(&name).await.map_err(|why| told(&why))?;
    let entry = Entry::of(&looked, now());
    Ok(Note::of(format!("elsewhere/{name}"), entry.state).on(json(&entry)))
}

fn said(call: &Call, reason: Option<String>) -> Result<Said, Problem> {
    Ok(Said { reason: because(reason)?, by: call.caller.name(), at: now() })
}

fn told(why: &NotKept) -> Problem {
    let conflict = |refusal| Problem::new(Kind::Conflict, why.to_string()).because(refusal);
    match why {
        NotKept::Known => conflict(Refusal::UrlKnown),
        NotKept::TooMany => conflict(Refusal::Full(Thing::Url)),
        NotKept::Unseen(seen) => conflict(Refusal::UrlUnseen(seen.to_string())),
        NotKept::Unknown => {
            Problem::new(Kind::NotFound, why.to_string()).because(Refusal::NoSuch(Thing::Url, String::new()))
        }
        NotKept::Unwritten(error) => unwritten(error),
    }
}
