//! *Contact*: one of them, to be changed.

use askama::Template;
use http::{Method, StatusCode};
use serde::{Deserialize, Serialize};

use super::contacts::{WebhookOrder, slip};
use super::done::Done;
use super::frame::Frame;
use super::page::{FORM_TOKEN, Page, Visit, path, secret_document, shown_as};
use crate::admin::answers::Contact;
use crate::admin::problem::{Answer, Kind, Problem};
use crate::notices::{EventKind, Format};
use crate::overview::Said;
use crate::words::Language;
use crate::words::panel::{ContactsWords, PanelWords};

/// `contacts/{id}`
pub(super) static PAGES: &[Page] = &[
    Page::get("contacts/{id}", |visit| Box::pin(async move { page(&visit, None).await })),
    Page::post("contacts/{id}", FIELDS, |visit| Box::pin(change(visit))),
];

const FIELDS: &[&str] =
    &[FORM_TOKEN, "name", "site", "organisation", "mail", "url", "format", "secret", "language", "event"];

#[derive(Template)]
#[template(path = "contact.html")]
struct One {
    frame: Frame,
    words: &'static ContactsWords,
    all: &'static PanelWords,
    contact: Contact,
    /// Those whose sites it may be told of.
    organisations: Vec<Organisation>,
    link: String,
    trouble: Option<Said>,
}

/// An organisation as the API tells of it.
#[derive(Deserialize)]
struct Organisation {
    id: String,
    name: String,
}

impl One {
    /// The organisation whose sites it is told of, if there is no such organisation any more.
    fn gone(&self) -> Option<&str> {
        let id = self.contact.organisation.as_deref()?;
        (!self.organisations.iter().any(|one| one.id == id)).then_some(id)
    }

    fn is_told(&self, kind: &EventKind) -> bool {
        self.contact.events.as_ref().is_some_and(|events| events.contains(kind))
    }
}

/// The contact as it is, or as it was typed with what is wrong with that.
async fn page(visit: &Visit, typed: Option<(Typed<'_>, Problem)>) -> Result<Answer, Problem> {
    let (all, place) = (visit.words(), place(visit));
    let mut contact: Contact = visit.ask(&place, "").await?;
    visit.demand(&Method::POST, "contacts")?;
    if contact.source != "made" {
        return Err(Problem::new(Kind::Conflict, "this contact stands in the configuration; change it there"));
    }
    let title = contact.name.clone();
    let (mut trouble, mut status) = (None, StatusCode::OK);
    if let Some((typed, problem)) = typed {
        typed.name.clone_into(&mut contact.name);
        (contact.site, contact.organisation) = (typed.site.map(str::to_owned), typed.organisation.map(str::to_owned));
        contact.mail = contact.mail.map(|mail| typed.mail.map_or(mail, str::to_owned));
        typed.language.clone_into(&mut contact.language);
        contact.events = typed.events.map(|words| words.into_iter().filter_map(EventKind::of_word).collect());
        (trouble, status) = (Some(slip(&problem, visit.language)), problem.kind().status());
    }
    let (frame, words, link) = (visit.frame(title), &all.contacts, format!("/{place}"));
    let organisations = visit.ask("organisations", "").await?;
    shown_as(status, &One { frame, words, all, contact, organisations, link, trouble })
}

/// What is changed; what is left out stays.
#[derive(Serialize)]
struct Typed<'a> {
    name: &'a str,
    /// Null, and no organisation either: it is told of everything.
    site: Option<&'a str>,
    organisation: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mail: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook: Option<WebhookOrder<'a>>,
    language: &'a str,
    /// Null asks for all.
    events: Option<Vec<&'a str>>,
}

async fn change(visit: Visit) -> Result<Answer, Problem> {
    let field = |name: &str| visit.field(name).map(|value| Some(value).filter(|value| !value.is_empty()));
    let (url, format, secret) = (field("url")?, field("format")?, field("secret")?);
    let events: Vec<&str> = visit.fields("event").filter(|event| !event.is_empty()).collect();
    let typed = Typed {
        name: visit.field("name")?,
        site: field("site")?,
        organisation: field("organisation")?,
        mail: field("mail")?,
        // A contact that is told by mail sends none of these.
        webhook: format.is_some().then_some(WebhookOrder { url, format, secret }),
        language: visit.field("language")?,
        events: Some(events).filter(|events| !events.is_empty()),
    };
    match visit.order(Method::PATCH, &place(&visit), "", secret_document(&typed)?).await {
        Ok(_) => Ok(Done::ContactChanged.at("/contacts")),
        Err(problem) if matches!(problem.kind(), Kind::Malformed | Kind::Conflict) => {
            page(&visit, Some((typed, problem))).await
        }
        Err(problem) => Err(problem),
    }
}

fn place(visit: &Visit) -> String {
    format!("contacts/{}", path(&[visit.parameter("id")]))
}
