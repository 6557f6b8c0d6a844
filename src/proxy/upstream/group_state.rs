//! What one worker keeps of a group of upstreams.

use std::cell::OnceCell;
use std::rc::Rc;

use super::choice::Rota;
use super::pool::Pool;
use super::retries::RetryBudget;
use crate::live::UpstreamGroup;

/// One worker's state for one group, as long as the routes stay as they are.
pub(in crate::proxy) struct GroupState {
    pub(super) rota: Rota,
    /// How much of the group's requests may be sent again.
    pub(in crate::proxy) retries: RetryBudget,
    /// The pools of its upstreams, by their place: found once instead of for every request.
    pools: Box<[OnceCell<Rc<Pool>>]>,
}

impl GroupState {
    pub(in crate::proxy) fn of(group: &UpstreamGroup) -> Self {
        let pools = group.members.iter().map(|_| OnceCell::new()).collect();
        Self { rota: Rota::of(group), retries: RetryBudget::default(), pools }
    }

    /// The pool of the upstream in this place, which `find` finds the first time.
    #[inline]
    pub(super) fn pool(&self, place: usize, find: impl FnOnce() -> Rc<Pool>) -> Rc<Pool> {
        Rc::clone(self.pools[place].get_or_init(find))
    }
}
