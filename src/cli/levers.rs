//! `vitrine levers|deny|admit|freeze|log-level` and `vitrine sites maintenance`: what is wanted otherwise than configured for a while.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::lasting::Lasting;
use super::output::table;
use super::{Asking, Running};
use crate::outbound::{CallError, EdgeSocket, escaped};

#[derive(Args, Debug)]
pub(super) struct Denying {
    #[command(flatten)]
    running: Running,
    /// An address, or a network such as 203.0.113.0/24
    #[arg(value_name = "NETWORK")]
    network: String,
    /// For lists and the audit trail
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    #[command(flatten)]
    lasting: Lasting,
}

#[derive(Args, Debug)]
pub(super) struct Admitting {
    #[command(flatten)]
    running: Running,
    /// As `vitrine levers` has it
    #[arg(value_name = "NETWORK")]
    network: String,
}

#[derive(Args, Debug)]
pub(super) struct Freezing {
    #[command(flatten)]
    running: Running,
    /// `off` lets it go on
    #[arg(value_enum, default_value_t = Switch::On, hide_default_value = true)]
    state: Switch,
    /// For lists and the audit trail
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    #[command(flatten)]
    lasting: Lasting,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Switch {
    On,
    Off,
}

#[derive(Args, Debug)]
pub(super) struct Logging {
    #[command(flatten)]
    running: Running,
    /// The least severe level that is written
    #[arg(value_parser = ["error", "warn", "info", "debug", "configured"])]
    level: String,
    #[command(flatten)]
    lasting: Lasting,
}

#[derive(Args, Debug)]
pub(super) struct Maintaining {
    #[command(flatten)]
    running: Running,
    /// The site's name, as `vitrine sites list` shows it
    #[arg(value_name = "SITE")]
    site: String,
    /// Whether visitors are told that it is being worked on
    #[arg(value_parser = ["on", "off", "configured"])]
    state: String,
    #[command(flatten)]
    lasting: Lasting,
}

/// An order, with what it is about.
#[derive(Serialize)]
struct Order<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    network: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    level: Option<&'a str>,
    expires: Option<String>,
    keep: bool,
}

impl<'a> Order<'a> {
    fn lasting(lasting: &Lasting) -> Self {
        let (expires, keep) = (lasting.end(), lasting.keep);
        Self { network: None, reason: None, state: None, level: None, expires, keep }
    }
}

#[derive(Deserialize)]
struct Levers {
    upstreams: Vec<Lever>,
    maintenance: Vec<Lever>,
    denied: Vec<Lever>,
    frozen: Option<Lever>,
    log_level: Option<Lever>,
}

#[derive(Deserialize)]
struct Lever {
    #[serde(default)]
    object: String,
    value: String,
    by: String,
    since: String,
    expires: Option<String>,
    kept: bool,
}

/// Everything that is wanted otherwise.
pub(super) fn list(Asking { running, json }: &Asking) -> ExitCode {
    running.ask(async |edge| {
        if *json {
            let answer: Value = edge.get(LEVERS).await?;
            return Ok(format!("{answer:#}"));
        }
        Ok(listed(edge.get(LEVERS).await?))
    })
}

impl Denying {
    pub(super) fn obey(&self) -> ExitCode {
        let Self { running, network, reason, lasting } = self;
        let order = Order { network: Some(network), reason: Some(reason), ..Order::lasting(lasting) };
        running.ask(async |edge| Ok(listed(edge.post_json("/api/v1/denied", &order).await?)))
    }
}

impl Admitting {
    pub(super) fn obey(&self) -> ExitCode {
        let path = format!("/api/v1/denied/{}", escaped(&self.network));
        self.running.ask(async |edge| Ok(listed(edge.delete(&path).await?)))
    }
}

impl Freezing {
    pub(super) fn obey(&self) -> ExitCode {
        let Self { running, state, reason, lasting } = self;
        running.ask(async |edge| {
            let levers = match state {
                Switch::On => {
                    let order = Order { reason: Some(reason), ..Order::lasting(lasting) };
                    edge.post_json(FREEZE, &order).await?
                }
                Switch::Off => edge.delete(FREEZE).await?,
            };
            Ok(listed(levers))
        })
    }
}

impl Logging {
    pub(super) fn obey(&self) -> ExitCode {
        let Self { running, level, lasting } = self;
        running.ask(async |edge| {
            let levers = match &**level {
                "configured" => edge.delete(LOG_LEVEL).await?,
                level => edge.post_json(LOG_LEVEL, &Order { level: Some(level), ..Order::lasting(lasting) }).await?,
            };
            Ok(listed(levers))
        })
    }
}

impl Maintaining {
    pub(super) fn obey(&self) -> ExitCode {
        let Self { running, site, state, lasting } = self;
        let order = Order { state: Some(state), ..Order::lasting(lasting) };
        running.ask(async |edge| maintain(edge, site, &order).await)
    }
}

async fn maintain(edge: &EdgeSocket, site: &str, order: &Order<'_>) -> Result<String, CallError> {
    let path = format!("/api/v1/sites/{}/maintenance", escaped(site));
    Ok(listed(edge.post_json(&path, order).await?))
}

fn listed(levers: Levers) -> String {
    let Levers { upstreams, maintenance, denied, frozen, log_level } = levers;
    let kinds = [("upstream", upstreams), ("maintenance", maintenance), ("denied", denied)];
    let named = kinds.into_iter().flat_map(|(kind, levers)| levers.into_iter().map(move |lever| (kind, lever)));
    let single = [("frozen", frozen), ("log-level", log_level)];
    let single = single.into_iter().filter_map(|(kind, lever)| Some((kind, lever?)));
    let row = |(kind, lever): (&str, Lever)| {
        let until = lever.expires.unwrap_or_else(|| if lever.kept { "taken back" } else { "the edge stops" }.into());
        [kind.to_owned(), lever.object, lever.value, until, lever.by, lever.since]
    };
    let rows: Vec<_> = named.chain(single).map(row).collect();
    match rows.is_empty() {
        true => "all is as configured".into(),
        false => table(["LEVER", "OF", "IS", "UNTIL", "BY", "SINCE"], &rows),
    }
}

const LEVERS: &str = "/api/v1/levers";
const FREEZE: &str = "/api/v1/freeze";
const LOG_LEVEL: &str = "/api/v1/log-level";
pub(super) const DENY: &str = "\
New connections of its clients are closed, and requests on those that are open get 403.
Examples: vitrine deny 203.0.113.7 --for 1h --reason \"password guessing\"
          vitrine admit 203.0.113.7";
pub(super) const FREEZING: &str = "\
Nothing is imported, ordered or reloaded; traffic flows, and what is under way ends. What changes meanwhile is taken up afterwards.
Examples: vitrine freeze --for 12h --reason \"the sale of the year\"
          vitrine freeze off";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_tells_until_when_each_holds() {
        let lever = |object: &str, value: &str, expires: Option<&str>, kept| {
            serde_json::json!({ "object": object, "value": value, "by": "user 0", "since": "2026-11-24T00:00:00Z",
                "expires": expires, "kept": kept })
        };
        let levers = serde_json::json!({
            "upstreams": [lever("10.0.0.1:80", "draining", None, false)],
            "maintenance": [],
            "denied": [lever("203.0.113.7/32", "scans", Some("2026-11-24T01:00:00Z"), true)],
            "frozen": lever("", "", None, true),
            "log_level": null,
        });
        assert_eq!(
            listed(serde_json::from_value(levers).expect("levers")),
            "LEVER     OF              IS        UNTIL                 BY      SINCE\n\
             upstream  10.0.0.1:80     draining  the edge stops        user 0  2026-11-24T00:00:00Z\n\
             denied    203.0.113.7/32  scans     2026-11-24T01:00:00Z  user 0  2026-11-24T00:00:00Z\n\
             frozen                              taken back            user 0  2026-11-24T00:00:00Z"
        );
    }
}
