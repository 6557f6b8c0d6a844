//! How certificates go: one by one after their grace, and never all at once.

use std::time::Duration;

use hashbrown::{HashMap, HashSet};

use super::holding::State;
use super::{Departure, Holding, Moment, Owner, Shelf};
use crate::certs::certificate::Fingerprint;
use crate::certs::fate::{Fate, Sources};
use crate::certs::ledger::{Findings, shown};
use crate::certs::library::TurnedDown;
use crate::certs::pairing::Pairing;
use crate::certs::ranking::is_covered;
use crate::certs::scan::Files;
use crate::name::HostPattern;

impl Shelf {
    /// What is to become of everything that is no longer a pair in the folder. Gives what was taken away just now.
    pub(super) fn judge(
        &mut self,
        pairing: &Pairing,
        files: &Files,
        present: &HashSet<Fingerprint>,
        findings: &mut Findings,
        now: Moment,
    ) -> HashSet<Fingerprint> {
        let mut gone = HashSet::new();
        for (fingerprint, fate) in self.fates(pairing, files, present, now.unix) {
            let Some(holding) = self.holdings.get_mut(&fingerprint) else { continue };
            match fate {
                Fate::Spoiled(spoilt) => {
                    holding.state = State::Kept;
                    for (file, flaw) in spoilt {
                        findings.note(&file, flaw);
                    }
                }
                Fate::Replaced => {
                    tracing::info!(
                        file = %shown(&holding.served.facts.file),
                        fingerprint = %holding.served.facts.fingerprint,
                        "replaced by a new certificate"
                    );
                    if let Some(holding) = self.holdings.remove(&fingerprint) {
                        self.departures.push(Departure::new(holding, TurnedDown::Replaced));
                    }
                }
                Fate::Deleted => {
                    if matches!(holding.state, State::Present | State::Kept) {
                        gone.insert(fingerprint);
                    }
                }
            }
        }
        gone
    }

    /// The fate of each certificate whose pair is missing. One is replaced only by what serves all its names as well as it did;
    /// otherwise it goes as if it had been deleted.
    fn fates(
        &self,
        pairing: &Pairing,
        files: &Files,
        present: &HashSet<Fingerprint>,
        unix: i64,
    ) -> Vec<(Fingerprint, Fate)> {
        let is_missing = |fingerprint: &Fingerprint, holding: &Holding| {
            holding.owner == Owner::Folder && !present.contains(fingerprint) && self.readable[self.place(holding)]
        };
        let mut missing =
            self.holdings.iter().filter(|(fingerprint, holding)| is_missing(fingerprint, holding)).peekable();
        if missing.peek().is_none() {
            return Vec::new();
        }
        let sources = Sources::new(pairing, files, &self.folders, present, unix);
        let cover = self.cover(unix, |fingerprint, holding| !is_missing(fingerprint, holding));
        let fate = |(fingerprint, holding): (&Fingerprint, &Holding)| {
            let fate = match sources.fate(fingerprint, holding) {
                Fate::Replaced if cover.lacks(holding).next().is_some() => Fate::Deleted,
                fate => fate,
            };
            (*fingerprint, fate)
        };
        missing.map(fate).collect()
    }

    /// Lets go of what was deleted, unless it is too much at once; and of what was held back and is not missed any more.
    pub(super) fn part_with(&mut self, gone: &HashSet<Fingerprint>, replaced: &[bool], now: Moment) {
        if !gone.is_empty() || self.holds_back() {
            let sweep = self.sweep(gone, replaced, now);
            for (fingerprint, holding) in &mut self.holdings {
                let missed = sweep.missed.contains(fingerprint);
                let since = holding.gone_since().unwrap_or(now.steady);
                let place = self.folders.place(&holding.certificate_files()[0]);
                let hold = !gone.is_empty() && sweep.accidents.contains(&place);
                if hold && missed && sweep.certificates.contains(fingerprint) {
                    holding.state = State::Held { since };
                } else if gone.contains(fingerprint) || holding.is_held() && !missed {
                    holding.state = State::Leaving { since: now.steady, confirmed: false };
                    let file = shown(&holding.served.facts.file);
                    tracing::info!(file = %file, seconds = GRACE.as_secs(), "deleted, serves until the grace is over");
                }
            }
        }
        let (folders, readable) = (&self.folders, &self.readable);
        let is_over = |holding: &Holding| {
            matches!(holding.state, State::Leaving { since, .. } if since + GRACE <= now.steady)
                && readable[folders.place(&holding.certificate_files()[0])]
        };
        for (_, holding) in self.holdings.extract_if(.., |_, holding| is_over(holding)) {
            self.loads.withdrawn += 1;
            let facts = &holding.served.facts;
            tracing::info!(file = %shown(&facts.file), fingerprint = %facts.fingerprint, "withdrawn");
            self.departures.push(Departure::new(holding, TurnedDown::Withdrawn));
        }
    }

    /// The issuers that must not be forgotten: those of what is held, and those whose going would leave too many without one. The
    /// chain of a hundred shops may lie in one file.
    pub(super) fn issuers_to_hold(&self, replaced: &[bool], now: Moment) -> HashSet<Fingerprint> {
        if self.memory.is_empty() {
            return HashSet::new();
        }
        let leaning = || {
            let leaning = self.holdings.values().filter_map(|holding| Some((holding.leans_on()?, holding)));
            leaning.filter(|(issuer, _)| !self.memory.is_confirmed(issuer))
        };
        let cover = self.cover(now.unix, |_, holding| holding.has_files() && holding.leans_on().is_none());
        let accidents = self.accidents(leaning().map(|(_, holding)| holding), &cover, replaced);
        let held = self.holdings.values().filter(|holding| holding.is_held());
        let mut issuers: HashSet<Fingerprint> = held.filter_map(|holding| holding.voucher.issuer()).collect();
        let held_on = leaning().filter(|(_, holding)| accidents.contains(&self.place(holding)));
        issuers.extend(held_on.map(|(issuer, _)| issuer));
        issuers
    }

    /// The folders from which so much would go that it looks like an accident.
    fn accidents<'h>(
        &'h self,
        going: impl Iterator<Item = &'h Holding>,
        cover: &Cover<'_>,
        replaced: &[bool],
    ) -> HashSet<usize> {
        let mut lost: HashMap<usize, HashSet<&HostPattern>> = HashMap::new();
        for holding in going {
            lost.entry(self.place(holding)).or_default().extend(cover.lacks(holding));
        }
        let names = |place: usize| -> HashSet<&HostPattern> {
            let own = self.holdings.values().filter(|holding| self.place(holding) == place);
            own.flat_map(|holding| holding.bundle.names()).collect()
        };
        lost.retain(|place, lost| is_an_accident(lost.len(), names(*place).len(), replaced[*place]));
        lost.into_keys().collect()
    }

    /// Lets go of what its folder may not supply any more: the operator has taken the name from its writer.
    pub(super) fn part_with_what_is_not_allowed(&mut self) {
        let folders = &self.folders;
        let is_foreign = |holding: &Holding| {
            let place = folders.place(&holding.certificate_files()[0]);
            holding.owner == Owner::Folder && !folders.may_supply(place, holding.bundle.names())
        };
        for (_, holding) in self.holdings.extract_if(.., |_, holding| is_foreign(holding)) {
            let facts = &holding.served.facts;
            tracing::warn!(
                file = %shown(&facts.file), fingerprint = %facts.fingerprint,
                "withdrawn: its folder may not supply all its names any more"
            );
            self.departures.push(Departure::new(holding, TurnedDown::Withdrawn));
        }
    }

    /// What one deletion takes away: all that is gone now, and what went in the grace before, since a slow `rm -r` reaches us as
    /// many looks. What the operator has confirmed does not count.
    fn sweep(&self, gone: &HashSet<Fingerprint>, replaced: &[bool], now: Moment) -> Sweep {
        let went = |fingerprint: &Fingerprint, holding: &Holding| match holding.state {
            State::Leaving { since, confirmed: false } | State::Held { since } => since + GRACE > now.steady,
            _ => gone.contains(fingerprint),
        };
        let cover = self.cover(now.unix, |fingerprint, holding| holding.has_files() && !gone.contains(fingerprint));
        let missed = self.holdings.iter().filter(|(_, holding)| cover.lacks(holding).next().is_some());
        let certificates = self.holdings.iter().filter(|(fingerprint, holding)| went(fingerprint, holding));
        Sweep {
            missed: missed.map(|(fingerprint, _)| *fingerprint).collect(),
            certificates: certificates.clone().map(|(fingerprint, _)| *fingerprint).collect(),
            accidents: self.accidents(certificates.map(|(_, holding)| holding), &cover, replaced),
        }
    }

    /// What those that stay, and are valid, can stand in for.
    fn cover(&self, unix: i64, stays: impl Fn(&Fingerprint, &Holding) -> bool) -> Cover<'_> {
        let mut cover = Cover::default();
        for (fingerprint, holding) in self.offered() {
            if stays(fingerprint, holding) && holding.is_valid_at(unix) {
                for names in &mut cover.0[..=holding.credit()] {
                    names.extend(holding.bundle.names());
                }
            }
        }
        cover
    }
}

/// The names that others answer for, by the least credit that these have.
#[derive(Default)]
struct Cover<'a>([HashSet<&'a HostPattern>; 3]);

impl Cover<'_> {
    /// The names of a certificate that nothing serves as well. What comes without its issuer, or
    /// leads to no root, is no stand-in for what clients trust.
    fn lacks<'h>(&self, holding: &'h Holding) -> impl Iterator<Item = &'h HostPattern> {
        let names = &self.0[holding.credit()];
        holding.bundle.names().iter().filter(move |name| !is_covered(names, name))
    }
}

/// What goes in one deletion.
struct Sweep {
    certificates: HashSet<Fingerprint>,
    /// All certificates with a name that nothing else serves as well.
    missed: HashSet<Fingerprint>,
    /// Folders from which more goes than looks meant.
    accidents: HashSet<usize>,
}

/// An unmounted volume reads as an empty folder. `lost` of `names` would go, or lose their issuer.
fn is_an_accident(lost: usize, names: usize, folder_replaced: bool) -> bool {
    lost > FEW_NAMES.max(names / ONE_PERCENT) || folder_replaced && lost > 0
}

/// A deleted file may be the first half of a clumsy replacement.
pub(super) const GRACE: Duration = Duration::from_secs(60);
/// So many names may go within the grace, or one of a hundred.
const FEW_NAMES: usize = 5;
const ONE_PERCENT: usize = 100;
