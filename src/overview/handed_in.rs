//! What somebody handed in by a one-time link, and nobody has said yes or no to.

use std::sync::Arc;

use super::alert::{Alert, AlertCode, Mend};
use super::said::Matter;

/// Something that waits for somebody's word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandedIn {
    /// The link, as people call it: by its note, or else by its id.
    pub link: String,
    /// The sites that it is for.
    pub sites: Vec<String>,
    /// Seconds since the Unix epoch; `None`: nobody noted it.
    pub since: Option<i64>,
}

/// Tells what waits.
pub type Waiting = Arc<dyn Fn() -> Vec<HandedIn> + Send + Sync>;

/// An alert for each site of it, so that those hear of it who look after that site.
pub(super) fn of(handed_in: &HandedIn) -> Vec<Alert> {
    let HandedIn { link, sites, since } = handed_in;
    let alert = |site: Option<&String>| Alert {
        code: AlertCode::HandedIn,
        subject: site.unwrap_or(link).clone(),
        site: site.map(|site| (&**site).into()),
        text: format!("what was handed in by the link {link:?} waits; look at it under Links, and take it or not"),
        matter: Matter::Link(link.clone()),
        since: *since,
        mend: Mend::Links,
    };
    match sites.is_empty() {
        true => vec![alert(None)],
        false => sites.iter().map(|site| alert(Some(site))).collect(),
    }
}
