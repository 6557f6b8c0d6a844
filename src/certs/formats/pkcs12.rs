//! Keys and certificates out of PKCS#12 (.pfx, .p12), as Windows and many authorities hand them over (RFC 7292).

use p12_keystore::error::Error;
use p12_keystore::{Certificate, Pkcs12Archive, PrivateKey};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use zeroize::Zeroizing;

use super::der::{self, value};
use super::pem::{contains, count};
use super::{Items, neither};
use crate::certs::flaw::Flaw;
use crate::certs::password::Password;

/// Everything a file holds. Which certificate belongs to which key is for others to tell: files name that wrongly.
pub(super) fn read(file: &[u8], password: &Password) -> Result<Items, Flaw> {
    let archive = open(file, password)?;
    let items = Items {
        certificates: archive.certs.iter().map(|bag| certificate(&bag.cert)).collect(),
        keys: archive.keys.iter().map(|bag| key(&bag.key)).collect(),
        has_open_key: !archive.keys.is_empty() && password.is_empty(),
    };
    if items.certificates.is_empty() && items.keys.is_empty() { Err(neither()) } else { Ok(items) }
}

/// The key in an EncryptedPrivateKeyInfo (RFC 5958 §3). PKCS#12 keeps its keys as such, so that one is opened as the only content of
/// a file: with the same ciphers, and the same bounds on the work that a file may ask for.
pub(super) fn encrypted_key(info: &[u8], password: &Password) -> Result<Zeroizing<PrivateKeyDer<'static>>, Flaw> {
    if asks_for_too_much(info) || !der::is_encrypted_info(info) {
        return Err(unsupported_key());
    }
    let bag = value(0x30, &[OID_SHROUDED_KEY, &value(0xA0, &[info])]);
    let file = file_of(&data(&value(0x30, &[&bag])));
    match Pkcs12Archive::from_pkcs12(&file, password.required()?) {
        Ok(archive) => archive.keys.first().map(|bag| key(&bag.key)).ok_or_else(neither),
        Err(error) if is_unsupported(&error) => Err(unsupported_key()),
        // What is around the key was read when it was recognised: it is the key itself that came out as nothing.
        Err(_) => Err(password.refused()),
    }
}

fn open(file: &[u8], password: &Password) -> Result<Pkcs12Archive, Flaw> {
    if der::is_of_indefinite_length(file) || asks_for_too_much(file) {
        return Err(unsupported());
    }
    let text = password.or_empty()?;
    Pkcs12Archive::from_pkcs12(file, text).map_err(|error| match content(file) {
        _ if is_unsupported(&error) => unsupported(),
        None => damaged(),
        // A sum over the content is made with the password. When that fits, only the content can be wrong.
        Some(content) if content.is_summed && !matches!(error, Error::MacError(_)) => damaged(),
        Some(content) if content.parts.iter().any(|part| opens(part, text)) => damaged(),
        Some(_) => password.refused(),
    })
}

/// Whether a part is encrypted and this password opens it, which a wrong one hardly does: what comes out must be a value too.
fn opens(part: &[u8], password: &str) -> bool {
    let is_encrypted = contains(part, der::OID_PKCS5) || contains(part, der::OID_PKCS12_CIPHERS);
    is_encrypted && Pkcs12Archive::from_pkcs12(&file_of(part), password).is_ok()
}

/// What a file consists of.
struct Content<'a> {
    /// Certificates and keys, mostly apart, and encrypted apart.
    parts: Vec<&'a [u8]>,
    /// There is a sum that only who has the password can have made.
    is_summed: bool,
}

fn content(file: &[u8]) -> Option<Content<'_>> {
    let (_, file) = der::next(file)?;
    let (rest, _version) = der::next(file.data)?;
    let (sum, data) = der::next(rest)?;
    let (explicit, _oid) = der::next(data.data)?;
    let (_, explicit) = der::next(explicit)?;
    let (_, octets) = der::next(explicit.data)?;
    let (_, all) = der::next(octets.data)?;
    let (mut rest, mut parts) = (all.data, Vec::new());
    while !rest.is_empty() {
        let (after, _) = der::next(rest)?;
        parts.push(&rest[..rest.len() - after.len()]);
        rest = after;
    }
    Some(Content { parts, is_summed: !sum.is_empty() })
}

/// A file with one part and no sum.
fn file_of(part: &[u8]) -> Vec<u8> {
    value(0x30, &[&[0x02, 0x01, 0x03], &data(&value(0x30, &[part]))])
}

/// ContentInfo of type data (RFC 5652 §4).
fn data(content: &[u8]) -> Vec<u8> {
    value(0x30, &[OID_DATA, &value(0xA0, &[&value(0x04, &[content])])])
}

fn certificate(certificate: &Certificate) -> CertificateDer<'static> {
    certificate.as_der().to_vec().into()
}

fn key(key: &PrivateKey) -> Zeroizing<PrivateKeyDer<'static>> {
    Zeroizing::new(PrivatePkcs8KeyDer::from(key.as_der().to_vec()).into())
}

/// scrypt takes as much memory as the file says; neither openssl nor Windows uses it by itself. And each encrypted part takes a
/// second, if it says so: a million rounds are allowed.
fn asks_for_too_much(content: &[u8]) -> bool {
    contains(content, OID_SCRYPT)
        || count(content, der::OID_PBES2) + count(content, der::OID_PKCS12_CIPHERS) > MOST_PARTS
}

fn is_unsupported(error: &Error) -> bool {
    match error {
        Error::UnsupportedEncryptionScheme
        | Error::UnsupportedMacAlgorithm
        | Error::UnsupportedContentType
        | Error::UnsupportedCertificateType
        | Error::InvalidVersion
        | Error::InvalidParameters => true,
        Error::Pkcs5Error(what) => what != DECRYPTION_FAILED,
        _ => false,
    }
}

fn unsupported() -> Flaw {
    Flaw::new(
        "pkcs12",
        "the file is PKCS#12 (.pfx, .p12) in a form that is not read: BER, a cipher that nobody should use any more, or one that \
         asks for too much work",
        "convert it with: openssl pkcs12 -legacy -nodes -in OLD -out NEW.pem",
    )
}

fn unsupported_key() -> Flaw {
    Flaw::new(
        "encrypted-key",
        "the private key is encrypted in a way that is not read",
        "decrypt it with: openssl pkey -provider legacy -provider default -in OLD -out NEW",
    )
}

fn damaged() -> Flaw {
    Flaw::new(
        "malformed",
        "the file is PKCS#12 (.pfx, .p12) and damaged",
        "copy the file again from where it was issued",
    )
}

/// 1.2.840.113549.1.7.1
const OID_DATA: &[u8] = &[0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07, 0x01];
/// 1.2.840.113549.1.12.10.1.2
const OID_SHROUDED_KEY: &[u8] = &[0x06, 0x0B, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x0C, 0x0A, 0x01, 0x02];
/// 1.3.6.1.4.1.11591.4.11
const OID_SCRYPT: &[u8] = &[0x2B, 0x06, 0x01, 0x04, 0x01, 0xDA, 0x47, 0x04, 0x0B];
/// What p12-keystore says when a cipher does not end well.
const DECRYPTION_FAILED: &str = "PKCS#5 decryption failed";
/// A key and its certificates are two.
const MOST_PARTS: usize = 64;
