//! What a customer does by a one-time link: see what it is for, and hand one certificate in. Whoever has the link is nobody besides.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use http::header::{self, HeaderValue};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeroize::Zeroizing;

use super::export::required_secret;
use super::links::{bring, not_done, not_linked};
use super::realm::{Realm, touched};
use super::recorded::Note;
use super::versions::switch;
use super::{Call, Operation, Resource, Takes, now, timestamp};
use crate::admin::links::{Fate, Found, Link, Links, NotLinked, Parcel};
use crate::admin::problem::{Answer, Kind, Problem, json};
use crate::admin::rights::{Proof, Right, Way};
use crate::words::refusal::Refusal;

/// `hand-in`
pub(super) static RESOURCE: Resource = Resource {
    operations: &[
        Operation::post("hand-in", |call| Box::pin(hand_in(call)))
            .about(Realm::Open)
            .asking(&["dry_run"])
            .taking(Takes::Form(&["link", "file", "password"]))
            .with_right(Right::Anyone),
        Operation::post("hand-in/open", |call| Box::pin(open(call)))
            .about(Realm::Open)
            .taking(Takes::Json)
            .with_right(Right::Anyone)
            .even_frozen(),
    ],
    description: include_str!("hand_in.json"),
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    #[serde(deserialize_with = "required_secret")]
    link: Zeroizing<String>,
}

/// What whoever has a link is told: nothing of sites but those that it names.
#[derive(Serialize)]
struct Shown {
    hosts: Vec<String>,
    request: Option<String>,
    goes_live: bool,
    expires: String,
}

async fn open(call: Call) -> Result<Answer, Problem> {
    let Order { link } = call.json()?;
    let link = known(&call, &link)?;
    Links::check(&link, now()).map_err(|why| over(why).unrecorded())?;
    let (links, id) = (call.sources.links.clone(), link.id.clone());
    let opened = tokio::task::spawn_blocking(move || links.open_up(&id, now())).await;
    let is_first = opened.map_err(|_| not_done())?.map_err(not_linked)?;
    let routes = call.sources.routes.snapshot();
    let named = routes.sites().iter().filter(|site| link.sites.iter().any(|name| **name == *site.name));
    let shown = Shown {
        hosts: named.flat_map(|site| &site.hosts).map(ToString::to_string).collect(),
        request: link.request.clone(),
        goes_live: link.goes_live,
        expires: timestamp(link.expires),
    };
    // Once is enough: there is no end to how often a page can be looked at.
    let note = if is_first { Note::of(object(&link), "opened").by(who(&link)) } else { Note::Nothing };
    Ok(note.on(json(&shown)))
}

/// What was handed in, and what became of it.
#[derive(Serialize)]
struct HandedIn {
    dry_run: bool,
    state: &'static str,
    certificate: Value,
}

async fn hand_in(mut call: Call) -> Result<Answer, Problem> {
    let only_look = switch(&call, "dry_run")?;
    let form = call.form()?;
    let secret = Zeroizing::new(form.text("link")?.unwrap_or_default().to_owned());
    let named = |(at, file): (usize, super::form::FormFile<'_>)| {
        let name = file.name.map_or_else(|| format!("file {}", at + 1), |name| name.escape_debug().to_string());
        (name, Zeroizing::new(file.content.to_vec()))
    };
    let pieces = form.files("file").enumerate().map(named).collect();
    let password = form.text("password")?.filter(|password| !password.is_empty());
    let parcel = Parcel { pieces, password: password.map(|password| Zeroizing::new(password.to_owned())) };
    let link = known(&call, &secret)?;
    let links = call.sources.links.clone();
    let told = |problem: Problem| problem.by(who(&link));
    // One at a time: of two at the same moment the second finds the link used up.
    let _turn = links.take_turn(&link.id).map_err(|why| told(over(why)))?;
    let link = known(&call, &secret)?;
    Links::check(&link, now()).map_err(|why| told(over(why)))?;
    call.caller.proof = Proof::Link(who(&link));
    let certificate = match judged(&call, &link, &parcel).await {
        Ok(certificate) => certificate,
        Err(problem) if matches!(problem.kind(), Kind::Rejected | Kind::Malformed | Kind::Conflict) => {
            let (links, id) = (links.clone(), link.id.clone());
            // What cannot be counted cannot be guessed at for ever either: each costs the work of its own disk.
            let _ = tokio::task::spawn_blocking(move || links.count_wrong(&id)).await;
            return Err(told(problem));
        }
        Err(problem) => return Err(problem),
    };
    let answer = |state, certificate| json(&HandedIn { dry_run: only_look, state, certificate });
    if only_look {
        return Ok(Note::Nothing.on(answer(Fate::Open.word(), certificate)));
    }
    let found = found(&certificate, &link);
    let used = used_up(&links, &link, found, parcel, &call).await.map_err(told)?;
    let note = Note::of(object(&link), used.words()).by(who(&link));
    Ok(note.on(answer(used.fate.word(), certificate)))
}

/// Uses the link up first, so that a kill leaves nobody a second go; and gives it back when nothing came of it.
async fn used_up(links: &Links, link: &Link, found: Found, parcel: Parcel, call: &Call) -> Result<Link, Problem> {
    let (parcel, waits) = (Arc::new(parcel), !link.goes_live);
    let (keeper, id, kept) = (links.clone(), link.id.clone(), Arc::clone(&parcel));
    let use_up = move || keeper.use_up(&id, found, waits.then_some(&*kept), now());
    let used = tokio::task::spawn_blocking(use_up).await.map_err(|_| not_done())?.map_err(over)?;
    if waits {
        return Ok(used);
    }
    match bring(call, link, &parcel, false).await {
        Ok(_) => Ok(used),
        Err(problem) => {
            let (keeper, id) = (links.clone(), link.id.clone());
            let _ = tokio::task::spawn_blocking(move || keeper.give_back(&id)).await;
            Err(problem)
        }
    }
}

/// What is wanted of it, besides what is wanted of every certificate: that it is one, for the sites that the link names and no others.
async fn judged(call: &Call, link: &Link, parcel: &Parcel) -> Result<Value, Problem> {
    let seen = bring(call, link, parcel, true).await?;
    let list = |name: &str| seen[name].as_array().cloned().unwrap_or_default();
    let (certificates, completed) = (list("certificates"), list("completed"));
    let rejected = |text: String| Problem::new(Kind::Rejected, text);
    let answers_it = completed.iter().all(|request| request.as_str() == link.request.as_deref());
    let [arrived] = &certificates[..] else {
        return match (&certificates[..], &completed[..]) {
            ([], [_]) if answers_it => Ok(Value::Null),
            _ => Err(rejected(
                "expected one certificate, found none or several; hand in the one that was asked for".into(),
            )
            .because(Refusal::OneCertificate)),
        };
    };
    let certificate = arrived["certificate"].clone();
    let names = certificate["names"].as_array().cloned().unwrap_or_default();
    let names: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
    let sites = touched(&call.sources.routes.snapshot(), names.iter().copied());
    let wanted: BTreeSet<String> = link.sites.iter().cloned().collect();
    if sites.is_empty() || !sites.is_subset(&wanted) || !completed.is_empty() {
        // Whose the others are is nobody's business who has the link.
        return Err(rejected(format!(
            "the certificate is for {}: expected one for what this link is for, and for nothing else that is served here",
            names.join(" ")
        )).because(Refusal::OfAnother(names.join(" "))));
    }
    Ok(certificate)
}

fn found(certificate: &Value, link: &Link) -> Found {
    let text = |name: &str| certificate[name].as_str().unwrap_or_default().to_owned();
    let names = certificate["names"].as_array().cloned().unwrap_or_default();
    Found {
        fingerprint: text("fingerprint"),
        subject: if certificate.is_null() { link.request.clone().unwrap_or_default() } else { text("subject") },
        issuer: text("issuer"),
        names: names.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        not_after: text("not_after"),
    }
}

fn known(call: &Call, secret: &str) -> Result<Link, Problem> {
    let peer = match call.caller.way {
        Way::Network { peer, .. } => peer,
        Way::Socket(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
    };
    // There is no end to those who guess.
    call.sources.links.by_secret(secret, peer).map_err(|why| over(why).unrecorded())
}

/// Why nothing can be handed in, for whoever has the link.
fn over(why: NotLinked) -> Problem {
    match why {
        NotLinked::Unknown => {
            Problem::new(Kind::NotFound, "there is no such link; ask for another where you got it from")
        }
        NotLinked::Over => {
            Problem::new(Kind::Conflict, "expired: the link's time is over; ask for another where you got it from")
                .because(Refusal::LinkOver)
        }
        NotLinked::Not(Fate::Revoked | Fate::Spoiled) => {
            Problem::new(Kind::Conflict, "revoked: the link holds no longer; ask for another where you got it from")
                .because(Refusal::LinkSpent)
        }
        NotLinked::Not(_) => Problem::new(Kind::Conflict, "used: something was handed in by this link already")
            .because(Refusal::LinkSpent),
        why => not_linked(why),
    }
}

pub(super) fn too_many(wait: Duration) -> Problem {
    let seconds = wait.as_secs() + 1;
    let text = format!("too many links that there are not came from this address; wait {seconds} s");
    let problem = Problem::new(Kind::TooMany, text).unrecorded();
    problem.with(header::RETRY_AFTER, Some(HeaderValue::from(seconds)))
}

fn object(link: &Link) -> String {
    format!("links/{}", link.id)
}

fn who(link: &Link) -> String {
    format!("one-time link {:?} ({})", link.note, link.id)
}
