//! A look at the files that changed finds what a look at everything would find.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::super::folders::{Folder, Folders};
use super::super::scan::{Root, Scan, Scanner};

/// What can happen to a folder. The numbers pick paths.
#[derive(Clone, Debug)]
enum Deed {
    Write(usize, u8),
    Remove(usize),
    Rename(usize, usize),
    MakeFolder(usize),
    Link(usize, usize),
}

fn deed() -> impl Strategy<Value = Deed> {
    let path = 0..PATHS.len();
    prop_oneof![
        5 => (path.clone(), 0..3_u8).prop_map(|(path, content)| Deed::Write(path, content)),
        2 => path.clone().prop_map(Deed::Remove),
        3 => (path.clone(), path.clone()).prop_map(|(from, to)| Deed::Rename(from, to)),
        1 => path.clone().prop_map(Deed::MakeFolder),
        1 => (path.clone(), path).prop_map(|(to, link)| Deed::Link(to, link)),
    ]
}

impl Deed {
    /// Does it if that can be done; gives the paths of which events would tell.
    fn do_in(&self, root: &Path) -> BTreeSet<PathBuf> {
        // Events have the path of what is changed, whatever link it was reached by.
        let path = |number: &usize| {
            let path = root.join(PATHS[*number]);
            let parent = path.parent().and_then(|parent| parent.canonicalize().ok());
            parent.zip(path.file_name()).map_or_else(|| path.clone(), |(parent, name)| parent.join(name))
        };
        let (done, named) = match self {
            Self::Write(at, content) => {
                let done = fs::write(path(at), [*content]);
                (done, vec![path(at).canonicalize().unwrap_or_else(|_| path(at))])
            }
            Self::Remove(at) => {
                let at = path(at);
                (fs::remove_file(&at).or_else(|_| fs::remove_dir_all(&at)), vec![at])
            }
            Self::Rename(from, to) => {
                // As they are called before: a link that is moved into the folder it leads to takes the way there along.
                let (from, to) = (path(from), path(to));
                (fs::rename(&from, &to), vec![from, to])
            }
            Self::MakeFolder(at) => (fs::create_dir(path(at)), vec![path(at)]),
            Self::Link(to, link) => {
                let link = path(link);
                (symlink(path(to), &link), vec![link])
            }
        };
        if done.is_ok() { named.into_iter().collect() } else { BTreeSet::new() }
    }
}

type Told = BTreeMap<PathBuf, String>;

fn told(scan: &Scan) -> (Told, Vec<(PathBuf, &'static str)>) {
    let record = |flaw: Option<&super::super::flaw::Flaw>| flaw.map_or_else(String::new, ToString::to_string);
    let files = scan.files.iter().map(|(path, found)| (path.to_path_buf(), record(found.flaw()) + &found.mark()));
    (files.collect(), scan.troubles.iter().map(|(path, flaw)| (path.to_path_buf(), flaw.code)).collect())
}

#[test]
fn a_link_that_is_moved_into_the_folder_it_leads_to_is_found_there() {
    let deeds = vec![Deed::Link(12, 5), Deed::MakeFolder(12), Deed::Rename(5, 6)];
    finds_as_much_as_a_look_at_all(deeds).expect("the same");
}

proptest! {
    #[test]
    fn a_look_at_what_changed_finds_what_a_look_at_all_does(deeds in proptest::collection::vec(deed(), 1..25)) {
        finds_as_much_as_a_look_at_all(deeds)?;
    }
}

fn finds_as_much_as_a_look_at_all(deeds: Vec<Deed>) -> Result<(), TestCaseError> {
    let home = tempfile::tempdir().expect("a folder");
    let root = home.path().canonicalize().expect("there");
    for folder in ["main", "other"] {
        fs::create_dir(root.join(folder)).expect("created");
    }
    let limited = Folder { directory: root.join("other"), hosts: Vec::new(), password_file: None };
    let folders = Folders::new(root.join("main"), [limited]);
    let mut scanner = Scanner::new(folders.clone());
    let mut before = told(&scanner.scan()).0;
    for deed in deeds {
        let named = deed.do_in(&root);
        let scan = scanner.scan_named(&named);
        let (found, lost) = told(&scan);
        // What was below something lost is remembered, and a new scanner has nothing to remember.
        let mut all = told(&Scanner::new(folders.clone()).scan());
        all.0.extend(
            found
                .iter()
                .filter(|(path, _)| lost.iter().any(|(lost, _)| path.starts_with(lost)))
                .map(|(path, mark)| (path.clone(), mark.clone())),
        );
        prop_assert_eq!(&(found.clone(), lost), &all, "{:?}", deed);
        prop_assert!(scan.roots.iter().all(Root::is_readable));
        let touched: BTreeSet<_> = scan.touched.iter().map(|touched| touched.path.to_path_buf()).collect();
        let differing = before.keys().chain(found.keys()).filter(|path| before.get(*path) != found.get(*path));
        for path in differing {
            prop_assert!(touched.contains(path), "{:?} was not told of by {:?}", path, deed);
            prop_assert!(scan.changed);
        }
        before = found;
    }
    Ok(())
}

const PATHS: [&str; 15] = [
    "main/a.pem",
    "main/b.pem",
    "main/c.txt",
    "main/.hidden.pem",
    "main/a.pem.password",
    "main/sub",
    "main/sub/a.pem",
    "main/sub/b.key",
    "main/sub/deep",
    "main/sub/deep/a.crt",
    "main/well-known",
    "main/well-known/a.pem",
    "other/a.pem",
    "other/sub",
    "other/sub/a.pem",
];
