//! From a request to its response, whatever happens on the way.

use std::rc::Rc;

use http::{Request, Response};
use hyper::body::Incoming;

use super::body::ResponseBody;
use super::errors::Asker;
use super::exchange::{Exchange, Finish};
use super::forward;
use super::plan::{Plan, plan};
use http_body::Body;

/// Answers one request.
pub(super) async fn respond(exchange: Rc<Exchange>, request: Request<Incoming>) -> Response<ResponseBody> {
    let asker = Asker::of(&request, Finish(Rc::clone(&exchange)));
    let (head, body) = request.into_parts();
    match plan(&head, !body.is_end_stream(), &exchange) {
        Plan::Refuse(rule) => asker.refused(rule),
        Plan::Answer(answer) => match answer {
            crate::telemetry::LocalAnswer::WellKnownMethod => asker.well_known_method(),
            answer => asker.local(answer),
        },
        Plan::WellKnown(object) => asker.well_known(&object),
        Plan::Redirect(location) => asker.redirect(&location),
        Plan::Forward { group, authority, upgrade } => {
            forward::forward(asker, head, body, group, authority, upgrade).await
        }
    }
}
