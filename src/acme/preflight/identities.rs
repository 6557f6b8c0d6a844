//! What an authority is called in CAA records, as its directory says (RFC 8555 §9.7.6), and what our account there is.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde::Deserialize;
use tokio::time::Instant;

use crate::acme::terms::Issuer;
use crate::outbound::HttpsClient;

/// Asks directories, each at most once in a while.
#[derive(Clone, Default)]
pub(super) struct Identities(Arc<Mutex<HashMap<String, Told>>>);

/// What a directory said.
#[derive(Clone)]
struct Told {
    at: Instant,
    identities: Arc<[String]>,
}

#[derive(Deserialize)]
struct Directory {
    #[serde(default)]
    meta: Meta,
}

#[derive(Default, Deserialize)]
struct Meta {
    #[serde(default, rename = "caaIdentities")]
    identities: Vec<String>,
}

impl Identities {
    /// What an issuer is called; empty: it does not say, or cannot be asked now, which its order will tell.
    pub(super) async fn of(&self, issuer: &Issuer) -> Arc<[String]> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&issuer.directory).cloned();
        if let Some(known) = known.filter(|known| known.at.elapsed() < GOOD_FOR) {
            return known.identities;
        }
        match ask(issuer).await {
            Ok(identities) => {
                let identities: Arc<[String]> = identities.into();
                let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                let told = Told { at: Instant::now(), identities: Arc::clone(&identities) };
                known.insert(issuer.directory.clone(), told);
                identities
            }
            Err(why) => {
                tracing::debug!(issuer = %issuer.name, "what it is called in CAA records is not known: {why}");
                Arc::default()
            }
        }
    }
}

async fn ask(issuer: &Issuer) -> Result<Vec<String>, String> {
    let https = HttpsClient::new(issuer.roots.iter().cloned(), PATIENCE).map_err(|error| error.to_string())?;
    let request = Request::get(&issuer.directory).body(Full::<Bytes>::default()).map_err(|error| error.to_string())?;
    let answer = https.send(request).await.map_err(|error| error.to_string())?;
    if !answer.status().is_success() {
        return Err(format!("its directory answers {}", answer.status()));
    }
    serde_json::from_slice::<Directory>(answer.body())
        .map(|directory| directory.meta.identities)
        .map_err(|error| format!("its directory cannot be read: {error}"))
}

/// An authority changes its name less often than anything else.
const GOOD_FOR: Duration = Duration::from_hours(1);
/// Who is slower will be so for the order too.
const PATIENCE: Duration = Duration::from_secs(10);
