//! Whether the process lives, and whether it takes traffic.

use http::StatusCode;

use super::problem::{Answer, text};
use crate::shutdown::Stage;

/// Alive: the control plane answers.
pub(super) fn live() -> Answer {
    text(StatusCode::OK, "ok\n")
}

/// Ready from the moment every worker listens and the first scan has ended until draining begins. Missing certificates and
/// dead upstreams do not count: taking the edge away from the other shops would mend neither.
pub(super) fn ready(stage: Stage) -> Answer {
    let status = if stage == Stage::Ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    text(status, format!("{}\n", stage.word()))
}
