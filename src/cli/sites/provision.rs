//! `vitrine sites use|diff|root`: where sites' certificates come from.

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::admin::answers::{Provided, Site};
use crate::cli::Running;
use crate::cli::output::{some_of, table};
use crate::outbound::{CallError, EdgeSocket, escaped};

#[derive(Args, Debug)]
pub(in crate::cli) struct Using {
    #[command(flatten)]
    pub(super) running: Running,
    /// The site's name, as `vitrine sites list` shows it
    #[arg(value_name = "SITE")]
    site: String,
    /// Where its certificates are to come from
    #[arg(value_enum)]
    certificate: From,
    /// With `uploaded`: the whole fingerprint of the certificate that is to serve, whatever else comes; once for each type of key
    #[arg(long, value_name = "FINGERPRINT")]
    pin: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
enum From {
    /// the best of what was dropped or imported
    Uploaded,
    /// an authority that the edge orders them from
    Managed,
    /// the edge's own authority
    SelfSigned,
    /// whatever the configuration says
    Configured,
}

/// Decides where a site's certificates come from.
pub(super) async fn use_(edge: &EdgeSocket, using: &Using) -> Result<String, CallError> {
    let Using { site, certificate, pin, .. } = using;
    let target = format!("/api/v1/sites/{}/choice", escaped(site));
    let provided: Provided = match certificate {
        From::Configured => edge.delete(&target).await?,
        certificate => {
            let order = serde_json::json!({ "certificate": certificate, "pinned": pin });
            edge.post_json(&target, &order).await?
        }
    };
    let pinned =
        if provided.pinned.is_empty() { String::new() } else { format!(", pinned {}", provided.pinned.join(" ")) };
    Ok(format!("{site}: {}{pinned}", provided.effective))
}

/// What was decided about a site: what is configured, what holds instead, who decided, and when.
fn decided(site: Site) -> Vec<[String; 5]> {
    let Site { name, certificate, minimum, .. } = site;
    let pinned: Vec<String> = certificate.pinned.iter().map(|pin| pin.chars().take(12).collect()).collect();
    let effective = format!("{} {}", certificate.effective, some_of(&pinned, 2)).trim_end().to_owned();
    let asks = |level: Option<String>| format!("minimum {}", level.as_deref().unwrap_or("none"));
    let decisions = [
        (certificate.configured, effective, certificate.decided_by, certificate.decided_at),
        (asks(minimum.configured), asks(minimum.effective), minimum.decided_by, minimum.decided_at),
    ];
    let row = |(configured, effective, by, at): (String, String, Option<String>, Option<String>)| {
        Some([name.clone(), configured, effective, by?, at.unwrap_or_default()])
    };
    decisions.into_iter().filter_map(row).collect()
}

/// What was decided otherwise than the configuration says.
pub(super) async fn diff(edge: &EdgeSocket, json: bool) -> Result<String, CallError> {
    if json {
        let sites: Vec<Value> = edge.get("/api/v1/sites").await?;
        let is_decided =
            |site: &Value| ["certificate", "minimum"].iter().any(|what| !site[what]["decided_by"].is_null());
        let told = sites.into_iter().filter(is_decided).map(
            |site| serde_json::json!({ "name": site["name"], "certificate": site["certificate"], "minimum": site["minimum"] }),
        );
        return Ok(format!("{:#}", Value::Array(told.collect())));
    }
    let sites: Vec<Site> = edge.get("/api/v1/sites").await?;
    let rows: Vec<_> = sites.into_iter().flat_map(decided).collect();
    if rows.is_empty() {
        return Ok("nothing was decided otherwise: every site is as the configuration says".into());
    }
    Ok(table(["SITE", "CONFIGURED", "DECIDED", "BY", "SINCE"], &rows))
}

/// The root of the edge's own authority.
pub(super) async fn root(edge: &EdgeSocket) -> Result<String, CallError> {
    #[derive(Deserialize)]
    struct LocalCa {
        root_pem: String,
    }
    let LocalCa { root_pem } = edge.get("/api/v1/local-ca").await?;
    Ok(root_pem.trim_end().to_owned())
}
