//! What comes for requests, whose keys lie in the state and not in the folder.

use super::{Moment, NotTaken, Owner, Shelf};
use crate::certs::certificate::Fingerprint;
use crate::certs::ledger::shown;
use crate::certs::pairing::{Pair, Pairing};
use crate::certs::request::{Answer, Offer};

impl Shelf {
    /// Takes in the certificates for requests that were dropped. Like uploads they stay without their files: half of the pair
    /// never was one. What cannot be kept now serves out of the folder. What is kept already was taken in, and may have been
    /// gone back from since. Gives what to tell the requests.
    pub(super) fn take_requested(&mut self, pairing: &Pairing, offer: &Offer, now: Moment) -> Vec<Answer> {
        let Some(library) = &self.library else { return Vec::new() };
        let ours = pairing.pairs.iter().filter(|pair| offer.has_key_of(pair));
        let new: Vec<&Pair> = ours.filter(|pair| !library.has_certificate(&pair.leaf)).collect();
        let mut came = Vec::new();
        for pair in new {
            let file = shown(&pair.certificate_files[0]);
            match self.take(pair, (offer.source_of(pair), offer.is_exportable(pair)), None, now) {
                Ok(taken) => {
                    tracing::info!(%file, "taken in for a request; the file is not needed any more");
                    came.push(taken.answer(Some(file)));
                }
                // The look that goes on tells it, as of any other file.
                Err(NotTaken::Flaw(_)) => {}
                Err(NotTaken::Store(error)) => {
                    tracing::error!(%file, "the certificate for a request serves, and cannot be kept: {error}");
                }
            }
        }
        came
    }

    /// The certificates that are here for requests. A kill may have come between keeping one and telling the request: so all are
    /// named at every look, and whoever keeps requests knows which are new. `pairing` says in which file one lies.
    pub(super) fn answers(&self, offer: &Offer, pairing: &Pairing) -> Vec<Answer> {
        if offer.keys.is_empty() {
            return Vec::new();
        }
        let file = |leaf: &Fingerprint| {
            let pairs = &pairing.pairs;
            let found = pairs.binary_search_by_key(leaf, |pair| pair.leaf.fingerprint).ok()?;
            Some(shown(&pairs[found].certificate_files[0]))
        };
        let ours = self.holdings.iter().filter(|(_, holding)| offer.has_key(&holding.key));
        ours.map(|(leaf, holding)| Answer::served(holding.key, &holding.served.facts, file(leaf))).collect()
    }

    /// Whether a certificate stays whatever becomes of files.
    pub(super) fn is_owned_by_library(&self, leaf: &Fingerprint) -> bool {
        self.holdings.get(leaf).is_some_and(|holding| holding.owner == Owner::Library)
    }
}
