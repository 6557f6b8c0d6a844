//! `vitrine contacts`: who is told what happens, by the running edge.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::output::table;
use super::{Asking, Running};
use crate::admin::answers::{Contact, ContactWebhook};
use crate::notices;
use crate::outbound::{CallError, EdgeSocket, escaped};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// The contacts there are
    List(Asking),
    /// Make a contact
    #[command(after_help = ADD)]
    Add(Adding),
    /// Tell a contact of something else: of a site, of an organisation's sites, or of everything
    #[command(after_help = "Example: vitrine contacts scope \"shop chat\" --site shop.example")]
    Scope(Scoping),
    /// Forget a contact, and what waits for it
    Remove(Naming),
    /// Tell a contact something of no meaning, and say what came of it
    Test(Naming),
    /// What waits to be told
    Waiting(Asking),
    /// Try everything that waits at once
    Retry(Asking),
}

#[derive(Args, Debug)]
pub(super) struct Adding {
    #[command(flatten)]
    running: Running,
    /// What to call it
    name: String,
    /// Told by mail to this address
    #[arg(long, value_name = "ADDRESS", required_unless_present = "webhook_file", conflicts_with = "webhook_file")]
    mail: Option<String>,
    /// Told by a post to the address that is the first line of this file
    #[arg(long, value_name = "FILE")]
    webhook_file: Option<PathBuf>,
    /// What is posted
    #[arg(long, value_enum, requires = "webhook_file")]
    format: Option<Format>,
    /// The first line of this file signs the posts
    #[arg(long, value_name = "FILE", requires = "webhook_file")]
    secret_file: Option<PathBuf>,
    /// Told of this site alone
    #[arg(long, conflicts_with = "organisation")]
    site: Option<String>,
    /// Told of the sites of this organisation
    #[arg(long)]
    organisation: Option<String>,
    /// en or de; without it, as in [notices]
    #[arg(long, value_name = "TAG")]
    language: Option<String>,
    /// A kind of events it is told of; can be given more than once, and without it, all
    #[arg(long = "event", value_name = "KIND")]
    events: Vec<String>,
}

#[derive(Args, Debug)]
pub(super) struct Scoping {
    #[command(flatten)]
    naming: Naming,
    /// Told of this site alone; without this and --organisation, of everything
    #[arg(long, conflicts_with = "organisation")]
    site: Option<String>,
    /// Told of the sites of this organisation, by its id
    #[arg(long, value_name = "ID")]
    organisation: Option<String>,
}

#[derive(Clone, Copy, Debug, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
enum Format {
    /// everything there is to know, for programs
    Json,
    /// a text, as Slack and Mattermost take it
    Slack,
}

#[derive(Args, Debug)]
pub(super) struct Naming {
    #[command(flatten)]
    running: Running,
    /// Its name, or its id in the list
    #[arg(value_name = "NAME")]
    contact: String,
}

impl Command {
    pub(super) fn obey(self) -> ExitCode {
        match self {
            Self::List(Asking { running, json }) => running.ask(async |edge| list(edge, json).await),
            Self::Add(adding) => {
                let order = adding.order();
                adding.running.ask(async |edge| add(edge, order?).await)
            }
            Self::Scope(Scoping { naming: Naming { running, contact }, site, organisation }) => {
                let order = json!({ "site": site, "organisation": organisation });
                running.ask(async |edge| {
                    let place = format!("{CONTACTS}/{}", id(edge, &contact).await?);
                    let changed: Contact = edge.patch_json(&place, &order).await?;
                    Ok(format!("{}: told of {}", changed.name, scope(&changed)))
                })
            }
            Self::Remove(Naming { running, contact }) => running.ask(async |edge| remove(edge, &contact).await),
            Self::Test(Naming { running, contact }) => running.ask(async |edge| test(edge, &contact).await),
            Self::Waiting(Asking { running, json }) => running.ask(async |edge| waiting(edge, json).await),
            Self::Retry(Asking { running, json }) => running.ask(async |edge| retry(edge, json).await),
        }
    }
}

/// How a contact is told.
fn way(contact: &Contact) -> String {
    match &contact.webhook {
        Some(ContactWebhook { address, format, signed }) => {
            let format = match format {
                notices::Format::Json => "json",
                notices::Format::Slack => "slack",
            };
            let signed = if *signed { ", signed" } else { "" };
            format!("{address} ({format}{signed})")
        }
        None => contact.address().to_owned(),
    }
}

/// Of what it is told.
fn scope(contact: &Contact) -> String {
    match (&contact.site, &contact.organisation) {
        (Some(site), _) => format!("site {site}"),
        (None, Some(organisation)) => format!("organisation {organisation}"),
        (None, None) => "everything".into(),
    }
}

impl Adding {
    /// The order; its secrets stand in files, as arguments are seen by every user of a machine.
    fn order(&self) -> Result<Value, CallError> {
        let Self { name, mail, webhook_file, format, secret_file, site, organisation, language, events, .. } = self;
        let line = |file: &PathBuf| {
            let content = std::fs::read_to_string(file);
            let content = content.map_err(|error| CallError::Own(format!("{}: {error}", file.display())))?;
            Ok(content.lines().next().unwrap_or_default().trim().to_owned())
        };
        let (url, secret) = (webhook_file.as_ref().map(line).transpose()?, secret_file.as_ref().map(line).transpose()?);
        let webhook = url.map(|url| json!({ "url": url, "format": format, "secret": secret }));
        let events = (!events.is_empty()).then_some(events);
        Ok(json!({
            "name": name,
            "site": site,
            "organisation": organisation,
            "mail": mail,
            "webhook": webhook,
            "language": language,
            "events": events,
        }))
    }
}

async fn list(edge: &EdgeSocket, json: bool) -> Result<String, CallError> {
    if json {
        let answer: Value = edge.get(CONTACTS).await?;
        return Ok(format!("{answer:#}"));
    }
    Ok(listed(&edge.get::<Vec<Contact>>(CONTACTS).await?))
}

fn listed(contacts: &[Contact]) -> String {
    if contacts.is_empty() {
        return "nobody is told anything; make a contact with `vitrine contacts add NAME --mail ADDRESS`".into();
    }
    let row = |contact: &Contact| {
        [
            contact.name.clone(),
            way(contact),
            scope(contact),
            contact.event_words(" ").unwrap_or_else(|| "all".into()),
            contact.language.clone(),
            contact.source.clone(),
            contact.id.clone(),
        ]
    };
    let rows: Vec<_> = contacts.iter().map(row).collect();
    table(["NAME", "TOLD BY", "OF", "EVENTS", "LANGUAGE", "SOURCE", "ID"], &rows)
}

async fn add(edge: &EdgeSocket, order: Value) -> Result<String, CallError> {
    let made: Contact = edge.post_json(CONTACTS, &order).await?;
    Ok(format!("made: {}, told by {} of {}; try it with `vitrine contacts test`", made.name, way(&made), scope(&made)))
}

/// What is no name is taken for an id, and the edge says when it is none either.
async fn id(edge: &EdgeSocket, wanted: &str) -> Result<String, CallError> {
    let contacts: Vec<Contact> = edge.get(CONTACTS).await?;
    let named = contacts.iter().find(|contact| contact.name == wanted);
    Ok(escaped(named.map_or(wanted, |contact| &contact.id)))
}

async fn remove(edge: &EdgeSocket, wanted: &str) -> Result<String, CallError> {
    let removed: Contact = edge.delete(&format!("{CONTACTS}/{}", id(edge, wanted).await?)).await?;
    Ok(format!("removed: {}, who was told by {}", removed.name, way(&removed)))
}

#[derive(Deserialize)]
struct Trial {
    error: Option<String>,
}

async fn test(edge: &EdgeSocket, wanted: &str) -> Result<String, CallError> {
    let id = id(edge, wanted).await?;
    let edge = edge.clone().with_patience(PATIENCE);
    let trial: Trial = edge.post(&format!("{CONTACTS}/{id}/test")).await?;
    match trial.error {
        None => Ok(format!("told: the other side took it, and {wanted} should have it soon")),
        Some(error) => Err(CallError::Own(format!("not told: {error}"))),
    }
}

#[derive(Deserialize)]
struct Waiting {
    channel: Option<String>,
    to: String,
    subject: String,
    due: String,
    attempts: u32,
    next: String,
    last_error: Option<String>,
}

async fn waiting(edge: &EdgeSocket, json: bool) -> Result<String, CallError> {
    if json {
        let answer: Value = edge.get("/api/v1/notices").await?;
        return Ok(format!("{answer:#}"));
    }
    let waiting: Vec<Waiting> = edge.get("/api/v1/notices").await?;
    if waiting.is_empty() {
        return Ok("everything was told".into());
    }
    let row = |one: &Waiting| {
        let error = one.last_error.clone().unwrap_or_default();
        let channel = one.channel.clone().unwrap_or_default();
        [
            one.due.clone(),
            channel,
            one.to.clone(),
            one.subject.clone(),
            one.attempts.to_string(),
            one.next.clone(),
            error,
        ]
    };
    let rows: Vec<_> = waiting.iter().map(row).collect();
    Ok(table(["DUE", "BY", "TO", "SUBJECT", "TRIED", "NEXT", "LAST ERROR"], &rows))
}

async fn retry(edge: &EdgeSocket, json: bool) -> Result<String, CallError> {
    let answer: Value = edge.post("/api/v1/notices/retry").await?;
    Ok(if json { format!("{answer:#}") } else { format!("{} are tried at once", answer["waiting"]) })
}

const CONTACTS: &str = "/api/v1/contacts";
/// A mail server may take its time.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(12 * 60);
const ADD: &str = "\
Example: vitrine contacts add operators --mail ops@shop.example
         vitrine contacts add \"shop chat\" --webhook-file chat.url --format slack --site shop.example --event expired --event mismatch";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_tells_who_is_told_what_and_how() {
        let contacts: Vec<Contact> = serde_json::from_value(json!([
            { "id": "config:ops", "name": "ops", "site": null, "organisation": null, "mail": "ops@shop.example", "webhook": null,
              "language": "en", "events": null, "source": "configuration" },
            { "id": "0a", "name": "chat", "site": "shop", "organisation": null, "mail": null,
              "webhook": { "address": "https://chat.example", "format": "slack", "signed": true }, "language": "de",
              "events": ["expired", "mismatch"], "source": "made" },
        ]))
        .expect("contacts");
        assert_eq!(
            listed(&contacts),
            "NAME  TOLD BY                               OF          EVENTS            LANGUAGE  SOURCE         ID\n\
             ops   ops@shop.example                      everything  all               en        configuration  config:ops\n\
             chat  https://chat.example (slack, signed)  site shop   expired mismatch  de        made           0a"
        );
        assert!(listed(&[]).starts_with("nobody is told anything"));
    }
}
