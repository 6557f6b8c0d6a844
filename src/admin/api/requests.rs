//! Certificate signing requests: made here, signed elsewhere, completed by what comes back.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::realm::{Item, Realm, Scope, sites_sent};
use super::recorded::Note;
use super::versions::{not_received, rejected};
use super::{Call, Operation, Resource, Takes, aside, now, state, timestamp, unwritten};
use crate::admin::Sources;
use crate::admin::answers::{ReceivedCertificate, Request};
use crate::admin::problem::{Answer, Kind, Problem, created, json, pkcs10};
use crate::certs::{
    self, Draft, IntakeHandle, ListedRequest, Mistakes, OrderDraft, RequestError, RequestKind, RequestStatus, Requests,
    Returned, Upload,
};
use crate::words::refusal::{Expects, Refusal, Thing};

/// `requests`
pub(super) static RESOURCE: Resource = Resource {
    operations: &[
        Operation::get("requests", |call| Box::pin(aside(call, list))).about(Realm::List(Item::Request)),
        Operation::post("requests", |call| Box::pin(aside(call, make))).about(Realm::Sent).taking(Takes::Json),
        Operation::get("requests/{id}", |call| Box::pin(aside(call, one))).about(Realm::Request),
        Operation::patch("requests/{id}", |call| Box::pin(aside(call, amend)))
            .about(Realm::Request)
            .taking(Takes::Json),
        Operation::delete("requests/{id}", |call| Box::pin(aside(call, discard)))
            .about(Realm::Request)
            .asking(&["confirm"]),
        Operation::get("requests/{id}/request.pem", |call| Box::pin(aside(call, pem))).about(Realm::Request),
        Operation::post("requests/{id}/complete", |call| Box::pin(complete(call)))
            .about(Realm::Request)
            .taking(Takes::Form(&["certificate"])),
        Operation::post("requests/{id}/renew", |call| Box::pin(aside(call, renew)))
            .about(Realm::Request)
            .taking(Takes::Json),
    ],
    description: include_str!("requests.json"),
};

fn entry(listed: &ListedRequest, now: i64) -> Request {
    let request = &listed.request;
    Request {
        id: request.id.to_string(),
        status: listed.status.label().into(),
        next: next(listed).map(str::to_owned),
        request: request.details.draft(),
        pem: request.pem.to_string(),
        created: timestamp(request.created),
        renews: request.renews.as_deref().map(str::to_owned),
        renewed_by: listed.renewed_by.as_deref().map(str::to_owned),
        renewing_since: request.renewing_since.map(timestamp),
        order: request.order.draft(),
        certificates: request.answers.iter().map(|one| received(one, now)).collect(),
    }
}

fn received(received: &certs::ReceivedCertificate, now: i64) -> ReceivedCertificate {
    let text = |text: &Option<Box<str>>| text.as_deref().map(str::to_owned);
    ReceivedCertificate {
        fingerprint: received.fingerprint.to_string(),
        received: timestamp(received.received),
        from: received.from.to_string(),
        subject: received.subject.to_string(),
        issuer: received.issuer.to_string(),
        serial: received.serial.to_string(),
        not_before: timestamp(received.not_before),
        not_after: timestamp(received.not_after),
        state: state(received.not_before, received.not_after, now).into(),
        order_number: text(&received.order_number),
        chain: text(&received.chain),
    }
}

/// What whoever made it is to do now.
fn next(listed: &ListedRequest) -> Option<&'static str> {
    let kind = listed.request.details.kind;
    match listed.status {
        RequestStatus::Pending | RequestStatus::Renewing if listed.renewed_by.is_some() => {
            Some("complete the request that renews this one, which stays until then")
        }
        RequestStatus::Pending | RequestStatus::Renewing if kind.is_served() => Some(
            "have the request signed by an authority, and drop the certificate into the folder or complete the request with it",
        ),
        RequestStatus::Pending | RequestStatus::Renewing => {
            Some("hand the request in at developer.apple.com, and complete it with the .cer that comes back")
        }
        RequestStatus::Completed => None,
        RequestStatus::Replaced => Some("discard it with its key once nothing uses its certificate any more"),
    }
}

fn list(call: &Call) -> Result<Answer, Problem> {
    let now = now();
    let listed = keeper(&call.sources)?.list();
    Ok(json(&listed.iter().map(|listed| entry(listed, now)).collect::<Vec<_>>()))
}

fn one(call: &Call) -> Result<Answer, Problem> {
    let listed = keeper(&call.sources)?.find(call.parameter("id")).map_err(refused)?;
    Ok(json(&entry(&listed, now())))
}

/// The request alone, as authorities take it.
fn pem(call: &Call) -> Result<Answer, Problem> {
    let listed = keeper(&call.sources)?.find(call.parameter("id")).map_err(refused)?;
    Ok(pkcs10(&listed.request.id, listed.request.pem.to_string()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Making {
    request: Draft,
    #[serde(default)]
    order: OrderDraft,
}

fn make(call: &Call) -> Result<Answer, Problem> {
    let Making { mut request, order } = call.json()?;
    fill_in(&mut request, &call.sources)?;
    demand_own(call, &request)?;
    let (details, order) = match (request.read(), order.read()) {
        (Ok(details), Ok(order)) => (details, order),
        (details, order) => {
            let mistakes = [details.err(), order.err()].into_iter().flatten().flat_map(|Mistakes(mistakes)| mistakes);
            return Err(refused(Mistakes(mistakes.collect()).into()));
        }
    };
    let listed = keeper(&call.sources)?.create(details, order, None, now()).map_err(refused)?;
    looked_at_again(&call.sources);
    let request = &listed.request;
    let names: Vec<String> = request.details.names.iter().map(ToString::to_string).collect();
    let done = Note::of(format!("requests/{}", request.id), format!("{}: {}", request.details.kind, names.join(" ")));
    Ok(done.on(created(&entry(&listed, now()))))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Amending {
    sites: Option<Vec<String>>,
    order: Option<Map<String, Value>>,
}

fn amend(call: &Call) -> Result<Answer, Problem> {
    let Amending { sites, order } = call.json()?;
    let (requests, id) = (keeper(&call.sources)?, call.parameter("id"));
    let known = requests.find(id).map_err(refused)?.request;
    let order = match order {
        Some(patch) => merged(&known.order.draft(), patch)?.read().map_err(|mistakes| refused(mistakes.into()))?,
        None => known.order.clone(),
    };
    let mut draft = known.details.draft();
    if let Some(sites) = sites {
        draft.sites = sites;
        check_sites(&draft.sites, &call.sources)?;
    }
    demand_own(call, &draft)?;
    let details = draft.read().map_err(|mistakes| refused(mistakes.into()))?;
    let listed = requests.amend(id, known.revision, order, details.sites).map_err(refused)?;
    looked_at_again(&call.sources);
    Ok(json(&entry(&listed, now())))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Renewing {
    key: RenewalKey,
    #[serde(default)]
    request: Map<String, Value>,
}

#[derive(Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum RenewalKey {
    Same,
    New,
}

fn renew(call: &Call) -> Result<Answer, Problem> {
    let Renewing { key, request } = call.json()?;
    let (requests, id) = (keeper(&call.sources)?, call.parameter("id"));
    if key == RenewalKey::Same {
        if !request.is_empty() {
            let text =
                "a renewal with the same key is the same request to the letter; take a new key to change something";
            return Err(Problem::malformed(text).because(Refusal::SameKey));
        }
        let listed = requests.renew_with_same_key(id, now()).map_err(refused)?;
        let done = Note::of(format!("requests/{id}"), "with the same key");
        return Ok(done.on(json(&entry(&listed, now()))));
    }
    let known = requests.find(id).map_err(refused)?.request;
    let draft: Draft = merged(&known.details.draft(), request)?;
    check_sites(&draft.sites, &call.sources)?;
    demand_own(call, &draft)?;
    let details = draft.read().map_err(|mistakes| refused(mistakes.into()))?;
    let listed = requests.renew_with_new_key(id, details, now()).map_err(refused)?;
    looked_at_again(&call.sources);
    let done = Note::of(format!("requests/{id}"), format!("by requests/{}", listed.request.id));
    Ok(done.on(created(&entry(&listed, now()))))
}

fn discard(call: &Call) -> Result<Answer, Problem> {
    let (requests, id) = (keeper(&call.sources)?, call.parameter("id"));
    if call.query.value("confirm") != Some(id) {
        let text = "its private key would be gone for good, and a certificate for it of no use: confirm with ?confirm= and the id";
        return Err(Problem::new(Kind::Conflict, text).because(Refusal::Confirm));
    }
    requests.discard(id).map_err(refused)?;
    looked_at_again(&call.sources);
    Ok(json(&serde_json::json!({ "discarded": id })))
}

/// Whoever sends the wrong certificate changes nothing: the request waits on, with its key.
pub(super) async fn complete(call: Call) -> Result<Answer, Problem> {
    let (sources, id) = (Arc::clone(&call.sources), call.parameter("id").to_owned());
    let requests = keeper(&sources)?;
    let known = requests.find(&id).map_err(refused)?.request;
    let files: Vec<&[u8]> = call.form()?.files("certificate").map(|file| file.content).collect();
    let returned = Returned::read(&files, &known).map_err(|flaw| rejected(vec![("certificate".into(), flaw)]))?;
    if !known.details.kind.is_served() {
        let requests = requests.clone();
        let completed = tokio::task::spawn_blocking(move || requests.complete(&id, &returned, now())).await;
        let listed = completed
            .map_err(|_| Problem::new(Kind::Internal, "it failed; see the log").because(Refusal::Failed))?
            .map_err(refused)?;
        return Ok(completed_with(&listed));
    }
    let piece = |(at, file): (usize, &&[u8])| (format!("certificate {}", at + 1), Zeroizing::new(file.to_vec()));
    let pieces: Vec<_> = files.iter().enumerate().map(piece).collect();
    let upload = Upload::read(&pieces, None, Some(call.caller.name())).map_err(rejected)?;
    let Some(intake) = &sources.intake else { return Err(refused(RequestError::Unknown)) };
    intake.receive(upload, false).await.map_err(not_received)?;
    Ok(completed_with(&requests.find(&id).map_err(refused)?))
}

fn completed_with(listed: &ListedRequest) -> Answer {
    let request = &listed.request;
    let fingerprint = request.answer().map(|answer| answer.fingerprint.to_string());
    let done = Note::of(format!("requests/{}", request.id), fingerprint.unwrap_or_default());
    done.on(json(&entry(listed, now())))
}

fn keeper(sources: &Sources) -> Result<&Requests, Problem> {
    let text = "this edge keeps no requests: its certificates are fixed";
    sources
        .intake
        .as_ref()
        .map(IntakeHandle::requests)
        .ok_or_else(|| Problem::new(Kind::Conflict, text).because(Refusal::Fixed))
}

/// Keys, and files that authorities ask for, come and go with requests.
fn looked_at_again(sources: &Sources) {
    if let Some(intake) = &sources.intake {
        intake.rescan();
    }
}

/// Where no names are given, those of the sites are meant.
fn fill_in(draft: &mut Draft, sources: &Sources) -> Result<(), Problem> {
    check_sites(&draft.sites, sources)?;
    let is_for_server = draft.kind.is_empty() || draft.kind == RequestKind::Server.label();
    if is_for_server && draft.names.is_empty() && draft.common_name.is_empty() {
        let routes = sources.routes.snapshot();
        let chosen = routes.sites().iter().filter(|site| draft.sites.iter().any(|name| **name == *site.name));
        draft.names = chosen.flat_map(|site| &site.hosts).map(ToString::to_string).collect();
    }
    if is_for_server {
        fill_in_company(draft, sources);
    }
    Ok(())
}

/// Whoever has a role for some organisations asks for certificates of their sites alone.
fn demand_own(call: &Call, draft: &Draft) -> Result<(), Problem> {
    let Some(scope) = Scope::of(&call.caller, &call.sources) else { return Ok(()) };
    scope.demand_new(&sites_sent(&scope, &serde_json::to_value(draft).unwrap_or_default()))
}

/// What is said of no company is said of the one that owns all sites of the request.
fn fill_in_company(draft: &mut Draft, sources: &Sources) {
    let owners: BTreeSet<_> = draft.sites.iter().map(|site| sources.people.organisation_of(site)).collect();
    let Some(Some(owner)) = owners.first().filter(|_| owners.len() == 1) else { return };
    let Some(company) = sources.people.organisation(owner).map(|owner| owner.details.company) else { return };
    let is_said = |text: &String| !text.is_empty();
    let said = [&draft.organisation, &draft.locality, &draft.state, &draft.country];
    if said.into_iter().any(is_said) || !draft.organisational_units.is_empty() {
        return;
    }
    draft.organisation = company.organisation;
    draft.organisational_units = Some(company.unit).filter(is_said).into_iter().collect();
    (draft.locality, draft.state, draft.country) = (company.locality, company.state, company.country);
}

/// A name that no site has is most often a slip.
fn check_sites(names: &[String], sources: &Sources) -> Result<(), Problem> {
    let routes = sources.routes.snapshot();
    let unknown = names.iter().find(|name| !routes.sites().iter().any(|site| *site.name == ***name));
    match unknown {
        None => Ok(()),
        Some(name) => Err(Problem::malformed(format!(
            "sites: expected names of configured sites, found {name:?}; vitrine sites list shows all"
        ))
        .because(Refusal::field("sites", Expects::Usual))),
    }
}

/// A form with what is to be changed in it (RFC 7396): what is null goes back to nothing.
fn merged<T: Serialize + DeserializeOwned>(known: &T, patch: Map<String, Value>) -> Result<T, Problem> {
    let mut whole = serde_json::to_value(known).unwrap_or_default();
    merge(&mut whole, Value::Object(patch));
    serde_json::from_value(whole).map_err(|_| {
        Problem::malformed("what is to be changed is not what /api/v1/openapi.json describes").because(Refusal::Unlike)
    })
}

fn merge(whole: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *whole = patch;
        return;
    };
    if !whole.is_object() {
        *whole = Value::Object(Map::new());
    }
    let Some(whole) = whole.as_object_mut() else { return };
    for (name, value) in patch {
        if value.is_null() {
            whole.remove(&name);
        } else {
            merge(whole.entry(name).or_insert(Value::Null), value);
        }
    }
}

pub(super) fn refused(error: RequestError) -> Problem {
    let text = error.to_string();
    match error {
        RequestError::Unknown => {
            Problem::new(Kind::NotFound, text).because(Refusal::NoSuch(Thing::Request, String::new()))
        }
        RequestError::Changed => Problem::new(Kind::Conflict, text).because(Refusal::RequestChanged),
        RequestError::Open => Problem::new(Kind::Conflict, text).because(Refusal::RequestOpen),
        RequestError::Form(Mistakes(mistakes)) => Problem::malformed(text).with_mistakes(&mistakes),
        RequestError::Key(_) => Problem::new(Kind::Internal, text).because(Refusal::Failed),
        RequestError::Store(error) => unwritten(&error),
    }
}
