//! What is in service, over time: the one place that decides when a certificate comes, stays, and goes.
//!
//! The rule behind all others: a name that is served goes on being served until the operator has taken its certificate away,
//! visibly and on purpose. What is broken, half written, unreadable or gone all at once is not a purpose.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashSet;
use tokio::time::Instant;

use super::alarms::Alarms;
use super::bundle::{Bundle, entry_like};
use super::certificate::Fingerprint;
use super::fate::{self, Fate, Sources};
use super::flaw::Flaw;
use super::ledger::{Findings, Ledger, Loads, Notices, shown, some_of};
use super::pairing::{FileParts, Pair, Pairing, Problem, pair};
use super::ranking::{Ranked, is_covered, ranked};
use super::scan::{Content, Files, Readers, Root, Scan};
use crate::live::{CertIndex, ServedCert};
use crate::name::HostPattern;

/// The certificates of one folder, whether their files are still as they were or not.
pub(super) struct Shelf {
    folder: PathBuf,
    holdings: BTreeMap<Fingerprint, Holding>,
    /// Device and inode of the folder that the holdings are from.
    origin: Option<(u64, u64)>,
    order: Vec<Ranked>,
    notices: Notices,
    alarms: Alarms,
    exposed: HashSet<Arc<Path>>,
    loads: Loads,
    last_scan: i64,
    /// Whether the folder could be read at the last look; nothing goes while it cannot.
    readable: bool,
    next_boundary: Option<Instant>,
}

/// Now, on the clock that never jumps and on the calendar's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) steady: Instant,
    /// Seconds since the Unix epoch.
    pub(super) unix: i64,
}

/// A certificate in service.
pub(super) struct Holding {
    bundle: Bundle,
    served: Arc<ServedCert>,
    key: [u8; 32],
    chain: Vec<Fingerprint>,
    certificate_files: Vec<Arc<Path>>,
    key_files: Vec<Arc<Path>>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Its files are there and good.
    Present,
    /// Its files are there and not good: the last good content serves.
    Kept,
    /// Its files are gone with so many others that it looks like an accident.
    Held { since: Instant },
    /// Its files were deleted.
    Leaving { since: Instant },
}

impl Shelf {
    /// An empty shelf for this folder.
    pub(super) fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            holdings: BTreeMap::new(),
            origin: None,
            order: Vec::new(),
            notices: Notices::default(),
            alarms: Alarms::default(),
            exposed: HashSet::new(),
            loads: Loads::default(),
            last_scan: 0,
            readable: false,
            next_boundary: None,
        }
    }

    /// Takes over what a look found; `refused` is what the look at the well-known folder has to say. Gives the new index when
    /// it is another than before.
    pub(super) fn step(&mut self, scan: &Scan, refused: Vec<(Arc<Path>, Flaw)>, now: Moment) -> Option<CertIndex> {
        self.last_scan = now.unix;
        let mut findings = Findings::default();
        for (file, flaw) in scan.troubles.iter().cloned().chain(refused) {
            findings.reject(&file, flaw);
        }
        for (file, record) in &*scan.files {
            if let Content::Flawed(flaw) = &record.content {
                findings.reject(file, flaw.clone());
            }
        }
        let pairing = pair(&parts_of(&scan.files));
        for (file, problem) in &pairing.problems {
            if let Problem::Unfit(flaw) = problem {
                findings.reject(file, flaw.clone());
            }
        }
        self.readable = matches!(scan.root, Root::Readable(..));
        let present = self.admit(&pairing, &mut findings, now);
        if let Root::Readable(device, inode) = scan.root {
            let replaced = self.origin.is_some_and(|origin| origin != (device, inode));
            let gone = self.judge(&pairing, &scan.files, &present, &mut findings, now);
            self.part_with(&gone, replaced, now);
            self.origin = Some((device, inode));
        }
        self.note_waiting(&pairing, &mut findings);
        self.notices.settle(findings, scan.changed, now.steady, now.unix, &mut self.loads);
        let index = self.rank(now);
        self.raise_alarms(scan, now);
        index
    }

    /// When something will change by itself, if nothing changes before.
    pub(super) fn next_look(&self) -> Option<Instant> {
        let leaving = self.holdings.values().filter_map(|holding| match holding.state {
            State::Leaving { since } if self.readable => Some(since + GRACE),
            _ => None,
        });
        leaving.chain(self.notices.due()).chain(self.next_boundary).min()
    }

    /// The operator says that what is held back is to go. Gives the number of certificates.
    pub(super) fn confirm(&mut self) -> usize {
        let mut confirmed = 0;
        for holding in self.holdings.values_mut() {
            if let State::Held { since } = holding.state {
                // As if it had been believed at once: their time has run already.
                holding.state = State::Leaving { since };
                confirmed += 1;
            }
        }
        confirmed
    }

    /// Whether withdrawals are held back until the operator confirms.
    pub(super) fn holds_back(&self) -> bool {
        self.holdings.values().any(|holding| matches!(holding.state, State::Held { .. }))
    }

    /// What lists show.
    pub(super) fn ledger(&self) -> Ledger {
        Ledger {
            rejected: self.notices.listed(),
            alarms: self.alarms.listed(),
            loads: self.loads,
            last_scan: self.last_scan,
            failed_scans: 0,
            watching: true,
        }
    }

    /// Every certificate that is held, for a look without an edge.
    pub(super) fn certificates(&self) -> Vec<Arc<ServedCert>> {
        self.order.iter().map(Ranked::entry).collect()
    }

    /// Puts pairs on the shelf. Gives those that are there and good.
    fn admit(&mut self, pairing: &Pairing, findings: &mut Findings, now: Moment) -> HashSet<Fingerprint> {
        let mut present = HashSet::with_capacity(pairing.pairs.len());
        let mut accepted = Vec::new();
        for pair in &pairing.pairs {
            let fingerprint = pair.leaf.fingerprint;
            match self.holdings.get_mut(&fingerprint) {
                Some(holding) if holding.is_of(pair) => holding.state = State::Present,
                _ => match Holding::new(pair) {
                    Ok(holding) => {
                        if self.holdings.insert(fingerprint, holding).is_none() {
                            accepted.push(fingerprint);
                        }
                    }
                    Err(flaw) => {
                        for file in &pair.certificate_files {
                            findings.reject(file, flaw.clone());
                        }
                        continue;
                    }
                },
            }
            present.insert(fingerprint);
        }
        self.loads.accepted += accepted.len() as u64;
        self.tell_accepted(&accepted, now);
        present
    }

    /// What is to become of everything that is no longer a pair in the folder. Gives what was taken away just now.
    fn judge(
        &mut self,
        pairing: &Pairing,
        files: &Files,
        present: &HashSet<Fingerprint>,
        findings: &mut Findings,
        now: Moment,
    ) -> HashSet<Fingerprint> {
        let missing: Vec<Fingerprint> =
            self.holdings.keys().filter(|fingerprint| !present.contains(*fingerprint)).copied().collect();
        if missing.is_empty() {
            return HashSet::new();
        }
        let sources = Sources::new(pairing, files, present, now.unix);
        let valid: HashSet<HostPattern> = self
            .holdings
            .iter()
            .filter(|(fingerprint, holding)| present.contains(*fingerprint) && holding.is_valid_at(now.unix))
            .flat_map(|(_, holding)| holding.bundle.names().iter().cloned())
            .collect();
        let valid: HashSet<&HostPattern> = valid.iter().collect();
        let mut gone = HashSet::new();
        for fingerprint in missing {
            let Some(holding) = self.holdings.get_mut(&fingerprint) else { continue };
            let covered = || holding.bundle.names().iter().all(|name| is_covered(&valid, name));
            match sources.fate(&fingerprint, holding) {
                Fate::Spoiled(spoilt) => {
                    holding.state = State::Kept;
                    for (file, flaw) in spoilt {
                        findings.reject(&file, flaw);
                    }
                }
                Fate::Replaced if covered() => {
                    tracing::info!(
                        file = %shown(&holding.served.facts.file),
                        fingerprint = %holding.served.facts.fingerprint,
                        "replaced by a new certificate"
                    );
                    self.holdings.remove(&fingerprint);
                }
                Fate::Replaced | Fate::Deleted => {
                    if matches!(holding.state, State::Present | State::Kept) {
                        gone.insert(fingerprint);
                    }
                }
            }
        }
        gone
    }

    /// Lets go of what was deleted, unless it is too much at once.
    fn part_with(&mut self, gone: &HashSet<Fingerprint>, replaced: bool, now: Moment) {
        if !gone.is_empty() {
            let sweep = self.sweep(gone, now);
            let hold = self.holds_back() || sweep.is_an_accident(replaced);
            for (fingerprint, holding) in &mut self.holdings {
                let since = now.steady;
                if hold && sweep.certificates.contains(fingerprint) {
                    holding.state = State::Held { since };
                } else if gone.contains(fingerprint) {
                    holding.state = State::Leaving { since };
                    let file = shown(&holding.served.facts.file);
                    tracing::info!(file = %file, seconds = GRACE.as_secs(), "deleted, serves until the grace is over");
                }
            }
        }
        let loads = &mut self.loads;
        self.holdings.retain(|_, holding| {
            let stays = !matches!(holding.state, State::Leaving { since } if since + GRACE <= now.steady);
            if !stays {
                loads.withdrawn += 1;
                let facts = &holding.served.facts;
                tracing::info!(file = %shown(&facts.file), fingerprint = %facts.fingerprint, "withdrawn");
            }
            stays
        });
    }

    /// What one deletion takes away: all that is gone now, and what went just before, since one `rm -r` reaches us as
    /// several looks.
    fn sweep(&self, gone: &HashSet<Fingerprint>, now: Moment) -> Sweep {
        let (mut certificates, mut leaving, mut staying) = (HashSet::new(), HashSet::new(), HashSet::new());
        for (fingerprint, holding) in &self.holdings {
            let names = match holding.state {
                _ if gone.contains(fingerprint) => &mut leaving,
                State::Leaving { since } if now.steady.duration_since(since) < ONE_SWEEP => &mut leaving,
                State::Leaving { .. } => continue,
                _ => {
                    staying.extend(holding.bundle.names());
                    continue;
                }
            };
            certificates.insert(*fingerprint);
            names.extend(holding.bundle.names());
        }
        Sweep {
            certificates,
            names: staying.union(&leaving).count(),
            lost: leaving.iter().filter(|name| !is_covered(&staying, name)).count(),
        }
    }

    /// Halves wait for each other, unless the last good pair of theirs is still in service.
    fn note_waiting(&self, pairing: &Pairing, findings: &mut Findings) {
        let kept = || self.holdings.iter().filter(|(_, holding)| holding.state == State::Kept);
        let leaves: HashSet<&Fingerprint> = kept().map(|(fingerprint, _)| fingerprint).collect();
        let keys: HashSet<&[u8; 32]> = kept().map(|(_, holding)| &holding.key).collect();
        for (file, problem) in &pairing.problems {
            match problem {
                Problem::Unfit(_) => {}
                Problem::NoKey(leaf) if leaves.contains(leaf) => {}
                Problem::NoCertificate(key) if keys.contains(key) => {}
                Problem::NoKey(_) => findings.wait(file, fate::waits_for_key()),
                Problem::NoCertificate(_) => findings.wait(file, fate::waits_for_certificate()),
            }
        }
    }

    /// Puts everything in order; gives the new index when the order is another one.
    fn rank(&mut self, now: Moment) -> Option<CertIndex> {
        for holding in self.holdings.values_mut() {
            let leaving = matches!(holding.state, State::Leaving { .. });
            if holding.served.facts.in_grace != leaving {
                holding.served = entry_like(&holding.served, holding.served.names.clone(), leaving);
            }
        }
        let certificates: Vec<Arc<ServedCert>> =
            self.holdings.values().map(|holding| Arc::clone(&holding.served)).collect();
        let order = ranked(&certificates, now.unix);
        let boundaries = certificates.iter().flat_map(|served| [served.facts.not_before, served.facts.not_after + 1]);
        let next = boundaries.filter(|boundary| *boundary > now.unix).min();
        self.next_boundary = next
            .and_then(|next| u64::try_from(next - now.unix).ok())
            .and_then(|seconds| now.steady.checked_add(Duration::from_secs(seconds.min(FARTHEST_LOOK))));
        let same =
            order.len() == self.order.len() && order.iter().zip(&self.order).all(|(one, other)| one.is_same(other));
        if same {
            return None;
        }
        self.order = order;
        Some(CertIndex::ranked(self.order.iter().map(Ranked::entry)))
    }

    fn raise_alarms(&mut self, scan: &Scan, now: Moment) {
        let mut raised = BTreeMap::new();
        let folder = shown(&self.folder);
        match &scan.root {
            Root::Readable(..) => {}
            Root::Missing => {
                raised.insert(
                    "folder-missing",
                    format!("the drop folder {folder} does not exist; create it or mount it"),
                );
            }
            Root::Unreadable(reason) => {
                raised.insert("folder-unreadable", format!("the drop folder {folder} cannot be read: {reason}"));
            }
        }
        let held: Vec<String> = self
            .holdings
            .values()
            .filter(|holding| matches!(holding.state, State::Held { .. }))
            .flat_map(|holding| holding.bundle.names().iter().map(ToString::to_string))
            .collect();
        if !held.is_empty() {
            raised.insert(
                "withdrawal-held",
                format!(
                    "the files of {} names went from {folder} at once, which looks like an accident: {}; their certificates \
                     go on serving until the files are back or the withdrawal is confirmed",
                    held.len(),
                    some_of(&held)
                ),
            );
        }
        for (code, words, untimely) in [
            (
                "expired-serving",
                "is expired",
                (|served, now| served.facts.not_after < now) as fn(&ServedCert, i64) -> bool,
            ),
            ("not-yet-valid-serving", "is not valid yet", |served, now| served.facts.not_before > now),
        ] {
            let serving = self.order.iter().filter_map(Ranked::serving);
            let files: Vec<String> = serving
                .filter(|served| untimely(served, now.unix))
                .map(|served| format!("{} ({})", served.names[0], shown(&served.facts.file)))
                .collect();
            if !files.is_empty() {
                let message =
                    format!("what serves these names {words}, and there is nothing better: {}", some_of(&files));
                raised.insert(code, message);
            }
        }
        for (readers, code, words) in [
            (Readers::Everybody, "key-readable", "by every user of this machine"),
            (Readers::Group, "key-group-readable", "by a group"),
        ] {
            let files = self.exposed_keys(&scan.files, readers);
            if !files.is_empty() {
                let message = format!("these private keys can be read {words}; chmod 0600: {}", some_of(&files));
                raised.insert(code, message);
            }
        }
        self.exposed.retain(|file| scan.files.contains_key(file));
        self.alarms.raise(raised, now.unix);
    }

    /// Key files that more than the owner may read; each is logged once.
    fn exposed_keys(&mut self, files: &Files, readers: Readers) -> Vec<String> {
        let exposed = files.iter().filter(|(_, record)| {
            record.readable_by == readers && matches!(&record.content, Content::Parts(parts) if !parts.keys.is_empty())
        });
        let mut exposed: Vec<&Arc<Path>> = exposed.map(|(file, _)| file).collect();
        exposed.sort_unstable_by_key(|file| file.as_os_str());
        let mut told = 0;
        for file in &exposed {
            if self.exposed.insert(Arc::clone(file)) {
                told += 1;
                if told <= MOST_LINES {
                    tracing::warn!(file = %shown(file), "the private key can be read by others; chmod 0600");
                }
            }
        }
        if told > MOST_LINES {
            tracing::warn!(count = told - MOST_LINES, "more private keys can be read by others; chmod 0600");
        }
        exposed.into_iter().map(|file| shown(file)).collect()
    }

    fn tell_accepted(&self, accepted: &[Fingerprint], now: Moment) {
        for holding in accepted.iter().take(MOST_LINES).filter_map(|fingerprint| self.holdings.get(fingerprint)) {
            let facts = &holding.served.facts;
            let names: Vec<String> = holding.bundle.names().iter().map(ToString::to_string).collect();
            tracing::info!(
                file = %shown(&facts.file),
                names = %some_of(&names),
                days = (facts.not_after - now.unix) / 86_400,
                fingerprint = %facts.fingerprint,
                "accepted"
            );
        }
        if let Some(more) = accepted.len().checked_sub(MOST_LINES).filter(|more| *more > 0) {
            tracing::info!(more, "more certificates accepted");
        }
    }
}

/// What goes in one deletion.
struct Sweep {
    certificates: HashSet<Fingerprint>,
    /// How many names there were.
    names: usize,
    /// How many of them nothing else covers.
    lost: usize,
}

impl Sweep {
    /// An unmounted volume reads as an empty folder.
    fn is_an_accident(&self, folder_replaced: bool) -> bool {
        self.lost > FEW_NAMES.max(self.names / ONE_PERCENT) || folder_replaced && self.lost > 0
    }
}

impl Holding {
    fn new(pair: &Pair) -> Result<Self, Flaw> {
        let bundle = Bundle::new(&pair.leaf, &pair.key, &pair.chain)?;
        let file = &pair.certificate_files[0];
        Ok(Self {
            served: bundle.served(file, pair.key_files.contains(file)),
            bundle,
            key: pair.key.public.id,
            chain: pair.chain.iter().map(|issuer| issuer.fingerprint).collect(),
            certificate_files: pair.certificate_files.clone(),
            key_files: pair.key_files.clone(),
            state: State::Present,
        })
    }

    /// Whether the pair is the one that it was made of, files included.
    fn is_of(&self, pair: &Pair) -> bool {
        self.certificate_files == pair.certificate_files
            && self.key_files == pair.key_files
            && self.chain.iter().eq(pair.chain.iter().map(|issuer| &issuer.fingerprint))
    }

    pub(super) fn is_valid_at(&self, now: i64) -> bool {
        (self.served.facts.not_before..=self.served.facts.not_after).contains(&now)
    }

    pub(super) fn key(&self) -> &[u8; 32] {
        &self.key
    }

    pub(super) fn certificate_files(&self) -> &[Arc<Path>] {
        &self.certificate_files
    }

    pub(super) fn key_files(&self) -> &[Arc<Path>] {
        &self.key_files
    }
}

fn parts_of(files: &Files) -> Vec<FileParts<'_>> {
    let parts = files.iter().filter_map(|(path, record)| match &record.content {
        Content::Parts(parts) => Some(FileParts { path, parts }),
        Content::Flawed(_) => None,
    });
    parts.collect()
}

/// A deleted file may be the first half of a clumsy replacement.
const GRACE: Duration = Duration::from_secs(60);
/// So many names may go in one look, or one of a hundred.
const FEW_NAMES: usize = 5;
const ONE_PERCENT: usize = 100;
/// Looks are half a second apart while a folder changes.
const ONE_SWEEP: Duration = Duration::from_secs(2);
/// The calendar may be set meanwhile; look again after an hour.
const FARTHEST_LOOK: u64 = 3600;
/// Ten thousand certificates at start are not worth ten thousand lines.
const MOST_LINES: usize = 20;
