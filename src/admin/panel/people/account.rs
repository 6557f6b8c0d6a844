//! *Account*: one's password and sessions.

use askama::Template;
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::{document, lead_on, told};
use crate::admin::api::Content;
use crate::admin::panel::frame::Frame;
use crate::admin::panel::moment::minute;
use crate::admin::panel::page::{FORM_TOKEN, Page, Visit, shown_as};
use crate::admin::problem::{Answer, Problem, see};
use crate::outbound::escaped;
use crate::overview::Said;
use crate::words::people::{AccountWords, FactorWords};

/// `account`
pub(in crate::admin::panel) static PAGES: &[Page] = &[
    Page::get("account", |visit| Box::pin(async move { show(&visit, StatusCode::OK, None).await })),
    Page::post("account/password", &[FORM_TOKEN, "user", "current", "new", "repeated"], |visit| {
        Box::pin(replace_password(visit))
    }),
    Page::post("account/end", &[FORM_TOKEN, "session"], |visit| Box::pin(end(visit))),
];

#[derive(Template)]
#[template(path = "account.html")]
struct Account {
    frame: Frame,
    words: &'static AccountWords,
    factor: &'static FactorWords,
    me: Option<Me>,
    token: String,
    sessions: Vec<Session>,
    trouble: Option<Said>,
}

#[derive(Deserialize)]
struct Shown {
    user: Me,
}

#[derive(Deserialize)]
struct Me {
    name: String,
    role: Option<String>,
    organisations: std::collections::BTreeMap<String, String>,
    must_choose_password: bool,
    second_factor: bool,
}

#[derive(Deserialize)]
struct Session {
    id: String,
    created: String,
    last_seen: String,
    ends: String,
    address: String,
    agent: String,
    is_this: bool,
}

impl Me {
    /// What one may do.
    fn may(&self) -> String {
        let each = self.organisations.iter().map(|(id, role)| format!("{role} ({id})"));
        self.role.clone().unwrap_or_else(|| each.collect::<Vec<_>>().join(", "))
    }
}

impl Session {
    fn since(&self) -> String {
        minute(&self.created)
    }

    fn seen(&self) -> String {
        minute(&self.last_seen)
    }

    fn until(&self) -> String {
        minute(&self.ends)
    }
}

async fn show(visit: &Visit, status: StatusCode, trouble: Option<Said>) -> Result<Answer, Problem> {
    let words = &visit.language.people().account;
    let mut frame = visit.frame(words.title);
    if visit.asked("done") == "password" {
        frame.notice = Some(words.changed);
    }
    let token = visit.caller.form_token().unwrap_or_default().to_owned();
    let (me, sessions) = match visit.caller.person() {
        Some(_) => {
            let shown: Shown = visit.ask("session", "").await?;
            (Some(shown.user), visit.ask("sessions", "").await?)
        }
        None => (None, Vec::new()),
    };
    shown_as(status, &Account { frame, words, factor: &visit.language.people().factor, me, token, sessions, trouble })
}

async fn replace_password(visit: Visit) -> Result<Answer, Problem> {
    let text = |name: &str| visit.form.text(name).map(Option::unwrap_or_default);
    let (current, new, repeated) = (text("current")?, text("new")?, text("repeated")?);
    let words = visit.language.people();
    if new != repeated {
        return show(&visit, StatusCode::BAD_REQUEST, Some(Said::own(words.account.differ))).await;
    }
    let order = document(&json!({ "current": current, "new": new }));
    match visit.order(Method::POST, "session/password", "", order).await {
        Ok(answer) => Ok(lead_on(&answer, "/account?done=password")),
        Err(problem) => {
            let trouble = told(&visit, &problem, words.sign_in.wrong);
            show(&visit, problem.kind().status(), Some(trouble)).await
        }
    }
}

async fn end(visit: Visit) -> Result<Answer, Problem> {
    match visit.field("session")? {
        "" => {
            let answer = visit.order(Method::DELETE, "sessions", "", Content::None).await?;
            Ok(lead_on(&answer, "/sign-in"))
        }
        session => {
            visit.order(Method::DELETE, &format!("sessions/{}", escaped(session)), "", Content::None).await?;
            Ok(see("/account"))
        }
    }
}
