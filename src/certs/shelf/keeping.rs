//! What shelf and library tell each other: what is new, what went, what the operator went back to or deleted.

use std::collections::BTreeSet;
use std::sync::Arc;

use hashbrown::HashSet;
use tokio::time::Instant;

use super::{Arrival, Holding, Moment, NotDeleted, NotGoneBack, NotTaken, Owner, Shelf, Taken};
use crate::certs::certificate::{Certificate, Fingerprint};
use crate::certs::chain::Voucher;
use crate::certs::export::{Export, NotExported};
use crate::certs::flaw::Flaw;
use crate::certs::folders::MAIN;
use crate::certs::ledger::shown;
use crate::certs::library::{NewVersion, Source, Version, lineage_id};
use crate::certs::pairing::Pair;
use crate::certs::ranking::{Ranked, is_covered, ranked};
use crate::certs::scan::{Content, Files};
use crate::live::ServedCert;
use crate::name::HostPattern;
use crate::store::StoreError;

impl Shelf {
    /// Puts back what served before the start and does not lie in the folder now. The look that follows judges it as if it had
    /// been there all the time.
    pub(in crate::certs) fn restore(&mut self, files: &Files, now: Moment) {
        let Some(library) = &self.library else { return };
        let stored = library.serving(leaves(files), now.unix);
        let mut restored = 0_usize;
        for stored in stored {
            match Holding::restored(&stored) {
                Ok(holding) => {
                    self.holdings.insert(stored.pair.leaf.fingerprint, holding);
                    restored += 1;
                }
                Err(flaw) => {
                    tracing::error!(fingerprint = %stored.record.fingerprint, "cannot be served again: {flaw}")
                }
            }
        }
        if restored > 0 {
            tracing::info!(certificates = restored, "certificates from the state folder serve again");
        }
    }

    /// Notes of a holding that has come what the library knows of it.
    pub(super) fn recognise(&mut self, holding: &mut Holding) {
        let Some(library) = &self.library else { return };
        let leaf = holding.leaf();
        if library.has(&leaf) {
            let is_turned_down = library.is_turned_down(&leaf);
            self.returned.push(*leaf.fingerprint);
            holding.is_revoked = library.is_revoked(&leaf);
            (holding.is_turned_down, holding.unkept) = (is_turned_down, None);
        }
    }

    /// Writes down what is new and what went; what cannot be written is tried again. Gives what is in the way, and whether
    /// there is more to write.
    pub(in crate::certs) fn keep(&mut self) -> (Option<StoreError>, bool) {
        let Some(library) = &mut self.library else { return (None, false) };
        let (mut trouble, at_once) = (None, self.batch.size());
        let unkept: Vec<Fingerprint> = self
            .holdings
            .unsettled()
            .filter(|(_, holding)| holding.unkept.is_some() && holding.owner == Owner::Folder)
            .map(|(fingerprint, _)| *fingerprint)
            .take(at_once + 1)
            .collect();
        let is_more = unkept.len() > at_once;
        let batch: Vec<&Holding> =
            unkept.iter().take(at_once).filter_map(|fingerprint| self.holdings.get(fingerprint)).collect();
        let keys: Vec<_> = batch.iter().map(|holding| holding.unkept.as_ref().map(|key| key.pem())).collect();
        let versions: Vec<NewVersion<'_>> = batch
            .iter()
            .zip(&keys)
            .filter_map(|(holding, key)| Some(holding.to_keep(key.as_ref()?.as_bytes(), Source::Dropped, None)))
            .collect();
        let begun = Instant::now();
        let kept = library.keep(&versions);
        self.batch.took(versions.len(), begun.elapsed());
        for (fingerprint, kept) in unkept.iter().zip(kept) {
            match kept {
                Ok(()) => self.holdings.is_kept(fingerprint),
                Err(error) => trouble = Some(error),
            }
        }
        for fingerprint in std::mem::take(&mut self.returned) {
            if let Some(holding) = self.holdings.get(&fingerprint)
                && let Err(error) = library.take_up(&holding.leaf())
            {
                self.returned.push(fingerprint);
                trouble = Some(error);
            }
        }
        for departure in std::mem::take(&mut self.departures) {
            // What came back in the same moment has not gone.
            if self.holdings.get(departure.holding.bundle.fingerprint()).is_some() {
                continue;
            }
            if let Err(error) = library.turn_down(&departure.holding.leaf(), departure.why) {
                trouble = Some(error);
                self.departures.push(departure);
            }
        }
        (trouble, is_more)
    }

    /// Takes in a pair that came another way than as files: kept first, then served. With its source comes whether its key is
    /// marked as one that may leave.
    ///
    /// # Errors
    /// When it cannot be served, or cannot be kept.
    pub(in crate::certs) fn take(
        &mut self,
        pair: &Pair,
        (source, is_exportable): (Source, bool),
        by: Option<&str>,
        now: Moment,
    ) -> Result<Taken, NotTaken> {
        let mut holding = Holding::owned_by_library(pair, now.unix)?;
        if let Some(library) = &mut self.library {
            let key = pair.key.pem();
            let version = NewVersion { is_exportable, ..holding.to_keep(key.as_bytes(), source, by) };
            library.keep(&[version]).pop().unwrap_or(Ok(()))?;
            let path = library.path_of(&holding.leaf());
            holding.moved_to(&path);
        }
        holding.unkept = None;
        let taken = Taken::of(&holding);
        if self.holdings.insert(pair.leaf.fingerprint, holding).is_none() {
            self.loads.accepted += 1;
        }
        self.retire(&taken.id, now);
        Ok(taken)
    }

    /// Makes an older version of a certificate serve again, and those after it no more.
    ///
    /// # Errors
    /// [`NotGoneBack`], and nothing has changed.
    pub(in crate::certs) fn go_back_to(&mut self, fingerprint: &str, now: Moment) -> Result<Taken, NotGoneBack> {
        let Some(library) = &mut self.library else { return Err(NotGoneBack::Unknown) };
        let stored = library.find(fingerprint).ok_or(NotGoneBack::Unknown)?.map_err(NotGoneBack::of)?;
        if !stored.pair.leaf.is_valid_at(now.unix) {
            return Err(NotGoneBack::Untimely);
        }
        if stored.is_revoked {
            return Err(NotGoneBack::Revoked);
        }
        let own = stored.pair.leaf.fingerprint;
        let holding = Holding::restored(&stored).map_err(|flaw| NotGoneBack::Damaged(flaw.to_string()))?;
        let taken = Taken::of(&holding);
        let current = library.versions_of(&taken.id).first().copied();
        let serves = self.holdings.get(&own).is_some_and(|there| !there.is_turned_down);
        if serves && current.is_some_and(|current| own.starts_with(&current)) {
            return Ok(taken);
        }
        library.go_back_to(fingerprint).map_err(NotGoneBack::Store)?;
        self.holdings.insert(own, holding);
        self.retire(&taken.id, now);
        Ok(taken)
    }

    /// Deletes a version with its key for good. `even_last_good`: also when names are left with nothing valid.
    ///
    /// # Errors
    /// [`NotDeleted`], and nothing has changed.
    pub(in crate::certs) fn delete(
        &mut self,
        fingerprint: &str,
        even_last_good: bool,
        files: &Files,
        now: Moment,
    ) -> Result<(), NotDeleted> {
        let found = self.holdings.iter().find(|(_, holding)| *holding.served.facts.fingerprint == *fingerprint);
        let dropped = found.map(|(own, _)| files_of(files, own)).unwrap_or_default();
        if !dropped.is_empty() {
            return Err(NotDeleted::Dropped(dropped));
        }
        let own = found.map(|(own, holding)| (*own, holding.leaf().lineage()));
        if let Some((own, _)) = &own
            && !even_last_good
        {
            let names = self.left_bare_without(own, now);
            if !names.is_empty() {
                return Err(NotDeleted::LastGood(names));
            }
        }
        let Some(library) = &mut self.library else { return Err(NotDeleted::Unknown) };
        if !library.delete(fingerprint).map_err(NotDeleted::Store)? && own.is_none() {
            return Err(NotDeleted::Unknown);
        }
        if let Some((own, lineage)) = own {
            self.holdings.remove(&own);
            self.bring_back(&lineage, files, now);
        }
        Ok(())
    }

    /// Has the version of a certificate serve that is current now.
    pub(super) fn bring_back(&mut self, lineage: &str, files: &Files, now: Moment) {
        self.is_stirred = true;
        let Some(library) = &self.library else { return };
        for stored in library.serving_one(lineage, leaves(files), now.unix) {
            if let Ok(holding) = Holding::restored(&stored) {
                let own = stored.pair.leaf.fingerprint;
                if self.holdings.get(&own).is_none() {
                    self.holdings.insert(own, holding);
                }
            }
        }
    }

    /// The versions of the certificate that `fingerprint` is one of.
    pub(in crate::certs) fn history(&self, fingerprint: &str) -> Option<Vec<Version>> {
        self.library.as_ref()?.history(fingerprint)
    }

    /// The version of a fingerprint with its key, if that may leave.
    ///
    /// # Errors
    /// [`NotExported`].
    pub(in crate::certs) fn export(&self, fingerprint: &str) -> Result<Export, NotExported> {
        if !self.terms.export {
            return Err(NotExported::Off);
        }
        let found = self.library.as_ref().and_then(|library| library.find(fingerprint));
        match found {
            Some(Ok(stored)) => Export::of(&stored),
            Some(Err(unreadable)) => Err(NotExported::Damaged(unreadable.to_string())),
            // The library has all that came; what serves besides was issued here.
            None if self.standing.order().iter().any(|own| *own.certificate().facts.fingerprint == *fingerprint) => {
                Err(match self.in_service(fingerprint) {
                    Some(_) => NotExported::NotKept,
                    None => NotExported::BornHere,
                })
            }
            None => Err(NotExported::Unknown),
        }
    }

    /// Authorities' certificates that came with anything that serves, or lie in the folder: for chains that lack them.
    pub(in crate::certs) fn known_authorities(&self, files: &Files) -> Vec<Arc<Certificate>> {
        let mut seen = HashSet::new();
        let remembered = self.memory.authorities(&self.folders).into_iter();
        let mut known: Vec<Arc<Certificate>> =
            remembered.filter(|(folder, _)| *folder == MAIN).map(|(_, authority)| authority).collect();
        // Whoever writes a limited folder has no word in what comes another way.
        for (_, record) in files.iter().filter(|(file, _)| self.folders.place(file) == MAIN) {
            if let Content::Parts(parts) = &record.content {
                let authorities = parts.certificates.iter().filter(|certificate| certificate.traits.is_ca);
                known.extend(authorities.filter(|authority| seen.insert(authority.fingerprint)).cloned());
            }
        }
        let kept = self.holdings.values().filter(|holding| holding.owner == Owner::Library);
        let issuers: BTreeSet<&[u8]> =
            kept.flat_map(|holding| &holding.bundle.chain()[1..]).map(AsRef::as_ref).collect();
        let issuers = issuers.into_iter().filter_map(|der| Certificate::read(der.to_vec().into()).ok());
        known.extend(issuers.filter(|issuer| seen.insert(issuer.fingerprint)).map(Arc::new));
        known
    }

    /// The certificate of a fingerprint, if it may serve.
    pub(in crate::certs) fn in_service(&self, fingerprint: &str) -> Option<&Arc<ServedCert>> {
        let mut offered = self.offered().map(|(_, holding)| &holding.served);
        offered.find(|served| *served.facts.fingerprint == *fingerprint)
    }

    /// What is told of a certificate that has just come. One that was behind another version from the start serves nothing.
    pub(in crate::certs) fn arrival(&self, taken: Taken) -> Arrival {
        let Taken { certificate, id, fingerprint, .. } = taken;
        let certificate = self.holdings.get(&fingerprint).map_or(certificate, |there| Arc::clone(&there.served));
        Arrival { serves: stands_for(self.standing.order(), &certificate), certificate, id }
    }

    /// What would be told of a certificate if it came now.
    pub(in crate::certs) fn would_be(&self, certificate: Arc<ServedCert>, now: Moment) -> Arrival {
        let id = lineage_id(&certificate.names, certificate.key_type);
        let mut certificates: Vec<Arc<ServedCert>> = self
            .offered()
            .filter(|(_, holding)| holding.served.facts.fingerprint != certificate.facts.fingerprint)
            .map(|(_, holding)| Arc::clone(&holding.served))
            .collect();
        certificates.push(Arc::clone(&certificate));
        let order = ranked(&certificates, &self.minimums, now.unix);
        Arrival { serves: stands_for(&order, &certificate), certificate, id }
    }

    /// Lets go of what the library holds besides the versions that may serve: the newest valid one, and those that will be.
    fn retire(&mut self, lineage: &str, now: Moment) {
        self.is_stirred = true;
        let Some(library) = &self.library else { return };
        let of_lineage: Vec<Fingerprint> = self
            .holdings
            .iter()
            .filter(|(_, holding)| holding.leaf().lineage() == lineage)
            .map(|(fingerprint, _)| *fingerprint)
            .collect();
        let mut stay = HashSet::new();
        for version in library.versions_of(lineage) {
            let Some(fingerprint) = of_lineage.iter().find(|fingerprint| fingerprint.starts_with(&version)) else {
                continue;
            };
            stay.insert(*fingerprint);
            let holding = self.holdings.get(fingerprint);
            if holding.is_some_and(|own| own.owner == Owner::Library && own.is_valid_at(now.unix)) {
                break;
            }
        }
        for fingerprint in of_lineage {
            let Some(holding) = self.holdings.get_mut(&fingerprint) else { continue };
            match holding.owner {
                Owner::Folder => holding.is_turned_down = library.is_turned_down(&holding.leaf()),
                Owner::Library if stay.contains(&fingerprint) => {}
                Owner::Library => drop(self.holdings.remove(&fingerprint)),
            }
        }
    }

    /// The names of a certificate that nothing valid would serve any more.
    fn left_bare_without(&self, own: &Fingerprint, now: Moment) -> Vec<String> {
        let Some(holding) = self.holdings.get(own).filter(|holding| holding.is_valid_at(now.unix)) else {
            return Vec::new();
        };
        let others = self.offered().filter(|(other, holding)| *other != own && holding.is_valid_at(now.unix));
        let covered: HashSet<&HostPattern> = others.flat_map(|(_, holding)| holding.bundle.names()).collect();
        let bare = holding.bundle.names().iter().filter(|name| !is_covered(&covered, name));
        bare.map(ToString::to_string).collect()
    }
}

impl Holding {
    /// One whose going is no matter of files.
    fn owned_by_library(pair: &Pair, unix: i64) -> Result<Self, Flaw> {
        let mut holding = Self::new(pair, None, unix)?;
        holding.owner = Owner::Library;
        // What was known of its chain is its own from now on.
        if let Voucher::Remembered(issuer) = pair.voucher {
            holding.voucher = Voucher::Present(issuer);
        }
        Ok(holding)
    }

    fn to_keep<'a>(&'a self, key: &'a [u8], source: Source, by: Option<&'a str>) -> NewVersion<'a> {
        let is_dropped = source == Source::Dropped;
        NewVersion {
            leaf: self.leaf(),
            chain: self.bundle.chain(),
            key,
            source,
            certificate_files: if is_dropped { self.certificate_files() } else { &[] },
            key_files: if is_dropped { self.key_files() } else { &[] },
            added: self.since,
            added_by: by,
            is_exportable: false,
        }
    }
}

/// Every certificate in the folder whose key lies there too.
fn leaves(files: &Files) -> impl Iterator<Item = &Fingerprint> {
    let parts = || {
        files.values().filter_map(|record| match &record.content {
            Content::Parts(parts) => Some(parts),
            Content::Flawed(_) => None,
        })
    };
    let keys: HashSet<&[u8; 32]> = parts().flat_map(|parts| &parts.keys).map(|key| &key.public.id).collect();
    let certificates = parts().flat_map(|parts| &parts.certificates);
    certificates.filter(move |one| keys.contains(&one.key.id)).map(|certificate| &certificate.fingerprint)
}

/// The files in which a certificate lies in the folder.
fn files_of(files: &Files, own: &Fingerprint) -> Vec<String> {
    let holds = |content: &Content| match content {
        Content::Parts(parts) => parts.certificates.iter().any(|certificate| certificate.fingerprint == *own),
        Content::Flawed(_) => false,
    };
    let mut found: Vec<String> =
        files.iter().filter(|(_, record)| holds(&record.content)).map(|(file, _)| shown(file)).collect();
    found.sort_unstable();
    found
}

/// The names that a certificate of this order serves, nobody before it having its type of key.
fn stands_for(order: &[Ranked], certificate: &Arc<ServedCert>) -> Vec<HostPattern> {
    let mut names: Vec<&HostPattern> = certificate.names.iter().collect();
    for ranked in order {
        let is_its_own = Arc::ptr_eq(ranked.certificate(), certificate);
        if is_its_own || ranked.certificate().key_type.label() == certificate.key_type.label() {
            names.retain(|name| ranked.names().contains(name) == is_its_own);
        }
        if is_its_own {
            return names.into_iter().cloned().collect();
        }
    }
    Vec::new()
}
