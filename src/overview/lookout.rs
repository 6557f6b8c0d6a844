//! Gathers what is known, from the published tables and from those who keep the rest.

use std::sync::Arc;

use time::OffsetDateTime;
use tokio::sync::watch;

use super::kept::{Basis, Kept};
use super::{Known, Overview, Waiting, Wrong};
use crate::acme::AcmeHandle;
use crate::certs::{IntakeHandle, Ledger, Truth};
use crate::config::Standing;
use crate::elsewhere::Elsewhere;
use crate::live::{CertIndex, Live, RouteTable};
use crate::store::audit::Audit;

/// Tells at a moment, in seconds since the Unix epoch, why notices are stuck, if they are.
pub type Stuck = Arc<dyn Fn(i64) -> Option<Wrong> + Send + Sync>;

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
    /// Tells why mails wait and do not arrive, if that lasts.
    pub notices: Stuck,
    /// Tells what was handed in and waits for somebody's word.
    pub handed_in: Waiting,
    /// What was seen last.
    pub kept: Kept,
}

impl Lookout {
    /// What things are like now. When something has changed, this takes tens of milliseconds with ten thousand sites; so it belongs
    /// where blocking is allowed.
    #[must_use]
    pub fn look(&self) -> Arc<Overview> {
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
            notices: Arc::new(|_| None),
            handed_in: Arc::new(Vec::new),
            kept: Kept::default(),
        }
    }

    /// The same at another moment, in seconds since the Unix epoch.
    #[must_use]
    pub fn look_at(&self, now: i64) -> Arc<Overview> {
        self.look_over(&self.certificates.snapshot(), &self.routes.snapshot(), now)
    }

    /// The same of tables that somebody looks at already.
    #[must_use]
    pub fn look_over(&self, index: &Arc<CertIndex>, routes: &Arc<RouteTable>, now: i64) -> Arc<Overview> {
        let ledger = self.intake.as_ref().map(IntakeHandle::ledger);
        let basis = Basis {
            index: Arc::downgrade(index),
            routes: Arc::downgrade(routes),
            ledger: ledger.as_ref().map(Arc::downgrade).unwrap_or_default(),
            // Before they are looked at: what changes meanwhile is seen by the next who looks.
            ordering: self.ordering.changes(),
            requests: self.intake.as_ref().map(|intake| intake.requests().list()).unwrap_or_default(),
            mismatches: self.truth.contradicted(),
            not_shown: self.truth.hidden(),
            configuration: self.configuration.borrow().clone(),
            audit: self.audit.trouble().map(|trouble| Wrong { text: trouble.text, since: trouble.since }),
            elsewhere: self.elsewhere.list(),
            notices: (self.notices)(now),
            handed_in: (self.handed_in)(),
        };
        self.kept.of(basis, now, |basis| {
            Overview::of(&Known {
                index,
                routes,
                ledger: ledger.as_deref().unwrap_or(&Ledger::default()),
                ordering: &self.ordering.all(),
                requests: &basis.requests,
                mismatches: &basis.mismatches,
                not_shown: &basis.not_shown,
                configuration: &basis.configuration,
                audit: basis.audit.clone(),
                elsewhere: &basis.elsewhere,
                notices: basis.notices.clone(),
                handed_in: &basis.handed_in,
                now,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Trouble;
    use crate::store::Store;

    #[test]
    fn whoever_looks_before_anything_has_changed_sees_what_was_seen_before() {
        let (mut published, certificates) = crate::live::table(CertIndex::default());
        let configuration = watch::Sender::new(Standing::default());
        let lookout = Lookout {
            certificates,
            configuration: configuration.subscribe(),
            ..Lookout::of_nothing(&Store::in_memory())
        };
        // Clones see the same.
        let mut last = lookout.look_at(NOW);
        let mut is_new = |now: i64| {
            let looked = lookout.clone().look_at(now);
            !Arc::ptr_eq(&std::mem::replace(&mut last, Arc::clone(&looked)), &looked)
        };
        assert!(!is_new(NOW) && !is_new(NOW + 1));
        published.publish(CertIndex::default());
        assert!(is_new(NOW + 1) && !is_new(NOW + 1));
        let refused = vec![Trouble { text: "a.toml: x".into(), since: NOW }];
        configuration.send_replace(Standing { refused, ..Standing::default() });
        assert!(is_new(NOW + 1) && !is_new(NOW + 2));
        // The time alone changes things too, forwards and backwards.
        assert!(is_new(NOW + 3600) && is_new(NOW));
    }

    const NOW: i64 = 1_790_000_000;
}
