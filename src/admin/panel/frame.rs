//! What stands around each page: where one is, what needs attention, who one is.

use http::Method;

use super::assets::{ASSETS, Assets};
use super::done::Done;
use super::page::Visit;
use crate::admin::rights::Right;
use crate::words::Language;
use crate::words::panel::PanelWords;

/// The frame of one page.
pub(in crate::admin) struct Frame {
    pub(in crate::admin) language: Language,
    pub(in crate::admin) words: &'static PanelWords,
    pub(in crate::admin) title: String,
    pub(in crate::admin) assets: &'static Assets,
    /// Where to come back to.
    pub(in crate::admin) place: String,
    pub(in crate::admin) entries: Vec<Entry>,
    pub(in crate::admin) alerts: Vec<Bar>,
    /// What has just been done.
    pub(in crate::admin) notice: Option<&'static str>,
    /// What every form has to hold, if the visitor's browser sends along by itself who he is.
    pub(in crate::admin) form_token: Option<String>,
    /// Whether there is a session to end and to look after.
    pub(in crate::admin) has_session: bool,
    pub(in crate::admin) who: String,
}

/// A page in the navigation.
pub(in crate::admin) struct Entry {
    pub(in crate::admin) path: &'static str,
    pub(in crate::admin) text: &'static str,
    pub(in crate::admin) is_here: bool,
}

/// Something that needs attention, and where it is mended.
#[derive(Clone)]
pub(in crate::admin) struct Bar {
    pub(in crate::admin) severity: &'static str,
    pub(in crate::admin) text: String,
    pub(in crate::admin) link: String,
}

impl Frame {
    pub(super) fn new(visit: &Visit, title: String) -> Self {
        let words = visit.words();
        let entry = |place: &Place| Entry {
            path: place.path,
            text: (place.text)(words),
            is_here: visit.place.split('?').next() == Some(place.path),
        };
        Self {
            language: visit.language,
            words,
            title,
            assets: &ASSETS,
            place: visit.place.clone(),
            entries: NAVIGATION
                .iter()
                .filter(|place| visit.offers(&place.asks.0, place.asks.1))
                .map(entry)
                .chain(office(visit))
                .collect(),
            alerts: visit.alerts.clone(),
            notice: Done::of(visit.asked("done"), &words.done),
            form_token: visit.caller.form_token().map(str::to_owned),
            has_session: visit.caller.person().is_some(),
            who: (words.frame.signed_in_as)(&visit.caller.name()),
        }
    }

    /// Every language there is.
    pub(in crate::admin) fn languages(&self) -> &'static [Language] {
        &Language::ALL
    }
}

/// What the navigation has, in its order.
const NAVIGATION: &[Place] = &[
    Place { path: "/sites", asks: (Method::GET, "sites"), text: |words| words.sites.title },
    Place { path: "/certificates", asks: (Method::GET, "certificates"), text: |words| words.certificates.title },
    Place { path: "/certificates/add", asks: (Method::POST, "certificates"), text: |words| words.add.title },
    Place { path: "/requests", asks: (Method::GET, "requests"), text: |words| words.requests.title },
    Place { path: "/timeline", asks: (Method::GET, "timeline"), text: |words| words.timeline.title },
    Place { path: "/reports", asks: (Method::GET, "reports"), text: |words| words.reports.title },
    Place { path: "/traffic", asks: (Method::GET, "traffic"), text: |words| words.traffic.title },
    Place { path: "/contacts", asks: (Method::GET, "contacts"), text: |words| words.contacts.title },
    Place { path: "/alerts", asks: (Method::GET, "alerts"), text: |words| words.alerts.title },
    Place { path: "/rejected", asks: (Method::GET, "rejected"), text: |words| words.rejected.title },
    Place { path: "/audit", asks: (Method::GET, "audit"), text: |words| words.audit.title },
];

/// What comes last in it, for whoever may.
fn office(visit: &Visit) -> impl Iterator<Item = Entry> {
    let is_here = |path| visit.place.split('?').next() == Some(path);
    let offered = OFFICE.iter().filter(|room| visit.caller.may(room.right));
    offered.map(move |room| Entry { path: room.path, text: (room.text)(visit.language), is_here: is_here(room.path) })
}

/// A page that is for some.
struct Room {
    path: &'static str,
    right: Right,
    text: fn(Language) -> &'static str,
}

const OFFICE: &[Room] = &[
    Room { path: "/links", right: Right::Read, text: |language| language.links().links.title },
    Room { path: "/organisations", right: Right::Read, text: |language| language.office().organisations.title },
    Room { path: "/users", right: Right::Own, text: |language| language.office().users.title },
];

/// A page that the navigation leads to.
struct Place {
    path: &'static str,
    /// What of the API it takes; whoever may not is not led there.
    asks: (Method, &'static str),
    text: fn(&PanelWords) -> &'static str,
}
