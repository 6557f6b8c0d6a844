//! `include = ["sites.d/*.toml"]`: which files a pattern means.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};

use toml::de::DeValue;

use super::document::Document;
use super::reader::{Placed, Section};
use super::remark::Remark;
use super::value::expected;

/// A folder and a pattern for the names in it.
pub(super) struct Pattern {
    folder: PathBuf,
    names: String,
}

/// The included files in order of their paths, and the folders to watch.
#[derive(Default)]
pub(super) struct Included {
    pub(super) files: BTreeSet<PathBuf>,
    pub(super) folders: BTreeSet<PathBuf>,
    pub(super) silent: Vec<Silent>,
    /// What is recorded in the state folder.
    pub(super) recorded: BTreeMap<PathBuf, Result<Document, Remark>>,
}

/// A pattern that nothing comes from.
pub(super) struct Silent {
    pub(super) folder: PathBuf,
    names: String,
    /// Where it stands.
    pub(super) line: usize,
    pub(super) why: String,
    /// It matches nothing. Otherwise nobody can say what is in the folder.
    pub(super) is_empty: bool,
}

impl Silent {
    /// The pattern, counted from where its folder is.
    pub(super) fn path(&self) -> PathBuf {
        self.folder.join(&self.names)
    }

    /// Whether the pattern matches this file.
    pub(super) fn would_include(&self, file: &Path) -> bool {
        let matches = |name: &OsStr| matches(&self.names, &name.to_string_lossy());
        file.parent() == Some(&self.folder) && file.file_name().is_some_and(matches)
    }
}

impl Included {
    /// Reads `include` and looks into the folders. Patterns count from the folder of the file they stand in.
    pub(super) fn find(top: &Section<'_>) -> Self {
        let mut included = Self::default();
        let Some(patterns) = top.list("include", pattern) else { return included };
        let pad = top.pad;
        let base = pad.document.file.parent().unwrap_or(Path::new(""));
        for Placed { value: pattern, line } in patterns.value {
            let folder = base.join(&pattern.folder);
            match pattern.find(&folder) {
                Ok(files) => included.files.extend(files.into_iter().filter(|file| *file != pad.document.file)),
                Err(Nothing { is_empty, why }) => {
                    included.silent.push(Silent { folder: folder.clone(), names: pattern.names, line, why, is_empty });
                }
            }
            included.folders.insert(if folder.as_os_str().is_empty() { ".".into() } else { folder });
        }
        included
    }
}

impl Pattern {
    /// The files it matches, at least one.
    fn find(&self, folder: &Path) -> Result<BTreeSet<PathBuf>, Nothing> {
        let entered = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let (found, hidden) = self.look_into(folder, entered).map_err(|error| Nothing {
            is_empty: false,
            why: format!("the folder {folder:?} cannot be read: {error}"),
        })?;
        if found.is_empty() {
            let hidden = hidden.map_or_else(String::new, |name| format!(" ({name:?} is hidden by its dot)"));
            return Err(Nothing {
                is_empty: true,
                why: format!("no file matches {:?} in {entered:?}{hidden}", self.names),
            });
        }
        Ok(found)
    }

    /// What it matches, and a name that it does not for its dot alone.
    fn look_into(
        &self,
        folder: &Path,
        entered: &Path,
    ) -> Result<(BTreeSet<PathBuf>, Option<OsString>), std::io::Error> {
        let mut found = BTreeSet::new();
        let mut hidden = None;
        for entry in fs::read_dir(entered)? {
            let name: OsString = entry?.file_name();
            if !matches(&self.names, &name.to_string_lossy()) {
                continue;
            }
            // Editors keep their copies under names that begin with a dot.
            if name.as_encoded_bytes().starts_with(b".") && !self.names.starts_with('.') {
                hidden = Some(name);
                continue;
            }
            found.insert(folder.join(name));
        }
        Ok((found, hidden))
    }
}

/// Why nothing comes from a pattern.
struct Nothing {
    is_empty: bool,
    why: String,
}

fn pattern(value: &DeValue<'_>) -> Result<Pattern, String> {
    let what = "a path such as \"sites.d/*.toml\"";
    let text = value.as_str().filter(|text| !text.contains('\0')).ok_or_else(|| expected(what, value))?;
    // "./a" and "a" are one file, and it is read once.
    let text = text.trim_start_matches("./");
    let (folder, names) = match text.rfind('/') {
        Some(slash) => text.split_at(slash + 1),
        None => ("", text),
    };
    if names.is_empty() || names == "." || names == ".." {
        return Err(format!("{}; name the files, such as *.toml", expected(what, value)));
    }
    if folder.contains(['*', '?']) {
        return Err(format!("{}; '*' and '?' may stand in the last part alone", expected(what, value)));
    }
    Ok(Pattern { folder: folder.into(), names: names.into() })
}

/// Whether `*` (any characters) and `?` (any one) make the pattern the name.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    // The last star and where the name stood then: on a mismatch the star takes one character more.
    let mut star = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == '?' || *c == name[n] => (p, n) = (p + 1, n + 1),
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    (p, n) = (at + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks_match_as_in_a_shell() {
        for (pattern, name) in
            [("*.toml", "a.toml"), ("*", ""), ("a?c", "abc"), ("*a*b", "xaxxb"), ("a*", "a"), ("**x", "x")]
        {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("*.toml", "a.tom"), ("a?c", "ac"), ("*a*b", "ba"), ("", "a"), ("a", "ab")] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn many_stars_do_not_take_forever() {
        assert!(!matches(&"*a".repeat(60), &"a".repeat(59)));
        assert!(!matches(&("*".repeat(200) + "b"), &"a".repeat(255)));
    }
}
