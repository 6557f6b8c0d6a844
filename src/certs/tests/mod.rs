//! The drop folder from end to end, with real files, on a clock that the tests move.

mod arrival;
mod chains;
mod departure;
mod folders;
mod keeping;
mod kept;
mod named;
mod oddities;
mod trust;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use super::folders::Folders;
use super::ledger::NoticeState;
use super::library::Library;
use super::scan::Scanner;
use super::shelf::{Moment, Shelf};
use super::testing::{Chain, Leaf};
use crate::live::CertIndex;
use crate::store::Store;

static CHAIN: LazyLock<Chain> = LazyLock::new(Chain::new);

/// A drop folder and what would be served from it.
struct Shop {
    home: tempfile::TempDir,
    folders: Folders,
    scanner: Scanner,
    shelf: Shelf,
    index: Arc<CertIndex>,
    now: Moment,
    published: usize,
    /// What lasts from one start to the next.
    store: Store,
    is_restored: bool,
}

impl Shop {
    fn new() -> Self {
        let home = tempfile::tempdir().expect("a folder");
        let folder = home.path().join("certs");
        fs::create_dir(&folder).expect("created");
        let store = Store::in_memory();
        let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs();
        Self {
            home,
            scanner: Scanner::new(folder.clone()),
            shelf: Shelf::new(folder.clone(), Some(library(&store))),
            folders: folder.into(),
            index: Arc::default(),
            now: Moment { steady: Instant::now(), unix: i64::try_from(unix).expect("this century") },
            published: 0,
            store,
            is_restored: false,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join("certs").join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::create_dir_all(self.path(name).parent().expect("a parent")).expect("created");
        fs::write(self.path(name), content).expect("written");
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o600)).expect("closed");
    }

    fn remove(&self, name: &str) {
        fs::remove_file(self.path(name)).expect("removed");
    }

    fn look(&mut self) {
        let scan = self.scanner.scan();
        if !std::mem::replace(&mut self.is_restored, true) {
            self.shelf.restore(&scan.files, self.now);
        }
        if let (Some(index), _) = self.shelf.step(&scan, &Default::default(), Vec::new(), self.now) {
            self.index = index;
            self.published += 1;
        }
        loop {
            let (trouble, is_more) = self.shelf.keep();
            assert_eq!(trouble.map(|trouble| trouble.to_string()), None);
            if !is_more {
                break;
            }
        }
    }

    /// Begins anew with what lasts.
    fn restart(&mut self) {
        self.scanner = Scanner::new(self.folders.clone());
        self.shelf = Shelf::new(self.folders.clone(), Some(library(&self.store)));
        (self.index, self.is_restored) = (Arc::default(), false);
        self.settle();
    }

    fn after(&mut self, time: Duration) {
        self.now.steady += time;
        self.now.unix += i64::try_from(time.as_secs()).expect("short");
        self.look();
    }

    /// Looks, and looks again when all has come to rest.
    fn settle(&mut self) {
        self.look();
        self.after(Duration::from_millis(600));
    }

    /// The fingerprint of what serves a name.
    fn serving(&self, name: &str) -> Option<String> {
        self.index.find(name)?.iter().next().map(|served| served.facts.fingerprint.to_string())
    }

    /// How many certificates are sent for a name.
    fn sent(&self, name: &str) -> usize {
        self.index.find(name).and_then(|choice| choice.iter().next()).map_or(0, |served| served.certified.chain().len())
    }

    fn listed(&self) -> Vec<(String, NoticeState, &'static str)> {
        let folder = format!("{}/", self.path("").display()).replace("//", "/");
        let notices = self.shelf.ledger().rejected;
        notices.into_iter().map(|notice| (notice.file.replace(&folder, ""), notice.state, notice.code)).collect()
    }

    fn alarms(&self) -> Vec<&'static str> {
        self.shelf.ledger().alarms.iter().map(|alarm| alarm.code.as_str()).collect()
    }
}

fn library(store: &Store) -> Library {
    Library::open(store.clone(), std::path::Path::new("state")).expect("a library")
}

fn fingerprint(leaf: &Leaf) -> Option<String> {
    let served =
        super::Bundle::parse(leaf.whole().as_bytes(), None).expect("a bundle").served(std::path::Path::new(""), true);
    Some(served.facts.fingerprint.to_string())
}

fn rejected(file: &str, code: &'static str) -> (String, NoticeState, &'static str) {
    (file.to_owned(), NoticeState::Rejected, code)
}

fn waiting(file: &str, code: &'static str) -> (String, NoticeState, &'static str) {
    (file.to_owned(), NoticeState::Waiting, code)
}
