//! A public key: by which a key finds its certificate, whatever the files are called.

use rustls_pki_types::PrivateKeyDer;
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
        Self { id: id(algorithm, curve, bits), key_type, is_weak: strength::is_weak(spki) }
    }

    /// The public half of a private key on P-256 in the form that nearly all have, PKCS#8 with the point in it (RFC 5958 §2,
    /// RFC 5915 §3); `None` in any other. Whoever loads the key has seen that its halves belong together.
    pub(super) fn beside(der: &PrivateKeyDer<'_>) -> Option<Self> {
        let PrivateKeyDer::Pkcs8(key) = der else { return None };
        let (_, point) = key.secret_pkcs8_der().strip_prefix(P256_HEAD)?.split_first_chunk::<P256_SECRET>()?;
        let point =
            point.strip_prefix(P256_POINT).filter(|point| point.len() == P256_OCTETS && point[0] == UNCOMPRESSED)?;
        Some(Self { id: id(OID_EC, OID_P256, point), key_type: Some(KeyType::EcdsaP256), is_weak: false })
    }
}

/// By what a public key is known.
fn id(algorithm: &[u8], curve: &[u8], bits: &[u8]) -> [u8; 32] {
    sha256(&[algorithm, curve, bits].concat())
}

const OID_EC: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01];
const OID_RSA: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01];
const OID_ED25519: &[u8] = &[0x2B, 0x65, 0x70];
const OID_P256: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07];
const OID_P384: &[u8] = &[0x2B, 0x81, 0x04, 0x00, 0x22];
const OID_P521: &[u8] = &[0x2B, 0x81, 0x04, 0x00, 0x23];
/// Version, algorithm and curve, and the beginning of the ECPrivateKey up to its secret.
const P256_HEAD: &[u8] = &[
    0x30, 0x81, 0x87, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06, 0x08,
    0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07, 0x04, 0x6D, 0x30, 0x6B, 0x02, 0x01, 0x01, 0x04, 0x20,
];
const P256_SECRET: usize = 32;
/// What stands before the point: the field, and that no bit of it is unused.
const P256_POINT: &[u8] = &[0xA1, 0x44, 0x03, 0x42, 0x00];
const P256_OCTETS: usize = 65;
const UNCOMPRESSED: u8 = 0x04;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::signing_key;

    #[test]
    fn the_public_half_in_a_key_is_the_one_that_is_computed() {
        let made = |algorithm| rcgen::KeyPair::generate_for(algorithm).expect("a key").serialize_der();
        let computed =
            |der: &PrivateKeyDer<'_>| signing_key(der).ok()?.public_key().and_then(|spki| PublicKey::read(&spki));
        for _ in 0..10 {
            let key = PrivateKeyDer::Pkcs8(made(&rcgen::PKCS_ECDSA_P256_SHA256).into());
            let beside = PublicKey::beside(&key).expect("the common form");
            assert_eq!(Some(beside), computed(&key));
        }
        for algorithm in [&rcgen::PKCS_ECDSA_P384_SHA384, &rcgen::PKCS_ED25519] {
            assert_eq!(PublicKey::beside(&PrivateKeyDer::Pkcs8(made(algorithm).into())), None);
        }
        let key = made(&rcgen::PKCS_ECDSA_P256_SHA256);
        for other in [&key[..key.len() - 1], &[&*key, &[0]].concat(), &key[36..]] {
            assert_eq!(PublicKey::beside(&PrivateKeyDer::Pkcs8(other.to_vec().into())), None);
        }
    }
}
