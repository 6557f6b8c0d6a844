//! *Hand in*: the page of a one-time link, for whoever has it. It tells of nothing but what the link is for.

use askama::Template;
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::add::{Certificate, pieces};
use super::moment::minute;
use super::page::{FORM_TOKEN, Page, Visit, document, path, read, shown, shown_as};
use super::people::Front;
use super::trouble::Told;
use crate::admin::api::{Content, Form};
use crate::admin::problem::{Answer, Kind, Problem};
use crate::overview::Said;
use crate::words::links::HandInWords;
use crate::words::panel::AddWords;

/// `hand-in`
pub(super) static PAGES: &[Page] = &[
    Page::get("hand-in/{link}", |visit| Box::pin(ask(visit))).for_anyone(),
    Page::post("hand-in/{link}", &[FORM_TOKEN, "file", "password"], |visit| Box::pin(judge(visit))).for_anyone(),
    Page::post("hand-in/{link}/confirm", &[FORM_TOKEN, "draft"], |visit| Box::pin(confirm(visit))).for_anyone(),
];

/// What the link is for, as the API tells.
#[derive(Deserialize)]
struct Opened {
    hosts: Vec<String>,
    request: Option<String>,
    goes_live: bool,
    expires: String,
}

impl Opened {
    fn until(&self) -> String {
        minute(&self.expires)
    }
}

#[derive(Template)]
#[template(path = "hand_in.html")]
struct Asking {
    front: Front,
    words: &'static HandInWords,
    add: &'static AddWords,
    here: String,
    opened: Opened,
    flaws: Vec<Told>,
}

#[derive(Template)]
#[template(path = "hand_in_found.html")]
struct Judged {
    front: Front,
    words: &'static HandInWords,
    add: &'static AddWords,
    here: String,
    draft: String,
    opened: Opened,
    certificate: Option<Certificate>,
}

#[derive(Template)]
#[template(path = "hand_in_over.html")]
struct Over {
    front: Front,
    told: &'static str,
}

#[derive(Deserialize)]
struct HandedIn {
    state: String,
    certificate: Option<Certificate>,
}

async fn ask(visit: Visit) -> Result<Answer, Problem> {
    match opened(&visit).await {
        Ok(opened) => form(&visit, opened, None),
        Err(problem) => over(&visit, &problem),
    }
}

async fn opened(visit: &Visit) -> Result<Opened, Problem> {
    let order = document(&json!({ "link": visit.parameter("link") }));
    read(visit.order(Method::POST, "hand-in/open", "", order).await?).await
}

fn form(visit: &Visit, opened: Opened, problem: Option<&Problem>) -> Result<Answer, Problem> {
    let words = &visit.language.links().hand_in;
    let flaws = problem.map(|problem| Told::of(problem, visit.language)).unwrap_or_default();
    let trouble = problem.map(|problem| match flaws.is_empty() {
        true => {
            let Said { text, quote } = problem.said(visit.language);
            Said { text: format!("{} {text}", words.not_taken), quote }
        }
        false => Said::own(words.not_taken),
    });
    let status = problem.map_or(StatusCode::OK, |problem| problem.kind().status());
    let front = Front::of(visit, words.title, trouble);
    shown_as(status, &Asking { front, words, add: &visit.words().add, here: here(visit), opened, flaws })
}

async fn judge(visit: Visit) -> Result<Answer, Problem> {
    let opened = match opened(&visit).await {
        Ok(opened) => opened,
        Err(problem) => return over(&visit, &problem),
    };
    let sent = pieces(&visit.form, &visit.words().add)?;
    match visit.order(Method::POST, "hand-in", "dry_run=true", Content::Form(with_link(&visit, &sent))).await {
        Ok(answer) => {
            let HandedIn { certificate, .. } = read(answer).await?;
            let draft = visit.drafts.keep(whose(&visit), sent, None)?;
            let (words, here) = (&visit.language.links().hand_in, here(&visit));
            let front = Front::of(&visit, words.found, None);
            shown(&Judged { front, words, add: &visit.words().add, here, draft, opened, certificate })
        }
        Err(problem) => refused(&visit, &problem).await,
    }
}

async fn confirm(visit: Visit) -> Result<Answer, Problem> {
    let draft = visit.field("draft")?.to_owned();
    let sent = match visit.drafts.look(&whose(&visit), &draft) {
        Ok(taken) => taken.form,
        Err(problem) => return refused(&visit, &problem).await,
    };
    match visit.order(Method::POST, "hand-in", "", Content::Form(with_link(&visit, &sent))).await {
        Ok(answer) => {
            visit.drafts.discard(&whose(&visit), &draft);
            let HandedIn { state, .. } = read(answer).await?;
            let words = &visit.language.links().hand_in;
            let told = if state == "taken" { words.live } else { words.waiting };
            shown(&Over { front: Front::of(&visit, words.done, None), told })
        }
        Err(problem) => refused(&visit, &problem).await,
    }
}

/// The form again with what is wrong, as long as the link takes something.
async fn refused(visit: &Visit, problem: &Problem) -> Result<Answer, Problem> {
    match opened(visit).await {
        Ok(opened) => form(visit, opened, Some(problem)),
        Err(problem) => over(visit, &problem),
    }
}

/// Why the link takes nothing.
fn over(visit: &Visit, problem: &Problem) -> Result<Answer, Problem> {
    let words = &visit.language.links().hand_in;
    let told = match (problem.kind(), problem.detail().split(':').next().unwrap_or_default()) {
        (Kind::NotFound, _) => words.unknown,
        (Kind::Conflict, "expired") => words.expired,
        (Kind::Conflict, "used") => words.used,
        (Kind::Conflict, "revoked") => words.revoked,
        (Kind::TooMany, _) => visit.language.people().sign_in.too_many,
        _ => words.later,
    };
    let mut answer = shown_as(problem.kind().status(), &Over { front: Front::of(visit, words.title, None), told })?;
    problem.add_field(answer.headers_mut());
    Ok(answer)
}

/// What was sent, with the link beside it.
fn with_link(visit: &Visit, sent: &Form) -> Form {
    let mut parts: Vec<_> = sent.files("file").map(|file| ("file", file.name, file.content)).collect();
    parts.extend(sent.files("password").map(|password| ("password", None, password.content)));
    parts.push(("link", None, visit.parameter("link").as_bytes()));
    Form::of(&parts)
}

/// Drafts are for who has the link, whoever that is.
fn whose(visit: &Visit) -> String {
    format!("link {}", visit.parameter("link"))
}

fn here(visit: &Visit) -> String {
    format!("/hand-in/{}", path(&[visit.parameter("link")]))
}
