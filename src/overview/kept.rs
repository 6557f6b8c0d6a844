//! The last overview, for whoever looks again before anything has changed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::{HandedIn, Overview, Wrong};
use crate::certs::{Contradiction, Ledger, ListedRequest};
use crate::config::Standing;
use crate::elsewhere::Foreign;
use crate::live::{CertIndex, RouteTable};

/// The last overview and what it was made of. Clones are the same.
#[derive(Clone, Default)]
pub struct Kept(Arc<Mutex<Option<Last>>>);

struct Last {
    of: Basis,
    overview: Arc<Overview>,
}

/// What an overview follows from besides the time. Tables are known by their place, and are not kept for that.
pub(super) struct Basis {
    pub(super) index: Weak<CertIndex>,
    pub(super) routes: Weak<RouteTable>,
    pub(super) ledger: Weak<Ledger>,
    /// How often the orders' standing has changed.
    pub(super) ordering: u64,
    pub(super) requests: Vec<ListedRequest>,
    pub(super) mismatches: HashMap<String, Contradiction>,
    pub(super) not_shown: HashMap<String, Contradiction>,
    pub(super) configuration: Standing,
    pub(super) audit: Option<Wrong>,
    pub(super) elsewhere: Vec<Foreign>,
    pub(super) notices: Option<Wrong>,
    pub(super) handed_in: Vec<HandedIn>,
}

impl Kept {
    /// The overview of `basis` at `now`: the last one, if that is of the same and not of long ago, else the one that `make` makes.
    pub(super) fn of(&self, basis: Basis, now: i64, make: impl FnOnce(&Basis) -> Overview) -> Arc<Overview> {
        // Whoever comes meanwhile wants the same.
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Last { of, overview }) = &*kept
            && (overview.at..overview.at + COARSE).contains(&now)
            && of.is(&basis)
        {
            return Arc::clone(overview);
        }
        let overview = Arc::new(make(&basis));
        *kept = Some(Last { of: basis, overview: Arc::clone(&overview) });
        overview
    }
}

impl Basis {
    fn is(&self, other: &Self) -> bool {
        let same_request = |(one, other): (&ListedRequest, &ListedRequest)| {
            Arc::ptr_eq(&one.request, &other.request)
                && one.status == other.status
                && one.renewed_by == other.renewed_by
        };
        Weak::ptr_eq(&self.index, &other.index)
            && Weak::ptr_eq(&self.routes, &other.routes)
            && Weak::ptr_eq(&self.ledger, &other.ledger)
            && self.ordering == other.ordering
            && self.requests.len() == other.requests.len()
            && self.requests.iter().zip(&other.requests).all(same_request)
            && self.mismatches == other.mismatches
            && self.not_shown == other.not_shown
            && self.configuration == other.configuration
            && self.audit == other.audit
            && self.elsewhere == other.elsewhere
            && self.notices == other.notices
            && self.handed_in == other.handed_in
    }
}

/// Seconds for which what hangs on the time alone may be behind: that something has ended, or is late by now. Whoever looks for that
/// looks each minute at most.
const COARSE: i64 = 5;
