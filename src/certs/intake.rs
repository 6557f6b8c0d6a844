//! The single writer: looks at the drop folder whenever it may have changed, and publishes what is to be served.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};

use super::alarms::AlarmCode;
use super::ledger::{Alarm, HeldBack, Ledger};
use super::scan::{Root, Scanner};
use super::shelf::{Moment, Shelf};
use super::well_known::Objects;
use crate::folder_watch::FolderWatch;
use crate::live::{CertIndex, Live, Publisher, ServedCert, WellKnown, table};

/// Starts the intake.
pub struct Intake;

impl Intake {
    /// Watches `drop_directory` on the current runtime until the last handle is dropped. The folder may be missing.
    #[must_use]
    pub fn start(
        drop_directory: PathBuf,
        index: Publisher<CertIndex>,
        well_known: Publisher<WellKnown>,
    ) -> IntakeHandle {
        let (ledger, ledger_reader) = table(Ledger::default());
        let (orders, orders_reader) = mpsc::channel(ORDERS);
        let (looks, looks_reader) = watch::channel(0);
        let desk = Desk {
            scanner: Scanner::new(drop_directory.clone()),
            shelf: Shelf::new(drop_directory.clone()),
            objects: Objects::new(drop_directory.clone()),
            index,
            well_known,
            ledger,
            failed: 0,
            unwatched_since: None,
            places: None,
        };
        tokio::spawn(run(desk, drop_directory, orders_reader, looks));
        IntakeHandle { ledger: ledger_reader, orders, looks: looks_reader }
    }
}

/// What the rest of the house asks of the intake.
#[derive(Clone)]
pub struct IntakeHandle {
    ledger: Live<Ledger>,
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

    /// Believes the deletions that are held back as an accident. Gives the number of certificates that go.
    ///
    /// # Errors
    /// [`HeldBack`] when they would take more names away than were `seen`.
    pub async fn confirm_withdrawal(&self, seen: Option<usize>) -> Result<usize, HeldBack> {
        let (reply, answer) = oneshot::channel();
        if self.orders.send(Order::Confirm(seen, reply)).await.is_err() {
            return Ok(0);
        }
        answer.await.unwrap_or(Ok(0))
    }
}

/// What a look at a folder found, without an edge.
pub struct Survey {
    /// What could be served, best first.
    pub certificates: Vec<Arc<ServedCert>>,
    /// What could not, and why.
    pub ledger: Ledger,
}

/// Looks at a folder once, as `vitrine check` does.
#[must_use]
pub fn survey(drop_directory: &Path) -> Survey {
    let folder = drop_directory.to_owned();
    let mut shelf = Shelf::new(folder.clone());
    let mut scan = Scanner::new(folder.clone()).scan();
    let refused = Objects::new(folder).look().refused;
    let mut now = moment();
    shelf.step(&scan, refused.clone(), now);
    // What is there is at rest: nobody waits for a second half.
    scan.changed = false;
    now.steady += Duration::from_secs(1);
    shelf.step(&scan, refused, now);
    Survey { certificates: shelf.certificates(), ledger: shelf.ledger() }
}

enum Order {
    Look,
    Confirm(Option<usize>, oneshot::Sender<Result<usize, HeldBack>>),
}

/// Everything the writer works with.
struct Desk {
    scanner: Scanner,
    shelf: Shelf,
    objects: Objects,
    index: Publisher<CertIndex>,
    well_known: Publisher<WellKnown>,
    ledger: Publisher<Ledger>,
    failed: u64,
    unwatched_since: Option<i64>,
    /// Where to watch from now on besides the folder.
    places: Option<BTreeSet<PathBuf>>,
}

async fn run(desk: Desk, folder: PathBuf, mut orders: mpsc::Receiver<Order>, looks: watch::Sender<u64>) {
    // Watch first, then look: what changes in between is looked at again.
    let Ok(mut watch) = tokio::task::spawn_blocking(move || FolderWatch::new(vec![folder])).await else { return };
    let mut desk = desk;
    loop {
        let degraded = watch.is_degraded();
        let looked = tokio::task::spawn_blocking(move || {
            let next = desk.survive(|desk| desk.look(degraded));
            (desk, next)
        });
        let Ok((returned, next)) = looked.await else { return };
        desk = returned;
        if let Some(places) = desk.places.take() {
            watch.watch_also(places).await;
        }
        looks.send_modify(|ended| *ended += 1);

        let next = next.map(|next| next.max(Instant::now() + SHORTEST_PAUSE));
        tokio::select! {
            why = watch.changed() => tracing::debug!(why = why.label(), "looks at the drop folder"),
            () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {}
            order = orders.recv() => match order {
                None => return,
                Some(Order::Look) => {}
                Some(Order::Confirm(seen, reply)) => {
                    let confirmed = desk.shelf.confirm(seen, Instant::now());
                    if let Ok(certificates) = confirmed {
                        tracing::warn!(certificates, "the operator confirms that deleted certificates go");
                    }
                    let _ = reply.send(confirmed);
                }
            },
        }
    }
}

impl Desk {
    /// A mistake of ours in one look must not be the last look. What is published stays.
    fn survive(&mut self, look: impl FnOnce(&mut Self) -> Option<Instant>) -> Option<Instant> {
        match catch_unwind(AssertUnwindSafe(|| look(self))) {
            Ok(next) => next,
            Err(_) => {
                self.failed += 1;
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

    /// Looks at everything, publishes what is new, and says when to look again if nothing happens.
    fn look(&mut self, degraded: bool) -> Option<Instant> {
        let mut scan = self.scanner.scan();
        self.places = scan.places.take();
        let mut objects = self.objects.look();
        let now = moment();
        let index = self.shelf.step(&scan, std::mem::take(&mut objects.refused), now);
        let keep = self.shelf.holds_back() || !matches!(scan.root, Root::Readable(..));
        if let Some(table) = self.objects.adopt(objects, keep) {
            self.well_known.publish(table);
        }
        if let Some(index) = index {
            tracing::info!(names = index.name_count(), certificates = index.certificates().len(), "published");
            self.index.publish(index);
        }
        let mut ledger = self.shelf.ledger();
        ledger.failed_scans = self.failed;
        ledger.watching = !degraded;
        self.unwatched_since = degraded.then(|| self.unwatched_since.unwrap_or(now.unix));
        if let Some(since) = self.unwatched_since {
            let message = "the system does not report changes in the drop folder, so it is looked at every few seconds; \
                           raise fs.inotify.max_user_watches";
            ledger.raise(Alarm { code: AlarmCode::NotWatching, message: message.into(), since });
        }
        self.ledger.publish(ledger);
        self.shelf.next_look()
    }
}

fn moment() -> Moment {
    let unix = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    Moment { steady: Instant::now(), unix: i64::try_from(unix).unwrap_or(i64::MAX) }
}

/// Orders that wait while a look is on its way.
const ORDERS: usize = 16;
/// No chain of deadlines makes a busy loop.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
/// The next look after one that failed.
const AFTER_FAILURE: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests;
