//! *Contacts*: who is told what happens, of which site, and whether it arrives.

use askama::Template;
use http::Method;
use serde::{Deserialize, Serialize};

use super::done::Done;
use super::frame::Frame;
use super::page::{FORM_TOKEN, Page, Visit, path, read, secret_document, shown_as};
use super::trouble::Told;
use crate::admin::answers::Contact;
use crate::admin::api::Content;
use crate::admin::problem::{Answer, Kind, Problem};
use crate::notices::EventKind;
use crate::overview::Said;
use crate::words::Language;
use crate::words::panel::ContactsWords;
use crate::words::refusal::Refusal;

/// `contacts`
pub(super) static PAGES: &[Page] = &[
    Page::get("contacts", |visit| Box::pin(list(visit))),
    Page::post("contacts", FIELDS, |visit| Box::pin(make(visit))),
    Page::post("contacts/{id}/test", &[FORM_TOKEN], |visit| Box::pin(test(visit))),
    Page::post("contacts/{id}/remove", &[FORM_TOKEN], |visit| Box::pin(remove(visit))),
];

const FIELDS: &[&str] = &[FORM_TOKEN, "name", "site", "mail", "url", "format", "secret", "language", "event"];

#[derive(Template)]
#[template(path = "contacts.html")]
struct Contacts {
    frame: Frame,
    words: &'static ContactsWords,
    contacts: Vec<Contact>,
    name: String,
    site: String,
    mail: String,
    trouble: Option<Said>,
    may_change: bool,
}

impl ContactsWords {
    /// What a kind of event is about, and its name for programs where it has no words.
    pub(super) fn about_event(&self, kind: &EventKind) -> &'static str {
        (self.event)(kind.word()).unwrap_or_else(|| kind.word())
    }
}

impl Contact {
    /// Whether it is told of a site by name, or of all.
    pub(super) fn is_told_of(&self, site: &str) -> bool {
        match (&self.site, &self.organisation) {
            (Some(own), _) => own == site,
            (None, organisation) => organisation.is_none(),
        }
    }

    fn is_made(&self) -> bool {
        self.source == "made"
    }

    fn link(&self) -> String {
        format!("/contacts/{}", path(&[&self.id]))
    }
}

/// All contacts; none for whoever may not know them.
pub(super) async fn known(visit: &Visit) -> Result<Vec<Contact>, Problem> {
    match visit.ask("contacts", "").await {
        Err(problem) if problem.kind() == Kind::NotAllowed => Ok(Vec::new()),
        contacts => contacts,
    }
}

async fn list(visit: Visit) -> Result<Answer, Problem> {
    page(&visit, [String::new(), visit.asked("site").to_owned(), String::new()], None).await
}

async fn page(visit: &Visit, [name, site, mail]: [String; 3], problem: Option<&Problem>) -> Result<Answer, Problem> {
    let (words, contacts) = (&visit.words().contacts, visit.ask("contacts", "").await?);
    let trouble = problem.map(|problem| slip(problem, visit.language));
    let status = problem.map_or(http::StatusCode::OK, |problem| problem.kind().status());
    let (frame, may_change) = (visit.frame(words.title), visit.offers(&Method::POST, "contacts"));
    shown_as(status, &Contacts { frame, words, contacts, name, site, mail, trouble, may_change })
}

/// What is wrong with what was typed.
pub(super) fn slip(problem: &Problem, language: Language) -> Said {
    let parts = Told::of(problem, language);
    let told = || parts.iter().map(|part| part.reason.as_str()).collect::<String>();
    if parts.is_empty() { problem.said(language) } else { Said::own(told()) }
}

/// A contact to be made; what is empty is left out.
#[derive(Serialize)]
struct Order<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    site: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mail: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook: Option<WebhookOrder<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    language: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    events: Option<Vec<&'a str>>,
}

/// Where a contact is told by a post; what is left out stays, or is as usual.
#[derive(Serialize)]
pub(super) struct WebhookOrder<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) format: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) secret: Option<&'a str>,
}

async fn make(visit: Visit) -> Result<Answer, Problem> {
    let field = |name: &str| visit.field(name).map(|value| Some(value).filter(|value| !value.is_empty()));
    let (name, site, mail) = (visit.field("name")?, field("site")?, field("mail")?);
    let events: Vec<&str> = visit.fields("event").filter(|event| !event.is_empty()).collect();
    let url = field("url")?;
    let order = Order {
        name,
        site,
        mail,
        webhook: match url {
            Some(_) => Some(WebhookOrder { url, format: field("format")?, secret: field("secret")? }),
            None => None,
        },
        language: field("language")?,
        events: Some(events).filter(|events| !events.is_empty()),
    };
    match visit.order(Method::POST, "contacts", "", secret_document(&order)?).await {
        Ok(_) => Ok(Done::ContactMade.at("/contacts")),
        Err(problem) if problem.kind() == Kind::Malformed => {
            let sent = [name, site.unwrap_or_default(), mail.unwrap_or_default()].map(str::to_owned);
            page(&visit, sent, Some(&problem)).await
        }
        Err(problem) => Err(problem),
    }
}

/// Tells the contact something of no meaning.
async fn test(visit: Visit) -> Result<Answer, Problem> {
    #[derive(Deserialize)]
    struct Trial {
        told: bool,
        error: Option<String>,
    }
    let place = format!("contacts/{}/test", path(&[visit.parameter("id")]));
    let tried: Trial = read(visit.order(Method::POST, &place, "", Content::None).await?).await?;
    match tried.told {
        true => Ok(Done::ContactTold.at("/contacts")),
        false => {
            let error = tried.error.unwrap_or_default();
            Err(Problem::new(Kind::Conflict, error.clone()).because(Refusal::NotTold(error)))
        }
    }
}

async fn remove(visit: Visit) -> Result<Answer, Problem> {
    let place = format!("contacts/{}", path(&[visit.parameter("id")]));
    visit.order(Method::DELETE, &place, "", Content::None).await?;
    Ok(Done::ContactRemoved.at("/contacts"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_event_has_words_in_every_language() {
        for language in Language::ALL {
            for kind in EventKind::ALL {
                assert_ne!(language.panel().contacts.about_event(kind), kind.word());
            }
        }
    }
}
