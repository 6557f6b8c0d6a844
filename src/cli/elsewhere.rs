//! `vitrine elsewhere`: URLs that others serve, which a running edge looks at.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::{Value, json};

use super::output::table;
use super::{Asking, Running};
use crate::outbound::{CallError, EdgeSocket, escaped};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// The URLs that are watched, and what was seen the last time
    List(Asking),
    /// Watch a URL that others serve
    #[command(after_help = "Example: vitrine elsewhere add https://pay.example --reason \"our payment provider\"")]
    Add(Adding),
    /// Give a URL to an organisation, or to the edge
    #[command(after_help = "Example: vitrine elsewhere give https://pay.example --organisation 729817180641")]
    Give(Giving),
    /// Look at a URL now
    Look(Naming),
    /// Leave a URL alone
    Unwatch(Saying),
    /// Look at a URL again
    Watch(Naming),
    /// Forget a URL
    Remove(Saying),
}

#[derive(Args, Debug)]
pub(super) struct Naming {
    #[command(flatten)]
    running: Running,
    /// As customers type it, such as https://pay.example
    url: String,
}

#[derive(Args, Debug)]
pub(super) struct Saying {
    #[command(flatten)]
    naming: Naming,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

#[derive(Args, Debug)]
pub(super) struct Adding {
    #[command(flatten)]
    saying: Saying,
    /// The organisation whose it is, by its id
    #[arg(long, value_name = "ID")]
    organisation: Option<String>,
}

#[derive(Args, Debug)]
pub(super) struct Giving {
    #[command(flatten)]
    naming: Naming,
    /// The organisation whose it is from now on, by its id; without, it is the edge's
    #[arg(long, value_name = "ID")]
    organisation: Option<String>,
}

#[derive(Deserialize)]
struct Url {
    url: String,
    organisation: Option<String>,
    state: String,
    seen: Option<Seen>,
}

#[derive(Deserialize)]
struct Seen {
    at: String,
    not_after: Option<String>,
    days_left: Option<i64>,
    detail: Option<String>,
}

impl Command {
    pub(super) fn obey(self) -> ExitCode {
        match self {
            Self::List(Asking { running, json }) => running.ask(async |edge| list(edge, json).await),
            Self::Add(Adding { saying: Saying { naming: Naming { running, url }, reason }, organisation }) => {
                let order = json!({ "url": url, "reason": reason, "organisation": organisation });
                running.ask(async |edge| Ok(told(&edge.post_json(PLACE, &order).await?)))
            }
            Self::Give(Giving { naming: Naming { running, url }, organisation }) => {
                let order = json!({ "organisation": organisation });
                running.ask(async |edge| {
                    let given: Url = edge.post_json(&place(&url, "/organisation"), &order).await?;
                    let owner = given.organisation.map_or("the edge".into(), |id| format!("the organisation {id}"));
                    Ok(format!("{}: belongs to {owner}", given.url))
                })
            }
            Self::Look(Naming { running, url }) => {
                running.ask(async |edge| Ok(told(&edge.post_json(&place(&url, "/look"), &json!({})).await?)))
            }
            Self::Unwatch(Saying { naming: Naming { running, url }, reason }) => {
                let order = json!({ "watched": false, "reason": reason });
                running.ask(async |edge| Ok(told(&edge.post_json(&place(&url, "/watched"), &order).await?)))
            }
            Self::Watch(Naming { running, url }) => {
                let order = json!({ "watched": true });
                running.ask(async |edge| Ok(told(&edge.post_json(&place(&url, "/watched"), &order).await?)))
            }
            Self::Remove(Saying { naming: Naming { running, url }, reason }) => {
                let place = place(&url, &format!("?reason={}", escaped(&reason)));
                running.ask(async |edge| {
                    let gone: Url = edge.delete(&place).await?;
                    Ok(format!("{}: forgotten", gone.url))
                })
            }
        }
    }
}

async fn list(edge: &EdgeSocket, json: bool) -> Result<String, CallError> {
    if json {
        return edge.get::<Value>(PLACE).await.map(|answer| format!("{answer:#}"));
    }
    let urls: Vec<Url> = edge.get(PLACE).await?;
    let row = |url: Url| {
        let seen = url.seen;
        let part = |part: fn(&Seen) -> Option<String>| seen.as_ref().and_then(part).unwrap_or_default();
        let days = part(|seen| seen.days_left.map(|days| days.to_string()));
        let (end, at) = (part(|seen| seen.not_after.clone()), part(|seen| Some(seen.at.clone())));
        [url.url, url.organisation.unwrap_or_default(), url.state, days, end, at, part(|seen| seen.detail.clone())]
    };
    let rows: Vec<_> = urls.into_iter().map(row).collect();
    Ok(table(["URL", "ORGANISATION", "STATE", "DAYS", "UNTIL", "SEEN", "WHAT IS WRONG"], &rows))
}

fn told(url: &Url) -> String {
    let end = url.seen.as_ref().and_then(|seen| seen.not_after.as_deref());
    let end = end.map(|end| format!(", until {end}")).unwrap_or_default();
    let wrong = url.seen.as_ref().and_then(|seen| seen.detail.as_deref());
    let wrong = wrong.map(|wrong| format!(": {wrong}")).unwrap_or_default();
    format!("{}: {}{end}{wrong}", url.url, url.state)
}

/// The host and the port of what people type; what is none of it is refused by the edge, in its words.
fn place(url: &str, behind: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    format!("{PLACE}/{}{behind}", escaped(rest.split('/').next().unwrap_or_default()))
}

const PLACE: &str = "/api/v1/elsewhere";
