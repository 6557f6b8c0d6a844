//! What the operator is told: what waits, what was rejected, what needs a hand.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use super::alarms::AlarmCode;
use super::choices::Choice;
use super::flaw::Flaw;
use super::minimum::Minimum;
use super::objects::Object;

/// The state of the drop folder, as lists and metrics show it. Replaced whole after every look.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Ledger {
    /// Files that are not served, in order of their path.
    pub rejected: Vec<Notice>,
    /// What needs a hand, in order of the code.
    pub alarms: Vec<Alarm>,
    /// Counters since the start.
    pub loads: Loads,
    /// When the folder was last looked at, seconds since the Unix epoch; 0: not yet.
    pub last_scan: i64,
    /// What was decided about sites' certificates, by the site's name.
    #[serde(skip)]
    pub choices: Arc<BTreeMap<String, Choice>>,
    /// What was decided that sites ask for, by the site's name.
    #[serde(skip)]
    pub minimums: Arc<BTreeMap<String, Minimum>>,
    /// What there is besides certificates, in order of the ids.
    #[serde(skip)]
    pub objects: Arc<Vec<Object>>,
    /// The fingerprints of certificates in service whose files are there and not good any more.
    #[serde(skip)]
    pub last_good: Arc<BTreeSet<Box<str>>>,
    /// Looks that failed in a way that was not foreseen.
    pub failed_scans: u64,
    /// Whether the system reports changes; otherwise they are only found by looking at intervals.
    pub watching: bool,
}

/// A file that is not served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Notice {
    /// The path, below the drop folder as it is configured.
    pub file: String,
    /// Whether it may still come right by itself.
    pub state: NoticeState,
    /// From a closed set.
    pub code: &'static str,
    /// What was found.
    pub reason: String,
    /// What to do.
    pub mend: String,
    /// What is particular in these words.
    pub about: Vec<String>,
    /// Seconds since the Unix epoch.
    pub since: i64,
}

/// Why a file is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NoticeState {
    /// Its counterpart has not come.
    Waiting,
    /// It cannot be used as it is.
    Rejected,
}

/// Something that needs the operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Alarm {
    /// What it is about.
    pub code: AlarmCode,
    /// What is the matter and what to do.
    pub message: String,
    /// Seconds since the Unix epoch.
    pub since: i64,
}

impl Ledger {
    /// Puts an alarm in its place, instead of the one of its code.
    pub(super) fn raise(&mut self, alarm: Alarm) {
        self.alarms.retain(|other| other.code != alarm.code);
        self.alarms.push(alarm);
        self.alarms.sort_by_key(|alarm| alarm.code);
    }
}

/// How often what came of a file or a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Loads {
    /// Certificates that came into service.
    pub accepted: u64,
    /// Files that were listed as waiting.
    pub waiting: u64,
    /// Files that were listed as rejected.
    pub rejected: u64,
    /// Certificates that went out of service because their files were deleted.
    pub withdrawn: u64,
}

/// More is held back than the operator has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldBack {
    /// How many names would go.
    pub names: usize,
}

/// What one look has against a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) state: NoticeState,
    pub(super) flaw: Flaw,
}

/// At most one finding for each file: the first rejection, else the first wait.
#[derive(Default)]
pub(super) struct Findings(BTreeMap<Arc<Path>, Finding>);

impl Findings {
    /// Whatever the flaw says it is.
    pub(super) fn note(&mut self, file: &Arc<Path>, flaw: Flaw) {
        if flaw.is_a_wait() { self.wait(file, flaw) } else { self.reject(file, flaw) }
    }

    pub(super) fn reject(&mut self, file: &Arc<Path>, flaw: Flaw) {
        match self.0.get_mut(file) {
            Some(finding) if finding.state == NoticeState::Rejected => {}
            Some(finding) => *finding = Finding { state: NoticeState::Rejected, flaw },
            None => {
                self.0.insert(Arc::clone(file), Finding { state: NoticeState::Rejected, flaw });
            }
        }
    }

    pub(super) fn wait(&mut self, file: &Arc<Path>, flaw: Flaw) {
        if !self.0.contains_key(file) {
            self.0.insert(Arc::clone(file), Finding { state: NoticeState::Waiting, flaw });
        }
    }
}

/// The notices of a folder over time: each is listed, logged and counted once, when the folder has come to rest.
#[derive(Default)]
pub(super) struct Notices {
    tracked: BTreeMap<Arc<Path>, Tracked>,
    last_change: Option<Instant>,
}

struct Tracked {
    finding: Finding,
    first: Instant,
    since: i64,
    listed: bool,
}

impl Notices {
    /// Takes over what a look found. Copying a certificate and its key takes a moment, in which neither is worth a word.
    pub(super) fn settle(&mut self, findings: Findings, changed: bool, now: Instant, unix: i64, loads: &mut Loads) {
        if changed {
            self.last_change = Some(now);
        }
        let mut old = std::mem::take(&mut self.tracked);
        for (file, finding) in findings.0 {
            let tracked = match old.remove(&file) {
                Some(known) if known.finding == finding => known,
                _ => Tracked { finding, first: now, since: unix, listed: false },
            };
            self.tracked.insert(file, tracked);
        }
        let last_change = self.last_change;
        let mut told = Told::default();
        for (file, tracked) in &mut self.tracked {
            if !tracked.listed && tracked.due(last_change) <= now {
                tracked.listed = true;
                tracked.finding.count(loads);
                told.tell(file, &tracked.finding);
            }
        }
        told.end();
    }

    /// When the next notice has come to rest.
    pub(super) fn due(&self) -> Option<Instant> {
        let unlisted = self.tracked.values().filter(|tracked| !tracked.listed);
        unlisted.map(|tracked| tracked.due(self.last_change)).min()
    }

    /// Those that are listed.
    pub(super) fn listed(&self) -> Vec<Notice> {
        let listed = self.tracked.iter().filter(|(_, tracked)| tracked.listed);
        listed
            .map(|(file, Tracked { finding, since, .. })| Notice {
                file: shown(file),
                state: finding.state,
                code: finding.flaw.code,
                reason: finding.flaw.reason.clone().into_owned(),
                mend: finding.flaw.mend.clone().into_owned(),
                about: finding.flaw.about.clone(),
                since: *since,
            })
            .collect()
    }
}

impl Tracked {
    fn due(&self, last_change: Option<Instant>) -> Instant {
        let rest = last_change.map_or(self.first, |change| change.max(self.first)) + REST;
        rest.min(self.first + LONGEST_REST)
    }
}

impl Finding {
    fn count(&self, loads: &mut Loads) {
        match self.state {
            NoticeState::Waiting => loads.waiting += 1,
            NoticeState::Rejected => loads.rejected += 1,
        }
    }
}

/// What one look says in the log.
#[derive(Default)]
struct Told {
    lines: usize,
    more_waiting: u64,
    more_rejected: u64,
}

impl Told {
    fn tell(&mut self, file: &Path, finding: &Finding) {
        let (Flaw { code, reason, mend, .. }, has_room) = (&finding.flaw, self.lines < MOST_LINES);
        self.lines += 1;
        match finding.state {
            NoticeState::Waiting if has_room => {
                tracing::info!(file = %shown(file), code = %code, "waiting: {reason}; {mend}");
            }
            NoticeState::Rejected if has_room => {
                tracing::warn!(file = %shown(file), code = %code, "rejected: {reason}; {mend}");
            }
            NoticeState::Waiting => self.more_waiting += 1,
            NoticeState::Rejected => self.more_rejected += 1,
        }
    }

    fn end(self) {
        let Self { more_waiting, more_rejected, .. } = self;
        if more_waiting > 0 {
            tracing::info!(more = more_waiting, "more files wait; {ALL_OF_THEM}");
        }
        if more_rejected > 0 {
            tracing::warn!(more = more_rejected, "more files are rejected; {ALL_OF_THEM}");
        }
    }
}

/// A path for a log line and a list: whoever may name files must not be able to write log lines.
pub(super) fn shown(path: &Path) -> String {
    let text = path.to_string_lossy();
    if !text.contains(char::is_control) {
        return text.into_owned();
    }
    text.chars()
        .flat_map(|c| {
            if c.is_control() { c.escape_default().to_string() } else { c.to_string() }.chars().collect::<Vec<_>>()
        })
        .collect()
}

/// The same for a few of many.
pub(super) fn some_of(all: &[String]) -> String {
    a_few(all.iter().take(NAMED).map(String::as_str), all.len())
}

/// The same of files.
pub(super) fn some_files(all: &[&Arc<Path>]) -> String {
    a_few(all.iter().take(NAMED).map(|file| shown(file)), all.len())
}

fn a_few(named: impl Iterator<Item = impl AsRef<str>>, of: usize) -> String {
    let named =
        named.fold(
            String::new(),
            |all, one| if all.is_empty() { one.as_ref().to_owned() } else { all + ", " + one.as_ref() },
        );
    match of.checked_sub(NAMED) {
        Some(more) if more > 0 => format!("{named} and {more} more"),
        _ => named,
    }
}

/// A folder without a change for so long is not being written.
pub(super) const REST: Duration = Duration::from_millis(500);
/// A folder that never rests must not hide what is wrong in it.
const LONGEST_REST: Duration = Duration::from_secs(5);
/// Half of what the log takes at once: with a line for each of ten thousand, the log would lose lines of others.
const MOST_LINES: usize = 500;
const ALL_OF_THEM: &str = "vitrine certs list and /api/v1/rejected name each of them, with what to do";
/// More would fill a line and tell nothing more.
const NAMED: usize = 5;
