//! What of a certificate decides how clients take it.

use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::ParsedExtension;

use crate::live::{CertTraits, ValidationLevel};

/// Reads them from a certificate.
pub(super) fn traits(certificate: &X509Certificate<'_>) -> CertTraits {
    let mut traits = CertTraits {
        self_signed: certificate.subject().as_raw() == certificate.issuer().as_raw(),
        weak_signature: WEAK.contains(&certificate.signature_algorithm.algorithm.as_bytes()),
        ..CertTraits::default()
    };
    for extension in certificate.extensions() {
        match extension.parsed_extension() {
            ParsedExtension::BasicConstraints(constraints) => traits.is_ca = constraints.ca,
            ParsedExtension::CertificatePolicies(policies) => {
                traits.level = policies.iter().filter_map(|policy| level(policy.policy_id.as_bytes())).max();
            }
            _ if extension.oid.as_bytes() == TLS_FEATURE => {
                traits.must_staple =
                    extension.value.windows(STATUS_REQUEST.len()).any(|number| number == STATUS_REQUEST);
            }
            _ => {}
        }
    }
    traits
}

fn level(policy: &[u8]) -> Option<ValidationLevel> {
    // 2.23.140.1, the CA/Browser Forum's.
    Some(match policy {
        [0x67, 0x81, 0x0C, 0x01, 0x02, 0x01] => ValidationLevel::Domain,
        [0x67, 0x81, 0x0C, 0x01, 0x02, 0x02] => ValidationLevel::Organisation,
        [0x67, 0x81, 0x0C, 0x01, 0x02, 0x03] => ValidationLevel::Individual,
        [0x67, 0x81, 0x0C, 0x01, 0x01] => ValidationLevel::Extended,
        _ => return None,
    })
}

/// With MD5 and SHA-1: RSA, DSA and ECDSA.
const WEAK: [&[u8]; 4] = [
    &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x04], // 1.2.840.113549.1.1.4
    &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x05], // 1.2.840.113549.1.1.5
    &[0x2A, 0x86, 0x48, 0xCE, 0x38, 0x04, 0x03],             // 1.2.840.10040.4.3
    &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x01],             // 1.2.840.10045.4.1
];
/// 1.3.6.1.5.5.7.1.24 (RFC 7633 §4).
const TLS_FEATURE: &[u8] = &[0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01, 0x18];
/// The number of status_request (RFC 6066 §8), in DER.
const STATUS_REQUEST: [u8; 3] = [0x02, 0x01, 0x05];
