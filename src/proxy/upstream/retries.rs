//! How many requests may be sent again: a tenth of a group's, so that a shop in trouble is not asked twice for everything.

use std::cell::Cell;

/// One worker's for one group, in tenths of a request.
pub(in crate::proxy) struct RetryBudget(Cell<u32>);

impl Default for RetryBudget {
    fn default() -> Self {
        Self(Cell::new(MOST))
    }
}

impl RetryBudget {
    /// A request came.
    #[inline]
    pub(in crate::proxy) fn earn(&self) {
        self.0.set((self.0.get() + 1).min(MOST));
    }

    /// Whether one may be sent again; if so, it counts as such.
    pub(in crate::proxy) fn spend(&self) -> bool {
        let left = self.0.get().checked_sub(REQUEST);
        left.inspect(|left| self.0.set(*left)).is_some()
    }
}

const REQUEST: u32 = 10;
/// Some at once, for shops with few requests.
const MOST: u32 = 20 * REQUEST;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_of_the_requests_and_some_at_once() {
        let budget = RetryBudget::default();
        let spent = |requests: usize| {
            let again = (0..requests).filter(|_| {
                budget.earn();
                budget.spend()
            });
            again.count()
        };
        assert_eq!(spent(1000), 119);
        assert_eq!(spent(1000), 100);
        (0..10_000).for_each(|_| budget.earn());
        assert_eq!((0..100).filter(|_| budget.spend()).count(), 20);
    }
}
