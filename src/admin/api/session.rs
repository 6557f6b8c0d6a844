//! Signing in and out, and what somebody who has signed in does about himself.

use std::time::Duration;

use http::StatusCode;
use http::header::{self, HeaderValue};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::export::{required_secret, secret};
use super::realm::Realm;
use super::recorded::Note;
use super::second_factor::not_factored;
use super::users::Entry;
use super::{Call, Operation, Resource, Takes, aside, timestamp};
use crate::admin::Sources;
use crate::admin::people::{Attempt, CsrfToken, NotBegun, NotLetIn, NotReplaced, Session, SignedIn, cookie};
use crate::admin::problem::{Answer, Kind, Problem, created, json};
use crate::admin::rights::{Person, Proof, Right, Way};
use crate::words::refusal::{Expects, Refusal, Thing};

/// `session`, `session/password` and `sessions`
pub(super) static RESOURCE: Resource = Resource {
    operations: &[
        Operation::post("session", |call| Box::pin(begin(call)))
            .about(Realm::Open)
            .taking(Takes::Json)
            .with_right(Right::Anyone)
            .even_frozen(),
        Operation::get("session", |call| Box::pin(async move { show(&call) }))
            .about(Realm::Open)
            .with_right(Right::Account),
        Operation::delete("session", |call| Box::pin(aside(call, end)))
            .about(Realm::Open)
            .with_right(Right::Account)
            .even_frozen(),
        Operation::post("session/password", |call| Box::pin(replace_password(call)))
            .about(Realm::Open)
            .taking(Takes::Json)
            .with_right(Right::Account)
            .even_frozen(),
        Operation::get("sessions", |call| Box::pin(async move { list(&call) }))
            .about(Realm::Open)
            .with_right(Right::Account),
        Operation::delete("sessions", |call| Box::pin(aside(call, end_all)))
            .about(Realm::Open)
            .with_right(Right::Account)
            .even_frozen(),
        Operation::delete("sessions/{id}", |call| Box::pin(aside(call, end_one)))
            .about(Realm::Open)
            .with_right(Right::Account)
            .even_frozen(),
    ],
    description: include_str!("session.json"),
};

/// Somebody who has signed in.
#[derive(Serialize)]
struct Shown<'a> {
    user: Entry,
    session: SessionEntry,
    csrf: &'a str,
}

/// A session, without its secret.
#[derive(Serialize)]
struct SessionEntry {
    id: String,
    created: String,
    last_seen: String,
    ends: String,
    address: String,
    agent: String,
    is_this: bool,
}

impl SessionEntry {
    fn of(sources: &Sources, session: &Session, this: &str) -> Self {
        Self {
            created: timestamp(session.created),
            last_seen: timestamp(session.last_seen),
            ends: timestamp(sources.people.end_of(session)),
            address: session.address.clone(),
            agent: session.agent.clone(),
            is_this: session.id == this,
            id: session.id.clone(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    user: String,
    #[serde(deserialize_with = "required_secret")]
    password: Zeroizing<String>,
    #[serde(default, deserialize_with = "secret")]
    code: Option<Zeroizing<String>>,
}

async fn begin(call: Call) -> Result<Answer, Problem> {
    let Order { user: name, password, code } = call.json()?;
    let (Proof::Nothing(_) | Proof::Session(_), Way::Network { peer, .. }) = (&call.caller.proof, call.caller.way)
    else {
        return Err(Problem::new(Kind::Conflict, "nobody signs in through admin.sock or with a token; just ask")
            .because(Refusal::NoSignIn));
    };
    let agent = call.caller.agent.clone();
    let signed_in =
        call.sources.people.sign_in(Attempt { name, password, code, peer, agent }).await.map_err(not_let_in)?;
    // Whoever was signed in here before is out.
    if let Some(Person { user, session, .. }) = call.caller.person() {
        let (people, user, session) = (call.sources.people.clone(), user.id.clone(), session.id.clone());
        let _ = tokio::task::spawn_blocking(move || people.sign_out(&user, &session)).await;
    }
    let note = Note::of(format!("sessions/{}", signed_in.session.id), String::new()).by(signed_in.user.words());
    Ok(note.on(shown(&call, &signed_in, StatusCode::CREATED)))
}

/// The answer that brings the cookie.
pub(super) fn shown(call: &Call, signed_in: &SignedIn, status: StatusCode) -> Answer {
    let sources = &call.sources;
    let SignedIn { user, session, secret } = signed_in;
    let csrf = CsrfToken::of(secret);
    let shown = Shown {
        user: Entry::of(&sources.people, user),
        session: SessionEntry::of(sources, session, &session.id),
        csrf: csrf.as_str(),
    };
    let mut answer = if status == StatusCode::CREATED { created(&shown) } else { json(&shown) };
    set_cookie(&mut answer, cookie::carrying(secret, call.caller.is_encrypted()));
    answer
}

fn set_cookie(answer: &mut Answer, cookie: Option<HeaderValue>) {
    if let Some(cookie) = cookie {
        answer.headers_mut().insert(header::SET_COOKIE, cookie);
    }
}

fn not_let_in(why: NotLetIn) -> Problem {
    match why {
        NotLetIn::Wrong(user) => {
            let user = user.map(|user| user.to_string());
            let known = user.as_ref().map_or("a user that there is not".into(), |user| format!("user {user:?}"));
            Problem::unauthorized("the user's name or the password is wrong")
                .recorded_as(format!("wrong password for {known}"), Refusal::WrongPassword(user))
        }
        NotLetIn::Over(user) => Problem::unauthorized(
            "the password was for one time, and its day is over; have another made, with `vitrine user reset`",
        )
        .recorded_as(
            format!("the password for one time of user {:?} is over", user.as_str()),
            Refusal::PasswordOver(user.to_string()),
        ),
        NotLetIn::CodeNeeded(user) => Problem::unauthorized(
            "code: the password is right, and a code of the second factor is needed; or one of the recovery codes",
        )
        .because(Refusal::CodeNeeded)
        .recorded_as(
            format!("no code of the second factor of user {:?}", user.as_str()),
            Refusal::NoCodeOf(user.to_string()),
        ),
        NotLetIn::WrongCode(user) => {
            Problem::unauthorized("code: expected the one that is shown now and has not been used, found another")
                .because(Refusal::WrongCode)
                .recorded_as(
                    format!("wrong code of the second factor of user {:?}", user.as_str()),
                    Refusal::WrongCodeOf(user.to_string()),
                )
        }
        NotLetIn::NotFactored(why) => not_factored(why),
        NotLetIn::TooMany(wait) => too_many(wait),
        NotLetIn::NotBegun(why) => not_begun(why),
        NotLetIn::Broken => {
            Problem::new(Kind::Internal, "the password could not be looked at; see the log").because(Refusal::Failed)
        }
    }
}

pub(super) fn too_many(wait: Duration) -> Problem {
    let seconds = wait.as_secs() + 1;
    let text = format!(
        "too many wrong passwords came from this address, or for this user; wait {seconds} s, or ask through admin.sock"
    );
    let problem = Problem::new(Kind::TooMany, text).unrecorded();
    problem.with(header::RETRY_AFTER, Some(HeaderValue::from(seconds)))
}

pub(super) fn not_begun(why: NotBegun) -> Problem {
    match why {
        NotBegun::NoRandomness => {
            Problem::new(Kind::Internal, "the system gives no random numbers").because(Refusal::NoRandomness)
        }
        NotBegun::Unwritten(error) => super::unwritten(&error),
    }
}

pub(super) fn person(call: &Call) -> Result<&Person, Problem> {
    call.caller
        .person()
        .ok_or_else(|| Problem::new(Kind::NotAllowed, Right::Account.terms()).because(Right::Account.refusal()))
}

fn show(call: &Call) -> Result<Answer, Problem> {
    let Person { user, session, csrf } = person(call)?;
    let session = SessionEntry::of(&call.sources, session, &session.id);
    Ok(json(&Shown { user: Entry::of(&call.sources.people, user), session, csrf: csrf.as_str() }))
}

fn end(call: &Call) -> Result<Answer, Problem> {
    let Person { user, session, .. } = person(call)?;
    call.sources.people.sign_out(&user.id, &session.id);
    Ok(ended(call, &format!("sessions/{}", session.id), 1))
}

fn end_all(call: &Call) -> Result<Answer, Problem> {
    let Person { user, .. } = person(call)?;
    Ok(ended(call, "sessions", call.sources.people.sign_out_everywhere(&user.id)))
}

fn ended(call: &Call, object: &str, number: usize) -> Answer {
    let mut answer = json(&serde_json::json!({ "ended": number }));
    set_cookie(&mut answer, cookie::gone(call.caller.is_encrypted()));
    Note::of(object, format!("sessions ended: {number}")).on(answer)
}

fn list(call: &Call) -> Result<Answer, Problem> {
    let Person { user, session, .. } = person(call)?;
    let own = call.sources.people.sessions_of(&user.id);
    Ok(json(&own.iter().map(|one| SessionEntry::of(&call.sources, one, &session.id)).collect::<Vec<_>>()))
}

fn end_one(call: &Call) -> Result<Answer, Problem> {
    let (Person { user, session, .. }, id) = (person(call)?, call.parameter("id"));
    if !call.sources.people.sign_out(&user.id, id) {
        return Err(Problem::new(
            Kind::NotFound,
            format!("you have no session {id:?}; GET /api/v1/sessions lists yours"),
        )
        .because(Refusal::NoSuch(Thing::Session, id.to_owned())));
    }
    let mut answer = json(&serde_json::json!({ "ended": 1 }));
    if session.id == id {
        set_cookie(&mut answer, cookie::gone(call.caller.is_encrypted()));
    }
    Ok(Note::of(format!("sessions/{id}"), "sessions ended: 1").on(answer))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewPassword {
    #[serde(deserialize_with = "required_secret")]
    current: Zeroizing<String>,
    #[serde(deserialize_with = "required_secret")]
    new: Zeroizing<String>,
}

async fn replace_password(call: Call) -> Result<Answer, Problem> {
    let NewPassword { current, new } = call.json()?;
    let Person { user, session, .. } = person(&call)?;
    let replaced = call.sources.people.replace_password(user, session, current, new).await;
    let signed_in = replaced.map_err(|why| match why {
        NotReplaced::Wrong => Problem::new(Kind::Conflict, "current: expected the password so far, found another")
            .because(Refusal::field("current", Expects::Usual)),
        NotReplaced::TooMany(wait) => too_many(wait),
        NotReplaced::Flawed(flaw) => {
            Problem::malformed(format!("new: {flaw}")).because(Refusal::field("new", flaw.wanted()))
        }
        NotReplaced::NotChanged(why) => super::users::not_changed(why, &user.id),
        NotReplaced::NotBegun(why) => not_begun(why),
        NotReplaced::Broken => {
            Problem::new(Kind::Internal, "the password could not be looked at; see the log").because(Refusal::Failed)
        }
    })?;
    let note = Note::of(format!("users/{}", signed_in.user.id), "his own password");
    Ok(note.on(shown(&call, &signed_in, StatusCode::OK)))
}
