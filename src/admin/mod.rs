//! The operator's door: health, metrics, and what is served, waiting and rejected.

pub(crate) mod answers;
mod api;
mod entrance;
mod failures;
mod guard;
mod health;
mod hsts;
mod links;
mod panel;
mod people;
mod problem;
mod rights;
mod scrape;
mod secrets;
mod server;
mod sign_in;
mod socket;
#[cfg(test)]
mod tests;
mod tls;
mod tokens;
mod traffic;
mod trusted_header;
mod upload;

use std::sync::Arc;

use time::OffsetDateTime;
use tokio::sync::watch;

pub use links::Links;
pub use people::{People, SessionTerms};
pub use server::{Listeners, serve};
pub use socket::AdminSocket;
pub use tls::{AdminTls, MinVersion};
pub use tokens::Tokens;
pub use traffic::Traffic;
pub use trusted_header::TrustedHeader;

use crate::access_log::AccessLog;
use crate::acme::{AcmeHandle, Authorities};
use crate::certs::{IntakeHandle, Truth};
use crate::config::{Origins, SiteDesk, Standing};
use crate::elsewhere::Elsewhere;
use crate::levers::Levers;
use crate::live::{CertIndex, Live, RouteTable, WellKnown};
use crate::name::HostName;
use crate::notices::Notices;
use crate::overview::Lookout;
use crate::reports::Reports;
use crate::shutdown::Lifecycle;
use crate::store::audit::Audit;
use crate::telemetry::WorkerCounters;

/// Everything the operator may ask about.
pub struct Sources {
    /// The published certificates.
    pub certificates: Live<CertIndex>,
    /// The published sites.
    pub routes: Live<RouteTable>,
    /// The published well-known objects.
    pub well_known: Live<WellKnown>,
    /// Where in its life the edge is.
    pub lifecycle: Lifecycle,
    /// Every worker's counters.
    pub workers: Arc<[Arc<WorkerCounters>]>,
    /// The drop folder's keeper; `None` when certificates come from elsewhere.
    pub intake: Option<IntakeHandle>,
    /// What is really served.
    pub truth: Truth,
    /// How managed sites are doing.
    pub ordering: AcmeHandle,
    /// Whom certificates are ordered from; `None` when none are.
    pub authorities: Option<Authorities>,
    /// How traffic has gone of late.
    pub traffic: Traffic,
    /// Has no TLS session of before resumed; or says why not.
    pub rotate_tickets: Box<dyn Fn() -> Result<(), String> + Send + Sync>,
    /// What of the configuration does not apply.
    pub configuration: watch::Receiver<Standing>,
    /// Where each site is written.
    pub origins: watch::Receiver<Origins>,
    /// Where sites are added and removed.
    pub site_desk: SiteDesk,
    /// What is wanted otherwise than configured.
    pub levers: Levers,
    /// Who is told what.
    pub notices: Notices,
    /// Who makes reports.
    pub reports: Reports,
    /// What others serve and somebody wants to hear of.
    pub elsewhere: Elsewhere,
    /// For what it could not write.
    pub access_log: AccessLog,
    /// Who did what.
    pub audit: Audit,
    /// Where all that is told of sites is seen.
    pub lookout: Lookout,
    /// Who may ask from elsewhere.
    pub tokens: Tokens,
    /// Who signs in.
    pub people: People,
    /// By what customers hand in certificates.
    pub links: Links,
    /// Who else says who somebody is.
    pub trusted_header: Option<Arc<TrustedHeader>>,
    /// The names by which the listeners may be called: `admin.allowed_hosts` and `admin.host`.
    pub allowed_hosts: Vec<HostName>,
}

/// Seconds since the Unix epoch.
fn now() -> i64 {
    OffsetDateTime::now_utc().unix_timestamp()
}
