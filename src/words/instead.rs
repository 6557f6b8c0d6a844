//! What clients are shown instead of what is published, as a code with what is particular to it: the interface tells both, and pages
//! say it in the reader's language.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Language, de, en};

/// What clients are shown instead of what is published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "kebab-case")]
pub enum Instead {
    /// Another certificate than the published one.
    OtherCertificate {
        /// Who shows it.
        listener: String,
        /// To whom it is shown, by the type of key that is asked for.
        key: String,
        /// The beginning of its fingerprint.
        shown: String,
        /// That of the published one.
        published: String,
        /// Where that one comes from.
        file: String,
    },
    /// A certificate, and none is published.
    UnpublishedCertificate {
        /// Who shows it.
        listener: String,
        /// The beginning of its fingerprint.
        shown: String,
    },
    /// No certificate: the handshake is refused, breaks off, or is none.
    NoCertificate {
        /// Who was asked.
        listener: String,
        /// What happened, as the system or the other side said it.
        text: String,
    },
    /// Other content below `/.well-known/` than what is kept.
    OtherContent {
        /// Where.
        url: String,
        /// Who was asked.
        listener: String,
        /// So many octets are kept.
        expected: usize,
        /// So many came.
        found: usize,
    },
    /// Another status than that of a content.
    OtherStatus {
        /// Where.
        url: String,
        /// Who was asked.
        listener: String,
        /// Which.
        status: String,
    },
    /// No answer.
    NoContent {
        /// Where.
        url: String,
        /// Who was asked.
        listener: String,
        /// What happened, as the system or the other side said it.
        text: String,
    },
}

/// The same with the host that was asked for, where what is shown does not name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// Which.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// What is shown there.
    #[serde(flatten)]
    pub instead: Instead,
}

impl Instead {
    /// In the reader's language, and what others wrote if that is not in it.
    pub(crate) fn said(&self, language: Language) -> (String, Option<&str>) {
        match language {
            Language::En => (self.to_string(), None),
            Language::De => (de::instead(self), self.quote()),
        }
    }

    /// Whether it is about a certificate, and not about what stands below `/.well-known/`.
    pub(crate) const fn is_of_a_certificate(&self) -> bool {
        matches!(self, Self::OtherCertificate { .. } | Self::UnpublishedCertificate { .. } | Self::NoCertificate { .. })
    }

    /// What others wrote.
    fn quote(&self) -> Option<&str> {
        match self {
            Self::NoCertificate { text, .. } | Self::NoContent { text, .. } => Some(text),
            _ => None,
        }
    }
}

impl Shown {
    /// In the reader's language, after what is said of all of this kind, and what others wrote if that is not in it.
    pub(crate) fn said(&self, of_all: &str, language: Language) -> (String, Option<String>) {
        let (text, quote) = self.instead.said(language);
        let host = self.host.as_ref().map(|host| format!("{host}: ")).unwrap_or_default();
        (format!("{of_all} ({host}{text})"), quote.map(str::to_owned))
    }
}

impl fmt::Display for Instead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&en::instead(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_said_in_every_language_and_read_as_it_was_written() {
        let text = |text: &str| text.to_owned();
        let (listener, url, key) = (text("127.0.0.1:443"), text("https://shop.example/.well-known/a"), text("rsa"));
        let (shown, published, file) = (text("00aa"), text("11bb"), text("shop.pem"));
        for instead in [
            Instead::OtherCertificate { listener: listener.clone(), key, shown: shown.clone(), published, file },
            Instead::UnpublishedCertificate { listener: listener.clone(), shown },
            Instead::NoCertificate { listener: listener.clone(), text: text("connection refused") },
            Instead::OtherContent { url: url.clone(), listener: listener.clone(), expected: 5, found: 6 },
            Instead::OtherStatus { url: url.clone(), listener: listener.clone(), status: text("308") },
            Instead::NoContent { url, listener, text: text("connection refused") },
        ] {
            let (english, quote) = instead.said(Language::En);
            assert_eq!((&english, quote), (&instead.to_string(), None));
            let (german, quote) = instead.said(Language::De);
            assert_ne!(german, english);
            for (name, value) in serde_json::to_value(&instead).expect("JSON").as_object().expect("an object") {
                let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                let is_told = german.contains(&value) || quote == Some(&*value);
                assert!(name == "code" || (english.contains(&value) && is_told), "{instead:?}: {german}");
            }
            let shown = Shown { host: Some(text("shop.example")), instead };
            let written = serde_json::to_string(&shown).expect("JSON");
            assert_eq!(serde_json::from_str::<Shown>(&written).expect("read"), shown);
            let (german, _) = shown.said("Etwas anderes", Language::De);
            assert!(german.starts_with("Etwas anderes (shop.example: "), "{german}");
        }
    }
}
