//! The operator's door: health, metrics, and what is served, waiting and rejected.

mod api;
mod entrance;
mod guard;
mod health;
mod problem;
mod scrape;
mod server;
mod socket;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use tokio::sync::watch;

pub use server::{Listeners, serve};
pub use socket::AdminSocket;

use crate::access_log::AccessLog;
use crate::certs::IntakeHandle;
use crate::config::Standing;
use crate::live::{CertIndex, Live, RouteTable, WellKnown};
use crate::name::HostName;
use crate::shutdown::Lifecycle;
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
    /// What of the configuration does not apply.
    pub configuration: watch::Receiver<Standing>,
    /// For what it could not write.
    pub access_log: AccessLog,
    /// `admin.allowed_hosts`
    pub allowed_hosts: Vec<HostName>,
}
