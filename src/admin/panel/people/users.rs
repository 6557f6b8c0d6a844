//! *Users*: who signs in, and what each may do.

use std::collections::BTreeMap;

use askama::Template;
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{document, organisations};
use crate::admin::api::Content;
use crate::admin::panel::frame::Frame;
use crate::admin::panel::moment::day;
use crate::admin::panel::page::{FORM_TOKEN, Page, Visit, path, read, shown_as};
use crate::admin::problem::{Answer, Kind, Problem, see};
use crate::overview::Said;
use crate::words::office::UsersWords;

/// `users`
pub(in crate::admin::panel) static PAGES: &[Page] = &[
    Page::get("users", |visit| Box::pin(async move { page(&visit, None, "", None).await })),
    Page::post("users", &[FORM_TOKEN, "name", "role", "organisation"], |visit| Box::pin(add(visit))),
    Page::post("users/{id}/role", &[FORM_TOKEN, "role", "organisation"], |visit| Box::pin(change(visit))),
    Page::post("users/{id}/reset", &[FORM_TOKEN], |visit| Box::pin(reset(visit))),
    Page::post("users/{id}/sign-out", &[FORM_TOKEN], |visit| Box::pin(sign_out(visit))),
    Page::post("users/{id}/remove", &[FORM_TOKEN], |visit| Box::pin(remove(visit))),
];

#[derive(Template)]
#[template(path = "users.html")]
struct Users {
    frame: Frame,
    words: &'static UsersWords,
    users: Vec<User>,
    organisations: Vec<organisations::Organisation>,
    made: Option<Made>,
    name: String,
    trouble: Option<Said>,
}

/// A user as the API tells of him.
#[derive(Deserialize)]
pub(super) struct User {
    id: String,
    pub(super) name: String,
    pub(super) role: Option<String>,
    organisations: BTreeMap<String, String>,
    created: String,
    must_choose_password: bool,
    second_factor: bool,
}

/// Somebody who was given a password for one time, which is shown here and never again.
#[derive(Deserialize)]
struct Made {
    name: String,
    one_time_password: String,
}

impl User {
    pub(super) fn link(&self) -> String {
        format!("/users/{}", path(&[&self.id]))
    }

    fn since(&self) -> String {
        day(&self.created)
    }

    /// What the user may do, with organisations by their names.
    fn may(&self, known: &[organisations::Organisation]) -> String {
        let name =
            |id: &str| known.iter().find(|one| one.id == *id).map_or_else(|| id.to_owned(), |one| one.name.clone());
        let each = self.organisations.iter().map(|(id, role)| format!("{role}: {}", name(id)));
        self.role.clone().unwrap_or_else(|| each.collect::<Vec<_>>().join(", "))
    }

    /// Whether a choice of the form is what the user has.
    fn has(&self, role: &str) -> bool {
        self.role.as_deref().or_else(|| self.organisations.values().next().map(String::as_str)) == Some(role)
    }

    /// What the user has for an organisation.
    pub(super) fn role_in(&self, organisation: &str) -> Option<&str> {
        self.organisations.get(organisation).map(String::as_str)
    }

    /// One choice would take the others away.
    fn is_in_several(&self) -> bool {
        self.organisations.len() > 1
    }

    fn belongs_to(&self, organisation: &str) -> bool {
        self.organisations.contains_key(organisation)
    }
}

async fn page(visit: &Visit, made: Option<Made>, name: &str, problem: Option<&Problem>) -> Result<Answer, Problem> {
    let words = &visit.language.office().users;
    let (users, organisations) = (visit.ask("users", "").await?, visit.ask("organisations", "").await?);
    let status = problem.map_or(StatusCode::OK, |problem| problem.kind().status());
    let trouble = problem.map(|problem| problem.said(visit.language));
    let frame = visit.frame(words.title);
    shown_as(status, &Users { frame, words, users, organisations, made, name: name.to_owned(), trouble })
}

/// A role for the edge, or for one organisation.
fn grants(visit: &Visit) -> Result<Value, Problem> {
    let role = visit.field("role")?;
    Ok(match visit.field("organisation")? {
        "" => json!({ "role": role }),
        organisation => json!({ "organisations": { organisation: role } }),
    })
}

async fn add(visit: Visit) -> Result<Answer, Problem> {
    let name = visit.field("name")?;
    let mut order = grants(&visit)?;
    order["name"] = json!(name);
    match visit.order(Method::POST, "users", "", document(&order)).await {
        Ok(answer) => page(&visit, Some(read(answer).await?), "", None).await,
        Err(problem) => again(&visit, name, problem).await,
    }
}

async fn change(visit: Visit) -> Result<Answer, Problem> {
    let order = document(&grants(&visit)?);
    match visit.order(Method::PATCH, &place(&visit, ""), "", order).await {
        Ok(_) => Ok(see("/users")),
        Err(problem) => again(&visit, "", problem).await,
    }
}

async fn reset(visit: Visit) -> Result<Answer, Problem> {
    let answer = visit.order(Method::POST, &place(&visit, "/reset"), "", Content::None).await?;
    page(&visit, Some(read(answer).await?), "", None).await
}

async fn sign_out(visit: Visit) -> Result<Answer, Problem> {
    visit.order(Method::DELETE, &place(&visit, "/sessions"), "", Content::None).await?;
    Ok(see("/users"))
}

async fn remove(visit: Visit) -> Result<Answer, Problem> {
    match visit.order(Method::DELETE, &place(&visit, ""), "", Content::None).await {
        Ok(_) => Ok(see("/users")),
        Err(problem) => again(&visit, "", problem).await,
    }
}

/// What does not fit is told where it can be mended.
async fn again(visit: &Visit, name: &str, problem: Problem) -> Result<Answer, Problem> {
    match problem.kind() {
        Kind::Malformed | Kind::Conflict => page(visit, None, name, Some(&problem)).await,
        _ => Err(problem),
    }
}

pub(super) fn place(visit: &Visit, below: &str) -> String {
    format!("users/{}{below}", path(&[visit.parameter("id")]))
}
