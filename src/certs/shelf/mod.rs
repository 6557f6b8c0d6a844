//! What is in service, over time: the one place that decides when a certificate comes, stays, and goes.
//!
//! The rule behind all others: a name that is served goes on being served until the operator has taken its certificate away,
//! visibly and on purpose. What is broken, half written, unreadable or gone all at once is not a purpose.

mod holding;
mod sweep;
mod tell;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashSet;
use tokio::time::Instant;

use super::alarms::Alarms;
use super::certificate::Fingerprint;
use super::fate::{self, Fate, Sources};
use super::flaw::Flaw;
use super::ledger::{Findings, Ledger, Loads, Notices, shown};
use super::pairing::{FileParts, Pairing, Problem, pair};
use super::ranking::{Ranked, is_covered, ranked};
use super::scan::{Content, Files, Root, Scan};
use crate::live::{CertIndex, ServedCert};
use crate::name::HostPattern;

pub(super) use holding::Holding;
use holding::State;
use sweep::GRACE;

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
    /// When to look again because the last look probably came in the middle of a replacement.
    torn: Option<Instant>,
}

/// Now, on the clock that never jumps and on the calendar's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) steady: Instant,
    /// Seconds since the Unix epoch.
    pub(super) unix: i64,
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
            torn: None,
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
        // The file's second half is on its way. In a folder that never rests the next look by itself is half a second away,
        // and a pair that two looks miss would be served later than a second after it came.
        self.torn = (scan.changed && self.notices.due().is_some()).then(|| now.steady + SECOND_HALF);
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
        leaving.chain(self.notices.due()).chain(self.next_boundary).chain(self.torn).min()
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
            holding.refresh();
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
}

fn parts_of(files: &Files) -> Vec<FileParts<'_>> {
    let parts = files.iter().filter_map(|(path, record)| match &record.content {
        Content::Parts(parts) => Some(FileParts { path, parts }),
        Content::Flawed(_) => None,
    });
    parts.collect()
}

/// Certificate and key are renamed one after the other, in microseconds by a program.
const SECOND_HALF: Duration = Duration::from_millis(100);
/// The calendar may be set meanwhile; look again after an hour.
const FARTHEST_LOOK: u64 = 3600;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certs::scan::Scanner;
    use crate::certs::testing::Chain;

    #[test]
    fn half_a_replacement_is_looked_at_again_before_a_restless_folder_would_be() {
        let folder = tempfile::tempdir().expect("a folder");
        let put = |name: &str, content: &str| std::fs::write(folder.path().join(name), content).expect("written");
        let chain = Chain::new();
        let (old, new) = (chain.leaf(&["shop.example"]), chain.leaf(&["shop.example"]));
        let (mut scanner, mut shelf) = (Scanner::new(folder.path().into()), Shelf::new(folder.path().into()));
        let mut look = |shelf: &mut Shelf| {
            let now = Moment { steady: Instant::now(), unix: time::OffsetDateTime::now_utc().unix_timestamp() };
            shelf.step(&scanner.scan(), Vec::new(), now);
            now.steady
        };

        put("shop.crt", &old.certificate);
        put("shop.key", &old.key);
        look(&mut shelf);
        assert_eq!(shelf.torn, None);
        put("shop.key", &new.key);
        let looked = look(&mut shelf);
        assert_eq!(shelf.next_look(), Some(looked + SECOND_HALF));
        put("shop.crt", &new.certificate);
        look(&mut shelf);
        assert_eq!((shelf.torn, shelf.certificates().len()), (None, 1));
    }
}
