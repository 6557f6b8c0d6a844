//! Certificates that come through the interface, and the versions of all: uploads, history, going back, deleting.

use std::sync::Arc;

use serde::Serialize;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use super::certificates::{Certificate, Judge, fingerprint_in};
use super::realm::Realm;
use super::realm::Scope;
use super::recorded::Note;
use super::requests::refused;
use super::{Call, Operation, Resource, Takes, now, state, timestamp, unwritten};
use crate::admin::Sources;
use crate::admin::answers::Version;
use crate::admin::problem::{Answer, Kind, Problem, json};
use crate::certs::{self, Arrival, Flaw, IntakeHandle, NotDeleted, NotGoneBack, NotReceived, Received, Upload};
use crate::words::refusal::{Refusal, Thing};

/// `certificates`, as far as they are versions.
pub(super) static RESOURCE: Resource = Resource {
    operations: &[
        Operation::post("certificates", |call| Box::pin(upload(call)))
            .about(Realm::Sent)
            .asking(&["dry_run"])
            .taking(Takes::Form(&["file", "password"])),
        Operation::get("certificates/{fingerprint}/history", |call| Box::pin(history(call))).about(Realm::Certificate),
        Operation::post("certificates/{fingerprint}/rollback", |call| Box::pin(roll_back(call)))
            .about(Realm::Certificate),
        Operation::delete("certificates/{fingerprint}", |call| Box::pin(delete(call)))
            .about(Realm::Certificate)
            .asking(&["last_good"]),
    ],
    description: include_str!("versions.json"),
};

/// What an upload would bring, or brought.
#[derive(Serialize)]
struct Answered {
    dry_run: bool,
    certificates: Vec<Arrived>,
    completed: Vec<String>,
    left_over: Vec<FileFlaw>,
}

#[derive(Serialize)]
struct Arrived {
    id: String,
    certificate: Certificate,
    serves: Vec<String>,
}

/// What is wrong with a piece of what was sent, by its name.
#[derive(Serialize)]
pub(super) struct FileFlaw {
    file: String,
    code: &'static str,
    reason: String,
    mend: String,
    about: Vec<String>,
}

pub(super) async fn upload(call: Call) -> Result<Answer, Problem> {
    let (only_look, intake) = (switch(&call, "dry_run")?, intake(&call)?.clone());
    let form = call.form()?;
    let named = |(at, file): (usize, super::form::FormFile<'_>)| {
        let name = file.name.map_or_else(|| format!("file {}", at + 1), |name| name.escape_debug().to_string());
        (name, Zeroizing::new(file.content.to_vec()))
    };
    let pieces: Vec<_> = form.files("file").enumerate().map(named).collect();
    let password = form.text("password")?.map(|password| Zeroizing::new(password.to_owned()));
    let by = call.caller.name();
    if let Some(scope) = Scope::of(&call.caller, &call.sources) {
        let (pieces, password, by) = (pieces.clone(), password.clone(), by.clone());
        let upload = opened(move || Upload::read(&pieces, password, Some(by))).await?.map_err(rejected)?;
        for arrival in intake.receive(upload, true).await.map_err(not_received)?.certificates {
            let names: Vec<String> = arrival.certificate.names.iter().map(ToString::to_string).collect();
            scope.demand_new(&scope.touched(names.iter().map(String::as_str)))?;
        }
    }
    let upload = opened(move || Upload::read(&pieces, password, Some(by))).await?.map_err(rejected)?;
    let Received { certificates, completed, left_over } =
        intake.receive(upload, only_look).await.map_err(not_received)?;
    let fingerprints = certificates.iter().map(|arrival| arrival.certificate.facts.fingerprint.to_string());
    let requests = completed.iter().map(|request| format!("requests/{request}"));
    let brought = fingerprints.chain(requests).collect::<Vec<_>>().join(" ");
    let note = if only_look { Note::Nothing } else { Note::of("certificates", brought) };
    let completed = completed.into_iter().map(Into::into).collect();
    let certificates = told(&call.sources, certificates).await?;
    let left_over = left_over.into_iter().map(FileFlaw::of).collect();
    Ok(note.on(json(&Answered { dry_run: only_look, certificates, completed, left_over })))
}

/// Reads what may be encrypted. Opening that is work by design; one at a time, so that nobody can ask for more than one core of it.
pub(super) async fn opened<T: Send + 'static>(read: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    let turn = OPENING.acquire().await;
    let read = tokio::task::spawn_blocking(read).await.map_err(|error| {
        tracing::error!(%error, "an upload could not be read");
        Problem::new(Kind::Internal, "the files could not be read; see the log").because(Refusal::Failed)
    });
    drop(turn);
    read
}

/// What to say when nothing was taken in.
pub(super) fn not_received(why: NotReceived) -> Problem {
    match why {
        NotReceived::Flawed(flaws) => rejected(flaws),
        NotReceived::NotKept(error) => unwritten(&error),
        NotReceived::NotCompleted(error) => refused(error),
        NotReceived::Stopping => Problem::new(Kind::Conflict, "the edge is stopping and takes nothing in any more")
            .because(Refusal::Stopping),
    }
}

/// What is told of certificates that have come.
async fn told(sources: &Arc<Sources>, arrivals: Vec<Arrival>) -> Result<Vec<Arrived>, Problem> {
    let sources = Arc::clone(sources);
    let told = tokio::task::spawn_blocking(move || {
        let (index, routes) = (sources.certificates.snapshot(), sources.routes.snapshot());
        let certificates: Vec<_> = arrivals.iter().map(|arrival| &arrival.certificate).collect();
        let judge = Judge::new(&sources, &index, &routes, &certificates, now());
        let told = |arrival: &Arrival| Arrived {
            id: arrival.id.clone(),
            certificate: judge.told(&arrival.certificate),
            serves: arrival.serves.iter().map(ToString::to_string).collect(),
        };
        arrivals.iter().map(told).collect()
    });
    told.await.map_err(|error| {
        tracing::error!(%error, "what has come could not be told");
        Problem::new(Kind::Internal, "it has come, and what of it could not be told; see the log")
            .because(Refusal::HalfDone)
    })
}

fn version(version: certs::Version, now: i64) -> Version {
    Version {
        not_before: timestamp(version.not_before),
        not_after: timestamp(version.not_after),
        state: state(version.not_before, version.not_after, now).into(),
        id: version.id,
        version: version.version,
        fingerprint: version.fingerprint,
        names: version.names,
        key_type: version.key_type,
        source: version.source,
        added: timestamp(version.added),
        added_by: version.added_by,
        current: version.is_current,
        turned_down: version.turned_down,
        revoked: version.revoked.map(|revocation| revocation.reason),
    }
}

async fn history(call: Call) -> Result<Answer, Problem> {
    let fingerprint = fingerprint_in(&call)?;
    let versions = intake(&call)?.history(fingerprint.clone()).await.ok_or_else(|| unknown(&fingerprint))?;
    let now = now();
    Ok(json(&versions.into_iter().map(|one| version(one, now)).collect::<Vec<_>>()))
}

async fn roll_back(call: Call) -> Result<Answer, Problem> {
    let fingerprint = fingerprint_in(&call)?;
    let arrival = intake(&call)?.go_back_to(fingerprint.clone()).await.map_err(|why| match why {
        NotGoneBack::Unknown => unknown(&fingerprint),
        NotGoneBack::Untimely => Problem::new(
            Kind::Conflict,
            "the version is expired or not valid yet; what serves now stays, choose another version",
        )
        .because(Refusal::Untimely),
        NotGoneBack::Revoked => Problem::new(
            Kind::Conflict,
            "the version is revoked; what serves now stays, choose another version or order a new certificate",
        )
        .because(Refusal::Revoked),
        NotGoneBack::Damaged(what) => {
            Problem::new(Kind::Conflict, format!("the version cannot be served, restore it from a backup: {what}"))
                .because(Refusal::Damaged(what))
        }
        NotGoneBack::Store(error) => unwritten(&error),
    })?;
    let mut told = told(&call.sources, vec![arrival]).await?;
    told.pop().map(|arrived| json(&arrived)).ok_or_else(|| unknown(&fingerprint))
}

async fn delete(call: Call) -> Result<Answer, Problem> {
    let fingerprint = fingerprint_in(&call)?;
    let even_last_good = switch(&call, "last_good")?;
    intake(&call)?.delete(fingerprint.clone(), even_last_good).await.map_err(|why| match why {
        NotDeleted::Unknown => unknown(&fingerprint),
        NotDeleted::Dropped(files) => {
            let text = format!("it lies in the drop folder, which is yours alone: delete {} there", files.join(", "));
            Problem::new(Kind::Conflict, text).because(Refusal::Dropped(files.join(", ")))
        }
        NotDeleted::LastGood(names) => {
            let text = format!(
                "nothing valid would serve {} any more; bring another certificate first, or say that it is meant with \
                 last_good=true",
                names.join(", ")
            );
            Problem::new(Kind::Conflict, text).because(Refusal::LastGood(names.join(", ")))
        }
        NotDeleted::Store(error) => unwritten(&error),
    })?;
    Ok(json(&serde_json::json!({ "deleted": fingerprint })))
}

pub(super) fn intake(call: &Call) -> Result<&IntakeHandle, Problem> {
    let fixed = || {
        Problem::new(Kind::Conflict, "this edge serves a fixed set of certificates and takes in no other")
            .because(Refusal::Fixed)
    };
    call.sources.intake.as_ref().ok_or_else(fixed)
}

pub(super) fn switch(call: &Call, name: &str) -> Result<bool, Problem> {
    match call.query.value(name) {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(found) => Err(Problem::malformed(format!("{name}: expected true or false, found {found:?}"))
            .because(Refusal::NotOffered("true, false".into()))),
    }
}

pub(super) fn unknown(fingerprint: &str) -> Problem {
    Problem::new(Kind::NotFound, format!("no version of any certificate has the fingerprint {fingerprint:?}"))
        .because(Refusal::NoSuch(Thing::Certificate, fingerprint.to_owned()))
}

pub(super) fn rejected(flaws: Vec<(String, Flaw)>) -> Problem {
    let words: Vec<String> = flaws.iter().map(|(file, flaw)| format!("{file}: {flaw}")).collect();
    let flaws: Vec<FileFlaw> = flaws.into_iter().map(FileFlaw::of).collect();
    Problem::new(Kind::Rejected, words.join("\n")).listing(serde_json::to_value(flaws).unwrap_or_default())
}

/// Whoever has its permit opens what is encrypted.
static OPENING: Semaphore = Semaphore::const_new(1);

impl FileFlaw {
    pub(super) fn of((file, Flaw { code, reason, mend, about }): (String, Flaw)) -> Self {
        Self { file, code, reason: reason.into_owned(), mend: mend.into_owned(), about }
    }
}
