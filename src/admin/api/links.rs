//! One-time links: made and looked after here. What a customer does by one is in `hand_in`.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

use super::realm::{Item, Realm, Scope, request_sites};
use super::recorded::Note;
use super::{Call, Content, Form, Operation, Query, Resource, Takes, aside, now, timestamp, unwritten};
use super::{requests, versions};
use crate::admin::answers::{Link as Entry, MadeLink};
use crate::admin::links::{Fate, Link, NotLinked, Parcel, Wanted};
use crate::admin::problem::{Answer, Kind, Problem, created, json};
use crate::words::refusal::{Expects, Refusal, Thing};

/// `links`
pub(super) static RESOURCE: Resource = Resource {
    operations: &[
        Operation::get("links", |call| Box::pin(aside(call, |call| Ok(list(call))))).about(Realm::List(Item::Names)),
        Operation::post("links", |call| Box::pin(make(call))).about(Realm::Sent).taking(Takes::Json),
        Operation::get("links/{id}", |call| Box::pin(aside(call, one))).about(Realm::Link),
        Operation::delete("links/{id}", |call| Box::pin(aside(call, revoke))).about(Realm::Link).even_frozen(),
        Operation::post("links/{id}/accept", |call| Box::pin(accept(call))).about(Realm::Link),
        Operation::post("links/{id}/decline", |call| Box::pin(aside(call, decline))).about(Realm::Link),
    ],
    description: include_str!("links.json"),
};

fn entry(link: Link) -> Entry {
    Entry {
        state: link.state(now()).into(),
        created: timestamp(link.created),
        expires: timestamp(link.expires),
        opened: link.opened.map(timestamp),
        id: link.id,
        note: link.note,
        sites: link.sites,
        request: link.request,
        goes_live: link.goes_live,
        created_by: link.created_by,
        wrong: link.wrong,
        found: link.found,
    }
}

fn list(call: &Call) -> Answer {
    json(&call.sources.links.list().into_iter().map(entry).collect::<Vec<_>>())
}

fn one(call: &Call) -> Result<Answer, Problem> {
    let id = call.parameter("id");
    let link = call.sources.links.find(id).ok_or_else(|| not_linked(NotLinked::Unknown))?;
    Ok(json(&entry(link)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    #[serde(default)]
    sites: BTreeSet<String>,
    request: Option<String>,
    #[serde(default)]
    note: String,
    hours: Option<u32>,
    #[serde(default)]
    goes_live: bool,
}

async fn make(call: Call) -> Result<Answer, Problem> {
    let Order { mut sites, request, note, hours, goes_live } = call.json()?;
    let hours = hours.unwrap_or(HOURS);
    if !(1..=MOST_HOURS).contains(&hours) {
        return Err(Problem::malformed(format!("hours: expected 1 to {MOST_HOURS}, found {hours}"))
            .because(Refusal::field("hours", Expects::Number(MOST_HOURS))));
    }
    if note.chars().count() > LONGEST_NOTE || note.contains(char::is_control) {
        return Err(Problem::malformed(format!("note: expected at most {LONGEST_NOTE} letters on one line"))
            .because(Refusal::field("note", Expects::Line(LONGEST_NOTE))));
    }
    match &request {
        Some(_) if !sites.is_empty() => {
            return Err(Problem::malformed("expected sites or a request, which names its sites, found both")
                .because(Refusal::SitesOrRequest));
        }
        Some(id) => sites = request_sites(&call, id).await?,
        None => {}
    }
    let known = |name: &String| call.sources.routes.load().sites().iter().any(|site| *site.name == **name);
    if sites.is_empty() || sites.len() > MOST_SITES {
        return Err(Problem::malformed(format!(
            "sites: expected 1 to {MOST_SITES} names of sites, found {}",
            sites.len()
        ))
        .because(Refusal::field("sites", Expects::Sites(MOST_SITES))));
    }
    if let Some(name) = sites.iter().find(|name| !known(name)) {
        let text = format!(
            "sites: expected names of configured sites, found {name:?}; `vitrine sites list` shows those there are"
        );
        return Err(Problem::malformed(text).because(Refusal::field("sites", Expects::Usual)));
    }
    if let Some(scope) = Scope::of(&call.caller, &call.sources) {
        scope.demand_new(&sites)?;
    }
    let (links, now, by) = (call.sources.links.clone(), now(), call.caller.name());
    let expires = now + i64::from(hours) * 3600;
    let sites = sites.into_iter().collect();
    let wanted = Wanted { note, sites, request, goes_live, by, expires };
    let made = tokio::task::spawn_blocking(move || links.make(wanted, now)).await;
    let (link, secret) = made.map_err(|_| not_done())?.map_err(not_linked)?;
    let detail = format!("{}; until {}", link.words(), timestamp(link.expires));
    let path = zeroize::Zeroizing::new(format!("/hand-in/{}", *secret));
    Ok(Note::of(format!("links/{}", link.id), detail).on(created(&MadeLink { link: entry(link), path: &*path })))
}

fn revoke(call: &Call) -> Result<Answer, Problem> {
    ended(call.sources.links.end(call.parameter("id"), Fate::Revoked))
}

fn decline(call: &Call) -> Result<Answer, Problem> {
    ended(call.sources.links.end(call.parameter("id"), Fate::Declined))
}

fn ended(ended: Result<Link, NotLinked>) -> Result<Answer, Problem> {
    let link = ended.map_err(not_linked)?;
    Ok(Note::of(format!("links/{}", link.id), link.words()).on(json(&entry(link))))
}

/// Takes what waits, in the name of whoever says yes.
async fn accept(call: Call) -> Result<Answer, Problem> {
    let (links, id) = (call.sources.links.clone(), call.parameter("id").to_owned());
    let _turn = links.take_turn(&id).map_err(not_linked)?;
    let link = links.find(&id).ok_or_else(|| not_linked(NotLinked::Unknown))?;
    let parcel = links.parcel(&id).map_err(not_linked)?;
    bring(&call, &link, &parcel, false).await?;
    let taken = tokio::task::spawn_blocking(move || links.end(&id, Fate::Taken)).await;
    ended(taken.map_err(|_| not_done())?)
}

/// Brings what was handed in to where certificates come in, or looks what would become of it.
pub(super) async fn bring(call: &Call, link: &Link, parcel: &Parcel, only_look: bool) -> Result<Value, Problem> {
    let field = if link.request.is_some() && !only_look { "certificate" } else { "file" };
    let mut parts: Vec<_> =
        parcel.pieces.iter().map(|(name, content)| (field, Some(name.as_str()), content.as_slice())).collect();
    if let Some(password) = parcel.password.as_ref().filter(|_| field == "file") {
        parts.push(("password", None, password.as_bytes()));
    }
    let asked = Call {
        caller: call.caller.clone(),
        sources: std::sync::Arc::clone(&call.sources),
        query: Query::read(Some(if only_look { "dry_run=true" } else { "" }), &["dry_run"])?,
        parameters: link.request.iter().map(|request| ("id", request.clone())).collect(),
        content: Content::Form(Form::of(&parts)),
        conditions: super::Conditions::default(),
    };
    let answer = match field {
        "certificate" => requests::complete(asked).await?,
        _ => versions::upload(asked).await?,
    };
    super::realm::read(answer).await
}

impl Link {
    /// What it is for, for the audit trail.
    pub(super) fn words(&self) -> String {
        let sites = self.sites.join(" ");
        let request = self.request.as_ref().map(|request| format!(", request {request}")).unwrap_or_default();
        let found = self.found.as_ref().map(|found| format!(", {}", found.fingerprint)).unwrap_or_default();
        format!("{:?} for {sites}{request}, {}{found}", self.note, self.fate.word())
    }
}

pub(super) fn not_done() -> Problem {
    Problem::new(Kind::Internal, "it could not be done; see the log").because(Refusal::Failed)
}

pub(super) fn not_linked(why: NotLinked) -> Problem {
    match why {
        NotLinked::Unknown => {
            Problem::new(Kind::NotFound, "there is no such link; `vitrine links list` shows those there are")
                .because(Refusal::NoSuch(Thing::Link, String::new()))
        }
        NotLinked::Not(fate) => Problem::new(Kind::Conflict, format!("the link is {}; make another", fate.word()))
            .because(Refusal::LinkSpent),
        NotLinked::Over => {
            Problem::new(Kind::Conflict, "the link's time is over; make another").because(Refusal::LinkOver)
        }
        NotLinked::Busy => Problem::new(
            Kind::Conflict,
            "something is being handed in by this link at this moment; look again in a while",
        )
        .because(Refusal::LinkBusy),
        NotLinked::TooMany => Problem::new(Kind::Conflict, "there are as many links as there may be; revoke some")
            .because(Refusal::Full(Thing::Link)),
        NotLinked::Guessed(wait) => super::hand_in::too_many(wait),
        NotLinked::NoRandomness => {
            Problem::new(Kind::Internal, "the system gives no random numbers").because(Refusal::NoRandomness)
        }
        NotLinked::Unwritten(error) => unwritten(&error),
    }
}

/// Over a weekend.
const HOURS: u32 = 72;
/// A month: whoever has not come by then asks again.
const MOST_HOURS: u32 = 720;
const LONGEST_NOTE: usize = 100;
/// As many as fit on a page.
const MOST_SITES: usize = 50;
