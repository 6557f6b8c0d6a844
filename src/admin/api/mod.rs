//! The resources under `/api/v1`.

mod acme;
mod alerts;
mod audit;
mod call;
mod certificates;
mod choices;
mod conditions;
mod contacts;
mod elsewhere;
mod explain;
mod export;
mod form;
mod hand_in;
mod levers;
mod links;
mod minimum;
mod objects;
mod openapi;
mod orders;
mod organisations;
mod plan;
mod query;
mod realm;
mod recorded;
mod rejected;
mod reports;
mod requests;
mod route;
mod scope;
mod second_factor;
mod serving;
mod session;
mod setup;
mod sites;
mod standing;
mod tokens;
mod traffic;
mod upstreams;
mod users;
mod versions;
mod watched;

use std::sync::Arc;

use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, header};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

pub(super) use self::alerts::visible as visible_alerts;
use self::call::Call;
pub(super) use self::call::Content;
use self::conditions::Conditions;
pub(super) use self::form::Form;
use self::query::Query;
pub(super) use self::query::unescaped_pairs;
use self::realm::Realm;
use self::route::Found;
use self::route::{Match, Operation, Resource};
pub(super) use self::route::{Takes, parameters};
pub(super) use self::scope::Scope;
pub(super) use self::sites::TOTAL;
pub(super) use self::traffic::{Coming, ComingKind, coming};
use super::problem::{Answer, Kind, Problem};
use super::rights::{Caller, Right};
use super::upload::Upload;
use super::{Sources, now};
use crate::store::StoreError;
use crate::words::refusal::{Expects, Refusal};

/// Answers a request of whoever it is.
pub(super) async fn answer(
    caller: Caller,
    head: &Parts,
    upload: &mut Upload,
    sources: &Arc<Sources>,
) -> Result<Answer, Problem> {
    let path = head.uri.path();
    // Nobody is told what there is.
    let or_nobody = |problem| caller.known().err().unwrap_or(problem);
    let below = path.strip_prefix("/api/v1/").ok_or_else(|| or_nobody(Problem::unknown(path)))?;
    let Match { operation, parameters } = find(&head.method, path, below).map_err(or_nobody)?;
    demand(&caller, operation)?;
    if !matches!(head.method, Method::GET | Method::HEAD) {
        let mut shown = head.headers.get_all(CSRF).iter();
        caller.demand_csrf(shown.next().filter(|_| shown.next().is_none()).map(HeaderValue::as_bytes))?;
    }
    let query = Query::read(head.uri.query(), operation.query)?;
    let media_type = head.headers.get(header::CONTENT_TYPE).map(|value| value.to_str().unwrap_or("what is no text"));
    let content = Content::take(upload, media_type, operation.takes).await?;
    let conditions = Conditions::read(&head.headers);
    let sources = Arc::clone(sources);
    let answer =
        run(operation, below, Call { caller, sources, query, parameters, content, conditions: conditions.clone() });
    let answer = answer.await?;
    Ok(if operation.method == Method::GET { conditions.tagged(answer).await } else { answer })
}

/// Answers a page of the panel as it would answer whoever looks at it. `path` is the one below `/api/v1/`.
pub(super) async fn ask(
    caller: &Caller,
    method: &Method,
    path: &str,
    query: &str,
    content: Content,
    sources: &Arc<Sources>,
) -> Result<Answer, Problem> {
    let Match { operation, parameters } = find(method, path, path)?;
    demand(caller, operation)?;
    let query = Query::read(Some(query), operation.query)?;
    // Whoever is at a page changes what is there when it comes: pages say what they go by themselves.
    let conditions = Conditions::whatever_is_there(operation.method == Method::PATCH);
    let (caller, sources) = (caller.clone(), Arc::clone(sources));
    run(operation, path, Call { caller, sources, query, parameters, content, conditions }).await
}

/// Whether somebody may do this, as far as that is known before anything is sent. `path` is the one below `/api/v1/`.
pub(super) async fn lets(caller: &Caller, method: &Method, path: &str, sources: &Arc<Sources>) -> bool {
    let Ok(Match { operation, parameters }) = find(method, path, path) else { return false };
    let (query, content, conditions) = (Query::default(), Content::None, Conditions::default());
    let call = Call { caller: caller.clone(), sources: Arc::clone(sources), query, parameters, content, conditions };
    caller.may(operation.right) && realm::guard(operation, &call).await.is_ok()
}

/// Whether there is anything of which somebody may do this: what is not about one thing.
pub(super) fn offers(caller: &Caller, method: &Method, path: &str) -> bool {
    let Ok(Match { operation, .. }) = find(method, path, path) else { return false };
    let is_scoped =
        matches!(operation.realm, Some(Realm::Open | Realm::List(_) | Realm::Part | Realm::Sent | Realm::Explanation));
    caller.may(operation.right) && (is_scoped || caller.organisations().is_none())
}

fn find(method: &Method, path: &str, below: &str) -> Result<Match, Problem> {
    route::find(RESOURCES, method, below).map_err(|found| match found {
        Found::Nothing => Problem::unknown(path),
        Found::Other(allowed) => Problem::method(&allowed),
    })
}

/// Refuses who may not. Whoever has a role for some organisations is told first whether there is something of theirs, by [`realm::guard`].
fn demand(caller: &Caller, operation: &Operation) -> Result<(), Problem> {
    if caller.organisations().is_some() && caller.may(Right::Read) { Ok(()) } else { caller.demand(operation.right) }
}

async fn run(operation: &'static Operation, path: &str, mut call: Call) -> Result<Answer, Problem> {
    realm::guard(operation, &call).await?;
    call.caller.demand(operation.right)?;
    let (part, scope) = (realm::whole(operation, &mut call), Scope::of(&call.caller, &call.sources));
    let answer = match recorded::is_due(operation) {
        true => recorded::run(operation, path, call).await?,
        false => (operation.run)(call).await?,
    };
    realm::filtered(operation, scope, part, answer).await
}

/// What there is. A new resource is a file of its own with its description beside it, and a line here.
static RESOURCES: &[&Resource] = &[
    &certificates::RESOURCE,
    &versions::RESOURCE,
    &export::RESOURCE,
    &acme::RESOURCE,
    &plan::RESOURCE,
    &sites::RESOURCE,
    &choices::RESOURCE,
    &minimum::RESOURCE,
    &upstreams::RESOURCE,
    &levers::RESOURCE,
    &explain::RESOURCE,
    &objects::RESOURCE,
    &rejected::RESOURCE,
    &alerts::RESOURCE,
    &traffic::RESOURCE,
    &requests::RESOURCE,
    &links::RESOURCE,
    &hand_in::RESOURCE,
    &contacts::RESOURCE,
    &reports::RESOURCE,
    &watched::RESOURCE,
    &elsewhere::RESOURCE,
    &tokens::RESOURCE,
    &session::RESOURCE,
    &second_factor::RESOURCE,
    &setup::RESOURCE,
    &users::RESOURCE,
    &organisations::RESOURCE,
    &audit::RESOURCE,
    &openapi::RESOURCE,
];

/// Makes an answer where blocking is allowed: a list of some ten thousand entries takes tens of milliseconds, and the state
/// folder's disk as long as it likes.
async fn aside(
    call: Call,
    make: impl FnOnce(&Call) -> Result<Answer, Problem> + Send + 'static,
) -> Result<Answer, Problem> {
    tokio::task::spawn_blocking(move || make(&call)).await.unwrap_or_else(|error| {
        tracing::error!(%error, "an answer of the API could not be made");
        Err(Problem::new(Kind::Internal, "the answer could not be made; see the log").because(Refusal::HalfDone))
    })
}

/// What to say when the state could not be changed.
fn unwritten(error: &StoreError) -> Problem {
    tracing::error!(%error, "the state could not be changed");
    Problem::new(Kind::Internal, error.to_string()).because(Refusal::Unwritten(error.to_string()))
}

/// Seconds since the Unix epoch of the moment at which something is to end; it is to come yet.
fn end(expires: Option<&str>, now: i64) -> Result<Option<i64>, Problem> {
    let Some(expires) = expires else { return Ok(None) };
    let end = OffsetDateTime::parse(expires, &Rfc3339).map(OffsetDateTime::unix_timestamp);
    let end = end.map_err(|_| {
        Problem::malformed("expires: expected a time such as 2027-01-31T00:00:00Z")
            .because(Refusal::field("expires", Expects::Usual))
    })?;
    if end <= now {
        return Err(Problem::malformed("expires: expected a time to come, found one that is over")
            .because(Refusal::field("expires", Expects::Later)));
    }
    Ok(Some(end))
}

/// RFC 3339 in UTC. A certificate may name a year that RFC 3339 cannot: it gets the last moment that can be written.
fn timestamp(seconds: i64) -> String {
    OffsetDateTime::from_unix_timestamp(seconds)
        .ok()
        .and_then(|time| time.format(&Rfc3339).ok())
        .unwrap_or_else(|| "9999-12-31T23:59:59Z".into())
}

/// Where in its validity a certificate is.
fn state(not_before: i64, not_after: i64, now: i64) -> &'static str {
    match now {
        now if now < not_before => "not_yet_valid",
        now if now > not_after => "expired",
        _ => "valid",
    }
}

/// What a change by somebody who has signed in shows beside the cookie.
const CSRF: HeaderName = HeaderName::from_static("x-csrf-token");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc_whatever_a_certificate_claims() {
        assert_eq!(timestamp(1_795_305_600), "2026-11-22T00:00:00Z");
        assert_eq!(timestamp(i64::MAX), "9999-12-31T23:59:59Z");
    }

    #[test]
    fn both_ends_of_the_validity_belong_to_it() {
        let states = [9, 10, 20, 21].map(|now| state(10, 20, now));
        assert_eq!(states, ["not_yet_valid", "valid", "valid", "expired"]);
    }
}
