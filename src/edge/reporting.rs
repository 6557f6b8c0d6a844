//! From what the operator said of reports to whoever makes them.

use tokio::sync::watch;

use crate::acme::AcmeHandle;
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

/// Whoever makes reports of what is seen.
pub(super) fn desk(config: &Config, (store, notices): (&Store, &Notices), seen: Seen<'_>) -> Reports {
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
    let reports = &config.reports;
    let term = |kind, ReportConfig { schedule, days }: ReportConfig| Term { kind, schedule, days };
    let terms = ReportTerms {
        zone: reports.time_zone.clone(),
        terms: vec![
            term(ReportKind::Daily, reports.daily),
            term(ReportKind::Weekly, reports.weekly),
            term(ReportKind::Monthly, reports.monthly),
        ],
        recipients: reports.recipients.clone(),
        lists_managed: reports.managed,
    };
    Reports::new(store.clone(), terms, lookout, notices.clone())
}
