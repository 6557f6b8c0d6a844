//! Certificates out of PKCS#7, as Windows and many authorities hand them over (.p7b): a signed message without a message.

use rustls_pki_types::CertificateDer;
use x509_parser::asn1_rs::{Class, Tag};

use super::der::next;
use crate::certs::flaw::Flaw;

/// The certificates of a `ContentInfo` of type signedData (RFC 5652 §5.1), in its order; signatures are not looked at.
pub(super) fn certificates(message: &[u8]) -> Result<Vec<CertificateDer<'static>>, Flaw> {
    read(message).ok_or_else(|| {
        Flaw::new(
            "pkcs7",
            "the file is PKCS#7 (.p7b) that cannot be read: it is in BER, or damaged",
            "convert it with: openssl pkcs7 -print_certs -in OLD -out NEW.pem, and with -inform DER where it is binary",
        )
    })
}

fn read(message: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let (_, info) = next(message)?;
    let (content, _signed_data) = next(info.data)?;
    let (_, explicit) = next(content)?;
    let (_, signed) = next(explicit.data)?;
    let (rest, _version) = next(signed.data)?;
    let (rest, _digest_algorithms) = next(rest)?;
    let (rest, _message) = next(rest)?;
    let mut certificates = Vec::new();
    let (_, set) = next(rest)?;
    if (set.class(), set.tag()) != (Class::ContextSpecific, Tag(0)) {
        return Some(certificates);
    }
    let mut rest = set.data;
    while !rest.is_empty() {
        let (after, choice) = next(rest)?;
        // The other choices are forms that nobody uses.
        if choice.tag() == Tag::Sequence {
            certificates.push(rest[..rest.len() - after.len()].to_vec().into());
        }
        rest = after;
    }
    Some(certificates)
}
