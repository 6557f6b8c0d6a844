//! What a binary value is, by its shape.

use rustls_pki_types::PrivateKeyDer;
use x509_parser::asn1_rs::Any;
use x509_parser::certificate::X509Certificate;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::FromDer;

use super::pem::contains;
use crate::certs::flaw::Flaw;

/// What a value is, as far as its shape tells.
#[derive(Debug)]
pub(in crate::certs) enum Der<'a> {
    /// A certificate.
    Certificate(&'a [u8]),
    /// A private key in PKCS#8, PKCS#1 or SEC1.
    Key(PrivateKeyDer<'a>),
    /// A private key behind a password (RFC 5958 §3).
    EncryptedKey(&'a [u8]),
    /// Certificates, or a signed message (RFC 5652).
    Pkcs7(&'a [u8]),
    /// A key and certificates behind a password (RFC 7292).
    Pkcs12(&'a [u8]),
    /// What an authority answers with a certificate (RFC 2986).
    Request,
    /// Something else.
    Other,
}

impl<'a> Der<'a> {
    /// The value that `content` begins with; `None` when that is no SEQUENCE, or is cut off.
    pub(in crate::certs) fn of(content: &'a [u8]) -> Option<Self> {
        let (value, body) = sequence(content)?;
        Some(if body.starts_with(VERSION_3_SEQUENCE) {
            Self::Pkcs12(value)
        } else if body.starts_with(SIGNED_DATA) {
            Self::Pkcs7(value)
        } else if is_encrypted_key(body) {
            Self::EncryptedKey(value)
        } else if let Ok(key) = PrivateKeyDer::try_from(value) {
            Self::Key(key)
        } else if X509Certificate::from_der(value).is_ok() {
            Self::Certificate(value)
        } else if X509CertificationRequest::from_der(value).is_ok() {
            Self::Request
        } else {
            Self::Other
        })
    }
}

/// The value at the beginning, without what openssl writes behind it in the form "TRUSTED CERTIFICATE".
pub(super) fn first(content: &[u8]) -> Option<&[u8]> {
    sequence(content).map(|(value, _)| value)
}

/// Whether it is PKCS#7.
pub(super) fn is_signed_data(content: &[u8]) -> bool {
    sequence(content).is_some_and(|(_, body)| body.starts_with(SIGNED_DATA))
}

/// Whether it is an EncryptedPrivateKeyInfo.
pub(super) fn is_encrypted_info(content: &[u8]) -> bool {
    sequence(content).is_some_and(|(_, body)| is_encrypted_key(body))
}

/// Whether it is a SEQUENCE and nothing behind it.
pub(super) fn is_one_sequence(content: &[u8]) -> bool {
    sequence(content).is_some_and(|(value, _)| value.len() == content.len())
}

/// Whether it is BER, which gives no length and says where it ends.
pub(super) fn is_of_indefinite_length(content: &[u8]) -> bool {
    content.starts_with(&[0x30, 0x80])
}

/// The next value, after what comes behind it.
pub(super) fn next(octets: &[u8]) -> Option<(&[u8], Any<'_>)> {
    Any::from_der(octets).ok()
}

/// The modulus of an RSA key (RFC 8017 §A.1.2), big-endian; `None` for keys of other kinds.
pub(in crate::certs) fn modulus<'a>(key: &'a PrivateKeyDer<'_>) -> Option<&'a [u8]> {
    let of_rsa = |der: &'a [u8]| {
        let (_, body) = sequence(der)?;
        let (rest, _version) = next(body)?;
        next(rest).map(|(_, modulus)| modulus.data)
    };
    match key {
        PrivateKeyDer::Pkcs1(key) => of_rsa(key.secret_pkcs1_der()),
        PrivateKeyDer::Pkcs8(key) => {
            let (_, body) = sequence(key.secret_pkcs8_der())?;
            let (rest, _version) = next(body)?;
            let (rest, algorithm) = next(rest)?;
            let (_, octets) = next(rest).filter(|_| algorithm.data.starts_with(RSA))?;
            of_rsa(octets.data)
        }
        _ => None,
    }
}

/// A value of these parts, in one piece of memory from the start: it may be a key, and what grows leaves copies behind.
pub(in crate::certs) fn value(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length = parts.iter().map(|part| part.len()).sum::<usize>();
    let octets = length.to_be_bytes();
    let needed = &octets[octets.iter().take_while(|octet| **octet == 0).count()..];
    let mut value = Vec::with_capacity(2 + needed.len() + length);
    value.push(tag);
    match length {
        0..0x80 => value.push(length as u8),
        _ => {
            value.push(0x80 | needed.len() as u8);
            value.extend_from_slice(needed);
        }
    }
    value.extend(parts.iter().copied().flatten());
    value
}

/// Whether there is less of a value than its length says.
pub(super) fn is_cut_off(content: &[u8]) -> bool {
    // Shorter lengths are letters too.
    matches!(content, [0x30, 0x81..=0x83, ..]) && sequence(content).is_none()
}

/// The SEQUENCE at the beginning, and what is in it. Indefinite lengths are BER, which old PKCS#12 files have; such a value ends
/// with the file.
fn sequence(content: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&[tag, length], rest) = content.split_first_chunk::<2>()?;
    if tag != 0x30 {
        return None;
    }
    if length == 0x80 {
        return Some((content, rest));
    }
    let (body, length) = if length < 0x80 {
        (rest, usize::from(length))
    } else {
        let (length, body) =
            rest.split_at_checked(usize::from(length & 0x7F)).filter(|(length, _)| length.len() <= 3)?;
        (body, length.iter().fold(0, |sum, octet| sum << 8 | usize::from(*octet)))
    };
    let header = content.len() - body.len();
    Some((content.get(..header + length)?, &body[..length]))
}

/// EncryptedPrivateKeyInfo begins with the algorithm of its encryption, of PKCS#5 or PKCS#12.
fn is_encrypted_key(body: &[u8]) -> bool {
    let head = &body[..body.len().min(20)];
    head.first() == Some(&0x30) && (contains(head, OID_PKCS5) || contains(head, OID_PKCS12_CIPHERS))
}

/// A value that is none of what is served.
pub(super) fn unknown() -> Flaw {
    Flaw::new(
        "der",
        "the file is binary (DER), and what it holds is neither a certificate nor a private key",
        "see what it is with: openssl asn1parse -inform DER -in FILE",
    )
}

/// The beginning of a PFX: version 3, then a SEQUENCE.
const VERSION_3_SEQUENCE: &[u8] = &[0x02, 0x01, 0x03, 0x30];
/// 1.2.840.113549.1.7.2, as a value.
const SIGNED_DATA: &[u8] = &[0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07, 0x02];
/// 1.2.840.113549.1.1.1, as a value.
const RSA: &[u8] = &[0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01];
/// 1.2.840.113549.1.5
pub(super) const OID_PKCS5: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x05];
/// 1.2.840.113549.1.12.1
pub(super) const OID_PKCS12_CIPHERS: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x0C, 0x01];
/// 1.2.840.113549.1.5.13
pub(super) const OID_PBES2: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x05, 0x0D];
