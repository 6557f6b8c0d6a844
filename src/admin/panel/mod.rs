//! The control panel: pages for people, made of what the API says to programs.
//!
//! Whatever a page shows or changes it asks of the API, in the name of whoever looks; so there is one way to change something, with
//! one set of rights and one record. Pages work without a script.

mod add;
mod alerts;
mod assets;
mod audit;
mod certificates;
mod contact;
mod contacts;
mod done;
mod drafts;
mod elsewhere;
mod frame;
mod hand_in;
mod language;
mod links;
mod minimum;
mod moment;
mod page;
mod people;
mod rejected;
mod reports;
mod requests;
mod said;
mod site;
mod sites;
mod standing;
mod timeline;
mod traffic;
mod trouble;

use std::sync::Arc;

use http::request::Parts;
use http::{Method, header};

pub(super) use self::drafts::Drafts;
use self::page::{FORM_TOKEN, Page, Visit};
pub(super) use self::said::FlawView;
use super::Sources;
use super::api::{Content, Form, Takes, parameters, unescaped_pairs};
use super::problem::{Answer, Kind, Problem};
use super::rights::{Caller, Right};
use super::upload::Upload;

/// Answers a browser. `caller` is who it is, or why that is not known.
pub(super) async fn answer(
    caller: Result<Caller, Problem>,
    head: &Parts,
    upload: &mut Upload,
    (sources, drafts): (&Arc<Sources>, &Drafts),
) -> Result<Answer, Problem> {
    let path = head.uri.path();
    if let Some(answer) = assets::answer(&head.method, path, &head.headers) {
        return answer;
    }
    let found = find(&head.method, path);
    // Programs that ask for what is not there are told as programs are.
    if let Err(problem) = &found
        && problem.kind() == Kind::NotFound
        && !wants_page(head)
    {
        return Err(problem.clone());
    }
    let place = head.uri.path_and_query().map_or(path, |place| place.as_str()).to_owned();
    let language = language::of(&head.headers);
    let caller = match caller {
        Ok(caller) => caller,
        Err(problem) => return trouble::before_sign_in(language, &problem),
    };
    let unknown = caller.known().err();
    if let Some(problem) = &unknown
        && !found.as_ref().is_ok_and(|found| found.page.is_for_anyone)
    {
        return match wants_page(head) && matches!(head.method, Method::GET | Method::HEAD) {
            true => Ok(people::door(&caller, sources, &place)),
            false => trouble::before_sign_in(language, problem),
        };
    }
    let query = unescaped_pairs(head.uri.query().unwrap_or_default());
    let (sources, parameters, form) = (Arc::clone(sources), Vec::new(), Form::default());
    // Nor is anything looked up for nobody, or for who has to choose a password first.
    let is_known = caller.may(Right::Read);
    let alerts = if is_known { alerts::bars(&caller, &sources, language).await } else { Vec::new() };
    let drafts = drafts.clone();
    let mut visit = Visit { caller, sources, language, place, query, parameters, alerts, drafts, form };
    let outline = trouble::Outline::of(&visit);
    let result = async {
        let Found { page, parameters } = found?;
        visit.parameters = parameters;
        take(page, &mut visit, head, upload).await?;
        (page.run)(visit).await
    };
    match result.await {
        Ok(answer) => Ok(answer),
        // Nobody is told anything of the edge.
        Err(problem) if unknown.is_some() => trouble::before_sign_in(language, &problem),
        Err(problem) => outline.page(&problem),
    }
}

/// Takes what was sent, and makes sure that it was sent by a page of ours.
async fn take(page: &Page, visit: &mut Visit, head: &Parts, upload: &mut Upload) -> Result<(), Problem> {
    if page.method == Method::GET {
        return Ok(());
    }
    let media_type = head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    match Content::take(upload, media_type, Takes::Form(page.fields)).await? {
        Content::Form(form) => visit.form = form,
        _ => return Err(Problem::malformed("expected a form, found no body")),
    }
    visit.caller.demand_csrf(visit.form.text(FORM_TOKEN)?.map(str::as_bytes))
}

fn wants_page(head: &Parts) -> bool {
    head.headers.get_all(header::ACCEPT).iter().any(|value| value.to_str().is_ok_and(|text| text.contains("text/html")))
}

/// A page, and what the path says of its object.
struct Found {
    page: &'static Page,
    parameters: Vec<(&'static str, String)>,
}

/// The page for a request.
fn find(method: &Method, path: &str) -> Result<Found, Problem> {
    let below = path.strip_prefix('/').unwrap_or(path);
    let pages = PAGES.iter().copied().flatten();
    let there: Vec<_> =
        pages.filter_map(|page| Some(Found { page, parameters: parameters(page.path, below)? })).collect();
    // A fixed word goes before a parameter.
    let fewest = there.iter().map(|found| found.parameters.len()).min().ok_or_else(|| Problem::unknown(path))?;
    let fitting: Vec<_> = there.into_iter().filter(|found| found.parameters.len() == fewest).collect();
    let allowed = fitting.iter().map(|found| found.page.method.as_str()).collect::<Vec<_>>().join(", ");
    let is_meant = |page: &Page| page.method == *method || (page.method == Method::GET && *method == Method::HEAD);
    fitting.into_iter().find(|found| is_meant(found.page)).ok_or_else(|| Problem::method(&allowed))
}

/// What there is. A new page is a file of its own, and a line here.
static PAGES: &[&[Page]] = &[
    sites::PAGES,
    site::PAGES,
    minimum::PAGES,
    certificates::PAGES,
    add::PAGES,
    requests::PAGES,
    reports::PAGES,
    elsewhere::PAGES,
    timeline::PAGES,
    traffic::PAGES,
    links::PAGES,
    hand_in::PAGES,
    contacts::PAGES,
    contact::PAGES,
    alerts::PAGES,
    rejected::PAGES,
    audit::PAGES,
    people::SIGN_IN,
    people::SET_UP,
    people::ACCOUNT,
    people::SECOND_FACTOR,
    people::USERS,
    people::USER,
    people::ORGANISATIONS,
    language::PAGES,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_sent_can_say_that_it_is_ours_and_nothing_else_changes_anything() {
        for page in PAGES.iter().copied().flatten() {
            match page.method {
                Method::POST => assert!(page.fields.contains(&FORM_TOKEN), "{}", page.path),
                _ => assert_eq!(page.method, Method::GET, "{}", page.path),
            }
        }
    }
}
