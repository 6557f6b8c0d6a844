//! A user: his name, what he may do, and what he proves it by.

use std::collections::BTreeMap;
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

/// What somebody may do: by a role for the edge, or by one for each of some organisations.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::admin) struct Grants {
    /// For the edge and everything there is.
    pub(in crate::admin) role: Option<UserRole>,
    /// For the things of organisations, by their ids; empty beside a role for the edge.
    pub(in crate::admin) organisations: BTreeMap<String, UserRole>,
}

impl Grants {
    /// A role for the edge.
    pub(in crate::admin) fn edge(role: UserRole) -> Self {
        Self { role: Some(role), organisations: BTreeMap::new() }
    }

    /// What of it makes no sense.
    pub(in crate::admin) fn flaw(&self) -> Option<&'static str> {
        match (self.role, self.organisations.is_empty()) {
            (None, true) => Some("expected a role for the edge, or organisations with a role for each, found neither"),
            (Some(_), false) => Some("expected a role for the edge or organisations with a role for each, found both"),
            _ if self.organisations.values().any(|role| *role == UserRole::Admin) => {
                Some("organisations: expected the role read or operate; admin is for the edge")
            }
            _ => None,
        }
    }

    /// The most that may be done anywhere.
    pub(in crate::admin) fn highest(&self) -> Option<UserRole> {
        self.role.or_else(|| self.organisations.values().max().copied())
    }

    /// In words, for the audit trail.
    pub(in crate::admin) fn words(&self) -> String {
        match self.role {
            Some(role) => format!("role {}", role.word()),
            None => {
                let each = self.organisations.iter().map(|(id, role)| format!("{id}: {}", role.word()));
                format!("organisations {}", each.collect::<Vec<_>>().join(", "))
            }
        }
    }
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
    /// What he may do, and where.
    pub(in crate::admin) grants: Grants,
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
