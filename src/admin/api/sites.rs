//! The configured sites: which certificate serves each host and why, and where requests go.

use std::sync::Arc;

use http::HeaderName;
use serde_json::Value;

use super::choices;
use super::minimum;
use super::orders::managed;
use super::realm::{Item, Realm};
use super::recorded::Note;
use super::serving::{Asked, Candidates, chosen_by, host};
use super::standing::Wanted;
use super::{Call, Operation, Resource, Takes, aside, now, timestamp};
use crate::acme::NotManaged;
use crate::admin::Sources;
use crate::admin::answers::{Site as Entry, SiteReason, SiteRoute};
use crate::admin::problem::{Answer, Kind, Problem, created, json};
use crate::certs::minimum_of;
use crate::config::SiteRefusal;
use crate::live::{RouteTable, Site};
use crate::name::HostPattern;
use crate::notices::Scope;
use crate::overview::{Reason, SiteState};
use crate::words::refusal::{Refusal, Thing};

/// `sites`
pub(super) static RESOURCE: Resource = Resource {
    operations: &[
        Operation::get("sites", |call| Box::pin(aside(call, list)))
            .about(Realm::List(Item::Site))
            .asking(Wanted::NAMES),
        Operation::get("sites/{name}", |call| Box::pin(aside(call, one))).about(Realm::Site("name")),
        Operation::post("sites", |call| Box::pin(add(call))).about(Realm::Edge).taking(Takes::Json),
        Operation::delete("sites/{name}", |call| Box::pin(remove(call))).about(Realm::Site("name")),
        Operation::post("sites/{name}/renew", |call| Box::pin(renew(call))).about(Realm::Site("name")),
    ],
    description: include_str!("sites.json"),
};

/// The sites that are asked for, in the order of the configuration; all, if nothing is. How many there are is told beside a part.
fn list(call: &Call) -> Result<Answer, Problem> {
    let wanted = Wanted::read(&call.query)?;
    let scope = call.query.value("contact").map(|id| scope(call, id)).transpose()?;
    let is_meant = |site: &Site| match &scope {
        None | Some(Scope::Everything) => true,
        Some(Scope::Site(name)) => **name == *site.name,
        Some(Scope::Organisation(id)) => call.sources.people.organisation_of(&site.name).as_ref() == Some(id),
    };
    let (entries, total) = entries(&call.sources, now(), &wanted, is_meant, false);
    let mut answer = json(&entries);
    answer.headers_mut().insert(TOTAL, total.into());
    Ok(answer)
}

/// What a contact is told of.
fn scope(call: &Call, id: &str) -> Result<Scope, Problem> {
    // Contacts are the edge's; for whoever has a role for some organisations alone there is none.
    let mut contacts = call.sources.notices.contacts().into_iter().filter(|_| call.caller.organisations().is_none());
    let found = contacts.find(|contact| contact.id == id);
    let unknown = || {
        Problem::malformed(format!("contact: there is no contact with the id {id:?}; `contacts` lists all"))
            .because(Refusal::NoSuch(Thing::Contact, id.to_owned()))
    };
    found.map(|contact| contact.scope).ok_or_else(unknown)
}

/// Those of the sites that are wanted and meant, in their part of the list, and how many there are in all.
fn entries(
    sources: &Sources,
    now: i64,
    wanted: &Wanted,
    is_meant: impl Fn(&Site) -> bool,
    with_history: bool,
) -> (Vec<Entry>, usize) {
    let (index, routes) = (sources.certificates.snapshot(), sources.routes.snapshot());
    let overview = sources.lookout.look_over(&index, &routes, now);
    let all = routes.sites().iter().zip(&overview.sites);
    let found: Vec<_> = all.filter(|(site, state)| is_meant(site) && wanted.takes(site, state)).collect();
    let total = found.len();
    let part = wanted.part(found);
    let candidates = Candidates::of(&index, part.iter().flat_map(|(site, _)| &site.hosts));
    let (choices, minimums) = (choices::of(sources), minimum::decided(sources));
    let host = |site: &Site, pattern: &HostPattern| {
        let asked = Asked { minimum: minimum_of(site, &minimums), now };
        chosen_by(host(pattern, &index, &candidates, &sources.truth, asked), site, choices.get(&*site.name))
    };
    let origins = sources.origins.borrow().clone();
    let origin = |site: &str| origins.of_site(site).map(|file| file.display().to_string()).unwrap_or_default();
    let entry = |(site, state): (&Arc<Site>, &SiteState)| Entry {
        name: site.name.to_string(),
        origin: origin(&site.name),
        state: state.state.word().into(),
        action: state.action().word().into(),
        reason: reason(&state.reason),
        served: state.served.word().into(),
        band: state.band.word().into(),
        days_left: state.days_left,
        not_after: state.not_after.map(timestamp),
        renewal: state.renewal.map(timestamp),
        last_error: state.last_error.clone(),
        wrong: state.shown.clone(),
        request: state.request.as_deref().map(str::to_owned),
        minimum: minimum::told(site, &minimums),
        certificate: choices::provided(site.provision, choices.get(&*site.name)),
        managed: managed(&sources.ordering, state, overview.at, with_history),
        hosts: site.hosts.iter().map(|pattern| host(site, pattern)).collect(),
        routes: site.routes().iter().map(|route| route_entry(&routes, &route.prefix, route.group)).collect(),
    };
    (part.into_iter().map(entry).collect(), total)
}

fn one(call: &Call) -> Result<Answer, Problem> {
    entry(call, call.parameter("name"), true).map(|entry| json(&entry))
}

fn entry(call: &Call, name: &str, with_history: bool) -> Result<Entry, Problem> {
    let (found, _) = entries(&call.sources, now(), &Wanted::default(), |site| *site.name == *name, with_history);
    found.into_iter().next().ok_or_else(|| refused(SiteRefusal::Unknown, name))
}

/// Adds a site with the keys of `[[site]]`.
async fn add(call: Call) -> Result<Answer, Problem> {
    let site: Value = call.json()?;
    let name = call.sources.site_desk.add(site).await.map_err(|refusal| refused(refusal, ""))?;
    let note = Note::of(format!("sites/{name}"), "");
    aside(call, move |call| entry(call, &name, false).map(|entry| note.on(created(&entry)))).await
}

/// Removes a site that was added.
async fn remove(call: Call) -> Result<Answer, Problem> {
    let name = call.parameter("name");
    call.sources.site_desk.remove(name).await.map_err(|refusal| refused(refusal, name))?;
    Ok(json(&serde_json::json!({ "removed": name })))
}

/// Orders a certificate for a managed site now.
async fn renew(call: Call) -> Result<Answer, Problem> {
    let name = call.parameter("name").to_owned();
    if !call.sources.routes.snapshot().sites().iter().any(|site| *site.name == *name) {
        return Err(refused(SiteRefusal::Unknown, &name));
    }
    call.sources.ordering.renew(&name).await.map_err(|NotManaged| {
        let text = format!("{name:?} is not managed: `vitrine sites use {name} managed` has its certificates ordered");
        Problem::new(Kind::Conflict, text).because(Refusal::NotManaged(name.clone()))
    })?;
    Ok(Note::of(format!("sites/{name}"), "").on(json(&serde_json::json!({ "ordered": name }))))
}

fn refused(refusal: SiteRefusal, name: &str) -> Problem {
    match refusal {
        SiteRefusal::Flawed(mistakes) => {
            let text = mistakes.join("; ");
            Problem::new(Kind::Rejected, text.clone()).because(Refusal::SiteUnread(text))
        }
        SiteRefusal::Unknown => {
            let text = format!("there is no site {name:?}; `vitrine sites list` shows those there are");
            Problem::new(Kind::NotFound, text).because(Refusal::NoSuch(Thing::Site, name.to_owned()))
        }
        SiteRefusal::Conflict(why, text) => Problem::new(Kind::Conflict, text).because(why),
        SiteRefusal::Unwritten(text) => Problem::new(Kind::Internal, text.clone()).because(Refusal::Unwritten(text)),
    }
}

fn reason(reason: &Reason) -> SiteReason {
    SiteReason { code: reason.code.as_str().into(), text: reason.code.text().into(), detail: reason.detail.clone() }
}

fn route_entry(routes: &RouteTable, prefix: &str, group: usize) -> SiteRoute {
    let upstreams = routes
        .groups()
        .get(group)
        .map(|group| group.members.iter().map(|member| member.upstream.to_string()).collect());
    SiteRoute { path: prefix.into(), upstreams: upstreams.unwrap_or_default() }
}

/// How many there are of which a part is given.
pub(in crate::admin) const TOTAL: HeaderName = HeaderName::from_static("x-total-count");
