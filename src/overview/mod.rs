//! What every site is like, and what needs somebody: derived in one place, for the API, the panel, the command line, metrics, mails
//! and reports alike.
//!
//! [`Known`] is all that is known at a moment, as plain values; [`Overview::of`] says what follows, and looks at nothing else. A
//! [`Lookout`] gathers what is known from the published tables and those who keep the rest.

mod alert;
mod band;
mod handed_in;
mod kept;
mod lookout;
mod owner;
mod reason;
mod said;
mod site;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

pub use alert::{Alert, AlertCode, Mend, Severity};
pub use band::Band;
pub use handed_in::{HandedIn, Waiting};
pub use kept::Kept;
pub use lookout::{Lookout, Stuck};
pub use reason::{Reason, ReasonCode};
pub use said::{Matter, Said};
pub use site::{Action, Served, SiteState, State, is_late};

use crate::acme::SiteStanding;
use crate::certs::{Contradiction, Ledger, ListedRequest};
use crate::config::Standing;
use crate::elsewhere::Foreign;
use crate::live::{CertIndex, RouteTable};
use site::Derivation;

/// All that is known at one moment.
pub struct Known<'a> {
    /// The published certificates.
    pub index: &'a CertIndex,
    /// The published sites.
    pub routes: &'a RouteTable,
    /// The drop folder's keeper's lists, and what was decided about sites.
    pub ledger: &'a Ledger,
    /// How managed sites are doing, by name.
    pub ordering: &'a BTreeMap<String, Arc<SiteStanding>>,
    /// All requests.
    pub requests: &'a [ListedRequest],
    /// What is served otherwise than it is published, by the label of the site.
    pub mismatches: &'a HashMap<String, Contradiction>,
    /// What sites should show below `/.well-known/` and do not, by the label of the site.
    pub not_shown: &'a HashMap<String, Contradiction>,
    /// How reading the configuration has gone.
    pub configuration: &'a Standing,
    /// Why the audit trail cannot be written, if it cannot.
    pub audit: Option<Wrong>,
    /// What others serve and somebody wants to hear of.
    pub elsewhere: &'a [Foreign],
    /// Why mails wait and do not arrive, if that lasts.
    pub notices: Option<Wrong>,
    /// What was handed in and waits for somebody's word.
    pub handed_in: &'a [HandedIn],
    /// Seconds since the Unix epoch.
    pub now: i64,
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// What, and the mend.
    pub text: String,
    /// Seconds since the Unix epoch.
    pub since: i64,
}

/// What follows from what is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overview {
    /// Seconds since the Unix epoch.
    pub at: i64,
    /// Every site, in the order of the configuration.
    pub sites: Vec<SiteState>,
    /// What others serve and somebody wants to hear of, by name.
    pub elsewhere: Vec<Foreign>,
    /// What needs somebody, the gravest first.
    pub alerts: Vec<Alert>,
}

impl Overview {
    /// What follows.
    #[must_use]
    pub fn of(known: &Known<'_>) -> Self {
        let derivation = Derivation::of(known);
        let sites: Vec<SiteState> = known.routes.sites().iter().map(|site| derivation.site(site)).collect();
        let alerts = alert::of(known, &sites);
        Self { at: known.now, sites, elsewhere: known.elsewhere.to_vec(), alerts }
    }

    /// What the site of this name is like.
    #[must_use]
    pub fn site(&self, name: &str) -> Option<&SiteState> {
        self.sites.iter().find(|site| *site.name == *name)
    }

    /// How many sites are in each state, every state there is included.
    #[must_use]
    pub fn counts(&self) -> Vec<(State, usize)> {
        let count = |state: State| self.sites.iter().filter(|site| site.state == state).count();
        State::ALL.iter().map(|state| (*state, count(*state))).collect()
    }
}
