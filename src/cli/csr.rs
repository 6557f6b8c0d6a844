//! `vitrine csr`: certificate signing requests of a running edge, whose keys it keeps.

mod making;
mod words;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;
use serde_json::Value;

use super::output::complain;
use super::{Asking, Running};
use crate::admin::answers::Request;
use crate::outbound::{CallError, EdgeSocket, FormPart, escaped};
use making::{Making, Noting};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a key and a request for it, and print the request; the key stays with the edge
    #[command(after_help = NEW)]
    New(Box<Making>),
    /// The requests, the newest first
    List(Asking),
    /// One request with what was ordered for it, and what came
    Show(Showing),
    /// Note down the order, its validation file, or when to look after it
    Note(Box<Noting>),
    /// Hand in the certificate that came for a request, alone or with its chain, in any form
    #[command(
        after_help = "A certificate for another key changes nothing. One that is dropped into the folder completes its request too."
    )]
    Complete(Completing),
    /// Ask for another certificate: with the same key and request, or with a new one that takes its place
    Renew(Renewing),
    /// Delete a request with its private key, for good
    Discard(Discarding),
}

#[derive(Args, Debug)]
pub(super) struct Showing {
    #[command(flatten)]
    asking: Asking,
    /// Its name in the list
    id: String,
    /// Print the request alone, as authorities take it
    #[arg(long, conflicts_with = "json")]
    pem: bool,
}

#[derive(Args, Debug)]
pub(super) struct Completing {
    #[command(flatten)]
    running: Running,
    /// Its name in the list
    id: String,
    /// The certificate, and its chain if that lies in other files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

#[derive(Args, Debug)]
pub(super) struct Renewing {
    #[command(flatten)]
    running: Running,
    /// Its name in the list
    id: String,
    /// Which key the new certificate is to be for
    #[arg(long, value_enum)]
    key: RenewalKey,
    /// Write the request into this file instead of printing it
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
enum RenewalKey {
    /// the one of now, and the same request to the letter
    Same,
    /// a new one, in a request of its own
    New,
}

#[derive(Args, Debug)]
pub(super) struct Discarding {
    #[command(flatten)]
    running: Running,
    /// Its name in the list
    id: String,
    /// Yes, its private key is to be gone
    #[arg(long)]
    yes: bool,
}

impl Command {
    pub(super) fn obey(self) -> ExitCode {
        match self {
            Self::New(making) => making.running().clone().ask(async |edge| making.make(edge).await),
            Self::List(Asking { running, json }) => running.ask(async |edge| list(edge, json).await),
            Self::Show(Showing { asking, id, pem }) => {
                asking.running.ask(async |edge| show(edge, &id, pem, asking.json).await)
            }
            Self::Note(noting) => noting.running().clone().ask(async |edge| noting.note(edge).await),
            Self::Complete(Completing { running, id, files }) => {
                running.ask(async |edge| complete(edge, &id, &files).await)
            }
            Self::Renew(Renewing { running, id, key, out }) => {
                running.ask(async |edge| renew(edge, &id, key, out.as_deref()).await)
            }
            Self::Discard(Discarding { running, id, yes }) => running.ask(async |edge| discard(edge, &id, yes).await),
        }
    }
}

async fn list(edge: &EdgeSocket, json: bool) -> Result<String, CallError> {
    if json {
        let answer: Value = edge.get(REQUESTS).await?;
        return Ok(format!("{answer:#}"));
    }
    Ok(words::listed(&edge.get::<Vec<Request>>(REQUESTS).await?))
}

async fn show(edge: &EdgeSocket, id: &str, pem: bool, json: bool) -> Result<String, CallError> {
    let answer: Value = edge.get(&of(id)).await?;
    if json {
        return Ok(format!("{answer:#}"));
    }
    let request = understood(answer)?;
    Ok(if pem { request.pem.trim_end().to_owned() } else { words::shown(&request) })
}

async fn complete(edge: &EdgeSocket, id: &str, files: &[PathBuf]) -> Result<String, CallError> {
    let mut parts = Vec::new();
    for file in files {
        let content = fs::read(file).map_err(|error| CallError::Own(format!("{}: {error}", file.display())))?;
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned());
        parts.push(FormPart { name: "certificate", file: name, content: content.into() });
    }
    let request: Request = edge.post_form(&format!("{}/complete", of(id)), &parts).await?;
    let Some(newest) = request.certificates.last() else { return Ok(format!("{id}: {}", request.status)) };
    Ok(format!("completed: {id} with the certificate of {} that is valid until {}", newest.subject, newest.not_after))
}

async fn renew(edge: &EdgeSocket, id: &str, key: RenewalKey, out: Option<&Path>) -> Result<String, CallError> {
    #[derive(Serialize)]
    struct Order {
        key: RenewalKey,
    }
    let request: Request = edge.post_json(&format!("{}/renew", of(id)), &Order { key }).await?;
    hand_out(&request, out)
}

async fn discard(edge: &EdgeSocket, id: &str, yes: bool) -> Result<String, CallError> {
    if !yes {
        let request: Request = edge.get(&of(id)).await?;
        return Err(CallError::Own(format!(
            "its private key would be gone for good, and a certificate for it of no use (it is {}); say --yes if that is meant",
            request.status
        )));
    }
    let _: Value = edge.delete(&format!("{}?confirm={}", of(id), escaped(id))).await?;
    Ok(format!("discarded: {id} and its private key"))
}

/// Prints a request, or writes it into a file, and says what is to be done with it.
fn hand_out(request: &Request, out: Option<&Path>) -> Result<String, CallError> {
    if let Some(next) = &request.next {
        complain(&format!("{}: {next}", request.id));
    }
    let Some(out) = out else { return Ok(request.pem.trim_end().to_owned()) };
    match fs::write(out, &request.pem) {
        Ok(()) => Ok(format!("{}: the request is in {}", request.id, out.display())),
        Err(error) => Err(CallError::Own(format!(
            "the request {} is made, and cannot be written to {}: {error}; print it with vitrine csr show {0} --pem",
            request.id,
            out.display()
        ))),
    }
}

fn understood(answer: Value) -> Result<Request, CallError> {
    serde_json::from_value(answer).map_err(|error| CallError::Broken(error.to_string()))
}

fn of(id: &str) -> String {
    format!("{REQUESTS}/{}", escaped(id))
}

const REQUESTS: &str = "/api/v1/requests";
const NEW: &str = "\
Company data that is not given is taken from the newest request, and said; --blank leaves it out.
Example: vitrine csr new --site shop.example --organisation 'Example GmbH' --locality Bonn --country DE --out shop.csr";
