//! From a request to its response, whatever happens on the way.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::Either;
use http::{Request, Response, StatusCode};
use http_body::Body;

use super::body::ResponseBody;
use super::errors::Asker;
use super::exchange::{Exchange, Finish};
use super::forward::forward;
use super::plan::{Plan, plan};
use super::request_body::RequestBody;
use crate::telemetry::LocalAnswer;

/// A response on its way; there is always one.
pub(super) type Answer = Result<Response<ResponseBody>, Infallible>;

/// Answers one request. What can be decided from its head is decided here and now; only what waits for an upstream becomes
/// a future, which keeps that future small: it is moved several times before it is first polled.
pub(super) fn respond(
    exchange: Rc<Exchange>,
    request: Request<RequestBody>,
) -> Either<Ready<Answer>, impl Future<Output = Answer>> {
    let asker = Asker::of(&request, Finish(Rc::clone(&exchange)));
    let (head, body) = request.into_parts();
    let response = match plan(&head, !body.is_end_stream(), &exchange) {
        Plan::Forward { group, authority, upgrade } => {
            return Either::Right(forward(asker, &head, body, group, authority, upgrade));
        }
        Plan::Refuse(rule) => asker.refused(rule),
        Plan::Answer(LocalAnswer::WellKnownMethod) => asker.well_known_method(),
        Plan::Answer(answer) => asker.local(answer),
        Plan::Limited(wait) => asker.later(LocalAnswer::RateLimited, wait),
        Plan::Crowded => asker.later(LocalAnswer::Crowded, Duration::from_secs(1)),
        Plan::Maintenance(retry_after) => asker.later(LocalAnswer::Maintenance, retry_after),
        Plan::WellKnown(object) => asker.well_known(&object),
        Plan::Redirect(location) => asker.redirect(LocalAnswer::Redirect, StatusCode::PERMANENT_REDIRECT, &location),
        Plan::Moved(status, location) => asker.redirect(LocalAnswer::Moved, status, &location),
    };
    Either::Left(ready(Ok(response)))
}
