//! One configuration file as text: read with bounds, parsed with every syntax error, lines counted.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use toml::de::DeTable;

use super::remark::Remark;

/// The text of one file.
pub(super) struct Document {
    pub(super) file: PathBuf,
    text: String,
    /// Where each line begins.
    lines: Vec<usize>,
}

impl Document {
    /// Reads a regular file of at most [`MAX_SIZE`] octets of UTF-8.
    pub(super) fn read(file: &Path) -> Result<Self, Remark> {
        let remark = |line, text: String| Remark { file: file.into(), line, key: String::new(), text };
        let octets = read_regular(file).map_err(|text| remark(None, text))?;
        match String::from_utf8(octets) {
            Ok(text) => Ok(Self::new(file, text)),
            Err(error) => {
                let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
                let line = 1 + before.iter().filter(|octet| **octet == b'\n').count();
                Err(remark(Some(line), "expected UTF-8, found other octets; save the file as UTF-8".into()))
            }
        }
    }

    pub(super) fn new(file: &Path, text: String) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, octet)| *octet == b'\n').map(|(at, _)| at + 1);
        let lines = std::iter::once(0).chain(breaks).collect();
        Self { file: file.into(), text, lines }
    }

    /// Whether nothing was written, not even a comment.
    pub(super) fn is_blank(&self) -> bool {
        self.text.trim().is_empty()
    }

    /// The line of an offset, counted from 1.
    pub(super) fn line(&self, offset: usize) -> usize {
        self.lines.partition_point(|start| *start <= offset)
    }

    /// What could be read, and where the syntax is broken.
    pub(super) fn parse(&self) -> (DeTable<'_>, Syntax) {
        let (table, errors) = DeTable::parse_recoverable(&self.text);
        if errors.is_empty() {
            return (table.into_inner(), Syntax::sound());
        }
        let (mut remarks, mut broken) = (Vec::new(), BTreeSet::new());
        for error in errors {
            let span = error.span().unwrap_or(0..0);
            let line = self.line(span.start);
            // The first error of a line is the cause, the others follow from it.
            if !broken.insert(line) {
                continue;
            }
            let column = 1 + self.text.get(self.lines[line - 1]..span.start).map_or(0, |before| before.chars().count());
            let duplicate = self.text.get(span).filter(|_| error.message() == DUPLICATE_KEY);
            let (key, text) = match duplicate {
                Some(key) => (key.escape_debug().to_string(), "is there twice; take one out".into()),
                None => (String::new(), format!("syntax error at column {column}: {}", one_line(error.message()))),
            };
            remarks.push(Remark { file: self.file.clone(), line: Some(line), key, text });
        }
        remarks.sort_by_key(|remark: &Remark| remark.line);
        (table.into_inner(), Syntax { remarks, echoing: self.echoing(&broken) })
    }

    /// The lines whose remarks may only be echoes of a syntax error: the broken ones, and all below a broken header.
    fn echoing(&self, broken: &BTreeSet<usize>) -> BTreeSet<usize> {
        let mut echoing = BTreeSet::new();
        let mut below_broken_header = false;
        for line in 1..=self.lines.len() {
            if self.text_of(line).trim_start().starts_with('[') {
                below_broken_header = broken.contains(&line);
            }
            if below_broken_header || broken.contains(&line) {
                echoing.insert(line);
            }
        }
        echoing
    }

    fn text_of(&self, line: usize) -> &str {
        let end = self.lines.get(line).copied().unwrap_or(self.text.len());
        self.lines.get(line - 1).and_then(|start| self.text.get(*start..end)).unwrap_or_default()
    }
}

/// Where the syntax of a file is broken.
pub(super) struct Syntax {
    pub(super) remarks: Vec<Remark>,
    echoing: BTreeSet<usize>,
}

impl Syntax {
    /// Nothing is broken.
    pub(super) fn sound() -> Self {
        Self { remarks: Vec::new(), echoing: BTreeSet::new() }
    }

    /// Whether a mistake on `line` may only be the echo of a syntax error.
    pub(super) fn echoes(&self, line: usize) -> bool {
        self.echoing.contains(&line)
    }
}

/// The content of a regular file of at most [`MAX_SIZE`] octets.
pub(super) fn read_regular(file: &Path) -> Result<Vec<u8>, String> {
    let facts = fs::metadata(file).map_err(|error| unreadable(&error))?;
    // Asked before opening: opening a named pipe would wait for its other end.
    if !facts.is_file() {
        let kind = if facts.is_dir() { "a folder" } else { "something else" };
        return Err(format!("expected a regular file, found {kind}"));
    }
    let mut octets = Vec::new();
    let opened = File::open(file).map_err(|error| unreadable(&error))?;
    opened.take(MAX_SIZE + 1).read_to_end(&mut octets).map_err(|error| unreadable(&error))?;
    if octets.len() as u64 > MAX_SIZE {
        return Err("expected at most 16 MiB, found more; split the sites into included files".into());
    }
    Ok(octets)
}

fn unreadable(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => NO_SUCH_FILE.into(),
        io::ErrorKind::PermissionDenied => "may not be read by this user; give it read permission".into(),
        _ => format!("cannot be read: {error}"),
    }
}

fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

pub(super) const NO_SUCH_FILE: &str = "there is no such file";
/// What toml calls a key or table that was there before.
const DUPLICATE_KEY: &str = "duplicate key";
/// A hundred thousand sites; a wrong path (a log, a core dump) must not fill the memory.
const MAX_SIZE: u64 = 16 * 1024 * 1024;
