//! *Sign in* and out.

use askama::Template;
use http::{Method, StatusCode};
use serde_json::json;

use super::{Front, document, lead_on, told};
use crate::admin::api::Content;
use crate::admin::panel::language::back;
use crate::admin::panel::page::{FORM_TOKEN, Page, Visit, read, shown_as};
use crate::admin::problem::{Answer, Problem};
use crate::words::people::SignInWords;

/// `sign-in` and `sign-out`
pub(in crate::admin::panel) static PAGES: &[Page] = &[
    Page::get("sign-in", |visit| Box::pin(async move { form(&visit, None) })).for_anyone(),
    Page::post("sign-in", &[FORM_TOKEN, "user", "password", "code", "back"], |visit| Box::pin(sign_in(visit)))
        .for_anyone(),
    Page::post("sign-out", &[FORM_TOKEN], |visit| Box::pin(sign_out(visit))),
];

#[derive(Template)]
#[template(path = "sign_in.html")]
struct Form<'a> {
    front: Front,
    words: &'static SignInWords,
    user: &'a str,
    back: &'a str,
}

fn form(visit: &Visit, problem: Option<&Problem>) -> Result<Answer, Problem> {
    let words = &visit.language.people().sign_in;
    let trouble = problem.map(|problem| told(visit, problem, words.wrong));
    let place = visit.field("back").ok().filter(|place| !place.is_empty()).unwrap_or(visit.asked("back"));
    let front = Front::of(visit, words.title, trouble);
    let form = Form { front, words, user: visit.field("user").unwrap_or_default(), back: place };
    let mut answer = shown_as(problem.map_or(StatusCode::OK, |problem| problem.kind().status()), &form)?;
    if let Some(problem) = problem {
        problem.add_field(answer.headers_mut());
    }
    Ok(answer)
}

async fn sign_in(visit: Visit) -> Result<Answer, Problem> {
    let password = visit.form.text("password")?.unwrap_or_default();
    let order = document(&json!({ "user": visit.field("user")?, "password": password, "code": visit.field("code")? }));
    match visit.order(Method::POST, "session", "", order).await {
        Ok(answer) => {
            let onward = lead_on(&answer, back(visit.field("back")?));
            let signed_in: serde_json::Value = read(answer).await?;
            match signed_in["user"]["must_choose_password"].as_bool() {
                Some(true) => Ok(lead_on(&onward, "/account")),
                _ => Ok(onward),
            }
        }
        Err(problem) => form(&visit, Some(&problem)),
    }
}

async fn sign_out(visit: Visit) -> Result<Answer, Problem> {
    let answer = visit.order(Method::DELETE, "session", "", Content::None).await?;
    Ok(lead_on(&answer, "/sign-in"))
}
