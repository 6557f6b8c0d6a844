//! What the interface says by codes, in the reader's language.

use serde::Deserialize;

use crate::overview::Said;
use crate::words::Language;

/// What is wrong with a file or a certificate, as the API tells of it.
#[derive(Deserialize)]
pub(in crate::admin) struct FlawView {
    #[serde(default)]
    pub(in crate::admin) file: String,
    #[serde(default)]
    pub(in crate::admin) code: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    mend: String,
    #[serde(default)]
    about: Vec<String>,
}

impl FlawView {
    /// What was found.
    pub(in crate::admin) fn reason(&self, language: &Language) -> String {
        self.said(language).0
    }

    /// What to do.
    pub(in crate::admin) fn mend(&self, language: &Language) -> String {
        self.said(language).1
    }

    fn said(&self, language: &Language) -> (String, String) {
        let said = language.said().and_then(|words| (words.flaw)(&self.code, &self.about));
        match said {
            Some((reason, mend)) => (reason, mend.to_owned()),
            None => (self.reason.clone(), self.mend.clone()),
        }
    }
}

/// What an order failed for.
pub(in crate::admin) fn order_failed<'t>(reason: &'t str, language: &Language) -> &'t str {
    language.said().and_then(|words| (words.order_failed)(reason)).map_or(reason, |(what, _)| what)
}

/// What is wrong with what others serve: in English as it was written, else by its word with that as a quotation.
pub(in crate::admin) fn fault(word: Option<&str>, detail: &str, language: &Language) -> Said {
    match language.said() {
        None => Said::own(detail),
        Some(words) => {
            let text = word.and_then(words.fault).unwrap_or_default();
            Said { text: text.to_owned(), quote: Some(detail.to_owned()) }
        }
    }
}

/// A word of one of the API's closed sets.
pub(in crate::admin) fn word<'t>(word: &'t str, language: &Language) -> &'t str {
    language.said().and_then(|words| (words.word)(word)).unwrap_or(word)
}
