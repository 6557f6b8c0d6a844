//! A certification authority in memory: for the demo and for tests, where nobody else could issue anything.

use std::net::IpAddr;
use std::ops::Range;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256,
    RsaKeySize,
};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::bundle::Bundle;
use super::flaw::Flaw;
use crate::live::ServedCert;
use crate::name::{HostName, HostPattern};

/// Issues certificates that only those trust who were given its root.
pub struct LocalCa {
    root: String,
    issuer: Issuer<'static, KeyPair>,
}

impl LocalCa {
    /// Makes a root of ten years with a new key.
    ///
    /// # Errors
    /// [`LocalCaError`] when the crypto library makes no key.
    pub fn new(common_name: &str) -> Result<Self, LocalCaError> {
        Self::limited_to(common_name, &[])
    }

    /// The same for one that clients believe under these suffixes alone, and for no address (RFC 5280 §4.2.1.10).
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn limited_to(common_name: &str, suffixes: &[HostName]) -> Result<Self, LocalCaError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = root_params(common_name)?;
        if !suffixes.is_empty() {
            let names = suffixes.iter().map(|suffix| GeneralSubtree::DnsName(suffix.to_string()));
            let addresses = [CidrSubnet::V4([0; 4], [0; 4]), CidrSubnet::V6([0; 16], [0; 16])];
            params.name_constraints = Some(NameConstraints {
                permitted_subtrees: names.collect(),
                excluded_subtrees: addresses.map(GeneralSubtree::IpAddress).to_vec(),
            });
        }
        let root = params.self_signed(&key)?.pem();
        Ok(Self { root, issuer: Issuer::new(params, key) })
    }

    /// One that was made before, from its root's certificate and its key, PEM.
    ///
    /// # Errors
    /// [`LocalCaError::Library`] when the key cannot be read.
    pub fn again(common_name: &str, root: String, key: &str) -> Result<Self, LocalCaError> {
        Ok(Self { root, issuer: Issuer::new(root_params(common_name)?, KeyPair::from_pem(key)?) })
    }

    /// The authority's private key, PEM.
    pub(super) fn key_pem(&self) -> Zeroizing<String> {
        Zeroizing::new(self.issuer.key().serialize_pem())
    }

    /// The root's certificate, for `curl --cacert`.
    #[must_use]
    pub fn root_pem(&self) -> &str {
        &self.root
    }

    /// Issues a certificate with a new key. `validity` is in seconds since the Unix epoch; see [`valid_for`].
    ///
    /// # Errors
    /// [`LocalCaError`] when there is no name, or the crypto library makes no key.
    pub fn issue(&self, names: &[HostPattern], validity: Range<i64>, kind: KeyKind) -> Result<Issued, LocalCaError> {
        let first = names.first().ok_or(LocalCaError::NoName)?;
        let key = match kind {
            KeyKind::Ecdsa => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?,
            KeyKind::Rsa => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?,
        };
        let mut params = params(&first.to_string(), validity)?;
        for name in names {
            params.subject_alt_names.push(rcgen::SanType::DnsName(name.to_string().try_into()?));
        }
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Issued { chain: certificate.pem(), key: Zeroizing::new(key.serialize_pem()) })
    }
}

/// A certificate that nobody but itself stands behind. `validity` is in seconds since the Unix epoch; see [`valid_for`].
///
/// # Errors
/// As [`LocalCa::issue`].
pub(super) fn self_signed(names: &[HostPattern], validity: Range<i64>) -> Result<Issued, LocalCaError> {
    self_signed_for(names, &[], validity)
}

/// The same for addresses besides.
///
/// # Errors
/// As [`LocalCa::issue`].
pub(super) fn self_signed_for(
    names: &[HostPattern],
    addresses: &[IpAddr],
    validity: Range<i64>,
) -> Result<Issued, LocalCaError> {
    let first = names.first().ok_or(LocalCaError::NoName)?;
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut params = params(&first.to_string(), validity)?;
    for name in names {
        params.subject_alt_names.push(rcgen::SanType::DnsName(name.to_string().try_into()?));
    }
    params.subject_alt_names.extend(addresses.iter().copied().map(rcgen::SanType::IpAddress));
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let certificate = params.self_signed(&key)?;
    Ok(Issued { chain: certificate.pem(), key: Zeroizing::new(key.serialize_pem()) })
}

/// What kind of key a certificate is issued for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// ECDSA on P-256.
    Ecdsa,
    /// RSA of 2048 bits.
    Rsa,
}

/// A new certificate with its key, as files would hold them.
pub struct Issued {
    /// The certificate and its issuers without the root, PEM.
    pub chain: String,
    /// The private key, PEM.
    pub key: Zeroizing<String>,
}

impl Issued {
    /// The entry for the index.
    ///
    /// # Errors
    /// [`Flaw`] when it cannot be served, as with names that are none.
    pub fn served(&self) -> Result<Arc<ServedCert>, Flaw> {
        let both = Zeroizing::new([self.chain.as_bytes(), self.key.as_bytes()].concat());
        Ok(Bundle::parse(&both, None)?.served(std::path::Path::new("(in memory)"), true))
    }
}

impl std::fmt::Debug for Issued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issued").field("chain", &self.chain).finish_non_exhaustive()
    }
}

/// From an hour ago, for clocks that differ, to so many days from now; seconds since the Unix epoch.
#[must_use]
pub fn valid_for(days: u32) -> Range<i64> {
    let now = OffsetDateTime::now_utc().unix_timestamp();
    now - 3600..now + i64::from(days) * 86_400
}

/// Why nothing was issued.
#[derive(Debug)]
pub enum LocalCaError {
    /// A certificate needs a name.
    NoName,
    /// The validity lies outside of what a calendar has.
    Validity,
    /// What came out cannot be served.
    Unfit(String),
    /// The crypto library did not make what was asked for.
    Library(rcgen::Error),
}

impl std::fmt::Display for LocalCaError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the local authority cannot issue: ")?;
        match self {
            Self::NoName => f.write_str("at least one name is expected, and none was given"),
            Self::Validity => f.write_str("the validity is no time of the calendar"),
            Self::Unfit(why) => f.write_str(why),
            Self::Library(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for LocalCaError {}

impl From<rcgen::Error> for LocalCaError {
    fn from(error: rcgen::Error) -> Self {
        Self::Library(error)
    }
}

fn root_params(common_name: &str) -> Result<CertificateParams, LocalCaError> {
    let mut params = params(common_name, valid_for(ROOT_DAYS))?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

/// Without these, rcgen names the subject itself and makes it valid from 1975 to 4096.
fn params(common_name: &str, validity: Range<i64>) -> Result<CertificateParams, LocalCaError> {
    let at = |unix| OffsetDateTime::from_unix_timestamp(unix).map_err(|_| LocalCaError::Validity);
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.not_before = at(validity.start)?;
    params.not_after = at(validity.end)?;
    Ok(params)
}

const ROOT_DAYS: u32 = 3650;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::KeyType;

    #[test]
    fn what_it_issues_can_be_served() {
        let authority = LocalCa::new("Vitrine test").expect("an authority");
        let names = ["shop.example", "*.shop.example"].map(|name| HostPattern::parse(name).expect("a name"));
        for (kind, key_type) in [(KeyKind::Ecdsa, KeyType::EcdsaP256), (KeyKind::Rsa, KeyType::Rsa)] {
            let issued = authority.issue(&names, valid_for(30), kind).expect("issued");
            let served = issued.served().expect("served");
            assert_eq!(served.key_type, key_type);
            assert_eq!(*served.names, names);
            assert_eq!(&*served.facts.subject_cn, "shop.example");
            assert_eq!(&*served.facts.issuer_cn, "Vitrine test");
            assert_eq!(served.facts.not_after - served.facts.not_before, 30 * 86_400 + 3600);
            assert!(!format!("{issued:?}").contains("PRIVATE"));
        }
        assert!(authority.root_pem().starts_with("-----BEGIN CERTIFICATE-----"));
    }
}
