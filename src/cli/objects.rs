//! `vitrine objects`: what is kept and is no certificate of a server.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::Value;
use zeroize::Zeroizing;

use super::certs::{LeftOver, Pieces};
use super::output::{complain, some_of, table};
use super::{Asking, Running, exit};
use crate::outbound::{CallError, EdgeSocket, FormPart, escaped};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Bring an object, or a new version of one; what sites are to show is shown at once
    #[command(after_help = ADD)]
    Add(Adding),
    /// All objects with the version that holds
    List(Asking),
    /// The versions of an object, the newest first
    History(Choosing),
    /// Have another version of an object hold, which was kept before
    Rollback(GoingBack),
    /// Remove an object with all its versions; no site shows it any longer
    Remove(Removing),
}

#[derive(Args, Debug)]
pub(super) struct Adding {
    #[command(flatten)]
    running: Running,
    /// An identity proof, which is shown as it is; or a certificate as PEM, DER, PKCS#7 or PKCS#12
    file: PathBuf,
    /// What it is
    #[arg(long = "type", value_name = "TYPE", value_parser = ["apple-pay-identity-proof", "apple-pay-certificate"])]
    kind: String,
    /// The name of a site that is to show the proof; one proof can be shown by many
    #[arg(long = "site", value_name = "SITE", required_if_eq("kind", "apple-pay-identity-proof"))]
    sites: Vec<String>,
    /// A day or a time (RFC 3339) until when a proof holds; without it, as long as the certificate that serves the sites
    #[arg(long, value_name = "TIME")]
    expires: Option<String>,
    /// Which object it is a version of; without it, the one named like the first site, or like the merchant and the purpose
    #[arg(long)]
    id: Option<String>,
    /// One line with the password of a certificate's file, at mode 0600; without it, FILE.password is looked for
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
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
    /// The number of the version that is to hold
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
            Self::Add(adding) => {
                match Pieces::read(std::slice::from_ref(&adding.file), adding.password_file.as_deref()) {
                    Ok(pieces) => adding.running.ask(async |edge| add(edge, &adding, &pieces).await),
                    Err(complaint) => {
                        complain(&complaint);
                        exit::FAILURE
                    }
                }
            }
            Self::List(Asking { running, json }) => running.ask(async |edge| list(edge, json).await),
            Self::History(Choosing { running, id, json }) => running.ask(async |edge| history(edge, &id, json).await),
            Self::Rollback(GoingBack { running, id, to }) => running.ask(async |edge| {
                let target = format!("{OBJECTS}/{}/rollback?version={to}", escaped(&id));
                edge.post::<Object>(&target).await.map(|object| object.told())
            }),
            Self::Remove(Removing { running, id }) => running.ask(async |edge| {
                let Object { id, sites, .. } = edge.delete(&format!("{OBJECTS}/{}", escaped(&id))).await?;
                let shown =
                    if sites.is_empty() { String::new() } else { format!(", no longer shown by {}", sites.join(", ")) };
                Ok(format!("{id}: removed{shown}"))
            }),
        }
    }
}

async fn add(edge: &EdgeSocket, adding: &Adding, pieces: &Pieces) -> Result<String, CallError> {
    let text = |name: &'static str, text: &str| FormPart {
        name,
        file: None,
        content: Zeroizing::new(text.as_bytes().to_vec()),
    };
    let mut parts = pieces.parts();
    parts.push(text("type", &adding.kind));
    if !adding.sites.is_empty() {
        parts.push(text("site", &adding.sites.join("\n")));
    }
    parts.extend(adding.expires.as_deref().map(|expires| text("expires", expires)));
    parts.extend(adding.id.as_deref().map(|id| text("id", id)));
    let answer: Value = edge.post_form(OBJECTS, &parts).await?;
    if adding.json {
        return Ok(format!("{answer:#}"));
    }
    let Kept { object, left_over } =
        serde_json::from_value(answer).map_err(|error| CallError::Broken(error.to_string()))?;
    left_over.iter().for_each(LeftOver::complain);
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
            object.origin.clone(),
            object.version.to_string(),
            object.until(),
            object.state.clone(),
            object.purpose(),
            some_of(&object.sites, 3),
        ]
    };
    let rows: Vec<_> = objects.iter().map(row).collect();
    Ok(table(["ID", "TYPE", "ORIGIN", "VERSION", "NOT AFTER", "STATE", "PURPOSE", "SITES"], &rows))
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
            if version.current { "holds".into() } else { String::new() },
            version.added.clone(),
            version.added_by.clone(),
            version.until(),
            version.sha256.chars().take(12).collect(),
            version.certificate.as_ref().map(|own| own.serial.clone()).unwrap_or_default(),
            some_of(&version.sites, 3),
        ]
    };
    let rows: Vec<_> = object.versions.iter().map(row).collect();
    Ok(table(["VERSION", "", "ADDED", "BY", "EXPIRES", "SHA256", "SERIAL", "SITES"], &rows))
}

#[derive(Deserialize)]
struct Kept {
    #[serde(flatten)]
    object: Object,
    left_over: Vec<LeftOver>,
}

#[derive(Deserialize)]
struct Object {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    origin: String,
    sites: Vec<String>,
    not_after: Option<String>,
    not_after_from: Option<String>,
    state: String,
    certificate: Option<Certificate>,
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
    certificate: Option<Certificate>,
}

#[derive(Deserialize)]
struct Certificate {
    purpose: String,
    merchant: String,
    subject: String,
    issuer: String,
    serial: String,
    fingerprint: String,
    not_after: String,
}

impl Object {
    fn told(&self) -> String {
        let Self { id, kind, version, .. } = self;
        let mut lines = vec![format!("{id}: {kind}, version {version}")];
        match &self.certificate {
            None => lines.push(format!("shown by {}", self.sites.join(", "))),
            Some(Certificate { purpose, merchant, subject, issuer, serial, fingerprint, .. }) => lines.extend([
                format!("{purpose} of {merchant}"),
                format!("{subject}, by {issuer}"),
                format!("serial {serial}"),
                format!("fingerprint {fingerprint}"),
            ]),
        }
        lines.push(format!("valid until {}", self.until()));
        lines.join("\n  ")
    }

    fn purpose(&self) -> String {
        self.certificate.as_ref().map(|own| own.purpose.clone()).unwrap_or_default()
    }

    fn until(&self) -> String {
        match (&self.not_after, self.not_after_from.as_deref()) {
            (Some(until), Some("certificate")) => format!("{until}, with the certificate"),
            (Some(until), _) => until.clone(),
            (None, _) => "unknown".into(),
        }
    }
}

impl Version {
    fn until(&self) -> String {
        let own = self.certificate.as_ref().map(|own| own.not_after.clone());
        own.or_else(|| self.expires.clone()).unwrap_or_else(|| "with the certificate".into())
    }
}

const OBJECTS: &str = "/api/v1/objects";
const ADD: &str = "\
Examples:
  vitrine objects add apple-developer-merchantid-domain-association --type apple-pay-identity-proof --site shop.example
It is shown at /.well-known/apple-developer-merchantid-domain-association, with .txt and without, at every host of the site that is
no wildcard, before a file of that name in the drop folder.
  vitrine objects add merchant_id.cer --type apple-pay-certificate
A certificate that Apple issued for a request that was made elsewhere; one that answers a request of vitrine's goes with it (vitrine csr
complete). It is kept, watched and shown by no site. A private key in the file is not kept.";
