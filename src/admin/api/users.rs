//! The users: who may sign in, and what each may do.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::export::secret;
use super::realm::Realm;
use super::recorded::Note;
use super::{Call, Operation, Resource, Takes, timestamp, unwritten};
use crate::admin::people::{Grants, NotChanged, People, User, UserName, UserRole, password_flaw};
use crate::admin::problem::{Answer, Kind, Problem, created, json};
use crate::admin::rights::{Right, Way};
use crate::words::refusal::{Expects, Refusal, Thing};

/// `users`
pub(super) static RESOURCE: Resource = Resource {
    operations: &[
        Operation::get("users", |call| Box::pin(async move { Ok(list(&call)) }))
            .about(Realm::Edge)
            .with_right(Right::Own),
        Operation::post("users", |call| Box::pin(add(call)))
            .about(Realm::Edge)
            .taking(Takes::Json)
            .with_right(Right::Own)
            .even_frozen(),
        Operation::get("users/{id}", |call| Box::pin(async move { one(&call) }))
            .about(Realm::Hidden)
            .with_right(Right::Own),
        Operation::patch("users/{id}", |call| Box::pin(change(call)))
            .about(Realm::Hidden)
            .taking(Takes::Json)
            .with_right(Right::Own)
            .even_frozen(),
        Operation::delete("users/{id}", |call| Box::pin(remove(call)))
            .about(Realm::Hidden)
            .with_right(Right::Own)
            .even_frozen(),
        Operation::post("users/{id}/reset", |call| Box::pin(reset(call)))
            .about(Realm::Hidden)
            .with_right(Right::Own)
            .even_frozen(),
        Operation::delete("users/{id}/sessions", |call| Box::pin(super::aside(call, sign_out)))
            .about(Realm::Hidden)
            .with_right(Right::Own)
            .even_frozen(),
    ],
    description: include_str!("users.json"),
};

/// One user, without what he signs in by.
#[derive(Serialize)]
pub(super) struct Entry {
    id: String,
    name: String,
    role: Option<UserRole>,
    organisations: BTreeMap<String, UserRole>,
    created: String,
    must_choose_password: bool,
    second_factor: bool,
}

impl Entry {
    pub(super) fn of(people: &People, user: &User) -> Self {
        Self {
            id: user.id.clone(),
            name: user.name.to_string(),
            role: user.grants.role,
            organisations: user.grants.organisations.clone(),
            created: timestamp(user.created),
            must_choose_password: user.one_time_until.is_some(),
            second_factor: people.has_factor(&user.id),
        }
    }
}

/// A user and the password that he begins with, on the day it is made.
#[derive(Serialize)]
struct Made<'a> {
    #[serde(flatten)]
    entry: Entry,
    one_time_password: Option<&'a str>,
}

fn list(call: &Call) -> Answer {
    json(&call.sources.people.users().iter().map(|user| Entry::of(&call.sources.people, user)).collect::<Vec<_>>())
}

fn one(call: &Call) -> Result<Answer, Problem> {
    let id = call.parameter("id");
    call.sources.people.user(id).map(|user| json(&Entry::of(&call.sources.people, &user))).ok_or_else(|| unknown(id))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    name: String,
    role: Option<UserRole>,
    #[serde(default)]
    organisations: BTreeMap<String, UserRole>,
    #[serde(default, deserialize_with = "secret")]
    password: Option<Zeroizing<String>>,
}

async fn add(call: Call) -> Result<Answer, Problem> {
    let Order { name, role, organisations, password } = call.json()?;
    let grants = grants(&call, role, organisations)?;
    let name = name_in(&name)?;
    if let Some(flaw) = password.as_ref().and_then(|password| password_flaw(password, name.as_str())) {
        return Err(Problem::malformed(format!("password: {flaw}")).because(Refusal::field("password", flaw.wanted())));
    }
    let added = call.sources.people.add(name.clone(), grants, password).await;
    let (user, one_time) = added.map_err(|why| not_changed(why, name.as_str()))?;
    let note = Note::of(format!("users/{}", user.id), format!("{:?}, {}", user.name.as_str(), user.grants.words()));
    let one_time_password = one_time.as_ref().map(|password| password.as_str());
    Ok(note.on(created(&Made { entry: Entry::of(&call.sources.people, &user), one_time_password })))
}

/// A name that somebody typed.
pub(super) fn name_in(text: &str) -> Result<UserName, Problem> {
    UserName::parse(text).ok_or_else(|| {
        Problem::malformed("name: expected 1 to 64 letters, digits, dots, hyphens, underscores, plus and at signs")
            .because(Refusal::field("name", Expects::Usual))
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    role: Option<UserRole>,
    #[serde(default)]
    organisations: BTreeMap<String, UserRole>,
}

/// What somebody is to be allowed.
fn grants(call: &Call, role: Option<UserRole>, organisations: BTreeMap<String, UserRole>) -> Result<Grants, Problem> {
    let grants = Grants { role, organisations };
    check_organisations(call, grants.organisations.keys())?;
    match grants.flaw() {
        Some(flaw) => Err(Problem::malformed(flaw).because(Refusal::field("role", Expects::Usual))),
        None => Ok(grants),
    }
}

/// An id that no organisation has is most often a slip.
pub(super) fn check_organisations<'a>(call: &Call, mut ids: impl Iterator<Item = &'a String>) -> Result<(), Problem> {
    match ids.find(|id| call.sources.people.organisation(id).is_none()) {
        None => Ok(()),
        Some(id) => Err(no_organisation(id)),
    }
}

pub(super) fn no_organisation(id: &str) -> Problem {
    let text = format!("organisations: expected ids as GET /api/v1/organisations lists them, found {id:?}");
    Problem::malformed(text).because(Refusal::field("organisations", Expects::Usual))
}

async fn change(call: Call) -> Result<Answer, Problem> {
    let (Change { role, organisations }, id) = (call.json()?, call.parameter("id"));
    let grants = grants(&call, role, organisations)?;
    let changed = call.sources.people.set_grants(id, grants).await;
    let (before, after) = changed.map_err(|why| not_changed(why, id))?;
    let detail = format!("{:?}, {}, was {}", after.name.as_str(), after.grants.words(), before.grants.words());
    Ok(Note::of(format!("users/{id}"), detail).on(json(&Entry::of(&call.sources.people, &after))))
}

async fn remove(call: Call) -> Result<Answer, Problem> {
    let id = call.parameter("id");
    // Whoever is at the socket has another way back in.
    let may_be_last = matches!(call.caller.way, Way::Socket(_));
    let removed = call.sources.people.remove(id, may_be_last).await.map_err(|why| not_changed(why, id))?;
    Ok(Note::of(format!("users/{id}"), format!("{:?}", removed.name.as_str()))
        .on(json(&Entry::of(&call.sources.people, &removed))))
}

async fn reset(call: Call) -> Result<Answer, Problem> {
    let id = call.parameter("id");
    let (user, one_time) = call.sources.people.reset(id).await.map_err(|why| not_changed(why, id))?;
    let made = Made { entry: Entry::of(&call.sources.people, &user), one_time_password: Some(&one_time) };
    Ok(Note::of(format!("users/{id}"), format!("a password for one time for {:?}", user.name.as_str())).on(json(&made)))
}

fn sign_out(call: &Call) -> Result<Answer, Problem> {
    let id = call.parameter("id");
    let user = call.sources.people.user(id).ok_or_else(|| unknown(id))?;
    let ended = call.sources.people.sign_out_everywhere(id);
    let note = Note::of(format!("users/{id}/sessions"), format!("{:?}, sessions ended: {ended}", user.name.as_str()));
    Ok(note.on(json(&serde_json::json!({ "ended": ended }))))
}

/// Why a user is not as somebody wants him; `who` is his id, or the name of one who is new.
pub(super) fn not_changed(why: NotChanged, who: &str) -> Problem {
    let conflict = |text: String| Problem::new(Kind::Conflict, text);
    match why {
        NotChanged::Unknown => unknown(who),
        NotChanged::NameTaken => conflict(format!("there is a user of the name {who:?}; choose another name"))
            .because(Refusal::NameTaken(Thing::User)),
        NotChanged::TooMany => {
            conflict("there are as many users as there may be; remove some".into()).because(Refusal::Full(Thing::User))
        }
        NotChanged::LastAdmin => conflict(
            "nobody else has the role admin; give it to another first, or nobody could say who may do what".into(),
        )
        .because(Refusal::LastAdmin),
        NotChanged::NoRandomness => {
            Problem::new(Kind::Internal, "the password could not be kept; see the log").because(Refusal::Failed)
        }
        NotChanged::Unwritten(error) => unwritten(&error),
    }
}

fn unknown(id: &str) -> Problem {
    Problem::new(Kind::NotFound, format!("there is no user {id:?}; `vitrine user list` shows those there are"))
        .because(Refusal::NoSuch(Thing::User, id.to_owned()))
}
