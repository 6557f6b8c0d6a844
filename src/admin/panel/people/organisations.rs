//! *Organisations*: whose sites are whose, and what is known of each company.

use askama::Template;
use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::document;
use crate::admin::api::Content;
use crate::admin::panel::frame::Frame;
use crate::admin::panel::page::{FORM_TOKEN, Page, Visit, path, shown_as};
use crate::admin::problem::{Answer, Kind, Problem, see};
use crate::admin::rights::Right;
use crate::overview::Said;
use crate::words::office::OrganisationsWords;

/// `organisations`
pub(in crate::admin::panel) static PAGES: &[Page] = &[
    Page::get("organisations", |visit| Box::pin(async move { list(&visit, None).await })),
    Page::post("organisations", FIELDS, |visit| Box::pin(add(visit))),
    Page::get("organisations/{id}", |visit| Box::pin(async move { one(&visit, None).await })),
    Page::post("organisations/{id}", FIELDS, |visit| Box::pin(change(visit))),
    Page::post("organisations/{id}/remove", &[FORM_TOKEN], |visit| Box::pin(remove(visit))),
];

const FIELDS: &[&str] =
    &[FORM_TOKEN, "name", "organisation", "unit", "locality", "state", "country", "contacts", "sites"];

/// An organisation as the API tells of it.
#[derive(Default, Deserialize)]
pub(super) struct Organisation {
    #[serde(default)]
    pub(super) id: String,
    pub(super) name: String,
    #[serde(default)]
    company: Company,
    #[serde(default)]
    contacts: Vec<Contact>,
    #[serde(default)]
    sites: Vec<String>,
}

#[derive(Default, Deserialize, Serialize)]
struct Company {
    organisation: String,
    unit: String,
    locality: String,
    state: String,
    country: String,
}

#[derive(Deserialize, Serialize)]
struct Contact {
    name: String,
    mail: String,
    phone: String,
}

impl Organisation {
    fn link(&self) -> String {
        format!("/organisations/{}", path(&[&self.id]))
    }

    /// A line for each, as they are typed.
    fn contact_lines(&self) -> String {
        let line =
            |one: &Contact| [&*one.name, &one.mail, &one.phone].join("; ").trim_end_matches([';', ' ']).to_owned();
        self.contacts.iter().map(line).collect::<Vec<_>>().join("\n")
    }

    fn site_lines(&self) -> String {
        self.sites.join("\n")
    }

    /// What was typed.
    fn typed(visit: &Visit) -> Result<Self, Problem> {
        let text = |name: &str| visit.field(name).map(str::to_owned);
        let contact = |line: &str| {
            let mut parts = line.splitn(3, ';').map(|part| part.trim().to_owned());
            let mut part = || parts.next().unwrap_or_default();
            Contact { name: part(), mail: part(), phone: part() }
        };
        Ok(Self {
            id: visit.parameter("id").to_owned(),
            name: text("name")?,
            company: Company {
                organisation: text("organisation")?,
                unit: text("unit")?,
                locality: text("locality")?,
                state: text("state")?,
                country: text("country")?,
            },
            contacts: visit.field("contacts")?.lines().filter(|line| !line.trim().is_empty()).map(contact).collect(),
            sites: visit.field("sites")?.split_whitespace().map(str::to_owned).collect(),
        })
    }

    fn order(&self) -> Value {
        json!({ "name": self.name, "company": self.company, "contacts": self.contacts, "sites": self.sites })
    }
}

#[derive(Template)]
#[template(path = "organisations.html")]
struct List {
    frame: Frame,
    words: &'static OrganisationsWords,
    organisations: Vec<Organisation>,
    may: bool,
    action: String,
    typed: Organisation,
    trouble: Option<Said>,
}

#[derive(Template)]
#[template(path = "organisation.html")]
struct One {
    frame: Frame,
    words: &'static OrganisationsWords,
    may: bool,
    action: String,
    typed: Organisation,
    trouble: Option<Said>,
}

async fn list(visit: &Visit, slip: Option<(Organisation, Problem)>) -> Result<Answer, Problem> {
    let (words, organisations) = (&visit.language.office().organisations, visit.ask("organisations", "").await?);
    let (typed, problem) = slip.unzip();
    let status = problem.as_ref().map_or(StatusCode::OK, |problem| problem.kind().status());
    let list = List {
        frame: visit.frame(words.title),
        words,
        organisations,
        may: visit.caller.may(Right::Own),
        action: "/organisations".into(),
        typed: typed.unwrap_or_default(),
        trouble: problem.map(|problem| problem.said(visit.language)),
    };
    shown_as(status, &list)
}

async fn one(visit: &Visit, slip: Option<(Organisation, Problem)>) -> Result<Answer, Problem> {
    let words = &visit.language.office().organisations;
    let (typed, problem) = slip.unzip();
    let typed = match typed {
        Some(typed) => typed,
        None => visit.ask(&place(visit), "").await?,
    };
    let status = problem.as_ref().map_or(StatusCode::OK, |problem| problem.kind().status());
    let one = One {
        frame: visit.frame(typed.name.clone()),
        words,
        may: visit.caller.may(Right::Own),
        action: typed.link(),
        typed,
        trouble: problem.map(|problem| problem.said(visit.language)),
    };
    shown_as(status, &one)
}

async fn add(visit: Visit) -> Result<Answer, Problem> {
    let typed = Organisation::typed(&visit)?;
    match visit.order(Method::POST, "organisations", "", document(&typed.order())).await {
        Ok(_) => Ok(see("/organisations")),
        Err(problem) if is_slip(&problem) => list(&visit, Some((typed, problem))).await,
        Err(problem) => Err(problem),
    }
}

async fn change(visit: Visit) -> Result<Answer, Problem> {
    let typed = Organisation::typed(&visit)?;
    match visit.order(Method::PATCH, &place(&visit), "", document(&typed.order())).await {
        Ok(_) => Ok(see(&typed.link())),
        Err(problem) if is_slip(&problem) => one(&visit, Some((typed, problem))).await,
        Err(problem) => Err(problem),
    }
}

async fn remove(visit: Visit) -> Result<Answer, Problem> {
    visit.order(Method::DELETE, &place(&visit), "", Content::None).await?;
    Ok(see("/organisations"))
}

fn is_slip(problem: &Problem) -> bool {
    matches!(problem.kind(), Kind::Malformed | Kind::Conflict)
}

fn place(visit: &Visit) -> String {
    format!("organisations/{}", path(&[visit.parameter("id")]))
}
