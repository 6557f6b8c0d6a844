//! How many requests of each client network are under way at sites that limit them, for all workers together.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::live::Connections;

/// The counts of all sites and networks; what has come to nothing takes no memory.
pub struct Crowds {
    hasher: RandomState,
    shards: Vec<Mutex<HashMap<Key, u32>>>,
}

/// A site, by its hash, and a network. Two sites that share a hash are to be met in no one's life.
type Key = (u64, u128);

impl Default for Crowds {
    fn default() -> Self {
        Self { hasher: RandomState::new(), shards: (0..SHARDS).map(|_| Mutex::default()).collect() }
    }
}

impl Crowds {
    /// A place for one more request of the client's network at a site, held until it is dropped; `None`: it has as many as it may.
    pub(super) fn enter(self: &Arc<Self>, site: &str, client: IpAddr, limit: &Connections) -> Option<Place> {
        let key = (self.hasher.hash_one(site), limit.network(client));
        let mut shard = self.shard(&key).lock().unwrap_or_else(PoisonError::into_inner);
        let under_way = shard.entry(key).or_insert(0);
        if *under_way >= limit.per_client {
            return None;
        }
        *under_way += 1;
        drop(shard);
        Some(Place { crowds: Arc::clone(self), key })
    }

    fn shard(&self, key: &Key) -> &Mutex<HashMap<Key, u32>> {
        // The remainder is below the number of shards.
        &self.shards[usize::try_from(self.hasher.hash_one(key) % SHARDS).unwrap_or(0)]
    }
}

/// The place of a request that is under way.
pub(super) struct Place {
    crowds: Arc<Crowds>,
    key: Key,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut shard = self.crowds.shard(&self.key).lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(under_way) = shard.get_mut(&self.key) {
            *under_way -= 1;
            if *under_way == 0 {
                shard.remove(&self.key);
            }
        }
    }
}

/// Enough that workers rarely meet at one lock; it is taken only for sites with a limit.
const SHARDS: u64 = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_given_back_and_sites_and_networks_have_their_own() {
        let crowds = Arc::<Crowds>::default();
        let limit = Connections { per_client: 2, ipv4_prefix: 24, ipv6_prefix: 64 };
        let enter = |site: &str, client: &str| crowds.enter(site, client.parse().expect("an address"), &limit);
        let first = enter("a", "10.0.0.1").expect("a place");
        let second = enter("a", "10.0.0.2").expect("a place");
        assert!(enter("a", "10.0.0.3").is_none());
        let others = [("a", "10.0.1.1"), ("b", "10.0.0.1"), ("a", "2001:db8::1")];
        assert!(others.iter().all(|(site, client)| enter(site, client).is_some()));
        drop(first);
        assert!(enter("a", "10.0.0.3").is_some());
        drop(second);
        assert!(crowds.shards.iter().all(|shard| shard.lock().expect("a shard").is_empty()));
    }
}
