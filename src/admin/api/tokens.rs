//! Tokens for programs that are not on the edge's machine.

use serde::{Deserialize, Serialize};

use super::realm::Realm;
use super::recorded::Note;
use super::users::check_organisations;
use super::{Call, Operation, Resource, Takes, aside, end, now, timestamp, unwritten};
use crate::admin::problem::{Answer, Kind, Problem, created, json};
use crate::admin::rights::{Right, Role};
use crate::admin::tokens::{NotMade, Record};
use crate::words::refusal::{Refusal, Thing};

/// `tokens`
pub(super) static RESOURCE: Resource = Resource {
    operations: &[
        Operation::get("tokens", |call| Box::pin(aside(call, |call| Ok(json(&list(call))))))
            .about(Realm::Edge)
            .with_right(Right::Own),
        Operation::post("tokens", |call| Box::pin(aside(call, make)))
            .about(Realm::Edge)
            .taking(Takes::Json)
            .with_right(Right::Own)
            .even_frozen(),
        Operation::get("tokens/{id}", |call| Box::pin(aside(call, one))).about(Realm::Hidden).with_right(Right::Own),
        Operation::delete("tokens/{id}", |call| Box::pin(aside(call, revoke)))
            .about(Realm::Hidden)
            .with_right(Right::Own)
            .even_frozen(),
    ],
    description: include_str!("tokens.json"),
};

/// One token, without itself.
#[derive(Serialize)]
struct Entry {
    id: String,
    name: String,
    role: Role,
    organisations: Vec<String>,
    state: &'static str,
    created: String,
    expires: Option<String>,
    last_used: Option<String>,
}

impl Entry {
    fn of(record: Record, last_used: Option<i64>) -> Self {
        Self {
            state: if record.has_expired(now()) { "expired" } else { "valid" },
            created: timestamp(record.created),
            expires: record.expires.map(timestamp),
            last_used: last_used.map(timestamp),
            id: record.id,
            name: record.name,
            role: record.role,
            organisations: record.organisations,
        }
    }
}

/// A token on the day it is made.
#[derive(Serialize)]
struct Made<'a> {
    #[serde(flatten)]
    entry: Entry,
    token: &'a str,
}

fn list(call: &Call) -> Vec<Entry> {
    call.sources.tokens.list().into_iter().map(|(record, last_used)| Entry::of(record, last_used)).collect()
}

fn one(call: &Call) -> Result<Answer, Problem> {
    let id = call.parameter("id");
    let found = call.sources.tokens.list().into_iter().find(|(record, _)| record.id == id);
    found.map(|(record, last_used)| json(&Entry::of(record, last_used))).ok_or_else(|| unknown(id))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    name: String,
    role: Role,
    expires: Option<String>,
    #[serde(default)]
    organisations: Vec<String>,
}

fn make(call: &Call) -> Result<Answer, Problem> {
    let Order { name, role, expires, organisations } = call.json()?;
    if !(1..=LONGEST_NAME).contains(&name.chars().count()) || name.contains(char::is_control) {
        return Err(Problem::malformed(format!("name: expected 1 to {LONGEST_NAME} letters on one line")));
    }
    if role == Role::Export && !organisations.is_empty() {
        return Err(Problem::malformed("organisations: expected none with the role export, which is for the edge"));
    }
    check_organisations(call, organisations.iter())?;
    let now = now();
    let expires = end(expires.as_deref(), now)?;
    let (record, token) =
        call.sources.tokens.make(&name, role, organisations, now, expires).map_err(|error| match error {
            NotMade::NameTaken => {
                let text = format!("there is a token of the name {name:?}; revoke it, or choose another name");
                Problem::new(Kind::Conflict, text).because(Refusal::NameTaken(Thing::Token))
            }
            NotMade::TooMany => Problem::new(Kind::Conflict, "there are as many tokens as there may be; revoke some")
                .because(Refusal::Full(Thing::Token)),
            NotMade::NoRandomness => {
                Problem::new(Kind::Internal, "the system gives no random numbers").because(Refusal::NoRandomness)
            }
            NotMade::Unwritten(error) => unwritten(&error),
        })?;
    let done = Note::of(format!("tokens/{}", record.id), format!("{name:?}, role {}", role.word()));
    Ok(done.on(created(&Made { entry: Entry::of(record, None), token: &token })))
}

fn revoke(call: &Call) -> Result<Answer, Problem> {
    let id = call.parameter("id");
    let revoked = call.sources.tokens.revoke(id).map_err(|error| unwritten(&error))?;
    let revoked = revoked.ok_or_else(|| unknown(id))?;
    let done = Note::of(format!("tokens/{id}"), format!("{:?}, role {}", revoked.name, revoked.role.word()));
    Ok(done.on(json(&Entry::of(revoked, None))))
}

fn unknown(id: &str) -> Problem {
    Problem::new(Kind::NotFound, format!("there is no token {id:?}; `vitrine token list` shows those there are"))
        .because(Refusal::NoSuch(Thing::Token, id.to_owned()))
}

const LONGEST_NAME: usize = 64;
