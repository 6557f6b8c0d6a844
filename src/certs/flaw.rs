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
    /// What is particular in the words, for whoever says the same in others: names, levels, numbers, in an order of the code's own.
    pub about: Vec<String>,
}

impl Flaw {
    pub(super) fn new(
        code: &'static str,
        reason: impl Into<Cow<'static, str>>,
        mend: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { code, reason: reason.into(), mend: mend.into(), about: Vec::new() }
    }

    /// With what is particular.
    pub(super) fn about(self, about: impl IntoIterator<Item = String>) -> Self {
        Self { about: about.into_iter().collect(), ..self }
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use crate::words::Language;

    #[test]
    fn every_language_says_what_is_wrong_by_every_code() {
        let mut codes = BTreeSet::new();
        gather(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/certs"), &mut codes);
        assert!(codes.len() > 50, "{codes:?}");
        for language in Language::ALL {
            let Some(words) = language.said() else { continue };
            for code in &codes {
                let about = ["first", "second", "third"].map(str::to_owned);
                let (reason, mend) = (words.flaw)(code, &about).unwrap_or_else(|| panic!("{language:?} lacks {code}"));
                assert!(!reason.is_empty() && !mend.is_empty(), "{language:?}: {code}");
            }
        }
    }

    /// The codes in the source below a folder: what stands first behind each `Flaw::new(`.
    fn gather(folder: &Path, codes: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                gather(&path, codes);
                continue;
            }
            let source = fs::read_to_string(&path).expect("text");
            let code = source.split("#[cfg(test)]").next().unwrap_or_default();
            for call in code.split("Flaw::new(").skip(1) {
                let first = call.trim_start().strip_prefix('"').and_then(|rest| rest.split('"').next());
                codes.extend(first.map(str::to_owned));
            }
            let named = code.split("AUTHORITIES_ALONE: &str = \"").nth(1);
            codes.extend(named.and_then(|rest| rest.split('"').next()).map(str::to_owned));
        }
    }
}
