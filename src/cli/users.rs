//! `vitrine user`: who signs in at a running edge's panel, and the way back in for whoever cannot.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::output::{complain, table};
use super::{Asking, Running, exit};
use crate::outbound::{CallError, EdgeSocket, escaped};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Add a user and print a password for one time, with which a password is chosen
    #[command(after_help = ADD)]
    Add(Adding),
    /// The users there are
    List(Asking),
    /// Change what a user may do; whoever is signed in as that user signs in anew
    Role(Changing),
    /// Give a user a new password for one time and print it; the second factor goes, and whoever is signed in as that user is out
    Reset(Meaning),
    /// End all sessions of a user
    SignOut(Meaning),
    /// Take a user away
    Remove(Meaning),
}

#[derive(Args, Debug)]
pub(super) struct Adding {
    #[command(flatten)]
    running: Running,
    /// What to sign in with: letters, digits, dots, hyphens, underscores, plus and at signs
    #[arg(value_name = "NAME")]
    user: String,
    /// What the user may do
    #[arg(long, value_enum)]
    role: Role,
    /// For the things of this organisation alone, by its id; may be there several times; without it, for the edge
    #[arg(long, value_name = "ID")]
    organisation: Vec<String>,
    /// One line with a password to begin with, instead of one for one time
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(super) struct Changing {
    #[command(flatten)]
    running: Running,
    /// The user's name
    #[arg(value_name = "NAME")]
    user: String,
    /// What the user may do from now on
    #[arg(value_enum)]
    role: Role,
    /// For the things of this organisation alone, by its id; may be there several times; without it, for the edge
    #[arg(long, value_name = "ID")]
    organisation: Vec<String>,
}

#[derive(Args, Debug)]
pub(super) struct Meaning {
    #[command(flatten)]
    running: Running,
    /// The user's name
    #[arg(value_name = "NAME")]
    user: String,
}

#[derive(Clone, Copy, Debug, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
enum Role {
    /// look
    Read,
    /// look, and change what is served
    Operate,
    /// all that, take private keys out, and say who may do what
    Admin,
}

impl Command {
    pub(super) fn obey(self) -> ExitCode {
        match self {
            Self::Add(Adding { running, user, role, organisation, password_file }) => {
                let password = password_file.as_deref().map(password_in).transpose();
                match password {
                    Ok(password) => {
                        running.ask(async |edge| add(edge, &user, grants(role, &organisation), password).await)
                    }
                    Err(why) => {
                        complain(&why);
                        exit::FAILURE
                    }
                }
            }
            Self::List(Asking { running, json }) => running.ask(async |edge| list(edge, json).await),
            Self::Role(Changing { running, user, role, organisation }) => running.ask(async |edge| {
                let changed: User = edge.patch_json(&of(edge, &user).await?, &grants(role, &organisation)).await?;
                Ok(format!("{} may {} now", changed.name, changed.words()))
            }),
            Self::Reset(Meaning { running, user }) => running.ask(async |edge| reset(edge, &user).await),
            Self::SignOut(Meaning { running, user }) => running.ask(async |edge| {
                let answer: Value = edge.delete(&format!("{}/sessions", of(edge, &user).await?)).await?;
                Ok(format!("sessions ended: {}", answer["ended"]))
            }),
            Self::Remove(Meaning { running, user }) => running.ask(async |edge| {
                let removed: User = edge.delete(&of(edge, &user).await?).await?;
                Ok(format!("removed: {}, who might {}", removed.name, removed.words()))
            }),
        }
    }
}

/// A role for the edge, or for each of some organisations.
fn grants(role: Role, organisations: &[String]) -> Value {
    match organisations {
        [] => json!({ "role": role }),
        ids => {
            json!({ "organisations": ids.iter().map(|id| (id.clone(), json!(role))).collect::<serde_json::Map<_, _>>() })
        }
    }
}

/// The first line of a file.
fn password_in(path: &Path) -> Result<Zeroizing<String>, String> {
    let text = fs::read_to_string(path).map(Zeroizing::new);
    let text = text.map_err(|error| format!("--password-file: {}: {error}", path.display()))?;
    Ok(Zeroizing::new(text.lines().next().unwrap_or_default().to_owned()))
}

#[derive(Deserialize)]
struct User {
    id: String,
    name: String,
    role: Option<String>,
    organisations: std::collections::BTreeMap<String, String>,
    created: String,
    must_choose_password: bool,
}

impl User {
    /// What the user may do.
    fn words(&self) -> String {
        let each = self.organisations.iter().map(|(id, role)| format!("{role} for {id}"));
        self.role.clone().unwrap_or_else(|| each.collect::<Vec<_>>().join(", "))
    }
}

async fn add(
    edge: &EdgeSocket,
    name: &str,
    mut order: Value,
    password: Option<Zeroizing<String>>,
) -> Result<String, CallError> {
    order["name"] = json!(name);
    order["password"] = json!(password.as_ref().map(|password| password.as_str()));
    let made: Value = edge.post_json(USERS, &order).await?;
    Ok(one_time(&made).unwrap_or_else(|| format!("added: {}", text(&made, "name"))))
}

async fn reset(edge: &EdgeSocket, name: &str) -> Result<String, CallError> {
    let made: Value = edge.post(&format!("{}/reset", of(edge, name).await?)).await?;
    Ok(one_time(&made).unwrap_or_default())
}

/// The password for one time, and what to do with it.
fn one_time(made: &Value) -> Option<String> {
    let password = made["one_time_password"].as_str()?;
    complain(&format!(
        "{} signs in with this within a day and chooses another; it is not shown again",
        text(made, "name")
    ));
    Some(password.to_owned())
}

fn text<'a>(made: &'a Value, name: &str) -> &'a str {
    made[name].as_str().unwrap_or_default()
}

async fn list(edge: &EdgeSocket, json: bool) -> Result<String, CallError> {
    if json {
        let answer: Value = edge.get(USERS).await?;
        return Ok(format!("{answer:#}"));
    }
    Ok(listed(&edge.get::<Vec<User>>(USERS).await?))
}

fn listed(users: &[User]) -> String {
    if users.is_empty() {
        return "there is no user; add one with `vitrine user add NAME --role admin`".into();
    }
    let row = |user: &User| {
        let password = if user.must_choose_password { "for one time" } else { "chosen" };
        let made = user.created.get(..10).unwrap_or(&user.created).to_owned();
        [user.name.clone(), user.words(), made, password.into()]
    };
    let rows: Vec<_> = users.iter().map(row).collect();
    table(["NAME", "MAY", "MADE", "PASSWORD"], &rows)
}

/// Where the user of a name is.
async fn of(edge: &EdgeSocket, name: &str) -> Result<String, CallError> {
    let users: Vec<User> = edge.get(USERS).await?;
    let found = users.iter().find(|user| user.name.eq_ignore_ascii_case(name));
    // What is no name is taken for a number, and the edge says when it is none either.
    Ok(format!("{USERS}/{}", escaped(found.map_or(name, |user| &user.id))))
}

const USERS: &str = "/api/v1/users";
const ADD: &str = "\
Example: vitrine user add anna --role admin      prints the password that anna signs in with, and changes at once";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_tells_who_has_yet_to_choose_a_password() {
        let users: Vec<User> = serde_json::from_value(json!([
            { "id": "0a", "name": "anna", "role": "admin", "organisations": {}, "created": "2026-11-24T00:00:00Z", "must_choose_password": false },
            { "id": "0b", "name": "ben", "role": null, "organisations": { "0c": "read" }, "created": "2026-11-25T00:00:00Z", "must_choose_password": true },
        ]))
        .expect("users");
        assert_eq!(
            listed(&users),
            "NAME  MAY          MADE        PASSWORD\n\
             anna  admin        2026-11-24  chosen\n\
             ben   read for 0c  2026-11-25  for one time"
        );
        assert!(listed(&[]).contains("vitrine user add"));
    }
}
