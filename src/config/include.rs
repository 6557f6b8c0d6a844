//! `include = ["sites.d/*.toml"]`: which files a pattern means.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use toml::de::DeValue;

use super::reader::{Pad, Placed, Section};
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
    pub(super) unreadable: Vec<Unreadable>,
}

/// A folder that nobody can say what is in.
pub(super) struct Unreadable {
    pub(super) folder: PathBuf,
    /// Where it is included.
    pub(super) line: usize,
    pub(super) why: String,
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
            let found = match pattern.matches(&folder, pad, line) {
                Ok(found) => found,
                Err(error) => {
                    let why = format!("the folder {folder:?} cannot be read: {error}");
                    included.unreadable.push(Unreadable { folder: folder.clone(), line, why });
                    BTreeSet::new()
                }
            };
            included.files.extend(found.into_iter().filter(|file| *file != pad.document.file));
            included.folders.insert(if folder.as_os_str().is_empty() { ".".into() } else { folder });
        }
        included
    }
}

impl Pattern {
    fn matches(&self, folder: &Path, pad: &Pad<'_>, line: usize) -> Result<BTreeSet<PathBuf>, std::io::Error> {
        let entered = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
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
        if found.is_empty() {
            let hidden = hidden.map_or_else(String::new, |name| format!(" ({name:?} is hidden by its dot)"));
            let text = format!("no file matches {:?} in {entered:?}{hidden}; no site comes from it", self.names);
            pad.warning(line, "include", text);
        }
        Ok(found)
    }
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
