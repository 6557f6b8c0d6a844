//! A chain with its key, as both are kept until somebody asks for them.
//!
//! What rustls signs with is several times as large as the key, and holds the chain once more. Of ten thousand certificates most
//! are asked for seldom; theirs is made when the first client comes, in some microseconds, and kept then.

use std::fmt;
use std::sync::{Arc, OnceLock};

use rustls::Error;
use rustls::crypto::aws_lc_rs::sign::{any_ecdsa_type, any_supported_type};
use rustls::sign::{CertifiedKey, SigningKey};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

/// Chain and key of a certificate.
pub struct Certified {
    /// The leaf first. Shared with whoever holds the same certificate.
    chain: Box<[Arc<[u8]>]>,
    key: Arc<Zeroizing<PrivateKeyDer<'static>>>,
    ready: OnceLock<Arc<CertifiedKey>>,
}

impl Certified {
    /// A chain, the leaf first, with the leaf's key, which [`signing_key`] has been seen to take.
    #[must_use]
    pub fn new(chain: Box<[Arc<[u8]>]>, key: Arc<Zeroizing<PrivateKeyDer<'static>>>) -> Self {
        Self { chain, key, ready: OnceLock::new() }
    }

    /// The certificates as they are sent, DER, the leaf first.
    #[must_use]
    pub fn chain(&self) -> &[Arc<[u8]>] {
        &self.chain
    }

    /// Both as rustls takes them. Made once; after that neither a lock nor an allocation. `None`: the key cannot be loaded any more.
    #[must_use]
    pub fn ready(&self) -> Option<Arc<CertifiedKey>> {
        if let Some(ready) = self.ready.get() {
            return Some(Arc::clone(ready));
        }
        let key = signing_key(&self.key).ok()?;
        let chain = self.chain.iter().map(|der| CertificateDer::from(der.to_vec())).collect();
        Some(Arc::clone(self.ready.get_or_init(|| Arc::new(CertifiedKey::new(chain, key)))))
    }
}

impl fmt::Debug for Certified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certified").field("certificates", &self.chain.len()).finish_non_exhaustive()
    }
}

/// Loads a key, which includes the check that its public half belongs to its private one.
///
/// # Errors
/// When it is of no kind that rustls signs with, or its halves do not belong together.
pub fn signing_key(der: &PrivateKeyDer<'_>) -> Result<Arc<dyn SigningKey>, Error> {
    // Whoever tries RSA first has an elliptic key read and checked twice, which takes longer than all else about a certificate.
    if is_elliptic(der)
        && let Ok(key) = any_ecdsa_type(der)
    {
        return Ok(key);
    }
    any_supported_type(der)
}

fn is_elliptic(der: &PrivateKeyDer<'_>) -> bool {
    match der {
        PrivateKeyDer::Sec1(_) => true,
        // Version and algorithm come first (RFC 5958 §2).
        PrivateKeyDer::Pkcs8(key) => {
            let mut head = key.secret_pkcs8_der().windows(ELLIPTIC.len()).take(HEAD);
            head.any(|octets| octets == ELLIPTIC)
        }
        _ => false,
    }
}

/// 1.2.840.10045.2.1, as a value (RFC 5480 §2.1.1).
const ELLIPTIC: &[u8] = &[0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01];
/// The longest heads of sequences and a version before it.
const HEAD: usize = 16;

#[cfg(test)]
mod tests {
    use rustls::SignatureAlgorithm;

    use super::*;

    fn made(algorithm: &'static rcgen::SignatureAlgorithm) -> PrivateKeyDer<'static> {
        let key = rcgen::KeyPair::generate_for(algorithm).expect("a key");
        PrivateKeyDer::try_from(key.serialize_der()).expect("a key")
    }

    #[test]
    fn every_kind_of_key_is_loaded_as_what_it_is() {
        for (algorithm, expected) in [
            (&rcgen::PKCS_ECDSA_P256_SHA256, SignatureAlgorithm::ECDSA),
            (&rcgen::PKCS_ECDSA_P384_SHA384, SignatureAlgorithm::ECDSA),
            (&rcgen::PKCS_ECDSA_P521_SHA512, SignatureAlgorithm::ECDSA),
            (&rcgen::PKCS_ED25519, SignatureAlgorithm::ED25519),
        ] {
            let key = made(algorithm);
            assert_eq!(is_elliptic(&key), expected == SignatureAlgorithm::ECDSA, "{algorithm:?}");
            assert_eq!(signing_key(&key).map(|key| key.algorithm()), Ok(expected), "{algorithm:?}");
        }
    }

    #[test]
    fn a_key_whose_halves_do_not_belong_together_is_not_loaded() {
        let (one, other) = (made(&rcgen::PKCS_ECDSA_P256_SHA256), made(&rcgen::PKCS_ECDSA_P256_SHA256));
        // The public half is a point of 65 octets at the end.
        let (one, other) = (one.secret_der(), other.secret_der());
        let mixed = [&one[..one.len() - 65], &other[other.len() - 65..]].concat();
        assert!(signing_key(&PrivateKeyDer::Pkcs8(mixed.into())).is_err());
    }

    #[test]
    fn what_rustls_takes_is_made_once_and_shared() {
        let made_here = rcgen::generate_simple_self_signed(vec!["shop.example".to_owned()]).expect("made");
        let key = PrivateKeyDer::try_from(made_here.signing_key.serialize_der()).expect("a key");
        let certified = Certified::new([(**made_here.cert.der()).into()].into(), Arc::new(key.into()));
        let (first, again) = (certified.ready().expect("ready"), certified.ready().expect("ready"));
        assert!(Arc::ptr_eq(&first, &again));
        assert_eq!(first.cert, [made_here.cert.der().clone()]);
        assert_eq!(first.keys_match(), Ok(()));
    }
}
