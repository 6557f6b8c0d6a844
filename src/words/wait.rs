//! Why nothing is ordered yet, as a code with what is particular to it: the interface tells both, and pages say it in the reader's
//! language.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Language, de, en};

/// Why nothing is ordered yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "kebab-case")]
pub enum Wait {
    /// The issuer takes so many orders of an account in three hours.
    OrdersLimited {
        /// Whose limit it is.
        issuer: String,
        /// So many there are.
        most: u32,
        /// So many of them are kept for renewals.
        kept: u32,
    },
    /// It issues so many certificates a week for the names of a registered domain.
    DomainLimited {
        /// Whose limit it is.
        issuer: String,
        /// The registered domain.
        domain: String,
        /// So many there are.
        most: u32,
        /// So many of them are kept for renewals.
        kept: u32,
    },
    /// It issues so many certificates a week for the very same names.
    NamesLimited {
        /// Whose limit it is.
        issuer: String,
        /// So many there are.
        most: u32,
    },
    /// It looks in vain at a name so often in an hour.
    ValidationsLimited {
        /// Whose limit it is.
        issuer: String,
        /// Which name.
        name: String,
        /// So many there are.
        most: u32,
    },
    /// The last order came to nothing, and the next one is not made at once.
    Failed {
        /// Who is left alone for it; `None`: all are, it was no fault of an issuer's.
        issuer: Option<String>,
        /// For what it failed, by its code; `None`: an earlier version wrote why in words alone.
        reason: Option<String>,
        /// As the authority wrote it, or what happened.
        text: String,
    },
    /// The issuer fails one site after the other.
    IssuerAway {
        /// Who.
        issuer: String,
        /// For what it fails, by its code.
        reason: String,
        /// As it wrote it, or what happened.
        text: String,
    },
    /// Another site finds out whether the issuer is there again.
    AnotherAsks {
        /// Who.
        issuer: String,
    },
    /// Nobody is configured to issue.
    NoIssuer,
    /// A name is in the order for the other type of key.
    OtherKey {
        /// Which.
        name: String,
    },
    /// A name is in the order of another site.
    OtherSite {
        /// Which.
        name: String,
        /// Whose order it is.
        site: String,
    },
}

impl Wait {
    /// In the reader's language, and what others wrote if that is not in it.
    pub(crate) fn said(&self, language: Language) -> (String, Option<&str>) {
        match language {
            Language::En => (self.to_string(), None),
            Language::De => (de::wait(self), self.quote()),
        }
    }

    /// What others wrote.
    fn quote(&self) -> Option<&str> {
        match self {
            Self::Failed { text, .. } | Self::IssuerAway { text, .. } => Some(text),
            _ => None,
        }
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&en::wait(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One of each.
    fn all() -> Vec<Wait> {
        let text = |text: &str| text.to_owned();
        vec![
            Wait::OrdersLimited { issuer: text("le"), most: 300, kept: 30 },
            Wait::DomainLimited { issuer: text("le"), domain: text("shop.example"), most: 50, kept: 0 },
            Wait::NamesLimited { issuer: text("le"), most: 5 },
            Wait::ValidationsLimited { issuer: text("le"), name: text("shop.example"), most: 5 },
            Wait::Failed { issuer: Some(text("le")), reason: Some(text("dns")), text: text("no such name") },
            Wait::Failed { issuer: None, reason: Some(text("state")), text: text("the disk is full") },
            Wait::Failed { issuer: None, reason: None, text: text("of an earlier version") },
            Wait::IssuerAway { issuer: text("le"), reason: text("unreachable"), text: text("gone") },
            Wait::AnotherAsks { issuer: text("le") },
            Wait::NoIssuer,
            Wait::OtherKey { name: text("shop.example") },
            Wait::OtherSite { name: text("shop.example"), site: text("shop") },
        ]
    }

    #[test]
    fn each_is_said_in_every_language_and_read_as_it_was_written() {
        for wait in all() {
            let (english, quote) = wait.said(Language::En);
            assert_eq!((&english, quote), (&wait.to_string(), None));
            let (german, quote) = wait.said(Language::De);
            assert!(!german.is_empty() && german != english, "{wait:?}");
            // What is particular stands in either: in the sentence, or as a quotation.
            for value in serde_json::to_value(&wait).expect("JSON").as_object().expect("an object").values() {
                let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let is_told = english.contains(&value);
                assert_eq!(is_told, german.contains(&value) || quote == Some(&*value), "{wait:?}: {german}");
            }
            let written = serde_json::to_string(&wait).expect("JSON");
            assert_eq!(serde_json::from_str::<Wait>(&written).expect("read"), wait);
        }
    }
}
