//! Whose things are whose: what an operation is for somebody who has a role for some organisations and none for the edge.
//!
//! What is not theirs is not there: 404 where a path names it, left out of lists. What is about the edge as a whole is 403. Whoever
//! has a role for the edge comes past all this.

use std::collections::BTreeSet;
use std::sync::Arc;

use http::Method;
use http_body_util::BodyExt;
use serde_json::Value;

use super::certificates::fingerprint_in;
use super::elsewhere::owner_of;
use super::route::Operation;
pub(super) use super::scope::{Scope, touched};
use super::{Call, Conditions, Content, Query, RESOURCES, TOTAL};
use crate::admin::problem::{Answer, Kind, Problem, json};
use crate::admin::rights::Right;
use crate::certs::{ABOUT_A_SITE, Verdict};
use crate::live::RouteTable;
use crate::words::refusal::Refusal;

/// What an operation is about. Each says so: one that does not is for nobody but those who have a role for the edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Realm {
    /// Nobody's things: the description, one's own account.
    Open,
    /// The edge as a whole.
    Edge,
    /// The site that this parameter names.
    Site(&'static str),
    /// The site of `{site}`, and the answer is all that is wanted otherwise than configured.
    Levers,
    /// The certificate of `{fingerprint}`, by the sites that it can serve.
    Certificate,
    /// The request of `{id}`, by its sites and names.
    Request,
    /// The object of `{id}`, by the sites that show it.
    Object,
    /// The organisation of `{id}`.
    Organisation,
    /// The one-time link of `{id}`, by its sites.
    Link,
    /// What others serve at `{url}`, by the organisation that owns it.
    Url,
    /// Something that is there for the edge alone, though a path names it.
    Hidden,
    /// A list, of which each item is somebody's, as the words of `item` say.
    List(Item),
    /// Whatever is sent along says whose it will be; the operation looks for itself, with [`Scope`].
    Sent,
    /// An answer that says which site it is about.
    Explanation,
    /// The sites that have the host of `{host}`.
    Host,
    /// An answer of which whoever asks gets what is his organisations'; the operation looks for itself, with [`Scope`].
    Part,
}

/// What tells whose an item of a list is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// Its field `name` is a site.
    Site,
    /// Its field `site` is one, or its field `organisation` says whose it is.
    OfSite,
    /// Its fields `sites` and `names`.
    Names,
    /// Those of its field `request`.
    Request,
    /// Its field `id` is an organisation.
    Organisation,
    /// Its field `organisation` is one.
    OfOrganisation,
}

impl Realm {
    /// Its word, for the interface's description.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Edge => "edge",
            Self::Site(_) | Self::Levers => "site",
            Self::Certificate => "certificate",
            Self::Request => "request",
            Self::Object => "object",
            Self::Organisation => "organisation",
            Self::Link => "link",
            Self::Url => "url",
            Self::Hidden => "hidden",
            Self::List(_) => "list",
            Self::Sent => "sent",
            Self::Explanation => "explanation",
            Self::Host => "host",
            Self::Part => "part",
        }
    }
}

/// Refuses what is not the caller's, before anything is done.
pub(super) async fn guard(operation: &Operation, call: &Call) -> Result<(), Problem> {
    let Some(scope) = Scope::of(&call.caller, &call.sources) else { return Ok(()) };
    let sites = match operation.realm {
        Some(Realm::Open | Realm::List(_) | Realm::Sent | Realm::Explanation | Realm::Part) => return Ok(()),
        None | Some(Realm::Edge) => {
            return Err(Problem::new(Kind::NotAllowed, FOR_THE_EDGE).because(Refusal::EdgeAlone));
        }
        Some(Realm::Hidden) => return Err(not_there()),
        Some(Realm::Organisation) => {
            let is_theirs = scope.organisations.contains(call.parameter("id"));
            return if is_theirs { Ok(()) } else { Err(not_there()) };
        }
        Some(Realm::Url) => {
            let owner = owner_of(call).filter(|owner| scope.sees_of(Some(owner))).ok_or_else(not_there)?;
            let may = operation.right == Right::Read || scope.operated().contains(&owner);
            return if may { Ok(()) } else { Err(others()) };
        }
        Some(Realm::Site(parameter)) => BTreeSet::from([call.parameter(parameter).to_owned()]),
        Some(Realm::Levers) => BTreeSet::from([call.parameter("site").to_owned()]),
        Some(Realm::Host) => scope.having(call.parameter("host")),
        Some(Realm::Certificate) => certificate(call, &scope).await?,
        Some(Realm::Request) => told(call, "requests/{id}", &scope, |request| &request["request"]).await?,
        Some(Realm::Link) => told(call, "links/{id}", &scope, |link| link).await?,
        Some(Realm::Object) => told(call, "objects/{id}", &scope, |object| object).await?,
    };
    if !scope.sees(&sites) {
        return Err(not_there());
    }
    if operation.right == Right::Read || scope.changes(&sites) {
        return Ok(());
    }
    Err(others())
}

fn others() -> Problem {
    let text = "this is of others' sites too, or your role there is to look: it is changed by somebody who has a role for the edge";
    Problem::new(Kind::NotAllowed, text).because(Refusal::OthersOwn)
}

/// Asks a list without its parts: what is theirs is a part of its own.
pub(super) fn whole(operation: &Operation, call: &mut Call) -> Option<(usize, Option<usize>)> {
    let is_scoped = matches!(operation.realm, Some(Realm::List(_))) && call.caller.organisations().is_some();
    is_scoped.then(|| call.query.take_part())
}

/// Takes out of an answer what is not the caller's.
pub(super) async fn filtered(
    operation: &Operation,
    scope: Option<Scope>,
    part: Option<(usize, Option<usize>)>,
    answer: Answer,
) -> Result<Answer, Problem> {
    let Some(scope) = scope.filter(|_| answer.status().is_success()) else { return Ok(answer) };
    match operation.realm {
        Some(Realm::List(item)) => {
            let has_total = answer.headers().contains_key(TOTAL);
            let Value::Array(mut items) = read(answer).await? else { return Err(not_there()) };
            items.retain(|found| is_theirs(found, item, &scope));
            items.iter_mut().for_each(|found| redact(found, &scope));
            let (total, (offset, limit)) = (items.len(), part.unwrap_or((0, None)));
            let items: Vec<_> = items.into_iter().skip(offset).take(limit.unwrap_or(usize::MAX)).collect();
            let mut answer = json(&items);
            if has_total {
                answer.headers_mut().insert(TOTAL, total.into());
            }
            Ok(answer)
        }
        Some(Realm::Explanation) => {
            let found = read(answer).await?;
            match found["site"]["name"].as_str() {
                Some(site) if scope.sees_site(site) => Ok(json(&found)),
                _ => Err(not_there()),
            }
        }
        Some(Realm::Levers) => {
            let mut found = read(answer).await?;
            if let Some(sites) = found["maintenance"].as_array_mut() {
                sites.retain(|one| one["object"].as_str().is_some_and(|site| scope.sees_site(site)));
            }
            let nothing = Value::Array(Vec::new());
            (found["upstreams"], found["denied"]) = (nothing.clone(), nothing);
            (found["frozen"], found["log_level"]) = (Value::Null, Value::Null);
            Ok(json(&found))
        }
        Some(Realm::Certificate | Realm::Object) if operation.method == Method::GET => {
            let mut found = read(answer).await?;
            redact(&mut found, &scope);
            Ok(json(&found))
        }
        _ => Ok(answer),
    }
}

fn is_theirs(found: &Value, item: Item, scope: &Scope) -> bool {
    let text = |name: &str| found[name].as_str().unwrap_or_default();
    match item {
        Item::Site => scope.sees_site(text("name")),
        Item::OfSite => scope.sees_site(text("site")) || scope.sees_of(found["organisation"].as_str()),
        Item::OfOrganisation => scope.sees_of(found["organisation"].as_str()),
        Item::Names => scope.sees(&sites_in(found, scope)),
        Item::Request => scope.sees(&sites_in(&found["request"], scope)),
        Item::Organisation => scope.organisations.contains(text("id")),
    }
}

/// What is for others' sites too does not say which these are.
fn redact(found: &mut Value, scope: &Scope) {
    if let Some(sites) = found.get_mut("sites").and_then(Value::as_array_mut) {
        sites.retain(|site| site.as_str().is_none_or(|site| scope.sees_site(site)));
    }
    if let Some(warnings) = found.get_mut("warnings").and_then(Value::as_array_mut) {
        let is_about = |warning: &Value| {
            let code = warning["code"].as_str().filter(|code| ABOUT_A_SITE.contains(code));
            code.and_then(|_| warning["about"][0].as_str().map(str::to_owned))
        };
        warnings.retain(|warning| is_about(warning).is_none_or(|site| scope.sees_site(&site)));
        if warnings.is_empty() && found["verdict"] == Verdict::AcceptedWithWarnings.words() {
            found["verdict"] = Verdict::Accepted.words().into();
        }
    }
}

/// The sites that something is for, by those it names and those its names can serve.
fn sites_in(found: &Value, scope: &Scope) -> BTreeSet<String> {
    sites_by(found, &scope.routes)
}

fn sites_by(found: &Value, routes: &RouteTable) -> BTreeSet<String> {
    let texts = |name: &str| {
        let list = found[name].as_array().map(Vec::as_slice).unwrap_or_default();
        list.iter().filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>()
    };
    let (sites, names) = (texts("sites"), texts("names"));
    let mut all = touched(routes, names.iter().map(String::as_str));
    all.extend(sites);
    all
}

/// The same of what is to be made or changed.
pub(super) fn sites_sent(scope: &Scope, sent: &Value) -> BTreeSet<String> {
    let mut all = sites_in(sent, scope);
    if let Some(name) = sent["common_name"].as_str() {
        all.extend(scope.touched([name]));
    }
    all
}

/// The sites that the certificate of a path can serve; one that is only kept, too.
async fn certificate(call: &Call, scope: &Scope) -> Result<BTreeSet<String>, Problem> {
    let fingerprint = fingerprint_in(call).map_err(|_| not_there())?;
    let index = call.sources.certificates.snapshot();
    let serving = index.certificates().iter().find(|served| *served.facts.fingerprint == *fingerprint);
    let names: Vec<String> = match (serving, &call.sources.intake) {
        (Some(served), _) => served.names.iter().map(ToString::to_string).collect(),
        (None, Some(intake)) => {
            let versions = intake.history(fingerprint.clone()).await.unwrap_or_default();
            versions.into_iter().find(|one| one.fingerprint == fingerprint).map(|one| one.names).unwrap_or_default()
        }
        (None, None) => Vec::new(),
    };
    Ok(scope.touched(names.iter().map(String::as_str)))
}

/// The sites of what a question at `path` tells of the same object.
async fn told(call: &Call, path: &str, scope: &Scope, part: fn(&Value) -> &Value) -> Result<BTreeSet<String>, Problem> {
    let found = asked(call, path, call.parameters.clone()).await.map_err(|_| not_there())?;
    Ok(sites_in(part(&found), scope))
}

/// The sites of a request.
pub(super) async fn request_sites(call: &Call, id: &str) -> Result<BTreeSet<String>, Problem> {
    let found = asked(call, "requests/{id}", vec![("id", id.to_owned())]).await?;
    Ok(sites_by(&found["request"], &call.sources.routes.snapshot()))
}

/// What a question tells.
async fn asked(call: &Call, path: &str, parameters: Vec<(&'static str, String)>) -> Result<Value, Problem> {
    let mut operations = RESOURCES.iter().flat_map(|resource| resource.operations);
    let question = operations.find(|operation| operation.path == path && operation.method == Method::GET);
    let question = question.ok_or_else(not_there)?;
    let asked = Call {
        caller: call.caller.clone(),
        sources: Arc::clone(&call.sources),
        query: Query::default(),
        parameters,
        content: Content::None,
        conditions: Conditions::default(),
    };
    read((question.run)(asked).await?).await
}

pub(super) async fn read(answer: Answer) -> Result<Value, Problem> {
    let Ok(content) = answer.into_body().collect().await;
    serde_json::from_slice(&content.to_bytes()).map_err(|error| {
        tracing::error!(%error, "an answer of the API is no JSON, and whose it is cannot be told");
        Problem::new(Kind::Internal, "the answer could not be made; see the log")
    })
}

/// The same for what is others' and for what there is not.
fn not_there() -> Problem {
    Problem::new(Kind::NotFound, "there is no such thing among those of your organisations")
}

const FOR_THE_EDGE: &str =
    "this is about the edge as a whole, and takes a role for the edge; yours is for some organisations";
