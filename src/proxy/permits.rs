//! How many connections may be open: with clients in all, with one client, and with upstreams.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The permits of the whole edge, shared by all workers: a share for each would refuse while others have room.
pub struct Permits {
    open: AtomicUsize,
    clients: Vec<Mutex<HashMap<IpAddr, usize>>>,
    hasher: RandomState,
    upstreams: Arc<Semaphore>,
    /// How many wait for an upstream connection's permit.
    upstreams_awaited: AtomicUsize,
}

impl Permits {
    /// Nothing is open yet. Of `upstreams` connections to upstreams the edge never has more: one client with many HTTP/2
    /// streams asks for many, and would leave no descriptor for anybody else.
    #[must_use]
    pub fn new(upstreams: usize) -> Arc<Self> {
        Arc::new(Self {
            open: AtomicUsize::new(0),
            clients: (0..CLIENT_SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            upstreams: Arc::new(Semaphore::new(upstreams.min(Semaphore::MAX_PERMITS))),
            upstreams_awaited: AtomicUsize::new(0),
        })
    }

    /// How many connections are open.
    #[must_use]
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// Room for one more connection below `limit`, held until it is dropped.
    pub(super) fn take(self: &Arc<Self>, limit: usize) -> Option<Permit> {
        self.open
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |open| (open < limit).then_some(open + 1))
            .ok()
            .map(|_| Permit { permits: Some(Arc::clone(self)), client: None })
    }

    /// Room for one more connection to an upstream, if there is some now.
    pub(super) fn take_upstream(&self) -> Option<UpstreamPermit> {
        Arc::clone(&self.upstreams).try_acquire_owned().ok().map(|permit| UpstreamPermit { _held: Some(permit) })
    }

    /// Waits for room for one more connection to an upstream; first come, first served, on all workers.
    pub(super) async fn await_upstream(&self) -> UpstreamPermit {
        struct Awaited<'a>(&'a AtomicUsize);
        impl Drop for Awaited<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::Relaxed);
            }
        }
        self.upstreams_awaited.fetch_add(1, Ordering::Relaxed);
        let _awaited = Awaited(&self.upstreams_awaited);
        // It is never closed.
        UpstreamPermit { _held: Arc::clone(&self.upstreams).acquire_owned().await.ok() }
    }

    /// How many wait for a connection to an upstream that is not idle.
    pub(super) fn upstreams_awaited(&self) -> usize {
        self.upstreams_awaited.load(Ordering::Relaxed)
    }

    fn shard(&self, client: &IpAddr) -> &Mutex<HashMap<IpAddr, usize>> {
        // The remainder is below the number of shards.
        &self.clients[usize::try_from(self.hasher.hash_one(client) % CLIENT_SHARDS).unwrap_or(0)]
    }
}

/// The right of one connection to an upstream to be open.
pub(super) struct UpstreamPermit {
    _held: Option<OwnedSemaphorePermit>,
}

/// One connection's right to be open.
pub(super) struct Permit {
    /// Where it is given back; nowhere, if it was not counted.
    permits: Option<Arc<Permits>>,
    client: Option<IpAddr>,
}

impl Permit {
    /// The right of the edge's check of itself. There are two at a time and for a moment: clients keep all their places.
    pub(super) const fn own() -> Self {
        Self { permits: None, client: None }
    }

    /// Whether it is the edge's own.
    pub(super) const fn is_own(&self) -> bool {
        self.permits.is_none()
    }

    /// Counts the connection for its client too. False: the client has `limit` open already. 0 is no limit.
    pub(super) fn for_client(&mut self, client: IpAddr, limit: usize) -> bool {
        let Some(permits) = self.permits.as_ref().filter(|_| limit > 0) else { return true };
        let network = network(client);
        let mut clients = permits.shard(&network).lock().unwrap_or_else(PoisonError::into_inner);
        let open = clients.entry(network).or_insert(0);
        if *open >= limit {
            return false;
        }
        *open += 1;
        drop(clients);
        self.client = Some(network);
        true
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let Some(permits) = &self.permits else { return };
        permits.open.fetch_sub(1, Ordering::Relaxed);
        if let Some(network) = self.client {
            let mut clients = permits.shard(&network).lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(open) = clients.get_mut(&network) {
                *open -= 1;
                if *open == 0 {
                    clients.remove(&network);
                }
            }
        }
    }
}

/// Who is counted as one client: an IPv4 address, or an IPv6 /64, which is what one customer is given (RFC 6177).
fn network(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
        v4 => v4,
    }
}

/// Enough that workers rarely meet at one lock; it is taken only where a cap per client is configured.
const CLIENT_SHARDS: u64 = 64;

#[cfg(test)]
mod tests {
    use std::task::{Context, Waker};

    use super::*;

    #[test]
    fn a_permit_is_given_back_when_it_is_dropped() {
        let permits = Permits::new(0);
        let first = permits.take(1).expect("room");
        assert!(permits.take(1).is_none());
        drop(first);
        assert!(permits.take(1).is_some());
    }

    #[tokio::test]
    async fn an_upstream_connection_that_is_closed_makes_room_for_who_waits() {
        let permits = Permits::new(1);
        let first = permits.take_upstream().expect("room");
        assert!(permits.take_upstream().is_none());
        let mut second = Box::pin(permits.await_upstream());
        assert!(second.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert_eq!(permits.upstreams_awaited(), 1);
        drop(first);
        assert!(permits.take_upstream().is_none(), "first come, first served");
        let second = second.await;
        assert_eq!(permits.upstreams_awaited(), 0);
        drop(second);
        assert!(permits.take_upstream().is_some());
    }

    #[test]
    fn the_edges_check_of_itself_takes_no_place_of_a_client() {
        let permits = Permits::new(0);
        let mut own = Permit::own();
        let client = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
        assert!(own.for_client(client, 1));
        let mut first = permits.take(1).expect("room");
        assert!(first.for_client(client, 1));
        drop(own);
        assert_eq!(permits.open(), 1);
        assert!(permits.take(1).is_none());
    }

    #[test]
    fn one_ipv6_network_is_one_client() {
        let permits = Permits::new(0);
        let mut first = permits.take(9).expect("room");
        let mut second = permits.take(9).expect("room");
        let mut third = permits.take(9).expect("room");
        assert!(first.for_client("2001:db8::1".parse().expect("an address"), 1));
        assert!(!second.for_client("2001:db8::2".parse().expect("an address"), 1));
        assert!(third.for_client("2001:db8:0:1::1".parse().expect("an address"), 1));
        drop(first);
        assert!(second.for_client("2001:db8::2".parse().expect("an address"), 1));
    }
}
