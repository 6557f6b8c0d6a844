//! From what the operator said of reports to whoever makes them.

use std::sync::Arc;

use tokio::sync::watch;

use crate::acme::AcmeHandle;
use crate::admin::People;
use crate::certs::{IntakeHandle, Terms, Truth};
use crate::config::{Config, ReportConfig, Standing};
use crate::elsewhere::{Elsewhere, Looking};
use crate::live::{CertIndex, Live, RouteTable};
use crate::notices::Notices;
use crate::overview::Lookout;
use crate::reports::{ReportKind, ReportTerms, Reports, Term};
use crate::store::audit::Audit;
use crate::store::{Store, StoreError};

/// What reports are made of.
type Seen<'a> = (
    &'a Live<CertIndex>,
    &'a Live<RouteTable>,
    &'a Option<IntakeHandle>,
    &'a AcmeHandle,
    &'a Truth,
    watch::Receiver<Standing>,
    &'a Audit,
    &'a Elsewhere,
);

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
    seen: Seen<'_>,
) -> Reports {
    let (certificates, routes, intake, ordering, truth, configuration, audit, elsewhere) = seen;
    let lookout = Lookout {
        certificates: certificates.clone(),
        routes: routes.clone(),
        intake: intake.clone(),
        ordering: ordering.clone(),
        truth: truth.clone(),
        configuration,
        audit: audit.clone(),
        elsewhere: elsewhere.clone(),
    };
    let people = people.clone();
    Reports::new(store.clone(), terms, lookout, (notices.clone(), Box::new(move || people.owners())))
}
