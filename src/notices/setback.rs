//! Why something was not told, and when to try again.

use std::time::Duration;

use aws_lc_rs::rand;

/// Why something was not told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Setback {
    /// Whoever is to carry it cannot be had: the others that go the same way wait too.
    Away(String),
    /// This one is not taken.
    Refused {
        /// Whether asking again soon is of no use.
        is_lasting: bool,
        /// Whose words these are stands in front.
        text: String,
        /// How long it asks to be left alone.
        after: Option<Duration>,
    },
}

impl Setback {
    /// One that lasts until somebody does something about it.
    pub(super) const fn refused(text: String) -> Self {
        Self::Refused { is_lasting: true, text, after: None }
    }

    /// In words.
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Away(text) | Self::Refused { text, .. } => text,
        }
    }

    /// How long to leave it alone after so many attempts.
    pub(super) fn rest(&self, attempts: u32) -> Duration {
        let (first, longest) = match self {
            Self::Away(_) => (AWAY, LONGEST_AWAY),
            Self::Refused { is_lasting: false, .. } => (BUSY, LONGEST_BUSY),
            Self::Refused { is_lasting: true, .. } => (REFUSED, LONGEST_REFUSED),
        };
        let doubled = first.saturating_mul(1 << attempts.saturating_sub(1).min(MOST_DOUBLINGS)).min(longest);
        let asked = match self {
            Self::Refused { after: Some(after), .. } => (*after).min(LONGEST_REST),
            _ => Duration::ZERO,
        };
        jittered(doubled).max(asked)
    }
}

/// Up to a fifth more, so that not everything that failed together is tried together.
fn jittered(rest: Duration) -> Duration {
    let mut octet = [0];
    // Without randomness there is no jitter.
    let _ = rand::fill(&mut octet);
    rest + rest.mul_f64(f64::from(octet[0]) / 255.0 / 5.0)
}

/// A server that is started anew is back by then.
const AWAY: Duration = Duration::from_secs(10);
const LONGEST_AWAY: Duration = Duration::from_secs(10 * 60);
/// Greylisting lets in who comes again after some minutes (RFC 6647).
const BUSY: Duration = Duration::from_secs(60);
const LONGEST_BUSY: Duration = Duration::from_secs(60 * 60);
/// Somebody must do something first.
const REFUSED: Duration = Duration::from_secs(15 * 60);
const LONGEST_REFUSED: Duration = Duration::from_secs(6 * 60 * 60);
/// Nothing rests longer.
pub(super) const LONGEST_REST: Duration = Duration::from_secs(8 * 60 * 60);
/// Enough to reach every longest rest.
const MOST_DOUBLINGS: u32 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_attempt_in_vain_doubles_the_rest_up_to_an_end() {
        let within = |setback: &Setback, attempts: u32, least: Duration| {
            let rest = setback.rest(attempts);
            assert!((least..=least.mul_f64(1.21)).contains(&rest), "{setback:?} {attempts}: {rest:?}");
        };
        let seconds = Duration::from_secs;
        let away = Setback::Away(String::new());
        for (attempts, rest) in [(0, 10), (1, 10), (2, 20), (3, 40), (7, 600), (u32::MAX, 600)] {
            within(&away, attempts, seconds(rest));
        }
        let busy = Setback::Refused { is_lasting: false, text: String::new(), after: None };
        for (attempts, rest) in [(1, 60), (2, 120), (100, 3600)] {
            within(&busy, attempts, seconds(rest));
        }
        let refused = Setback::refused(String::new());
        for (attempts, rest) in [(1, 900), (2, 1800), (100, 21_600)] {
            within(&refused, attempts, seconds(rest));
        }
        let asked = |after| Setback::Refused { is_lasting: false, text: String::new(), after: Some(seconds(after)) };
        assert_eq!(asked(7200).rest(1), seconds(7200));
        assert_eq!(asked(u64::MAX).rest(1), LONGEST_REST);
    }
}
