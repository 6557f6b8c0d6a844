//! Setting up: making the first user, from the edge's machine.

use http::StatusCode;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::export::required_secret;
use super::realm::Realm;
use super::recorded::Note;
use super::session::{not_begun, shown, too_many};
use super::users::{name_in, not_changed};
use super::{Call, Operation, Resource, Takes, timestamp};
use crate::admin::people::{Attempt, NotSetUp, password_flaw};
use crate::admin::problem::{Answer, Kind, Problem, json};
use crate::admin::rights::{Right, Way};
use crate::words::refusal::{Expects, Refusal};

/// `setup`
pub(super) static RESOURCE: Resource = Resource {
    operations: &[
        Operation::get("setup", |call| Box::pin(async move { show(&call) }))
            .about(Realm::Open)
            .with_right(Right::Anyone),
        Operation::post("setup", |call| Box::pin(make(call)))
            .about(Realm::Open)
            .taking(Takes::Json)
            .with_right(Right::Anyone)
            .even_frozen(),
    ],
    description: include_str!("setup.json"),
};

/// From elsewhere there is nothing, and nobody is told whether there are users.
fn here(call: &Call) -> Result<(), Problem> {
    if call.caller.is_here() { Ok(()) } else { Err(closed()) }
}

fn show(call: &Call) -> Result<Answer, Problem> {
    here(call)?;
    let until = call.sources.people.set_up_until().ok_or_else(closed)?;
    Ok(json(&serde_json::json!({ "until": timestamp(until) })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    #[serde(deserialize_with = "required_secret")]
    token: Zeroizing<String>,
    name: String,
    #[serde(deserialize_with = "required_secret")]
    password: Zeroizing<String>,
}

async fn make(call: Call) -> Result<Answer, Problem> {
    here(&call)?;
    call.sources.people.set_up_until().ok_or_else(closed)?;
    let Order { token, name, password } = call.json()?;
    let name = name_in(&name)?;
    if let Some(flaw) = password_flaw(&password, name.as_str()) {
        return Err(Problem::malformed(format!("password: {flaw}")).because(Refusal::field("password", flaw.wanted())));
    }
    let Way::Network { peer, .. } = call.caller.way else {
        return Err(Problem::new(
            Kind::Conflict,
            "through admin.sock it is done with `vitrine user add NAME --role admin`",
        )
        .because(Refusal::AtTheMachine));
    };
    let attempt = Attempt { name: name.to_string(), password, code: None, peer, agent: call.caller.agent.clone() };
    let made = call.sources.people.set_up(&token, attempt, name).await;
    let signed_in = made.map_err(|why| match why {
        NotSetUp::Closed => closed(),
        NotSetUp::Wrong => Problem::unauthorized(
            "token: expected what setup.token in the state folder holds, found something else; the log names the file",
        )
        .because(Refusal::field("token", Expects::Usual)),
        NotSetUp::TooMany(wait) => too_many(wait),
        NotSetUp::NotChanged(why) => not_changed(why, "the first"),
        NotSetUp::NotBegun(why) => not_begun(why),
    })?;
    let detail = format!("{:?}, role admin, the first", signed_in.user.name.as_str());
    let note = Note::of(format!("users/{}", signed_in.user.id), detail).by(signed_in.user.words());
    Ok(note.on(shown(&call, &signed_in, StatusCode::CREATED)))
}

fn closed() -> Problem {
    let text = "the first user can be made within 15 minutes of a start without one, from the edge's machine; `vitrine user add NAME \
                --role admin` makes one there at any time";
    // Whoever is nobody could go on asking for ever.
    Problem::new(Kind::NotFound, text).unrecorded()
}
