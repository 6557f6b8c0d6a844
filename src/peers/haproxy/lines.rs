//! HAProxy's own grammar: lines of words, quotes, escapes and comments (`parse_line` of tools.c), gathered into sections.

use std::path::Path;
use std::sync::Arc;

use crate::peers::plan::{Place, shown};

/// A line that says something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) words: Vec<String>,
    pub(super) place: Place,
}

impl Line {
    pub(super) fn word(&self, index: usize) -> &str {
        self.words.get(index).map_or("", String::as_str)
    }

    /// What follows a word.
    pub(super) fn after(&self, word: &str) -> Option<&str> {
        let at = self.words.iter().position(|known| known == word)?;
        self.words.get(at + 1).map(String::as_str)
    }

    /// For a sentence.
    pub(super) fn shown(&self) -> String {
        shown(self.words.iter().map(String::as_str))
    }
}

/// A section: its first line and those that follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Section {
    pub(super) head: Line,
    pub(super) lines: Vec<Line>,
}

impl Section {
    /// `"frontend"`
    pub(super) fn kind(&self) -> &str {
        self.head.word(0)
    }

    pub(super) fn name(&self) -> &str {
        self.head.word(1)
    }
}

/// Reads a file.
pub(super) fn read(path: &Path, text: &str) -> Result<Vec<Section>, String> {
    let file: Arc<Path> = path.into();
    let mut sections: Vec<Section> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let place = Place { file: file.clone(), line: index + 1 };
        let words = words(line).ok_or_else(|| format!("{place}: a quote is not closed"))?;
        let Some(first) = words.first() else { continue };
        let line = Line { words: words.clone(), place };
        if SECTIONS.contains(&first.as_str()) {
            sections.push(Section { head: line, lines: Vec::new() });
        } else {
            match sections.last_mut() {
                Some(section) => section.lines.push(line),
                None => return Err(format!("{}: {first:?} stands before any section", line.place)),
            }
        }
    }
    Ok(sections)
}

/// The words of a line; `None`: a quote is not closed.
pub(super) fn words(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '#' if word.is_none() => break,
            letter if letter.is_whitespace() => words.extend(word.take()),
            '\\' => {
                let next = letters.next().unwrap_or('\\');
                word.get_or_insert_default().push(next);
            }
            quote @ ('"' | '\'') => {
                let word = word.get_or_insert_default();
                loop {
                    match letters.next()? {
                        letter if letter == quote => break,
                        '\\' if quote == '"' => word.push(letters.next()?),
                        letter => word.push(letter),
                    }
                }
            }
            letter => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    Some(words)
}

const SECTIONS: [&str; 19] = [
    "global",
    "defaults",
    "frontend",
    "backend",
    "listen",
    "acme",
    "crt-store",
    "userlist",
    "peers",
    "resolvers",
    "mailers",
    "cache",
    "program",
    "ring",
    "http-errors",
    "fcgi-app",
    "log-forward",
    "log-profile",
    "traces",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_quotes_escapes_and_comments_are_haproxys() {
        let list = |words: &[&str]| Some(words.iter().map(ToString::to_string).collect::<Vec<_>>());
        for (line, wanted) in [
            ("  bind :443 ssl # no", list(&["bind", ":443", "ssl"])),
            (r#"a "b \" c" 'd\e' f\ g"#, list(&["a", "b \" c", "d\\e", "f g"])),
            ("a#b \"\"", list(&["a#b", ""])),
            ("", list(&[])),
            ("a \"b", None),
        ] {
            assert_eq!(words(line), wanted, "{line}");
        }
    }

    #[test]
    fn a_line_before_any_section_is_told() {
        let said = read(Path::new("haproxy.cfg"), "\n bind :1\n");
        assert_eq!(said, Err("haproxy.cfg:2: \"bind\" stands before any section".into()));
    }
}
