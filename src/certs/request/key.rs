//! The private key of a request: made here, written once, never shown.

use std::fmt;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{self, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256,
};
use zeroize::Zeroizing;

use super::kind::KeyAlgorithm;
use super::subject::{OBJECT_IDENTIFIER, SEQUENCE};
use crate::certs::formats::{armour, value};
use crate::certs::public_key::PublicKey;

/// A key pair. The crypto library holds the private half, and wipes it when it is dropped.
pub struct RequestKey {
    algorithm: KeyAlgorithm,
    pair: Pair,
}

enum Pair {
    Ecdsa(EcdsaKeyPair),
    Rsa(rsa::KeyPair),
}

impl RequestKey {
    /// Makes a new one. RSA takes up to some seconds: not where connections are attended to.
    ///
    /// # Errors
    /// [`KeyError`] when the crypto library makes none.
    pub fn generate(algorithm: KeyAlgorithm) -> Result<Self, KeyError> {
        let pair = match algorithm {
            KeyAlgorithm::EcdsaP256 => Pair::Ecdsa(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING)?),
            KeyAlgorithm::EcdsaP384 => Pair::Ecdsa(EcdsaKeyPair::generate(&ECDSA_P384_SHA384_ASN1_SIGNING)?),
            KeyAlgorithm::Rsa2048 => Pair::Rsa(rsa::KeyPair::generate(KeySize::Rsa2048)?),
            KeyAlgorithm::Rsa3072 => Pair::Rsa(rsa::KeyPair::generate(KeySize::Rsa3072)?),
            KeyAlgorithm::Rsa4096 => Pair::Rsa(rsa::KeyPair::generate(KeySize::Rsa4096)?),
        };
        Ok(Self { algorithm, pair })
    }

    /// One that was made before, here or elsewhere, PKCS#8; `None`: it is of a kind that no request is made for.
    #[must_use]
    pub fn read(pkcs8: &[u8]) -> Option<Self> {
        if let Ok(pair) = rsa::KeyPair::from_pkcs8(pkcs8) {
            let algorithm = match pair.public_modulus_len() {
                256 => KeyAlgorithm::Rsa2048,
                384 => KeyAlgorithm::Rsa3072,
                512 => KeyAlgorithm::Rsa4096,
                _ => return None,
            };
            return Some(Self { algorithm, pair: Pair::Rsa(pair) });
        }
        let curves = [
            (KeyAlgorithm::EcdsaP256, &ECDSA_P256_SHA256_ASN1_SIGNING),
            (KeyAlgorithm::EcdsaP384, &ECDSA_P384_SHA384_ASN1_SIGNING),
        ];
        let read = |(algorithm, curve)| Some((algorithm, EcdsaKeyPair::from_pkcs8(curve, pkcs8).ok()?));
        let (algorithm, pair) = curves.into_iter().find_map(read)?;
        Some(Self { algorithm, pair: Pair::Ecdsa(pair) })
    }

    /// The whole pair as PKCS#8, PEM. A secret.
    ///
    /// # Errors
    /// [`KeyError`] when the crypto library does not write it.
    pub fn pem(&self) -> Result<Zeroizing<String>, KeyError> {
        Ok(match &self.pair {
            Pair::Ecdsa(pair) => armour("PRIVATE KEY", pair.to_pkcs8v1()?.as_ref()),
            Pair::Rsa(pair) => armour("PRIVATE KEY", AsDer::<Pkcs8V1Der<'_>>::as_der(pair)?.as_ref()),
        })
    }

    /// The SubjectPublicKeyInfo.
    pub(super) fn public(&self) -> Result<Vec<u8>, KeyError> {
        let der = match &self.pair {
            Pair::Ecdsa(pair) => AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key()),
            Pair::Rsa(pair) => AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key()),
        };
        Ok(der?.as_ref().to_vec())
    }

    /// By what a certificate finds it.
    ///
    /// # Errors
    /// [`KeyError`] when the crypto library does not write the public half.
    pub fn id(&self) -> Result<[u8; 32], KeyError> {
        Ok(PublicKey::read(&self.public()?).ok_or(KeyError)?.id)
    }

    /// A signature as a request holds it: AlgorithmIdentifier and octets.
    pub(super) fn sign(&self, message: &[u8]) -> Result<(Vec<u8>, Vec<u8>), KeyError> {
        let signature = match &self.pair {
            Pair::Ecdsa(pair) => pair.sign(&SystemRandom::new(), message)?.as_ref().to_vec(),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)?;
                signature
            }
        };
        let identifier =
            |oid: &[u8], parameters: &[u8]| value(SEQUENCE, &[&value(OBJECT_IDENTIFIER, &[oid]), parameters]);
        let algorithm = match self.algorithm {
            KeyAlgorithm::EcdsaP256 => identifier(ECDSA_WITH_SHA256, &[]),
            KeyAlgorithm::EcdsaP384 => identifier(ECDSA_WITH_SHA384, &[]),
            // RFC 4055 §5: with NULL.
            KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa3072 | KeyAlgorithm::Rsa4096 => {
                identifier(SHA256_WITH_RSA, &[0x05, 0x00])
            }
        };
        Ok((algorithm, signature))
    }
}

impl fmt::Debug for RequestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestKey").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

/// The crypto library did not make, write or use a key; it does not say why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyError;

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the crypto library made no key; see whether the machine has memory left, and try again")
    }
}

impl std::error::Error for KeyError {}

impl From<Unspecified> for KeyError {
    fn from(_: Unspecified) -> Self {
        Self
    }
}

/// 1.2.840.10045.4.3.2
const ECDSA_WITH_SHA256: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x02];
/// 1.2.840.10045.4.3.3
const ECDSA_WITH_SHA384: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x03];
/// 1.2.840.113549.1.1.11
const SHA256_WITH_RSA: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x0B];
