//! A message as a post: what it says in JSON, signed so that whoever gets it knows from whom it is.

use std::time::Duration;

use aws_lc_rs::hmac;
use bytes::Bytes;
use http::header::HeaderName;
use http::{HeaderValue, StatusCode};
use serde_json::json;
use tokio::time::Instant;

use super::contact::{Format, Secret, Webhook};
use super::queue::Entry;
use super::setback::Setback;
use crate::outbound::{NotPosted, PostClient, Posted};

/// Posts it. When this gives nothing it was taken.
pub(super) async fn post(client: &PostClient, to: &Webhook, id: &str, entry: &Entry, now: i64) -> Result<(), Setback> {
    let body = body(to.format, id, entry);
    let mut fields = vec![(DELIVERY, HeaderValue::from_str(id).map_err(|error| Setback::refused(error.to_string()))?)];
    if let Some(secret) = &to.secret {
        let signature = HeaderValue::from_str(&signature(secret, now, &body));
        fields.push((SIGNATURE, signature.map_err(|error| Setback::refused(error.to_string()))?));
    }
    let posted = client.post(&to.address, &fields, Bytes::from(body), Instant::now() + PATIENCE).await;
    judge(&to.address.to_string(), posted)
}

fn body(format: Format, id: &str, entry: &Entry) -> String {
    match format {
        Format::Json => json!({
            "delivery": id,
            "kind": entry.list.word(),
            "subject": entry.subject,
            "text": entry.text,
            "due": entry.due,
            "data": entry.data,
        })
        .to_string(),
        Format::Slack => {
            // What else would be a link or a call to everybody.
            let plain = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            json!({ "text": format!("*{}*\n{}", plain(&entry.subject), plain(&entry.text)) }).to_string()
        }
    }
}

/// HMAC-SHA256 over the time, a dot and the body, so that a post that was overheard cannot be repeated later.
fn signature(secret: &Secret, now: i64, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.reveal().as_bytes());
    let tag = hmac::sign(&key, format!("{now}.{body}").as_bytes());
    let tag: String = tag.as_ref().iter().map(|octet| format!("{octet:02x}")).collect();
    format!("t={now},v1={tag}")
}

fn judge(to: &str, posted: Result<Posted, NotPosted>) -> Result<(), Setback> {
    let Posted { status, retry_after, redirects } = match posted {
        Ok(posted) => posted,
        Err(NotPosted::Inside(why)) => return Err(Setback::refused(why)),
        Err(NotPosted::NoAnswer(why)) => return Err(Setback::Away(why)),
    };
    if status.is_success() {
        return Ok(());
    }
    if redirects {
        let text = format!("{to} answers {status} with another address, which is not followed; write that address");
        return Err(Setback::refused(text));
    }
    // Who is over-asked, or broken, may answer soon; who does not like what comes, or who sends it, will not.
    let is_lasting = !(status.is_server_error()
        || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY));
    Err(Setback::Refused { is_lasting, text: format!("{to} answers {status}"), after: retry_after })
}

/// A program that takes longer is in trouble.
const PATIENCE: Duration = Duration::from_secs(20);
const DELIVERY: HeaderName = HeaderName::from_static("vitrine-delivery");
const SIGNATURE: HeaderName = HeaderName::from_static("vitrine-signature");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_what_any_program_comes_to() {
        let secret = Secret::new("an example of a secret").expect("a secret");
        // printf '1795305600.{"a":1}' | openssl dgst -sha256 -hmac 'an example of a secret'
        assert_eq!(
            signature(&secret, 1_795_305_600, "{\"a\":1}"),
            "t=1795305600,v1=5060314ec250845d5ebb9a61be5e5955bbe3c8b935044ea232f67ff312034863"
        );
        assert_eq!(format!("{secret:?}"), "Secret(…)");
    }

    #[test]
    fn an_answer_tells_whether_to_ask_again_soon() {
        let answer = |status: u16, redirects| {
            let status = StatusCode::from_u16(status).expect("a status");
            judge("https://a.example", Ok(Posted { status, retry_after: Some(Duration::from_secs(9)), redirects }))
        };
        assert_eq!([200, 202, 204].map(|status| answer(status, false)), [Ok(()), Ok(()), Ok(())]);
        for (status, is_lasting) in [(400, true), (404, true), (410, true), (429, false), (500, false), (503, false)] {
            let said = answer(status, false).expect_err("refused");
            let after = Some(Duration::from_secs(9));
            assert!(
                matches!(&said, Setback::Refused { is_lasting: is, after: a, .. } if (*is, *a) == (is_lasting, after)),
                "{said:?}"
            );
            assert!(said.text().starts_with(&format!("https://a.example answers {status} ")), "{said:?}");
        }
        assert!(answer(302, true).expect_err("refused").text().contains("which is not followed"));
    }
}
