//! Whether whoever answers at an address of a name is this edge: it shows there, under that name alone, what nobody else knows, in
//! the way that the authority will be shown it.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use aws_lc_rs::rand;
use base64ct::{Base64UrlUnpadded, Encoding};
use http::StatusCode;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::handshake;
use crate::acme::failure::{Failure, Reason};
use crate::acme::shown::Shown;
use crate::name::HostName;
use crate::outbound::{Glimpse, Unseen, glimpse};

/// Who answers at an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// This edge.
    Ours,
    /// Nobody; why.
    Nobody(String),
    /// Another server; how it answers.
    Another(String),
}

impl From<Unseen> for Answer {
    fn from(unseen: Unseen) -> Self {
        match unseen {
            Unseen::NotReached(why) => Self::Nobody(why),
            Unseen::NoAnswer(why) => Self::Another(why),
        }
    }
}

/// Looks for a text on plain HTTP, as http-01 does (RFC 8555 §8.3), but follows no redirect.
///
/// # Errors
/// When the system gives no random numbers.
pub(super) async fn by_http(
    shown: &Shown,
    host: &HostName,
    addresses: &[IpAddr],
    port: u16,
) -> Result<Vec<Answer>, Failure> {
    let (token, text) = (random::<16>()?, random::<32>()?);
    let (token, text) = (Base64UrlUnpadded::encode_string(&token), Base64UrlUnpadded::encode_string(&text));
    let _shown = shown.token(host, &token, &text);
    let path = format!("/.well-known/acme-challenge/{token}");
    let look = |address: SocketAddr| {
        let (host, path, text) = (host.clone(), path.clone(), text.clone());
        async move {
            let seen = glimpse(address, (host.as_str(), &path), MOST_READ, Instant::now() + PATIENCE).await;
            seen.map_or_else(Answer::from, |seen| judge(&seen, &text))
        }
    };
    Ok(everywhere(addresses, port, look).await)
}

/// Looks for a certificate in a handshake, as tls-alpn-01 does (RFC 8737 §3).
///
/// # Errors
/// When no certificate can be made for it.
pub(super) async fn by_tls(
    shown: &Shown,
    host: &HostName,
    addresses: &[IpAddr],
    port: u16,
) -> Result<Vec<Answer>, Failure> {
    let (_shown, certificate) = shown.certificate(host, &random::<32>()?)?;
    let connector = handshake::expecting(certificate)?;
    let look = |address: SocketAddr| {
        let (host, connector) = (host.clone(), connector.clone());
        async move { handshake::look(&connector, address, &host, Instant::now() + PATIENCE).await }
    };
    Ok(everywhere(addresses, port, look).await)
}

/// Looks at all addresses at once; the answers are in their order.
async fn everywhere<F: Future<Output = Answer> + Send + 'static>(
    addresses: &[IpAddr],
    port: u16,
    look: impl Fn(SocketAddr) -> F,
) -> Vec<Answer> {
    let mut looks = JoinSet::new();
    for (place, address) in addresses.iter().enumerate() {
        let look = look(SocketAddr::new(*address, port));
        looks.spawn(async move { (place, look.await) });
    }
    let mut answers = vec![Answer::Nobody("the look at it failed; see the log".into()); addresses.len()];
    while let Some(done) = looks.join_next().await {
        if let Ok((place, answer)) = done {
            answers[place] = answer;
        }
    }
    answers
}

fn judge(seen: &Glimpse, text: &str) -> Answer {
    if seen.status == StatusCode::OK && seen.content == text.as_bytes() {
        return Answer::Ours;
    }
    let location = seen.location.as_deref().filter(|_| seen.status.is_redirection());
    Answer::Another(match location {
        Some(location) => {
            let to: String = location.escape_ascii().to_string().chars().take(LONGEST_SHOWN).collect();
            format!("it redirects to {to}, which is not followed")
        }
        None if seen.status == StatusCode::OK && seen.content.len() > MOST_READ => {
            format!("it answers with something else, of more than {MOST_READ} octets")
        }
        None if seen.status == StatusCode::OK => "it answers with something else".into(),
        None => format!("it answers {}", seen.status),
    })
}

fn random<const LENGTH: usize>() -> Result<[u8; LENGTH], Failure> {
    let mut octets = [0; LENGTH];
    let filled = rand::fill(&mut octets);
    filled.map_err(|_| Failure::new(Reason::State, "the system gives no random numbers"))?;
    Ok(octets)
}

/// Connecting and the whole answer. An authority waits about as long.
const PATIENCE: Duration = Duration::from_secs(10);
/// Far more than what is looked for.
const MOST_READ: usize = 1024;
const LONGEST_SHOWN: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_the_text_itself_is_ours() {
        let seen = |status: u16, location: Option<&str>, content: &str| {
            let status = StatusCode::from_u16(status).expect("a status");
            let location = location.map(|location| location.as_bytes().to_vec());
            judge(&Glimpse { status, location, content: content.into() }, "text")
        };
        let another = |told: &str| Answer::Another(told.into());
        assert_eq!(seen(200, None, "text"), Answer::Ours);
        for (status, location, content, told) in [
            (200, None, "text\n", "it answers with something else"),
            (200, None, &*"a".repeat(1025), "it answers with something else, of more than 1024 octets"),
            (404, None, "text", "it answers 404 Not Found"),
            (
                301,
                Some("https://x.example/\u{7}"),
                "",
                "it redirects to https://x.example/\\x07, which is not followed",
            ),
            (301, None, "", "it answers 301 Moved Permanently"),
            (200, Some("https://x.example/"), "", "it answers with something else"),
        ] {
            assert_eq!(seen(status, location, content), another(told), "{status} {content:.9}");
        }
    }
}
