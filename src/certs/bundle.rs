//! A certificate that can be served: its key matches, its names are host names, its chain is in order.

use std::path::Path;
use std::sync::Arc;

use rustls::server::ParsedCertificate;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

use super::certificate::{Certificate, Fingerprint, hexadecimal};
use super::flaw::Flaw;
use super::folders::MAIN;
use super::formats::{armour, pkcs8, unsupported_key};
use super::pairing::{FileParts, Pair, pair};
use super::parts::Parts;
use super::password::Password;
use super::public_key::PublicKey;
use super::strength::too_short;
use crate::live::{CertFacts, CertTraits, Certified, KeyType, ServedCert, signing_key};
use crate::name::HostPattern;

/// Leaf, chain and key that belong together. Whoever holds one can serve it.
#[derive(Clone)]
pub struct Bundle {
    certified: Arc<Certified>,
    key_type: KeyType,
    leaf: Arc<Certificate>,
    names: Arc<[HostPattern]>,
    vouched: bool,
    trusted: bool,
    traits: CertTraits,
}

impl Bundle {
    /// Reads a bundle from the content of one file, or of several PEM files in any order: one key, its certificate, the chain.
    /// `password` opens what is encrypted.
    ///
    /// # Errors
    /// [`Flaw`] when there is not exactly one certificate with its key, or it cannot be served.
    pub fn parse(content: &[u8], password: Option<&str>) -> Result<Self, Flaw> {
        let password = password.map_or(Password::Absent, |password| Password::Given(password.to_owned().into()));
        let parts = Parts::read(content, &password, &Default::default())?;
        let path: Arc<Path> = Path::new("").into();
        let mut pairing = pair(&[FileParts { path: &path, parts: &parts, folder: MAIN }], &[]);
        match (pairing.pairs.pop(), pairing.pairs.is_empty()) {
            (Some(pair), true) => Self::new(&pair),
            (Some(_), false) => Err(Flaw::new(
                "several",
                "there are several certificates with their keys, and one is expected",
                "give them one by one",
            )),
            (None, _) => Err(super::pairing::key_mismatch()),
        }
    }

    /// Joins what was found to belong together.
    pub(super) fn new(Pair { leaf, key, chain, voucher, is_trusted, .. }: &Pair) -> Result<Self, Flaw> {
        let names = leaf.names.clone().map_err(|flaw| *flaw)?;
        if leaf.key.id != key.public.id {
            return Err(super::pairing::key_mismatch());
        }
        let key_type = key.public.key_type.ok_or_else(unsupported_key)?;
        let certificates = std::iter::once(leaf).chain(chain).map(|certificate| Arc::clone(&certificate.der)).collect();
        let certified = Arc::new(Certified::new(certificates, Arc::clone(&key.der)));
        ParsedCertificate::try_from(&CertificateDer::from(&*leaf.der)).map_err(|_| unreadable_leaf())?;
        let traits = CertTraits {
            weak_authority: chain.iter().any(|issuer| issuer.key.is_weak),
            weak_signature: std::iter::once(leaf).chain(chain).any(|signed| signed.traits.weak_signature),
            ..leaf.traits
        };
        Ok(Self {
            certified,
            key_type,
            leaf: Arc::clone(leaf),
            names,
            vouched: voucher.makes_whole(),
            trusted: *is_trusted,
            traits,
        })
    }

    /// The names it may be served under.
    #[must_use]
    pub fn names(&self) -> &[HostPattern] {
        &self.names
    }

    /// Leaf and issuers as they are sent, the leaf first.
    pub(super) fn chain(&self) -> &[Arc<[u8]>] {
        self.certified.chain()
    }

    /// Whose it is.
    pub(super) fn leaf(&self) -> &Arc<Certificate> {
        &self.leaf
    }

    /// SHA-256 over the leaf's DER.
    pub(super) fn fingerprint(&self) -> &Fingerprint {
        &self.leaf.fingerprint
    }

    /// What kind of signature its key makes.
    pub(super) fn key_type(&self) -> KeyType {
        self.key_type
    }

    /// The entry for the index: `file` is where the leaf was read, `embedded_key` whether its key was there too.
    #[must_use]
    pub fn served(&self, file: impl Into<Arc<Path>>, embedded_key: bool) -> Arc<ServedCert> {
        let leaf = &self.leaf;
        Arc::new(ServedCert {
            certified: Arc::clone(&self.certified),
            key_type: self.key_type,
            names: Arc::clone(&self.names),
            facts: CertFacts {
                fingerprint: hexadecimal(&leaf.fingerprint).into(),
                subject_cn: leaf.subject_cn.clone(),
                issuer_cn: leaf.issuer_cn.clone(),
                issuer_o: leaf.issuer_o.clone(),
                serial: hexadecimal(leaf.serial()).into(),
                not_before: leaf.not_before,
                not_after: leaf.not_after,
                traits: self.traits,
                file: file.into(),
                embedded_key,
                vouched: self.vouched,
                trusted: self.trusted,
                in_grace: false,
                held: false,
                revoked: false,
                stand_in: false,
            },
        })
    }
}

impl std::fmt::Debug for Bundle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bundle").field("names", &self.names).field("key_type", &self.key_type).finish_non_exhaustive()
    }
}

/// Another entry of the same certificate, of which something else is told.
pub(super) fn entry_like(served: &ServedCert, facts: CertFacts) -> Arc<ServedCert> {
    let ServedCert { certified, key_type, names, .. } = served;
    Arc::new(ServedCert { certified: Arc::clone(certified), key_type: *key_type, names: Arc::clone(names), facts })
}

/// A private key that could be loaded.
pub(crate) struct Key {
    /// As it came, to be kept; what signs is made of it when it is needed.
    der: Arc<Zeroizing<PrivateKeyDer<'static>>>,
    pub(super) public: PublicKey,
}

impl Key {
    /// Loads a key.
    pub(super) fn read(der: &PrivateKeyDer<'static>) -> Result<Self, Flaw> {
        let signing = signing_key(der).map_err(|_| too_short(der).unwrap_or_else(unsupported_key))?;
        let computed = || signing.public_key().and_then(|spki| PublicKey::read(&spki));
        let public = PublicKey::beside(der).or_else(computed).ok_or_else(unsupported_key)?;
        Ok(Self { der: Arc::new(der.clone_key().into()), public })
    }

    /// The key as a file holds it, unencrypted.
    pub(super) fn pem(&self) -> Zeroizing<String> {
        let label = match &**self.der {
            PrivateKeyDer::Pkcs1(_) => "RSA PRIVATE KEY",
            PrivateKeyDer::Sec1(_) => "EC PRIVATE KEY",
            _ => "PRIVATE KEY",
        };
        armour(label, self.der.secret_der())
    }

    /// The key in the one form that every program reads, unencrypted DER.
    pub(super) fn pkcs8(&self) -> Zeroizing<Vec<u8>> {
        pkcs8(&self.der, self.public.key_type)
    }
}

fn unreadable_leaf() -> Flaw {
    Flaw::new(
        "certificate-malformed",
        "the certificate cannot be served: the TLS library does not read it (X.509 version 1, or damaged)",
        "have it issued again",
    )
}
