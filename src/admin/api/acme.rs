//! What is asked of the authorities that certificates are ordered from, beside orders.

use serde::{Deserialize, Deserializer, Serialize};

use super::certificates::fingerprint_in;
use super::realm::Realm;
use super::recorded::Note;
use super::{Call, Operation, Resource, Takes, aside, now};
use crate::acme::{Authorities, ListedAccount, NotDone, RevocationReason, Revoked};
use crate::admin::problem::{Answer, Kind, Problem, json};
use crate::words::refusal::{Refusal, Thing};

/// `acme`, and taking certificates back.
pub(super) static RESOURCE: Resource = Resource {
    operations: &[
        Operation::get("acme/accounts", |call| Box::pin(aside(call, accounts))).about(Realm::Edge),
        Operation::post("acme/accounts/{issuer}/rollover", |call| Box::pin(roll_over(call))).about(Realm::Edge),
        Operation::post("certificates/{fingerprint}/revoke", |call| Box::pin(revoke(call)))
            .about(Realm::Certificate)
            .taking(Takes::Json),
    ],
    description: include_str!("acme.json"),
};

#[derive(Serialize)]
struct Account {
    issuer: String,
    directory: String,
    account: Option<String>,
    contact: Vec<String>,
    rolling_over: bool,
}

impl From<ListedAccount> for Account {
    fn from(listed: ListedAccount) -> Self {
        let ListedAccount { issuer, directory, account, contact, is_rolling } = listed;
        Self { issuer, directory, account, contact, rolling_over: is_rolling }
    }
}

fn accounts(call: &Call) -> Result<Answer, Problem> {
    let listed = authorities(call)?.accounts().map_err(|why| not_done(&why))?;
    Ok(json(&listed.into_iter().map(Account::from).collect::<Vec<_>>()))
}

/// Gives an account a new key.
async fn roll_over(call: Call) -> Result<Answer, Problem> {
    let issuer = call.parameter("issuer").to_owned();
    let account = authorities(&call)?.roll_over(&issuer).await.map_err(|why| not_done(&why))?;
    let note = Note::of(format!("acme/accounts/{issuer}"), account.clone());
    Ok(note.on(json(&serde_json::json!({ "issuer": issuer, "account": account }))))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    #[serde(default = "unspecified", deserialize_with = "reason")]
    reason: RevocationReason,
    #[serde(default)]
    now: bool,
}

/// What was done.
#[derive(Serialize)]
struct Answered {
    revoked: String,
    reason: &'static str,
    issuer: String,
    signed_by: &'static str,
    ordered: Vec<String>,
    serves: Vec<String>,
    same_key: Vec<String>,
    tickets_rotated: bool,
}

/// Has a certificate revoked.
async fn revoke(call: Call) -> Result<Answer, Problem> {
    let fingerprint = fingerprint_in(&call)?;
    let Order { reason, now: leaves } = call.json()?;
    let revoked = authorities(&call)?.revoke(&fingerprint, reason, leaves, now()).await;
    let Revoked { issuer, by_its_key, ordered, same_key } = revoked.map_err(|why| not_done(&why))?;
    let is_compromised = reason == RevocationReason::KeyCompromise;
    // Who had the key may have had those of the tickets, which lay beside it.
    if is_compromised && let Err(error) = (call.sources.rotate_tickets)() {
        tracing::error!(error, "the keys of session tickets were not replaced");
        let text = format!(
            "it is revoked, but the keys of session tickets were not replaced: {error}; restart the edge, which makes new ones"
        );
        return Err(Problem::new(Kind::Internal, text).because(Refusal::TicketsKept(error)));
    }
    let answered = Answered {
        reason: reason.word(),
        issuer,
        signed_by: if by_its_key { "certificate-key" } else { "account" },
        serves: names_served(&call, &fingerprint),
        ordered,
        same_key,
        tickets_rotated: is_compromised,
        revoked: fingerprint,
    };
    let detail = format!("reason {}, signed by the {}", answered.reason, answered.signed_by.replace('-', "'s "));
    let note = Note::of(format!("certificates/{}", answered.revoked), detail);
    Ok(note.on(json(&answered)))
}

/// The hosts of sites that are shown a certificate still.
fn names_served(call: &Call, fingerprint: &str) -> Vec<String> {
    let (index, routes) = (call.sources.certificates.snapshot(), call.sources.routes.snapshot());
    let hosts = routes.sites().iter().flat_map(|site| &site.hosts);
    let is_served = |host: &&crate::name::HostPattern| {
        let choice = index.find_pattern(host);
        choice.is_some_and(|choice| choice.iter().any(|served| *served.facts.fingerprint == *fingerprint))
    };
    hosts.filter(is_served).map(ToString::to_string).collect()
}

pub(super) fn authorities(call: &Call) -> Result<&Authorities, Problem> {
    let fixed = || {
        Problem::new(Kind::Conflict, "this edge serves a fixed set of certificates and orders no other")
            .because(Refusal::Fixed)
    };
    call.sources.authorities.as_ref().ok_or_else(fixed)
}

pub(super) fn not_done(why: &NotDone) -> Problem {
    let (kind, refusal) = match why {
        NotDone::NoIssuer(name) => (Kind::NotFound, Refusal::NoSuch(Thing::Issuer, name.clone())),
        NotDone::NoCertificate(print) => (Kind::NotFound, Refusal::NoSuch(Thing::Certificate, print.clone())),
        NotDone::Unfit(refusal, _) => (Kind::Conflict, refusal.clone()),
        NotDone::Conflict(_) => return Problem::new(Kind::Conflict, why.to_string()),
        NotDone::Refused(text) => (Kind::Authority, Refusal::AuthoritySaidNo(text.clone())),
        NotDone::Unreachable(text) => (Kind::Authority, Refusal::AuthorityAway(text.clone())),
        NotDone::State(text) => (Kind::Internal, Refusal::Unwritten(text.clone())),
    };
    Problem::new(kind, why.to_string()).because(refusal)
}

const fn unspecified() -> RevocationReason {
    RevocationReason::Unspecified
}

fn reason<'de, D: Deserializer<'de>>(deserializer: D) -> Result<RevocationReason, D::Error> {
    let word = String::deserialize(deserializer)?;
    let known = RevocationReason::ALL.into_iter().find(|known| known.word() == word);
    known.ok_or_else(|| serde::de::Error::custom("unknown reason, expected one of those in /api/v1/openapi.json"))
}
