//! When an authority wants its certificates renewed (ACME renewal information, RFC 9773).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use instant_acme::CertificateIdentifier;
use rustls_pki_types::CertificateDer;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::time::Instant;

use super::failure::printable;
use super::schedule::{self, Suggested};
use super::wire::come_again;
use crate::outbound::HttpsClient;

/// What an authority suggests for one certificate. All moments are seconds since the Unix epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RenewalInfo {
    /// SHA-256 over the certificate, as lists have it.
    pub fingerprint: String,
    /// From when until when it is to be renewed; `None`: nothing is suggested.
    pub window: Option<(i64, i64)>,
    /// A page that says why.
    pub explanation: Option<String>,
    /// When it last answered.
    pub checked: Option<i64>,
    /// When it is asked again.
    pub again: i64,
}

impl RenewalInfo {
    /// The moment to renew: any in the window, but always the same.
    pub(super) fn suggested(&self, site: &str, now: i64) -> Option<Suggested> {
        let (start, end) = self.window?;
        let at = schedule::moment_in(start, end, &format!("{site} {}", self.fingerprint));
        Some(Suggested { at, is_fresh: self.checked.is_some_and(|checked| now - checked <= FRESH) })
    }

    /// What is known after an answer.
    pub(super) fn heard(self, answer: Answer, site: &str, now: i64) -> Self {
        match answer {
            Answer::Window { window, explanation, again } => {
                if self.window != Some(window) {
                    let explanation = explanation.as_deref().unwrap_or_default();
                    let (from, until) = (shown(window.0), shown(window.1));
                    tracing::info!(%site, %from, %until, %explanation, "the authority suggests when to renew");
                }
                let again = now + again.unwrap_or(USUAL).clamp(SHORTEST, LONGEST);
                Self { window: Some(window), explanation, checked: Some(now), again, ..self }
            }
            Answer::Nothing => {
                Self { window: None, explanation: None, checked: Some(now), again: now + LONGEST, ..self }
            }
            Answer::Failed { text, again } => {
                tracing::debug!(%site, %text, "the authority does not say when to renew");
                Self { again: now + again.unwrap_or(AFTER_FAILURE).clamp(AFTER_FAILURE, LONGEST), ..self }
            }
        }
    }

    /// The clock was put back.
    pub(super) fn settle(&mut self, now: i64) {
        self.again = self.again.min(now + LONGEST);
        self.checked = self.checked.map(|checked| checked.min(now));
    }
}

/// What was answered. Pauses are seconds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Window {
        window: (i64, i64),
        explanation: Option<String>,
        again: Option<i64>,
    },
    /// It suggests nothing, or does not know the certificate.
    Nothing,
    Failed {
        text: String,
        again: Option<i64>,
    },
}

/// Asks authorities.
#[derive(Clone, Default)]
pub(super) struct Asker {
    /// By the directories' addresses.
    places: Arc<Mutex<HashMap<String, Place>>>,
}

/// Where a directory says that such questions go.
struct Place {
    url: Option<String>,
    since: Instant,
}

impl Asker {
    /// Asks when a certificate is to be renewed.
    pub(super) async fn ask(&self, directory: &str, leaf: &CertificateDer<'_>, https: &HttpsClient) -> Answer {
        let Ok(id) = CertificateIdentifier::try_from(leaf) else { return Answer::Nothing };
        let place = match self.place(directory, https).await {
            Ok(Some(place)) => place,
            Ok(None) => return Answer::Nothing,
            Err(failed) => return failed,
        };
        match fetch(&format!("{}/{id}", place.trim_end_matches('/')), https).await {
            Ok(Some((body, again))) => read(&body, again),
            Ok(None) => Answer::Nothing,
            Err(failed) => failed,
        }
    }

    async fn place(&self, directory: &str, https: &HttpsClient) -> Result<Option<String>, Answer> {
        {
            let places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
            let known = places.get(directory).filter(|place| place.since.elapsed() < DIRECTORY_HOLDS);
            if let Some(place) = known {
                return Ok(place.url.clone());
            }
        }
        let found = fetch(directory, https).await?;
        let body = found.map(|(body, _)| body).unwrap_or_default();
        let told: Directory = serde_json::from_slice(&body)
            .map_err(|error| Answer::Failed { text: format!("its directory cannot be read: {error}"), again: None })?;
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.insert(directory.to_owned(), Place { url: told.renewal_info.clone(), since: Instant::now() });
        Ok(told.renewal_info)
    }
}

/// What lies there, and when to come again; `None`: nothing does.
async fn fetch(url: &str, https: &HttpsClient) -> Result<Option<(Bytes, Option<i64>)>, Answer> {
    let failed = |text: String| Answer::Failed { text, again: None };
    let request = Request::builder().uri(url).header(http::header::USER_AGENT, USER_AGENT);
    let request = request.body(Full::<Bytes>::default()).map_err(|error| failed(error.to_string()))?;
    let answer = https.send(request).await.map_err(|error| failed(error.to_string()))?;
    let now = SystemTime::now();
    let again = come_again(&answer, now).map(|then| then.duration_since(now).map_or(0, |pause| pause.as_secs()));
    let again = again.and_then(|pause| i64::try_from(pause).ok());
    match answer.status() {
        StatusCode::OK => Ok(Some((answer.into_body(), again))),
        StatusCode::NOT_FOUND | StatusCode::BAD_REQUEST => Ok(None),
        status => Err(Answer::Failed { text: format!("it answers {status}"), again }),
    }
}

/// RFC 9773 §4.2
fn read(body: &[u8], again: Option<i64>) -> Answer {
    let failed = |text: String| Answer::Failed { text, again };
    let told: Told = match serde_json::from_slice(body) {
        Ok(told) => told,
        Err(error) => return failed(format!("what it suggests cannot be read: {error}")),
    };
    let moment = |text: &str| OffsetDateTime::parse(text, &Rfc3339).ok().map(OffsetDateTime::unix_timestamp);
    let window = moment(&told.suggested_window.start).zip(moment(&told.suggested_window.end));
    match window.filter(|(start, end)| start < end) {
        Some(window) => {
            let explanation = told.explanation_url.map(|url| printable(&url));
            Answer::Window { window, explanation, again }
        }
        None => failed(format!("what it suggests is no window: {:?}", told.suggested_window)),
    }
}

fn shown(moment: i64) -> String {
    OffsetDateTime::from_unix_timestamp(moment).ok().and_then(|at| at.format(&Rfc3339).ok()).unwrap_or_default()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Directory {
    renewal_info: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    suggested_window: Window,
    #[serde(rename = "explanationURL")]
    explanation_url: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Window {
    start: String,
    end: String,
}

const USER_AGENT: &str = concat!("vitrine/", env!("CARGO_PKG_VERSION"));
/// What was heard longer ago no longer puts a renewal off.
const FRESH: i64 = 2 * LONGEST;
/// RFC 9773 §4.3.2 leaves it to us within reason.
const USUAL: i64 = 6 * 3600;
const SHORTEST: i64 = 60;
const LONGEST: i64 = 86_400;
const AFTER_FAILURE: i64 = 3600;
const DIRECTORY_HOLDS: Duration = Duration::from_hours(24);

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_736_000_000;

    fn told(start: &str, end: &str) -> Answer {
        let body = format!(
            r#"{{"suggestedWindow":{{"start":"{start}","end":"{end}"}},"explanationURL":"https://a.example/why"}}"#
        );
        read(body.as_bytes(), Some(7))
    }

    #[test]
    fn a_window_is_read_and_its_moment_lies_within() {
        let answer = told("2025-01-02T04:00:00Z", "2025-01-03T04:00:00+01:00");
        let info = RenewalInfo { fingerprint: "ab".into(), ..RenewalInfo::default() };
        let info = info.heard(answer, "shop.example", NOW);
        assert_eq!(info.window, Some((1_735_790_400, 1_735_873_200)));
        assert_eq!((info.explanation.as_deref(), info.again), (Some("https://a.example/why"), NOW + SHORTEST));
        let suggested = info.suggested("shop.example", NOW).expect("a moment");
        assert!((1_735_790_400..=1_735_873_200).contains(&suggested.at) && suggested.is_fresh);
        assert_eq!(info.suggested("shop.example", NOW), Some(suggested));
        assert_ne!(info.suggested("other.example", NOW), Some(suggested));
        // Failing changes nothing but when it is asked again, until it is too long ago.
        let failed = || Answer::Failed { text: "gone".into(), again: Some(90 * LONGEST) };
        let later = info.clone().heard(failed(), "shop.example", NOW + 9);
        assert_eq!(later, RenewalInfo { again: NOW + 9 + LONGEST, ..info.clone() });
        assert!(!later.suggested("shop.example", NOW + FRESH + 1).expect("a moment").is_fresh);
        assert_eq!(info.heard(Answer::Nothing, "shop.example", NOW).suggested("shop.example", NOW), None);
    }

    #[test]
    fn what_is_no_window_suggests_nothing() {
        for (start, end) in [
            ("2025-01-03T04:00:00Z", "2025-01-02T04:00:00Z"),
            ("2025-01-03T04:00:00Z", "2025-01-03T04:00:00Z"),
            ("soon", "2025-01-02T04:00:00Z"),
            ("2025-01-02", "2025-01-03"),
        ] {
            assert!(matches!(told(start, end), Answer::Failed { again: Some(7), .. }), "{start} {end}");
        }
        for body in ["", "[]", "{}", "<html>", r#"{"suggestedWindow":{}}"#] {
            assert!(matches!(read(body.as_bytes(), None), Answer::Failed { again: None, .. }), "{body}");
        }
    }

    #[test]
    fn how_often_is_asked_is_bounded() {
        let again = |pause| {
            let answer = Answer::Window { window: (1, 2), explanation: None, again: pause };
            RenewalInfo::default().heard(answer, "shop.example", NOW).again - NOW
        };
        assert_eq!([None, Some(0), Some(7200), Some(i64::MAX)].map(again), [USUAL, SHORTEST, 7200, LONGEST]);
        let mut info =
            RenewalInfo { again: NOW + 400 * LONGEST, checked: Some(NOW + LONGEST), ..RenewalInfo::default() };
        info.settle(NOW);
        assert_eq!((info.again, info.checked), (NOW + LONGEST, Some(NOW)));
    }
}
