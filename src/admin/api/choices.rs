//! Where sites' certificates come from, as the operator decides while the edge runs.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use super::realm::Realm;
use super::realm::Scope;
use super::recorded::Note;
use super::{Call, Operation, Resource, Takes, timestamp, unwritten};
use crate::admin::Sources;
use crate::admin::answers::Provided;
use crate::admin::problem::{Answer, Kind, Problem, json};
use crate::certs::{Choice, Choosing, IntakeHandle, NotChosen, SiteChoice};
use crate::live::{Provision, Site};
use crate::words::refusal::{Expects, Refusal, Thing};

/// `sites/{site}/choice` and `local-ca`
pub(super) static RESOURCE: Resource = Resource {
    operations: &[
        Operation::post("sites/{site}/choice", |call| Box::pin(choose(call)))
            .about(Realm::Site("site"))
            .taking(Takes::Json),
        Operation::delete("sites/{site}/choice", |call| Box::pin(take_back(call))).about(Realm::Site("site")),
        Operation::get("local-ca", |call| Box::pin(local_root(call))).about(Realm::Open),
    ],
    description: include_str!("choices.json"),
};

/// Where a site's certificates come from, and who said so.
pub(super) fn provided(configured: Provision, choice: Option<&Choice>) -> Provided {
    Provided {
        effective: choice.map_or(configured, |choice| choice.certificate).word().into(),
        configured: configured.word().into(),
        pinned: choice.map(|choice| choice.pinned.clone()).unwrap_or_default(),
        decided_by: choice.map(|choice| choice.by.clone()),
        decided_at: choice.map(|choice| timestamp(choice.at)),
    }
}

/// What was decided, by site.
pub(super) fn of(sources: &Sources) -> Arc<BTreeMap<String, Choice>> {
    sources.intake.as_ref().map(|intake| Arc::clone(&intake.ledger().choices)).unwrap_or_default()
}

/// Why a certificate serves, if it is because somebody chose it.
pub(super) fn rule(site: &Site, choice: Option<&Choice>, fingerprint: &str) -> Option<&'static str> {
    match choice {
        Some(choice) if choice.pinned.iter().any(|pinned| pinned == fingerprint) => Some("pinned by the operator"),
        _ if choice.map_or(site.provision, |choice| choice.certificate) == Provision::SelfSigned => {
            Some("self-signed by choice")
        }
        _ => None,
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    certificate: Word,
    #[serde(default)]
    pinned: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Word {
    Uploaded,
    Managed,
    SelfSigned,
}

async fn choose(call: Call) -> Result<Answer, Problem> {
    let Order { certificate, pinned } = call.json()?;
    let provision = match certificate {
        Word::Uploaded => Provision::Uploaded,
        Word::Managed if pinned.is_empty() => Provision::Managed,
        Word::SelfSigned if pinned.is_empty() => Provision::SelfSigned,
        Word::Managed | Word::SelfSigned => {
            return Err(Problem::malformed("pinned: only what is uploaded can be pinned; leave it out")
                .because(Refusal::PinsUploaded));
        }
    };
    if pinned.len() > MOST_PINNED {
        return Err(Problem::malformed(format!(
            "pinned: expected at most {MOST_PINNED} fingerprints, one for each type of key"
        ))
        .because(Refusal::field("pinned", Expects::Usual)));
    }
    let pinned = pinned.iter().map(|given| given.replace(':', "").to_lowercase()).collect();
    let pinned: Vec<String> = pinned;
    if let Some(scope) = Scope::of(&call.caller, &call.sources) {
        let index = call.sources.certificates.snapshot();
        let is_seen = |print: &String| {
            let served = index.certificates().iter().find(|served| *served.facts.fingerprint == **print);
            let names: Vec<String> =
                served.into_iter().flat_map(|served| served.names.iter()).map(ToString::to_string).collect();
            scope.touched(names.iter().map(String::as_str)).iter().any(|site| scope.sees_site(site))
        };
        if let Some(foreign) = pinned.iter().find(|print| !is_seen(print)) {
            return Err(super::certificates::not_in_service(foreign));
        }
    }
    let choosing = Choosing { provision, pinned, by: call.caller.name() };
    decide(&call, Some(choosing)).await
}

async fn take_back(call: Call) -> Result<Answer, Problem> {
    decide(&call, None).await
}

async fn decide(call: &Call, choosing: Option<Choosing>) -> Result<Answer, Problem> {
    let site = call.parameter("site").to_owned();
    let chosen = intake(call)?.choose(site.clone(), choosing).await.map_err(|why| not_chosen(why, &site))?;
    let SiteChoice { configured, decided, .. } = chosen;
    let provided = provided(configured, decided.as_ref());
    let done = Note::of(format!("sites/{site}"), format!("{} {}", provided.effective, provided.pinned.join(" ")));
    Ok(done.on(json(&provided)))
}

/// Why nothing was decided about a site.
pub(super) fn not_chosen(why: NotChosen, site: &str) -> Problem {
    let conflict = |text: String| Problem::new(Kind::Conflict, text);
    match why {
        NotChosen::NoSite => {
            let text = format!("there is no site {site:?}; `vitrine sites list` shows those there are");
            Problem::new(Kind::NotFound, text).because(Refusal::NoSuch(Thing::Site, site.to_owned()))
        }
        NotChosen::OutsideSuffixes(host) => conflict(format!(
            "the edge's own authority does not issue for {host:?}: it ends with none of certificates.local_ca_suffixes"
        ))
        .because(Refusal::NotLocal(host.to_string())),
        NotChosen::NoTerms => conflict("nothing is ordered without terms_of_service_agreed = true in [acme]".into())
            .because(Refusal::NoTerms),
        NotChosen::NeedsDns(host) => conflict(format!(
            "{host} needs dns-01: say in [[acme.dns]] how records are written and have \"dns-01\" in acme.challenges, or name each host"
        ))
        .because(Refusal::NeedsDns(host)),
        NotChosen::NoCertificate(fingerprint) => conflict(format!(
            "no certificate in service has the fingerprint {fingerprint:?}; `vitrine certs list --json` shows them"
        ))
        .because(Refusal::NoSuch(Thing::Certificate, fingerprint)),
        NotChosen::NotForSite(fingerprint) => {
            conflict(format!("the certificate {fingerprint} is for none of the site's hosts; pin one that is"))
                .because(Refusal::NotForSite(fingerprint))
        }
        NotChosen::Store(error) => unwritten(&error),
    }
}

async fn local_root(call: Call) -> Result<Answer, Problem> {
    let root = intake(&call)?.local_root().await.map_err(|why| Problem::new(Kind::Conflict, why))?;
    Ok(json(&serde_json::json!({ "root_pem": root })))
}

pub(super) fn intake(call: &Call) -> Result<&IntakeHandle, Problem> {
    let fixed = || {
        Problem::new(Kind::Conflict, "this edge serves a fixed set of certificates and takes in no other")
            .because(Refusal::Fixed)
    };
    call.sources.intake.as_ref().ok_or_else(fixed)
}

/// One for each type of key, and room for a change.
const MOST_PINNED: usize = 8;
