//! The servers behind the edge: how each is doing, and what the operator wants of it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::realm::Realm;
use super::recorded::Note;
use super::{Call, Operation, Resource, Takes, aside, levers};
use crate::admin::problem::{Answer, Kind, Problem, json};
use crate::levers::Change;
use crate::live::{Condition, Lever, Load, Member, RouteTable, UpstreamState, Whereabouts};
use crate::words::refusal::{Refusal, Thing};

/// `upstreams`
pub(super) static RESOURCE: Resource = Resource {
    operations: &[
        Operation::get("upstreams", |call| Box::pin(aside(call, list))).about(Realm::Edge),
        Operation::post("upstreams/{upstream}", |call| Box::pin(pull(call)))
            .about(Realm::Hidden)
            .taking(Takes::Json)
            .even_frozen(),
    ],
    description: include_str!("upstreams.json"),
};

/// A server, and how it is doing.
#[derive(Serialize)]
pub(super) struct Entry {
    upstream: String,
    state: &'static str,
    /// Where its name leads; `None`: it is not addressed by one.
    addresses: Option<Vec<IpAddr>>,
    /// Why its name was not found the last time.
    unresolved: Option<String>,
    /// Why, if it is down.
    reason: Option<String>,
    /// For how long it is left alone yet.
    resting_seconds: Option<u64>,
    failures: u32,
    /// What the edge asks it for.
    check: Option<String>,
    /// Its share; `None`: not the same wherever it is.
    weight: Option<u32>,
    /// Requests that it has, where they are counted.
    open_requests: Option<u32>,
    /// Requests that wait for a place here, or elsewhere.
    queued: Option<usize>,
    sites: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    state: String,
    expires: Option<String>,
    #[serde(default)]
    keep: bool,
}

/// A server as one kind of groups has it.
struct Known {
    state: Arc<UpstreamState>,
    load: Option<Arc<Load>>,
    whereabouts: Option<Arc<Whereabouts>>,
    weights: BTreeSet<u32>,
    sites: BTreeSet<String>,
}

impl Known {
    fn of(member: &Member) -> Self {
        let (weights, sites) = (BTreeSet::new(), BTreeSet::new());
        let (state, whereabouts) = (Arc::clone(&member.state), member.whereabouts.clone());
        Self { state, load: None, whereabouts, weights, sites }
    }
}

/// By the server and what it is asked for.
fn known(routes: &RouteTable) -> BTreeMap<(String, Option<String>), Known> {
    let mut known = BTreeMap::new();
    for site in routes.sites() {
        let groups = site.routes().iter().filter_map(|route| routes.groups().get(route.group));
        for group in groups {
            let check = group.care.check.as_ref().map(|check| check.path.to_string());
            for member in &group.members {
                let key = (member.upstream.to_string(), check.clone());
                let entry = known.entry(key).or_insert_with(|| Known::of(member));
                entry.load = entry.load.take().or_else(|| member.load.clone());
                entry.weights.insert(member.weight);
                entry.sites.insert(site.name.to_string());
            }
        }
    }
    known
}

/// Those of one group.
pub(super) fn of_group(routes: &RouteTable, group: usize) -> Vec<Entry> {
    let Some(group) = routes.groups().get(group) else { return Vec::new() };
    let check = group.care.check.as_ref().map(|check| check.path.to_string());
    let known = known(routes);
    let keys = group.members.iter().map(|member| (member.upstream.to_string(), check.clone()));
    let (mut known, mut entries) = (known, Vec::new());
    for key in keys {
        if let Some(found) = known.remove(&key) {
            entries.push(Entry::from((key, found)));
        }
    }
    entries
}

fn list(call: &Call) -> Result<Answer, Problem> {
    let known = known(&call.sources.routes.snapshot());
    Ok(json(&known.into_iter().map(Entry::from).collect::<Vec<_>>()))
}

/// Brings a server to do what the operator wants.
async fn pull(call: Call) -> Result<Answer, Problem> {
    let wanted = call.parameter("upstream").to_owned();
    let Order { state, expires, keep } = call.json()?;
    let lever = Lever::ALL.into_iter().find(|lever| lever.word() == state).ok_or_else(|| {
        let words = Lever::ALL.map(|lever| format!("{:?}", lever.word())).join(", ");
        Problem::malformed(format!("state: expected one of {words}, found {state:?}"))
    })?;
    let find = || {
        let mut found = known(&call.sources.routes.snapshot());
        found.retain(|(upstream, _), _| *upstream == wanted);
        found
    };
    if find().is_empty() {
        let text = format!("no site has the upstream {wanted:?}; `vitrine upstreams list` shows those there are");
        return Err(Problem::new(Kind::NotFound, text).because(Refusal::NoSuch(Thing::Upstream, wanted)));
    }
    levers::pull(&call, Change::Upstream(wanted.clone(), lever), (expires.as_deref(), keep)).await?;
    tracing::warn!(upstream = wanted, state, "the operator wants an upstream so");
    let entries: Vec<Entry> = find().into_iter().map(Entry::from).collect();
    Ok(Note::of(format!("upstreams/{wanted}"), format!("state {state}")).on(json(&entries)))
}

impl From<((String, Option<String>), Known)> for Entry {
    fn from(((upstream, check), known): ((String, Option<String>), Known)) -> Self {
        let Known { state, load, whereabouts, weights, sites } = known;
        let condition = state.condition();
        let (reason, resting_seconds) = match &condition {
            Condition::Down(why) => (Some(why.to_string()), None),
            Condition::Resting(left) => (None, Some(left.as_secs())),
            Condition::Ready | Condition::Draining | Condition::Maintenance => (None, None),
        };
        Self {
            upstream,
            state: condition.word(),
            addresses: whereabouts.as_ref().map(|whereabouts| whereabouts.addresses()),
            unresolved: whereabouts.and_then(|whereabouts| whereabouts.trouble()).map(Into::into),
            reason,
            resting_seconds,
            failures: state.failures(),
            check,
            weight: weights.first().copied().filter(|_| weights.len() == 1),
            open_requests: load.as_ref().map(|load| load.open()),
            queued: load.map(|load| load.awaited()),
            sites: sites.into_iter().collect(),
        }
    }
}
