//! Builds, wires, spawns, supervises and stops everything, in order; the only place that knows all.

mod admin_tls;
mod descriptors;
mod door;
mod error;
mod memory;
mod readiness;
mod reload;
mod reporting;
mod signals;
mod site_book;
mod start;
mod sticky_key;
mod tables;
mod telling;
mod trusted_header;
mod upstream_checks;
mod upstream_names;
mod upstream_tls;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::runtime::Runtime;
use tokio::sync::{Notify, Semaphore, watch};

use crate::access_log::Writer;
use crate::certs::IntakeHandle;
use crate::live::{CertIndex, Publisher, ServedCert, WellKnown};
use crate::proxy::{self, Shared};
use crate::shutdown::{Conductor, Lifecycle, Signals};

pub use error::StartError;
pub use tables::{folders, terms};
pub use telling::notices;
pub use trusted_header::trusted_header;
pub use upstream_tls::{looked_into, prepare_upstreams};

/// An edge that is serving.
pub struct Edge {
    control: Runtime,
    conductor: Conductor,
    lifecycle: Lifecycle,
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<io::Result<()>>>,
    /// A permit for each worker that has ended.
    ended: Arc<Semaphore>,
    signals: Signals,
    admin: tokio::task::JoinHandle<io::Result<()>>,
    reload: Arc<Notify>,
    intake: Option<IntakeHandle>,
    access_log: Writer,
    addresses: Addresses,
    drain_timeout: watch::Receiver<Duration>,
    /// Holds the table of a fixed set of certificates open.
    _fixed: Option<(Publisher<CertIndex>, Publisher<WellKnown>)>,
}

/// Where the edge really listens: the ports the system chose where the configuration says 0.
#[derive(Clone, Debug)]
pub struct Addresses {
    /// HTTPS.
    pub https: Vec<SocketAddr>,
    /// Plain HTTP.
    pub http: Vec<SocketAddr>,
    /// The operator's door.
    pub admin: SocketAddr,
    /// `/metrics` and health alone.
    pub metrics: Option<SocketAddr>,
}

/// Where certificates come from.
pub enum Certificates {
    /// The drop folder of the configuration.
    Folder,
    /// These, for a demonstration or a test.
    Fixed(Vec<Arc<ServedCert>>),
}

impl Edge {
    /// Where the edge listens.
    #[must_use]
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Serves until a signal ends it, and tells how it ended.
    #[must_use]
    pub fn run(mut self) -> Ended {
        let control = self.control.handle().clone();
        let stopped = control.block_on(signals::mind(&mut self));
        if let Err(ended) = stopped {
            return self.stop(ended);
        }
        readiness::notify(NotifyState::Stopping);
        let patience = *self.drain_timeout.borrow();
        self.conductor.drain(patience);
        let ended = control.block_on(async {
            tokio::select! {
                () = signals::second_stop(&mut self.signals) => Ended::AtOnce,
                () = signals::gone(&self.ended, self.workers.len()) => Ended::Drained,
            }
        });
        self.stop(ended)
    }

    /// Stops what is left, in order.
    fn stop(self, mut ended: Ended) -> Ended {
        self.conductor.stop();
        for worker in self.workers {
            match worker.join() {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    tracing::error!(%error, "a worker ended with an error");
                    ended = Ended::Broken;
                }
                Err(_) => {
                    tracing::error!("a worker panicked");
                    ended = Ended::Broken;
                }
            }
        }
        let cut_off = proxy::cut_off(&self.shared);
        if cut_off > 0 {
            match ended {
                Ended::Drained => {
                    tracing::warn!(connections = cut_off, "the drain deadline passed; open connections were cut off");
                }
                _ => tracing::warn!(connections = cut_off, "open connections were cut off"),
            }
        }
        let admin = self.admin;
        // Whatever the operator's door is doing, it ends with the runtime below.
        let _ = self.control.block_on(async { tokio::time::timeout(LAST_MOMENT, admin).await });
        if !self.access_log.stop(LAST_MOMENT) {
            tracing::warn!("the access log could not be written to its end");
        }
        self.control.shutdown_timeout(LAST_MOMENT);
        tracing::info!("stopped");
        ended
    }

    /// Every worker listens and the first scan has ended.
    fn become_ready(&self) {
        self.conductor.ready();
        tracing::info!("ready");
        readiness::notify(NotifyState::Ready);
    }
}

/// How an edge ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// As asked; the drain deadline may have passed.
    Drained,
    /// A second signal asked for haste.
    AtOnce,
    /// A part of it failed.
    Broken,
}

/// What has to end with the edge gets this long.
const LAST_MOMENT: Duration = Duration::from_secs(2);
