//! Certificates for requests, from the authority that all tests share.

use std::time::{SystemTime, UNIX_EPOCH};

use base64ct::{Base64UrlUnpadded, Encoding};
use rcgen::{PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256, PublicKeyData, SignatureAlgorithm};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::support::authority::authority;

/// A chain and the certificate's identifier (RFC 9773 §4.1); `None`: the request is not for these names.
pub(super) fn issue(request: &str, names: &[String], (from, until): (i64, i64)) -> Option<(String, String)> {
    let der = Base64UrlUnpadded::decode_vec(request).ok()?;
    let (_, request) = X509CertificationRequest::from_der(&der).ok()?;
    request.verify_signature().ok()?;
    let mut asked: Vec<String> = request
        .requested_extensions()?
        .filter_map(|extension| match extension {
            ParsedExtension::SubjectAlternativeName(names) => Some(names),
            _ => None,
        })
        .flat_map(|names| names.general_names.iter().map(|name| name.to_string()))
        .collect();
    let mut ordered: Vec<String> = names.iter().map(|name| format!("DNSName({name})")).collect();
    asked.sort();
    ordered.sort();
    if asked != ordered {
        return None;
    }
    let key = &request.certification_request_info.subject_pki;
    let is_rsa = key.parsed().is_ok_and(|key| matches!(key, x509_parser::public_key::PublicKey::RSA(_)));
    let key = Asked { key: key.subject_public_key.data.to_vec(), is_rsa };
    let (chain, leaf) = authority().issue_to(&key, names, from, until);
    Some((chain, identifier(&leaf)))
}

fn identifier(leaf: &[u8]) -> String {
    let (_, leaf) = X509Certificate::from_der(leaf).expect("a certificate");
    let key = leaf.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::AuthorityKeyIdentifier(known) => known.key_identifier.as_ref().map(|key| key.0),
        _ => None,
    });
    let encoded = Base64UrlUnpadded::encode_string;
    format!("{}.{}", encoded(key.expect("an authority's key")), encoded(leaf.raw_serial()))
}

/// A moment in seconds from now, as RFC 3339 has it.
pub(super) fn date(from_now: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let moment = i64::try_from(now).expect("a time") + from_now;
    OffsetDateTime::from_unix_timestamp(moment).expect("a time").format(&Rfc3339).expect("a date")
}

struct Asked {
    key: Vec<u8>,
    is_rsa: bool,
}

impl PublicKeyData for Asked {
    fn der_bytes(&self) -> &[u8] {
        &self.key
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        if self.is_rsa { &PKCS_RSA_SHA256 } else { &PKCS_ECDSA_P256_SHA256 }
    }
}
