//! *Set up*: the first user.

use askama::Template;
use http::{Method, StatusCode};
use serde_json::json;

use super::{Front, document, lead_on, told};
use crate::admin::panel::page::{FORM_TOKEN, Page, Visit, shown_as};
use crate::admin::problem::{Answer, Problem};
use crate::overview::Said;
use crate::words::people::{AccountWords, SetUpWords};

/// `setup`
pub(in crate::admin::panel) static PAGES: &[Page] = &[
    Page::get("setup", |visit| Box::pin(async move { form(&visit, StatusCode::OK, None) })).for_anyone(),
    Page::post("setup", &[FORM_TOKEN, "token", "user", "password", "repeated"], |visit| Box::pin(make(visit)))
        .for_anyone(),
];

#[derive(Template)]
#[template(path = "set_up.html")]
struct Form<'a> {
    front: Front,
    words: &'static SetUpWords,
    account: &'static AccountWords,
    user: &'a str,
    is_open: bool,
}

fn form(visit: &Visit, status: StatusCode, trouble: Option<Said>) -> Result<Answer, Problem> {
    let people = visit.language.people();
    let is_open = visit.caller.is_here() && visit.sources.people.set_up_until().is_some();
    let status = if is_open { status } else { StatusCode::NOT_FOUND };
    shown_as(
        status,
        &Form {
            front: Front::of(visit, people.set_up.title, trouble),
            words: &people.set_up,
            account: &people.account,
            user: visit.field("user").unwrap_or_default(),
            is_open,
        },
    )
}

async fn make(visit: Visit) -> Result<Answer, Problem> {
    let text = |name: &str| visit.form.text(name).map(Option::unwrap_or_default);
    let (password, repeated) = (text("password")?, text("repeated")?);
    let words = visit.language.people();
    if password != repeated {
        return form(&visit, StatusCode::BAD_REQUEST, Some(Said::own(words.account.differ)));
    }
    let order =
        document(&json!({ "token": visit.field("token")?, "name": visit.field("user")?, "password": password }));
    match visit.order(Method::POST, "setup", "", order).await {
        Ok(answer) => Ok(lead_on(&answer, "/sites")),
        Err(problem) => {
            let trouble = told(&visit, &problem, words.set_up.wrong);
            form(&visit, problem.kind().status(), Some(trouble))
        }
    }
}
