//! What of a certificate decides how clients take it.

use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::ParsedExtension;

use crate::live::{CertTraits, ValidationLevel};

/// Reads them from a certificate.
pub(super) fn traits(certificate: &X509Certificate<'_>) -> CertTraits {
    let mut traits = CertTraits {
        self_signed: certificate.subject().as_raw() == certificate.issuer().as_raw(),
        weak_signature: WEAK.contains(&certificate.signature_algorithm.algorithm.to_id_string().as_str()),
        ..CertTraits::default()
    };
    for extension in certificate.extensions() {
        match extension.parsed_extension() {
            ParsedExtension::BasicConstraints(constraints) => traits.is_ca = constraints.ca,
            ParsedExtension::CertificatePolicies(policies) => {
                traits.level = policies.iter().filter_map(|policy| level(&policy.policy_id.to_id_string())).max();
            }
            _ if extension.oid.to_id_string() == TLS_FEATURE => {
                traits.must_staple =
                    extension.value.windows(STATUS_REQUEST.len()).any(|number| number == STATUS_REQUEST);
            }
            _ => {}
        }
    }
    traits
}

fn level(policy: &str) -> Option<ValidationLevel> {
    Some(match policy {
        "2.23.140.1.2.1" => ValidationLevel::Domain,
        "2.23.140.1.2.2" => ValidationLevel::Organisation,
        "2.23.140.1.2.3" => ValidationLevel::Individual,
        "2.23.140.1.1" => ValidationLevel::Extended,
        _ => return None,
    })
}

/// With MD5 and SHA-1: RSA, DSA and ECDSA.
const WEAK: [&str; 4] = ["1.2.840.113549.1.1.4", "1.2.840.113549.1.1.5", "1.2.840.10040.4.3", "1.2.840.10045.4.1"];
/// RFC 7633 §4.
const TLS_FEATURE: &str = "1.3.6.1.5.5.7.1.24";
/// The number of status_request (RFC 6066 §8), in DER.
const STATUS_REQUEST: [u8; 3] = [0x02, 0x01, 0x05];
