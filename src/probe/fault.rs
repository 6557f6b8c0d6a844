//! What can be wrong with a host as it is seen from outside.

use std::fmt;

/// What is wrong, in a word of a closed set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FaultCode {
    /// Its name leads nowhere.
    Unresolved,
    /// Nobody is there.
    Unreachable,
    /// Whoever is there does not show a certificate.
    NoCertificate,
    /// Its certificate is for other names.
    WrongName,
    /// Its certificate, or one that stands behind it, has expired.
    Expired,
    /// Its certificate is not valid yet.
    NotYetValid,
    /// No root that is trusted stands behind its certificate.
    Untrusted,
    /// It shows another certificate than the one that the edge publishes for it.
    OtherCertificate,
    /// The edge publishes no certificate for it.
    Unpublished,
    /// Its certificate expires within the days that were named.
    ExpiresSoon,
    /// It does not show the file that it has to show Apple, or another one.
    AppleFile,
    /// It was not looked at: the time was over.
    Late,
    /// It leads inside the operator's own network, where nobody looks unless that is allowed.
    Inside,
}

impl FaultCode {
    /// Every code there is.
    pub const ALL: [Self; 13] = [
        Self::Unresolved,
        Self::Unreachable,
        Self::NoCertificate,
        Self::WrongName,
        Self::Expired,
        Self::NotYetValid,
        Self::Untrusted,
        Self::OtherCertificate,
        Self::Unpublished,
        Self::ExpiresSoon,
        Self::AppleFile,
        Self::Late,
        Self::Inside,
    ];

    /// Its name, stable, for programs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unresolved => "unresolved",
            Self::Unreachable => "unreachable",
            Self::NoCertificate => "no_certificate",
            Self::WrongName => "wrong_name",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::Untrusted => "untrusted",
            Self::OtherCertificate => "other_certificate",
            Self::Unpublished => "unpublished",
            Self::ExpiresSoon => "expires_soon",
            Self::AppleFile => "apple_file",
            Self::Late => "late",
            Self::Inside => "inside",
        }
    }
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What.
    pub code: FaultCode,
    /// What was expected, what was found, and the mend.
    pub detail: String,
}

impl Fault {
    pub(super) fn new(code: FaultCode, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.word(), self.detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_said_in_every_language() {
        let words = crate::words::Language::De.said().expect("words");
        for code in FaultCode::ALL {
            assert!((words.fault)(code.word()).is_some(), "{}", code.word());
        }
    }

    #[test]
    fn the_manual_explains_every_fault_and_no_other() {
        let manual = include_str!("../../docs/operations.md");
        let section = manual.split("\n## ").find(|section| section.starts_with("Looking from outside\n"));
        let table = section.and_then(|section| section.split("| fault | |").nth(1)).expect("the table");
        let rows = table.lines().skip(1).take_while(|line| line.starts_with('|'));
        let explained: Vec<&str> = rows.filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
        assert_eq!(explained, FaultCode::ALL.map(FaultCode::word));
    }
}
