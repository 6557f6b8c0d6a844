//! How certificates come: as pairs in the folder, and what is said of halves meanwhile.

use hashbrown::HashSet;

use super::holding::State;
use super::{Holding, Moment, Owner, Shelf};
use crate::certs::certificate::Fingerprint;
use crate::certs::fate;
use crate::certs::ledger::Findings;
use crate::certs::pairing::{Pairing, Problem};
use crate::certs::pairs::Paired;
use crate::certs::request::Offer;
use crate::certs::scan::Files;

impl Shelf {
    /// Puts pairs on the shelf. Gives those of the pairs that are good.
    pub(super) fn admit(
        &mut self,
        look: &Paired,
        files: &Files,
        findings: &mut Findings,
        now: Moment,
    ) -> HashSet<Fingerprint> {
        let pairs = &look.pairing.pairs;
        let mut present = HashSet::with_capacity(pairs.len());
        let mut accepted = Vec::new();
        self.refused.retain(|fingerprint, _| !look.has_changed(fingerprint));
        for pair in pairs {
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
                        self.refused.insert(fingerprint, (pair.certificate_files.clone(), flaw));
                        continue;
                    }
                }
            }
            if let Some(holding) = self.holdings.get_mut(&fingerprint) {
                holding.is_present_in(pair, now.steady);
            }
            present.insert(fingerprint);
        }
        for (files, flaw) in self.refused.values() {
            files.iter().for_each(|file| findings.reject(file, flaw.clone()));
        }
        self.loads.accepted += accepted.len() as u64;
        self.tell_accepted(&accepted, files, now);
        present
    }

    /// Halves wait for each other, unless the last good pair of theirs is still in service.
    pub(super) fn note_waiting(&self, pairing: &Pairing, offer: &Offer, findings: &mut Findings) {
        let kept = || self.holdings.unsettled().filter(|(_, holding)| holding.state == State::Kept);
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
}
