//! What is ordered through the API goes into the audit trail, without any handler having to think of it.

use http::Method;
use tokio::task::JoinError;

use super::route::Operation;
use super::{Call, conditions, levers};
use crate::admin::problem::{Answer, Kind, Problem};
use crate::admin::rights::Right;
use crate::store::audit::{Deed, Outcome};
use crate::words::refusal::Refusal;

/// What a handler has to add to the record of an order.
#[derive(Clone, Debug)]
pub(super) enum Note {
    /// What it was about, and what else there is to say; and who gave the order, where that was known only then.
    Done { object: String, detail: String, who: Option<String> },
    /// It was only asked what would happen.
    Nothing,
}

impl Note {
    /// What the order was about, as a path below `/api/v1`, where it is not the one that was asked for; and what else there is
    /// to say. Never a secret.
    pub(super) fn of(object: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Done { object: object.into(), detail: detail.into(), who: None }
    }

    /// The same by somebody who said who he is with the order itself.
    pub(super) fn by(self, person: String) -> Self {
        match self {
            Self::Done { object, detail, .. } => Self::Done { object, detail, who: Some(person) },
            Self::Nothing => Self::Nothing,
        }
    }

    /// The same with more to say.
    pub(super) fn and(self, more: &str) -> Self {
        match self {
            Self::Done { object, detail, who } => Self::Done { object, detail: detail + more, who },
            Self::Nothing => Self::Nothing,
        }
    }

    /// The answer with the note on it, which nobody outside sees.
    pub(super) fn on(self, mut answer: Answer) -> Answer {
        answer.extensions_mut().insert(self);
        answer
    }
}

/// Whether an operation goes into the trail: all that changes something, and all that takes out a key.
pub(super) fn is_due(operation: &Operation) -> bool {
    operation.method != Method::GET || operation.right == Right::Export
}

/// Runs an operation and records it. A client that hangs up does not keep either from being done.
pub(super) async fn run(operation: &'static Operation, path: &str, call: Call) -> Result<Answer, Problem> {
    ended(tokio::spawn(run_and_record(operation, path.to_owned(), call)).await)
}

async fn run_and_record(operation: &'static Operation, path: String, call: Call) -> Result<Answer, Problem> {
    let audit = call.sources.audit.clone();
    let begun = Deed {
        who: call.caller.name(),
        door: call.caller.door(),
        action: format!("{} {}", operation.method, operation.path),
        object: path.clone(),
        result: Outcome::Begun,
        detail: String::new(),
        why: None,
    };
    // A key that has left cannot be taken back: it does not leave unrecorded.
    let is_begun = operation.right == Right::Export;
    if is_begun {
        let (audit, deed) = (audit.clone(), begun.clone());
        let recorded = tokio::task::spawn_blocking(move || audit.record(deed)).await;
        if !matches!(recorded, Ok(Ok(()))) {
            let text = "the audit trail cannot be written, and no key leaves without; see the alarms";
            return Err(Problem::new(Kind::Internal, text).because(Refusal::Unrecorded));
        }
    }
    // A task of its own, so that what fails in a way that was not foreseen is recorded too.
    let running = tokio::spawn(async move {
        if let Some(problem) = levers::standstill(operation, &call.sources) {
            return Err(problem);
        }
        match conditions::hold(operation, &path, &call).await {
            Ok(_turn) => (operation.run)(call).await,
            Err(problem) => Err(problem),
        }
    });
    let result = ended(running.await);
    if let Some(deed) = end_of(begun, is_begun, &result) {
        // What was done stands. That it is not in the trail is logged and an alarm.
        let _ = tokio::task::spawn_blocking(move || audit.record(deed)).await;
    }
    result
}

fn ended(run: Result<Result<Answer, Problem>, JoinError>) -> Result<Answer, Problem> {
    run.unwrap_or_else(|error| {
        tracing::error!(%error, "an order to the API came to no end");
        Err(Problem::new(Kind::Internal, "the order came to no end, and part of it may be done; see the log")
            .because(Refusal::HalfDone))
    })
}

/// The record of how it ended; none of what made no sense from the start, unless the trail has its beginning.
fn end_of(begun: Deed, is_begun: bool, result: &Result<Answer, Problem>) -> Option<Deed> {
    match result {
        Ok(answer) => match answer.extensions().get::<Note>().cloned() {
            Some(Note::Nothing) if !is_begun => None,
            Some(Note::Done { object, detail, who }) => {
                Some(Deed { who: who.unwrap_or(begun.who), object, detail, result: Outcome::Done, ..begun })
            }
            Some(Note::Nothing) | None => Some(Deed { result: Outcome::Done, ..begun }),
        },
        Err(problem) => {
            if !problem.is_recorded() {
                return None;
            }
            let result = match problem.kind() {
                Kind::Malformed | Kind::MediaType | Kind::TooLarge if !is_begun => return None,
                Kind::Internal => Outcome::Failed,
                _ => Outcome::Refused,
            };
            let who = problem.who().map_or(begun.who, str::to_owned);
            Some(Deed { who, result, detail: problem.remark().to_owned(), why: problem.why(), ..begun })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::problem::json;

    #[tokio::test]
    async fn what_began_has_an_end_whatever_it_is() {
        let deed = |result, detail: &str, code: &str| Deed {
            who: "user 0".into(),
            door: "admin.sock".into(),
            action: "POST certificates/{fingerprint}/export".into(),
            object: "certificates/0/export".into(),
            result,
            detail: detail.into(),
            why: (!code.is_empty()).then(|| serde_json::json!({ "code": code })),
        };
        let begun = || deed(Outcome::Begun, "", "");
        let malformed = || Err(Problem::malformed("no JSON"));
        assert_eq!(end_of(begun(), true, &malformed()), Some(deed(Outcome::Refused, "no JSON", "malformed-request")));
        assert_eq!(end_of(begun(), false, &malformed()), None);
        let nothing = || Ok(Note::Nothing.on(json(&())));
        assert_eq!(end_of(begun(), true, &nothing()), Some(deed(Outcome::Done, "", "")));
        assert_eq!(end_of(begun(), false, &nothing()), None);
        let failed = ended(tokio::spawn(async { panic!("on purpose") }).await);
        let told = "the order came to no end, and part of it may be done; see the log";
        assert_eq!(end_of(begun(), true, &failed), Some(deed(Outcome::Failed, told, "half-done")));
    }
}
