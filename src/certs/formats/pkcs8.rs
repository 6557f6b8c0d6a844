//! Writes private keys as PKCS#8 (RFC 5958), open and encrypted.

use std::num::NonZeroU32;

use aws_lc_rs::cipher::{AES_256, PaddedBlockEncryptingKey, UnboundCipherKey};
use aws_lc_rs::{pbkdf2, rand};
use rustls_pki_types::PrivateKeyDer;
use zeroize::Zeroizing;

use super::der::value;
use crate::live::KeyType;

/// A key of this type, whatever form it came in.
pub(in crate::certs) fn pkcs8(key: &PrivateKeyDer<'_>, key_type: Option<KeyType>) -> Zeroizing<Vec<u8>> {
    let wrapped = |algorithm: &[&[u8]], key: &[u8]| {
        let key = Zeroizing::new(value(0x04, &[key]));
        Zeroizing::new(value(0x30, &[VERSION_0, &value(0x30, algorithm), &key]))
    };
    match (key, key_type) {
        (PrivateKeyDer::Pkcs1(key), _) => wrapped(&[RSA, NULL], key.secret_pkcs1_der()),
        (PrivateKeyDer::Sec1(key), Some(KeyType::EcdsaP384)) => wrapped(&[EC, P384], key.secret_sec1_der()),
        (PrivateKeyDer::Sec1(key), Some(KeyType::EcdsaP521)) => wrapped(&[EC, P521], key.secret_sec1_der()),
        (PrivateKeyDer::Sec1(key), _) => wrapped(&[EC, P256], key.secret_sec1_der()),
        (key, _) => Zeroizing::new(key.secret_der().to_vec()),
    }
}

/// An EncryptedPrivateKeyInfo (RFC 5958 §3) by PBES2 (RFC 8018): PBKDF2 with HMAC-SHA-256, then AES-256 in CBC, which every
/// openssl since 1.1 writes and reads. `None` when the system has no random numbers.
pub(in crate::certs) fn encrypted(pkcs8: &[u8], password: &str) -> Option<Vec<u8>> {
    let mut salt = [0; 16];
    rand::fill(&mut salt).ok()?;
    let mut key = Zeroizing::new([0; 32]);
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, ROUNDS, &salt, password.as_bytes(), &mut *key);
    // With room for the padding: what grows leaves copies behind.
    let mut content = Zeroizing::new(Vec::with_capacity(pkcs8.len() + BLOCK));
    content.extend_from_slice(pkcs8);
    let cipher = PaddedBlockEncryptingKey::cbc_pkcs7(UnboundCipherKey::new(&AES_256, &*key).ok()?).ok()?;
    let context = cipher.encrypt(&mut *content).ok()?;
    let iv: &[u8] = (&context).try_into().ok()?;
    // A positive INTEGER, as short as it can be.
    let rounds = value(0x02, &[&ROUNDS.get().to_be_bytes()[1..]]);
    let derivation = value(0x30, &[&value(0x04, &[&salt]), &rounds, &value(0x30, &[HMAC_SHA256, NULL])]);
    let derivation = value(0x30, &[PBKDF2, &derivation]);
    let cipher = value(0x30, &[AES_256_CBC, &value(0x04, &[iv])]);
    let algorithm = value(0x30, &[PBES2, &value(0x30, &[&derivation, &cipher])]);
    Some(value(0x30, &[&algorithm, &value(0x04, &[&content])]))
}

/// What OWASP asks for PBKDF2 with HMAC-SHA-256: a third of a second at most for whoever has the password. More than a million is
/// refused when a key comes in here.
const ROUNDS: NonZeroU32 = NonZeroU32::new(600_000).expect("more than none");
const BLOCK: usize = 16;
const VERSION_0: &[u8] = &[0x02, 0x01, 0x00];
const NULL: &[u8] = &[0x05, 0x00];
/// 1.2.840.113549.1.1.1
const RSA: &[u8] = &[0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01];
/// 1.2.840.10045.2.1
const EC: &[u8] = &[0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01];
/// 1.2.840.10045.3.1.7
const P256: &[u8] = &[0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07];
/// 1.3.132.0.34
const P384: &[u8] = &[0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x22];
/// 1.3.132.0.35
const P521: &[u8] = &[0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x23];
/// 1.2.840.113549.1.5.13
const PBES2: &[u8] = &[0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x05, 0x0D];
/// 1.2.840.113549.1.5.12
const PBKDF2: &[u8] = &[0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x05, 0x0C];
/// 1.2.840.113549.2.9
const HMAC_SHA256: &[u8] = &[0x06, 0x08, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x02, 0x09];
/// 2.16.840.1.101.3.4.1.42
const AES_256_CBC: &[u8] = &[0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2A];

#[cfg(test)]
mod tests {
    use rcgen::{
        KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ECDSA_P521_SHA512, PKCS_ED25519, PKCS_RSA_SHA256,
    };
    use rustls_pki_types::{PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer};

    use super::super::{Items, der};
    use super::*;
    use crate::certs::bundle::Key;
    use crate::certs::password::Password;

    /// What is in the OCTET STRING of a PKCS#8 key.
    fn inner(pkcs8: &[u8]) -> Vec<u8> {
        let (_, body) = der::next(pkcs8).expect("a sequence");
        let (rest, _version) = der::next(body.data).expect("a version");
        let (rest, _algorithm) = der::next(rest).expect("an algorithm");
        der::next(rest).expect("a key").1.data.to_vec()
    }

    #[test]
    fn a_key_is_the_same_in_every_form() {
        let curves = [&PKCS_ECDSA_P256_SHA256, &PKCS_ECDSA_P384_SHA384, &PKCS_ECDSA_P521_SHA512];
        for algorithm in curves.into_iter().chain([&PKCS_RSA_SHA256, &PKCS_ED25519]) {
            let whole = KeyPair::generate_for(algorithm).expect("a key").serialize_der();
            let old: PrivateKeyDer<'static> = if algorithm == &PKCS_ED25519 {
                PrivatePkcs8KeyDer::from(whole.clone()).into()
            } else if algorithm == &PKCS_RSA_SHA256 {
                PrivatePkcs1KeyDer::from(inner(&whole)).into()
            } else {
                PrivateSec1KeyDer::from(inner(&whole)).into()
            };
            let key = Key::read(&PrivatePkcs8KeyDer::from(whole.clone()).into()).expect("a key");
            assert_eq!(*pkcs8(&old, key.public.key_type), whole, "{algorithm:?}");
        }
    }

    #[test]
    fn what_was_encrypted_is_opened_by_its_password_alone() {
        let key = KeyPair::generate().expect("a key").serialize_der();
        let shut = encrypted(&key, "Schl\u{fc}ssel zum Laden").expect("random numbers");
        let opened = |password: &str| {
            let items = Items::read(&shut, &Password::Given(Zeroizing::new(password.to_owned())));
            items.map(|items| items.keys[0].secret_der().to_vec()).map_err(|flaw| flaw.code)
        };
        assert_eq!(opened("Schl\u{fc}ssel zum Laden"), Ok(key.clone()));
        assert_eq!(opened("Schlussel zum Laden"), Err("password-wrong"));
        let again = encrypted(&key, "Schl\u{fc}ssel zum Laden").expect("random numbers");
        assert_ne!(shut, again, "salt and IV are another each time");
    }
}
