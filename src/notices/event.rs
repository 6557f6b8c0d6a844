//! What can be told of.

use serde::{Deserialize, Serialize};

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
    /// Something of the edge itself needs a hand.
    Edge = "edge",
    /// A certificate was issued.
    Issued = "issued",
    /// A certificate came in otherwise.
    Uploaded = "uploaded",
}

impl EventKind {
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
