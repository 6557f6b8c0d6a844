//! The certificates in service.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use serde::Serialize;

use super::realm::{Item, Realm};
use super::sites::TOTAL;
use super::standing::{Part, word};
use super::{Call, Operation, Resource, aside, minimum, now, state, timestamp};
use crate::admin::Sources;
use crate::admin::problem::{Answer, Kind, Problem, json};
use crate::certs::{Circumstances, Flaw, HeldBack, SiteDemands, Sites, Verdict, warnings};
use crate::live::{CertIndex, Provision, RouteTable, ServedCert, Site, ValidationLevel};
use crate::name::{HostPattern, parent};
use crate::overview::Band;
use crate::words::refusal::{Refusal, Thing};

/// `certificates`
pub(super) static RESOURCE: Resource = Resource {
    operations: &[
        Operation::get("certificates", |call| Box::pin(aside(call, list)))
            .about(Realm::List(Item::Names))
            .asking(&["q", "host", "band", "offset", "limit"]),
        Operation::post("certificates/confirm-withdrawal", |call| Box::pin(confirm_withdrawal(call)))
            .about(Realm::Edge)
            .asking(&["names"]),
        Operation::get("certificates/{fingerprint}", |call| Box::pin(aside(call, one))).about(Realm::Certificate),
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
    /// How near its end is.
    band: &'static str,
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
    /// What is particular in these words.
    about: Vec<String>,
}

/// The certificates of the index that are asked for, best first, with the sites each serves now; all, if nothing is.
fn list(call: &Call) -> Result<Answer, Problem> {
    let (query, part) = (&call.query, Part::read(&call.query)?);
    let text = query.value("q").map(str::to_lowercase);
    let host = query.value("host").map(HostPattern::parse).transpose();
    let host =
        host.map_err(|_| Problem::malformed("host: expected a host name or a wildcard, found something else"))?;
    let band = word(query, "band", &Band::ALL, Band::word)?;
    let (index, routes) = (call.sources.certificates.snapshot(), call.sources.routes.snapshot());
    let judge = |found: &[&Arc<ServedCert>]| Judge::new(&call.sources, &index, &routes, found, now());
    let is_wanted = |served: &&Arc<ServedCert>| {
        text.as_deref().is_none_or(|text| is_about(served, text))
            && host.as_ref().is_none_or(|host| is_for(served, host))
    };
    let mut found: Vec<_> = index.certificates().iter().filter(is_wanted).collect();
    if let Some(band) = band {
        let judge = judge(&found);
        found.retain(|served| judge.band(served) == band);
    }
    let total = found.len();
    let part = part.of(found);
    let judge = judge(&part);
    let told: Vec<_> = part.into_iter().map(|served| judge.told(served)).collect();
    let mut answer = json(&told);
    answer.headers_mut().insert(TOTAL, total.into());
    Ok(answer)
}

/// Whether a text, in lower case, is in what people call it by.
fn is_about(served: &ServedCert, text: &str) -> bool {
    let facts = &served.facts;
    let called = [&facts.subject_cn, &facts.issuer_cn, &facts.issuer_o, &facts.serial, &facts.fingerprint];
    called.iter().any(|called| called.to_lowercase().contains(text))
        || served.names.iter().any(|name| name.to_string().contains(text))
}

fn is_for(served: &ServedCert, host: &HostPattern) -> bool {
    served.names.contains(host)
        || matches!(host, HostPattern::Exact(name) if served.names.iter().any(|own| own.covers(name.as_str())))
}

/// The one of a fingerprint.
fn one(call: &Call) -> Result<Answer, Problem> {
    let fingerprint = fingerprint_in(call)?;
    let (index, routes) = (call.sources.certificates.snapshot(), call.sources.routes.snapshot());
    let served = index.certificates().iter().find(|served| *served.facts.fingerprint == *fingerprint);
    let served = served.ok_or_else(|| not_in_service(&fingerprint))?;
    Ok(json(&Judge::new(&call.sources, &index, &routes, &[served], now()).told(served)))
}

/// The fingerprint in the path, in any spelling that openssl, browsers or we write.
pub(super) fn fingerprint_in(call: &Call) -> Result<String, Problem> {
    let given = call.parameter("fingerprint");
    let fingerprint: String = given.chars().filter(|letter| *letter != ':').collect::<String>().to_lowercase();
    let is_one = fingerprint.len() == 64 && fingerprint.bytes().all(|digit| digit.is_ascii_hexdigit());
    if is_one { Ok(fingerprint) } else { Err(not_in_service(given)) }
}

pub(super) fn not_in_service(fingerprint: &str) -> Problem {
    let text = format!(
        "no certificate in service has the fingerprint {fingerprint:?}; `vitrine certs list` shows those there are"
    );
    Problem::new(Kind::NotFound, text).because(Refusal::NoSuch(Thing::Certificate, fingerprint.to_owned()))
}

/// What is to be said of some certificates beside the sites.
pub(super) struct Judge<'a> {
    serving: HashMap<&'a str, BTreeSet<&'a str>>,
    known: Sites<'a>,
    /// The sites whose certificates renew themselves, and whether that is late.
    renewed: HashMap<&'a str, bool>,
    now: i64,
}

impl<'a> Judge<'a> {
    /// Of these certificates, which may be such as are not served yet.
    pub(super) fn new(
        sources: &Sources,
        index: &'a Arc<CertIndex>,
        routes: &'a Arc<RouteTable>,
        certificates: &[&Arc<ServedCert>],
        now: i64,
    ) -> Self {
        let concerned = concerned(routes, certificates);
        let minimums = minimum::decided(sources);
        let asked = concerned.iter().map(|site| SiteDemands::decided(site, &minimums));
        let known = Sites::of(asked).served_by(index);
        let overview = sources.lookout.look_over(index, routes, now);
        let names: HashSet<&str> = concerned.iter().map(|site| &*site.name).collect();
        let renewed = overview.sites.iter().filter(|site| site.source != Provision::Uploaded);
        let renewed = renewed.filter_map(|site| Some((*names.get(&*site.name)?, site.is_late))).collect();
        Self { serving: serving(index, &concerned), known, renewed, now }
    }

    /// How near its end is: one that serves nothing but sites whose certificates renew themselves is judged as those are.
    pub(super) fn band(&self, served: &ServedCert) -> Band {
        let facts = &served.facts;
        let sites = self.serving.get(&*facts.fingerprint);
        // `None`: some site of it is not.
        let late = sites
            .and_then(|sites| sites.iter().map(|site| self.renewed.get(site).copied()).collect::<Option<Vec<_>>>());
        match late {
            Some(late) => Band::by_share(facts.not_before, facts.not_after, late.contains(&true), self.now),
            None => Band::by_days(facts.not_after, self.now),
        }
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
            band: self.band(served).word(),
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
        Problem::new(Kind::Conflict, detail).because(Refusal::HeldBack(names))
    })?;
    if confirmed == 0 {
        let detail = "no withdrawal is held back; `vitrine certs list` shows what is served";
        return Err(Problem::new(Kind::Conflict, detail).because(Refusal::NothingHeld));
    }
    Ok(json(&serde_json::json!({ "confirmed": confirmed })))
}

impl From<Flaw> for Warning {
    fn from(Flaw { code, reason, mend, about }: Flaw) -> Self {
        Self { code, reason: reason.into_owned(), mend: mend.into_owned(), about }
    }
}

/// The sites that have a host for which one of these certificates is: no other can be served by one, or go by its names.
fn concerned<'a>(routes: &'a RouteTable, certificates: &[&Arc<ServedCert>]) -> Vec<&'a Site> {
    // A name leads to the site of the wildcard above it, and a wildcard to all sites beneath.
    let (mut exact, mut above, mut bases) = (HashSet::new(), HashSet::new(), HashSet::new());
    for name in certificates.iter().flat_map(|served| served.names.iter()) {
        match name {
            HostPattern::Exact(name) => {
                exact.insert(name.as_str());
                above.extend(parent(name.as_str()));
            }
            HostPattern::Wildcard(base) => {
                bases.insert(base.as_str());
            }
        }
    }
    let is_meant = |host: &HostPattern| match host {
        HostPattern::Exact(name) => {
            exact.contains(name.as_str()) || parent(name.as_str()).is_some_and(|parent| bases.contains(parent))
        }
        HostPattern::Wildcard(base) => above.contains(base.as_str()) || bases.contains(base.as_str()),
    };
    routes.sites().iter().map(Arc::as_ref).filter(|site| site.hosts.iter().any(is_meant)).collect()
}

/// The sites each certificate serves, by fingerprint, in order of their names.
fn serving<'a>(index: &'a CertIndex, sites: &[&'a Site]) -> HashMap<&'a str, BTreeSet<&'a str>> {
    let mut serving: HashMap<&str, BTreeSet<&str>> = HashMap::new();
    for site in sites {
        let choices = site.hosts.iter().filter_map(|host| index.find_pattern(host));
        for served in choices.flat_map(|choice| choice.iter()) {
            serving.entry(&served.facts.fingerprint).or_default().insert(&site.name);
        }
    }
    serving
}

/// The issuer as people call it: its common name, else its organisation.
pub(super) fn issuer(served: &ServedCert) -> String {
    match (&*served.facts.issuer_cn, &*served.facts.issuer_o) {
        ("", organisation) => organisation.to_owned(),
        (name, _) => name.to_owned(),
    }
}

const SECONDS_A_DAY: i64 = 86_400;
/// What certificates of servers are called beside the types of objects.
const SSL: &str = "ssl";
