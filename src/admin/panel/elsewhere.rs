//! *URLs elsewhere*: what others serve and somebody here wants to hear of.

use std::collections::BTreeMap;

use askama::Template;
use http::Method;
use serde::Deserialize;
use serde_json::json;

use super::done::Done;
use super::frame::Frame;
use super::moment::minute;
use super::page::{FORM_TOKEN, Page, Reach, Visit, document, path, query, shown_as};
use super::said::fault;
use crate::admin::api::Content;
use crate::admin::problem::{Answer, Kind, Problem};
use crate::overview::Said;
use crate::words::Language;
use crate::words::office::UsersWords;
use crate::words::report::ReportsWords;

/// `elsewhere`
pub(super) static PAGES: &[Page] = &[
    Page::get("elsewhere", |visit| Box::pin(page(visit, None))),
    Page::post("elsewhere", &[FORM_TOKEN, "url", "reason", "organisation"], |visit| Box::pin(add(visit))),
    Page::post("elsewhere/{url}/watched", &[FORM_TOKEN, "watched", "reason"], |visit| Box::pin(watch(visit))),
    Page::post("elsewhere/{url}/organisation", &[FORM_TOKEN, "organisation"], |visit| Box::pin(give(visit))),
    Page::post("elsewhere/{url}/look", &[FORM_TOKEN], |visit| Box::pin(look(visit))),
    Page::post("elsewhere/{url}/remove", &[FORM_TOKEN, "watched", "reason"], |visit| Box::pin(remove(visit))),
];

#[derive(Template)]
#[template(path = "elsewhere.html")]
struct Urls {
    frame: Frame,
    words: &'static ReportsWords,
    labels: &'static UsersWords,
    urls: Vec<Url>,
    /// Those that a new one may be for.
    organisations: Vec<Organisation>,
    /// All of which something may be looked at, by id.
    names: BTreeMap<String, String>,
    trouble: Option<Said>,
    may_change: bool,
    /// Whether the visitor may say whose a URL is.
    may_give: bool,
    reach: Reach,
    /// What was sent and refused.
    given: (String, String),
}

#[derive(Deserialize)]
struct Organisation {
    id: String,
    name: String,
}

impl Urls {
    /// Whose a URL is, as people call it.
    fn owner<'t>(&'t self, url: &'t Url) -> &'t str {
        let id = url.organisation.as_deref();
        id.map_or(self.labels.edge, |id| self.names.get(id).map_or(id, String::as_str))
    }
}

/// A URL as the API tells of it.
#[derive(Deserialize)]
struct Url {
    name: String,
    url: String,
    organisation: Option<String>,
    state: String,
    added: Remark,
    unwatched: Option<Remark>,
    seen: Option<Seen>,
}

#[derive(Deserialize)]
struct Remark {
    reason: String,
    by: String,
}

#[derive(Deserialize)]
struct Seen {
    at: String,
    not_after: Option<String>,
    days_left: Option<i64>,
    issuer: Option<String>,
    fault: Option<String>,
    detail: Option<String>,
}

impl Url {
    fn link(&self) -> String {
        format!("/elsewhere/{}", path(&[&self.name]))
    }

    fn class(&self) -> &'static str {
        match self.state.as_str() {
            "well" => "good",
            "expiring" | "unreachable" => "soon",
            "expired" | "wrong" => "bad",
            _ => "plain",
        }
    }

    fn state_text(&self, words: &ReportsWords) -> &'static str {
        match self.state.as_str() {
            "well" => words.state_well,
            "expiring" => words.expiring,
            "unreachable" => words.state_unreachable,
            "expired" => words.expired,
            "wrong" => words.state_wrong,
            "unwatched" => words.is_unwatched,
            _ => words.state_unknown,
        }
    }
}

impl Seen {
    fn at(&self) -> String {
        minute(&self.at)
    }

    fn ends(&self) -> String {
        self.not_after.as_deref().map(minute).unwrap_or_default()
    }

    /// What is wrong.
    fn told(&self, language: &Language) -> Option<Said> {
        Some(fault(self.fault.as_deref(), self.detail.as_deref()?, language))
    }
}

async fn page(visit: Visit, problem: Option<Problem>) -> Result<Answer, Problem> {
    let words = &visit.language.panel().reports;
    let urls: Vec<Url> = visit.ask("elsewhere", "").await?;
    let status = problem.as_ref().map_or(http::StatusCode::OK, |problem| problem.kind().status());
    let trouble = problem.map(|problem| problem.said(visit.language));
    let reach = visit.reach();
    let mut organisations: Vec<Organisation> = visit.ask("organisations", "").await?;
    let names = organisations.iter().map(|one| (one.id.clone(), one.name.clone())).collect();
    organisations.retain(|one| reach.changes_of(Some(&one.id)));
    let may_change = reach.changes_of(None) || !organisations.is_empty();
    // Whoever has a role for some organisations alone keeps what is theirs.
    let may_give = may_change && !reach.is_narrow() && !organisations.is_empty();
    let given = match &trouble {
        None => (String::new(), String::new()),
        Some(_) => {
            (visit.field("url").unwrap_or_default().to_owned(), visit.field("reason").unwrap_or_default().to_owned())
        }
    };
    let (frame, labels) = (visit.frame(words.elsewhere_title), &visit.language.office().users);
    let page = Urls { frame, words, labels, urls, organisations, names, trouble, may_change, may_give, reach, given };
    shown_as(status, &page)
}

/// Shows the list again where what was sent is refused.
async fn ended(visit: Visit, done: Done, result: Result<Answer, Problem>) -> Result<Answer, Problem> {
    match result {
        Ok(_) => Ok(done.at("/elsewhere")),
        Err(problem) if matches!(problem.kind(), Kind::Malformed | Kind::Conflict) => page(visit, Some(problem)).await,
        Err(problem) => Err(problem),
    }
}

async fn add(visit: Visit) -> Result<Answer, Problem> {
    let organisation = Some(visit.field("organisation")?).filter(|id| !id.is_empty());
    let (url, reason) = (visit.field("url")?, visit.field("reason")?);
    let order = document(&json!({ "url": url, "reason": reason, "organisation": organisation }));
    let result = visit.order(Method::POST, "elsewhere", "", order).await;
    ended(visit, Done::UrlAdded, result).await
}

async fn watch(visit: Visit) -> Result<Answer, Problem> {
    let is_watched = visit.field("watched")? == "true";
    let order = document(&json!({ "watched": is_watched, "reason": visit.field("reason")? }));
    let place = format!("elsewhere/{}/watched", path(&[visit.parameter("url")]));
    let result = visit.order(Method::POST, &place, "", order).await;
    ended(visit, if is_watched { Done::Watched } else { Done::Unwatched }, result).await
}

/// Gives it to an organisation, or to the edge.
async fn give(visit: Visit) -> Result<Answer, Problem> {
    let organisation = Some(visit.field("organisation")?).filter(|id| !id.is_empty());
    let place = format!("elsewhere/{}/organisation", path(&[visit.parameter("url")]));
    let result = visit.order(Method::POST, &place, "", document(&json!({ "organisation": organisation }))).await;
    ended(visit, Done::UrlGiven, result).await
}

async fn look(visit: Visit) -> Result<Answer, Problem> {
    let place = format!("elsewhere/{}/look", path(&[visit.parameter("url")]));
    let result = visit.order(Method::POST, &place, "", Content::None).await;
    ended(visit, Done::UrlSeen, result).await
}

async fn remove(visit: Visit) -> Result<Answer, Problem> {
    let reason = query(&[("reason", visit.field("reason")?)]);
    let place = format!("elsewhere/{}", path(&[visit.parameter("url")]));
    let result = visit.order(Method::DELETE, &place, &reason, Content::None).await;
    ended(visit, Done::UrlRemoved, result).await
}
