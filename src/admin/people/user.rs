//! A user: his name, what he may do, and what he proves it by.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::password::Hashed;

/// What a user may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::admin) enum UserRole {
    /// To look.
    Read,
    /// To look, and to change what is served.
    Operate,
    /// All that, to take private keys out, and to say who may do what.
    Admin,
}

/// What a user signs in with: ASCII letters, digits and `.`, `_`, `-`, `+` and `@`, at most 64, in lower case whatever is typed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(in crate::admin) struct UserName(String);

/// A user as he is kept in `users/<id>.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::admin) struct User {
    /// The name the API calls him by.
    pub(in crate::admin) id: String,
    /// What he signs in with.
    pub(in crate::admin) name: UserName,
    /// What he may do.
    pub(in crate::admin) role: UserRole,
    /// Seconds since the Unix epoch.
    pub(in crate::admin) created: i64,
    /// What he signs in by.
    pub(super) password: Hashed,
    /// Until when the password may be used to choose another, and for nothing else: seconds since the Unix epoch. Without it, it
    /// is one of his own.
    pub(in crate::admin) one_time_until: Option<i64>,
}

impl UserName {
    /// A name that somebody typed.
    pub(in crate::admin) fn parse(text: &str) -> Option<Self> {
        let fits = |letter: char| letter.is_ascii_alphanumeric() || "._-+@".contains(letter);
        let text = text.trim();
        ((1..=LONGEST).contains(&text.len()) && text.chars().all(fits)).then(|| Self(text.to_ascii_lowercase()))
    }

    /// As it is kept.
    pub(in crate::admin) fn as_str(&self) -> &str {
        &self.0
    }
}

impl User {
    /// Who he is, for the audit trail.
    pub(in crate::admin) fn words(&self) -> String {
        format!("user {:?} ({})", self.name.as_str(), self.id)
    }
}

impl UserRole {
    /// Its word.
    pub(in crate::admin) const fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Operate => "operate",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for UserName {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("expected 1 to 64 letters, digits, dots, hyphens, underscores, plus and at signs")
    }
}

impl From<UserName> for String {
    fn from(name: UserName) -> Self {
        name.0
    }
}

/// As long as most addresses of mail are.
const LONGEST: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_same_however_it_is_typed() {
        assert_eq!(UserName::parse(" Anna.Muster@Shop.Example"), UserName::parse("anna.muster@shop.example"));
        for wrong in ["", " ", "a b", "an\nna", "änna", "a/b", "<b>", &"x".repeat(65)] {
            assert_eq!(UserName::parse(wrong), None, "{wrong:?}");
        }
    }
}
