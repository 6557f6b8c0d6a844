//! What is in service, over time: the one place that decides when a certificate comes, stays, and goes.
//!
//! The rule behind all others: a name that is served goes on being served until the operator has taken its certificate away,
//! visibly and on purpose. What is broken, half written, unreadable or gone all at once is not a purpose.

mod holding;
mod keeping;
mod memory;
mod outcome;
mod requested;
mod sweep;
mod tell;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashSet;
use tokio::time::Instant;

use super::alarms::Alarms;
use super::certificate::Fingerprint;
use super::fate;
use super::flaw::Flaw;
use super::folders::Folders;
use super::ledger::{Findings, HeldBack, Ledger, Loads, Notices};
use super::library::Library;
use super::pairing::{FileParts, Pairing, Problem, pair_trusting};
use super::ranking::{Ranked, Rule, governed, index_after, ranked};
use super::request::{Answer, Offer, SetAside};
use super::scan::{Content, Files, Root, Scan};
use super::terms::Terms;
use crate::live::{CertIndex, ServedCert};
use crate::name::HostPattern;

pub(super) use holding::Holding;
use holding::{Owner, State};
use memory::Memory;
use outcome::Departure;
pub use outcome::{Arrival, NotDeleted, NotGoneBack};
pub(super) use outcome::{NotTaken, Taken};
use sweep::GRACE;

/// The certificates of one folder, whether their files are still as they were or not, and those that came another way.
pub(super) struct Shelf {
    folders: Folders,
    pub(super) terms: Arc<Terms>,
    /// `None` where nothing is to last.
    library: Option<Library>,
    holdings: BTreeMap<Fingerprint, Holding>,
    /// What went since the library was told.
    departures: Vec<Departure>,
    /// What came to be again that the library knows.
    returned: Vec<Fingerprint>,
    memory: Memory,
    /// Device and inode of each folder that holdings are from.
    origins: Vec<Option<(u64, u64)>>,
    order: Vec<Ranked>,
    /// What the operator chose above the order.
    pub(super) rules: Vec<Rule>,
    /// The hosts whose choice names nothing that is valid.
    ignored: Vec<HostPattern>,
    /// Of that order.
    index: Arc<CertIndex>,
    notices: Notices,
    alarms: Alarms,
    exposed: HashSet<Arc<Path>>,
    loads: Loads,
    last_scan: i64,
    /// Whether each folder could be read at the last look; nothing goes from one while it cannot.
    readable: Vec<bool>,
    next_boundary: Option<Instant>,
    /// When to look again because the last look probably came in the middle of a replacement.
    torn: Option<Instant>,
    /// When a certificate without its issuer has been there long enough for a word.
    untold: Option<Instant>,
}

/// Now, on the clock that never jumps and on the calendar's.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) steady: Instant,
    /// Seconds since the Unix epoch.
    pub(super) unix: i64,
}

impl Shelf {
    /// An empty shelf for these folders.
    pub(super) fn new(folders: impl Into<Folders>, library: Option<Library>) -> Self {
        let folders = folders.into();
        let count = folders.all().len();
        Self {
            folders,
            library,
            terms: Arc::default(),
            holdings: BTreeMap::new(),
            departures: Vec::new(),
            returned: Vec::new(),
            memory: Memory::default(),
            origins: vec![None; count],
            order: Vec::new(),
            index: Arc::default(),
            rules: Vec::new(),
            ignored: Vec::new(),
            notices: Notices::default(),
            alarms: Alarms::default(),
            exposed: HashSet::new(),
            loads: Loads::default(),
            last_scan: 0,
            readable: vec![false; count],
            next_boundary: None,
            torn: None,
            untold: None,
        }
    }

    /// Takes over what a look found. `offer` is what requests have for it, `refused` what the look at the well-known folder has to
    /// say. Gives the new index when it is another than before, and what came for requests.
    pub(super) fn step(
        &mut self,
        scan: &Scan,
        offer: &Offer,
        refused: Vec<(Arc<Path>, Flaw)>,
        now: Moment,
    ) -> (Option<Arc<CertIndex>>, Vec<Answer>) {
        self.last_scan = now.unix;
        let mut findings = Findings::default();
        for (file, flaw) in scan.troubles.iter().cloned().chain(refused) {
            findings.reject(&file, flaw);
        }
        for (file, record) in &*scan.files {
            if let Some(flaw) = record.flaw() {
                findings.note(file, flaw.clone());
            }
        }
        self.readable = scan.roots.iter().map(Root::is_readable).collect();
        let is_readable = self.readable.contains(&true);
        if is_readable {
            let needed = || self.holdings.values().filter_map(|holding| holding.voucher.issuer()).collect();
            self.memory.look(&scan.files, &scan.touched, needed, now.steady);
        }
        let remembered = self.memory.authorities(&self.folders);
        let aside = offer.set_aside(&scan.files, &self.folders);
        let parts = self.parts_of(&scan.files, offer, &aside);
        let mut pairing = pair_trusting(&parts, &remembered, &self.terms.roots, now.unix);
        self.folders.limit(&mut pairing, &scan.files);
        for (file, problem) in &pairing.problems {
            if let Problem::Unfit(flaw) = problem {
                findings.reject(file, flaw.clone());
            }
        }
        let came = self.take_requested(&pairing, offer, now);
        let present = self.admit(&pairing, &scan.files, &mut findings, now);
        self.part_with_what_is_not_allowed();
        if is_readable {
            let replaced = self.replaced(&scan.roots, &present);
            let gone = self.judge(&pairing, &scan.files, &present, &mut findings, now);
            self.part_with(&gone, &replaced, now);
            let issuers = self.issuers_to_hold(&replaced, now);
            self.memory.hold(&issuers);
        }
        self.note_waiting(&pairing, offer, &mut findings);
        self.notices.settle(findings, scan.changed, now.steady, now.unix, &mut self.loads);
        // The file's second half is on its way. In a folder that never rests the next look by itself is half a second away,
        // and a pair that two looks miss would be served later than a second after it came.
        self.torn = (scan.changed && self.notices.due().is_some()).then(|| now.steady + SECOND_HALF);
        let index = self.rank(now);
        self.raise_alarms(scan, now);
        let mut answers = aside.answers;
        answers.extend(came);
        answers.extend(self.answers(offer, &pairing));
        (index, answers)
    }

    /// When something will change by itself, if nothing changes before.
    pub(super) fn next_look(&self) -> Option<Instant> {
        let leaving = self.holdings.values().filter_map(|holding| match holding.state {
            State::Leaving { since, .. } if self.readable[self.place(holding)] => Some(since + GRACE),
            _ => None,
        });
        let forgotten = self.memory.next_look().filter(|_| self.readable.contains(&true));
        let own = [forgotten, self.next_boundary, self.next_rest()];
        leaving.chain(own.into_iter().flatten()).min()
    }

    /// When what has just come is to be looked at again.
    pub(super) fn next_rest(&self) -> Option<Instant> {
        [self.notices.due(), self.torn, self.untold].into_iter().flatten().min()
    }

    /// The last look failed somewhere: what it put in order may not have been published.
    pub(super) fn distrust(&mut self) {
        (self.order, self.index) = (Vec::new(), Arc::default());
    }

    /// The operator says that what is held back is to go, and how many names that were to be seen. Gives the number of
    /// certificates, which have their grace before them, those that lose their issuer included.
    pub(super) fn confirm(&mut self, seen: Option<usize>, now: Instant) -> Result<usize, HeldBack> {
        let names = self.held_names().len();
        if seen.is_some_and(|seen| names > seen) {
            return Err(HeldBack { names });
        }
        let confirmed = self.held().count();
        for holding in self.holdings.values_mut().filter(|holding| holding.is_held()) {
            holding.state = State::Leaving { since: now, confirmed: true };
        }
        self.memory.confirm(now);
        Ok(confirmed)
    }

    /// The names of certificates that are withheld from leaving, or from losing their issuer.
    pub(super) fn held_names(&self) -> BTreeSet<&HostPattern> {
        self.held().flat_map(|holding| holding.bundle.names()).collect()
    }

    fn held(&self) -> impl Iterator<Item = &Holding> {
        let leans_on_held = |holding: &Holding| holding.leans_on().is_some_and(|issuer| self.memory.is_held(&issuer));
        self.holdings.values().filter(move |holding| holding.is_held() || leans_on_held(holding))
    }

    /// Whether certificates are held back from leaving until the operator confirms.
    pub(super) fn holds_back(&self) -> bool {
        self.holdings.values().any(Holding::is_held)
    }

    /// What lists show.
    pub(super) fn ledger(&self) -> Ledger {
        Ledger {
            rejected: self.notices.listed(),
            alarms: self.alarms.listed(),
            loads: self.loads,
            last_scan: self.last_scan,
            choices: Arc::default(),
            objects: Arc::default(),
            failed_scans: 0,
            watching: true,
        }
    }

    /// Every certificate that is held, for a look without an edge.
    pub(super) fn certificates(&self) -> Vec<Arc<ServedCert>> {
        self.order.iter().map(|ranked| Arc::clone(ranked.certificate())).collect()
    }

    /// Which folders are others than before, though they have the same path.
    fn replaced(&mut self, roots: &[Root], present: &HashSet<Fingerprint>) -> Vec<bool> {
        let supply: HashSet<usize> = match self.origins.contains(&None) {
            true => present.iter().filter_map(|leaf| self.holdings.get(leaf)).map(|own| self.place(own)).collect(),
            false => HashSet::new(),
        };
        let mut replaced = vec![false; roots.len()];
        for (place, root) in roots.iter().enumerate() {
            let Root::Readable(device, inode) = *root else { continue };
            replaced[place] = match self.origins[place] {
                Some(origin) => origin != (device, inode),
                // What the library remembers of a folder that is empty now did not go one by one.
                None => !supply.contains(&place),
            };
            self.origins[place] = Some((device, inode));
        }
        replaced
    }

    /// Which folder a certificate is from.
    fn place(&self, holding: &Holding) -> usize {
        self.folders.place(&holding.certificate_files()[0])
    }

    /// What the folders hold but for what is set aside, and the keys of requests as if they lay there.
    fn parts_of<'f>(&self, files: &'f Files, offer: &'f Offer, aside: &'f SetAside) -> Vec<FileParts<'f>> {
        let parts = files.iter().filter_map(|(path, record)| match &record.content {
            Content::Parts(parts) => {
                let parts = aside.rest_of(path).unwrap_or(parts);
                Some(FileParts { path, parts, folder: self.folders.place(path) })
            }
            Content::Flawed(_) => None,
        });
        // Who writes a limited folder has a say in requests for its names alone.
        let places = 0..self.folders.all().len();
        let keys = places.flat_map(|place| offer.files(place, move |names| self.folders.may_supply(place, names)));
        parts.chain(keys).collect()
    }

    /// Puts pairs on the shelf. Gives those that are there and good.
    fn admit(
        &mut self,
        pairing: &Pairing,
        files: &Files,
        findings: &mut Findings,
        now: Moment,
    ) -> HashSet<Fingerprint> {
        let mut present = HashSet::with_capacity(pairing.pairs.len());
        let mut accepted = Vec::new();
        for pair in &pairing.pairs {
            let fingerprint = pair.leaf.fingerprint;
            let known = self.holdings.get(&fingerprint);
            if known.is_some_and(|holding| holding.owner == Owner::Library) {
                // One certificate, whichever ways it came.
                present.insert(fingerprint);
                continue;
            }
            if !known.is_some_and(|holding| holding.is_of(pair)) {
                match Holding::new(pair, known, now.unix) {
                    Ok(mut holding) => {
                        let is_new = known.is_none();
                        if is_new {
                            self.recognise(&mut holding);
                            accepted.push(fingerprint);
                        }
                        self.holdings.insert(fingerprint, holding);
                    }
                    Err(flaw) => {
                        for file in &pair.certificate_files {
                            findings.reject(file, flaw.clone());
                        }
                        continue;
                    }
                }
            }
            if let Some(holding) = self.holdings.get_mut(&fingerprint) {
                holding.is_present_in(pair, now.steady);
            }
            present.insert(fingerprint);
        }
        self.loads.accepted += accepted.len() as u64;
        self.tell_accepted(&accepted, files, now);
        present
    }

    /// Halves wait for each other, unless the last good pair of theirs is still in service.
    fn note_waiting(&self, pairing: &Pairing, offer: &Offer, findings: &mut Findings) {
        let kept = || self.holdings.iter().filter(|(_, holding)| holding.state == State::Kept);
        let leaves: HashSet<&Fingerprint> = kept().map(|(fingerprint, _)| fingerprint).collect();
        let keys: HashSet<&[u8; 32]> = kept().map(|(_, holding)| &holding.key).collect();
        for (file, problem) in &pairing.problems {
            match problem {
                Problem::Unfit(_) => {}
                Problem::NoKey(leaf) if leaves.contains(leaf) || self.is_owned_by_library(leaf) => {}
                // A request waits, not its file.
                Problem::NoCertificate(_) if offer.has_file(file) => {}
                Problem::NoCertificate(key) if keys.contains(key) => {}
                Problem::NoKey(_) => findings.note(file, fate::waits_for_key()),
                Problem::NoCertificate(_) => findings.note(file, fate::waits_for_certificate()),
            }
        }
    }

    /// Those that may serve.
    fn offered(&self) -> impl Iterator<Item = (&Fingerprint, &Holding)> {
        self.holdings.iter().filter(|(_, holding)| !holding.is_turned_down)
    }

    /// Puts everything in order; gives the new index when the order is another one.
    pub(super) fn rank(&mut self, now: Moment) -> Option<Arc<CertIndex>> {
        for holding in self.holdings.values_mut() {
            holding.refresh(&self.terms.roots, now.unix);
        }
        let certificates: Vec<Arc<ServedCert>> =
            self.offered().map(|(_, holding)| Arc::clone(&holding.served)).collect();
        let order = ranked(&certificates, &self.terms.minimums, now.unix);
        let (order, ignored) = governed(order, &self.rules, now.unix);
        self.ignored = ignored;
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
        let index = Arc::new(index_after(&self.index, &self.order, &order));
        (self.order, self.index) = (order, Arc::clone(&index));
        Some(index)
    }
}

/// Certificate and key are renamed one after the other, in microseconds by a program.
const SECOND_HALF: Duration = Duration::from_millis(100);
/// The calendar may be set meanwhile; look again after an hour.
const FARTHEST_LOOK: u64 = 3600;

#[cfg(test)]
mod tests;
