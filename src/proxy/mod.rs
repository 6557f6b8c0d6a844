//! The hot path: one thread per worker, and on it everything from `accept` to the upstream and back.

mod alarm;
mod buffer;
mod connection;
mod crowds;
mod framing;
mod http;
mod http2;
mod listener;
mod permits;
mod proxy_protocol;
mod pulse;
mod rates;
mod request_id;
mod shortage;
mod socket;
mod tls;
mod upstream;
mod worker;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

use tokio::sync::Semaphore;

use crate::access_log::AccessLog;
use crate::live::{CertIndex, Challenges, Live, OwnCheck, RouteTable, UnknownNames, WellKnown};
use crate::shutdown::Lifecycle;
use crate::telemetry::WorkerCounters;
use listener::Bound;

pub use crowds::Crowds;
pub use http::{ReadRequests, read_requests};
pub use http2::{ReadStreams, read_streams};
pub use permits::Permits;
pub use proxy_protocol::{MalformedProxyHeader, ProxyHeader};
pub use rates::Rates;
pub use shortage::Shortage;
pub use tls::{Asked, TlsPolicy, TlsPolicyError, UnknownName, UpstreamClient, rotate_ticket_keys};
pub use upstream::{Transport, Unconnected};

/// What all workers read. The control plane publishes; nothing here waits for it.
pub struct Shared {
    /// Which certificate serves which name.
    pub certificates: Live<CertIndex>,
    /// Which site a name belongs to and where its requests go.
    pub routes: Live<RouteTable>,
    /// Files under `/.well-known/`.
    pub well_known: Live<WellKnown>,
    /// What authorities ask to be shown.
    pub challenges: Live<Challenges>,
    /// Where names are told that nobody serves.
    pub unknown_names: UnknownNames,
    /// How TLS is spoken.
    pub policy: Live<TlsPolicy>,
    /// Which connection is the edge's own.
    pub own_check: Live<OwnCheck>,
    /// Where requests are recorded.
    pub access_log: AccessLog,
    /// How many connections may be open.
    pub permits: Arc<Permits>,
    /// How many client connections this machine has room for, where the configuration sets no number.
    pub room_for_clients: usize,
    /// How often client networks have asked sites that limit them.
    pub rates: Rates,
    /// Whether memory is short.
    pub shortage: Shortage,
    /// How many requests of client networks are under way at sites that limit them.
    pub crowds: Arc<Crowds>,
    /// Where this edge listens; for traffic, for its operator, for metrics. Empty until all of it does.
    pub own_listeners: OnceLock<Box<[SocketAddr]>>,
    /// One permit for each worker that listens.
    pub listening: Semaphore,
    /// Connections that were open when the drain deadline passed, or a second signal came.
    pub cut_off: AtomicUsize,
}

impl Shared {
    fn own_listeners(&self) -> &[SocketAddr] {
        self.own_listeners.get().map_or(&[], |own| own)
    }
}

/// The sockets of all workers, bound before anything else begins, so that a wrong address stops the start.
pub struct Sockets {
    workers: Vec<Vec<Bound>>,
    https: Vec<SocketAddr>,
    http: Vec<SocketAddr>,
}

impl Sockets {
    /// Binds every address once for each worker.
    ///
    /// # Errors
    /// [`BindError`] names the address that cannot be had.
    pub fn bind(https: &[SocketAddr], http: &[SocketAddr], workers: usize) -> Result<Self, BindError> {
        let mut sockets = Self { workers: (0..workers).map(|_| Vec::new()).collect(), https: vec![], http: vec![] };
        for (addresses, tls) in [(https, true), (http, false)] {
            for &address in addresses {
                let bound = sockets.bind_one(address, tls).map_err(|error| BindError { address, error })?;
                if tls { sockets.https.push(bound) } else { sockets.http.push(bound) }
            }
        }
        Ok(sockets)
    }

    /// Addresses that serve HTTPS, with the ports the system chose where the configuration says 0.
    #[must_use]
    pub fn https(&self) -> &[SocketAddr] {
        &self.https
    }

    /// Addresses that serve plain HTTP.
    #[must_use]
    pub fn http(&self) -> &[SocketAddr] {
        &self.http
    }

    /// By what the system tells the sockets for HTTPS from others that listen on the same ports (proc_net_tcp(5)).
    #[must_use]
    pub fn https_inodes(&self) -> Vec<u64> {
        self.workers.iter().flatten().filter_map(Bound::https_inode).collect()
    }

    fn bind_one(&mut self, mut address: SocketAddr, tls: bool) -> io::Result<SocketAddr> {
        listener::probe(address)?;
        for worker in &mut self.workers {
            let bound = Bound::new(address, tls)?;
            address = bound.address()?; // the workers after the first take the port that the first was given
            worker.push(bound);
        }
        Ok(address)
    }
}

/// An address the edge cannot listen on.
#[derive(Debug)]
pub struct BindError {
    address: SocketAddr,
    error: io::Error,
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, error } = self;
        let mend = match error.kind() {
            io::ErrorKind::AddrInUse => {
                "another process listens there, perhaps a second vitrine; stop it or choose another address"
            }
            io::ErrorKind::PermissionDenied => "ports below 1024 need the capability CAP_NET_BIND_SERVICE",
            io::ErrorKind::AddrNotAvailable => "no interface of this machine has that address",
            _ => "choose another address",
        };
        write!(f, "cannot listen on {address}: {error}; {mend}")
    }
}

impl std::error::Error for BindError {}

/// Starts one thread for each worker; `ended` gets a permit for each that is gone.
///
/// # Errors
/// When the system refuses a thread or randomness.
pub fn spawn(
    shared: &Arc<Shared>,
    sockets: Sockets,
    counters: &[Arc<WorkerCounters>],
    lifecycle: &Lifecycle,
    ended: &Arc<Semaphore>,
) -> io::Result<Vec<JoinHandle<io::Result<()>>>> {
    let mut threads = Vec::new();
    for (number, (listeners, counters)) in sockets.workers.into_iter().zip(counters).enumerate() {
        let (shared, counters, lifecycle) = (Arc::clone(shared), Arc::clone(counters), lifecycle.clone());
        let (seed, ended) = (seed()?, Farewell(Arc::clone(ended)));
        let thread = std::thread::Builder::new().name(format!("worker-{number}")).spawn(move || {
            let _ended = ended;
            worker::run(shared, counters, listeners, lifecycle, seed)
        })?;
        threads.push(thread);
    }
    Ok(threads)
}

/// Tells that a worker has ended, even if by a panic.
struct Farewell(Arc<Semaphore>);

impl Drop for Farewell {
    fn drop(&mut self) {
        self.0.add_permits(1);
    }
}

/// How many connections were cut off at the end.
pub fn cut_off(shared: &Shared) -> usize {
    shared.cut_off.load(Ordering::Relaxed)
}

/// A random beginning for a worker's request ids.
fn seed() -> io::Result<[u64; 2]> {
    let mut bytes = [[0; 8]; 2];
    aws_lc_rs::rand::fill(bytes.as_flattened_mut()).map_err(|_| io::Error::other("the system gives no randomness"))?;
    Ok(bytes.map(u64::from_ne_bytes))
}
