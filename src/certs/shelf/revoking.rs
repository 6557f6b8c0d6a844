//! What is revoked, and what is known of a certificate for whoever is to revoke it.

use hashbrown::HashSet;

use super::{Moment, Shelf};
use crate::certs::kept::{Kept, NotFound};
use crate::certs::library::{Revocation, Source};
use crate::certs::scan::Files;
use crate::store::StoreError;

impl Shelf {
    /// What is kept of a certificate, by its fingerprint.
    ///
    /// # Errors
    /// [`NotFound`].
    pub(in crate::certs) fn kept(&self, fingerprint: &str) -> Result<Kept, NotFound> {
        let library = self.library.as_ref().ok_or(NotFound::Unknown)?;
        let stored = match library.find(fingerprint) {
            Some(stored) => stored.map_err(|unreadable| NotFound::Damaged(unreadable.to_string()))?,
            None if self.in_service(fingerprint).is_some() => return Err(NotFound::NotKept),
            None => return Err(NotFound::Unknown),
        };
        let key = stored.pair.key.public.id;
        // Those in service, and what came before in the same place; both may have the key of this one.
        let in_service = self.holdings.values().filter(|holding| *holding.key() == key);
        let mut same_key: Vec<String> =
            in_service.map(|holding| holding.served.facts.fingerprint.to_string()).collect();
        for version in library.history(fingerprint).unwrap_or_default() {
            if let Some(Ok(other)) = library.find(&version.fingerprint)
                && other.pair.key.public.id == key
            {
                same_key.push(version.fingerprint);
            }
        }
        let mut seen = HashSet::new();
        same_key.retain(|other| other != fingerprint && seen.insert(other.clone()));
        Ok(Kept {
            certificate: stored.pair.leaf.der.to_vec().into(),
            key: stored.pair.key.pkcs8(),
            issued_by: stored.record.added_by.filter(|_| stored.record.source == Source::Issued),
            is_revoked: stored.is_revoked,
            not_after: stored.record.not_after,
            same_key,
        })
    }

    /// Notes that these are revoked, the first by its authority, the others because they have its key. They serve on where nothing
    /// else could, unless they are to leave at once.
    ///
    /// # Errors
    /// When it could not be written down.
    pub(in crate::certs) fn revoke(
        &mut self,
        fingerprints: &[String],
        revocation: &Revocation,
        leaves: bool,
        files: &Files,
        now: Moment,
    ) -> Result<(), StoreError> {
        let Some(library) = &mut self.library else { return Ok(()) };
        for fingerprint in fingerprints {
            library.revoke(fingerprint, revocation, leaves)?;
        }
        let is_one = |of: &str| fingerprints.iter().any(|fingerprint| fingerprint == of);
        let own = self.holdings.iter().filter(|(_, holding)| is_one(&holding.served.facts.fingerprint));
        let own: Vec<_> = own.map(|(own, holding)| (*own, holding.leaf().lineage())).collect();
        for (own, lineage) in own {
            if let Some(holding) = self.holdings.get_mut(&own) {
                (holding.is_revoked, holding.is_turned_down) = (true, holding.is_turned_down || leaves);
            }
            // A version before it may be as good as ever.
            self.bring_back(&lineage, files, now);
        }
        Ok(())
    }
}
