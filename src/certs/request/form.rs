//! A form on its way in: every field is looked at, and all mistakes are told at once, each with its field.

use std::fmt;

use serde::Serialize;

/// What is wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldMistake {
    /// The field's name, as the API has it.
    pub field: &'static str,
    /// What was expected, and what was found.
    pub reason: String,
}

/// Everything that is wrong with a form; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistakes(pub Vec<FieldMistake>);

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told: Vec<_> = self.0.iter().map(|mistake| format!("{}: {}", mistake.field, mistake.reason)).collect();
        f.write_str(&told.join("; "))
    }
}

impl std::error::Error for Mistakes {}

/// Collects mistakes.
#[derive(Default)]
pub(super) struct Form(Vec<FieldMistake>);

impl Form {
    pub(super) fn mistake(&mut self, field: &'static str, reason: impl Into<String>) {
        self.0.push(FieldMistake { field, reason: reason.into() });
    }

    /// One line of text; `None` when nothing was written. `longest` is in characters.
    pub(super) fn line(&mut self, field: &'static str, text: &str, longest: usize) -> Option<Box<str>> {
        let text = text.trim();
        if text.contains(is_no_text) {
            self.mistake(field, "one line of text is expected, and it has control characters");
            return None;
        }
        self.measured(field, text, longest)
    }

    /// The same over several lines.
    pub(super) fn lines(&mut self, field: &'static str, text: &str, longest: usize) -> Option<Box<str>> {
        let text = text.trim();
        if text.contains(|c| is_no_text(c) && !matches!(c, '\n' | '\r' | '\t')) {
            self.mistake(field, "text is expected, and it has control characters");
            return None;
        }
        self.measured(field, text, longest)
    }

    fn measured(&mut self, field: &'static str, text: &str, longest: usize) -> Option<Box<str>> {
        let length = text.chars().count();
        if length > longest {
            self.mistake(field, format!("at most {longest} characters are expected, and it has {length}"));
            return None;
        }
        (length > 0).then(|| text.into())
    }

    /// What was read, if nothing is wrong.
    pub(super) fn done<T>(self, read: T) -> Result<T, Mistakes> {
        if self.0.is_empty() { Ok(read) } else { Err(Mistakes(self.0)) }
    }
}

/// What would break a line, or hide or turn what stands around it.
fn is_no_text(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FFFE}'..='\u{FFFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_trimmed_and_measured_in_characters() {
        let read = |text: &str| {
            let mut form = Form::default();
            let line = form.line("organisation", text, 8);
            form.done(line).map_err(|mistakes| mistakes.to_string())
        };
        assert_eq!(read("  Bücher  "), Ok(Some("Bücher".into())));
        assert_eq!(read("ßßßßßßßß"), Ok(Some("ßßßßßßßß".into())));
        assert_eq!(read(" \t "), Ok(None));
        assert_eq!(read("123456789"), Err("organisation: at most 8 characters are expected, and it has 9".into()));
        for text in ["a\nb", "a\0b", "a\u{202E}b", "a\u{7F}b"] {
            assert!(read(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn every_mistake_is_told_with_its_field() {
        let mut form = Form::default();
        form.mistake("country", "two letters are expected");
        form.mistake("names", "none is given");
        let mistakes = form.done(()).expect_err("mistakes");
        assert_eq!(mistakes.to_string(), "country: two letters are expected; names: none is given");
    }
}
