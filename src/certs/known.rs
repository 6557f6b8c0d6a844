//! Certificates that were read before.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hashbrown::HashTable;
use rustls_pki_types::CertificateDer;

use super::certificate::{Certificate, Fingerprint, sha256};
use super::flaw::Flaw;

/// Certificates by what they are, so that the intermediate in ten thousand files is parsed and held once.
#[derive(Default)]
pub(super) struct Known(Mutex<Certificates>);

/// By their fingerprints, which are as good as hashes: whoever finds two that begin alike looks at the rest.
type Certificates = HashTable<Arc<Certificate>>;

impl Known {
    /// Reads a certificate unless it is known.
    pub(super) fn read(&self, der: CertificateDer<'static>) -> Result<Arc<Certificate>, Flaw> {
        let fingerprint = sha256(&der);
        let (hash, is_it) = (hash(&fingerprint), |known: &Arc<Certificate>| known.fingerprint == fingerprint);
        if let Some(known) = self.certificates().find(hash, is_it) {
            return Ok(Arc::clone(known));
        }
        let certificate = Arc::new(Certificate::of(&der, fingerprint)?);
        let mut known = self.certificates();
        let entry = known.entry(hash, is_it, |known| self::hash(&known.fingerprint));
        Ok(Arc::clone(entry.or_insert(certificate).get()))
    }

    /// Lets go of what no file holds any more.
    pub(super) fn forget_unused(&self) {
        self.certificates().retain(|certificate| Arc::strong_count(certificate) > 1);
    }

    fn certificates(&self) -> MutexGuard<'_, Certificates> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hash(fingerprint: &Fingerprint) -> u64 {
    u64::from_le_bytes(*fingerprint.first_chunk().unwrap_or(&[0; 8]))
}
