//! *Second factor*: a secret for a telephone, and codes for the day it is lost.

use askama::Template;
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::{document, told};
use crate::admin::api::Content;
use crate::admin::panel::frame::Frame;
use crate::admin::panel::page::{FORM_TOKEN, Page, Visit, read, shown_as};
use crate::admin::problem::{Answer, Problem, see};
use crate::overview::Said;
use crate::words::people::FactorWords;

/// `account/second-factor`
pub(in crate::admin::panel) static PAGES: &[Page] = &[
    Page::post("account/second-factor", &[FORM_TOKEN], |visit| Box::pin(begin(visit))),
    Page::post("account/second-factor/confirm", &[FORM_TOKEN, "code"], |visit| Box::pin(confirm(visit))),
    Page::post("account/second-factor/remove", &[FORM_TOKEN, "code"], |visit| Box::pin(remove(visit))),
];

#[derive(Template)]
#[template(path = "second_factor.html")]
struct Shown {
    frame: Frame,
    words: &'static FactorWords,
    token: String,
    begun: Option<Begun>,
    codes: Vec<String>,
    trouble: Option<Said>,
}

#[derive(Deserialize)]
struct Begun {
    secret: String,
    picture: Option<String>,
}

#[derive(Deserialize)]
struct Codes {
    recovery_codes: Vec<String>,
}

fn page(visit: &Visit, begun: Option<Begun>, codes: Vec<String>) -> Shown {
    let words = &visit.language.people().factor;
    let token = visit.caller.form_token().unwrap_or_default().to_owned();
    Shown { frame: visit.frame(words.title), words, token, begun, codes, trouble: None }
}

async fn begin(visit: Visit) -> Result<Answer, Problem> {
    let begun: Begun = read(visit.order(Method::POST, "session/second-factor", "", Content::None).await?).await?;
    shown_as(StatusCode::OK, &page(&visit, Some(begun), Vec::new()))
}

async fn confirm(visit: Visit) -> Result<Answer, Problem> {
    let order = document(&json!({ "code": visit.field("code")? }));
    match visit.order(Method::POST, "session/second-factor/confirm", "", order).await {
        Ok(answer) => {
            let codes: Codes = read(answer).await?;
            shown_as(StatusCode::OK, &page(&visit, None, codes.recovery_codes))
        }
        Err(problem) => failed(&visit, &problem),
    }
}

async fn remove(visit: Visit) -> Result<Answer, Problem> {
    let order = document(&json!({ "code": visit.field("code")? }));
    match visit.order(Method::POST, "session/second-factor/remove", "", order).await {
        Ok(_) => Ok(see("/account")),
        Err(problem) => failed(&visit, &problem),
    }
}

fn failed(visit: &Visit, problem: &Problem) -> Result<Answer, Problem> {
    let trouble = Some(told(visit, problem, visit.language.people().factor.wrong));
    shown_as(problem.kind().status(), &Shown { trouble, ..page(visit, None, Vec::new()) })
}
