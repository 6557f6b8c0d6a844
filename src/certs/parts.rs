//! What one file gives to the pairing.

use std::sync::Arc;

use super::bundle::Key;
use super::certificate::Certificate;
use super::flaw::Flaw;
use super::formats::Items;
use super::known::Known;
use super::pairing::KeyId;
use super::password::Password;

/// The certificates and keys of one file, in its order.
#[derive(Clone, Default)]
pub(crate) struct Parts {
    pub(super) certificates: Vec<Arc<Certificate>>,
    pub(super) keys: Vec<Arc<Key>>,
    /// Whether whoever reads the file has a key.
    pub(super) has_open_key: bool,
}

impl Parts {
    /// Reads a file's content. Certificates that are in `known` are taken from there.
    pub(super) fn read(content: &[u8], password: &Password, known: &Known) -> Result<Self, Flaw> {
        Self::of(Items::read(content, password)?, known)
    }

    /// Reads what was found.
    pub(super) fn of(items: Items, known: &Known) -> Result<Self, Flaw> {
        let mut parts = Self { has_open_key: items.has_open_key, ..Self::default() };
        parts.certificates.reserve_exact(items.certificates.len());
        for der in items.certificates {
            let certificate = known.read(der)?;
            if !parts.certificates.iter().any(|known| known.fingerprint == certificate.fingerprint) {
                parts.certificates.push(certificate);
            }
        }
        parts.keys.reserve_exact(items.keys.len());
        for der in &items.keys {
            let key = Key::read(der)?;
            if !parts.keys.iter().any(|known| known.public.id == key.public.id) {
                parts.keys.push(Arc::new(key));
            }
        }
        Ok(parts)
    }

    /// By what the public keys are known that it has a private key or a certificate of.
    pub(super) fn public_keys(&self) -> impl Iterator<Item = &KeyId> {
        let certified = self.certificates.iter().map(|certificate| &certificate.key.id);
        self.keys.iter().map(|key| &key.public.id).chain(certified)
    }
}
