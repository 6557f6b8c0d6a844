//! A look at the drop folders without an edge.

use std::sync::Arc;
use std::time::Duration;

use super::folders::Folders;
use super::intake::moment;
use super::ledger::Ledger;
use super::request::Offer;
use super::scan::Scanner;
use super::shelf::Shelf;
use super::terms::Terms;
use super::well_known::AllObjects;
use crate::live::ServedCert;

/// What a look at a folder found, without an edge.
pub struct Survey {
    /// What could be served, best first.
    pub certificates: Vec<Arc<ServedCert>>,
    /// What could not, and why.
    pub ledger: Ledger,
}

/// Looks at folders once, as `vitrine check` does.
#[must_use]
pub fn survey(folders: impl Into<Folders>, terms: Arc<Terms>) -> Survey {
    let folders = folders.into();
    let mut shelf = Shelf::new(folders.clone(), None);
    shelf.terms = terms;
    let mut scan = Scanner::new(folders.clone()).scan();
    let looks = AllObjects::look_once(&folders);
    let refused: Vec<_> = looks.into_iter().flat_map(|look| look.refused).collect();
    let mut now = moment();
    shelf.step(&scan, &Offer::default(), refused.clone(), now);
    // What is there is at rest: nobody waits for a second half.
    scan.changed = false;
    scan.touched.clear();
    now.steady += Duration::from_secs(1);
    shelf.step(&scan, &Offer::default(), refused, now);
    Survey { certificates: shelf.certificates(), ledger: shelf.ledger() }
}
