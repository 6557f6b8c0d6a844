//! `vitrine organisations`: whose sites are whose, and what is known of each company.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::output::table;
use super::{Asking, Running};
use crate::outbound::{CallError, EdgeSocket, escaped};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// The organisations there are
    List(Asking),
    /// All that is known of one
    Show(Meaning),
    /// Add one
    #[command(after_help = ADD)]
    Add(Adding),
    /// Change what is known of one; what is not said stays
    Change(Changing),
    /// Give sites to one; those it has stay
    Assign(Sites),
    /// Take sites from one
    Release(Sites),
    /// Take one away; its sites are nobody's then
    Remove(Meaning),
}

#[derive(Args, Debug)]
pub(super) struct Meaning {
    #[command(flatten)]
    running: Running,
    /// Its name, or its number in the list
    #[arg(value_name = "NAME")]
    organisation: String,
}

#[derive(Args, Debug)]
pub(super) struct Adding {
    #[command(flatten)]
    running: Running,
    /// What people call it
    #[arg(value_name = "NAME")]
    name: String,
    /// A site it owns; may be there several times
    #[arg(long, value_name = "SITE")]
    site: Vec<String>,
    #[command(flatten)]
    details: Details,
}

#[derive(Args, Debug)]
pub(super) struct Changing {
    #[command(flatten)]
    running: Running,
    /// Its name, or its number in the list
    #[arg(value_name = "NAME")]
    organisation: String,
    /// What people call it from now on
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    details: Details,
}

#[derive(Args, Debug)]
pub(super) struct Sites {
    #[command(flatten)]
    running: Running,
    /// Its name, or its number in the list
    #[arg(value_name = "NAME")]
    organisation: String,
    /// Names of sites
    #[arg(value_name = "SITE", required = true)]
    sites: Vec<String>,
}

/// What stands in its certificate signing requests, and who is told.
#[derive(Args, Debug)]
struct Details {
    /// The company (O)
    #[arg(long, value_name = "TEXT")]
    company: Option<String>,
    /// Its unit (OU)
    #[arg(long, value_name = "TEXT")]
    unit: Option<String>,
    /// Its town (L)
    #[arg(long, value_name = "TEXT")]
    locality: Option<String>,
    /// Its state or province (ST)
    #[arg(long, value_name = "TEXT")]
    state: Option<String>,
    /// Its country (C), two letters
    #[arg(long, value_name = "CODE")]
    country: Option<String>,
    /// Somebody there: `name; mail; phone`; may be there several times, and replaces those there were
    #[arg(long, value_name = "CONTACT")]
    contact: Vec<String>,
}

impl Details {
    /// Puts what is said into what is known.
    fn into(self, known: &mut Value) {
        let Self { company, unit, locality, state, country, contact } = self;
        let said =
            [("organisation", company), ("unit", unit), ("locality", locality), ("state", state), ("country", country)];
        for (name, value) in said {
            if let Some(value) = value {
                known["company"][name] = json!(value);
            }
        }
        if !contact.is_empty() {
            known["contacts"] = contact.iter().map(|text| read_contact(text)).collect();
        }
    }
}

fn read_contact(text: &str) -> Value {
    let mut parts = text.splitn(3, ';').map(str::trim);
    let mut part = || parts.next().unwrap_or_default();
    json!({ "name": part(), "mail": part(), "phone": part() })
}

#[derive(Debug, Deserialize)]
struct Organisation {
    id: String,
    name: String,
    company: Map<String, Value>,
    contacts: Vec<Map<String, Value>>,
    sites: Vec<String>,
}

impl Command {
    pub(super) fn obey(self) -> ExitCode {
        match self {
            Self::List(Asking { running, json }) => running.ask(async |edge| list(edge, json).await),
            Self::Show(Meaning { running, organisation }) => {
                running.ask(async |edge| Ok(find(edge, &organisation).await?.shown()))
            }
            Self::Add(Adding { running, name, site, details }) => running.ask(async |edge| {
                let mut order = json!({ "name": name, "sites": site, "company": {} });
                details.into(&mut order);
                let made: Organisation = edge.post_json(ORGANISATIONS, &order).await?;
                Ok(format!("added: {} ({})", made.name, made.id))
            }),
            Self::Change(Changing { running, organisation, name, details }) => running.ask(async |edge| {
                let known = find(edge, &organisation).await?;
                let mut order = json!({ "company": known.company });
                details.into(&mut order);
                if let Some(name) = name {
                    order["name"] = json!(name);
                }
                Ok(change(edge, &known, &order).await?.shown())
            }),
            Self::Assign(Sites { running, organisation, sites }) => running.ask(async |edge| {
                let known = find(edge, &organisation).await?;
                let all: Vec<&String> =
                    known.sites.iter().chain(sites.iter().filter(|site| !known.sites.contains(site))).collect();
                Ok(change(edge, &known, &json!({ "sites": all })).await?.shown())
            }),
            Self::Release(Sites { running, organisation, sites }) => running.ask(async |edge| {
                let known = find(edge, &organisation).await?;
                if let Some(site) = sites.iter().find(|site| !known.sites.contains(site)) {
                    return Err(CallError::NotFound(format!("{} has no site {site:?}", known.name)));
                }
                let rest: Vec<&String> = known.sites.iter().filter(|site| !sites.contains(site)).collect();
                Ok(change(edge, &known, &json!({ "sites": rest })).await?.shown())
            }),
            Self::Remove(Meaning { running, organisation }) => running.ask(async |edge| {
                let known = find(edge, &organisation).await?;
                let removed: Organisation = edge.delete(&known.path()).await?;
                Ok(format!("removed: {} ({})", removed.name, removed.id))
            }),
        }
    }
}

impl Organisation {
    fn path(&self) -> String {
        format!("{ORGANISATIONS}/{}", escaped(&self.id))
    }

    /// All of it, a line each.
    fn shown(&self) -> String {
        let text =
            |map: &Map<String, Value>, name: &str| map.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let company = ["organisation", "unit", "locality", "state", "country"].map(|name| text(&self.company, name));
        let company: Vec<_> = company.into_iter().filter(|text| !text.is_empty()).collect();
        let mut lines = vec![
            format!("{} ({})", self.name, self.id),
            format!("sites: {}", self.sites.join(", ")),
            format!("company: {}", company.join(", ")),
        ];
        for contact in &self.contacts {
            let parts = ["name", "mail", "phone"].map(|name| text(contact, name));
            let parts: Vec<_> = parts.into_iter().filter(|text| !text.is_empty()).collect();
            lines.push(format!("contact: {}", parts.join("; ")));
        }
        lines.join("\n")
    }
}

async fn change(edge: &EdgeSocket, known: &Organisation, order: &Value) -> Result<Organisation, CallError> {
    edge.patch_json(&known.path(), order).await
}

async fn list(edge: &EdgeSocket, json: bool) -> Result<String, CallError> {
    if json {
        let answer: Value = edge.get(ORGANISATIONS).await?;
        return Ok(format!("{answer:#}"));
    }
    Ok(listed(&edge.get::<Vec<Organisation>>(ORGANISATIONS).await?))
}

fn listed(organisations: &[Organisation]) -> String {
    if organisations.is_empty() {
        return "there is no organisation; add one with `vitrine organisations add NAME --site SITE`".into();
    }
    let row = |one: &Organisation| [one.id.clone(), one.name.clone(), one.sites.join(", ")];
    table(["ID", "NAME", "SITES"], &organisations.iter().map(row).collect::<Vec<_>>())
}

/// The one that somebody means.
async fn find(edge: &EdgeSocket, meant: &str) -> Result<Organisation, CallError> {
    let all: Vec<Organisation> = edge.get(ORGANISATIONS).await?;
    let found = all.into_iter().find(|one| one.id == meant || one.name.eq_ignore_ascii_case(meant));
    found.ok_or_else(|| {
        CallError::NotFound(format!(
            "there is no organisation {meant:?}; `vitrine organisations list` shows those there are"
        ))
    })
}

const ORGANISATIONS: &str = "/api/v1/organisations";
const ADD: &str = "\
Example: vitrine organisations add \"Shop GmbH\" --site shop.example --company \"Shop GmbH\" --country DE \\
           --contact \"Anna Muster; anna@shop.example; +49 221 1234\"";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_told_without_what_is_empty() {
        let one: Organisation = serde_json::from_value(json!({
            "id": "0a", "name": "Shop GmbH", "created": "2026-11-24T00:00:00Z", "sites": ["shop.example"],
            "company": { "organisation": "Shop GmbH", "unit": "", "locality": "", "state": "", "country": "DE" },
            "contacts": [read_contact("Anna; anna@shop.example")],
        }))
        .expect("an organisation");
        assert_eq!(
            one.shown(),
            "Shop GmbH (0a)\nsites: shop.example\ncompany: Shop GmbH, DE\ncontact: Anna; anna@shop.example"
        );
        assert_eq!(listed(&[one]), "ID  NAME       SITES\n0a  Shop GmbH  shop.example");
        assert!(listed(&[]).contains("vitrine organisations add"));
    }
}
