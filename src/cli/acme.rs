//! `vitrine acme`: the accounts at the authorities that certificates are ordered from.

use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::Value;

use super::output::table;
use super::{Asking, Running};
use crate::outbound::{CallError, EdgeSocket, escaped};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// The account at each issuer, and whom it writes to
    Accounts(Asking),
    /// Give an account a new key; the old one is good for nothing then
    #[command(after_help = ROLLOVER)]
    Rollover(Rolling),
}

#[derive(Args, Debug)]
pub(super) struct Rolling {
    #[command(flatten)]
    running: Running,
    /// The issuer, as the configuration calls it; without it, each that has an account
    issuer: Option<String>,
}

#[derive(Deserialize)]
struct Account {
    issuer: String,
    directory: String,
    account: Option<String>,
    contact: Vec<String>,
    rolling_over: bool,
}

impl Command {
    pub(super) fn obey(self) -> ExitCode {
        match self {
            Self::Accounts(Asking { running, json }) => running.ask(async |edge| accounts(edge, json).await),
            Self::Rollover(Rolling { running, issuer }) => {
                running.ask(async |edge| roll_over(edge, issuer.as_deref()).await)
            }
        }
    }
}

async fn accounts(edge: &EdgeSocket, json: bool) -> Result<String, CallError> {
    if json {
        let answer: Value = edge.get(ACCOUNTS).await?;
        return Ok(format!("{answer:#}"));
    }
    let row = |account: Account| {
        let known = match (account.account, account.rolling_over) {
            (Some(account), true) => format!("{account}, a new key on its way"),
            (Some(account), false) => account,
            (None, _) => "none yet".into(),
        };
        [account.issuer, known, account.contact.join(" "), account.directory]
    };
    let rows: Vec<_> = edge.get::<Vec<Account>>(ACCOUNTS).await?.into_iter().map(row).collect();
    Ok(table(["ISSUER", "ACCOUNT", "CONTACT", "DIRECTORY"], &rows))
}

async fn roll_over(edge: &EdgeSocket, issuer: Option<&str>) -> Result<String, CallError> {
    let issuers = match issuer {
        Some(issuer) => vec![issuer.to_owned()],
        None => {
            let accounts: Vec<Account> = edge.get(ACCOUNTS).await?;
            accounts.into_iter().filter(|account| account.account.is_some()).map(|account| account.issuer).collect()
        }
    };
    if issuers.is_empty() {
        let text = "there is no account yet: one is opened with the first order of a managed site";
        return Err(CallError::NotFound(text.into()));
    }
    let (edge, mut lines) = (edge.clone().with_patience(PATIENCE), Vec::new());
    for issuer in issuers {
        let done: Value = edge.post(&format!("{ACCOUNTS}/{}/rollover", escaped(&issuer))).await?;
        lines.push(format!("{issuer}: {} has a new key", done["account"].as_str().unwrap_or("the account")));
    }
    Ok(lines.join("\n"))
}

const ACCOUNTS: &str = "/api/v1/acme/accounts";
const ROLLOVER: &str = "\
Whatever is cut short, the edge finds out before its next order which key the authority knows, and goes on with the new one.
Example: vitrine acme rollover letsencrypt";
/// An authority is asked several times, and may take half a minute each time.
pub(super) const PATIENCE: Duration = Duration::from_mins(3);
