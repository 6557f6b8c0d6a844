//! Gathers what is known, from the published tables and from those who keep the rest.

use std::collections::HashMap;

use time::OffsetDateTime;
use tokio::sync::watch;

use super::{Known, Overview, Wrong};
use crate::acme::AcmeHandle;
use crate::certs::{Contradiction, IntakeHandle, Truth};
use crate::config::Standing;
use crate::elsewhere::Elsewhere;
use crate::live::{CertIndex, Live, RouteTable};
use crate::store::audit::Audit;

/// Where one sees everything. Clones see the same.
#[derive(Clone)]
pub struct Lookout {
    /// The published certificates.
    pub certificates: Live<CertIndex>,
    /// The published sites.
    pub routes: Live<RouteTable>,
    /// The drop folder's keeper; `None` when certificates come from elsewhere.
    pub intake: Option<IntakeHandle>,
    /// How managed sites are doing.
    pub ordering: AcmeHandle,
    /// What is really served.
    pub truth: Truth,
    /// What of the configuration does not apply.
    pub configuration: watch::Receiver<Standing>,
    /// Who did what.
    pub audit: Audit,
    /// What others serve and somebody wants to hear of.
    pub elsewhere: Elsewhere,
}

impl Lookout {
    /// What things are like now. With ten thousand sites this takes tens of milliseconds; so it belongs where blocking is allowed.
    #[must_use]
    pub fn look(&self) -> Overview {
        self.look_at(OffsetDateTime::now_utc().unix_timestamp())
    }

    /// Where there is nothing to be seen.
    #[cfg(test)]
    pub(crate) fn of_nothing(store: &crate::store::Store) -> Self {
        let routes = RouteTable::new(Vec::new(), crate::limits::Limits::default(), Vec::new(), 443);
        Self {
            certificates: crate::live::table(CertIndex::default()).1,
            routes: crate::live::table(routes).1,
            intake: None,
            ordering: AcmeHandle::new().0,
            truth: Truth::default(),
            configuration: watch::Sender::new(Standing::default()).subscribe(),
            audit: Audit::open(store.clone()),
            elsewhere: Elsewhere::of_nothing(store),
        }
    }

    /// The same at another moment, in seconds since the Unix epoch.
    #[must_use]
    pub fn look_at(&self, now: i64) -> Overview {
        self.look_over(&self.certificates.snapshot(), &self.routes.snapshot(), now)
    }

    /// The same of tables that somebody looks at already.
    #[must_use]
    pub fn look_over(&self, index: &CertIndex, routes: &RouteTable, now: i64) -> Overview {
        let ledger = self.intake.as_ref().map(IntakeHandle::ledger).unwrap_or_default();
        let requests = self.intake.as_ref().map(|intake| intake.requests().list()).unwrap_or_default();
        let configuration = self.configuration.borrow().clone();
        Overview::of(&Known {
            index,
            routes,
            ledger: &ledger,
            ordering: &self.ordering.all(),
            requests: &requests,
            mismatches: &wrong(self.truth.contradicted()),
            not_shown: &wrong(self.truth.hidden()),
            configuration: &configuration,
            audit: self.audit.trouble().map(|trouble| Wrong { text: trouble.text, since: trouble.since }),
            elsewhere: &self.elsewhere.list(),
            now,
        })
    }
}

fn wrong(by_site: HashMap<String, Contradiction>) -> HashMap<String, Wrong> {
    let wrong = |told: Contradiction| Wrong { text: told.message, since: told.since };
    by_site.into_iter().map(|(site, told)| (site, wrong(told))).collect()
}
