//! Where in the state something lies.

use std::fmt;
use std::path::{Path, PathBuf};

/// A path below the state folder. Whatever its parts come from, it leads nowhere else.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(String);

impl Key {
    /// The key of these parts; `None` when one of them cannot be a file's name: empty, longer than 200 octets, with a slash or a
    /// control character, or with a dot in front, which is ours.
    #[must_use]
    pub fn of(parts: &[&str]) -> Option<Self> {
        let fits = |part: &&str| {
            (1..=LONGEST_PART).contains(&part.len())
                && !part.starts_with('.')
                && !part.contains(|letter: char| letter == '/' || letter.is_control())
        };
        (!parts.is_empty() && parts.iter().all(fits)).then(|| Self(parts.join("/")))
    }

    /// The key of parts that are known to be fit.
    ///
    /// # Panics
    /// When one is not.
    #[must_use]
    pub fn known(parts: &[&'static str]) -> Self {
        // Literals of ours alone: each is met by a test or by every start.
        Self::of(parts).expect("a fixed name is a file's name")
    }

    /// The key of `part` right below; `None` as with [`Key::of`].
    #[must_use]
    pub fn below(&self, part: &str) -> Option<Self> {
        Self::of(&[part]).map(|Self(part)| Self(format!("{}/{part}", self.0)))
    }

    /// Whether what lies there is a secret. The name of the file tells, so that whoever writes it, whoever changes its key
    /// later and whoever looks into the folder agree: it is `key`, `account` or `secret`, alone or at the end behind a hyphen,
    /// before the extension. `key.pem`, `root-key.pem` and `account.json` are secrets.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        let name = self.0.rsplit('/').next().unwrap_or_default();
        let stem = name.split('.').next().unwrap_or_default();
        SECRETS.contains(&stem.rsplit('-').next().unwrap_or_default())
    }

    /// Whether what lies there is added to in place, as its name tells; all else is replaced.
    pub(super) fn grows(&self) -> bool {
        self.0.rsplit('/').next().is_some_and(|name| name.contains(".jsonl"))
    }

    /// The key of a path with slashes; `None` as with [`Key::of`].
    pub(super) fn parse(path: &str) -> Option<Self> {
        Self::of(&path.split('/').collect::<Vec<_>>())
    }

    /// The path below `root`.
    pub(super) fn under(&self, root: &Path) -> PathBuf {
        root.join(&self.0)
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// File systems end at 255 octets; an extension and a number are to fit behind.
const LONGEST_PART: usize = 200;
/// What is sealed when the state has a key.
const SECRETS: [&str; 3] = ["key", "account", "secret"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_part_leads_out_of_the_folder() {
        assert_eq!(Key::of(&["sites", "*.shop.example.json"]).map(|key| key.to_string()).as_deref(), {
            Some("sites/*.shop.example.json")
        });
        let long = "x".repeat(201);
        for part in ["", ".", "..", ".lock", "a/b", "/etc", "a\0b", "a\nb", &long] {
            assert_eq!(Key::of(&["sites", part]), None, "{part:?}");
            assert_eq!(Key::known(&["sites"]).below(part), None, "{part:?}");
        }
        assert_eq!(Key::of(&[]), None);
    }

    #[test]
    fn the_name_of_a_file_tells_whether_it_is_secret() {
        let is_secret = |path: &str| Key::parse(path).expect("a key").is_secret();
        for path in
            ["certificates/a/1/key.pem", "local-ca/root-key.pem", "acme/le/account.json", "key", "a/hook-secret.txt"]
        {
            assert!(is_secret(path), "{path}");
        }
        for path in
            ["certificates/key/1/chain.pem", "sites/monkey.json", "a/meta.json", "audit.jsonl", "a/key-usage.json"]
        {
            assert!(!is_secret(path), "{path}");
        }
    }
}
