//! `vitrine links`: by which customers hand in certificates.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::output::{complain, table};
use super::{Asking, Running};
use crate::admin::answers::{Link, MadeLink};
use crate::outbound::{CallError, EdgeSocket, escaped};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a link by which somebody without an account hands in one certificate, and print where it leads
    #[command(after_help = MAKE)]
    Make(Making),
    /// The links there are, and what was handed in
    List(Asking),
    /// Take what was handed in and waits
    Accept(Meaning),
    /// Do not take it; it is deleted
    Decline(Meaning),
    /// Let a link hold no longer, from this moment on
    Revoke(Meaning),
}

#[derive(Args, Debug)]
pub(super) struct Making {
    #[command(flatten)]
    running: Running,
    /// A site that the certificate may be for; may be there several times
    #[arg(long, value_name = "NAME", required_unless_present = "request")]
    site: Vec<String>,
    /// The request that it answers, in place of sites
    #[arg(long, value_name = "ID", conflicts_with = "site")]
    request: Option<String>,
    /// For whom it is
    #[arg(long, value_name = "TEXT", default_value = "")]
    note: String,
    /// For how many hours it holds
    #[arg(long, value_name = "NUMBER", default_value_t = 72)]
    hours: u32,
    /// Serve what is handed in at once; else it waits for `vitrine links accept`
    #[arg(long)]
    live: bool,
}

#[derive(Args, Debug)]
pub(super) struct Meaning {
    #[command(flatten)]
    running: Running,
    /// Its number in the list
    #[arg(value_name = "ID")]
    id: String,
}

impl Command {
    pub(super) fn obey(self) -> ExitCode {
        match self {
            Self::Make(Making { running, site, request, note, hours, live }) => running.ask(async |edge| {
                let order =
                    json!({ "sites": site, "request": request, "note": note, "hours": hours, "goes_live": live });
                let made: MadeLink<String> = edge.post_json(LINKS, &order).await?;
                complain("send it on behind the address of the panel: it is not shown again, and whoever has it can use it once");
                Ok(made.path)
            }),
            Self::List(Asking { running, json }) => running.ask(async |edge| list(edge, json).await),
            Self::Accept(Meaning { running, id }) => running.ask(async |edge| {
                Ok(edge.post::<Link>(&format!("{}/accept", of(&id))).await?.words())
            }),
            Self::Decline(Meaning { running, id }) => running.ask(async |edge| {
                Ok(edge.post::<Link>(&format!("{}/decline", of(&id))).await?.words())
            }),
            Self::Revoke(Meaning { running, id }) => {
                running.ask(async |edge| Ok(edge.delete::<Link>(&of(&id)).await?.words()))
            }
        }
    }
}

impl Link {
    fn words(&self) -> String {
        format!("{}: {} ({})", self.state, self.id, self.sites.join(", "))
    }
}

async fn list(edge: &EdgeSocket, json: bool) -> Result<String, CallError> {
    if json {
        let answer: Value = edge.get(LINKS).await?;
        return Ok(format!("{answer:#}"));
    }
    Ok(listed(&edge.get::<Vec<Link>>(LINKS).await?))
}

fn listed(links: &[Link]) -> String {
    if links.is_empty() {
        return "there is no link; make one with `vitrine links make --site NAME`".into();
    }
    let row = |link: &Link| {
        let found = link.found.as_ref().map(|found| format!("{} until {}", found.subject, day(&found.not_after)));
        let until = link.expires.get(..16).unwrap_or(&link.expires).to_owned();
        let sites = link.sites.join(", ");
        [link.id.clone(), link.state.clone(), sites, until, found.unwrap_or_default(), link.note.clone()]
    };
    let rows: Vec<_> = links.iter().map(row).collect();
    table(["ID", "STATE", "SITES", "UNTIL", "HANDED IN", "FOR"], &rows)
}

fn day(moment: &str) -> &str {
    moment.get(..10).unwrap_or(moment)
}

fn of(id: &str) -> String {
    format!("{LINKS}/{}", escaped(id))
}

const LINKS: &str = "/api/v1/links";
const MAKE: &str = "\
Example: vitrine links make --site shop.example --note \"Anna, Shop GmbH\"
         prints /hand-in/…, which stands behind the address of the panel in what you send on";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_tells_what_waits() {
        let links: Vec<Link> = serde_json::from_value(json!([
            { "id": "0a", "note": "Anna", "sites": ["shop.example"], "state": "waiting", "expires": "2026-12-01T10:00:00Z",
              "goes_live": false, "created": "2026-11-28T10:00:00Z", "created_by": "ops", "wrong": 0,
              "found": { "fingerprint": "00", "subject": "shop.example", "issuer": "Test", "names": ["shop.example"],
                         "not_after": "2027-11-24T00:00:00Z" } },
        ]))
        .expect("links");
        assert_eq!(
            listed(&links),
            "ID  STATE    SITES         UNTIL             HANDED IN                      FOR\n\
             0a  waiting  shop.example  2026-12-01T10:00  shop.example until 2027-11-24  Anna"
        );
        assert!(listed(&[]).contains("vitrine links make"));
    }
}
