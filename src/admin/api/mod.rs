//! The resources under `/api/v1`.

mod certificates;
mod rejected;
mod sites;

use std::sync::Arc;

use http::{Method, StatusCode};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Sources;
use super::problem::{Answer, Problem, json};

/// Answers a request that may ask everything.
pub(super) async fn answer(
    method: &Method,
    path: &str,
    query: Option<&str>,
    sources: &Arc<Sources>,
) -> Result<Answer, Problem> {
    let resource = path.strip_prefix("/api/v1/").ok_or_else(|| Problem::unknown(path))?;
    match resource {
        "certificates" => listed(method, sources, |sources| json(&certificates::list(sources, now()))).await,
        "sites" => listed(method, sources, |sources| json(&sites::list(sources, now()))).await,
        "rejected" => listed(method, sources, |sources| json(&rejected::list(sources))).await,
        "alarms" => listed(method, sources, |sources| json(&rejected::alarms(sources))).await,
        "certificates/confirm-withdrawal" => match *method {
            Method::POST => certificates::confirm_withdrawal(sources, query).await,
            _ => Err(Problem::method("POST")),
        },
        _ => Err(Problem::unknown(path)),
    }
}

/// A list of some ten thousand entries takes tens of milliseconds: not where connections are attended to.
async fn listed(method: &Method, sources: &Arc<Sources>, list: fn(&Sources) -> Answer) -> Result<Answer, Problem> {
    super::server::reading(method)?;
    let sources = Arc::clone(sources);
    tokio::task::spawn_blocking(move || list(&sources)).await.map_err(|error| {
        tracing::error!(%error, "a list of the API could not be made");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the list could not be made; see the log")
    })
}

/// Seconds since the Unix epoch.
fn now() -> i64 {
    OffsetDateTime::now_utc().unix_timestamp()
}

/// RFC 3339 in UTC. A certificate may name a year that RFC 3339 cannot: it gets the last moment that can be written.
fn timestamp(seconds: i64) -> String {
    OffsetDateTime::from_unix_timestamp(seconds)
        .ok()
        .and_then(|time| time.format(&Rfc3339).ok())
        .unwrap_or_else(|| "9999-12-31T23:59:59Z".into())
}

/// Where in its validity a certificate is.
fn state(not_before: i64, not_after: i64, now: i64) -> &'static str {
    match now {
        now if now < not_before => "not_yet_valid",
        now if now > not_after => "expired",
        _ => "valid",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc_whatever_a_certificate_claims() {
        assert_eq!(timestamp(1_795_305_600), "2026-11-22T00:00:00Z");
        assert_eq!(timestamp(i64::MAX), "9999-12-31T23:59:59Z");
    }

    #[test]
    fn both_ends_of_the_validity_belong_to_it() {
        let states = [9, 10, 20, 21].map(|now| state(10, 20, now));
        assert_eq!(states, ["not_yet_valid", "valid", "valid", "expired"]);
    }
}
