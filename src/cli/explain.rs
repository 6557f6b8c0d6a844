//! `vitrine explain`: what a running edge does with a request, and why.

use std::process::ExitCode;

use clap::Args;
use serde::Deserialize;
use serde_json::Value;

use super::Running;
use super::output::table;
use crate::admin::answers::{Managed, OrderFailure, Orders, Serving, SiteHost};
use crate::outbound::escaped;
use crate::telemetry::printable;

#[derive(Args, Debug)]
pub(super) struct Explaining {
    #[command(flatten)]
    running: Running,
    /// Such as https://shop.example/path
    #[arg(value_name = "URL")]
    url: String,
    /// The client's address, where a site or a lever asks for it
    #[arg(long, value_name = "ADDRESS")]
    client: Option<String>,
    /// Print the API's answer instead of text
    #[arg(long)]
    json: bool,
}

#[derive(Deserialize)]
struct Explanation {
    host: String,
    site: Option<Site>,
    certificate: Option<SiteHost>,
    managed: Option<Managed>,
    outcome: Outcome,
    route: Option<Route>,
    rules: Vec<String>,
    mistakes: Vec<String>,
}

#[derive(Deserialize)]
struct Site {
    name: String,
    origin: String,
    by: String,
}

#[derive(Deserialize)]
struct Outcome {
    kind: String,
    why: String,
    location: Option<String>,
}

#[derive(Deserialize)]
struct Route {
    upstreams: Vec<Upstream>,
}

#[derive(Deserialize)]
struct Upstream {
    upstream: String,
    state: String,
    addresses: Option<Vec<String>>,
    unresolved: Option<String>,
    reason: Option<String>,
    failures: u32,
}

impl Explaining {
    pub(super) fn obey(&self) -> ExitCode {
        let mut path = format!("/api/v1/explain?url={}", escaped(&self.url));
        if let Some(client) = &self.client {
            path = format!("{path}&client={}", escaped(client));
        }
        self.running.ask(async |edge| {
            if self.json {
                let answer: Value = edge.get(&path).await?;
                return Ok(format!("{answer:#}"));
            }
            Ok(told(edge.get(&path).await?))
        })
    }
}

/// A line for each thing to know, in the order in which a request meets them.
fn told(explanation: Explanation) -> String {
    let Explanation { host, site, certificate, managed, outcome, route, rules, mistakes } = explanation;
    let mut lines: Vec<[String; 2]> = Vec::new();
    let mut tell = |what: &str, text: String| lines.push([what.to_owned(), printable(&text)]);
    match site {
        Some(Site { name, origin, by }) if by == host => tell("site", format!("{name}, written in {origin}")),
        Some(Site { name, origin, by }) => tell("site", format!("{name} through {by}, written in {origin}")),
        None => tell("site", "none".into()),
    }
    match certificate {
        None => tell("certificate", "none".into()),
        Some(SiteHost { state, served, certificates, .. }) => {
            for Serving { key_type, fingerprint, not_after, rule, .. } in &certificates {
                let beginning = fingerprint.get(..16).unwrap_or(fingerprint);
                tell("certificate", format!("{key_type} {beginning} until {not_after}, chosen by: {rule}"));
            }
            tell("", format!("{state}; clients are shown it {}", served.as_deref().unwrap_or("(not looked at yet)")));
        }
    }
    if let Some(Managed { gravest: Orders { state, next, last_failure, .. }, .. }) = managed {
        tell("orders", format!("{state}; next: {}", next.as_deref().unwrap_or("nothing")));
        if let Some(OrderFailure { at, issuer, detail, .. }) = last_failure {
            tell("", format!("failed at {at} with {issuer}: {detail}"));
        }
    }
    tell("outcome", format!("{}: {}", outcome.kind, outcome.why));
    if let Some(location) = outcome.location {
        tell("", location);
    }
    for (place, found) in route.into_iter().flat_map(|route| route.upstreams).enumerate() {
        let Upstream { upstream, state, addresses, unresolved, reason, failures } = found;
        let at = match addresses.unwrap_or_default() {
            addresses if addresses.is_empty() => String::new(),
            addresses => format!(" at {}", addresses.join(", ")),
        };
        let unresolved = unresolved.map(|why| format!("; its name is not found now: {why}")).unwrap_or_default();
        let why = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
        let failed = if failures > 0 { format!(", {failures} failures in a row") } else { String::new() };
        tell(if place == 0 { "upstreams" } else { "" }, format!("{upstream}{at} {state}{why}{failed}{unresolved}"));
    }
    for (what, texts) in [("rules", rules), ("mistakes", mistakes)] {
        for (place, text) in texts.into_iter().enumerate() {
            tell(if place == 0 { what } else { "" }, text);
        }
    }
    table(["WHAT", "IS"], &lines)
}

pub(super) const HELP: &str = "\
Nothing is asked of any upstream for that.
Examples: vitrine explain https://shop.example/api/orders
          vitrine explain shop.example --client 203.0.113.7";
