//! The drop folders: the main one, and those whose writers may supply certain names only.
//!
//! Who writes one shop's folder must not get another's name, key or word in its chain. Therefore, in a limited folder:
//!
//! - a certificate with a name outside of the folder's is rejected, whole;
//! - a key finds its certificate among the folder's own files, and only there;
//! - a chain is made of authorities' certificates of the folder itself and of the main one;
//! - nothing is read through a link that leads out, since what the edge may read its writer may not;
//! - no other folder's link leads in, since what lies here is limited to these names.
//!
//! The same certificate in several folders is one, of the first that may have it; and what keeps an accident from being taken for
//! a purpose counts each folder by itself.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};

use super::certificate::{Certificate, Fingerprint};
use super::flaw::Flaw;
use super::ledger::some_of;
use super::pairing::{Pairing, Problem};
use super::ranking::is_covered;
use super::scan::{Content, Files};
use crate::name::{HostName, HostPattern};

/// Where certificates are dropped.
#[derive(Clone, Debug)]
pub struct Folders(Arc<[Folder]>, Arc<HashMap<PathBuf, usize>>);

/// One of them.
#[derive(Clone, Debug)]
pub struct Folder {
    /// Where it is.
    pub directory: PathBuf,
    /// The names that its certificates may have.
    pub hosts: Vec<HostPattern>,
    /// Opens what is encrypted there and has no password of its own beside it.
    pub password_file: Option<PathBuf>,
}

impl Folders {
    /// The main one and the others.
    #[must_use]
    pub fn new(main: PathBuf, limited: impl IntoIterator<Item = Folder>) -> Self {
        let main = Folder { directory: main, hosts: Vec::new(), password_file: None };
        let all: Arc<[Folder]> = std::iter::once(main).chain(limited).collect();
        let places = all.iter().enumerate().skip(1).map(|(at, folder)| (folder.directory.clone(), at)).collect();
        Self(all, Arc::new(places))
    }

    /// All of them, the main one first.
    pub(super) fn all(&self) -> &[Folder] {
        &self.0
    }

    /// Where each is.
    pub(super) fn directories(&self) -> Vec<PathBuf> {
        self.0.iter().map(|folder| folder.directory.clone()).collect()
    }

    /// In which of them a file lies. What lies in none is the operator's own, as what lies in the main one.
    pub(super) fn place(&self, file: &Path) -> usize {
        if self.1.is_empty() {
            return MAIN;
        }
        file.ancestors().find_map(|folder| self.1.get(folder).copied()).unwrap_or(MAIN)
    }

    /// Whether what lies in a folder may have all these names.
    pub(super) fn may_supply(&self, place: usize, names: &[HostPattern]) -> bool {
        self.outside(place, names).is_empty()
    }

    /// Whether what lies in a folder may be shown for a host.
    pub(super) fn may_show(&self, place: usize, host: &HostName) -> bool {
        self.may_supply(place, &[HostPattern::Exact(host.clone())])
    }

    /// Takes out what its folder may not supply, and what several supply.
    pub(super) fn limit(&self, pairing: &mut Pairing, files: &Files) {
        if self.1.is_empty() {
            return;
        }
        let mut refused = Vec::new();
        pairing.pairs.retain(|pair| {
            let flaw = self.refusal(pair.folder, &pair.leaf);
            if let Some(flaw) = &flaw {
                refused
                    .extend(pair.certificate_files.iter().map(|file| (Arc::clone(file), Problem::Unfit(flaw.clone()))));
            }
            flaw.is_none()
        });
        // It need not wait for its key.
        for (file, problem) in &mut pairing.problems {
            if let Problem::NoKey(leaf) = problem
                && let Some(flaw) = certificate(files, file, leaf).and_then(|leaf| self.refusal(self.place(file), leaf))
            {
                *problem = Problem::Unfit(flaw);
            }
        }
        pairing.problems.extend(refused);
        pairing.pairs.dedup_by_key(|pair| pair.leaf.fingerprint);
    }

    fn refusal(&self, place: usize, leaf: &Certificate) -> Option<Flaw> {
        let outside = self.outside(place, leaf.names.as_ref().ok()?);
        (!outside.is_empty()).then(|| name_not_allowed(&outside))
    }

    fn outside(&self, place: usize, names: &[HostPattern]) -> Vec<String> {
        let Some(folder) = self.0.get(place).filter(|_| place != MAIN) else { return Vec::new() };
        let hosts: HashSet<&HostPattern> = folder.hosts.iter().collect();
        names.iter().filter(|name| !is_covered(&hosts, name)).map(ToString::to_string).collect()
    }
}

impl From<PathBuf> for Folders {
    fn from(main: PathBuf) -> Self {
        Self::new(main, [])
    }
}

impl From<&Path> for Folders {
    fn from(main: &Path) -> Self {
        main.to_owned().into()
    }
}

fn certificate<'f>(files: &'f Files, file: &Path, fingerprint: &Fingerprint) -> Option<&'f Arc<Certificate>> {
    match &files.get(file)?.content {
        Content::Parts(parts) => parts.certificates.iter().find(|certificate| certificate.fingerprint == *fingerprint),
        Content::Flawed(_) => None,
    }
}

pub(super) fn name_not_allowed(outside: &[String]) -> Flaw {
    Flaw::new(
        "name-not-allowed",
        format!("this folder may not supply these names: {}", some_of(outside)),
        "put it into the folder that may, or add the names to the hosts of this [[certificates.drop]]",
    )
    .about([some_of(outside)])
}

/// A link from somewhere else into a limited folder, or out of one.
pub(super) fn leads_outside() -> Flaw {
    Flaw::new(
        "outside",
        "the link leads out of its drop folder into what has other rules; what was found there before keeps serving",
        "put the file itself here; links may lead, relatively, to what lies in the same folder",
    )
}

/// The one whose writers may do everything.
pub(super) const MAIN: usize = 0;

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(name: &str) -> HostPattern {
        HostPattern::parse(name).expect("a name")
    }

    #[test]
    fn a_folder_supplies_its_names_and_what_its_wildcards_cover() {
        let hosts = ["shop.example", "*.shop.example"].map(pattern).to_vec();
        let limited = Folder { directory: "/srv/a".into(), hosts, password_file: None };
        let folders = Folders::new("/srv/main".into(), [limited]);
        let place = folders.place(Path::new("/srv/a/x/y.pem"));
        for (name, may) in [
            ("shop.example", true),
            ("www.shop.example", true),
            ("*.shop.example", true),
            ("a.www.shop.example", false),
            ("*.www.shop.example", false),
            ("example.org", false),
        ] {
            assert_eq!(folders.may_supply(place, &[pattern(name)]), may, "{name}");
            assert!(folders.may_supply(MAIN, &[pattern(name)]));
        }
        let places = ["/srv/a", "/srv/main/a.pem", "/srv/ab/a.pem", "piece"].map(|file| folders.place(Path::new(file)));
        assert_eq!(places, [1, MAIN, MAIN, MAIN]);
    }
}
