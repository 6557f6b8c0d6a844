//! Whether memory is short: then new work is refused, so that the work at hand can be ended.

use std::sync::atomic::{AtomicBool, Ordering};

/// What all workers look at before they begin something.
#[derive(Debug, Default)]
pub struct Shortage(AtomicBool);

impl Shortage {
    /// Whether new work is refused.
    #[inline]
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// `used` octets are in use of a `budget`. Gives whether new work is refused from now on, if that is new: it begins at the budget, and ends
    /// at nine tenths of it, lest it begin again at once.
    pub fn judge(&self, used: u64, budget: u64) -> Option<bool> {
        let was_on = self.is_on();
        let is_on = used >= if was_on { budget / 10 * 9 } else { budget };
        self.0.store(is_on, Ordering::Relaxed);
        (is_on != was_on).then_some(is_on)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_begins_at_the_budget_and_ends_below_it() {
        let shortage = Shortage::default();
        let said: Vec<_> = [99, 100, 150, 95, 89, 95].map(|used| (shortage.judge(used, 100), shortage.is_on())).into();
        let (on, off) = ((None, true), (None, false));
        assert_eq!(said, [off, (Some(true), true), on, on, (Some(false), false), off]);
    }
}
