//! A request as the server sees it.

use base64ct::{Base64UrlUnpadded, Encoding};
use bytes::Bytes;
use serde_json::Value;

pub(super) struct Asked {
    pub(super) path: String,
    pub(super) body: Bytes,
}

/// What is said under a signature (RFC 8555 §6.2). The signature itself is taken for good.
pub(super) struct Signed {
    pub(super) nonce: String,
    pub(super) url: String,
    pub(super) account: Option<String>,
    pub(super) key: Option<String>,
    pub(super) payload: Value,
}

impl Asked {
    /// The names of a new order.
    pub(super) fn names(&self) -> Vec<String> {
        let payload = self.signed().map(|signed| signed.payload).unwrap_or_default();
        let names = payload["identifiers"].as_array().into_iter().flatten();
        names.filter_map(|one| one["value"].as_str().map(ToOwned::to_owned)).collect()
    }

    pub(super) fn signed(&self) -> Option<Signed> {
        let body: Value = serde_json::from_slice(&self.body).ok()?;
        let part = |name: &str| Base64UrlUnpadded::decode_vec(body[name].as_str()?).ok();
        let protected: Value = serde_json::from_slice(&part("protected")?).ok()?;
        let payload = part("payload")?;
        part("signature").filter(|signature| !signature.is_empty())?;
        Some(Signed {
            nonce: protected["nonce"].as_str()?.to_owned(),
            url: protected["url"].as_str()?.to_owned(),
            account: protected["kid"].as_str().map(ToOwned::to_owned),
            key: protected.get("jwk").map(ToString::to_string),
            payload: if payload.is_empty() { Value::Null } else { serde_json::from_slice(&payload).ok()? },
        })
    }
}
