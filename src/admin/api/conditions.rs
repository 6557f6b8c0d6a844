//! Only if nothing has changed meanwhile: entity tags and the conditions on them (RFC 9110 §8.8.3 and §13).

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};
use http_body_util::{BodyExt, Full};
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::call::{Call, Content};
use super::query::Query;
use super::realm::{self, Scope};
use super::route::{self, Operation};
use super::{RESOURCES, Resource};
use crate::admin::problem::{Answer, Kind, Problem};
use crate::store::Revision;

/// What a request asks to be so.
#[derive(Clone, Debug, Default)]
pub(super) struct Conditions {
    if_match: Option<Vec<String>>,
    if_none_match: Option<Vec<String>>,
}

/// Whoever has one may change something; who compared before is alone.
pub(super) enum Turn {
    /// Beside others.
    Shared(#[expect(dead_code, reason = "held")] RwLockReadGuard<'static, ()>),
    /// Alone: between the comparison and the change nobody comes.
    Alone(#[expect(dead_code, reason = "held")] RwLockWriteGuard<'static, ()>),
}

impl Conditions {
    pub(super) fn read(headers: &HeaderMap) -> Self {
        Self { if_match: tags(headers, header::IF_MATCH), if_none_match: tags(headers, header::IF_NONE_MATCH) }
    }

    /// With `If-Match: *` or nothing.
    pub(super) fn whatever_is_there(is_replaced: bool) -> Self {
        Self { if_match: is_replaced.then(|| vec!["*".to_owned()]), if_none_match: None }
    }

    /// An answer to a question with its tag, or only the word that it is what the client has already.
    pub(super) async fn tagged(&self, answer: Answer) -> Answer {
        if answer.status() != StatusCode::OK {
            return answer;
        }
        let (mut head, body) = answer.into_parts();
        let Ok(content) = body.collect().await;
        let content = content.to_bytes();
        let tag = Tag::of(&content);
        if let Ok(value) = HeaderValue::from_str(&tag.to_string()) {
            head.headers.insert(header::ETAG, value);
        }
        let is_known = self.if_none_match.as_ref().is_some_and(|known| {
            // Whether it is the same octet for octet is no matter here.
            known.iter().any(|known| known == "*" || *known.trim_start_matches("W/") == tag.to_string())
        });
        if !is_known {
            return Answer::from_parts(head, Full::new(content));
        }
        head.status = StatusCode::NOT_MODIFIED;
        head.headers.remove(header::CONTENT_TYPE);
        Answer::from_parts(head, Full::new(Bytes::new()))
    }
}

/// Compares what an order expects with what is there now, as a question at the same path would be answered.
pub(super) async fn hold(operation: &Operation, path: &str, call: &Call) -> Result<Turn, Problem> {
    let Some(wanted) = call.conditions.if_match.as_ref() else {
        demand(operation, &call.conditions)?;
        return Ok(Turn::Shared(ORDERS.read().await));
    };
    let turn = Turn::Alone(ORDERS.write().await);
    let current = current(RESOURCES, path, call).await?;
    let fits = wanted.iter().any(|wanted| wanted == "*" || *wanted == current.to_string());
    if fits {
        return Ok(turn);
    }
    let text = format!("it was changed meanwhile and has the ETag {current} now; look at it again, then decide");
    Err(Problem::new(Kind::Changed, text))
}

/// Whoever replaces something without saying what he has seen undoes what another did in between. What is only added or taken
/// out can be seen to be there or not.
fn demand(operation: &Operation, conditions: &Conditions) -> Result<(), Problem> {
    if !matches!(operation.method, Method::PUT | Method::PATCH) || conditions.if_none_match.is_some() {
        return Ok(());
    }
    let text = "this replaces what is there: send its ETag along as If-Match, so that nobody's change is lost; or \
                If-Match: * to replace whatever it is";
    Err(Problem::new(Kind::Unconditional, text))
}

async fn current(resources: &[&'static Resource], path: &str, call: &Call) -> Result<Tag, Problem> {
    let nothing = |_| Problem::new(Kind::Changed, "there is nothing at this path that has an ETag; leave If-Match out");
    let found = route::find(resources, &Method::GET, path).map_err(nothing)?;
    let question = Call {
        caller: call.caller.clone(),
        sources: Arc::clone(&call.sources),
        query: Query::default(),
        parameters: found.parameters,
        content: Content::None,
        conditions: Conditions::default(),
    };
    let scope = Scope::of(&call.caller, &call.sources);
    let answer = (found.operation.run)(question).await?;
    let answer = realm::filtered(found.operation, scope, None, answer).await?;
    let Ok(content) = answer.into_body().collect().await;
    Ok(Tag::of(&content.to_bytes()))
}

/// Tells one content from another; a strong one.
struct Tag(Revision);

impl Tag {
    fn of(content: &[u8]) -> Self {
        Self(Revision::of(content))
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0)
    }
}

/// The tags of a field, which may be there several times. Ours have no commas.
fn tags(headers: &HeaderMap, name: HeaderName) -> Option<Vec<String>> {
    headers.contains_key(&name).then(|| {
        let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).map(|tag| tag.trim().to_owned()).collect()
    })
}

static ORDERS: RwLock<()> = RwLock::const_new(());

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::problem::document;

    fn conditions(fields: &[(HeaderName, &'static str)]) -> Conditions {
        let fields = fields.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
        Conditions::read(&fields.collect())
    }

    #[tokio::test]
    async fn who_has_the_answer_already_does_not_get_it_again() {
        let tag = Tag::of(b"[]").to_string();
        let known = Box::leak(format!("\"x\", {tag}").into_boxed_str());
        let weak = Box::leak(format!("W/{tag}").into_boxed_str());
        for (value, status) in [(&*known, 304), (weak, 304), ("*", 304), ("\"x\"", 200), ("", 200)] {
            let answer = conditions(&[(header::IF_NONE_MATCH, value)]).tagged(document("[]")).await;
            assert_eq!(
                (answer.status().as_u16(), answer.headers()[header::ETAG].to_str().ok()),
                (status, Some(&*tag)),
                "{value}"
            );
            assert_eq!(answer.headers().contains_key(header::CONTENT_TYPE), status == 200);
        }
        let other = Answer::from(Problem::malformed("x"));
        assert!(!Conditions::default().tagged(other).await.headers().contains_key(header::ETAG));
    }

    #[test]
    fn who_replaces_something_says_what_he_has_seen() {
        let run = |_| unreachable!();
        let put = Operation { method: Method::PUT, ..Operation::post("sites/{site}", run) };
        let kind = |operation: &Operation, conditions: Conditions| {
            demand(operation, &conditions).map_err(|problem| problem.kind())
        };
        assert_eq!(kind(&put, Conditions::default()), Err(Kind::Unconditional));
        assert_eq!(kind(&put, conditions(&[(header::IF_NONE_MATCH, "*")])), Ok(()));
        assert_eq!(kind(&Operation::post("sites", run), Conditions::default()), Ok(()));
        assert_eq!(kind(&Operation::delete("sites/{site}", run), Conditions::default()), Ok(()));
    }
}
