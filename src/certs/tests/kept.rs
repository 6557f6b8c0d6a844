//! What looks at single files come to is what looks at everything would have come to.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use proptest::prelude::*;
use tokio::time::Instant;

use super::super::folders::{Folder, Folders};
use super::super::library::Library;
use super::super::ranking::{By, Rule};
use super::super::roots::Roots;
use super::super::scan::{Scan, Scanner};
use super::super::shelf::{Moment, Shelf};
use super::super::terms::Terms;
use super::super::testing::Chain;
use crate::live::CertIndex;
use crate::name::HostPattern;
use crate::store::Store;

/// What files are made of: leaves, some with keys and names in common, and authorities of one name.
static DECK: LazyLock<Vec<String>> = LazyLock::new(|| {
    let (chain, other) = (Chain::new(), Chain::new());
    let one = chain.leaf(&["one.example", "www.one.example"]);
    let next = chain.leaf(&["one.example"]);
    let wide = chain.leaf(&["*.one.example", "two.example"]);
    let (foreign, expired) = (other.leaf(&["two.example"]), chain.timed(&["one.example"], -9, -1));
    let renewed = chain.renewed(&one).certificate;
    let leaves = [&one, &next, &wide, &foreign, &expired].map(|leaf| [leaf.certificate.clone(), leaf.key.clone()]);
    let authorities =
        [chain.intermediate.clone(), chain.crossed_intermediate(), other.intermediate.clone(), chain.root.clone()];
    leaves.into_iter().flatten().chain([renewed]).chain(authorities).chain(["-----BEGIN".into()]).collect()
});

static TERMS: LazyLock<Arc<Terms>> = LazyLock::new(|| {
    let root = (Path::new("root.pem"), DECK[14].as_bytes());
    Arc::new(Terms { roots: Roots::of_the_web_and([root]).expect("roots"), ..Terms::default() })
});

/// What can happen between two looks. The numbers pick paths and cards.
#[derive(Clone, Debug)]
enum Deed {
    Write(usize, BTreeSet<usize>, bool),
    /// A leaf with its key, and with the intermediate or without.
    Deal(usize, usize, bool),
    Remove(usize),
    Rename(usize, usize),
    Wait(u64),
    /// Somebody sets the calendar to when all authorities are expired, or back.
    Turn,
    Confirm,
    Pin(Option<usize>),
}

fn deed() -> impl Strategy<Value = Deed> {
    let path = 0..PATHS.len();
    let cards = proptest::collection::btree_set(0..DECK.len(), 1..4);
    prop_oneof![
        4 => (path.clone(), cards, any::<bool>()).prop_map(|(path, cards, open)| Deed::Write(path, cards, open)),
        4 => (path.clone(), 0..5_usize, any::<bool>()).prop_map(|(path, leaf, whole)| Deed::Deal(path, leaf, whole)),
        3 => path.clone().prop_map(Deed::Remove),
        2 => (path.clone(), path).prop_map(|(from, to)| Deed::Rename(from, to)),
        2 => prop_oneof![Just(1), Just(61)].prop_map(Deed::Wait),
        1 => Just(Deed::Turn),
        1 => Just(Deed::Confirm),
        1 => proptest::option::of(0..5_usize).prop_map(Deed::Pin),
    ]
}

impl Deed {
    /// Does what is to be done to files; gives the paths of which events would tell.
    fn do_in(&self, root: &Path) -> BTreeSet<PathBuf> {
        let write = |at: usize, cards: &[usize], open: bool| {
            let path = root.join(PATHS[at]);
            let content: String = cards.iter().map(|card| DECK[*card].as_str()).collect();
            fs::write(&path, content).expect("written");
            fs::set_permissions(&path, fs::Permissions::from_mode(if open { 0o644 } else { 0o600 })).expect("set");
            BTreeSet::from([path])
        };
        match self {
            Self::Write(at, cards, open) => write(*at, &cards.iter().copied().collect::<Vec<_>>(), *open),
            Self::Deal(at, leaf, true) => write(*at, &[2 * leaf, 2 * leaf + 1, 11], false),
            Self::Deal(at, leaf, false) => write(*at, &[2 * leaf, 2 * leaf + 1], false),
            Self::Remove(at) => {
                let path = root.join(PATHS[*at]);
                fs::remove_file(&path).map_or_else(|_| BTreeSet::new(), |()| BTreeSet::from([path]))
            }
            Self::Rename(from, to) => {
                let (from, to) = (root.join(PATHS[*from]), root.join(PATHS[*to]));
                fs::rename(&from, &to).map_or_else(|_| BTreeSet::new(), |()| BTreeSet::from([from, to]))
            }
            Self::Wait(_) | Self::Turn | Self::Confirm | Self::Pin(_) => BTreeSet::new(),
        }
    }
}

/// One shelf with what it has published.
struct Side {
    scanner: Scanner,
    shelf: Shelf,
    index: Arc<CertIndex>,
}

#[derive(Debug, PartialEq, Eq)]
struct Told {
    /// Best first, each with how many are sent.
    certificates: Vec<String>,
    serving: BTreeMap<&'static str, Vec<String>>,
    ledger: String,
}

impl Side {
    fn new(folders: &Folders) -> Self {
        let library = Library::open(Store::in_memory(), Path::new("state")).expect("a library");
        let mut shelf = Shelf::new(folders.clone(), Some(library));
        shelf.terms = Arc::clone(&TERMS);
        Self { scanner: Scanner::new(folders.clone()), shelf, index: Arc::default() }
    }

    fn look(&mut self, deed: &Deed, now: Moment, scan: impl FnOnce(&mut Scanner) -> Scan) {
        match deed {
            Deed::Confirm => drop(self.shelf.confirm(None, now.steady)),
            Deed::Pin(card) => self.shelf.govern(card.iter().map(|card| pinned(*card)).collect()),
            _ => {}
        }
        let scan = scan(&mut self.scanner);
        if let (Some(index), _) = self.shelf.step(&scan, &Default::default(), Vec::new(), now) {
            self.index = index;
        }
        assert!(self.shelf.keep().0.is_none());
    }

    /// All that anybody is told or shown.
    fn told(&self) -> Told {
        let certificates =
            self.index.certificates().iter().map(|served| format!("{:?} {}", served, served.certified.chain().len()));
        let serving = |name: &&'static str| {
            let choice = self.index.find(name).into_iter().flat_map(|choice| choice.iter());
            (*name, choice.map(|served| served.facts.fingerprint.to_string()).collect())
        };
        let names = ["one.example", "www.one.example", "other.one.example", "two.example"];
        let ledger = format!("{:#?}", self.shelf.ledger());
        let (certificates, serving) = (certificates.collect(), names.iter().map(serving).collect());
        Told { certificates, serving, ledger }
    }
}

fn pinned(leaf: usize) -> Rule {
    let bundle = super::super::Bundle::parse(format!("{}{}", DECK[2 * leaf], DECK[2 * leaf + 1]).as_bytes(), None);
    let fingerprint = bundle.expect("a bundle").served(Path::new(""), true).facts.fingerprint.to_string();
    Rule { hosts: vec![HostPattern::parse("one.example").expect("a name")], by: By::Fingerprints(vec![fingerprint]) }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn looks_at_what_changed_come_to_what_looks_at_everything_do(deeds in proptest::collection::vec(deed(), 1..25)) {
        let home = tempfile::tempdir().expect("a folder");
        let root = home.path().canonicalize().expect("there");
        for folder in ["main/sub", "limited"] {
            fs::create_dir_all(root.join(folder)).expect("created");
        }
        let hosts = vec![HostPattern::parse("two.example").expect("a name"), HostPattern::parse("*.one.example").expect("a name")];
        let limited = Folder { directory: root.join("limited"), hosts, password_file: None };
        let folders = Folders::new(root.join("main"), [limited]);
        let (mut kept, mut anew) = (Side::new(&folders), Side::new(&folders));
        let mut now = Moment { steady: Instant::now(), unix: time::OffsetDateTime::now_utc().unix_timestamp() };
        let mut then = FAR;
        for (at, deed) in deeds.iter().enumerate() {
            let named = deed.do_in(&root);
            if let Deed::Wait(seconds) = deed {
                now.steady += Duration::from_secs(*seconds);
                now.unix += i64::try_from(*seconds).expect("few");
            }
            if matches!(deed, Deed::Turn) {
                std::mem::swap(&mut now.unix, &mut then);
            }
            kept.look(deed, now, |scanner| scanner.scan_named(&named));
            anew.look(deed, now, Scanner::scan);
            prop_assert_eq!(kept.told(), anew.told(), "after {} of {:?}", at + 1, deeds);
            // When what went would have expired, one look comes for nothing.
            let (own, next) = (kept.shelf.next_look(), anew.shelf.next_look());
            prop_assert!(next.is_none_or(|next| own.is_some_and(|own| own <= next)), "{own:?} and {next:?} in {deeds:?}");
        }
    }
}

/// In the year 4200, seconds since the Unix epoch.
const FAR: i64 = 70_400_000_000;
const PATHS: [&str; 7] =
    ["main/a.pem", "main/b.crt", "main/b.key", "main/sub/c.pem", "main/sub/d.pem", "limited/e.pem", "limited/f.pem"];
