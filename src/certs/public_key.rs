//! A public key: by which a key finds its certificate, whatever the files are called.

use x509_parser::prelude::FromDer;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::certificate::sha256;
use super::strength;
use crate::live::KeyType;

/// A public key as far as pairing needs it. Not the whole SubjectPublicKeyInfo: encoders differ in the parameters of RSA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct PublicKey {
    pub(super) id: [u8; 32],
    /// `None`: of a kind that is not served.
    pub(super) key_type: Option<KeyType>,
    /// RSA that is too short.
    pub(super) is_weak: bool,
}

impl PublicKey {
    /// Reads a SubjectPublicKeyInfo.
    pub(super) fn read(spki: &[u8]) -> Option<Self> {
        SubjectPublicKeyInfo::from_der(spki).ok().map(|(_, spki)| Self::of(&spki))
    }

    pub(super) fn of(spki: &SubjectPublicKeyInfo<'_>) -> Self {
        let algorithm = spki.algorithm.algorithm.as_bytes();
        let curve = spki.algorithm.parameters.as_ref().filter(|_| algorithm == OID_EC).map_or(&[][..], |any| any.data);
        let key_type = match (algorithm, curve) {
            (OID_RSA, _) => Some(KeyType::Rsa),
            (OID_ED25519, _) => Some(KeyType::Ed25519),
            (OID_EC, OID_P256) => Some(KeyType::EcdsaP256),
            (OID_EC, OID_P384) => Some(KeyType::EcdsaP384),
            (OID_EC, OID_P521) => Some(KeyType::EcdsaP521),
            _ => None,
        };
        let bits = &spki.subject_public_key.data;
        Self { id: sha256(&[algorithm, curve, bits].concat()), key_type, is_weak: strength::is_weak(spki) }
    }
}

const OID_EC: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01];
const OID_RSA: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01];
const OID_ED25519: &[u8] = &[0x2B, 0x65, 0x70];
const OID_P256: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07];
const OID_P384: &[u8] = &[0x2B, 0x81, 0x04, 0x00, 0x22];
const OID_P521: &[u8] = &[0x2B, 0x81, 0x04, 0x00, 0x23];
