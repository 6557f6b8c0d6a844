//! `vitrine upstreams`: the servers behind a running edge, and what the operator wants of them.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::lasting::Lasting;
use super::output::{some_of, table};
use super::{Asking, Running};
use crate::outbound::{CallError, EdgeSocket, escaped};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Every server with how it is doing, and why
    List(Asking),
    /// Take a server out, or back in
    #[command(after_help = SET)]
    Set(Setting),
}

#[derive(Args, Debug)]
pub(super) struct Setting {
    #[command(flatten)]
    running: Running,
    /// The server as `upstreams list` has it, such as 10.0.0.11:8080
    upstream: String,
    /// What is wanted of it
    #[arg(value_parser = ["ready", "draining", "maintenance"])]
    state: String,
    #[command(flatten)]
    lasting: Lasting,
}

#[derive(Serialize)]
struct Order<'a> {
    state: &'a str,
    expires: Option<String>,
    keep: bool,
}

#[derive(Deserialize)]
struct Upstream {
    upstream: String,
    state: String,
    addresses: Option<Vec<String>>,
    unresolved: Option<String>,
    reason: Option<String>,
    resting_seconds: Option<u64>,
    failures: u32,
    check: Option<String>,
    weight: Option<u32>,
    open_requests: Option<u32>,
    queued: Option<u32>,
    sites: Vec<String>,
}

impl Command {
    pub(super) fn obey(self) -> ExitCode {
        match self {
            Self::List(Asking { running, json }) => running.ask(async |edge| list(edge, json).await),
            Self::Set(Setting { running, upstream, state, lasting }) => {
                let order = Order { state: &state, expires: lasting.end(), keep: lasting.keep };
                running.ask(async |edge| set(edge, &upstream, &order).await)
            }
        }
    }
}

async fn list(edge: &EdgeSocket, json: bool) -> Result<String, CallError> {
    if json {
        let answer: Value = edge.get(UPSTREAMS).await?;
        return Ok(format!("{answer:#}"));
    }
    Ok(listed(edge.get(UPSTREAMS).await?))
}

async fn set(edge: &EdgeSocket, upstream: &str, order: &Order<'_>) -> Result<String, CallError> {
    let path = format!("{UPSTREAMS}/{}", escaped(upstream));
    Ok(listed(edge.post_json(&path, order).await?))
}

fn listed(upstreams: Vec<Upstream>) -> String {
    let row = |upstream: Upstream| {
        let why = match (upstream.reason, upstream.resting_seconds, upstream.unresolved) {
            (Some(reason), ..) => reason,
            (None, Some(seconds), _) => format!("for {seconds} s yet"),
            (None, None, Some(unresolved)) => format!("its name is not found now: {unresolved}"),
            (None, None, None) => String::new(),
        };
        let at = some_of(&upstream.addresses.unwrap_or_default(), SOME);
        let (check, sites) = (upstream.check.unwrap_or_default(), some_of(&upstream.sites, SOME));
        let [weight, open, queued] = [upstream.weight, upstream.open_requests, upstream.queued]
            .map(|count| count.as_ref().map_or_else(String::new, u32::to_string));
        [upstream.upstream, upstream.state, at, weight, open, queued, upstream.failures.to_string(), check, sites, why]
    };
    let rows: Vec<_> = upstreams.into_iter().map(row).collect();
    table(["UPSTREAM", "STATE", "AT", "WEIGHT", "OPEN", "QUEUED", "FAILURES", "CHECK", "SITES", "WHY"], &rows)
}

const UPSTREAMS: &str = "/api/v1/upstreams";
const SOME: usize = 3;
const SET: &str = "\
ready        it does its part
draining     it gets no more requests, unless there is nobody else; those under way go on
maintenance  it gets none, whatever happens
Example: vitrine upstreams set 10.0.0.11:8080 draining";
