//! `vitrine token`: who may ask a running edge from elsewhere.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::lasting::{from_now, lifetime};
use super::output::{complain, table};
use super::{Asking, Running};
use crate::outbound::{CallError, EdgeSocket, escaped};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a token and print it; it is shown this once
    #[command(after_help = NEW)]
    New(Making),
    /// The tokens there are, and when each was last used
    List(Asking),
    /// Let a token hold no longer, from this moment on
    Revoke(Revoking),
}

#[derive(Args, Debug)]
pub(super) struct Making {
    #[command(flatten)]
    running: Running,
    /// What to call it by
    #[arg(long)]
    name: String,
    /// What it is for
    #[arg(long, value_enum)]
    role: Role,
    /// How long it holds, such as 90d or 12h; without it, until it is revoked
    #[arg(long, value_name = "TIME", value_parser = lifetime)]
    expires: Option<Duration>,
    /// Print the API's answer instead of the token alone
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
enum Role {
    /// look
    Read,
    /// look, and change what is served
    Operate,
    /// look, and take private keys out; that takes admin.sock as well
    Export,
}

#[derive(Args, Debug)]
pub(super) struct Revoking {
    #[command(flatten)]
    running: Running,
    /// Its name, or its number in the list
    #[arg(value_name = "NAME")]
    token: String,
}

impl Command {
    pub(super) fn obey(self) -> ExitCode {
        match self {
            Self::New(Making { running, name, role, expires, json }) => {
                running.ask(async |edge| make(edge, &name, role, expires, json).await)
            }
            Self::List(Asking { running, json }) => running.ask(async |edge| list(edge, json).await),
            Self::Revoke(Revoking { running, token }) => running.ask(async |edge| revoke(edge, &token).await),
        }
    }
}

#[derive(Serialize)]
struct Order<'a> {
    name: &'a str,
    role: Role,
    expires: Option<String>,
}

async fn make(
    edge: &EdgeSocket,
    name: &str,
    role: Role,
    expires: Option<Duration>,
    json: bool,
) -> Result<String, CallError> {
    let expires = expires.map(from_now);
    let made: Value = edge.post_json(TOKENS, &Order { name, role, expires }).await?;
    if json {
        return Ok(format!("{made:#}"));
    }
    complain("keep it well: it is not shown again, and whoever has it may what its role may");
    Ok(made["token"].as_str().unwrap_or_default().to_owned())
}

#[derive(Deserialize)]
struct Token {
    id: String,
    name: String,
    role: String,
    state: String,
    created: String,
    expires: Option<String>,
    last_used: Option<String>,
}

async fn list(edge: &EdgeSocket, json: bool) -> Result<String, CallError> {
    if json {
        let answer: Value = edge.get(TOKENS).await?;
        return Ok(format!("{answer:#}"));
    }
    Ok(listed(&edge.get::<Vec<Token>>(TOKENS).await?))
}

fn listed(tokens: &[Token]) -> String {
    if tokens.is_empty() {
        return "there is no token; make one with `vitrine token new --name NAME --role read`".into();
    }
    let day = |time: &str| time.get(..10).unwrap_or(time).to_owned();
    let row = |token: &Token| {
        [
            token.id.clone(),
            token.name.clone(),
            token.role.clone(),
            day(&token.created),
            match &token.expires {
                Some(_) if token.state == "expired" => "expired".into(),
                Some(expires) => day(expires),
                None => "never".into(),
            },
            token.last_used.clone().unwrap_or_default(),
        ]
    };
    let rows: Vec<_> = tokens.iter().map(row).collect();
    table(["ID", "NAME", "ROLE", "MADE", "EXPIRES", "LAST USED"], &rows)
}

async fn revoke(edge: &EdgeSocket, wanted: &str) -> Result<String, CallError> {
    let tokens: Vec<Token> = edge.get(TOKENS).await?;
    let named = tokens.iter().find(|token| token.name == wanted);
    // What is no name is taken for a number, and the edge says when it is none either.
    let id = named.map_or(wanted, |token| &token.id);
    let revoked: Token = edge.delete(&format!("{TOKENS}/{}", escaped(id))).await?;
    Ok(format!("revoked: {} ({}), role {}", revoked.name, revoked.id, revoked.role))
}

const TOKENS: &str = "/api/v1/tokens";
const NEW: &str = "\
Example: vitrine token new --name monitoring --role read --expires 90d > /etc/monitoring/vitrine.token
         curl -H \"Authorization: Bearer $(cat /etc/monitoring/vitrine.token)\" http://127.0.0.1:9180/api/v1/certificates";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_tells_when_each_ends_and_was_used() {
        let tokens: Vec<Token> = serde_json::from_value(serde_json::json!([
            { "id": "0a", "name": "ci", "role": "operate", "state": "valid", "created": "2026-11-24T00:00:00Z",
              "expires": null, "last_used": "2026-11-25T01:02:03Z" },
            { "id": "0b", "name": "old", "role": "read", "state": "expired", "created": "2026-01-01T00:00:00Z",
              "expires": "2026-02-01T00:00:00Z", "last_used": null },
        ]))
        .expect("tokens");
        assert_eq!(
            listed(&tokens),
            "ID  NAME  ROLE     MADE        EXPIRES  LAST USED\n\
             0a  ci    operate  2026-11-24  never    2026-11-25T01:02:03Z\n\
             0b  old   read     2026-01-01  expired"
        );
    }
}
