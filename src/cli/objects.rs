//! `vitrine objects`: what sites show that is no certificate of a server.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::Value;
use zeroize::Zeroizing;

use super::certs::public_file;
use super::output::{complain, some_of, table};
use super::{Asking, Running, exit};
use crate::outbound::{CallError, EdgeSocket, FormPart, escaped};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Bring an object, or a new version of one; its sites show it at once
    #[command(after_help = ADD)]
    Add(Adding),
    /// All objects with the version that is shown
    List(Asking),
    /// The versions of an object, the newest first
    History(Choosing),
    /// Show another version of an object, which was kept before
    Rollback(GoingBack),
    /// Remove an object with all its versions; its sites show it no longer
    Remove(Removing),
}

#[derive(Args, Debug)]
pub(super) struct Adding {
    #[command(flatten)]
    running: Running,
    /// Shown as it is
    file: PathBuf,
    /// What it is
    #[arg(long = "type", value_name = "TYPE", value_parser = ["apple-pay-identity-proof"])]
    kind: String,
    /// The name of a site that is to show it; one object can be shown by many
    #[arg(long = "site", value_name = "SITE", required = true)]
    sites: Vec<String>,
    /// A day or a time (RFC 3339) until when it holds; without it, as long as the certificate that serves the sites
    #[arg(long, value_name = "TIME")]
    expires: Option<String>,
    /// Which object it is a version of; without it, the one named like the first site
    #[arg(long)]
    id: Option<String>,
    /// Print the API's answer instead of text
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
pub(super) struct Choosing {
    #[command(flatten)]
    running: Running,
    /// As `vitrine objects list` shows it
    id: String,
    /// Print the API's answer instead of a table
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
pub(super) struct GoingBack {
    #[command(flatten)]
    running: Running,
    /// As `vitrine objects list` shows it
    id: String,
    /// The number of the version to show
    #[arg(long, value_name = "VERSION")]
    to: u32,
}

#[derive(Args, Debug)]
pub(super) struct Removing {
    #[command(flatten)]
    running: Running,
    /// As `vitrine objects list` shows it
    id: String,
}

impl Command {
    pub(super) fn obey(self) -> ExitCode {
        match self {
            Self::Add(adding) => match public_file(&adding.file) {
                Ok(content) => adding.running.ask(async |edge| add(edge, &adding, content).await),
                Err(complaint) => {
                    complain(&complaint);
                    exit::FAILURE
                }
            },
            Self::List(Asking { running, json }) => running.ask(async |edge| list(edge, json).await),
            Self::History(Choosing { running, id, json }) => running.ask(async |edge| history(edge, &id, json).await),
            Self::Rollback(GoingBack { running, id, to }) => running.ask(async |edge| {
                let target = format!("{OBJECTS}/{}/rollback?version={to}", escaped(&id));
                edge.post::<Object>(&target).await.map(|object| object.told())
            }),
            Self::Remove(Removing { running, id }) => running.ask(async |edge| {
                let Object { id, sites, .. } = edge.delete(&format!("{OBJECTS}/{}", escaped(&id))).await?;
                Ok(format!("{id}: removed, no longer shown by {}", sites.join(", ")))
            }),
        }
    }
}

async fn add(edge: &EdgeSocket, adding: &Adding, content: Zeroizing<Vec<u8>>) -> Result<String, CallError> {
    let text = |name: &'static str, text: &str| FormPart {
        name,
        file: None,
        content: Zeroizing::new(text.as_bytes().to_vec()),
    };
    let name = adding.file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut parts = vec![FormPart { name: "file", file: Some(name), content }];
    parts.extend([text("type", &adding.kind), text("site", &adding.sites.join("\n"))]);
    parts.extend(adding.expires.as_deref().map(|expires| text("expires", expires)));
    parts.extend(adding.id.as_deref().map(|id| text("id", id)));
    let answer: Value = edge.post_form(OBJECTS, &parts).await?;
    if adding.json {
        return Ok(format!("{answer:#}"));
    }
    let object: Object = serde_json::from_value(answer).map_err(|error| CallError::Broken(error.to_string()))?;
    Ok(object.told())
}

async fn list(edge: &EdgeSocket, json: bool) -> Result<String, CallError> {
    let answer: Value = edge.get(OBJECTS).await?;
    if json {
        return Ok(format!("{answer:#}"));
    }
    let objects: Vec<Object> = serde_json::from_value(answer).map_err(|error| CallError::Broken(error.to_string()))?;
    let row = |object: &Object| {
        [
            object.id.clone(),
            object.kind.clone(),
            object.version.to_string(),
            object.until(),
            object.state.clone(),
            some_of(&object.sites, 3),
        ]
    };
    let rows: Vec<_> = objects.iter().map(row).collect();
    Ok(table(["ID", "TYPE", "VERSION", "NOT AFTER", "STATE", "SITES"], &rows))
}

async fn history(edge: &EdgeSocket, id: &str, json: bool) -> Result<String, CallError> {
    let answer: Value = edge.get(&format!("{OBJECTS}/{}", escaped(id))).await?;
    if json {
        return Ok(format!("{answer:#}"));
    }
    let object: Object = serde_json::from_value(answer).map_err(|error| CallError::Broken(error.to_string()))?;
    let row = |version: &Version| {
        [
            version.version.to_string(),
            if version.current { "shown".into() } else { String::new() },
            version.added.clone(),
            version.added_by.clone(),
            version.expires.clone().unwrap_or_else(|| "with the certificate".into()),
            version.sha256.chars().take(12).collect(),
            some_of(&version.sites, 3),
        ]
    };
    let rows: Vec<_> = object.versions.iter().map(row).collect();
    Ok(table(["VERSION", "", "ADDED", "BY", "EXPIRES", "SHA256", "SITES"], &rows))
}

#[derive(Deserialize)]
struct Object {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    sites: Vec<String>,
    not_after: Option<String>,
    not_after_from: Option<String>,
    state: String,
    version: u32,
    versions: Vec<Version>,
}

#[derive(Deserialize)]
struct Version {
    version: u32,
    current: bool,
    sites: Vec<String>,
    expires: Option<String>,
    added: String,
    added_by: String,
    sha256: String,
}

impl Object {
    fn told(&self) -> String {
        let Self { id, kind, version, .. } = self;
        format!("{id}: {kind}, version {version}\n  shown by {}\n  valid until {}", self.sites.join(", "), self.until())
    }

    fn until(&self) -> String {
        match (&self.not_after, self.not_after_from.as_deref()) {
            (Some(until), Some("certificate")) => format!("{until}, with the certificate"),
            (Some(until), _) => until.clone(),
            (None, _) => "unknown".into(),
        }
    }
}

const OBJECTS: &str = "/api/v1/objects";
const ADD: &str = "\
Example:
  vitrine objects add apple-developer-merchantid-domain-association --type apple-pay-identity-proof --site shop.example
It is shown at /.well-known/apple-developer-merchantid-domain-association, with .txt and without, at every host of the site that is
no wildcard, before a file of that name in the drop folder.";
