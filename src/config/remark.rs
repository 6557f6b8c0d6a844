//! What is said about a configuration: where, which key, and what to do about it.

use std::fmt;
use std::path::PathBuf;

use crate::telemetry::printable;

/// One mistake or one warning: `config/vitrine.toml:12: limits.idle_timeout: expected …`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// The file as it was named: on the command line, or by the folder of an include pattern and the file's name.
    pub file: PathBuf,
    /// The line, counted from 1; `None` when the remark is about the file as a whole.
    pub line: Option<usize>,
    /// The dotted key; empty when no key is concerned.
    pub key: String,
    /// What was expected, what was found, and the mend.
    pub text: String,
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&printable(&self.file.to_string_lossy()))?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        write!(f, ": {}", self.text)
    }
}

/// Everything that is wrong with a configuration; never empty. Prints one line for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistakes(Vec<Remark>);

impl Mistakes {
    pub(super) fn new(remarks: Vec<Remark>) -> Self {
        debug_assert!(!remarks.is_empty());
        Self(remarks)
    }

    /// The mistakes: those of the main file by line, then those of each included file.
    #[must_use]
    pub fn remarks(&self) -> &[Remark] {
        &self.0
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        lines(f, &self.0, "")
    }
}

impl std::error::Error for Mistakes {}

impl From<Remark> for Mistakes {
    fn from(remark: Remark) -> Self {
        Self(vec![remark])
    }
}

/// A part of what is included that was left out because of its mistakes; everything else serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// The included file, or the folder or pattern of included files.
    pub file: PathBuf,
    /// How much of it.
    pub part: RejectedPart,
    /// Why; never empty.
    pub mistakes: Vec<Remark>,
}

/// How much was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RejectedPart {
    /// The whole folder: it defined sites and cannot be read now.
    Folder,
    /// All files of a pattern, which included sites and matches none now.
    Pattern,
    /// All of it: it cannot be read, its syntax is broken, or it defined sites and is empty now.
    File,
    /// One site; its name, unless that is among the mistakes.
    Site(Option<String>),
    /// Tables and keys other than `[[site]]`, which an included file may not hold; its sites stay.
    Other,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match &self.part {
            RejectedPart::Folder => " (the whole folder is left out)".into(),
            RejectedPart::Pattern => " (all of the pattern is left out)".into(),
            RejectedPart::File => " (the whole file is left out)".into(),
            RejectedPart::Site(Some(name)) => format!(" (site {name:?} is left out)"),
            RejectedPart::Site(None) => " (this site is left out)".into(),
            RejectedPart::Other => " (this is left out)".into(),
        };
        lines(f, &self.mistakes, &what)
    }
}

fn lines(f: &mut fmt::Formatter<'_>, remarks: &[Remark], suffix: &str) -> fmt::Result {
    for (index, remark) in remarks.iter().enumerate() {
        let line_break = if index == 0 { "" } else { "\n" };
        write!(f, "{line_break}{remark}{suffix}")?;
    }
    Ok(())
}
