//! What is in service, over time: the one place that decides when a certificate comes, stays, and goes.
//!
//! The rule behind all others: a name that is served goes on being served until the operator has taken its certificate away,
//! visibly and on purpose. What is broken, half written, unreadable or gone all at once is not a purpose.

mod admission;
mod batch;
mod holding;
mod holdings;
mod keeping;
mod memory;
mod outcome;
mod remarks;
mod requested;
mod revoking;
mod standing;
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
use super::flaw::Flaw;
use super::folders::Folders;
use super::judgement::Minimums;
use super::ledger::{Findings, HeldBack, Ledger, Loads, Notices};
use super::library::Library;
use super::pairing::Problem;
use super::pairs::{Pairs, Stock};
use super::request::{Answer, Offer};
use super::scan::{Root, Scan};
use super::terms::Terms;
use crate::live::{CertIndex, ServedCert};
use crate::name::HostPattern;

use batch::Batch;
pub(super) use holding::Holding;
use holding::{Owner, State};
use holdings::Holdings;
use memory::Memory;
use outcome::Departure;
pub use outcome::{Arrival, NotDeleted, NotGoneBack};
pub(super) use outcome::{NotTaken, Taken};
use remarks::Remarks;
use standing::Standing;
use sweep::GRACE;

/// The certificates of one folder, whether their files are still as they were or not, and those that came another way.
pub(super) struct Shelf {
    folders: Folders,
    pub(super) terms: Arc<Terms>,
    /// What must have been checked of what is chosen.
    minimums: Minimums,
    /// `None` where nothing is to last.
    library: Option<Library>,
    /// How many certificates the library is given at once.
    batch: Batch,
    holdings: Holdings,
    pairs: Pairs,
    /// Whether other things than looks had a hand in what is here since the last one.
    is_stirred: bool,
    /// The certificates with their keys that cannot be served.
    refused: BTreeMap<Fingerprint, (Vec<Arc<Path>>, Flaw)>,
    /// What went since the library was told.
    departures: Vec<Departure>,
    /// What came to be again that the library knows.
    returned: Vec<Fingerprint>,
    memory: Memory,
    /// Device and inode of each folder that holdings are from.
    origins: Vec<Option<(u64, u64)>>,
    standing: Standing,
    notices: Notices,
    alarms: Alarms,
    remarks: Remarks,
    loads: Loads,
    last_scan: i64,
    /// Whether each folder could be read at the last look; nothing goes from one while it cannot.
    readable: Vec<bool>,
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
            pairs: Pairs::new(folders.clone()),
            folders,
            library,
            batch: Batch::default(),
            terms: Arc::default(),
            minimums: Minimums::default(),
            holdings: Holdings::default(),
            is_stirred: false,
            refused: BTreeMap::new(),
            departures: Vec::new(),
            returned: Vec::new(),
            memory: Memory::default(),
            origins: vec![None; count],
            standing: Standing::default(),
            notices: Notices::default(),
            alarms: Alarms::default(),
            remarks: Remarks::default(),
            loads: Loads::default(),
            last_scan: 0,
            readable: vec![false; count],
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
        self.remarks.look(scan);
        self.remarks.tell(&scan.files, &mut findings);
        self.readable = scan.roots.iter().map(Root::is_readable).collect();
        let is_readable = self.readable.contains(&true);
        if is_readable {
            let needed = || self.holdings.values().filter_map(|holding| holding.voucher.issuer()).collect();
            self.memory.look(&scan.files, &scan.touched, needed, now.steady);
        }
        let (remembered, roots) = (self.memory.authorities(&self.folders), self.terms.roots.clone());
        let mut aside = offer.set_aside(&scan.files, &self.folders);
        let mut answers = std::mem::take(&mut aside.answers);
        let stock =
            Stock { files: &scan.files, offer, aside: &aside, remembered: &remembered, roots: &roots, now: now.unix };
        let is_stirred = std::mem::take(&mut self.is_stirred);
        let is_of_all = scan.is_of_all || is_stirred || self.has_new_folders(&scan.roots);
        let look = self.pairs.look(&stock, (!is_of_all).then_some(&scan.touched));
        for (file, problem) in &look.pairing.problems {
            if let Problem::Unfit(flaw) = problem {
                findings.reject(file, flaw.clone());
            }
        }
        let came = self.take_requested(&look.pairing, offer, now);
        let present = self.admit(&look, &scan.files, &mut findings, now);
        if look.changed.is_none() {
            self.part_with_what_is_not_allowed();
        }
        if is_readable {
            let replaced = self.replaced(&scan.roots, &present);
            let gone = self.judge(&look, &stock, &present, &mut findings, now);
            self.part_with(&gone, &replaced, now);
            let issuers = self.issuers_to_hold(&replaced, now);
            self.memory.hold(&issuers);
        }
        self.note_waiting(&look.pairing, offer, &mut findings);
        self.notices.settle(findings, scan.changed, now.steady, now.unix, &mut self.loads);
        // The file's second half is on its way. In a folder that never rests the next look by itself is half a second away,
        // and a pair that two looks miss would be served later than a second after it came.
        self.torn = (scan.changed && self.notices.due().is_some()).then(|| now.steady + SECOND_HALF);
        if look.changed.is_none() {
            self.rank_anew();
        }
        let index = self.rank(now);
        self.raise_alarms(scan, now);
        answers.extend(came);
        let requested = offer.keys.keys().copied().collect();
        answers.extend(self.answers(offer, &self.pairs.of_keys(&requested, &stock)));
        (index, answers)
    }

    /// When something will change by itself, if nothing changes before.
    pub(super) fn next_look(&self) -> Option<Instant> {
        let leaving = self.holdings.unsettled().filter_map(|(_, holding)| match holding.state {
            State::Leaving { since, .. } if self.readable[self.place(holding)] => Some(since + GRACE),
            _ => None,
        });
        let forgotten = self.memory.next_look().filter(|_| self.readable.contains(&true));
        let own = [forgotten, self.standing.next_look(), self.next_rest()];
        leaving.chain(own.into_iter().flatten()).min()
    }

    /// When what has just come is to be looked at again.
    pub(super) fn next_rest(&self) -> Option<Instant> {
        [self.notices.due(), self.torn, self.untold].into_iter().flatten().min()
    }

    /// The last look failed somewhere: what it put in order may not have been published.
    pub(super) fn distrust(&mut self) {
        (self.standing, self.is_stirred) = (Standing::default(), true);
    }

    /// The operator says that what is held back is to go, and how many names that were to be seen. Gives the number of
    /// certificates, which have their grace before them, those that lose their issuer included.
    pub(super) fn confirm(&mut self, seen: Option<usize>, now: Instant) -> Result<usize, HeldBack> {
        let names = self.held_names().len();
        if seen.is_some_and(|seen| names > seen) {
            return Err(HeldBack { names });
        }
        let confirmed = self.held().count();
        let held = self.holdings.unsettled().filter(|(_, holding)| holding.is_held());
        for fingerprint in held.map(|(own, _)| *own).collect::<Vec<_>>() {
            if let Some(holding) = self.holdings.get_mut(&fingerprint) {
                holding.state = State::Leaving { since: now, confirmed: true };
            }
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
        let unsettled = self.holdings.unsettled().map(|(_, holding)| holding);
        unsettled.filter(move |holding| holding.is_held() || leans_on_held(holding))
    }

    /// Whether certificates are held back from leaving until the operator confirms.
    pub(super) fn holds_back(&self) -> bool {
        self.holdings.unsettled().any(|(_, holding)| holding.is_held())
    }

    /// What lists show.
    pub(super) fn ledger(&self) -> Ledger {
        Ledger {
            rejected: self.notices.listed(),
            alarms: self.alarms.listed(),
            loads: self.loads,
            last_scan: self.last_scan,
            choices: Arc::default(),
            minimums: Arc::default(),
            objects: Arc::default(),
            last_good: Arc::new(self.last_good()),
            failed_scans: 0,
            watching: true,
        }
    }

    /// What serves although its files are not good any more.
    fn last_good(&self) -> BTreeSet<Box<str>> {
        let unsettled = self.holdings.unsettled().map(|(_, holding)| holding);
        let kept = unsettled.filter(|holding| holding.state == State::Kept && holding.owner == Owner::Folder);
        kept.map(|holding| holding.served.facts.fingerprint.clone()).collect()
    }

    /// Every certificate that is held, for a look without an edge.
    pub(super) fn certificates(&self) -> Vec<Arc<ServedCert>> {
        self.standing.order().iter().map(|ranked| Arc::clone(ranked.certificate())).collect()
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

    /// Whether a folder can be read that could not be before.
    fn has_new_folders(&self, roots: &[Root]) -> bool {
        roots.iter().zip(&self.origins).any(|(root, origin)| root.is_readable() && origin.is_none())
    }
}

/// Certificate and key are renamed one after the other, in microseconds by a program.
const SECOND_HALF: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests;
