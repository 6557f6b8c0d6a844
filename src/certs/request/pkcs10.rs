//! The certificate signing request itself (PKCS#10, RFC 2986).
//!
//! Written here and not by rcgen, whose subject is a map: it has one organisational unit at most, and a name of its own where
//! none is given.

use super::details::Details;
use super::key::{KeyError, RequestKey};
use super::subject::{OBJECT_IDENTIFIER, SEQUENCE, SET};
use crate::certs::formats::{armour, value};
use crate::name::HostPattern;

/// The request for these details, signed with their key; PEM, as authorities take it.
///
/// # Errors
/// [`KeyError`] when the crypto library does not sign.
pub fn request_pem(details: &Details, key: &RequestKey) -> Result<String, KeyError> {
    let attributes = match &*details.names {
        [] => Vec::new(),
        names => extension_request(names, details.subject.is_empty()),
    };
    Ok(armour("CERTIFICATE REQUEST", &signed(&details.subject.der(), &attributes, key)?).to_string())
}

/// The request for these names without a word about who has them, signed with their key; DER, as ACME takes it (RFC 8555 §7.4).
///
/// # Errors
/// As [`request_pem`].
pub fn request_for_names(names: &[HostPattern], key: &RequestKey) -> Result<Vec<u8>, KeyError> {
    signed(&value(SEQUENCE, &[]), &extension_request(names, true), key)
}

fn signed(subject: &[u8], attributes: &[u8], key: &RequestKey) -> Result<Vec<u8>, KeyError> {
    let info = value(SEQUENCE, &[VERSION_1, subject, &key.public()?, &value(CONTEXT_0, &[attributes])]);
    let (algorithm, signature) = key.sign(&info)?;
    // No bits of the last octet are unused.
    Ok(value(SEQUENCE, &[&info, &algorithm, &value(BIT_STRING, &[&[0], &signature])]))
}

/// The names, as an attribute that asks for an extension (RFC 2985 §5.4.2).
fn extension_request(names: &[HostPattern], is_critical: bool) -> Vec<u8> {
    let names: Vec<Vec<u8>> = names.iter().map(|name| value(DNS_NAME, &[name.to_string().as_bytes()])).collect();
    let names = value(SEQUENCE, &names.iter().map(Vec::as_slice).collect::<Vec<_>>());
    // RFC 5280 §4.2.1.6: critical where there is no subject beside it.
    let critical: &[u8] = if is_critical { &[0x01, 0x01, 0xFF] } else { &[] };
    let kind = value(OBJECT_IDENTIFIER, &[SUBJECT_ALT_NAME]);
    let extension = value(SEQUENCE, &[&kind, critical, &value(OCTET_STRING, &[&names])]);
    let kind = value(OBJECT_IDENTIFIER, &[EXTENSION_REQUEST]);
    value(SEQUENCE, &[&kind, &value(SET, &[&value(SEQUENCE, &[&extension])])])
}

const VERSION_1: &[u8] = &[0x02, 0x01, 0x00];
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const CONTEXT_0: u8 = 0xA0;
/// The third choice of GeneralName.
const DNS_NAME: u8 = 0x82;
/// 1.2.840.113549.1.9.14
const EXTENSION_REQUEST: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x09, 0x0E];
/// 2.5.29.17
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1D, 0x11];
