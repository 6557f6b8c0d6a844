//! *Sites*: every host with what serves it and what is to be done, filtered and paged by the API.

use askama::Template;

use super::contacts;
use super::frame::Frame;
use super::page::{Page, Reach, Visit, query, read_counted, shown};
use crate::admin::answers::{Contact, Site};
use crate::admin::problem::{Answer, Problem, see};
use crate::overview::{Band, State};
use crate::words::panel::{PanelWords, SitesWords};

/// `/` and `sites`
pub(super) static PAGES: &[Page] =
    &[Page::get("", |_| Box::pin(async { Ok(see("/sites")) })), Page::get("sites", |visit| Box::pin(list(visit)))];

#[derive(Template)]
#[template(path = "sites.html")]
struct Sites {
    frame: Frame,
    words: &'static SitesWords,
    all: &'static PanelWords,
    sites: Vec<Site>,
    filter: Filter,
    contacts: Vec<Contact>,
    told: String,
    pages: Pages,
    reach: Reach,
}

/// What is looked for.
struct Filter {
    text: String,
    state: String,
    band: String,
    contact: String,
}

/// Where the pages before and behind are.
pub(super) struct Pages {
    pub(super) first: usize,
    pub(super) last: usize,
    pub(super) before: Option<String>,
    pub(super) behind: Option<String>,
}

impl Pages {
    /// Of `total` things, those from `offset` on are shown at the path with the query.
    pub(super) fn of(place: &str, pairs: &[(&str, &str)], offset: usize, shown: usize, total: usize) -> Self {
        let at = |offset: usize| {
            let offset = if offset == 0 { String::new() } else { offset.to_string() };
            let pairs: Vec<_> = pairs.iter().copied().chain([("offset", offset.as_str())]).collect();
            format!("{place}?{}", query(&pairs))
        };
        Self {
            first: if shown == 0 { 0 } else { offset + 1 },
            last: offset + shown,
            before: (offset > 0).then(|| at(offset.saturating_sub(A_PAGE))),
            behind: (offset + shown < total).then(|| at(offset + shown)),
        }
    }
}

async fn list(visit: Visit) -> Result<Answer, Problem> {
    let filter = Filter {
        text: visit.asked("q").trim().to_owned(),
        state: visit.asked("state").to_owned(),
        band: visit.asked("band").to_owned(),
        contact: visit.asked("contact").to_owned(),
    };
    let contacts = contacts::known(&visit).await?;
    let offset: usize = visit.asked("offset").parse().unwrap_or(0);
    let asked =
        [("q", filter.text.as_str()), ("state", &filter.state), ("band", &filter.band), ("contact", &filter.contact)];
    let (offset_text, limit) = (offset.to_string(), A_PAGE.to_string());
    let paged: Vec<_> = asked.into_iter().chain([("offset", &*offset_text), ("limit", &*limit)]).collect();
    let (sites, total): (Vec<Site>, usize) = read_counted(visit.ask_whole("sites", &query(&paged)).await?).await?;
    let pages = Pages::of("/sites", &asked, offset, sites.len(), total);
    let all = visit.words();
    let told = match sites.is_empty() {
        true => all.sites.none.to_owned(),
        false => (all.frame.shown_of)(pages.first, pages.last, total),
    };
    let (frame, reach) = (visit.frame(all.sites.title), visit.reach());
    shown(&Sites { frame, words: &all.sites, all, sites, filter, contacts, told, pages, reach })
}

/// As many as fit on two screens.
pub(super) const A_PAGE: usize = 50;
