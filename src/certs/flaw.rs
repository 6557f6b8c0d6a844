//! What is wrong with a file, in the words of somebody who has to mend it.

use std::borrow::Cow;

/// Why a file is not served. Of what the file holds it quotes nothing but the name in a certificate, which is public: the rest may
/// be a key, or somebody else's file behind a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// From a closed set; stable, for scripts.
    pub code: &'static str,
    /// What was found.
    pub reason: Cow<'static, str>,
    /// What to do.
    pub mend: Cow<'static, str>,
}

impl Flaw {
    pub(super) fn new(
        code: &'static str,
        reason: impl Into<Cow<'static, str>>,
        mend: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { code, reason: reason.into(), mend: mend.into() }
    }

    /// Whether nothing is wrong but that something has not come yet.
    #[must_use]
    pub fn is_a_wait(&self) -> bool {
        self.code.starts_with("waiting-for-")
    }
}

impl std::fmt::Display for Flaw {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({}); {}", self.reason, self.code, self.mend)
    }
}

impl std::error::Error for Flaw {}
