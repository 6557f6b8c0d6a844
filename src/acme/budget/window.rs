//! What was spent within a sliding window. All moments are seconds since the Unix epoch.

use serde::{Deserialize, Serialize};

/// A window, and how finely it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    length: i64,
    grain: i64,
}

impl Span {
    pub(super) const THREE_HOURS: Self = Self { length: 3 * 3600, grain: 60 };
    pub(super) const WEEK: Self = Self { length: 7 * 86_400, grain: 3600 };
    pub(super) const HOUR: Self = Self { length: 3600, grain: 60 };
}

/// How much was spent when: ends of grains, the oldest first. What is spent within a grain counts as if it were at its end, so that
/// an authority that keeps a token bucket, or counts exactly, never finds more than we do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Spent(Vec<(i64, u32)>);

impl Spent {
    pub(super) fn count(&self, span: Span, now: i64) -> u32 {
        self.within(span, now).map(|(_, amount)| amount).fold(0, u32::saturating_add)
    }

    /// When one more may be spent of `most`; `now`: at once.
    pub(super) fn free_at(&self, span: Span, most: u32, now: i64) -> i64 {
        if most == 0 {
            return now + span.length;
        }
        let mut over = self.count(span, now).saturating_add(1).saturating_sub(most);
        for (end, amount) in self.within(span, now) {
            if over == 0 {
                break;
            }
            over = over.saturating_sub(amount);
            if over == 0 {
                return end + span.length;
            }
        }
        now
    }

    pub(super) fn add(&mut self, span: Span, now: i64) {
        let end = now - now.rem_euclid(span.grain) + span.grain;
        self.settle(span, now);
        match self.0.last_mut() {
            Some((last, amount)) if *last == end => *amount = amount.saturating_add(1),
            _ => self.0.push((end, 1)),
        }
    }

    /// What was spent last was not used after all.
    pub(super) fn take_back(&mut self) {
        if let Some((_, amount)) = self.0.last_mut() {
            *amount = amount.saturating_sub(1);
        }
        self.0.retain(|(_, amount)| *amount > 0);
    }

    /// Forgets what is over. What seems to be of the future is of a clock that was wrong: it counts as of now, so that it ends.
    pub(super) fn settle(&mut self, span: Span, now: i64) {
        let latest = now - now.rem_euclid(span.grain) + span.grain;
        self.0.retain(|(end, _)| end + span.length > now);
        let late: u32 = self.0.iter().filter(|(end, _)| *end > latest).map(|(_, amount)| *amount).sum();
        if late > 0 {
            self.0.retain(|(end, _)| *end <= latest);
            match self.0.last_mut() {
                Some((last, amount)) if *last == latest => *amount = amount.saturating_add(late),
                _ => self.0.push((latest, late)),
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn within(&self, span: Span, now: i64) -> impl Iterator<Item = (i64, u32)> {
        let latest = now - now.rem_euclid(span.grain) + span.grain;
        let ends = self.0.iter().map(move |(end, amount)| ((*end).min(latest), *amount));
        ends.filter(move |(end, _)| end + span.length > now)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: i64 = 1_800_000_000;

    #[test]
    fn what_is_spent_is_free_again_when_the_window_has_passed() {
        let mut spent = Spent::default();
        assert_eq!(spent.free_at(Span::HOUR, 5, NOW), NOW);
        for minute in 0..5 {
            spent.add(Span::HOUR, NOW + minute * 60);
        }
        let now = NOW + 5 * 60;
        assert_eq!(spent.count(Span::HOUR, now), 5);
        let free = spent.free_at(Span::HOUR, 5, now);
        assert!((NOW + 3600..=NOW + 3660).contains(&free), "{}", free - NOW);
        assert_eq!(spent.free_at(Span::HOUR, 5, free), free);
        assert_eq!(spent.free_at(Span::HOUR, 0, now), now + 3600);
        spent.take_back();
        assert_eq!(spent.free_at(Span::HOUR, 5, now), now);
        spent.settle(Span::HOUR, NOW + 86_400);
        assert!(spent.is_empty());
    }

    #[test]
    fn a_clock_that_is_put_back_neither_frees_nor_blocks_for_ever() {
        let mut spent = Spent::default();
        for _ in 0..5 {
            spent.add(Span::HOUR, NOW + 400 * 86_400);
        }
        assert_eq!(spent.count(Span::HOUR, NOW), 5);
        assert!(spent.free_at(Span::HOUR, 5, NOW) <= NOW + 3660);
        spent.settle(Span::HOUR, NOW);
        assert_eq!(spent.count(Span::HOUR, NOW), 5);
        assert_eq!(spent.count(Span::HOUR, NOW + 3700), 0);
    }

    proptest! {
        /// The authority's token bucket, which is what Let's Encrypt has, is never empty for us.
        #[test]
        fn a_token_bucket_of_the_same_size_never_refuses_what_we_spend(pauses in prop::collection::vec(0_i64..4000, 1..400)) {
            let (span, most) = (Span::THREE_HOURS, 20_u32);
            let (mut spent, mut tokens, mut at) = (Spent::default(), f64::from(most), NOW);
            for pause in pauses {
                let next = spent.free_at(span, most, at + pause).max(at + pause);
                #[expect(clippy::cast_precision_loss, reason = "a few hours of seconds")]
                let refilled = (next - at) as f64 * f64::from(most) / 10_800.0;
                tokens = (tokens + refilled).min(f64::from(most));
                at = next;
                prop_assert!(tokens >= 0.999, "{tokens} at {}", at - NOW);
                tokens -= 1.0;
                spent.add(span, at);
                prop_assert!(spent.count(span, at) <= most);
            }
        }
    }
}
