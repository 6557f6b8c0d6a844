//! Makes what is due, keeps it, and hands it over to be told.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::watch;

use super::audience::{Reader, audience};
use super::kind::{ReportKind, ReportTerms, Term};
use super::letter;
use super::report::{Known, Report};
use super::watched::{self, Unwatched};
use crate::calendar::{Occurrence, monday_of};
use crate::notices::{AskOwners, Notices};
use crate::overview::Lookout;
use crate::shutdown::Lifecycle;
use crate::store::{Expected, Key, Store, StoreError};

/// Whoever makes reports. Clones are the same.
#[derive(Clone)]
pub struct Reports(pub(super) Arc<Desk>);

pub(super) struct Desk {
    store: Store,
    pub(super) terms: watch::Receiver<Arc<ReportTerms>>,
    lookout: Lookout,
    pub(super) notices: Notices,
    owners: AskOwners,
    /// Held by whoever makes or changes something.
    turn: Mutex<()>,
}

/// Why a report was not made.
#[derive(Debug)]
pub enum Unmade {
    /// There is no such kind.
    Unknown(String),
    /// The state could not be read or written.
    State(StoreError),
}

impl fmt::Display for Unmade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(kind) => {
                let all = ReportKind::ALL.map(ReportKind::word).join(", ");
                write!(f, "kind: expected one of {all}, found {kind:?}")
            }
            Self::State(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Unmade {}

impl From<StoreError> for Unmade {
    fn from(error: StoreError) -> Self {
        Self::State(error)
    }
}

impl Reports {
    /// A desk that has made nothing yet.
    #[must_use]
    pub fn new(
        store: Store,
        terms: watch::Receiver<Arc<ReportTerms>>,
        lookout: Lookout,
        (notices, owners): (Notices, AskOwners),
    ) -> Self {
        Self(Arc::new(Desk { store, terms, lookout, notices, owners, turn: Mutex::default() }))
    }

    /// Makes reports when they are due, until the edge drains.
    pub async fn run(self, mut lifecycle: Lifecycle) {
        let mut terms = self.0.terms.clone();
        loop {
            let desk = self.clone();
            match tokio::task::spawn_blocking(move || desk.catch_up(unix())).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => tracing::error!(%error, "reports cannot be kept; they are made when they can"),
                Err(error) => tracing::error!(%error, "reports could not be made"),
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                Ok(()) = terms.changed() => {}
                _ = lifecycle.draining() => return,
            }
        }
    }

    /// Makes and tells whatever fell due until `now`, seconds since the Unix epoch, and was not made; how many that were. It blocks.
    ///
    /// # Errors
    /// [`StoreError`] when one could not be kept; it is made the next time.
    pub fn catch_up(&self, now: i64) -> Result<usize, StoreError> {
        let desk = &self.0;
        let _turn = desk.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let terms = desk.terms();
        let begun = desk.begin(&terms, now)?;
        let mut made = desk.store.names(&folder())?;
        let mut count = 0;
        for term in &terms.terms {
            let (Some(schedule), Some(since)) = (&term.schedule, begun.get(term.kind.word())) else { continue };
            for Occurrence { name, due, late } in schedule.between(&terms.zone, (*since).max(now - LOOK_BACK), now) {
                if is_made(&made, term.kind, &name) {
                    continue;
                }
                let report = desk.report(&terms, term, format!("{}-{name}", term.kind.word()), (due, late), now)?;
                // Told first: a kill in between has it told once more, and whoever has it does not get it again.
                let report = desk.tell(&terms, report)?;
                desk.keep(&report)?;
                tracing::info!(report = report.id, lines = report.lines.len(), "a report was made");
                made.push(file(&report.id));
                count += 1;
            }
        }
        desk.prune(&made, now)?;
        Ok(count)
    }

    /// Makes and tells a report that somebody asks for at `now`, seconds since the Unix epoch. It blocks.
    ///
    /// # Errors
    /// [`Unmade`]
    pub fn make(&self, kind: &str, now: i64) -> Result<Report, Unmade> {
        let (desk, terms) = (&self.0, self.0.terms());
        let term = terms.of_word(kind)?;
        let _turn = desk.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let report = desk.report(&terms, term, format!("asked-{}-{now}", term.kind.word()), (now, now), now)?;
        let report = desk.tell(&terms, report)?;
        desk.keep(&report)?;
        Ok(report)
    }

    /// Every report that is kept, the last to be due first. It blocks.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub fn list(&self) -> Result<Vec<Report>, StoreError> {
        let names = self.0.store.names(&folder())?;
        let ids = names.iter().filter_map(|name| name.strip_suffix(".json")).filter(|id| is_report(id));
        let mut all: Vec<Report> =
            ids.map(|id| self.find(id)).filter_map(Result::transpose).collect::<Result<_, _>>()?;
        all.sort_by(|one, other| (other.due, &other.id).cmp(&(one.due, &one.id)));
        Ok(all)
    }

    /// The report of an id; `None`: there is none. It blocks.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub fn find(&self, id: &str) -> Result<Option<Report>, StoreError> {
        let key = Some(id).filter(|id| is_report(id)).and_then(|id| folder().below(&file(id)));
        let Some(item) = key.map(|key| self.0.store.read(&key)).transpose()?.flatten() else { return Ok(None) };
        Ok(serde_json::from_slice(&item.content)
            .inspect_err(|error| tracing::error!(id, %error, "a report cannot be read; restore it from a backup"))
            .ok())
    }

    /// The URLs that nobody wants to hear of, by their hosts. It blocks.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub fn unwatched(&self) -> Result<BTreeMap<String, Unwatched>, StoreError> {
        watched::read(&self.0.store)
    }

    /// Has a host, as its site has it, left out of reports from now on, or with `None` listed again. It blocks.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be kept.
    pub fn watch(&self, host: &str, unwatched: Option<Unwatched>) -> Result<(), StoreError> {
        let _turn = self.0.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = watched::read(&self.0.store)?;
        match unwatched {
            Some(unwatched) => all.insert(host.to_owned(), unwatched),
            None => all.remove(host),
        };
        watched::write(&self.0.store, &all)
    }
}

impl Desk {
    /// Since when each kind has been wanted: what was due before is not made.
    fn begin(&self, terms: &ReportTerms, now: i64) -> Result<BTreeMap<String, i64>, StoreError> {
        let key = Key::known(&["reports", BEGUN]);
        let item = self.store.read(&key)?;
        let before: BTreeMap<String, i64> =
            item.and_then(|item| serde_json::from_slice(&item.content).ok()).unwrap_or_default();
        let wanted = terms.terms.iter().filter(|term| term.schedule.is_some());
        // A clock that was ahead is put right: what it promised for later than now begins now.
        let since = |kind: ReportKind| before.get(kind.word()).copied().unwrap_or(now).min(now);
        let begun: BTreeMap<String, i64> = wanted.map(|term| (term.kind.word().to_owned(), since(term.kind))).collect();
        if begun != before {
            self.store.put(&key, &serde_json::to_vec_pretty(&begun).unwrap_or_default(), Expected::Anything)?;
        }
        Ok(begun)
    }

    /// What the operator wants now.
    pub(super) fn terms(&self) -> Arc<ReportTerms> {
        Arc::clone(&self.terms.borrow())
    }

    /// Everybody who gets reports now.
    pub(super) fn audience(&self, terms: &ReportTerms) -> Vec<Reader> {
        audience(terms, &self.notices, &(self.owners)())
    }

    pub(super) fn report(
        &self,
        terms: &ReportTerms,
        term: &Term,
        id: String,
        due: (i64, i64),
        now: i64,
    ) -> Result<Report, StoreError> {
        let (index, routes) = (self.lookout.certificates.snapshot(), self.lookout.routes.snapshot());
        let known = Known {
            overview: &self.lookout.look_at(now),
            index: &index,
            routes: &routes,
            unwatched: &watched::read(&self.store)?,
            lists_managed: terms.lists_managed,
            owners: &(self.owners)(),
        };
        Ok(Report::of(&known, term, id, due))
    }

    fn keep(&self, report: &Report) -> Result<(), StoreError> {
        let Some(key) = folder().below(&file(&report.id)) else { return Ok(()) };
        self.store.put(&key, &serde_json::to_vec_pretty(report).unwrap_or_default(), Expected::Anything).map(drop)
    }

    /// Has it told to everybody who gets reports, each in his language, and notes to whom it went.
    fn tell(&self, terms: &ReportTerms, mut report: Report) -> Result<Report, StoreError> {
        let mut told = Vec::new();
        for reader in self.audience(terms) {
            let Some(part) = reader.part(&report) else { continue };
            let message = letter::message(&part, &terms.zone, reader.language);
            self.notices.send(std::slice::from_ref(&reader.recipient), &message)?;
            told.push(reader.told());
        }
        report.told = told;
        Ok(report)
    }

    /// Forgets what is older than anybody asks for. What might still be made again is younger by far.
    fn prune(&self, made: &[String], now: i64) -> Result<(), StoreError> {
        let old = |id: &str| -> Result<bool, StoreError> {
            let Some(key) = folder().below(&file(id)) else { return Ok(false) };
            let item = self.store.read(&key)?;
            let report = item.and_then(|item| serde_json::from_slice::<Report>(&item.content).ok());
            Ok(report.is_some_and(|report| report.due < now - KEPT))
        };
        let reports: Vec<&str> =
            made.iter().filter_map(|name| name.strip_suffix(".json")).filter(|id| is_report(id)).collect();
        // Hundreds are nothing; reading them all each half minute would be.
        if reports.len() <= MOST {
            return Ok(());
        }
        for id in reports {
            if old(id)?
                && let Some(key) = folder().below(&file(id))
            {
                self.store.delete(&key)?;
            }
        }
        Ok(())
    }
}

fn folder() -> Key {
    Key::known(&["reports"])
}

fn file(id: &str) -> String {
    format!("{id}.json")
}

/// Besides reports there is what was begun, and what nobody wants to hear of.
fn is_report(id: &str) -> bool {
    let kind = id.strip_prefix("asked-").unwrap_or(id).split('-').next().unwrap_or_default();
    ReportKind::of_word(kind).is_some() && id.contains('-')
}

/// Whether there is one of its day, its month, or its week already.
fn is_made(made: &[String], kind: ReportKind, name: &str) -> bool {
    let id = format!("{}-{name}", kind.word());
    let Some(monday) = monday_of(name).filter(|_| kind == ReportKind::Weekly) else {
        return made.contains(&file(&id));
    };
    let dates = made.iter().filter_map(|one| one.strip_prefix("weekly-")?.strip_suffix(".json"));
    dates.filter_map(monday_of).any(|one| one == monday)
}

fn unix() -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    i64::try_from(now).unwrap_or(i64::MAX)
}

const BEGUN: &str = "begun.json";
/// How often it is looked whether something is due: clocks jump, and a timer does not notice.
const LOOK: Duration = Duration::from_secs(15);
/// What fell due longer ago is not made any more: 40 days hold one of each month.
const LOOK_BACK: i64 = 40 * 86_400;
/// Two years, for whoever compares.
const KEPT: i64 = 2 * 365 * 86_400;
/// Two years of all kinds, and then some that were asked for.
const MOST: usize = 1_200;
