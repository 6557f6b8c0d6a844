//! An ACME server inside the test, for what real ones do not do on demand: suggest renewals, limit rates, answer nonsense, hang. It
//! believes every name without looking, and checks of a request what a client can get wrong.

mod book;
mod issue;
mod request;
mod serve;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use book::Book;
pub(crate) use book::{Placed, Resource};
use tokio::sync::oneshot;

use super::authority::authority;
use super::setup::{Setup, drop_file};
use super::{DEADLINE, eventually};

/// A server on a port of its own. Ends when dropped.
pub(crate) struct FakeAcme {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    book: Mutex<Book>,
    changed: Condvar,
}

impl Shared {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What it does; a test changes it while it runs.
pub(crate) struct Ways {
    /// When certificates begin and end, seconds from now; each begins a second later than the one before besides, as if that were
    /// how long the test took.
    pub(crate) life: (i64, i64),
    /// What it suggests; `None`: it has no such resource.
    pub(crate) suggests: Option<Suggestion>,
    /// The profiles that it has.
    pub(crate) profiles: &'static [&'static str],
    /// Names that it does not believe.
    pub(crate) disbelieves: Vec<String>,
    /// Names whose orders it never answers.
    pub(crate) ignores: Vec<String>,
    /// Whether it has something against every `replaces`.
    pub(crate) is_all_replaced: bool,
    /// Whether accounts have a list of their orders (RFC 8555 §7.1.2.1).
    pub(crate) lists_orders: bool,
    /// Whether what is asked for is done where a fault spoils the answer.
    pub(crate) acts_despite_faults: bool,
    faults: Vec<(Resource, usize, Fault)>,
}

/// When it wants certificates renewed, in seconds from the question.
#[derive(Clone)]
pub(crate) struct Suggestion {
    pub(crate) window: (i64, i64),
    pub(crate) retry_after: &'static str,
    pub(crate) explanation: Option<&'static str>,
}

/// What it answers instead.
#[derive(Clone)]
pub(crate) enum Fault {
    /// A problem of ACME's, by its last word, and when to come again.
    Problem(u16, &'static str, Option<String>),
    /// What stands in front of it speaks HTML.
    Page(u16, Option<String>),
    /// This, with the status of success.
    Body(&'static str),
    /// Nothing, ever.
    Silence,
}

impl FakeAcme {
    /// One that issues for 90 days and has nothing special.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        let ways = Ways {
            life: (-3600, 90 * 86_400),
            suggests: None,
            profiles: &[],
            disbelieves: Vec::new(),
            ignores: Vec::new(),
            is_all_replaced: false,
            lists_orders: false,
            acts_despite_faults: false,
            faults: Vec::new(),
        };
        let shared = Arc::new(Shared { book: Mutex::new(Book::new(ways, address)), changed: Condvar::new() });
        let (end, ended) = oneshot::channel();
        let served = Arc::clone(&shared);
        let thread = std::thread::spawn(move || serve::run(listener, served, ended));
        Self { address, shared, end: Some(end), thread: Some(thread) }
    }

    /// Changes what it does.
    pub(crate) fn set(&self, change: impl FnOnce(&mut Ways)) {
        change(&mut self.shared.book().ways);
    }

    /// Has the next requests for a resource answered like this.
    pub(crate) fn fault(&self, resource: Resource, times: usize, fault: Fault) {
        self.shared.book().ways.faults.push((resource, times, fault));
    }

    /// Adds it to an edge's issuers under this name, with more keys.
    pub(crate) fn used_by(&self, setup: &mut Setup, name: &str, keys: &str) {
        drop_file(&setup.folder.path().join("acme-root.pem"), &authority().root_pem);
        setup.set("acme", "terms_of_service_agreed = true").set("acme", "preflight = \"off\"");
        setup.raw_site(&format!(
            "[[acme.issuer]]\nname = \"{name}\"\ndirectory = \"https://{}/dir\"\nca_file = \"acme-root.pem\"\n{keys}\n",
            self.address
        ));
    }

    /// The orders that were made, the oldest first.
    pub(crate) fn orders(&self) -> Vec<Placed> {
        self.shared.book().placed()
    }

    /// The identifiers (RFC 9773 §4.1) of what was issued, the oldest first.
    pub(crate) fn issued(&self) -> Vec<String> {
        self.shared.book().issued.clone()
    }

    /// How often a resource was asked for.
    pub(crate) fn asked(&self, resource: Resource) -> usize {
        self.shared.book().asked.iter().filter(|asked| **asked == resource).count()
    }

    /// What was asked for altogether.
    pub(crate) fn all_asked(&self) -> Vec<Resource> {
        self.shared.book().asked.clone()
    }

    /// Waits until a resource was asked for so often.
    pub(crate) fn await_asked(&self, resource: Resource, times: usize) {
        let deadline = Instant::now() + DEADLINE;
        let mut book = self.shared.book();
        while book.asked.iter().filter(|asked| **asked == resource).count() < times {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{resource:?} was not asked for {times} times, but there were {:?}", book.asked);
            book = self.shared.changed.wait_timeout(book, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits until so many certificates were issued.
    pub(crate) fn await_issued(&self, number: usize) -> Vec<String> {
        eventually(&format!("{number} certificates"), || Some(self.issued()).filter(|issued| issued.len() >= number))
    }
}

impl Drop for FakeAcme {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
