//! *Requests*: from sites and company data over the request for an authority to the certificate that comes back. Every step lies behind
//! an address of its own and can be left and come back to.

use askama::Template;
use http::Method;
use serde_json::{Value, json};

use super::add::pieces;
use super::done::Done;
use super::frame::Frame;
use super::moment::{day, minute};
use super::page::{FORM_TOKEN, Page, Visit, document, path, query, read, shown, shown_as};
use super::trouble::Told;
use crate::admin::answers::{ReceivedCertificate, Request, Site};
use crate::admin::api::Content;
use crate::admin::problem::{Answer, Kind, Problem, see};
use crate::certs::{Draft, KeyAlgorithm, OrderDraft, RequestKind, ValidationFileDraft};
use crate::overview::Said;
use crate::words::Language;
use crate::words::panel::{PanelWords, RequestsWords};
use crate::words::refusal::Refusal;

/// `requests`
pub(super) static PAGES: &[Page] = &[
    Page::get("requests", |visit| Box::pin(list(visit))),
    Page::get("requests/new", |visit| Box::pin(begin(visit))),
    Page::post("requests/new", DETAILS, |visit| Box::pin(make(visit))),
    Page::get("requests/{id}", |visit| Box::pin(one(visit))),
    Page::get("requests/{id}/request.csr", |visit| Box::pin(download(visit))),
    Page::post("requests/{id}/order", ORDER, |visit| Box::pin(amend(visit))),
    Page::post("requests/{id}/answer", ANSWER, |visit| Box::pin(answer(visit))),
    Page::post("requests/{id}/renew", &[FORM_TOKEN, "key"], |visit| Box::pin(renew(visit))),
    Page::post("requests/{id}/discard", &[FORM_TOKEN, "confirm"], |visit| Box::pin(discard(visit))),
];

const DETAILS: &[&str] = &[
    FORM_TOKEN,
    "site",
    "kind",
    "names",
    "common_name",
    "organisation",
    "unit",
    "locality",
    "state",
    "country",
    "key_type",
    "exportable",
    "provider",
    "product",
    "period",
];
const ORDER: &[&str] =
    &[FORM_TOKEN, "provider", "product", "number", "period", "approver", "note", "file_name", "file_content"];
const ANSWER: &[&str] = &[FORM_TOKEN, "file", "text"];

impl ReceivedCertificate {
    fn received(&self) -> String {
        minute(&self.received)
    }

    fn ends(&self) -> String {
        day(&self.not_after)
    }
}

impl Request {
    fn link(&self) -> String {
        format!("/requests/{}", path(&[&self.id]))
    }

    fn created(&self) -> String {
        minute(&self.created)
    }

    fn class(&self) -> &'static str {
        match self.status.as_str() {
            "completed" => "good",
            "replaced" => "plain",
            _ => "soon",
        }
    }

    fn status_text(&self, words: &RequestsWords) -> &'static str {
        match self.status.as_str() {
            "pending" => words.pending,
            "completed" => words.completed,
            "renewing" => words.renewing,
            _ => words.replaced,
        }
    }

    /// What to do now.
    fn next_text<'t>(&self, told: &'t str, language: &Language) -> &'t str {
        language.said().and_then(|words| (words.next)(&self.status)).unwrap_or(told)
    }

    fn is_open(&self) -> bool {
        matches!(self.status.as_str(), "pending" | "renewing") && self.renewed_by.is_none()
    }

    fn is_for_server(&self) -> bool {
        self.request.kind.is_empty() || self.request.kind == RequestKind::Server.label()
    }
}

#[derive(Template)]
#[template(path = "requests.html")]
struct Requests {
    frame: Frame,
    words: &'static RequestsWords,
    requests: Vec<Request>,
    may_make: bool,
}

async fn list(visit: Visit) -> Result<Answer, Problem> {
    let words = &visit.words().requests;
    let requests = visit.ask("requests", "").await?;
    let may_make = visit.offers(&Method::POST, "requests");
    shown(&Requests { frame: visit.frame(words.title), words, requests, may_make })
}

/// The first step: which sites. The second, once some are chosen or it is said that none is meant: the form.
async fn begin(visit: Visit) -> Result<Answer, Problem> {
    #[derive(Template)]
    #[template(path = "request_sites.html")]
    struct Choose {
        frame: Frame,
        words: &'static RequestsWords,
        all: &'static PanelWords,
        text: String,
        sites: Vec<Site>,
    }
    visit.demand(&Method::POST, "requests")?;
    let (all, reach) = (visit.words(), visit.reach());
    let chosen: Vec<String> = visit
        .query
        .iter()
        .filter(|(name, value)| name == "site" && !value.is_empty())
        .map(|(_, site)| site.clone())
        .collect();
    if let Some(foreign) = chosen.iter().find(|site| reach.is_narrow() && !reach.changes(site)) {
        return Err(
            Problem::new(Kind::NotAllowed, format!("your role for {foreign} is to look")).because(Refusal::OthersOwn)
        );
    }
    // Whoever acts for some organisations asks for their sites.
    if chosen.is_empty() && (reach.is_narrow() || visit.asked("step") != "details") {
        let text = visit.asked("q").trim().to_owned();
        let mut sites: Vec<Site> = visit.ask("sites", &query(&[("q", &text), ("limit", MOST_OFFERED)])).await?;
        sites.retain(|site| reach.changes(&site.name));
        return shown(&Choose { frame: visit.frame(all.requests.new), words: &all.requests, all, text, sites });
    }
    let mut names = Vec::new();
    for site in &chosen {
        let site: Site = visit.ask(&format!("sites/{}", path(&[site])), "").await?;
        names.extend(site.hosts.into_iter().map(|host| host.host));
    }
    // What was said of the company last time is most often true still.
    let before: Vec<Request> = visit.ask("requests", "").await?;
    let last = before.into_iter().find(|request| !request.request.organisation.is_empty());
    let last = last.map(|request| request.request).unwrap_or_default();
    let draft =
        Draft { names, sites: chosen, kind: String::new(), common_name: String::new(), exportable: false, ..last };
    details(&visit, draft, OrderDraft::default(), None)
}

#[derive(Template)]
#[template(path = "request_details.html")]
struct Details {
    frame: Frame,
    words: &'static RequestsWords,
    draft: Draft,
    order: OrderDraft,
    trouble: Option<Said>,
    mistakes: Vec<Told>,
}

impl Details {
    fn names(&self) -> String {
        self.draft.names.join("\n")
    }

    fn units(&self) -> String {
        self.draft.organisational_units.join("\n")
    }

    /// What is wrong with a field.
    fn mistake(&self, field: &str) -> Option<&str> {
        self.mistakes.iter().find(|mistake| mistake.field == field).map(|mistake| mistake.reason.as_str())
    }
}

fn details(visit: &Visit, draft: Draft, order: OrderDraft, problem: Option<&Problem>) -> Result<Answer, Problem> {
    let words = &visit.words().requests;
    let mistakes = problem.map(|problem| Told::of(problem, visit.language)).unwrap_or_default();
    let trouble = problem.map(|problem| match mistakes.is_empty() {
        true => problem.said(visit.language),
        false => Said::own(words.mistakes),
    });
    let status = problem.map_or(http::StatusCode::OK, |problem| problem.kind().status());
    shown_as(status, &Details { frame: visit.frame(words.details), words, draft, order, trouble, mistakes })
}

async fn make(visit: Visit) -> Result<Answer, Problem> {
    let words =
        |text: &str| text.split([' ', ',', '\n', '\r']).filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let draft = Draft {
        kind: visit.field("kind")?.to_owned(),
        common_name: visit.field("common_name")?.to_owned(),
        organisation: visit.field("organisation")?.to_owned(),
        organisational_units: visit
            .field("unit")?
            .lines()
            .map(str::trim)
            .filter(|unit| !unit.is_empty())
            .map(str::to_owned)
            .collect(),
        locality: visit.field("locality")?.to_owned(),
        state: visit.field("state")?.to_owned(),
        country: visit.field("country")?.to_uppercase(),
        names: words(visit.field("names")?),
        key_type: visit.field("key_type")?.to_owned(),
        sites: visit.fields("site").filter(|site| !site.is_empty()).map(str::to_owned).collect(),
        exportable: visit.field("exportable")? == "true",
    };
    let order = OrderDraft {
        provider: visit.field("provider")?.to_owned(),
        product: visit.field("product")?.to_owned(),
        period: visit.field("period")?.to_owned(),
        ..OrderDraft::default()
    };
    let made = visit.order(Method::POST, "requests", "", document(&json!({ "request": draft, "order": order }))).await;
    match made {
        Ok(made) => Ok(Done::Requested.at(&read::<Request>(made).await?.link())),
        Err(problem) if problem.kind() == Kind::Malformed => details(&visit, draft, order, Some(&problem)),
        Err(problem) => Err(problem),
    }
}

#[derive(Template)]
#[template(path = "request.html")]
struct One {
    frame: Frame,
    words: &'static RequestsWords,
    request: Request,
    file: ValidationFileDraft,
    may_change: bool,
}

async fn one(visit: Visit) -> Result<Answer, Problem> {
    let request: Request = visit.ask(&place(&visit), "").await?;
    let (words, file) = (&visit.words().requests, request.order.validation_file.clone().unwrap_or_default());
    let may_change = visit.may(Method::PATCH, &place(&visit)).await;
    shown(&One { frame: visit.frame(request.id.clone()), words, request, file, may_change })
}

/// Where the API has it.
fn place(visit: &Visit) -> String {
    format!("requests/{}", path(&[visit.parameter("id")]))
}

async fn download(visit: Visit) -> Result<Answer, Problem> {
    visit.ask_whole(&format!("{}/request.pem", place(&visit)), "").await
}

async fn amend(visit: Visit) -> Result<Answer, Problem> {
    let mut order = serde_json::Map::new();
    for name in ["provider", "product", "number", "period", "approver", "note"] {
        let value = visit.field(name)?;
        order.insert(name.to_owned(), if value.is_empty() { Value::Null } else { value.into() });
    }
    let name = visit.field("file_name")?;
    let content = visit.form.text("file_content")?.unwrap_or_default();
    let file = if name.is_empty() { Value::Null } else { json!({ "name": name, "content": content }) };
    order.insert("validation_file".to_owned(), file);
    let place = place(&visit);
    visit.order(Method::PATCH, &place, "", document(&json!({ "order": order }))).await?;
    Ok(Done::Amended.at(&format!("/{place}")))
}

/// Takes the answer in to be judged; it goes live on the page that shows the judgement.
async fn answer(visit: Visit) -> Result<Answer, Problem> {
    let request: Request = visit.ask(&place(&visit), "").await?;
    let form = pieces(&visit.form, &visit.words().add)?;
    if request.is_for_server() {
        visit.order(Method::POST, "certificates", "dry_run=true", Content::Form(form.again())).await?;
    }
    let id = visit.drafts.keep(visit.caller.name(), form, Some(request.id))?;
    Ok(see(&format!("/certificates/add/{id}")))
}

async fn renew(visit: Visit) -> Result<Answer, Problem> {
    let order = document(&json!({ "key": visit.field("key")? }));
    let renewed = visit.order(Method::POST, &format!("{}/renew", place(&visit)), "", order).await?;
    Ok(Done::Requested.at(&read::<Request>(renewed).await?.link()))
}

async fn discard(visit: Visit) -> Result<Answer, Problem> {
    let confirm = query(&[("confirm", visit.field("confirm")?)]);
    visit.order(Method::DELETE, &place(&visit), &confirm, Content::None).await?;
    Ok(Done::Discarded.at("/requests"))
}

/// As many sites as are looked through by eye.
const MOST_OFFERED: &str = "25";
