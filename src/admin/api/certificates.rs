//! The certificates in service.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde::Serialize;

use super::{Call, Operation, Resource, aside, now, state, timestamp};
use crate::admin::Sources;
use crate::admin::problem::{Answer, Kind, Problem, json};
use crate::certs::{Circumstances, Flaw, HeldBack, Sites, Verdict, warnings};
use crate::live::{CertIndex, RouteTable, ServedCert, ValidationLevel};

/// `certificates`
pub(super) static RESOURCE: Resource = Resource {
    operations: &[
        Operation::get("certificates", |call| Box::pin(aside(call, |call| Ok(json(&list(&call.sources, now())))))),
        Operation::post("certificates/confirm-withdrawal", |call| Box::pin(confirm_withdrawal(call)))
            .asking(&["names"]),
        Operation::get("certificates/{fingerprint}", |call| Box::pin(aside(call, one))),
    ],
    description: include_str!("certificates.json"),
};

/// One certificate.
#[derive(Serialize)]
pub(super) struct Certificate {
    fingerprint: String,
    subject: String,
    issuer: String,
    serial: String,
    #[serde(rename = "type")]
    kind: &'static str,
    names: Vec<String>,
    key_type: &'static str,
    not_before: String,
    not_after: String,
    days_left: i64,
    file: String,
    embedded_key: bool,
    in_grace: bool,
    held: bool,
    state: &'static str,
    level: Option<&'static str>,
    verdict: &'static str,
    warnings: Vec<Warning>,
    sites: Vec<String>,
}

/// What clients will have against it.
#[derive(Serialize)]
struct Warning {
    code: &'static str,
    reason: String,
    mend: String,
}

/// Every certificate of the index, best first, with the sites it serves now.
fn list(sources: &Sources, now: i64) -> Vec<Certificate> {
    let (index, routes) = (sources.certificates.snapshot(), sources.routes.snapshot());
    let judge = Judge::new(&index, &routes, now);
    index.certificates().iter().map(|served| judge.told(served)).collect()
}

/// The one of a fingerprint.
fn one(call: &Call) -> Result<Answer, Problem> {
    let fingerprint = fingerprint_in(call)?;
    let (index, routes) = (call.sources.certificates.snapshot(), call.sources.routes.snapshot());
    let served = index.certificates().iter().find(|served| *served.facts.fingerprint == *fingerprint);
    let served = served.ok_or_else(|| not_in_service(&fingerprint))?;
    Ok(json(&Judge::new(&index, &routes, now()).told(served)))
}

/// The fingerprint in the path, in any spelling that openssl, browsers or we write.
pub(super) fn fingerprint_in(call: &Call) -> Result<String, Problem> {
    let given = call.parameter("fingerprint");
    let fingerprint: String = given.chars().filter(|letter| *letter != ':').collect::<String>().to_lowercase();
    let is_one = fingerprint.len() == 64 && fingerprint.bytes().all(|digit| digit.is_ascii_hexdigit());
    if is_one { Ok(fingerprint) } else { Err(not_in_service(given)) }
}

fn not_in_service(fingerprint: &str) -> Problem {
    let text = format!(
        "no certificate in service has the fingerprint {fingerprint:?}; `vitrine certs list` shows those there are"
    );
    Problem::new(Kind::NotFound, text)
}

/// What is to be said of certificates, beside each other and the sites.
pub(super) struct Judge<'a> {
    serving: HashMap<String, BTreeSet<&'a str>>,
    known: Sites<'a>,
    now: i64,
}

impl<'a> Judge<'a> {
    pub(super) fn new(index: &CertIndex, routes: &'a RouteTable, now: i64) -> Self {
        let known = Sites::of(routes.sites().iter().map(Arc::as_ref)).served_by(index);
        Self { serving: serving(index, routes), known, now }
    }

    /// What lists say of a certificate.
    pub(super) fn told(&self, served: &ServedCert) -> Certificate {
        let (facts, now) = (&served.facts, self.now);
        let warnings = warnings(served, &Circumstances { now, sites: Some(&self.known) });
        let sites = self.serving.get(&*facts.fingerprint);
        Certificate {
            fingerprint: facts.fingerprint.to_string(),
            subject: facts.subject_cn.to_string(),
            issuer: issuer(served),
            serial: facts.serial.to_string(),
            kind: SSL,
            names: served.names.iter().map(ToString::to_string).collect(),
            key_type: served.key_type.label(),
            not_before: timestamp(facts.not_before),
            not_after: timestamp(facts.not_after),
            days_left: (facts.not_after - now).div_euclid(SECONDS_A_DAY),
            file: facts.file.display().to_string(),
            embedded_key: facts.embedded_key,
            in_grace: facts.in_grace,
            held: facts.held,
            state: state(facts.not_before, facts.not_after, now),
            level: facts.traits.level.map(ValidationLevel::label),
            verdict: Verdict::of(&warnings).words(),
            warnings: warnings.into_iter().map(Warning::from).collect(),
            sites: sites.into_iter().flatten().map(|name| (*name).to_owned()).collect(),
        }
    }
}

/// Takes the operator's word that certificates are meant to go: `names=N` says of how many names at most.
async fn confirm_withdrawal(call: Call) -> Result<Answer, Problem> {
    let seen =
        call.query.number("names", u64::from(u32::MAX))?.map(|names| usize::try_from(names).unwrap_or(usize::MAX));
    let confirmed = match &call.sources.intake {
        Some(intake) => intake.confirm_withdrawal(seen).await,
        None => Ok(0),
    };
    let confirmed = confirmed.map_err(|HeldBack { names }| {
        let detail = format!(
            "{names} names are held back by now, more than were seen; look again, with `vitrine certs list`, and confirm \
             them with `vitrine certs confirm --names {names}`"
        );
        Problem::new(Kind::Conflict, detail)
    })?;
    if confirmed == 0 {
        let detail = "no withdrawal is held back; `vitrine certs list` shows what is served";
        return Err(Problem::new(Kind::Conflict, detail));
    }
    Ok(json(&serde_json::json!({ "confirmed": confirmed })))
}

impl From<Flaw> for Warning {
    fn from(Flaw { code, reason, mend }: Flaw) -> Self {
        Self { code, reason: reason.into_owned(), mend: mend.into_owned() }
    }
}

/// The sites each certificate serves, by fingerprint, in order of their names.
fn serving<'a>(index: &CertIndex, routes: &'a RouteTable) -> HashMap<String, BTreeSet<&'a str>> {
    let mut serving: HashMap<String, BTreeSet<&str>> = HashMap::new();
    for site in routes.sites() {
        let choices = site.hosts.iter().filter_map(|host| index.find_pattern(host));
        for served in choices.flat_map(|choice| choice.iter()) {
            serving.entry(served.facts.fingerprint.to_string()).or_default().insert(&*site.name);
        }
    }
    serving
}

/// The issuer as people call it: its common name, else its organisation.
fn issuer(served: &ServedCert) -> String {
    match (&*served.facts.issuer_cn, &*served.facts.issuer_o) {
        ("", organisation) => organisation.to_owned(),
        (name, _) => name.to_owned(),
    }
}

const SECONDS_A_DAY: i64 = 86_400;
/// What certificates of servers are called beside the types of objects.
const SSL: &str = "ssl";
