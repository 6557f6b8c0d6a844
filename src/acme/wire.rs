//! The way to an authority: what its client library asks for goes over our HTTPS client, and what an answer says about when to
//! come again is kept, which the library drops.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{LOCATION, RETRY_AFTER};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};

use super::failure::{Failure, Reason};
use crate::outbound::HttpsClient;

/// A way that one order goes by itself; clones are the same way.
#[derive(Clone)]
pub(super) struct Wire {
    https: HttpsClient,
    come_again: Arc<Mutex<Option<SystemTime>>>,
    location: Arc<Mutex<Option<String>>>,
}

impl Wire {
    pub(super) fn new(https: HttpsClient) -> Self {
        Self { https, come_again: Arc::default(), location: Arc::default() }
    }

    /// When an answer said to come again, if it did; asked once.
    pub(super) fn take_come_again(&self) -> Option<SystemTime> {
        self.come_again.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Where the last answer says that something was made; asked once.
    pub(super) fn take_location(&self) -> Option<String> {
        self.location.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Says something without the client library, and reads the whole answer.
    pub(super) async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Bytes>, Failure> {
        let answer = self.https.send(request).await;
        let answer = answer.map_err(|error| Failure::new(Reason::Unreachable, error.to_string()))?;
        self.heed(&answer);
        Ok(answer)
    }

    fn heed(&self, answer: &Response<Bytes>) {
        let told = come_again(answer, SystemTime::now());
        *self.come_again.lock().unwrap_or_else(PoisonError::into_inner) = told;
        let location = answer.headers().get(LOCATION).filter(|_| answer.status() == StatusCode::CREATED);
        let location = location.and_then(|url| url.to_str().ok()).map(str::to_owned);
        *self.location.lock().unwrap_or_else(PoisonError::into_inner) = location;
    }

    async fn exchange(self, request: Request<BodyWrapper<Bytes>>) -> Result<BytesResponse, Error> {
        let (head, body) = request.into_parts();
        let body = match body.collect().await {
            Ok(body) => body.to_bytes(),
            Err(never) => match never {},
        };
        let answer = self.https.send(Request::from_parts(head, Full::new(body))).await;
        let answer = answer.map_err(|error| Error::Other(error.into()))?;
        self.heed(&answer);
        // What stands in front of an authority answers in its own words.
        let status = answer.status();
        if (status.is_client_error() || status.is_server_error()) && !is_problem(answer.body()) {
            return Err(Error::Other(format!("it answers {status}, and not in the words of ACME").into()));
        }
        Ok(answer.map(Full::new).into())
    }
}

impl HttpClient for Wire {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        Box::pin(self.clone().exchange(request))
    }
}

fn is_problem(body: &[u8]) -> bool {
    serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(body).is_ok()
}

/// `Retry-After` (RFC 9110 §10.2.3), seconds or a date.
pub(super) fn come_again(answer: &Response<Bytes>, now: SystemTime) -> Option<SystemTime> {
    let text = answer.headers().get(RETRY_AFTER)?.to_str().ok()?.trim();
    match text.parse::<u64>() {
        Ok(seconds) => now.checked_add(Duration::from_secs(seconds.min(LONGEST))),
        Err(_) => {
            let date = time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc2822).ok()?;
            let seconds = u64::try_from(date.unix_timestamp()).ok()?;
            let then = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            Some(then.min(now + Duration::from_secs(LONGEST)))
        }
    }
}

/// Whoever says longer is asked once a day all the same.
const LONGEST: u64 = 86_400;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_to_come_again_is_read_in_seconds_and_as_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        let told = |value: &str| {
            let answer = Response::builder().header(RETRY_AFTER, value).body(Bytes::new()).expect("an answer");
            come_again(&answer, now)
                .and_then(|then| then.duration_since(SystemTime::UNIX_EPOCH).ok())
                .map(|then| then.as_secs())
        };
        for (value, expected) in [
            ("120", Some(1_000_000_120)),
            (" 0 ", Some(1_000_000_000)),
            ("99999999999", Some(1_000_000_000 + LONGEST)),
            ("Fri, 31 Dec 1999 23:59:59 GMT", Some(946_684_799)),
            ("Fri, 31 Dec 2199 23:59:59 GMT", Some(1_000_000_000 + LONGEST)),
            ("soon", None),
            ("-1", None),
            ("", None),
        ] {
            assert_eq!(told(value), expected, "{value:?}");
        }
    }
}
