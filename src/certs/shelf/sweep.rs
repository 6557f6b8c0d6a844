//! How certificates go: one by one after their grace, and never all at once.

use std::time::Duration;

use hashbrown::{HashMap, HashSet};

use super::holding::State;
use super::{Departure, Holding, Moment, Owner, Shelf};
use crate::certs::certificate::Fingerprint;
use crate::certs::fate::{Fate, Sources};
use crate::certs::ledger::{Findings, shown};
use crate::certs::library::TurnedDown;
use crate::certs::pairing::{FileParts, KeyId};
use crate::certs::pairs::{Paired, Stock};
use crate::certs::ranking::{asked_about, is_covered};
use crate::name::HostPattern;

impl Shelf {
    /// What is to become of everything that is no longer a pair in the folder. Gives what was taken away just now.
    pub(super) fn judge(
        &mut self,
        look: &Paired,
        stock: &Stock<'_>,
        present: &HashSet<Fingerprint>,
        findings: &mut Findings,
        now: Moment,
    ) -> HashSet<Fingerprint> {
        let mut gone = HashSet::new();
        for (fingerprint, fate) in self.fates(look, stock, present, now.unix) {
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
        look: &Paired,
        stock: &Stock<'_>,
        present: &HashSet<Fingerprint>,
        unix: i64,
    ) -> Vec<(Fingerprint, Fate)> {
        let is_missing = |fingerprint: &Fingerprint, holding: &Holding| {
            // Whatever has not changed is as it was before.
            let may_be = holding.state != State::Present || look.has_changed(fingerprint);
            may_be
                && holding.owner == Owner::Folder
                && !present.contains(fingerprint)
                && self.readable[self.place(holding)]
        };
        let missing: Vec<(&Fingerprint, &Holding)> =
            self.concerned(look).filter(|(fingerprint, holding)| is_missing(fingerprint, holding)).collect();
        if missing.is_empty() {
            return Vec::new();
        }
        // What has to do with them: their keys, and what lies in their files now.
        let files =
            missing.iter().flat_map(|(_, holding)| holding.certificate_files().iter().chain(holding.key_files()));
        let files: Vec<FileParts<'_>> = files.filter_map(|file| self.pairs.file(file, stock)).collect();
        let keys =
            files.iter().flat_map(|file| file.parts.public_keys()).chain(missing.iter().map(|(_, own)| own.key()));
        let keys: HashSet<KeyId> = keys.copied().collect();
        let pairing = self.pairs.of_keys(&keys, stock);
        let is_present = |own: &Fingerprint| {
            let holding = self.holdings.get(own);
            holding.is_some_and(|holding| match look.has_changed(own) {
                true => present.contains(own),
                false => holding.owner == Owner::Library || holding.state == State::Present,
            })
        };
        let holders = keys.iter().flat_map(|key| self.pairs.holders(key, stock));
        let sources = Sources::new(holders, &pairing, (stock.files, &self.folders), is_present, unix);
        let fates: Vec<(Fingerprint, &Holding, Fate)> = missing
            .iter()
            .map(|(fingerprint, holding)| (**fingerprint, *holding, sources.fate(fingerprint, holding)))
            .collect();
        let replaced =
            || fates.iter().filter(|(.., fate)| matches!(fate, Fate::Replaced)).map(|(_, holding, _)| *holding);
        // Mostly by what has just come.
        let came = present.iter().filter_map(|own| self.holdings.get(own));
        let mut cover = Cover::of(came, replaced(), unix);
        if replaced().any(|holding| cover.lacks(holding).next().is_some()) {
            let staying = self.holdings.iter().filter(|(fingerprint, holding)| !is_missing(fingerprint, holding));
            cover = Cover::of(staying.map(|(_, holding)| holding), replaced(), unix);
        }
        let fate = |(fingerprint, holding, fate): (Fingerprint, &Holding, Fate)| match fate {
            Fate::Replaced if cover.lacks(holding).next().is_some() => (fingerprint, Fate::Deleted),
            fate => (fingerprint, fate),
        };
        fates.into_iter().map(fate).collect()
    }

    /// All of which a look may have something to say.
    fn concerned<'s>(&'s self, look: &'s Paired) -> Box<dyn Iterator<Item = (&'s Fingerprint, &'s Holding)> + 's> {
        match look.changed.is_some() {
            // What a look changed, it stirred or left without its pair.
            true => {
                let changed = look.changed.iter().flatten().filter_map(|own| self.holdings.get_key_value(own));
                let unsettled = self.holdings.unsettled().filter(|(own, _)| !look.has_changed(own));
                Box::new(changed.chain(unsettled))
            }
            false => Box::new(self.holdings.iter()),
        }
    }

    /// Lets go of what was deleted, unless it is too much at once; and of what was held back and is not missed any more.
    pub(super) fn part_with(&mut self, gone: &HashSet<Fingerprint>, replaced: &[bool], now: Moment) {
        if !gone.is_empty() || self.holds_back() {
            let sweep = self.sweep(gone, replaced, now);
            for fingerprint in self.holdings.unsettled().map(|(own, _)| *own).collect::<Vec<_>>() {
                let Some(holding) = self.holdings.get_mut(&fingerprint) else { continue };
                let missed = sweep.missed.contains(&fingerprint);
                let since = holding.gone_since().unwrap_or(now.steady);
                let place = self.folders.place(&holding.certificate_files()[0]);
                let hold = !gone.is_empty() && sweep.accidents.contains(&place);
                if hold && missed && sweep.certificates.contains(&fingerprint) {
                    holding.state = State::Held { since };
                } else if gone.contains(&fingerprint) || holding.is_held() && !missed {
                    holding.state = State::Leaving { since: now.steady, confirmed: false };
                    let file = shown(&holding.served.facts.file);
                    tracing::info!(file = %file, seconds = GRACE.as_secs(), "deleted, serves until the grace is over");
                }
            }
        }
        let is_over = |holding: &Holding| {
            matches!(holding.state, State::Leaving { since, .. } if since + GRACE <= now.steady)
                && self.readable[self.place(holding)]
        };
        let over = self.holdings.unsettled().filter(|(_, holding)| is_over(holding));
        for fingerprint in over.map(|(own, _)| *own).collect::<Vec<_>>() {
            let Some(holding) = self.holdings.remove(&fingerprint) else { continue };
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
            let leaning = self.holdings.unsettled().filter_map(|(_, holding)| Some((holding.leans_on()?, holding)));
            leaning.filter(|(issuer, _)| !self.memory.is_confirmed(issuer))
        };
        let staying = self.holdings.values().filter(|holding| holding.has_files() && holding.leans_on().is_none());
        let cover = Cover::of(staying, leaning().map(|(_, holding)| holding), now.unix);
        let accidents = self.accidents(leaning().map(|(_, holding)| holding), &cover, replaced);
        let held = self.holdings.unsettled().map(|(_, holding)| holding).filter(|holding| holding.is_held());
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
        let names = |place: usize| {
            let own = self.holdings.values().filter(|holding| self.place(holding) == place);
            own.flat_map(|holding| holding.bundle.names()).collect::<HashSet<_>>().len()
        };
        lost.retain(|place, lost| is_an_accident(lost.len(), || names(*place), replaced[*place]));
        lost.into_keys().collect()
    }

    /// Lets go of what its folder may not supply any more: the operator has taken the name from its writer.
    pub(super) fn part_with_what_is_not_allowed(&mut self) {
        let is_foreign = |holding: &Holding| {
            holding.owner == Owner::Folder && !self.folders.may_supply(self.place(holding), holding.bundle.names())
        };
        let foreign = self.holdings.iter().filter(|(_, holding)| is_foreign(holding));
        for fingerprint in foreign.map(|(own, _)| *own).collect::<Vec<_>>() {
            let Some(holding) = self.holdings.remove(&fingerprint) else { continue };
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
        let stay = self.holdings.iter().filter(|(own, holding)| holding.has_files() && !gone.contains(*own));
        let unsettled = || self.holdings.unsettled();
        let cover = Cover::of(stay.map(|(_, holding)| holding), unsettled().map(|(_, holding)| holding), now.unix);
        let missed = unsettled().filter(|(_, holding)| cover.lacks(holding).next().is_some());
        let certificates = || unsettled().filter(|(fingerprint, holding)| went(fingerprint, holding));
        Sweep {
            missed: missed.map(|(fingerprint, _)| *fingerprint).collect(),
            certificates: certificates().map(|(fingerprint, _)| *fingerprint).collect(),
            accidents: self.accidents(certificates().map(|(_, holding)| holding), &cover, replaced),
        }
    }
}

/// The names that others answer for, by the least credit that these have, as far as some certificates ask for them.
#[derive(Default)]
struct Cover<'a>([HashSet<&'a HostPattern>; 3]);

impl<'a> Cover<'a> {
    /// What those that stay, and are valid, can stand in for.
    fn of<'h>(
        staying: impl Iterator<Item = &'a Holding>,
        asking: impl Iterator<Item = &'h Holding>,
        unix: i64,
    ) -> Self {
        let asked = asked_about(asking.flat_map(|holding| holding.bundle.names()));
        let mut cover = Self::default();
        for holding in staying.filter(|holding| !holding.is_turned_down && holding.is_valid_at(unix)) {
            for name in holding.bundle.names().iter().filter(|name| asked.contains(*name)) {
                for names in &mut cover.0[..=holding.credit()] {
                    names.insert(name);
                }
            }
        }
        cover
    }

    /// The names of an asking certificate that nothing serves as well. What comes without its issuer, or
    /// leads to no root, is no stand-in for what clients trust.
    fn lacks<'h>(&self, holding: &'h Holding) -> impl Iterator<Item = &'h HostPattern> {
        let names = &self.0[holding.credit()];
        holding.bundle.names().iter().filter(move |name| !is_covered(names, name))
    }
}

/// What goes in one deletion.
struct Sweep {
    certificates: HashSet<Fingerprint>,
    /// Those of which a name is served by nothing else as well.
    missed: HashSet<Fingerprint>,
    /// Folders from which more goes than looks meant.
    accidents: HashSet<usize>,
}

/// An unmounted volume reads as an empty folder. `lost` of `names` would go, or lose their issuer.
fn is_an_accident(lost: usize, names: impl FnOnce() -> usize, folder_replaced: bool) -> bool {
    lost > FEW_NAMES && lost > names() / ONE_PERCENT || folder_replaced && lost > 0
}

/// A deleted file may be the first half of a clumsy replacement.
pub(super) const GRACE: Duration = Duration::from_secs(60);
/// So many names may go within the grace, or one of a hundred.
const FEW_NAMES: usize = 5;
const ONE_PERCENT: usize = 100;
