//! What can be told of.

use serde::{Deserialize, Serialize};

use super::condition::{Condition, Detail};

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)+) => {
        /// A kind of event, by which contacts choose. The one list: configuration, API and texts know no other.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum EventKind { $($(#[$doc])* $name,)+ }

        impl EventKind {
            /// Every kind there is.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// Its name, stable, for programs.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$name => $word,)+ }
            }
        }
    };
}

kinds! {
    /// What serves has ended.
    Expired = "expired",
    /// Nothing that a client accepts serves, for another reason.
    Unusable = "unusable",
    /// A host is served another certificate than the published one.
    Mismatch = "mismatch",
    /// What serves ends within days, and does not renew itself.
    Expiring = "expiring",
    /// A certificate that renews itself was not renewed in time.
    RenewalLate = "renewal_late",
    /// Orders come to nothing.
    RenewalFailing = "renewal_failing",
    /// A site does not show what it should, such as Apple Pay's file.
    WellKnownMissing = "well_known_missing",
    /// A file that was dropped is not served.
    Rejected = "rejected",
    /// What was handed in by a link waits for somebody's word.
    HandedIn = "handed_in",
    /// Something of the edge itself needs a hand.
    Edge = "edge",
    /// A certificate was issued.
    Issued = "issued",
    /// A certificate came in otherwise.
    Uploaded = "uploaded",
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) kind: EventKind,
    /// To what, as people call it.
    pub(super) subject: String,
    /// The name of the site it concerns.
    pub(super) site: Option<String>,
    /// The organisation whose it is, of what is no site's.
    pub(super) organisation: Option<String>,
    /// Whether what was told before is no more.
    pub(super) is_over: bool,
    /// Of what ends soon: within how many days.
    pub(super) step: Option<i64>,
    /// When its certificate ends, or ended, seconds since the Unix epoch.
    pub(super) not_after: Option<i64>,
    /// When its renewal was due, seconds since the Unix epoch.
    pub(super) was_due: Option<i64>,
    /// What else there is to say.
    pub(super) detail: Option<Detail>,
    /// Where in the panel it is mended.
    pub(super) path: String,
}

impl Event {
    /// A condition has begun, or has come nearer.
    pub(super) fn began(condition: &Condition) -> Self {
        let Condition { kind, subject, site, organisation, step, not_after, was_due, detail, path, .. } =
            condition.clone();
        Self { kind, subject, site, organisation, is_over: false, step, not_after, was_due, detail, path }
    }
}

impl EventKind {
    /// Whether somebody should do something soon.
    pub(super) const fn is_urgent(self) -> bool {
        !matches!(self, Self::Issued | Self::Uploaded)
    }

    /// Whether its end is worth a word. Where a new certificate ends it, that is told.
    pub(super) const fn is_told_when_over(self) -> bool {
        matches!(self, Self::Unusable | Self::Mismatch | Self::WellKnownMissing | Self::RenewalFailing | Self::Edge)
    }

    /// Whether it is found by looking at one site after the other.
    pub(super) const fn takes_a_round(self) -> bool {
        matches!(self, Self::Mismatch | Self::WellKnownMissing)
    }

    /// The kind of a word.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.word() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_has_one_word_everywhere() {
        for kind in EventKind::ALL {
            assert_eq!(serde_json::to_value(kind).expect("JSON"), kind.word());
            assert_eq!(EventKind::of_word(kind.word()), Some(*kind));
        }
        assert_eq!(EventKind::of_word("party"), None);
    }
}
