//! `key_types`, `reuse_key` and `before_issue`: how certificates are ordered, in `[acme]` for all sites, in `[[site]]` for one.

use toml::de::DeValue;

use super::reader::{Placed, Section};
use super::value::{self, expected};
use crate::live::{BeforeIssue, OrderSpec, OrderedKey};

/// What is said in one place; what is not said there is as it is for all.
#[derive(Default)]
pub(super) struct Ordered {
    key_types: Option<Vec<OrderedKey>>,
    reuse_key: Option<bool>,
    before_issue: Option<BeforeIssue>,
}

impl Ordered {
    /// Reads what `section` says for all sites.
    pub(super) fn for_all(section: &Section<'_>) -> OrderSpec {
        Self { before_issue: None, ..Self::read(section) }.over(&OrderSpec::default())
    }

    /// Reads what `section` says for one site.
    pub(super) fn for_one(section: &Section<'_>) -> Self {
        let words = [BeforeIssue::Refuse, BeforeIssue::SelfSigned].map(|one| (one.word(), one));
        let before_issue = section.word("before_issue", &words).map(|word| word.value);
        Self { before_issue, ..Self::read(section) }
    }

    /// All of it, with what is said for all where it says nothing.
    pub(super) fn over(self, all: &OrderSpec) -> OrderSpec {
        OrderSpec {
            key_types: self.key_types.unwrap_or_else(|| all.key_types.clone()),
            reuse_key: self.reuse_key.unwrap_or(all.reuse_key),
            before_issue: self.before_issue.unwrap_or(all.before_issue),
        }
    }

    fn read(section: &Section<'_>) -> Self {
        let listed = section.filled_list("key_types", key_type);
        let reuse_key = section.value("reuse_key", value::switch).map(|value| value.value);
        let mut key_types: Vec<OrderedKey> = Vec::new();
        for Placed { value, line } in listed.into_iter().flat_map(|list| list.value) {
            match key_types.contains(&value) {
                true => {
                    let text = format!("{:?} is in this list already; take one out", value.word());
                    section.pad.mistake(line, &section.dotted("key_types"), text);
                }
                false => key_types.push(value),
            }
        }
        key_types.sort_unstable();
        Self { key_types: Some(key_types).filter(|types| !types.is_empty()), reuse_key, before_issue: None }
    }
}

fn key_type(value: &DeValue<'_>) -> Result<OrderedKey, String> {
    let known = OrderedKey::ALL.into_iter().find(|known| value.as_str() == Some(known.word()));
    known.ok_or_else(|| expected("\"ecdsa\" or \"rsa\"", value))
}
