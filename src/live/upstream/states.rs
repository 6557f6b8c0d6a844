//! What is known of all servers, whatever table they are in.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::Notify;

use super::balance::number_of;
use super::{
    Check, Cookies, Finder, GroupSpec, Load, Member, Queue, StickyKey, Upstream, UpstreamGroup, UpstreamState,
    Whereabouts,
};

/// How all servers are doing, whatever table they are in: a reload forgets nothing. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct UpstreamStates(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    /// Who is asked otherwise may do otherwise.
    states: HashMap<(Upstream, Option<Check>), Weak<UpstreamState>>,
    loads: HashMap<Upstream, Weak<Load>>,
    /// Where names lead.
    whereabouts: HashMap<Box<str>, Weak<Whereabouts>>,
    /// Who is to find it out.
    finders: Vec<Finder>,
    /// There is somebody to be found.
    unfound: Arc<Notify>,
    /// What cookies are signed with; without it there are none.
    key: Option<StickyKey>,
}

impl UpstreamStates {
    /// Nothing is known of anybody; cookies are signed with this key.
    #[must_use]
    pub fn keyed(key: StickyKey) -> Self {
        Self(Arc::new(Mutex::new(Known { key: Some(key), ..Known::default() })))
    }

    /// A group as it is now.
    #[must_use]
    pub fn group(&self, spec: &GroupSpec) -> UpstreamGroup {
        let mut known = self.known();
        let check = spec.care.check.as_ref();
        let counts = spec.balance.counts();
        let members = spec.upstreams.iter().map(|member| {
            let upstream = member.upstream.clone();
            let state = kept(&mut known.states, &(upstream.clone(), check.cloned()));
            let load = counts.then(|| kept(&mut known.loads, &upstream));
            let whereabouts = upstream.named().map(|host| known.whereabouts(host));
            let number = number_of(upstream.to_string().as_bytes());
            Member { number, weight: member.weight, state, load, whereabouts, upstream }
        });
        let members: Box<[Member]> = members.collect();
        let sticky = spec.balance.sticky.clone().zip(known.key.clone());
        let cookies = sticky.map(|(sticky, key)| Arc::new(Cookies::new(sticky, key, &members)));
        let queue = spec.balance.limit.as_ref().map(|limit| Queue::of(limit.queue));
        UpstreamGroup { members, care: spec.care.clone(), balance: spec.balance.clone(), cookies, queue }
    }

    /// Forgets those that no table has any more.
    pub fn forget(&self) {
        let mut known = self.known();
        known.states.retain(|_, state| state.strong_count() > 0);
        known.loads.retain(|_, load| load.strong_count() > 0);
        known.whereabouts.retain(|_, whereabouts| whereabouts.strong_count() > 0);
        known.finders.retain(|finder| !finder.is_idle());
    }

    /// Who is to find out where a name leads that is in a table since this was last asked; waits until there is somebody.
    pub async fn finders(&self) -> Vec<Finder> {
        let unfound = Arc::clone(&self.known().unfound);
        loop {
            let finders = std::mem::take(&mut self.known().finders);
            if !finders.is_empty() {
                return finders;
            }
            unfound.notified().await;
        }
    }

    /// Whether nothing is known of anybody.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        let known = self.known();
        known.states.is_empty() && known.loads.is_empty() && known.whereabouts.is_empty()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn whereabouts(&mut self, host: &str) -> Arc<Whereabouts> {
        if let Some(kept) = self.whereabouts.get(host).and_then(Weak::upgrade) {
            return kept;
        }
        let (new, finder) = Whereabouts::new(host);
        self.whereabouts.insert(host.into(), Arc::downgrade(&new));
        self.finders.push(finder);
        self.unfound.notify_one();
        new
    }
}

/// What is known under `key`, else something new.
fn kept<K: Hash + Eq + Clone, T: Default>(known: &mut HashMap<K, Weak<T>>, key: &K) -> Arc<T> {
    if let Some(kept) = known.get(key).and_then(Weak::upgrade) {
        return kept;
    }
    let new = Arc::<T>::default();
    known.insert(key.clone(), Arc::downgrade(&new));
    new
}
