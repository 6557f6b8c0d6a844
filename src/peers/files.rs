//! The files of a peer: read, never written.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use time::OffsetDateTime;
use zeroize::Zeroizing;

use crate::certs::{Terms, inspect};
use crate::name::HostPattern;

/// Where files are looked for.
#[derive(Clone, Debug)]
pub struct Files {
    /// In place of the disk: what every file that is asked for first holds.
    only: Option<String>,
}

impl Files {
    /// Those of this machine.
    #[must_use]
    pub const fn of_the_disk() -> Self {
        Self { only: None }
    }

    /// None but one, whose text this is: for texts that lie nowhere.
    #[must_use]
    pub fn only(text: &str) -> Self {
        Self { only: Some(text.to_owned()) }
    }

    /// The file that everything begins with.
    pub(super) fn main(&self, path: &Path) -> Result<String, String> {
        match &self.only {
            Some(text) => Ok(text.clone()),
            None => self.text(path).map_err(|why| format!("{}: {why}", path.display())),
        }
    }

    /// A file that another one names.
    pub(super) fn text(&self, path: &Path) -> Result<String, String> {
        if self.only.is_some() {
            return Err("there is no such file".into());
        }
        let mut content = Zeroizing::new(Vec::new());
        let file = File::open(path).map_err(|error| error.to_string())?;
        if !file.metadata().is_ok_and(|facts| facts.is_file()) {
            return Err("expected a regular file".into());
        }
        file.take(LARGEST + 1).read_to_end(&mut content).map_err(|error| error.to_string())?;
        if content.len() as u64 > LARGEST {
            return Err(format!("it is larger than {} MiB, which no configuration is", LARGEST >> 20));
        }
        Ok(String::from_utf8_lossy(&content).into_owned())
    }

    /// What lies in a folder, in order; nothing where there is none.
    pub(super) fn list(&self, folder: &Path) -> Vec<PathBuf> {
        if self.only.is_some() {
            return Vec::new();
        }
        let entries = fs::read_dir(folder).into_iter().flatten();
        let mut found: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        found.sort();
        found
    }

    pub(super) fn is_folder(&self, path: &Path) -> bool {
        self.only.is_none() && path.is_dir()
    }

    pub(super) fn is_file(&self, path: &Path) -> bool {
        self.only.is_none() && path.is_file()
    }

    /// The files that a pattern matches, `*`, `?` and `[…]` in any part of it.
    pub(super) fn matching(&self, pattern: &Path) -> Vec<PathBuf> {
        let mut found = vec![PathBuf::new()];
        for part in pattern.components() {
            let text = part.as_os_str().to_string_lossy();
            if !matches!(part, Component::Normal(_)) || !text.contains(['*', '?', '[']) {
                found.iter_mut().for_each(|path| path.push(part));
                continue;
            }
            let below = found.iter().flat_map(|folder| {
                let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
                self.list(folder)
            });
            let fits = |path: &PathBuf| {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                matches(&text, &name) && (!name.starts_with('.') || text.starts_with('.'))
            };
            found = below.filter(fits).take(MOST).collect();
        }
        found.retain(|path| self.is_file(path));
        found
    }

    /// The names of the certificates in files that belong together; nothing where they cannot be read.
    pub(super) fn names_in(&self, files: &[PathBuf], password_file: Option<&Path>) -> Vec<HostPattern> {
        self.certificates_in(files, password_file).unwrap_or_default()
    }

    /// The same; where there is no certificate that could be served, what is wrong with the first file, if one is there.
    pub(super) fn certificates_in(
        &self,
        files: &[PathBuf],
        password_file: Option<&Path>,
    ) -> Result<Vec<HostPattern>, Option<Unfit>> {
        if self.only.is_some() {
            return Err(None);
        }
        let now = OffsetDateTime::now_utc().unix_timestamp();
        let inspection = inspect(files, password_file, &Terms::default(), now);
        let mut names = Vec::new();
        for name in inspection.certificates.iter().flat_map(|served| served.names.iter()) {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        if !names.is_empty() {
            return Ok(names);
        }
        let Some((file, flaw)) = inspection.flaws.into_iter().next() else { return Err(None) };
        let (reason, mend) = (flaw.reason.to_string(), flaw.mend.to_string());
        let names = inspection.files.into_iter().flat_map(|file| file.names).collect();
        Err(Some(Unfit { file, names, reason, mend }))
    }
}

/// A certificate that could not be served.
pub(super) struct Unfit {
    /// The file that is to be mended.
    pub(super) file: PathBuf,
    /// Whose certificate it would be.
    pub(super) names: Vec<HostPattern>,
    pub(super) reason: String,
    pub(super) mend: String,
}

/// Whether a shell's pattern fits a whole name.
fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n, mut star) = (0, 0, None);
    loop {
        let step = pattern.get(p).zip(name.get(n)).and_then(|(sign, letter)| one(*sign, &pattern[p..], *letter));
        match (pattern.get(p), step) {
            (Some('*'), _) => {
                star = Some((p, n));
                p += 1;
            }
            (_, Some(length)) => (p, n) = (p + length, n + 1),
            (None, _) if n == name.len() => return true,
            // The last star takes one letter more.
            _ => match star {
                Some((at, taken)) if taken < name.len() => {
                    star = Some((at, taken + 1));
                    (p, n) = (at + 1, taken + 1);
                }
                _ => return false,
            },
        }
    }
}

/// How much of the pattern one letter uses up; `None`: they do not fit.
fn one(sign: char, pattern: &[char], letter: char) -> Option<usize> {
    match sign {
        '*' => None,
        '?' => Some(1),
        '[' => match pattern.iter().skip(2).position(|sign| *sign == ']') {
            Some(end) => {
                let set = &pattern[1..end + 2];
                let (negated, set) = match set {
                    ['!' | '^', rest @ ..] if !rest.is_empty() => (true, rest),
                    set => (false, set),
                };
                let ranges = set.windows(3).any(|range| range[1] == '-' && (range[0]..=range[2]).contains(&letter));
                ((ranges || set.contains(&letter)) != negated).then_some(end + 3)
            }
            None => (letter == '[').then_some(1),
        },
        sign => (sign == letter).then_some(1),
    }
}

/// Far more than any configuration has.
const LARGEST: u64 = 16 << 20;
/// Files that one pattern brings.
const MOST: usize = 100_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_as_in_a_shell() {
        for (pattern, name) in [("*.conf", "a.conf"), ("*", "x"), ("[a-c]?.x", "bz.x"), ("[!a]*", "b"), ("a[", "a[")] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("*.conf", "a.con"), ("[a-c]", "d"), ("[!a]", "a"), ("", "a"), ("a", "")] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
        assert!(!matches(&("*".repeat(200) + "b"), &"a".repeat(255)));
    }

    #[test]
    fn a_pattern_may_stand_in_any_part() {
        let folder = tempfile::tempdir().expect("a folder");
        for file in ["a/site.conf", "b/site.conf", "b/.hidden.conf", "b/other"] {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, "").expect("written");
        }
        let found = Files::of_the_disk().matching(&folder.path().join("*/*.conf"));
        assert_eq!(found, ["a/site.conf", "b/site.conf"].map(|file| folder.path().join(file)));
        assert_eq!(Files::of_the_disk().matching(&folder.path().join("*/none")), Vec::<PathBuf>::new());
    }
}
