//! *Links*: by which customers hand in certificates, made and looked after.

use askama::Template;
use http::{Method, StatusCode};
use serde_json::json;

use super::frame::Frame;
use super::moment::minute;
use super::page::{FORM_TOKEN, Page, Visit, document, path, read, shown_as};
use crate::admin::answers::{Link, MadeLink};
use crate::admin::api::Content;
use crate::admin::links::Found;
use crate::admin::problem::{Answer, Kind, Problem, see};
use crate::admin::rights::Right;
use crate::overview::Said;
use crate::words::links::LinksWords;

/// `links`
pub(super) static PAGES: &[Page] = &[
    Page::get("links", |visit| Box::pin(list(visit))),
    Page::post("links", FIELDS, |visit| Box::pin(make(visit))),
    Page::post("links/{id}/revoke", &[FORM_TOKEN], |visit| Box::pin(revoke(visit))),
    Page::post("links/{id}/accept", &[FORM_TOKEN], |visit| Box::pin(accept(visit))),
    Page::post("links/{id}/decline", &[FORM_TOKEN], |visit| Box::pin(decline(visit))),
];

const FIELDS: &[&str] = &[FORM_TOKEN, "site", "request", "note", "hours", "goes_live"];

#[derive(Template)]
#[template(path = "links.html")]
struct Links {
    frame: Frame,
    words: &'static LinksWords,
    links: Vec<Link>,
    may: bool,
    made: Option<String>,
    sites: String,
    request: String,
    note: String,
    trouble: Option<Said>,
}

impl Link {
    fn place(&self) -> String {
        format!("/links/{}", path(&[&self.id]))
    }

    fn until(&self) -> String {
        minute(&self.expires)
    }

    fn wrong_text(&self, words: &LinksWords) -> Option<String> {
        (self.wrong > 0).then(|| (words.wrong)(self.wrong))
    }

    fn state_text(&self, words: &LinksWords) -> &'static str {
        match self.state.as_str() {
            "open" => words.open,
            "expired" => words.expired,
            "waiting" => words.waiting,
            "taken" => words.taken,
            "declined" => words.declined,
            "spoiled" => words.spoiled,
            _ => words.revoked,
        }
    }

    fn class(&self) -> &'static str {
        match self.state.as_str() {
            "waiting" => "soon",
            "taken" => "good",
            "spoiled" => "bad",
            _ => "plain",
        }
    }
}

impl Found {
    fn ends(&self) -> String {
        minute(&self.not_after)
    }
}

async fn list(visit: Visit) -> Result<Answer, Problem> {
    let (sites, request) = (visit.asked("site").to_owned(), visit.asked("request").to_owned());
    page(&visit, [sites, request, String::new()], None, None).await
}

async fn page(
    visit: &Visit,
    [sites, request, note]: [String; 3],
    made: Option<String>,
    problem: Option<&Problem>,
) -> Result<Answer, Problem> {
    let words = &visit.language.links().links;
    let mut links: Vec<Link> = visit.ask("links", "").await?;
    links.reverse();
    let frame = visit.frame(words.title);
    let (may, trouble) = (visit.caller.may(Right::Operate), problem.map(|problem| problem.said(visit.language)));
    let status = problem.map_or(StatusCode::OK, |problem| problem.kind().status());
    shown_as(status, &Links { frame, words, links, may, made, sites, request, note, trouble })
}

async fn make(visit: Visit) -> Result<Answer, Problem> {
    let (sites, request, note) = (visit.field("site")?, visit.field("request")?, visit.field("note")?);
    let named: Vec<&str> = sites.split([' ', ',', '\n', '\r']).filter(|site| !site.is_empty()).collect();
    let order = json!({
        "sites": named,
        "request": Some(request).filter(|request| !request.is_empty()),
        "note": note,
        "hours": visit.field("hours")?.parse::<u32>().ok(),
        "goes_live": !visit.field("goes_live")?.is_empty(),
    });
    match visit.order(Method::POST, "links", "", document(&order)).await {
        Ok(answer) => {
            let made: MadeLink<String> = read(answer).await?;
            page(&visit, Default::default(), Some(made.path), None).await
        }
        Err(problem) if matches!(problem.kind(), Kind::Malformed | Kind::NotFound | Kind::NotAllowed) => {
            let sent = [sites, request, note].map(str::to_owned);
            page(&visit, sent, None, Some(&problem)).await
        }
        Err(problem) => Err(problem),
    }
}

async fn revoke(visit: Visit) -> Result<Answer, Problem> {
    order(&visit, Method::DELETE, "").await
}

async fn accept(visit: Visit) -> Result<Answer, Problem> {
    order(&visit, Method::POST, "/accept").await
}

async fn decline(visit: Visit) -> Result<Answer, Problem> {
    order(&visit, Method::POST, "/decline").await
}

async fn order(visit: &Visit, method: Method, what: &str) -> Result<Answer, Problem> {
    let place = format!("links/{}{what}", path(&[visit.parameter("id")]));
    visit.order(method, &place, "", Content::None).await?;
    Ok(see("/links"))
}
