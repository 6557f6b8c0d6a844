//! `vitrine sites`: which certificate serves which host of a running edge, and why.

use serde::Deserialize;
use serde_json::Value;

use super::output::table;
use crate::outbound::{CallError, EdgeSocket};

/// Every host of every site, a line for each certificate that serves it.
pub(super) async fn list(edge: &EdgeSocket, json: bool) -> Result<String, CallError> {
    if json {
        let answer: Value = edge.get("/api/v1/sites").await?;
        return Ok(format!("{answer:#}"));
    }
    let sites: Vec<Site> = edge.get("/api/v1/sites").await?;
    Ok(listed(&sites))
}

#[derive(Deserialize)]
struct Site {
    name: String,
    hosts: Vec<Host>,
}

#[derive(Deserialize)]
struct Host {
    host: String,
    state: String,
    certificates: Vec<Serving>,
}

#[derive(Deserialize)]
struct Serving {
    key_type: String,
    not_after: String,
    rule: String,
}

fn listed(sites: &[Site]) -> String {
    if sites.is_empty() {
        return "no site is configured; add a [[site]] with hosts and upstreams to the configuration".into();
    }
    let mut rows = Vec::new();
    for site in sites {
        for host in &site.hosts {
            let row = |serving: Option<&Serving>| {
                let told = |text: fn(&Serving) -> &str| serving.map_or("", text).to_owned();
                [
                    site.name.clone(),
                    host.host.clone(),
                    host.state.clone(),
                    told(|serving| &serving.key_type),
                    // The day is what matters, and it stands first (RFC 3339).
                    told(|serving| serving.not_after.get(..10).unwrap_or(&serving.not_after)),
                    told(|serving| &serving.rule),
                ]
            };
            if host.certificates.is_empty() {
                rows.push(row(None));
            }
            rows.extend(host.certificates.iter().map(|serving| row(Some(serving))));
        }
    }
    table(["SITE", "HOST", "STATE", "KEY", "UNTIL", "CHOSEN BECAUSE"], &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_host_has_a_line_for_each_key_and_one_when_there_is_none() {
        let sites: Vec<Site> = serde_json::from_value(serde_json::json!([{
            "name": "shop",
            "hosts": [
                { "host": "shop.example", "state": "served", "certificates": [
                    { "key_type": "ecdsa", "not_after": "2027-01-02T03:04:05Z", "rule": "issued later" },
                    { "key_type": "rsa", "not_after": "2027-02-03T03:04:05Z", "rule": "only candidate" },
                ]},
                { "host": "*.shop.example", "state": "no certificate", "certificates": [] },
            ],
        }]))
        .expect("sites");
        assert_eq!(
            listed(&sites),
            "SITE  HOST            STATE           KEY    UNTIL       CHOSEN BECAUSE\n\
             shop  shop.example    served          ecdsa  2027-01-02  issued later\n\
             shop  shop.example    served          rsa    2027-02-03  only candidate\n\
             shop  *.shop.example  no certificate"
        );
    }
}
