//! All certificates in service, and which of them something is to become of.

use std::collections::{BTreeMap, BTreeSet};

use super::Holding;
use super::holding::State;
use crate::certs::certificate::Fingerprint;
use crate::certs::roots::Roots;

/// All holdings, by their fingerprints. Whoever changes one cannot but stir it.
#[derive(Default)]
pub(super) struct Holdings {
    /// Apart: a map that is filled in order leaves half of the room in it empty.
    all: BTreeMap<Fingerprint, Box<Holding>>,
    /// Those that are not simply there, as far as the order knows.
    unsettled: BTreeSet<Fingerprint>,
    /// What came, went or may be another since the order was made.
    stirred: BTreeSet<Fingerprint>,
}

impl Holdings {
    pub(super) fn get(&self, fingerprint: &Fingerprint) -> Option<&Holding> {
        self.all.get(fingerprint).map(|holding| &**holding)
    }

    pub(super) fn get_key_value(&self, fingerprint: &Fingerprint) -> Option<(&Fingerprint, &Holding)> {
        self.all.get_key_value(fingerprint).map(|(fingerprint, holding)| (fingerprint, &**holding))
    }

    pub(super) fn get_mut(&mut self, fingerprint: &Fingerprint) -> Option<&mut Holding> {
        let holding = self.all.get_mut(fingerprint)?;
        self.stirred.insert(*fingerprint);
        Some(holding)
    }

    /// Gives the one that was there.
    pub(super) fn insert(&mut self, fingerprint: Fingerprint, holding: Holding) -> Option<Holding> {
        self.stirred.insert(fingerprint);
        self.all.insert(fingerprint, Box::new(holding)).map(|before| *before)
    }

    pub(super) fn remove(&mut self, fingerprint: &Fingerprint) -> Option<Holding> {
        self.stirred.insert(*fingerprint);
        self.all.remove(fingerprint).map(|holding| *holding)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Fingerprint, &Holding)> {
        self.all.iter().map(|(fingerprint, holding)| (fingerprint, &**holding))
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &Holding> {
        self.all.values().map(|holding| &**holding)
    }

    /// All that are not simply there, and some that are.
    pub(super) fn unsettled(&self) -> impl Iterator<Item = (&Fingerprint, &Holding)> {
        self.unsettled.union(&self.stirred).filter_map(|fingerprint| self.get_key_value(fingerprint))
    }

    /// The library has it from now on.
    pub(super) fn is_kept(&mut self, fingerprint: &Fingerprint) {
        let Some(holding) = self.all.get_mut(fingerprint) else { return };
        holding.unkept = None;
        if !is_unsettled(holding) {
            self.unsettled.remove(fingerprint);
        }
    }

    /// Stirs all of them.
    pub(super) fn stir(&mut self) {
        self.stirred.extend(self.all.keys());
    }

    /// What was stirred since this was last asked for.
    pub(super) fn settle(&mut self) -> BTreeSet<Fingerprint> {
        let stirred = std::mem::take(&mut self.stirred);
        for fingerprint in &stirred {
            match self.all.get(fingerprint).is_some_and(|holding| is_unsettled(holding)) {
                true => self.unsettled.insert(*fingerprint),
                false => self.unsettled.remove(fingerprint),
            };
        }
        stirred
    }

    /// Makes the entry for the index say what is so at `unix`, seconds since the Unix epoch.
    pub(super) fn refresh(&mut self, fingerprint: &Fingerprint, roots: &Roots, unix: i64) {
        if let Some(holding) = self.all.get_mut(fingerprint) {
            holding.refresh(roots, unix);
        }
    }
}

fn is_unsettled(holding: &Holding) -> bool {
    holding.state != State::Present || holding.unkept.is_some() || holding.orphaned.is_some()
}
