//! What sites show that is no certificate of a server.

use serde::Serialize;
use time::format_description::well_known::{Iso8601, Rfc3339};
use time::{Date, OffsetDateTime, Time};

use super::form::Form;
use super::recorded::Note;
use super::{Call, Operation, Resource, Takes, now, timestamp, unwritten};
use crate::admin::Sources;
use crate::admin::problem::{Answer, Kind, Problem, json};
use crate::certs::{self, End, IntakeHandle, NewObject, NotKept, ObjectKind, ObjectVersion};
use crate::live::{CertIndex, RouteTable};

/// `objects`
pub(super) static RESOURCE: Resource = Resource {
    operations: &[
        Operation::get("objects", |call| Box::pin(list(call))),
        Operation::post("objects", |call| Box::pin(add(call)))
            .taking(Takes::Form(&["file", "type", "site", "expires", "id"])),
        Operation::get("objects/{id}", |call| Box::pin(show(call))),
        Operation::delete("objects/{id}", |call| Box::pin(remove(call))),
        Operation::post("objects/{id}/rollback", |call| Box::pin(roll_back(call))).asking(&["version"]),
    ],
    description: include_str!("objects.json"),
};

/// An object as it holds now.
#[derive(Serialize)]
struct Object {
    id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    sites: Vec<String>,
    not_after: Option<String>,
    not_after_from: Option<&'static str>,
    state: &'static str,
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
}

impl Object {
    fn of(object: &certs::Object, index: &CertIndex, routes: &RouteTable, now: i64) -> Self {
        let version = object.version();
        let end = version.and_then(|version| End::of(version, index, routes));
        let told = |version: &ObjectVersion| Version {
            version: version.number,
            current: version.number == object.current,
            sites: version.sites.clone(),
            expires: version.expires.map(timestamp),
            added: timestamp(version.added),
            added_by: version.added_by.clone(),
            size: version.size,
            sha256: version.sha256.clone(),
        };
        Self {
            id: object.id.clone(),
            kind: object.kind.word(),
            sites: version.map(|version| version.sites.clone()).unwrap_or_default(),
            not_after: end.map(|end| timestamp(end.at)),
            not_after_from: end.map(|end| end.from.word()),
            state: match end {
                None => "unknown",
                Some(end) if end.at < now => "expired",
                Some(_) => "valid",
            },
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
    one(&call.sources, found)
}

async fn add(call: Call) -> Result<Answer, Problem> {
    let new = read(call.form()?, call.caller.name())?;
    let id = new.id.clone().or_else(|| new.sites.first().cloned()).unwrap_or_default();
    let object = intake(&call)?.add_object(new).await.map_err(|why| problem(&id, why))?;
    let done = Note::of(format!("objects/{}", object.id), format!("version {}", object.current));
    Ok(done.on(one(&call.sources, &object)?))
}

async fn roll_back(call: Call) -> Result<Answer, Problem> {
    let id = call.parameter("id").to_owned();
    let version = call.query.value("version").and_then(|version| version.parse().ok());
    let version =
        version.ok_or_else(|| Problem::malformed("version: expected the number of the version to go back to"))?;
    let object = intake(&call)?.object_back_to(id.clone(), version).await.map_err(|why| problem(&id, why))?;
    let done = Note::of(format!("objects/{id}"), format!("version {version}"));
    Ok(done.on(one(&call.sources, &object)?))
}

async fn remove(call: Call) -> Result<Answer, Problem> {
    let id = call.parameter("id").to_owned();
    let object = intake(&call)?.remove_object(id.clone()).await.map_err(|why| problem(&id, why))?;
    one(&call.sources, &object)
}

fn one(sources: &Sources, object: &certs::Object) -> Result<Answer, Problem> {
    let missing = || Problem::new(Kind::Internal, "the object could not be told");
    told(sources, std::slice::from_ref(object)).first().map(json).ok_or_else(missing)
}

/// Reads what is to be kept.
fn read(form: &Form, by: String) -> Result<NewObject, Problem> {
    let mut files = form.files("file");
    let (Some(file), None) = (files.next(), files.next()) else {
        return Err(Problem::malformed("expected one part file with what is to be shown"));
    };
    let kinds = || ObjectKind::ALL.iter().map(|kind| kind.word()).collect::<Vec<_>>().join(", ");
    let kind = form.text("type")?.and_then(ObjectKind::of);
    let kind = kind.ok_or_else(|| Problem::malformed(format!("type: expected one of {}", kinds())))?;
    let mut sites: Vec<String> = Vec::new();
    for part in form.files("site") {
        let text = std::str::from_utf8(part.content);
        let text = text.map_err(|_| Problem::malformed("the part site: expected UTF-8, found other octets"))?;
        // One in a part, or one on a line: a certificate of a payment service may be shown by thousands of shops.
        for name in text.lines().map(str::trim).filter(|name| !name.is_empty()) {
            if !sites.iter().any(|known| known == name) {
                sites.push(name.to_owned());
            }
        }
    }
    let expires = form.text("expires")?.map(|text| moment(text.trim())).transpose()?;
    let id = form.text("id")?.map(|id| id.trim().to_owned());
    Ok(NewObject { id, kind, content: file.content.to_vec(), sites, expires, by })
}

/// A moment to come, or the end of a day.
fn moment(text: &str) -> Result<i64, Problem> {
    let of_day = |day: Date| day.with_time(Time::MIDNIGHT).assume_utc().unix_timestamp() + LAST_SECOND;
    let day = Date::parse(text, &Iso8601::DATE).ok().filter(|_| text.len() == "2027-01-31".len()).map(of_day);
    let moment = day.or_else(|| OffsetDateTime::parse(text, &Rfc3339).ok().map(OffsetDateTime::unix_timestamp));
    let moment = moment.ok_or_else(|| {
        Problem::malformed("expires: expected a day such as 2027-01-31, or a time such as 2027-01-31T00:00:00Z")
    })?;
    if moment <= now() {
        return Err(Problem::malformed("expires: expected a time to come, found one that is over"));
    }
    Ok(moment)
}

fn intake(call: &Call) -> Result<&IntakeHandle, Problem> {
    let fixed = || Problem::new(Kind::Conflict, "this edge serves a fixed set of certificates and takes in no other");
    call.sources.intake.as_ref().ok_or_else(fixed)
}

/// Why nothing has changed, and what to do.
fn problem(id: &str, why: NotKept) -> Problem {
    let conflict = |text: String| Problem::new(Kind::Conflict, text);
    match why {
        NotKept::NoSites => Problem::malformed("site: expected the name of at least one site that is to show it"),
        NotKept::UnknownSite(site) => {
            conflict(format!("there is no site {site:?}; `vitrine sites list` shows those there are"))
        }
        NotKept::NoHost(site) => conflict(format!(
            "all hosts of the site {site:?} are wildcards, and it is shown at whole names only; add the host to the site"
        )),
        NotKept::Taken { site, id } => conflict(format!(
            "the site {site:?} shows the object {id:?} already; bring this as a version of it, with the id {id:?}, or remove it"
        )),
        NotKept::BadId(id) => Problem::malformed(format!(
            "id: expected up to 200 letters without a slash and without a dot in front, found {id:?}"
        )),
        NotKept::Empty => Problem::new(Kind::Rejected, "the file is empty; fetch it again where it came from"),
        NotKept::Secret => Problem::new(
            Kind::Rejected,
            "the file is a private key or a PKCS#12 file, and everybody would see it; choose the file to be shown",
        ),
        NotKept::TooMany => conflict("there are as many objects as there may be; remove some".into()),
        NotKept::Unknown => Problem::new(
            Kind::NotFound,
            format!("there is no object {id:?}; `vitrine objects list` shows those there are"),
        ),
        NotKept::NoVersion(version) => conflict(format!(
            "the object {id:?} has no version {version} that is whole; `vitrine objects history` shows those there are"
        )),
        NotKept::Store(error) => unwritten(&error),
        NotKept::Stopping => conflict("the edge is stopping and takes nothing in any more".into()),
    }
}

/// A day holds to its end.
const LAST_SECOND: i64 = 24 * 60 * 60 - 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_holds_to_its_end_and_what_is_over_is_refused() {
        assert_eq!(moment("2999-12-31"), Ok(32_503_679_999));
        assert_eq!(moment("2999-12-31T00:00:00Z"), Ok(32_503_593_600));
        for (text, words) in
            [("2001-01-01", "is over"), ("next year", "expected a day"), ("29991231", "expected a day")]
        {
            let problem = moment(text).expect_err(text);
            assert!(problem.detail().contains(words), "{text}: {problem:?}");
        }
    }
}
