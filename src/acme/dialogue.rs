//! What is said to an authority beside orders: to accounts and about certificates, request by request (RFC 8555 §6).

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue, LOCATION};
use http::{Method, Request, Response};
use http_body_util::Full;
use instant_acme::Problem;
use serde::Deserialize;
use serde_json::{Value, json};

use super::failure::{Failure, Reason};
use super::jws::SigningKey;
use super::wire::Wire;

/// A conversation with one authority.
pub(super) struct Dialogue<'w> {
    wire: &'w Wire,
    pub(super) directory: Directory,
    /// For the next request.
    nonce: Option<String>,
}

/// Where the authority does what (RFC 8555 §7.1.1), as far as it is asked for here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Directory {
    new_nonce: String,
    pub(super) new_account: String,
    pub(super) revoke_cert: Option<String>,
    pub(super) key_change: Option<String>,
}

impl<'w> Dialogue<'w> {
    /// Begins one.
    pub(super) async fn begin(wire: &'w Wire, directory: &str) -> Result<Self, Failure> {
        let answer = wire.send(request(Method::GET, directory, Bytes::new())?).await?;
        let directory = serde_json::from_slice(&answer.into_body())
            .map_err(|_| Failure::new(Reason::Unreachable, format!("{directory} is no directory of an authority")))?;
        Ok(Self { wire, directory, nonce: None })
    }

    /// Says `payload` at `url`, signed by the account of this address, or without one by the key alone, which is shown.
    ///
    /// # Errors
    /// What the authority has against it, too.
    pub(super) async fn say(
        &mut self,
        url: &str,
        (key, account): (&SigningKey, Option<&str>),
        payload: &Value,
    ) -> Result<Response<Bytes>, Failure> {
        let mut tries = 1;
        loop {
            let mut head = json!({ "url": url, "nonce": self.nonce().await? });
            match account {
                Some(account) => head["kid"] = account.into(),
                None => head["jwk"] = key.public().clone(),
            }
            let signed = key.sign(head, payload).ok_or_else(unsigned)?;
            let answer = self.wire.send(request(Method::POST, url, signed.to_string().into())?).await?;
            self.nonce = nonce_of(&answer);
            let Err(failure) = well(&answer) else { return Ok(answer) };
            // A nonce is refused that was just given (RFC 8555 §6.5).
            if !failure.is_forgetful || tries == MOST_TRIES {
                return Err(failure);
            }
            tries += 1;
        }
    }

    async fn nonce(&mut self) -> Result<String, Failure> {
        if let Some(nonce) = self.nonce.take() {
            return Ok(nonce);
        }
        let answer = self.wire.send(request(Method::HEAD, &self.directory.new_nonce, Bytes::new())?).await?;
        nonce_of(&answer).ok_or_else(|| Failure::new(Reason::Unreachable, "the authority gives no nonce"))
    }
}

/// Where what was made or found is.
pub(super) fn location(answer: &Response<Bytes>) -> Result<String, Failure> {
    let location = answer.headers().get(LOCATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
    location.ok_or_else(|| Failure::new(Reason::Unreachable, "the authority does not say where the account is"))
}

/// The crypto library did not sign.
pub(super) fn unsigned() -> Failure {
    Failure::new(Reason::State, "the crypto library does not sign; see whether the machine has memory left")
}

fn well(answer: &Response<Bytes>) -> Result<(), Failure> {
    if !answer.status().is_client_error() && !answer.status().is_server_error() {
        return Ok(());
    }
    Err(match serde_json::from_slice::<Problem>(answer.body()) {
        Ok(problem) => Failure::of_answer(&problem),
        Err(_) => Failure::new(Reason::Unreachable, format!("it answers {}", answer.status())),
    })
}

fn nonce_of(answer: &Response<Bytes>) -> Option<String> {
    Some(answer.headers().get("replay-nonce")?.to_str().ok()?.to_owned())
}

fn request(method: Method, url: &str, body: Bytes) -> Result<Request<Full<Bytes>>, Failure> {
    let request = Request::builder().method(method).uri(url).header(CONTENT_TYPE, JOSE).body(Full::new(body));
    request
        .map_err(|_| Failure::new(Reason::Unreachable, format!("{url:?}, where it wants to be asked, is no address")))
}

/// RFC 8555 §6.2
const JOSE: HeaderValue = HeaderValue::from_static("application/jose+json");
/// As often as orders try.
const MOST_TRIES: u32 = 15;
