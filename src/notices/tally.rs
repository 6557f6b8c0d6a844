//! What came of deliveries, counted.

use std::sync::atomic::{AtomicU64, Ordering};

use super::contact::Way;

/// A way that deliveries go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// By mail.
    Mail,
    /// By post.
    Webhook,
}

impl Lane {
    /// Both.
    pub const ALL: &'static [Self] = &[Self::Mail, Self::Webhook];

    /// Its word, as metrics have it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Webhook => "webhook",
        }
    }

    pub(super) const fn of(way: &Way) -> Self {
        match way {
            Way::Mail(_) => Self::Mail,
            Way::Webhook(_) => Self::Webhook,
        }
    }
}

/// What came of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was taken.
    Told,
    /// Whoever is to carry it was away.
    PutOff,
    /// It was refused, and is tried again.
    Refused,
    /// It was refused for a month, and is not tried again.
    GivenUp,
}

impl Outcome {
    const ALL: [Self; 4] = [Self::Told, Self::PutOff, Self::Refused, Self::GivenUp];

    /// Its word, as metrics have it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Told => "told",
            Self::PutOff => "put_off",
            Self::Refused => "refused",
            Self::GivenUp => "given_up",
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Tally([[AtomicU64; Outcome::ALL.len()]; Lane::ALL.len()]);

impl Tally {
    pub(super) fn count(&self, lane: Lane, outcome: Outcome) {
        self.0[lane as usize][outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Every series there is, those at 0 too.
    pub(super) fn counts(&self) -> Vec<(Lane, Outcome, u64)> {
        let all = Lane::ALL.iter().flat_map(|lane| Outcome::ALL.map(|outcome| (*lane, outcome)));
        all.map(|(lane, outcome)| (lane, outcome, self.0[lane as usize][outcome as usize].load(Ordering::Relaxed)))
            .collect()
    }
}
