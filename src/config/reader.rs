//! Reads tables key by key and remembers everything that is wrong, so that the operator hears of all of it at once.

use std::cell::RefCell;
use std::ops::RangeInclusive;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::document::{Document, Syntax};
use super::keys;
use super::remark::Remark;
use super::value::{Bound, Found, Parser, expected};

/// Where remarks on one file, or on one site, gather.
pub(super) struct Pad<'a> {
    pub(super) document: &'a Document,
    mistakes: RefCell<Vec<(Kind, Remark)>>,
    warnings: RefCell<Vec<Remark>>,
    /// Every key that was asked for, for the test that compares them with [`keys::KEYS`].
    #[cfg(test)]
    pub(super) asked: RefCell<std::collections::BTreeSet<String>>,
}

#[derive(PartialEq)]
enum Kind {
    /// Something is wrong as it stands.
    Wrong,
    /// Something is not there; beside a syntax error it may be there and unread.
    Missing,
}

impl<'a> Pad<'a> {
    pub(super) fn new(document: &'a Document) -> Self {
        Self {
            document,
            mistakes: RefCell::default(),
            warnings: RefCell::default(),
            #[cfg(test)]
            asked: RefCell::default(),
        }
    }

    pub(super) fn mistake(&self, line: usize, key: &str, text: impl Into<String>) {
        self.mistakes.borrow_mut().push((Kind::Wrong, self.remark(line, key, text.into())));
    }

    pub(super) fn missing(&self, line: usize, key: &str, text: impl Into<String>) {
        self.mistakes.borrow_mut().push((Kind::Missing, self.remark(line, key, text.into())));
    }

    pub(super) fn warning(&self, line: usize, key: &str, text: impl Into<String>) {
        self.warnings.borrow_mut().push(self.remark(line, key, text.into()));
    }

    /// Whether nothing is wrong so far.
    pub(super) fn is_clean(&self) -> bool {
        self.mistakes.borrow().is_empty()
    }

    /// Takes in what another pad on the same document gathered.
    pub(super) fn absorb(&self, other: Self) {
        self.mistakes.borrow_mut().extend(other.mistakes.into_inner());
        self.warnings.borrow_mut().extend(other.warnings.into_inner());
        #[cfg(test)]
        self.asked.borrow_mut().extend(other.asked.into_inner());
    }

    /// Mistakes and warnings by line; syntax errors in front of what stands on their line, and without their echoes.
    pub(super) fn finish(self, syntax: Syntax) -> (Vec<Remark>, Vec<Remark>) {
        let broken = !syntax.remarks.is_empty();
        let echo = |kind: &Kind, remark: &Remark| {
            broken && (*kind == Kind::Missing || remark.line.is_some_and(|line| syntax.echoes(line)))
        };
        let sound = self.mistakes.into_inner().into_iter().filter(|(kind, remark)| !echo(kind, remark));
        let sound: Vec<Remark> = sound.map(|(_, remark)| remark).collect();
        let mut mistakes = syntax.remarks;
        mistakes.extend(sound);
        mistakes.sort_by_key(|remark| remark.line);
        let mut warnings = self.warnings.into_inner();
        warnings.sort_by_key(|remark| remark.line);
        (mistakes, warnings)
    }

    fn remark(&self, line: usize, key: &str, text: String) -> Remark {
        Remark { file: self.document.file.clone(), line: Some(line), key: key.into(), text }
    }
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Placed<T> {
    pub(super) value: T,
    pub(super) line: usize,
}

/// One table of the file.
pub(super) struct Section<'a> {
    pub(super) pad: &'a Pad<'a>,
    /// Its name in [`keys::KEYS`].
    name: &'static str,
    /// Where its header stands.
    pub(super) line: usize,
    table: Option<&'a DeTable<'a>>,
}

impl<'a> Section<'a> {
    /// The top of the file.
    pub(super) fn top(pad: &'a Pad<'a>, table: &'a DeTable<'a>) -> Self {
        Self { pad, name: "", line: 1, table: Some(table) }.with_known_keys()
    }

    /// The top of an included file, which knows `[[site]]` alone; its other keys are the caller's to report.
    pub(super) fn top_of_included(pad: &'a Pad<'a>, table: &'a DeTable<'a>) -> Self {
        Self { pad, name: "", line: 1, table: Some(table) }
    }

    /// One table of several, `[[site]]`.
    pub(super) fn one_of(pad: &'a Pad<'a>, name: &'static str, table: &'a Spanned<DeValue<'a>>) -> Self {
        let line = pad.document.line(table.span().start);
        let section = Self { pad, name, line, table: table.get_ref().as_table() };
        if section.table.is_none() {
            pad.mistake(line, name, format!("{}; write [[{name}]]", expected("a table", table.get_ref())));
        }
        section.with_known_keys()
    }

    /// A table that may stand once; nothing in it when it is not there.
    pub(super) fn table(&self, key: &'static str) -> Self {
        self.table_of(key, key)
    }

    /// The same in a section: `name` is that of both.
    pub(super) fn table_of(&self, key: &'static str, name: &'static str) -> Self {
        let found = self.get(key);
        let line = found.map_or(1, |value| self.pad.document.line(value.span().start));
        let table = match found.map(Spanned::get_ref) {
            Some(DeValue::Table(table)) => Some(table),
            Some(DeValue::Array(tables)) if tables.first().is_some_and(|first| first.get_ref().is_table()) => {
                self.pad.mistake(line, name, format!("expected one table, found several; write [{name}] once"));
                None
            }
            Some(other) => {
                self.pad.mistake(line, name, format!("expected a table, found {}; write [{name}]", Found(other)));
                None
            }
            None => None,
        };
        Self { pad: self.pad, name, line, table }.with_known_keys()
    }

    /// Tables that may stand any number of times.
    pub(super) fn tables(&self, key: &'static str) -> &'a [Spanned<DeValue<'a>>] {
        let Some(found) = self.get(key) else { return &[] };
        match found.get_ref() {
            DeValue::Array(tables) => tables,
            other => {
                let name = self.dotted(key);
                let text = format!("expected tables, found {}; write [[{name}]]", Found(other));
                self.pad.mistake(self.pad.document.line(found.span().start), &name, text);
                &[]
            }
        }
    }

    /// Whether a key is there, whatever its value.
    pub(super) fn is_given(&self, key: &'static str) -> bool {
        self.get(key).is_some()
    }

    /// A value; `None` when it is not there or wrong, and the latter is remembered.
    pub(super) fn value<T>(&self, key: &'static str, parse: Parser<T>) -> Option<Placed<T>> {
        self.parse(key, self.get(key)?, parse)
    }

    /// A value or its default.
    pub(super) fn value_or<T>(&self, key: &'static str, parse: Parser<T>, default: T) -> T {
        self.value(key, parse).map_or(default, |placed| placed.value)
    }

    /// A value within bounds, or its default.
    pub(super) fn bounded<T: Bound>(
        &self,
        key: &'static str,
        parse: Parser<T>,
        default: T,
        bounds: RangeInclusive<T>,
    ) -> Placed<T> {
        let found = self.get(key).and_then(|value| Some((value, self.parse(key, value, parse)?)));
        let Some((spanned, placed)) = found else { return Placed { value: default, line: self.line } };
        if !bounds.contains(&placed.value) {
            let (from, to) = (bounds.start().shown(), bounds.end().shown());
            let what = format!("{} of {from} to {to}", T::NOUN);
            self.pad.mistake(placed.line, &self.dotted(key), expected(&what, spanned.get_ref()));
            return Placed { value: default, line: placed.line };
        }
        placed
    }

    /// One of a closed set of words; `None` when it is not there or wrong.
    pub(super) fn word<T: Copy>(&self, key: &'static str, words: &[(&str, T)]) -> Option<Placed<T>> {
        let found = self.get(key)?;
        let line = self.pad.document.line(found.span().start);
        let chosen = found.get_ref().as_str().and_then(|text| words.iter().find(|(word, _)| *word == text));
        if chosen.is_none() {
            let all: Vec<String> = words.iter().map(|(word, _)| format!("{word:?}")).collect();
            let what = match all.split_last() {
                Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
                _ => all.concat(),
            };
            self.pad.mistake(line, &self.dotted(key), expected(&what, found.get_ref()));
        }
        chosen.map(|(_, value)| Placed { value: *value, line })
    }

    /// A list with its good elements; the others are remembered. `None` when it is not there or no list.
    pub(super) fn list<T>(&self, key: &'static str, parse: Parser<T>) -> Option<Placed<Vec<Placed<T>>>> {
        self.list_or(key, parse, |found| expected("a list", found))
    }

    /// The same of what may be secret: no message repeats it.
    pub(super) fn secret_list<T>(&self, key: &'static str, parse: Parser<T>) -> Option<Placed<Vec<Placed<T>>>> {
        self.list_or(key, parse, |_| "expected a list, found something else".into())
    }

    fn list_or<T>(
        &self,
        key: &'static str,
        parse: Parser<T>,
        no_list: fn(&DeValue<'_>) -> String,
    ) -> Option<Placed<Vec<Placed<T>>>> {
        let found = self.get(key)?;
        let line = self.pad.document.line(found.span().start);
        let DeValue::Array(elements) = found.get_ref() else {
            let mend = match found.get_ref() {
                DeValue::String(_) => "; put it in [ ]",
                _ => "",
            };
            self.pad.mistake(line, &self.dotted(key), no_list(found.get_ref()) + mend);
            return None;
        };
        let value = elements.iter().filter_map(|element| self.parse(key, element, parse)).collect();
        Some(Placed { value, line })
    }

    /// A list that holds something, if it is there.
    pub(super) fn filled_list<T>(&self, key: &'static str, parse: Parser<T>) -> Option<Placed<Vec<Placed<T>>>> {
        let list = self.list(key, parse)?;
        if self.get(key)?.get_ref().as_array().is_some_and(|elements| elements.is_empty()) {
            self.pad.mistake(list.line, &self.dotted(key), "expected at least one, found an empty list");
        }
        Some(list)
    }

    /// Whether something stands under this key, right or wrong.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.is_some_and(|table| table.contains_key(key))
    }

    /// Whether it is there at all.
    pub(super) const fn is_there(&self) -> bool {
        self.table.is_some()
    }

    /// Keys that stand here and their lines.
    pub(super) fn entries(&self) -> impl Iterator<Item = Placed<&'a str>> {
        let document = self.pad.document;
        let keys = self.table.into_iter().flat_map(|table| table.keys());
        keys.map(|key| Placed { value: &**key.get_ref(), line: document.line(key.span().start) })
    }

    /// The key with its section in front.
    pub(super) fn dotted(&self, key: &str) -> String {
        keys::dotted(self.name, key)
    }

    fn get(&self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        debug_assert!(keys::of(self.name).contains(&key), "{:?} has no {key:?}", self.name);
        #[cfg(test)]
        self.pad.asked.borrow_mut().insert(self.dotted(key));
        self.table?.get(key)
    }

    fn parse<T>(&self, key: &str, value: &Spanned<DeValue<'_>>, parse: Parser<T>) -> Option<Placed<T>> {
        let line = self.pad.document.line(value.span().start);
        match parse(value.get_ref()) {
            Ok(value) => Some(Placed { value, line }),
            Err(text) => {
                self.pad.mistake(line, &self.dotted(key), text);
                None
            }
        }
    }

    fn with_known_keys(self) -> Self {
        for key in self.entries().filter(|key| !keys::of(self.name).contains(&key.value)) {
            let name = self.dotted(&key.value.escape_debug().to_string());
            self.pad.mistake(key.line, &name, keys::why_not(self.name, key.value));
        }
        self
    }
}
