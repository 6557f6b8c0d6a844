//! What the operator wants otherwise than configured while the edge runs: sites being worked on, clients turned away, a standstill, the
//! log's level. Upstreams have a resource of their own.

use serde::{Deserialize, Serialize};

use super::realm::Realm;
use super::recorded::Note;
use super::route::Operation;
use super::{Call, Resource, Takes, end, now, timestamp, unwritten};
use crate::admin::Sources;
use crate::admin::problem::{Answer, Kind, Problem, json};
use crate::levers::{Change, Held, Hold, Network, NotPulled, Pulled};
use crate::telemetry::LogLevel;
use crate::words::refusal::{Refusal, Thing};

/// `levers`, `sites/{site}/maintenance`, `denied`, `freeze` and `log-level`
pub(super) static RESOURCE: Resource = Resource {
    operations: &[
        Operation::get("levers", |call| Box::pin(async move { Ok(all(&call)) })).about(Realm::Edge),
        Operation::post("sites/{site}/maintenance", |call| Box::pin(maintenance(call)))
            .about(Realm::Levers)
            .taking(Takes::Json)
            .even_frozen(),
        Operation::post("denied", |call| Box::pin(deny(call))).about(Realm::Edge).taking(Takes::Json).even_frozen(),
        Operation::delete("denied/{network}", |call| Box::pin(admit(call))).about(Realm::Hidden).even_frozen(),
        Operation::post("freeze", |call| Box::pin(freeze(call))).about(Realm::Edge).taking(Takes::Json).even_frozen(),
        Operation::delete("freeze", |call| Box::pin(thaw(call))).about(Realm::Edge).even_frozen(),
        Operation::post("log-level", |call| Box::pin(log(call))).about(Realm::Edge).taking(Takes::Json).even_frozen(),
        Operation::delete("log-level", |call| Box::pin(log_as_configured(call))).about(Realm::Edge).even_frozen(),
    ],
    description: include_str!("levers.json"),
};

/// Why an order is refused while all that changes stands still; `None`: it is not.
pub(super) fn standstill(operation: &Operation, sources: &Sources) -> Option<Problem> {
    let held = sources.levers.pulled().frozen.filter(|_| !operation.even_frozen)?;
    let why = if held.value.is_empty() { String::new() } else { format!(" ({})", held.value) };
    let (by, at) = (held.by, timestamp(held.at));
    let text = format!("the edge is frozen by {by} since {at}{why}: nothing is changed before `vitrine freeze off`");
    Some(Problem::new(Kind::Conflict, text).because(Refusal::Frozen(by, held.value)))
}

/// Changes what is wanted, until a moment or for good.
pub(super) async fn pull(call: &Call, change: Change, (expires, kept): (Option<&str>, bool)) -> Result<(), Problem> {
    let hold = Hold { by: call.caller.name(), until: end(expires, now())?, kept };
    call.sources.levers.pull(change, hold).await.map_err(|error| match error {
        NotPulled::TooMany => {
            let text = "as many networks are turned away as may be; a longer list belongs into a firewall";
            Problem::new(Kind::Conflict, text).because(Refusal::Full(Thing::Network))
        }
        NotPulled::Store(error) => unwritten(&error),
        NotPulled::Lost => {
            Problem::new(Kind::Internal, "the order came to no end; see the log").because(Refusal::HalfDone)
        }
    })
}

#[derive(Serialize)]
struct All {
    upstreams: Vec<Entry>,
    maintenance: Vec<Entry>,
    denied: Vec<Entry>,
    frozen: Option<Entry>,
    log_level: Option<Entry>,
}

/// Something that is wanted otherwise.
#[derive(Serialize)]
struct Entry {
    /// What it is about.
    #[serde(skip_serializing_if = "String::is_empty")]
    object: String,
    /// What is wanted, or why.
    value: String,
    by: String,
    since: String,
    expires: Option<String>,
    kept: bool,
}

impl Entry {
    fn of<T>(object: impl ToString, held: Held<T>, value: impl FnOnce(T) -> String) -> Self {
        let Held { value: wanted, by, at, until, kept } = held;
        let (since, expires) = (timestamp(at), until.map(timestamp));
        Self { object: object.to_string(), value: value(wanted), by, since, expires, kept }
    }
}

fn all(call: &Call) -> Answer {
    let Pulled { upstreams, maintenance, denied, frozen, log_level } = call.sources.levers.pulled();
    json(&All {
        upstreams: upstreams.into_iter().map(|(name, held)| Entry::of(name, held, |it| it.word().into())).collect(),
        maintenance: maintenance.into_iter().map(|(name, held)| Entry::of(name, held, |on| word(on).into())).collect(),
        denied: denied.into_iter().map(|(network, held)| Entry::of(network, held, |why| why)).collect(),
        frozen: frozen.map(|held| Entry::of("", held, |why| why)),
        log_level: log_level.map(|held| Entry::of("", held, |level| level.word().into())),
    })
}

const fn word(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SiteOrder {
    state: SiteState,
    expires: Option<String>,
    #[serde(default)]
    keep: bool,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum SiteState {
    On,
    Off,
    Configured,
}

async fn maintenance(call: Call) -> Result<Answer, Problem> {
    let SiteOrder { state, expires, keep } = call.json()?;
    let site = call.parameter("site").to_owned();
    if !call.sources.routes.load().sites().iter().any(|known| *known.name == *site) {
        let text = format!("there is no site {site:?}; `vitrine sites list` shows those there are");
        return Err(Problem::new(Kind::NotFound, text).because(Refusal::NoSuch(Thing::Site, site)));
    }
    let (wanted, state) = match state {
        SiteState::On => (Some(true), "on"),
        SiteState::Off => (Some(false), "off"),
        SiteState::Configured => (None, "as configured"),
    };
    pull(&call, Change::Maintenance(site.clone(), wanted), (expires.as_deref(), keep)).await?;
    tracing::warn!(site, state, "the operator has a site worked on");
    Ok(Note::of(format!("sites/{site}/maintenance"), state).on(all(&call)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DenyOrder {
    network: String,
    #[serde(default)]
    reason: String,
    expires: Option<String>,
    #[serde(default)]
    keep: bool,
}

async fn deny(call: Call) -> Result<Answer, Problem> {
    let DenyOrder { network, reason, expires, keep } = call.json()?;
    let (network, reason) = (network_of(&network)?, reason_of(reason)?);
    pull(&call, Change::Deny(network, reason.clone()), (expires.as_deref(), keep)).await?;
    tracing::warn!(%network, reason, "the operator turns clients away");
    Ok(Note::of(format!("denied/{network}"), reason).on(all(&call)))
}

async fn admit(call: Call) -> Result<Answer, Problem> {
    let network = network_of(call.parameter("network"))?;
    if !call.sources.levers.pulled().denied.contains_key(&network) {
        let text = format!("{network} is not turned away by itself; `vitrine levers` shows what is");
        return Err(Problem::new(Kind::NotFound, text).because(Refusal::NotDenied(network.to_string())));
    }
    pull(&call, Change::Admit(network), (None, false)).await?;
    tracing::warn!(%network, "the operator turns clients away no longer");
    Ok(Note::of(format!("denied/{network}"), "").on(all(&call)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FreezeOrder {
    #[serde(default)]
    reason: String,
    expires: Option<String>,
    #[serde(default)]
    keep: bool,
}

async fn freeze(call: Call) -> Result<Answer, Problem> {
    let FreezeOrder { reason, expires, keep } = call.json()?;
    let reason = reason_of(reason)?;
    pull(&call, Change::Freeze(reason.clone()), (expires.as_deref(), keep)).await?;
    tracing::warn!(reason, "frozen: nothing is imported, ordered or reloaded; traffic flows");
    Ok(Note::of("freeze", reason).on(all(&call)))
}

async fn thaw(call: Call) -> Result<Answer, Problem> {
    pull(&call, Change::Thaw, (None, false)).await?;
    tracing::warn!("no longer frozen: what changed meanwhile is taken up");
    Ok(Note::of("freeze", "off").on(all(&call)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LogOrder {
    level: LogLevel,
    expires: Option<String>,
    #[serde(default)]
    keep: bool,
}

async fn log(call: Call) -> Result<Answer, Problem> {
    let LogOrder { level, expires, keep } = call.json()?;
    pull(&call, Change::Log(Some(level)), (expires.as_deref(), keep)).await?;
    tracing::warn!(level = level.word(), "the operator changes how much is logged");
    Ok(Note::of("log-level", level.word()).on(all(&call)))
}

async fn log_as_configured(call: Call) -> Result<Answer, Problem> {
    pull(&call, Change::Log(None), (None, false)).await?;
    Ok(Note::of("log-level", "as configured").on(all(&call)))
}

fn network_of(text: &str) -> Result<Network, Problem> {
    text.parse().map_err(|wrong| Problem::malformed(format!("network: {wrong}")))
}

/// For lists and the log: one line.
fn reason_of(text: String) -> Result<String, Problem> {
    if text.chars().count() > LONGEST_REASON || text.contains(char::is_control) {
        return Err(Problem::malformed(format!("reason: expected at most {LONGEST_REASON} letters on one line")));
    }
    Ok(text)
}

const LONGEST_REASON: usize = 200;
