//! *User*: what one of them may do, for the edge or for each organisation.

use askama::Template;
use http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::users::{User, place};
use super::{document, organisations};
use crate::admin::panel::frame::Frame;
use crate::admin::panel::page::{FORM_TOKEN, Page, Visit, shown_as};
use crate::admin::problem::{Answer, Kind, Problem, see};
use crate::overview::Said;
use crate::words::office::UsersWords;
use crate::words::panel::PanelWords;

/// `users/{id}`
pub(in crate::admin::panel) static PAGES: &[Page] = &[
    Page::get("users/{id}", |visit| Box::pin(async move { page(&visit, None).await })),
    Page::post("users/{id}", &[FORM_TOKEN, "role", "grant"], |visit| Box::pin(change(visit))),
];

#[derive(Template)]
#[template(path = "user.html")]
struct One {
    frame: Frame,
    words: &'static UsersWords,
    all: &'static PanelWords,
    user: User,
    organisations: Vec<organisations::Organisation>,
    trouble: Option<Said>,
}

async fn page(visit: &Visit, slip: Option<&Problem>) -> Result<Answer, Problem> {
    let (words, all) = (&visit.language.office().users, visit.words());
    let (user, organisations): (User, _) =
        (visit.ask(&place(visit, ""), "").await?, visit.ask("organisations", "").await?);
    let status = slip.map_or(StatusCode::OK, |problem| problem.kind().status());
    let trouble = slip.map(|problem| problem.said(visit.language));
    let frame = visit.frame(user.name.clone());
    shown_as(status, &One { frame, words, all, user, organisations, trouble })
}

/// Each grant is `organisation:role`; what is empty is none.
async fn change(visit: Visit) -> Result<Answer, Problem> {
    let role = Some(visit.field("role")?).filter(|role| !role.is_empty());
    let grants = visit.fields("grant").filter_map(|grant| grant.rsplit_once(':'));
    let organisations: Map<String, Value> = grants.map(|(id, role)| (id.to_owned(), role.into())).collect();
    let order = document(&json!({ "role": role, "organisations": organisations }));
    match visit.order(Method::PATCH, &place(&visit, ""), "", order).await {
        Ok(_) => Ok(see("/users")),
        Err(problem) if matches!(problem.kind(), Kind::Malformed | Kind::Conflict) => {
            page(&visit, Some(&problem)).await
        }
        Err(problem) => Err(problem),
    }
}
