//! One's second factor: a secret for a telephone, turned on by a code of it, and codes for the day it is lost.

use serde::Deserialize;
use zeroize::Zeroizing;

use super::export::required_secret;
use super::realm::Realm;
use super::recorded::Note;
use super::session::{person, too_many};
use super::{Call, Operation, Resource, Takes, unwritten};
use crate::admin::people::{NotFactored, NotProven, picture};
use crate::admin::problem::{Answer, Kind, Problem, created, json};
use crate::admin::rights::{Person, Right};
use crate::words::refusal::Refusal;

/// `session/second-factor`
pub(super) static RESOURCE: Resource = Resource {
    operations: &[
        Operation::post("session/second-factor", |call| Box::pin(async move { begin(&call) }))
            .with_right(Right::Account)
            .even_frozen()
            .about(Realm::Open),
        Operation::post("session/second-factor/confirm", |call| Box::pin(confirm(call)))
            .taking(Takes::Json)
            .with_right(Right::Account)
            .even_frozen()
            .about(Realm::Open),
        Operation::post("session/second-factor/remove", |call| Box::pin(remove(call)))
            .taking(Takes::Json)
            .with_right(Right::Account)
            .even_frozen()
            .about(Realm::Open),
    ],
    description: include_str!("second_factor.json"),
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    #[serde(deserialize_with = "required_secret")]
    code: Zeroizing<String>,
}

fn begin(call: &Call) -> Result<Answer, Problem> {
    let Person { user, .. } = person(call)?;
    let (secret, uri) = call.sources.people.begin_factor(user).map_err(not_factored)?;
    let picture = picture(&uri);
    let told = serde_json::json!({
        "secret": secret.as_str(), "uri": uri.as_str(), "picture": picture.as_ref().map(|picture| picture.as_str()),
    });
    Ok(Note::of(format!("users/{}", user.id), "a second factor is begun").on(created(&told)))
}

async fn confirm(call: Call) -> Result<Answer, Problem> {
    let (Order { code }, Person { user, session, .. }) = (call.json()?, person(&call)?);
    let codes = call.sources.people.confirm_factor(user, session, code).await.map_err(not_proven)?;
    let codes: Vec<&str> = codes.iter().map(|code| code.as_str()).collect();
    let note = Note::of(format!("users/{}", user.id), "a second factor is on");
    Ok(note.on(json(&serde_json::json!({ "recovery_codes": codes }))))
}

async fn remove(call: Call) -> Result<Answer, Problem> {
    let (Order { code }, Person { user, session, .. }) = (call.json()?, person(&call)?);
    call.sources.people.remove_factor(user, session, code).await.map_err(not_proven)?;
    Ok(Note::of(format!("users/{}", user.id), "the second factor is off")
        .on(json(&serde_json::json!({ "removed": true }))))
}

fn not_proven(why: NotProven) -> Problem {
    match why {
        NotProven::TooMany(wait) => too_many(wait),
        NotProven::NotFactored(why) => not_factored(why),
    }
}

pub(super) fn not_factored(why: NotFactored) -> Problem {
    let conflict = |text: &str| Problem::new(Kind::Conflict, text);
    match why {
        NotFactored::Wrong => conflict("code: expected the one that is shown now and has not been used, found another").because(Refusal::WrongCode),
        NotFactored::NotBegun => conflict(
            "there is one already, or none was begun: POST /api/v1/session/second-factor begins one where there is none",
        ).because(Refusal::FactorStands),
        NotFactored::NoRandomness => Problem::new(Kind::Internal, "the system gives no random numbers").because(Refusal::NoRandomness),
        NotFactored::Unwritten(error) => unwritten(&error),
    }
}
