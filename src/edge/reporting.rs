//! From what the operator said of reports to whoever makes them.

use std::sync::Arc;

use tokio::sync::watch;

use crate::admin::People;
use crate::certs::Terms;
use crate::config::{Config, ReportConfig};
use crate::elsewhere::{Elsewhere, Looking};
use crate::notices::Notices;
use crate::overview::Lookout;
use crate::reports::{ReportKind, ReportTerms, Reports, Term};
use crate::store::{Store, StoreError};

/// What the operator wants of reports.
pub(super) fn report_terms(config: &Config) -> ReportTerms {
    let reports = &config.reports;
    let term = |kind, ReportConfig { schedule, days }: ReportConfig| Term { kind, schedule, days };
    ReportTerms {
        zone: reports.time_zone.clone(),
        terms: vec![
            term(ReportKind::Daily, reports.daily),
            term(ReportKind::Weekly, reports.weekly),
            term(ReportKind::Monthly, reports.monthly),
        ],
        recipients: reports.recipients.clone(),
        networks: reports.networks.clone(),
        tells_organisations: reports.organisations,
        lists_managed: reports.managed,
    }
}

/// Whoever keeps the URLs that others serve, which are looked at by the terms that hold at the time.
///
/// # Errors
/// [`StoreError`] when they cannot be read.
pub(super) fn elsewhere(
    store: Store,
    trusted: watch::Receiver<Arc<Terms>>,
    terms: watch::Receiver<Arc<ReportTerms>>,
) -> Result<Elsewhere, StoreError> {
    let roots = Box::new(move || trusted.borrow().roots.clone());
    Elsewhere::open(store, Looking { roots, networks: Box::new(move || terms.borrow().networks.clone()) })
}

/// Whoever makes reports of what is seen.
pub(super) fn desk(
    terms: watch::Receiver<Arc<ReportTerms>>,
    (store, notices, people): (&Store, &Notices, &People),
    lookout: Lookout,
) -> Reports {
    let people = people.clone();
    Reports::new(store.clone(), terms, lookout, (notices.clone(), Box::new(move || people.owners())))
}
