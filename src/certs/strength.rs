//! Whether a key is long enough for anybody to believe in.
//!
//! RSA of less than 2048 bits is rejected and not warned of: our own TLS library does not sign with it, Apple's clients and what
//! is built on rustls, Go or OpenSSL with its usual security level refuse it, and no authority has certified it since 2014
//! (CA/Browser Forum, Baseline Requirements §6.1.5). A weak authority in the chain is a warning: its certificate may not be
//! needed by a client that knows another way.

use rustls_pki_types::PrivateKeyDer;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::flaw::Flaw;
use super::formats::modulus;

/// Whether a public key is too short. What is no RSA has a size that its kind says.
pub(super) fn is_weak(spki: &SubjectPublicKeyInfo<'_>) -> bool {
    matches!(spki.parsed(), Ok(PublicKey::RSA(key)) if bits(key.modulus) < LEAST)
}

/// Why a private key that the TLS library does not load is too short, if that is the reason.
pub(super) fn too_short(key: &PrivateKeyDer<'_>) -> Option<Flaw> {
    modulus(key).map(bits).filter(|bits| (1..LEAST).contains(bits)).map(|_| weak_key())
}

/// A leaf, or its key, that nobody is served with.
pub(super) fn weak_key() -> Flaw {
    Flaw::new(
        "weak-key",
        "the key is RSA of less than 2048 bits, which can be broken and which most clients refuse",
        "make a new key with: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out NEW, and have a certificate \
         issued for it",
    )
}

/// Of a number, big-endian.
fn bits(number: &[u8]) -> usize {
    let zeros = number.iter().take_while(|octet| **octet == 0).count();
    let number = &number[zeros..];
    number.len() * 8 - number.first().map_or(0, |octet| octet.leading_zeros() as usize)
}

const LEAST: usize = 2048;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_the_bits_from_its_first_one_on() {
        for (number, counted) in [(&[][..], 0), (&[0, 0], 0), (&[1], 1), (&[0, 0xFF], 8), (&[0x80, 0], 16)] {
            assert_eq!(bits(number), counted, "{number:?}");
        }
    }
}
