//! `vitrine reports`: what is told of certificates at regular times, and what is left out of it.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::{Value, json};

use super::output::table;
use super::{Asking, Running};
use crate::admin::answers::{Report, ReportHead, ReportLine};
use crate::outbound::{CallError, EdgeSocket, escaped};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// The reports that were made, the last one first
    List(Asking),
    /// What a report lists
    Show(Showing),
    /// Make a report now, and send it to all who get reports
    Make(Making),
    /// Every URL, and whether reports list it
    Watched(Asking),
    /// Leave a host out of reports
    #[command(
        after_help = "Example: vitrine reports unwatch old.example --reason \"moved to another provider in May\""
    )]
    Unwatch(Unwatching),
    /// List a host in reports again
    Watch(Watching),
}

#[derive(Args, Debug)]
pub(super) struct Showing {
    #[command(flatten)]
    running: Running,
    /// As `vitrine reports list` shows it
    id: String,
    /// Print the API's answer instead of a table
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
pub(super) struct Making {
    #[command(flatten)]
    running: Running,
    /// Which
    #[arg(value_parser = ["daily", "weekly", "monthly"])]
    kind: String,
}

#[derive(Args, Debug)]
pub(super) struct Unwatching {
    #[command(flatten)]
    running: Running,
    /// A host as its site has it, such as shop.example
    host: String,
    /// Why nobody wants to hear of it any more
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

#[derive(Args, Debug)]
pub(super) struct Watching {
    #[command(flatten)]
    running: Running,
    /// A host as its site has it, such as shop.example
    host: String,
}

#[derive(Deserialize)]
struct Watched {
    host: String,
    site: String,
    watched: bool,
    reason: Option<String>,
    by: Option<String>,
}

impl Command {
    pub(super) fn obey(self) -> ExitCode {
        match self {
            Self::List(Asking { running, json }) => running.ask(async |edge| list(edge, json).await),
            Self::Show(Showing { running, id, json }) => running.ask(async |edge| show(edge, &id, json).await),
            Self::Make(Making { running, kind }) => running.ask(async |edge| make(edge, &kind).await),
            Self::Watched(Asking { running, json }) => running.ask(async |edge| watched(edge, json).await),
            Self::Unwatch(Unwatching { running, host, reason }) => {
                let order = json!({ "watched": false, "reason": reason });
                running.ask(async |edge| watch(edge, &host, &order).await)
            }
            Self::Watch(Watching { running, host }) => {
                running.ask(async |edge| watch(edge, &host, &json!({ "watched": true })).await)
            }
        }
    }
}

async fn list(edge: &EdgeSocket, json: bool) -> Result<String, CallError> {
    if json {
        return edge.get::<Value>(REPORTS).await.map(|answer| format!("{answer:#}"));
    }
    let reports: Vec<ReportHead> = edge.get(REPORTS).await?;
    let row = |head: ReportHead| {
        let made = if head.late { "late" } else { "in time" };
        [head.id, head.due, made.into(), head.urls.to_string(), head.listed.to_string()]
    };
    let rows: Vec<_> = reports.into_iter().map(row).collect();
    Ok(table(["REPORT", "DUE", "MADE", "URLS", "LISTED"], &rows))
}

async fn show(edge: &EdgeSocket, id: &str, json: bool) -> Result<String, CallError> {
    let path = format!("{REPORTS}/{}", escaped(id));
    if json {
        return edge.get::<Value>(&path).await.map(|answer| format!("{answer:#}"));
    }
    Ok(listed(edge.get(&path).await?))
}

async fn make(edge: &EdgeSocket, kind: &str) -> Result<String, CallError> {
    let report: Report = edge.post_json(REPORTS, &json!({ "kind": kind })).await?;
    let told = format!("{}: made, and on its way", report.head.id);
    Ok(format!("{told}\n{}", listed(report)))
}

fn listed(report: Report) -> String {
    if report.lines.is_empty() {
        return format!("nothing to do, of {} URLs", report.head.urls);
    }
    let row = |line: ReportLine| {
        let state = if line.renewal_late { format!("{}, renewal late", line.state) } else { line.state };
        let days = line.days_left.map(|days| days.to_string()).unwrap_or_default();
        [line.url, state, days, line.not_after.unwrap_or_default(), line.source, line.site]
    };
    let rows: Vec<_> = report.lines.into_iter().map(row).collect();
    table(["URL", "STATE", "DAYS", "UNTIL", "SOURCE", "SITE"], &rows)
}

async fn watched(edge: &EdgeSocket, json: bool) -> Result<String, CallError> {
    if json {
        return edge.get::<Value>(WATCHED).await.map(|answer| format!("{answer:#}"));
    }
    let all: Vec<Watched> = edge.get(WATCHED).await?;
    let row = |one: Watched| {
        let state = if one.watched { "watched" } else { "not watched" };
        [one.host, one.site, state.into(), one.by.unwrap_or_default(), one.reason.unwrap_or_default()]
    };
    let rows: Vec<_> = all.into_iter().map(row).collect();
    Ok(table(["HOST", "SITE", "STATE", "BY", "WHY"], &rows))
}

async fn watch(edge: &EdgeSocket, host: &str, order: &Value) -> Result<String, CallError> {
    let one: Watched = edge.post_json(&format!("{WATCHED}/{}", escaped(host)), order).await?;
    let state = if one.watched { "listed in reports" } else { "left out of reports" };
    Ok(format!("{}: {state} from now on", one.host))
}

const REPORTS: &str = "/api/v1/reports";
const WATCHED: &str = "/api/v1/watched";
