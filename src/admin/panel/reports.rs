//! *Reports*: as they would go out now, those that went out with what has become of them, and which URLs they leave out.

use askama::Template;
use http::{HeaderValue, Method, header};
use serde::Deserialize;
use serde_json::json;

use super::done::Done;
use super::frame::Frame;
use super::moment::minute;
use super::page::{FORM_TOKEN, Page, Visit, document, path, query, read, read_counted, shown, shown_as};
use super::said::fault;
use super::sites::{A_PAGE, Pages};
use super::standing::source_text;
use crate::admin::answers::{Report, ReportDelivery, ReportHead, ReportLine};
use crate::admin::problem::{Answer, Kind, Problem};
use crate::admin::rights::Right;
use crate::overview::Said;
use crate::reports::NEXT;
use crate::words::Language;
use crate::words::panel::StandingWords;
use crate::words::report::ReportsWords;

/// `reports`
pub(super) static PAGES: &[Page] = &[
    Page::get("reports", |visit| Box::pin(list(visit))),
    Page::post("reports", &[FORM_TOKEN, "kind"], |visit| Box::pin(make(visit))),
    Page::get("reports/watched", |visit| Box::pin(watched(visit, None))),
    Page::post("reports/watched", &[FORM_TOKEN, "host", "watched", "reason"], |visit| Box::pin(watch(visit))),
    Page::get("reports/{id}", |visit| Box::pin(one(visit))),
    Page::get("reports/{id}/csv", |visit| Box::pin(as_table(visit))),
    Page::get("reports/{id}/json", |visit| Box::pin(as_document(visit))),
];

#[derive(Template)]
#[template(path = "reports.html")]
struct Reports {
    frame: Frame,
    words: &'static ReportsWords,
    terms: Whole,
    next: Vec<(Kinds, ReportHead)>,
    made: Vec<ReportHead>,
    told: String,
    pages: Pages,
    may_make: bool,
}

/// What is wanted of reports, as the API tells of it.
#[derive(Deserialize)]
struct Terms {
    kinds: Vec<Kinds>,
    #[serde(flatten)]
    terms: Whole,
}

/// What holds for every kind.
#[derive(Deserialize)]
struct Whole {
    time_zone: String,
    managed: bool,
    recipients: Vec<Recipient>,
}

#[derive(Deserialize)]
struct Kinds {
    kind: String,
    schedule: Option<String>,
    next: Option<String>,
    from_days: i64,
    until_days: i64,
}

impl Kinds {
    fn text(&self, words: &ReportsWords) -> &'static str {
        kind_text(&self.kind, words)
    }

    fn window(&self, words: &ReportsWords) -> String {
        (words.days)(self.from_days, self.until_days)
    }

    fn next(&self) -> String {
        self.next.as_deref().map(minute).unwrap_or_default()
    }
}

#[derive(Deserialize)]
struct Recipient {
    to: String,
    organisations: Option<Vec<String>>,
}

impl ReportHead {
    fn link(&self) -> String {
        format!("/reports/{}", path(&[&self.id]))
    }

    fn text(&self, words: &ReportsWords) -> &'static str {
        kind_text(&self.kind, words)
    }

    fn counted(&self, words: &ReportsWords) -> String {
        (words.of_urls)(self.listed, self.urls)
    }

    fn due(&self) -> String {
        minute(&self.due)
    }

    fn made(&self) -> String {
        minute(&self.made)
    }

    fn is_next(&self) -> bool {
        self.id.starts_with(NEXT)
    }
}

impl ReportLine {
    fn class(&self) -> &'static str {
        if self.state == "expiring" { "soon" } else { "bad" }
    }

    fn state_text(&self, words: &ReportsWords) -> &'static str {
        match self.state.as_str() {
            "missing" => words.missing,
            "expired" => words.expired,
            _ => words.expiring,
        }
    }

    fn ends(&self) -> String {
        self.not_after.as_deref().map(minute).unwrap_or_default()
    }

    /// What is wrong with what others serve.
    fn told(&self, language: &Language) -> Option<Said> {
        Some(fault(self.fault.as_deref(), self.detail.as_deref()?, language))
    }

    fn source_text(&self, standing: &StandingWords, words: &ReportsWords) -> &'static str {
        if self.source == "elsewhere" { words.elsewhere_title } else { source_text(&self.source, standing) }
    }

    fn link(&self) -> String {
        if self.site.is_empty() { "/elsewhere".to_owned() } else { format!("/sites/{}", path(&[&self.site])) }
    }
}

impl ReportDelivery {
    fn class(&self) -> &'static str {
        match self.state.as_str() {
            "told" => "good",
            "waiting" => "soon",
            "given_up" => "bad",
            _ => "plain",
        }
    }

    fn state_text(&self, words: &ReportsWords) -> &'static str {
        match self.state.as_str() {
            "told" => words.delivered,
            "waiting" => words.waiting,
            "given_up" => words.given_up,
            _ => words.long_ago,
        }
    }

    fn at(&self) -> String {
        self.at.as_deref().map(minute).unwrap_or_default()
    }
}

/// What a kind of report is called.
fn kind_text(kind: &str, words: &ReportsWords) -> &'static str {
    match kind {
        "daily" => words.daily,
        "weekly" => words.weekly,
        _ => words.monthly,
    }
}

async fn list(visit: Visit) -> Result<Answer, Problem> {
    let words = &visit.language.panel().reports;
    let Terms { kinds, terms }: Terms = visit.ask("reports/terms", "").await?;
    let mut next = Vec::new();
    for kind in kinds {
        // Whoever has no site has no part in any.
        match visit.ask::<ReportHead>(&format!("reports/{NEXT}{}", kind.kind), "").await {
            Ok(head) => next.push((kind, head)),
            Err(problem) if problem.kind() == Kind::NotFound => {}
            Err(problem) => return Err(problem),
        }
    }
    let offset: usize = visit.asked("offset").parse().unwrap_or(0);
    let asked = query(&[("offset", &offset.to_string()), ("limit", &A_PAGE.to_string())]);
    let (made, total): (Vec<ReportHead>, usize) = read_counted(visit.ask_whole("reports", &asked).await?).await?;
    let pages = Pages::of("/reports", &[], offset, made.len(), total);
    let told = match made.is_empty() {
        true => words.none.to_owned(),
        false => (visit.words().frame.shown_of)(pages.first, pages.last, total),
    };
    let may_make = visit.caller.organisations().is_none() && visit.caller.may(Right::Operate);
    shown(&Reports { frame: visit.frame(words.title), words, terms, next, made, told, pages, may_make })
}

/// Makes one now, and has it sent.
async fn make(visit: Visit) -> Result<Answer, Problem> {
    let order = document(&json!({ "kind": visit.field("kind")? }));
    let made: ReportHead = read(visit.order(Method::POST, "reports", "", order).await?).await?;
    Ok(Done::ReportMade.at(&made.link()))
}

#[derive(Template)]
#[template(path = "report.html")]
struct One {
    frame: Frame,
    words: &'static ReportsWords,
    standing: &'static StandingWords,
    report: Report,
    mail: Mail,
}

#[derive(Deserialize)]
struct Mail {
    subject: String,
    text: String,
}

async fn one(visit: Visit) -> Result<Answer, Problem> {
    let words = &visit.language.panel().reports;
    let place = format!("reports/{}", path(&[visit.parameter("id")]));
    let report: Report = visit.ask(&place, "").await?;
    let mail: Mail = visit.ask(&format!("{place}/mail"), &query(&[("language", visit.language.tag())])).await?;
    let title = match report.head.is_next() {
        true => (words.as_now)(report.head.text(words)),
        false => (words.of)(report.head.text(words), &report.head.due()),
    };
    shown(&One { frame: visit.frame(title), words, standing: &visit.words().standing, report, mail })
}

async fn as_table(visit: Visit) -> Result<Answer, Problem> {
    visit.ask_whole(&format!("reports/{}/csv", path(&[visit.parameter("id")])), "").await
}

async fn as_document(visit: Visit) -> Result<Answer, Problem> {
    let id = path(&[visit.parameter("id")]);
    let mut answer = visit.ask_whole(&format!("reports/{id}"), "").await?;
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{id}.json\"")) {
        answer.headers_mut().insert(header::CONTENT_DISPOSITION, value);
    }
    Ok(answer)
}

#[derive(Template)]
#[template(path = "watched.html")]
struct Urls {
    frame: Frame,
    words: &'static ReportsWords,
    urls: Vec<Url>,
    text: String,
    told: String,
    pages: Pages,
    trouble: Option<Said>,
    may_switch: bool,
}

/// A URL, and whether reports list it, as the API tells of it.
#[derive(Deserialize)]
struct Url {
    host: String,
    site: String,
    url: String,
    watched: bool,
    reason: Option<String>,
    by: Option<String>,
    since: Option<String>,
}

impl Url {
    fn since(&self) -> String {
        self.since.as_deref().map(minute).unwrap_or_default()
    }

    fn site_link(&self) -> String {
        format!("/sites/{}", path(&[&self.site]))
    }
}

async fn watched(visit: Visit, problem: Option<Problem>) -> Result<Answer, Problem> {
    let words = &visit.language.panel().reports;
    let text = visit.asked("q").trim().to_owned();
    let offset: usize = visit.asked("offset").parse().unwrap_or(0);
    let asked = query(&[("q", &text), ("offset", &offset.to_string()), ("limit", &A_PAGE.to_string())]);
    let (urls, total): (Vec<Url>, usize) = read_counted(visit.ask_whole("watched", &asked).await?).await?;
    let pages = Pages::of("/reports/watched", &[("q", text.as_str())], offset, urls.len(), total);
    let told = match urls.is_empty() {
        true => words.no_urls.to_owned(),
        false => (visit.words().frame.shown_of)(pages.first, pages.last, total),
    };
    let status = problem.as_ref().map_or(http::StatusCode::OK, |problem| problem.kind().status());
    let trouble = problem.map(|problem| problem.said(visit.language));
    let may_switch = visit.caller.may(Right::Operate) || visit.caller.organisations().is_some();
    let frame = visit.frame(words.watched_title);
    shown_as(status, &Urls { frame, words, urls, text, told, pages, trouble, may_switch })
}

/// Has reports list a URL, or leave it out.
async fn watch(visit: Visit) -> Result<Answer, Problem> {
    let (is_watched, reason) = (visit.field("watched")? == "true", visit.field("reason")?);
    let order = match is_watched {
        true => json!({ "watched": true }),
        false => json!({ "watched": false, "reason": reason }),
    };
    let place = format!("watched/{}", path(&[visit.field("host")?]));
    match visit.order(Method::POST, &place, "", document(&order)).await {
        Ok(_) if is_watched => Ok(Done::Watched.at("/reports/watched")),
        Ok(_) => Ok(Done::Unwatched.at("/reports/watched")),
        Err(problem) if problem.kind() == Kind::Malformed => watched(visit, Some(problem)).await,
        Err(problem) => Err(problem),
    }
}
