//! A question to the operator's own endpoint, and its answer.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Uri};
use http_body_util::Full;

use crate::acme::terms::AcmeTerms;
use crate::name::HostName;
use crate::outbound::HttpsClient;

/// What is known of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It may be served.
    Yes,
    /// It may not.
    No,
    /// The endpoint could not be asked, or answered neither; why.
    Failed(String),
    /// It was not asked: there were too many questions.
    Limited,
}

impl Answer {
    /// Every word that there is for one.
    pub const WORDS: [&'static str; 4] = ["yes", "no", "failed", "limited"];

    /// The place of its word.
    #[must_use]
    pub const fn place(&self) -> usize {
        match self {
            Self::Yes => 0,
            Self::No => 1,
            Self::Failed(_) => 2,
            Self::Limited => 3,
        }
    }
}

/// Asks over a connection of its own, which ends within [`PATIENCE`].
pub(super) async fn put(terms: &AcmeTerms, address: &str, name: &HostName) -> Answer {
    match HttpsClient::new(terms.roots.iter().cloned(), PATIENCE) {
        Ok(client) => ask(&client, address, name).await,
        Err(error) => Answer::Failed(error.to_string()),
    }
}

/// Asks whether a name may be served: 2xx is yes, 4xx is no. A redirect is followed nowhere, and no answer at all.
async fn ask(client: &HttpsClient, address: &str, name: &HostName) -> Answer {
    let Ok(address) = address_of(address, name).parse::<Uri>() else {
        return Answer::Failed(format!("{address:?} is no address"));
    };
    let Ok(question) = Request::get(address).header("user-agent", AGENT).body(Full::<Bytes>::default()) else {
        return Answer::Failed("the question cannot be written".into());
    };
    match client.send(question).await {
        Ok(answer) if answer.status().is_success() => Answer::Yes,
        Ok(answer) if answer.status().is_client_error() => Answer::No,
        Ok(answer) => Answer::Failed(format!("it answers {}, expected 200 or 404", answer.status().as_u16())),
        Err(error) => Answer::Failed(error.to_string()),
    }
}

/// Normal names need no escapes.
fn address_of(address: &str, name: &HostName) -> String {
    let joint = if address.contains('?') { '&' } else { '?' };
    format!("{address}{joint}domain={name}")
}

/// One question and its answer.
const PATIENCE: Duration = Duration::from_secs(10);
const AGENT: &str = concat!("vitrine/", env!("CARGO_PKG_VERSION"));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_asked_for_beside_what_stands_there_already() {
        let name = HostName::parse("shop.example").expect("a name");
        assert_eq!(address_of("https://a/may", &name), "https://a/may?domain=shop.example");
        assert_eq!(address_of("https://a/may?key=1", &name), "https://a/may?key=1&domain=shop.example");
    }

    #[test]
    fn every_answer_has_a_word() {
        let words = [Answer::Yes, Answer::No, Answer::Failed(String::new()), Answer::Limited].map(|it| it.place());
        assert_eq!(words, [0, 1, 2, 3]);
    }
}
