//! What is kept and is no certificate of a server: what sites show, and Apple Pay's certificates.

mod brought;

use std::collections::BTreeSet;

use serde::Serialize;

use self::brought::Brought;
use super::realm::{Item, Realm, Scope};
use super::recorded::Note;
use super::versions::FileFlaw;
use super::{Call, Operation, Resource, Takes, now, state, timestamp, unwritten};
use crate::admin::Sources;
use crate::admin::problem::{Answer, Kind, Problem, json};
use crate::certs::{self, ApplePayCertificate, End, IntakeHandle, NewContent, NotKept, ObjectVersion};
use crate::live::{CertIndex, RouteTable};
use crate::words::refusal::{Expects, Refusal, Thing};

/// `objects`
pub(super) static RESOURCE: Resource = Resource {
    operations: &[
        Operation::get("objects", |call| Box::pin(list(call))).about(Realm::List(Item::Names)),
        Operation::post("objects", |call| Box::pin(add(call)))
            .about(Realm::Sent)
            .taking(Takes::Form(&["file", "type", "site", "expires", "id", "password"])),
        Operation::get("objects/{id}", |call| Box::pin(show(call))).about(Realm::Object),
        Operation::delete("objects/{id}", |call| Box::pin(remove(call))).about(Realm::Object),
        Operation::post("objects/{id}/rollback", |call| Box::pin(roll_back(call)))
            .about(Realm::Object)
            .asking(&["version"]),
    ],
    description: include_str!("objects.json"),
};

/// An object as it holds now.
#[derive(Serialize)]
struct Object {
    id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    origin: &'static str,
    sites: Vec<String>,
    not_after: Option<String>,
    not_after_from: Option<&'static str>,
    state: &'static str,
    certificate: Option<Certificate>,
    version: u32,
    versions: Vec<Version>,
}

/// One version.
#[derive(Serialize)]
struct Version {
    version: u32,
    current: bool,
    sites: Vec<String>,
    expires: Option<String>,
    added: String,
    added_by: String,
    size: usize,
    sha256: String,
    file: String,
    certificate: Option<Certificate>,
}

/// What a certificate says of itself, and itself.
#[derive(Serialize)]
struct Certificate {
    purpose: &'static str,
    merchant: String,
    subject: String,
    issuer: String,
    serial: String,
    fingerprint: String,
    not_before: String,
    not_after: String,
    chain: String,
}

impl Certificate {
    fn of(certificate: &ApplePayCertificate) -> Self {
        Self {
            purpose: certificate.purpose.word(),
            merchant: certificate.merchant.to_string(),
            subject: certificate.subject.to_string(),
            issuer: certificate.issuer.to_string(),
            serial: certificate.serial.to_string(),
            fingerprint: certificate.fingerprint.to_string(),
            not_before: timestamp(certificate.not_before),
            not_after: timestamp(certificate.not_after),
            chain: certificate.chain.to_string(),
        }
    }
}

/// An object that was brought just now.
#[derive(Serialize)]
struct Kept {
    #[serde(flatten)]
    object: Object,
    left_over: Vec<FileFlaw>,
}

impl Object {
    fn of(object: &certs::Object, index: &CertIndex, routes: &RouteTable, now: i64) -> Self {
        let version = object.version();
        let end = End::of(object, index, routes);
        let told = |version: &ObjectVersion| Version {
            version: version.number,
            current: version.number == object.current,
            sites: version.sites.clone(),
            expires: version.expires.map(timestamp),
            added: timestamp(version.added),
            added_by: version.added_by.clone(),
            size: version.size,
            sha256: version.sha256.clone(),
            file: version.file.display().to_string(),
            certificate: version.certificate.as_deref().map(Certificate::of),
        };
        let certificate = version.and_then(|version| version.certificate.as_deref());
        Self {
            id: object.id.clone(),
            kind: object.kind.word(),
            origin: object.origin.word(),
            sites: version.map(|version| version.sites.clone()).unwrap_or_default(),
            not_after: end.map(|end| timestamp(end.at)),
            not_after_from: end.map(|end| end.from.word()),
            state: match (end, certificate) {
                (None, _) => "unknown",
                (Some(end), certificate) => state(certificate.map_or(i64::MIN, |own| own.not_before), end.at, now),
            },
            certificate: certificate.map(Certificate::of),
            version: object.current,
            versions: object.versions.iter().map(told).collect(),
        }
    }
}

fn told(sources: &Sources, objects: &[certs::Object]) -> Vec<Object> {
    let (index, routes, now) = (sources.certificates.snapshot(), sources.routes.snapshot(), now());
    objects.iter().map(|object| Object::of(object, &index, &routes, now)).collect()
}

async fn list(call: Call) -> Result<Answer, Problem> {
    let objects = call.sources.intake.as_ref().map(|intake| intake.ledger().objects.clone()).unwrap_or_default();
    Ok(json(&told(&call.sources, &objects)))
}

async fn show(call: Call) -> Result<Answer, Problem> {
    let id = call.parameter("id");
    let objects = call.sources.intake.as_ref().map(|intake| intake.ledger().objects.clone()).unwrap_or_default();
    let found = objects.iter().find(|object| object.id == id).ok_or_else(|| problem(id, NotKept::Unknown))?;
    one(&call.sources, found).map(|object| json(&object))
}

async fn add(call: Call) -> Result<Answer, Problem> {
    let Brought { new, left_over } = brought::read(&call).await?;
    let id = new.id.clone().or_else(|| new.what.own_id()).unwrap_or_default();
    if let Some(scope) = Scope::of(&call.caller, &call.sources) {
        let mut sites: BTreeSet<String> = sites_of(&new.what).into_iter().collect();
        // A version of what others' sites show is theirs too.
        let ledger = call.sources.intake.as_ref().map(|intake| intake.ledger());
        let known = ledger.iter().flat_map(|ledger| ledger.objects.iter()).filter(|object| object.id == id);
        let versions = known.flat_map(|object| &object.versions);
        sites.extend(versions.flat_map(|version| version.sites.iter().cloned()));
        scope.demand_new(&sites)?;
    }
    let object = intake(&call)?.add_object(new).await.map_err(|why| problem(&id, why))?;
    let done = Note::of(format!("objects/{}", object.id), format!("version {}", object.current));
    let object = one(&call.sources, &object)?;
    Ok(done.on(json(&Kept { object, left_over: left_over.into_iter().map(FileFlaw::of).collect() })))
}

/// The sites that show it.
fn sites_of(what: &NewContent) -> Vec<String> {
    match what {
        NewContent::Proof { sites, .. } => sites.clone(),
        NewContent::Certificate(_) => Vec::new(),
    }
}

async fn roll_back(call: Call) -> Result<Answer, Problem> {
    let id = call.parameter("id").to_owned();
    let version = call.query.value("version").and_then(|version| version.parse().ok());
    let version = version.ok_or_else(|| {
        Problem::malformed("version: expected the number of the version to go back to")
            .because(Refusal::field("version", Expects::Usual))
    })?;
    let object = intake(&call)?.object_back_to(id.clone(), version).await.map_err(|why| problem(&id, why))?;
    let done = Note::of(format!("objects/{id}"), format!("version {version}"));
    Ok(done.on(json(&one(&call.sources, &object)?)))
}

async fn remove(call: Call) -> Result<Answer, Problem> {
    let id = call.parameter("id").to_owned();
    let object = intake(&call)?.remove_object(id.clone()).await.map_err(|why| problem(&id, why))?;
    one(&call.sources, &object).map(|object| json(&object))
}

fn one(sources: &Sources, object: &certs::Object) -> Result<Object, Problem> {
    let missing = || Problem::new(Kind::Internal, "the object could not be told").because(Refusal::HalfDone);
    told(sources, std::slice::from_ref(object)).pop().ok_or_else(missing)
}

fn intake(call: &Call) -> Result<&IntakeHandle, Problem> {
    let fixed = || {
        Problem::new(Kind::Conflict, "this edge serves a fixed set of certificates and takes in no other")
            .because(Refusal::Fixed)
    };
    call.sources.intake.as_ref().ok_or_else(fixed)
}

/// Why nothing has changed, and what to do.
fn problem(id: &str, why: NotKept) -> Problem {
    let conflict = |text: String| Problem::new(Kind::Conflict, text);
    match why {
        NotKept::NoSites => Problem::malformed("site: expected the name of at least one site that is to show it").because(Refusal::field("site", Expects::Usual)),
        NotKept::UnknownSite(site) => {
            conflict(format!("there is no site {site:?}; `vitrine sites list` shows those there are")).because(Refusal::NoSuch(Thing::Site, site))
        }
        NotKept::NoHost(site) => conflict(format!(
            "all hosts of the site {site:?} are wildcards, and it is shown at whole names only; add the host to the site"
        )).because(Refusal::OnlyWildcards(site)),
        NotKept::Taken { site, id } => conflict(format!(
            "the site {site:?} shows the object {id:?} already; bring this as a version of it, with the id {id:?}, or remove it"
        )).because(Refusal::ShowsAnother(site, id)),
        NotKept::BadId(id) => Problem::malformed(format!(
            "id: expected up to 200 letters without a slash and without a dot in front, found {id:?}"
        )).because(Refusal::field("id", Expects::Usual)),
        NotKept::Empty => Problem::new(Kind::Rejected, "the file is empty; fetch it again where it came from").because(Refusal::EmptyFile),
        NotKept::Secret => Problem::new(
            Kind::Rejected,
            "the file is a private key or a PKCS#12 file, and everybody would see it; choose the file to be shown",
        ).because(Refusal::SecretFile),
        NotKept::NoMerchant => {
            Problem::malformed("id: expected one, since the certificate's subject names no merchant").because(Refusal::NoMerchant)
        }
        NotKept::Over(end) => Problem::new(
            Kind::Rejected,
            format!("the certificate ended at {}; have the one hold that was issued in its place", timestamp(end)),
        ).because(Refusal::Ended),
        NotKept::ForRequest(request) => conflict(format!(
            "the certificate is for the request {request}, whose key is here; complete that with: vitrine csr complete {request} FILE"
        )).because(Refusal::ForRequest(request.into())),
        NotKept::OtherKind(kind) => {
            conflict(format!("the object {id:?} is of the type {}; choose another id, or remove it", kind.word())).because(Refusal::OtherKind(kind.word().to_owned()))
        }
        NotKept::TooMany => conflict("there are as many objects as there may be; remove some".into()).because(Refusal::Full(Thing::Object)),
        NotKept::Unknown => Problem::new(
            Kind::NotFound,
            format!("there is no object {id:?}; `vitrine objects list` shows those there are"),
        ).because(Refusal::NoSuch(Thing::Object, id.to_owned())),
        NotKept::Dropped(file) => conflict(format!(
            "it lies in the drop folder, which is yours alone: change or delete {} there",
            file.display()
        )).because(Refusal::Dropped(file.display().to_string())),
        NotKept::NoVersion(version) => conflict(format!(
            "the object {id:?} has no version {version} that is whole; `vitrine objects history` shows those there are"
        )).because(Refusal::NoVersion(version)),
        NotKept::Store(error) => unwritten(&error),
        NotKept::Stopping => conflict("the edge is stopping and takes nothing in any more".into()).because(Refusal::Stopping),
    }
}
