//! The single writer: looks at the drop folder whenever it may have changed, and publishes what is to be served.

mod choosing;
mod demanding;
mod errand;
mod exporting;
mod objects;
mod receiving;
mod revoking;
mod standing_in;
mod telling;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

pub use choosing::Choosing;
pub use demanding::Demanding;
use errand::{Due, Errand, run};

use super::alarms::{AlarmCode, Alarms};
use super::choices::{Choices, NotChosen, SiteChoice};
use super::export::{Export, NotExported};
use super::folders::Folders;
use super::ledger::{Alarm, HeldBack, Ledger};
use super::library::{Library, Version};
use super::minimum::SiteMinimum;
use super::objects::Objects;
use super::ranking::Rule;
use super::request::Requests;
use super::scan::{Scanner, Touched};
use super::self_signed::SelfSigned;
use super::shelf::{Arrival, Moment, NotDeleted, NotGoneBack, Shelf};
use super::stand_in::StandIns;
use super::terms::Terms;
use super::upload::{NotReceived, Received, Upload};
use super::well_known::AllObjects;
use crate::live::{CertIndex, Live, Publisher, WellKnown, table};
use crate::store::{Store, StoreError};

/// Starts the intake.
pub struct Intake;

impl Intake {
    /// Watches the drop folders on the current runtime until the last handle is dropped. They may be missing. `store` is
    /// what lies in `state_directory`. What comes is judged by the `terms` as they are. While it is `frozen` no folder is looked at,
    /// once each was at the start.
    ///
    /// # Errors
    /// When the library of certificates, or the requests for some, cannot be listed.
    pub fn start(
        folders: impl Into<Folders>,
        store: Store,
        state_directory: &Path,
        (index, well_known): (Publisher<CertIndex>, Publisher<WellKnown>),
        terms: watch::Receiver<Arc<Terms>>,
        frozen: watch::Receiver<bool>,
    ) -> Result<IntakeHandle, StoreError> {
        let requests = Requests::open(store.clone(), state_directory)?;
        let (folders, library) = (folders.into(), Library::open(store.clone(), state_directory)?);
        let (choices, kept) = (Choices::open(store.clone())?, Objects::open(store.clone(), state_directory)?);
        let (ledger, ledger_reader) = table(Ledger::default());
        let (orders, orders_reader) = mpsc::channel(ORDERS);
        let (looks, looks_reader) = watch::channel(0);
        let desk = Desk {
            scanner: Scanner::new(folders.clone()),
            shelf: Shelf::new(folders.clone(), Some(library)),
            is_restored: false,
            not_kept: None,
            choices,
            demanded: Arc::default(),
            self_signed: SelfSigned::new(store, state_directory),
            stand_ins: StandIns::default(),
            gaps: Vec::new(),
            requests: requests.clone(),
            objects: AllObjects::new(&folders, kept),
            index,
            well_known,
            terms,
            ledger,
            failed: 0,
            unwatched_since: None,
            places: None,
            owed: Vec::new(),
            is_told: false,
            due: Due::Everything,
            not_issued: None,
            endings: Alarms::default(),
        };
        tokio::spawn(run(desk, folders.directories(), orders_reader, looks, frozen));
        Ok(IntakeHandle { ledger: ledger_reader, requests, orders, looks: looks_reader })
    }
}

/// What the rest of the house asks of the intake.
#[derive(Clone)]
pub struct IntakeHandle {
    ledger: Live<Ledger>,
    requests: Requests,
    orders: mpsc::Sender<Order>,
    /// How many looks have ended.
    looks: watch::Receiver<u64>,
}

impl IntakeHandle {
    /// Waits until the folder has been looked at once, whatever was found.
    pub async fn first_scan(&self) {
        // An error says that the intake has ended, which it does only with the runtime.
        let _ = self.looks.clone().wait_for(|ended| *ended > 0).await;
    }

    /// Waits until something may have come or gone.
    pub async fn next_look(&mut self) {
        if self.looks.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Has the folder looked at now.
    pub fn rescan(&self) {
        // A full queue holds looks that are still to come.
        let _ = self.orders.try_send(Order::Look);
    }

    /// What waits, what was rejected, what needs a hand.
    #[must_use]
    pub fn ledger(&self) -> Arc<Ledger> {
        self.ledger.snapshot()
    }

    /// The keeper of requests. Whoever changes one has the folder looked at then.
    #[must_use]
    pub fn requests(&self) -> &Requests {
        &self.requests
    }

    /// Believes the deletions that are held back as an accident. Gives the number of certificates that go.
    ///
    /// # Errors
    /// [`HeldBack`] when they would take more names away than were `seen`.
    pub async fn confirm_withdrawal(&self, seen: Option<usize>) -> Result<usize, HeldBack> {
        self.order(|reply| Order::Confirm(seen, reply)).await.unwrap_or(Ok(0))
    }

    /// Takes in what was sent, or with `only_look` says what would come of it.
    ///
    /// # Errors
    /// [`NotReceived`], and nothing has changed.
    pub async fn receive(&self, upload: Upload, only_look: bool) -> Result<Received, NotReceived> {
        self.order(|reply| Order::Receive(upload, only_look, reply)).await.unwrap_or(Err(NotReceived::Stopping))
    }

    /// Makes an older version of a certificate serve again, by its fingerprint.
    ///
    /// # Errors
    /// [`NotGoneBack`], and nothing has changed.
    pub async fn go_back_to(&self, fingerprint: String) -> Result<Arrival, NotGoneBack> {
        self.order(|reply| Order::GoBack(fingerprint, reply)).await.unwrap_or(Err(NotGoneBack::Unknown))
    }

    /// Deletes a version with its key for good, `even_last_good` too: when names are left with nothing valid.
    ///
    /// # Errors
    /// [`NotDeleted`], and nothing has changed.
    pub async fn delete(&self, fingerprint: String, even_last_good: bool) -> Result<(), NotDeleted> {
        let order = |reply| Order::Delete(fingerprint, even_last_good, reply);
        self.order(order).await.unwrap_or(Err(NotDeleted::Unknown))
    }

    /// The versions of the certificate that this fingerprint is one of, the newest first; `None` when there is none.
    pub async fn history(&self, fingerprint: String) -> Option<Vec<Version>> {
        self.order(|reply| Order::History(fingerprint, reply)).await.flatten()
    }

    /// Hands in an order and waits for what comes of it; `None` when the intake has ended.
    async fn order<T>(&self, order: impl FnOnce(oneshot::Sender<T>) -> Order) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.orders.send(order(reply)).await.ok()?;
        answer.await.ok()
    }
}

enum Order {
    Look,
    Confirm(Option<usize>, oneshot::Sender<Result<usize, HeldBack>>),
    Receive(Upload, bool, oneshot::Sender<Result<Received, NotReceived>>),
    GoBack(String, oneshot::Sender<Result<Arrival, NotGoneBack>>),
    Delete(String, bool, oneshot::Sender<Result<(), NotDeleted>>),
    Choose(String, Option<Choosing>, oneshot::Sender<Result<SiteChoice, NotChosen>>),
    Demand(String, Demanding, oneshot::Sender<Result<SiteMinimum, NotChosen>>),
    LocalRoot(oneshot::Sender<Result<String, String>>),
    Object(objects::Errand),
    Revoking(revoking::Errand),
    Export(String, oneshot::Sender<Result<Export, NotExported>>),
    History(String, oneshot::Sender<Option<Vec<Version>>>),
}

/// Everything the writer works with.
struct Desk {
    scanner: Scanner,
    shelf: Shelf,
    /// Whether what served before the start serves again.
    is_restored: bool,
    /// Since when the library cannot be written.
    not_kept: Option<i64>,
    choices: Choices,
    /// The terms that what is asked of certificates was made of.
    demanded: Arc<Terms>,
    self_signed: SelfSigned,
    stand_ins: StandIns,
    /// What is shown where there is nothing else.
    gaps: Vec<Rule>,
    requests: Requests,
    objects: AllObjects,
    index: Publisher<CertIndex>,
    well_known: Publisher<WellKnown>,
    terms: watch::Receiver<Arc<Terms>>,
    ledger: Publisher<Ledger>,
    failed: u64,
    unwatched_since: Option<i64>,
    /// Where to watch from now on besides the folder.
    places: Option<BTreeSet<PathBuf>>,
    /// What a look found that failed afterwards: the next one has to do with it.
    owed: Vec<Touched>,
    /// Whether the system told of what the last look was for.
    is_told: bool,
    /// What the next look by itself is for.
    due: Due,
    /// Why the local authority's certificates cannot be issued.
    not_issued: Option<String>,
    /// What of all that does not serve ends soon.
    endings: Alarms,
}

impl Desk {
    /// A mistake of ours in one look must not be the last look. What is published stays.
    fn survive(&mut self, look: impl FnOnce(&mut Self) -> Option<Instant>) -> Option<Instant> {
        match catch_unwind(AssertUnwindSafe(|| look(self))) {
            Ok(next) => next,
            Err(_) => {
                self.failed += 1;
                self.due = Due::Everything;
                self.shelf.distrust();
                tracing::error!(failed = self.failed, "a look at the drop folder failed; what is served stays");
                let mut ledger = Ledger::clone(&self.ledger.current());
                let message = "a look at the drop folder failed in a way that was not foreseen; what is served stays";
                ledger.failed_scans = self.failed;
                ledger.raise(Alarm { code: AlarmCode::ScanFailed, message: message.into(), since: moment().unix });
                self.ledger.publish(ledger);
                Some(Instant::now() + AFTER_FAILURE)
            }
        }
    }

    /// Does what the operator asked for. Whoever asked may have gone meanwhile; it is done all the same.
    fn obey(&mut self, order: Order) {
        let now = moment();
        match order {
            Order::Look => {}
            Order::Confirm(seen, reply) => {
                let confirmed = self.shelf.confirm(seen, now.steady);
                if let Ok(certificates) = confirmed {
                    tracing::warn!(certificates, "the operator confirms that deleted certificates go");
                }
                let _ = reply.send(confirmed);
            }
            Order::Receive(upload, only_look, reply) => drop(reply.send(self.receive(upload, only_look, now))),
            Order::GoBack(fingerprint, reply) => {
                let gone_back = self.shelf.go_back_to(&fingerprint, now);
                self.publish(now);
                drop(reply.send(gone_back.map(|own| self.shelf.arrival(own))));
            }
            Order::Delete(fingerprint, even_last_good, reply) => {
                let deleted = self.shelf.delete(&fingerprint, even_last_good, self.scanner.files(), now);
                self.publish(now);
                drop(reply.send(deleted));
            }
            Order::Choose(site, choosing, reply) => drop(reply.send(self.choose(&site, choosing, now))),
            Order::Demand(site, demanding, reply) => drop(reply.send(self.demand(&site, demanding, now))),
            Order::Object(errand) => self.attend(errand, now),
            Order::Revoking(errand) => self.attend_to_revoked(errand, now),
            Order::LocalRoot(reply) => drop(reply.send(self.local_root())),
            Order::Export(fingerprint, reply) => drop(reply.send(self.export(&fingerprint))),
            Order::History(fingerprint, reply) => drop(reply.send(self.shelf.history(&fingerprint))),
        }
    }

    /// Publishes the certificates, when they are others than before.
    fn publish(&mut self, now: Moment) {
        if let Some(index) = self.shelf.rank(now) {
            self.put_out(index);
        }
    }

    fn put_out(&mut self, index: Arc<CertIndex>) {
        tracing::info!(names = index.name_count(), certificates = index.certificates().len(), "published");
        self.index.publish(index);
    }

    /// Does what it is for, publishes what is new, and says when to look again if nothing happens.
    fn look(&mut self, errand: &Errand, degraded: bool) -> Option<Instant> {
        let (now, is_first) = match errand {
            Errand::Everything => self.take_in(None),
            Errand::Named(named) => self.take_in(Some(named)),
            Errand::Keeping => (moment(), false),
        };
        // What serves, serves; that it lasts comes after, and nobody waits for it to be ready.
        let (trouble, is_more) = if is_first { (None, true) } else { self.shelf.keep() };
        let keep_again = match (&trouble, is_more) {
            (Some(_), _) => Some(now.steady + AFTER_NOT_KEPT),
            (None, true) => Some(now.steady),
            (None, false) => None,
        };
        self.tell(trouble, degraded, now);
        self.index.let_go();
        self.next(keep_again, now)
    }

    /// Takes over what became of these files, or of all, and publishes what is to be served then. Says when that was, and whether it
    /// was the first time.
    fn take_in(&mut self, named: Option<&BTreeSet<PathBuf>>) -> (Moment, bool) {
        let terms = Arc::clone(&self.terms.borrow());
        let are_others = !Arc::ptr_eq(&terms, &self.shelf.terms);
        self.shelf.terms = terms;
        let mut scan = match named {
            Some(named) if !are_others => self.scanner.scan_named(named),
            _ => self.scanner.scan(),
        };
        self.places = scan.places.take();
        scan.touched.extend(std::mem::take(&mut self.owed));
        self.owed.clone_from(&scan.touched);
        let mut looks = self.objects.look();
        let now = moment();
        let is_first = !std::mem::replace(&mut self.is_restored, true);
        if is_first {
            self.shelf.restore(&scan.files, now);
        }
        self.not_issued = self.govern(now);
        let refused = looks.iter_mut().flat_map(|look| std::mem::take(&mut look.refused)).collect();
        let offer = self.requests.offer();
        let (index, answers) = self.shelf.step(&scan, &offer, refused, now);
        self.owed = Vec::new();
        self.objects.show_also(offer.objects);
        let keep = |place: usize| self.shelf.holds_back() || !scan.roots[place].is_readable();
        if let Some(table) = self.objects.adopt(looks, &self.shelf.terms.sites, keep) {
            self.well_known.publish(table);
        }
        if let Some(index) = index {
            self.put_out(index);
        }
        self.fill_gaps(now);
        self.requests.receive(answers, now.unix);
        (now, is_first)
    }
}

pub(super) fn moment() -> Moment {
    let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    Moment { steady: Instant::now(), unix: i64::try_from(unix).unwrap_or(i64::MAX) }
}

/// Orders that wait while a look is on its way.
const ORDERS: usize = 16;
/// A full disk is not mended in less.
const AFTER_NOT_KEPT: Duration = Duration::from_secs(10);
/// The next look after one that failed.
const AFTER_FAILURE: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests;
