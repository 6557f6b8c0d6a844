//! What the authority of a site's certificates must have checked, as the operator decides while the edge runs.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use super::choices::{intake, not_chosen};
use super::realm::Realm;
use super::recorded::Note;
use super::{Call, Operation, Resource, Takes, timestamp};
use crate::admin::Sources;
use crate::admin::answers::{HostEffect, Minimum as Told, MinimumEffect, Validated};
use crate::admin::problem::{Answer, Problem, json};
use crate::certs::{Demanding, Effect, LEVELS, Minimum, SiteMinimum};
use crate::live::{ServedCert, Site, ValidationLevel};
use crate::words::refusal::Refusal;

/// `sites/{site}/minimum`
pub(super) static RESOURCE: Resource = Resource {
    operations: &[
        Operation::get("sites/{site}/minimum", |call| Box::pin(look(call)))
            .about(Realm::Site("site"))
            .asking(&["level"]),
        Operation::post("sites/{site}/minimum", |call| Box::pin(ask_for(call)))
            .about(Realm::Site("site"))
            .taking(Takes::Json),
        Operation::delete("sites/{site}/minimum", |call| Box::pin(take_back(call))).about(Realm::Site("site")),
    ],
    description: include_str!("minimum.json"),
};

/// What was decided, by site.
pub(super) fn decided(sources: &Sources) -> Arc<BTreeMap<String, Minimum>> {
    sources.intake.as_ref().map(|intake| Arc::clone(&intake.ledger().minimums)).unwrap_or_default()
}

/// What a site asks for, of which this may have been decided.
pub(super) fn told(site: &Site, decided: &BTreeMap<String, Minimum>) -> Told {
    written(site.minimum_validation, decided.get(&*site.name))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    // Left out, it may be a slip; nothing is asked for by saying so.
    #[serde(deserialize_with = "Option::deserialize")]
    level: Option<Word>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Word {
    Dv,
    Ov,
    Ev,
}

impl Word {
    const fn level(self) -> ValidationLevel {
        match self {
            Self::Dv => ValidationLevel::Domain,
            Self::Ov => ValidationLevel::Organisation,
            Self::Ev => ValidationLevel::Extended,
        }
    }
}

/// What would follow from `level`, which may be `none` and `configured` too; without it, what holds now.
async fn look(call: Call) -> Result<Answer, Problem> {
    let known = |word: &str| LEVELS.into_iter().find(|level| level.label() == word).map(|level| Some(Some(level)));
    let decided = decided(&call.sources);
    let level = match call.query.value("level") {
        None => decided.get(call.parameter("site")).map(|minimum| minimum.level),
        Some("configured") => None,
        Some("none") => Some(None),
        Some(word) => known(word).ok_or_else(|| {
            Problem::malformed(format!("level: expected dv, ov, ev, none or configured, found {word:?}"))
                .because(Refusal::NotOffered("dv, ov, ev, none, configured".into()))
        })?,
    };
    let MinimumEffect { minimum, hosts, below } = demand(&call, level, true).await?;
    let decided = decided.get(call.parameter("site")).filter(|_| call.query.value("level").is_none());
    let (decided_by, decided_at) = decided.map(|minimum| (minimum.by.clone(), timestamp(minimum.at))).unzip();
    Ok(json(&MinimumEffect { minimum: Told { decided_by, decided_at, ..minimum }, hosts, below }))
}

async fn ask_for(call: Call) -> Result<Answer, Problem> {
    let Order { level } = call.json()?;
    let effect = demand(&call, Some(level.map(Word::level)), false).await?;
    Ok(noted(&call, &effect))
}

async fn take_back(call: Call) -> Result<Answer, Problem> {
    let effect = demand(&call, None, false).await?;
    Ok(noted(&call, &effect))
}

fn noted(call: &Call, effect: &MinimumEffect) -> Answer {
    let level = effect.minimum.effective.as_deref().unwrap_or("none");
    let by = if effect.minimum.decided_by.is_some() { "" } else { ", as configured" };
    Note::of(format!("sites/{}", call.parameter("site")), format!("minimum validation {level}{by}")).on(json(effect))
}

async fn demand(
    call: &Call,
    level: Option<Option<ValidationLevel>>,
    only_look: bool,
) -> Result<MinimumEffect, Problem> {
    let site = call.parameter("site").to_owned();
    let demanding = Demanding { level, by: call.caller.name(), only_look };
    let asked = intake(call)?.demand(site.clone(), demanding).await.map_err(|why| not_chosen(why, &site))?;
    let level = asked.level();
    let SiteMinimum { configured, decided, hosts, below } = asked;
    let all = |found: &[Arc<ServedCert>]| found.iter().map(|served| validated(served, level)).collect();
    let effect = |Effect { host, before, behind }: &Effect| HostEffect {
        host: host.to_string(),
        before: all(before),
        behind: all(behind),
    };
    Ok(MinimumEffect {
        minimum: written(configured, decided.as_ref()),
        hosts: hosts.iter().map(effect).collect(),
        below: all(&below),
    })
}

fn written(configured: Option<ValidationLevel>, decided: Option<&Minimum>) -> Told {
    let word = |level: Option<ValidationLevel>| level.map(|level| level.label().to_owned());
    Told {
        effective: word(decided.map_or(configured, |minimum| minimum.level)),
        configured: word(configured),
        decided_by: decided.map(|minimum| minimum.by.clone()),
        decided_at: decided.map(|minimum| timestamp(minimum.at)),
    }
}

fn validated(served: &ServedCert, asked: Option<ValidationLevel>) -> Validated {
    let facts = &served.facts;
    Validated {
        fingerprint: facts.fingerprint.to_string(),
        subject: facts.subject_cn.to_string(),
        issuer: super::certificates::issuer(served),
        key_type: served.key_type.label().into(),
        level: facts.traits.level.map(|level| level.label().to_owned()),
        not_after: timestamp(facts.not_after),
        is_below: asked.is_some_and(|asked| facts.traits.level < Some(asked)),
    }
}
