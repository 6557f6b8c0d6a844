//! The pages about people: signing in, setting up, one's account; and for who looks after them.

mod account;
mod organisations;
mod second_factor;
mod set_up;
mod sign_in;
mod user;
mod users;

pub(super) use account::PAGES as ACCOUNT;
pub(super) use organisations::PAGES as ORGANISATIONS;
pub(super) use second_factor::PAGES as SECOND_FACTOR;
pub(super) use set_up::PAGES as SET_UP;
pub(super) use sign_in::PAGES as SIGN_IN;
pub(super) use user::PAGES as USER;
pub(super) use users::PAGES as USERS;

use http::header;
use serde_json::Value;
use zeroize::Zeroizing;

use super::assets::{ASSETS, Assets};
use super::page::Visit;
use crate::admin::Sources;
use crate::admin::api::Content;
use crate::admin::problem::{Answer, Kind, Problem, see};
use crate::admin::rights::Caller;
use crate::outbound::escaped;
use crate::overview::Said;
use crate::words::Language;

/// What stands around a page for whoever is not known yet: nothing that tells of the edge.
pub(in crate::admin) struct Front {
    pub(in crate::admin) language: Language,
    pub(in crate::admin) assets: &'static Assets,
    pub(in crate::admin) title: &'static str,
    pub(in crate::admin) trouble: Option<Said>,
    /// What a form has to hold if somebody has signed in already.
    pub(in crate::admin) form_token: String,
}

impl Front {
    pub(in crate::admin::panel) fn of(visit: &Visit, title: &'static str, trouble: Option<Said>) -> Self {
        let form_token = visit.caller.form_token().unwrap_or_default().to_owned();
        Self { language: visit.language, assets: &ASSETS, title, trouble, form_token }
    }
}

/// Where whoever is not known is sent: to sign in, or to make the first user, and then to where he wanted.
pub(super) fn door(caller: &Caller, sources: &Sources, place: &str) -> Answer {
    if caller.is_here() && sources.people.set_up_until().is_some() {
        return see("/setup");
    }
    see(&format!("/sign-in?back={}", escaped(place)))
}

/// A document for the API.
fn document(value: &Value) -> Content {
    Content::Json(Zeroizing::new(value.to_string().into_bytes()))
}

/// Leads on with the cookie that the API's answer brings.
fn lead_on(answer: &Answer, place: &str) -> Answer {
    let mut onward = see(place);
    if let Some(cookie) = answer.headers().get(header::SET_COOKIE) {
        onward.headers_mut().insert(header::SET_COOKIE, cookie.clone());
    }
    onward
}

/// What a page says of a problem, where `wrong` is what it says of what does not fit.
fn told(visit: &Visit, problem: &Problem, wrong: &str) -> Said {
    match problem.kind() {
        // What is wrong with a code is told by itself.
        Kind::Unauthorized if !problem.detail().starts_with("code: ") => Said::own(wrong),
        Kind::TooMany => Said::own(visit.language.people().sign_in.too_many),
        _ => problem.said(visit.language),
    }
}
