//! URLs that others serve, and what was seen when they were looked at.

use serde::{Deserialize, Serialize};

use super::realm::{Item, Realm, Scope};
use super::recorded::Note;
use super::users::{check_organisations, no_organisation};
use super::watched::because;
use super::{Call, Operation, Resource, Takes, aside, now, timestamp, unwritten};
use crate::admin::problem::{Answer, Kind, Problem, created, json};
use crate::elsewhere::{Foreign, ForeignUrl, NotKept, Said};
use crate::words::refusal::{Expects, Refusal, Thing};

/// `elsewhere`
pub(super) static RESOURCE: Resource = Resource {
    operations: &[
        Operation::get("elsewhere", |call| Box::pin(async move { Ok(list(&call)) }))
            .about(Realm::List(Item::OfOrganisation)),
        Operation::post("elsewhere", |call| Box::pin(aside(call, add)))
            .about(Realm::Sent)
            .taking(Takes::Json)
            .even_frozen(),
        Operation::get("elsewhere/{url}", |call| Box::pin(async move { one(&call) })).about(Realm::Url),
        Operation::delete("elsewhere/{url}", |call| Box::pin(aside(call, remove)))
            .about(Realm::Url)
            .asking(&["reason"])
            .even_frozen(),
        Operation::post("elsewhere/{url}/watched", |call| Box::pin(aside(call, watch)))
            .about(Realm::Url)
            .taking(Takes::Json)
            .even_frozen(),
        Operation::post("elsewhere/{url}/organisation", |call| Box::pin(aside(call, give)))
            .about(Realm::Url)
            .taking(Takes::Json)
            .even_frozen(),
        Operation::post("elsewhere/{url}/look", |call| Box::pin(look(call))).about(Realm::Url).even_frozen(),
    ],
    description: include_str!("elsewhere.json"),
};

/// A URL that others serve.
#[derive(Serialize)]
struct Entry {
    name: String,
    url: String,
    organisation: Option<String>,
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
            organisation: url.organisation.clone(),
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

/// Whose a new URL is to be. Whoever has a role for some organisations watches for one of them: for the one, if there is one only.
fn owner(call: &Call, wanted: Option<String>) -> Result<Option<String>, Problem> {
    let Some(scope) = Scope::of(&call.caller, &call.sources) else {
        return check_organisations(call, wanted.iter()).map(|()| wanted);
    };
    let operated = scope.operated();
    let only = || operated.first().filter(|_| operated.len() == 1).cloned();
    match wanted.clone().or_else(only) {
        Some(owner) if operated.contains(&owner) => Ok(Some(owner)),
        // One that is not theirs is told as one that there is not.
        Some(owner) if !scope.organisations().contains(&owner) => Err(no_organisation(&owner)),
        _ => {
            let text = "organisation: expected one of yours of which you may change something; GET /api/v1/organisations lists yours";
            Err(Problem::new(Kind::NotAllowed, text).because(Refusal::OthersOwn))
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Giving {
    organisation: Option<String>,
}

/// Gives a URL to another organisation, or to the edge: that is for whoever has a role for the edge.
fn give(call: &Call) -> Result<Answer, Problem> {
    let (name, Giving { organisation }) = (name(call), call.json()?);
    if call.caller.organisations().is_some() {
        let text = "whose a URL is says somebody who has a role for the edge";
        return Err(Problem::new(Kind::NotAllowed, text).because(Refusal::EdgeAlone));
    }
    check_organisations(call, organisation.iter())?;
    let detail = organisation.as_ref().map_or("the edge's".to_owned(), |id| format!("organisations/{id}"));
    let given = call.sources.elsewhere.give(&name, organisation).map_err(|why| told(&why))?;
    Ok(Note::of(format!("elsewhere/{name}"), detail).on(json(&Entry::of(&given, now()))))
}

/// The organisation whose the URL of a path is.
pub(super) fn owner_of(call: &Call) -> Option<String> {
    call.sources.elsewhere.find(&name(call))?.organisation
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
    organisation: Option<String>,
}

fn add(call: &Call) -> Result<Answer, Problem> {
    let Order { url, reason, organisation } = call.json()?;
    let organisation = owner(call, organisation)?;
    let url = ForeignUrl::parse(&url)
        .map_err(|wrong| Problem::malformed(format!("url: {wrong}")).because(Refusal::field("url", Expects::Usual)))?;
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
    let made = call.sources.elsewhere.add(&url, added, organisation).map_err(|why| told(&why))?;
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

pub(super) fn told(why: &NotKept) -> Problem {
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
