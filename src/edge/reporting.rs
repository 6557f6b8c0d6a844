//! From what the operator said of reports to whoever makes them.

use std::sync::Arc;

use tokio::sync::watch;

use crate::acme::AcmeHandle;
use crate::admin::People;
use crate::certs::{IntakeHandle, Truth};
use crate::config::{Config, ReportConfig, Standing};
use crate::live::{CertIndex, Live, RouteTable};
use crate::notices::Notices;
use crate::overview::Lookout;
use crate::reports::{ReportKind, ReportTerms, Reports, Term};
use crate::store::Store;
use crate::store::audit::Audit;

/// What reports are made of.
type Seen<'a> = (
    &'a Live<CertIndex>,
    &'a Live<RouteTable>,
    &'a Option<IntakeHandle>,
    &'a AcmeHandle,
    &'a Truth,
    watch::Receiver<Standing>,
    &'a Audit,
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
        tells_organisations: reports.organisations,
        lists_managed: reports.managed,
    }
}

/// Whoever makes reports of what is seen.
pub(super) fn desk(
    terms: watch::Receiver<Arc<ReportTerms>>,
    (store, notices, people): (&Store, &Notices, &People),
    seen: Seen<'_>,
) -> Reports {
    let (certificates, routes, intake, ordering, truth, configuration, audit) = seen;
    let lookout = Lookout {
        certificates: certificates.clone(),
        routes: routes.clone(),
        intake: intake.clone(),
        ordering: ordering.clone(),
        truth: truth.clone(),
        configuration,
        audit: audit.clone(),
    };
    let people = people.clone();
    Reports::new(store.clone(), terms, lookout, (notices.clone(), Box::new(move || people.owners())))
}
