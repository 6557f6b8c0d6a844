//! `vitrine audit`: who did what, and whether the trail is as it was written.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::output::{complain, table, tell};
use super::{Running, exit};
use crate::outbound::{CallError, EdgeSocket};
use crate::store::audit::{Broken, Line, Verified, verify};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// The latest orders, or those behind a number
    List(Listing),
    /// Whether a line was changed, taken out or put in
    #[command(after_help = VERIFY)]
    Verify(Verifying),
}

#[derive(Args, Debug)]
pub(super) struct Listing {
    #[command(flatten)]
    running: Running,
    /// Only lines with higher numbers; without it, the last of all
    #[arg(long, value_name = "NUMBER")]
    after: Option<u64>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=1000))]
    limit: u64,
    /// Print the API's answer instead of a table
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
pub(super) struct Verifying {
    #[command(flatten)]
    running: Running,
    /// Look at this copy of an audit.jsonl; no edge is asked then
    file: Option<PathBuf>,
}

impl Command {
    pub(super) fn obey(self) -> ExitCode {
        match self {
            Self::List(Listing { running, after, limit, json }) => {
                running.ask(async |edge| list(edge, after, limit, json).await)
            }
            Self::Verify(Verifying { file: Some(file), .. }) => verify_file(&file),
            Self::Verify(Verifying { running, file: None }) => {
                let mut sound = false;
                let code = running.ask(async |edge| {
                    let verified: Verified = edge.get("/api/v1/audit/verification").await?;
                    sound = verified.broken.is_none();
                    Ok(told(&verified))
                });
                if sound { code } else { exit::FAILURE }
            }
        }
    }
}

async fn list(edge: &EdgeSocket, after: Option<u64>, limit: u64, json: bool) -> Result<String, CallError> {
    let after = after.map(|after| format!("&after={after}")).unwrap_or_default();
    let target = format!("/api/v1/audit?limit={limit}{after}");
    if json {
        let answer: Value = edge.get(&target).await?;
        return Ok(format!("{answer:#}"));
    }
    Ok(listed(edge.get::<Vec<Line>>(&target).await?))
}

fn listed(lines: Vec<Line>) -> String {
    if lines.is_empty() {
        return "nothing was ordered yet".into();
    }
    let row = |line: Line| {
        let Line { number, time, who, door, action, object, result, detail, why, .. } = line;
        let code = why.as_ref().and_then(|why| why["code"].as_str()).unwrap_or_default().to_owned();
        [number.to_string(), time, who, door, action, object, result.word().into(), code, detail]
    };
    let rows: Vec<_> = lines.into_iter().map(row).collect();
    table(["NUMBER", "TIME", "WHO", "DOOR", "ACTION", "OBJECT", "RESULT", "CODE", "DETAIL"], &rows)
}

fn verify_file(file: &Path) -> ExitCode {
    match std::fs::read(file) {
        Ok(content) => {
            let verified = verify(&content);
            tell(&told(&verified));
            if verified.broken.is_none() { ExitCode::SUCCESS } else { exit::FAILURE }
        }
        Err(error) => {
            complain(&format!("{}: {error}", file.display()));
            exit::FAILURE
        }
    }
}

fn told(verified: &Verified) -> String {
    let Verified { lines, last, broken } = verified;
    match broken {
        None => format!("sound: {lines} lines, the last with the hash {last}"),
        Some(Broken { line, reason }) => format!(
            "broken at line {line}: {reason}; {lines} lines before it are in order, the last with the hash {last}"
        ),
    }
}

const VERIFY: &str = "\
Exit code: 0 when the trail is sound, 1 when it is not. That its end was cut off only the running edge knows, or a hash that was kept elsewhere: each is in the log.";
