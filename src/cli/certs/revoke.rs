//! `vitrine certs revoke`: what the authority takes back, and what becomes of it here.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::pick::digits;
use crate::outbound::{CallError, EdgeSocket};

/// Why.
#[derive(Clone, Copy, Debug, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Reason {
    /// nobody needs to know
    Unspecified,
    /// somebody else has the key, or may have it: new keys, for session tickets too
    KeyCompromise,
    /// the organisation in it has another name
    AffiliationChanged,
    /// there is a newer one
    Superseded,
    /// the names are not in use any more, or somebody else's
    CessationOfOperation,
}

#[derive(Deserialize)]
struct Revoked {
    revoked: String,
    reason: String,
    issuer: String,
    signed_by: String,
    ordered: Vec<String>,
    serves: Vec<String>,
    same_key: Vec<String>,
    tickets_rotated: bool,
}

/// Has it revoked, and says what that led to.
pub(super) async fn revoke(
    edge: &EdgeSocket,
    fingerprint: &str,
    reason: Reason,
    now: bool,
) -> Result<String, CallError> {
    let fingerprint = digits(fingerprint).unwrap_or_else(|| crate::outbound::escaped(fingerprint));
    let edge = edge.clone().with_patience(crate::cli::acme::PATIENCE);
    let target = format!("/api/v1/certificates/{fingerprint}/revoke");
    let revoked: Revoked = edge.post_json(&target, &json!({ "reason": reason, "now": now })).await?;
    Ok(revoked.told())
}

impl Revoked {
    fn told(&self) -> String {
        let by = if self.signed_by == "account" { "the account" } else { "its own key" };
        let mut lines = vec![format!("revoked: {} by {}, signed by {by} ({})", self.revoked, self.issuer, self.reason)];
        if !self.ordered.is_empty() {
            let sites = self.ordered.join(", ");
            lines.push(format!(
                "another is ordered, with a new key, for: {sites}; `vitrine sites list` shows what comes of it"
            ));
        }
        if !self.serves.is_empty() {
            lines.push(format!("it serves until then, or until you bring another: {}", self.serves.join(", ")));
        }
        if self.tickets_rotated {
            lines.push("no TLS session from before can be resumed any more".into());
        }
        lines.extend(self.same_key.iter().map(|other| {
            format!("the same key is in {other}, which is not revoked by this: vitrine certs revoke {other}")
        }));
        lines.join("\n")
    }
}
