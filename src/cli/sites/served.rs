//! `vitrine sites`: which certificate serves which host of a running edge, and why.

use std::str::FromStr;

use serde::Serialize;
use serde_json::Value;

use crate::admin::answers::{Managed, OrderFailure, Orders, Serving, Site, SiteHost};
use crate::cli::output::{complain, table};
use crate::outbound::{CallError, EdgeSocket, escaped};
use crate::telemetry::printable;

/// Every host of every site, a line for each certificate that serves it. What is served otherwise goes to standard error.
pub(super) async fn list(edge: &EdgeSocket, json: bool) -> Result<String, CallError> {
    if json {
        let answer: Value = edge.get("/api/v1/sites").await?;
        return Ok(format!("{answer:#}"));
    }
    let sites: Vec<Site> = edge.get("/api/v1/sites").await?;
    for line in remarks(&sites) {
        complain(&line);
    }
    Ok(listed(&sites))
}

/// A site as the edge takes it, with the keys of `[[site]]`.
#[derive(Serialize)]
pub(super) struct NewSite<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<&'a str>,
    pub(super) hosts: &'a [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub(super) upstreams: &'a [String],
    #[serde(rename = "route", skip_serializing_if = "<[NewRoute]>::is_empty")]
    pub(super) routes: &'a [NewRoute],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) minimum_validation: Option<&'a str>,
}

/// Where the requests below a path go: `PATH=URL`, and more URLs behind commas.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct NewRoute {
    path: String,
    upstreams: Vec<String>,
}

impl FromStr for NewRoute {
    type Err = String;

    /// What path and URLs may be, the edge knows.
    fn from_str(text: &str) -> Result<Self, String> {
        // A path may hold one; the address of an upstream has none.
        match text.rsplit_once('=') {
            Some((path, urls)) if path.starts_with('/') && !urls.is_empty() => {
                Ok(Self { path: path.to_owned(), upstreams: urls.split(',').map(str::to_owned).collect() })
            }
            _ => Err("expected PATH=URL[,URL...], such as /api=http://10.0.0.12:8080".into()),
        }
    }
}

/// Has a site served from now on.
pub(super) async fn add(edge: &EdgeSocket, site: &NewSite<'_>) -> Result<String, CallError> {
    let added: Site = edge.post_json("/api/v1/sites", site).await?;
    Ok(format!("added: {}, written in {}", added.name, added.origin))
}

/// Has a site that was added served no longer.
pub(super) async fn remove(edge: &EdgeSocket, name: &str) -> Result<String, CallError> {
    let _: Value = edge.delete(&format!("/api/v1/sites/{}", escaped(name))).await?;
    Ok(format!("removed: {name}; its certificates stay where they are"))
}

/// Has a certificate ordered for a managed site.
pub(super) async fn renew(edge: &EdgeSocket, name: &str) -> Result<String, CallError> {
    let _: Value = edge.post(&format!("/api/v1/sites/{}/renew", escaped(name))).await?;
    Ok(format!("{name}: ordered; `vitrine sites list` shows what comes of it"))
}

impl Managed {
    /// One word, or where they differ one for each type of key.
    fn words(&self) -> String {
        match self.keys.iter().all(|key| key.orders.state == self.gravest.state) {
            true => self.gravest.state.clone(),
            false => {
                let each = self.keys.iter().map(|key| format!("{} {}", key.key_type, key.orders.state));
                let each: Vec<String> = each.collect();
                each.join(", ")
            }
        }
    }

    /// What the word for its state leaves out, where something is to be done.
    fn remark(&self, site: &str) -> Option<String> {
        match &self.gravest {
            Orders { state, next, last_failure: Some(OrderFailure { reason, detail, .. }), .. } if state == FAILED => {
                let next = next.as_deref().unwrap_or("when it is asked for");
                Some(format!("{site}: {FAILED} ({reason}), tried again {next}: {}", printable(detail)))
            }
            Orders { waits_for: Some(why), .. } => Some(format!("{site}: waits: {}", printable(why))),
            Orders { warning: Some(OrderFailure { reason, detail, .. }), .. } => {
                Some(format!("{site}: ordered in spite of this ({reason}): {}", printable(detail)))
            }
            _ => None,
        }
    }
}

impl SiteHost {
    /// Its certificates, or nothing once, each with what is wrong with how it is served.
    fn lines(&self) -> Vec<(Option<&Serving>, Option<&str>)> {
        if self.certificates.is_empty() {
            return vec![(None, wrong(self.served.as_ref()))];
        }
        self.certificates.iter().map(|serving| (Some(serving), wrong(serving.served.as_ref()))).collect()
    }
}

impl Site {
    fn state_of(&self, host: &SiteHost, is_wrong: bool) -> String {
        let mut state = host.state.clone();
        if let Some(managed) = &self.managed {
            state += &format!(", {}{}", managed.words(), if managed.gravest.is_late { ", renewal late" } else { "" });
            if managed.gravest.left_out.contains(&host.host) {
                state += ", left out";
            }
        }
        if is_wrong {
            state += ", not seen as published";
        }
        state
    }
}

fn wrong(served: Option<&String>) -> Option<&str> {
    served.map(String::as_str).filter(|served| *served != AS_PUBLISHED)
}

/// Why managed sites have no certificate, or may soon have none; then what is not served as it is published, or could not be asked.
fn remarks(sites: &[Site]) -> Vec<String> {
    let managed = sites.iter().filter_map(|site| site.managed.as_ref()?.remark(&site.name));
    let mut remarks: Vec<String> = managed.collect();
    for host in sites.iter().flat_map(|site| &site.hosts) {
        for (serving, wrong) in host.lines() {
            let key = serving.map(|serving| format!(" ({})", serving.key_type)).unwrap_or_default();
            remarks
                .extend(wrong.map(|wrong| format!("not seen as published: {}{key}: {}", host.host, printable(wrong))));
        }
    }
    remarks
}

fn listed(sites: &[Site]) -> String {
    if sites.is_empty() {
        return "no site is configured; add a [[site]] with hosts and upstreams to the configuration".into();
    }
    let mut rows = Vec::new();
    for site in sites {
        for host in &site.hosts {
            for (serving, wrong) in host.lines() {
                let told = |text: fn(&Serving) -> &str| serving.map_or("", text).to_owned();
                rows.push([
                    site.name.clone(),
                    site.state.clone(),
                    host.host.clone(),
                    site.state_of(host, wrong.is_some()),
                    told(|serving| &serving.key_type),
                    // The day is what matters, and it stands first (RFC 3339).
                    told(|serving| serving.not_after.get(..10).unwrap_or(&serving.not_after)),
                    told(|serving| &serving.rule),
                    site.origin.clone(),
                ]);
            }
        }
    }
    table(["SITE", "SITE STATE", "HOST", "STATE", "KEY", "UNTIL", "CHOSEN BECAUSE", "WRITTEN IN"], &rows)
}

/// What the API says of a host where nothing is wrong.
const AS_PUBLISHED: &str = "as published";
/// What it says of a managed site that is to be mended.
const FAILED: &str = "FAILED";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::answers::site_with;

    #[test]
    fn a_route_is_a_path_and_where_it_leads() {
        let route = |path: &str, upstreams: &[&str]| {
            Ok(NewRoute { path: path.into(), upstreams: upstreams.iter().map(ToString::to_string).collect() })
        };
        assert_eq!("/api=http://a:1".parse(), route("/api", &["http://a:1"]));
        assert_eq!("/a=b/=http://a:1,http://b:2".parse(), route("/a=b/", &["http://a:1", "http://b:2"]));
        for wrong in ["", "/api", "/api=", "api=http://a:1", "=http://a:1"] {
            assert!(wrong.parse::<NewRoute>().is_err_and(|told| told.starts_with("expected PATH=URL")), "{wrong}");
        }
    }

    #[test]
    fn every_host_has_a_line_for_each_key_and_one_when_there_is_none() {
        let sites = [site_with(&serde_json::json!({
            "name": "shop",
            "origin": "v.toml",
            "state": "configure",
            "hosts": [
                { "host": "shop.example", "state": "served", "certificates": [
                    { "key_type": "ecdsa", "not_after": "2027-01-02T03:04:05Z", "rule": "issued later" },
                    { "key_type": "rsa", "not_after": "2027-02-03T03:04:05Z", "rule": "only candidate" },
                ]},
                { "host": "*.shop.example", "state": "no certificate", "certificates": [] },
            ],
        }))];
        assert_eq!(
            listed(&sites),
            "SITE  SITE STATE  HOST            STATE           KEY    UNTIL       CHOSEN BECAUSE  WRITTEN IN\n\
             shop  configure   shop.example    served          ecdsa  2027-01-02  issued later    v.toml\n\
             shop  configure   shop.example    served          rsa    2027-02-03  only candidate  v.toml\n\
             shop  configure   *.shop.example  no certificate                                     v.toml"
        );
    }

    #[test]
    fn why_a_managed_site_failed_waits_or_may_fail_is_told_with_its_name() {
        let remarked = |mut managed: Value| {
            managed["is_late"] = false.into();
            remarks(&[site_with(&serde_json::json!({ "name": "shop", "managed": managed }))])
        };
        let found = serde_json::json!({ "reason": "caa", "detail": "lets\nnobody issue" });
        for (managed, told) in [
            (
                serde_json::json!({ "state": "FAILED", "next": "2027-01-02T03:04:05Z", "last_failure": found }),
                &["shop: FAILED (caa), tried again 2027-01-02T03:04:05Z: lets\\nnobody issue"][..],
            ),
            (serde_json::json!({ "state": "WAITING", "waits_for": "another" }), &["shop: waits: another"]),
            (
                serde_json::json!({ "state": "ISSUED", "warning": found }),
                &["shop: ordered in spite of this (caa): lets\\nnobody issue"],
            ),
            (serde_json::json!({ "state": "ISSUED", "last_failure": null }), &[]),
        ] {
            assert_eq!(remarked(managed), told);
        }
    }

    #[test]
    fn what_is_served_otherwise_is_marked_and_explained() {
        let sites = [site_with(&serde_json::json!({
            "name": "shop",
            "origin": "v.toml",
            "state": "completed",
            "hosts": [
                { "host": "shop.example", "state": "served", "checked": null, "served": null, "certificates": [
                    { "key_type": "ecdsa", "not_after": "2027-01-02T03:04:05Z", "rule": "r", "served": "as published" },
                    { "key_type": "rsa", "not_after": "2027-02-03T03:04:05Z", "rule": "r", "served": "another\none" },
                ]},
                { "host": "late.example", "state": "no certificate", "served": "some", "certificates": [] },
            ],
        }))];
        assert_eq!(
            listed(&sites),
            "SITE  SITE STATE  HOST          STATE                                  KEY    UNTIL       CHOSEN BECAUSE  WRITTEN IN\n\
             shop  completed   shop.example  served                                 ecdsa  2027-01-02  r               v.toml\n\
             shop  completed   shop.example  served, not seen as published          rsa    2027-02-03  r               v.toml\n\
             shop  completed   late.example  no certificate, not seen as published                                     v.toml"
        );
        assert_eq!(
            remarks(&sites),
            ["not seen as published: shop.example (rsa): another\\none", "not seen as published: late.example: some"]
        );
    }
}
