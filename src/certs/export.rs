//! A certificate on its way out, with its chain and its key.

use std::sync::Arc;

use rustls_pki_types::CertificateDer;
use zeroize::Zeroizing;

use super::bundle::Key;
use super::formats::{armour, encrypted, pfx};
use super::library::Stored;

/// A certificate that leaves with its key. It cannot be printed.
pub struct Export {
    names: Vec<String>,
    /// The leaf first.
    chain: Vec<CertificateDer<'static>>,
    key: Arc<Key>,
}

impl Export {
    /// What a version gives, if its key may leave.
    pub(super) fn of(stored: &Stored) -> Result<Self, NotExported> {
        if !stored.record.is_exportable() {
            return Err(NotExported::BornHere);
        }
        let issuers = stored.pair.chain.iter();
        Ok(Self {
            names: stored.record.names.clone(),
            chain: [&stored.pair.leaf]
                .into_iter()
                .chain(issuers)
                .map(|certificate| certificate.der.to_vec().into())
                .collect(),
            key: Arc::clone(&stored.pair.key),
        })
    }

    /// The names that the certificate is for.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// PEM: the chain, the leaf first, then the key, encrypted where there is a password. `None` when the system has no random
    /// numbers.
    ///
    /// Encrypting takes some hundred milliseconds by design.
    #[must_use]
    pub fn pem(&self, password: Option<&str>) -> Option<Zeroizing<Vec<u8>>> {
        let key = self.key.pkcs8();
        let key = match password {
            Some(password) => armour("ENCRYPTED PRIVATE KEY", &encrypted(&key, password)?),
            None => armour("PRIVATE KEY", &key),
        };
        let blocks: Vec<_> = self.chain.iter().map(|der| armour("CERTIFICATE", der)).chain([key]).collect();
        // With room for all of it at once: what grows leaves copies behind.
        let mut text = Zeroizing::new(Vec::with_capacity(blocks.iter().map(|block| block.len()).sum()));
        blocks.iter().for_each(|block| text.extend_from_slice(block.as_bytes()));
        Some(text)
    }

    /// PKCS#12: key and chain behind the password.
    ///
    /// That takes some hundred milliseconds by design.
    ///
    /// # Errors
    /// In words, without a secret.
    pub fn pfx(&self, password: &str) -> Result<Zeroizing<Vec<u8>>, String> {
        let name = self.names.first().map_or("", String::as_str);
        pfx(name, &self.key.pkcs8(), &self.chain, password)
    }
}

/// Why a certificate does not leave with its key.
#[derive(Debug)]
pub enum NotExported {
    /// The configuration does not allow any.
    Off,
    /// No version has this fingerprint.
    Unknown,
    /// The key was made here, and is not marked as one that may leave.
    BornHere,
    /// It serves, and is not in the library yet.
    NotKept,
    /// What is kept of it cannot be used.
    Damaged(String),
}
