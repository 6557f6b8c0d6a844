//! Certificates for this module's tests, made at run time.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair,
};
use rustls_pki_types::CertificateDer;

use super::certificate::{hexadecimal, sha256};
use super::local_ca::{KeyKind, LocalCa, valid_for};
use crate::live::{CertFacts, CertTraits, KeyType, ServedCert};
use crate::name::HostPattern;

/// A root, an intermediate, and what that issues.
pub(super) struct Chain {
    pub(super) root: String,
    pub(super) intermediate: String,
    issuer: Issuer<'static, KeyPair>,
    root_issuer: Issuer<'static, KeyPair>,
}

/// A certificate, its key and its issuer, PEM.
#[derive(Clone)]
pub(super) struct Leaf {
    pub(super) certificate: String,
    pub(super) key: String,
    issuer: String,
}

impl Leaf {
    /// Certificate and issuer.
    pub(super) fn chain(&self) -> String {
        format!("{}{}", self.certificate, self.issuer)
    }

    /// Everything in one file.
    pub(super) fn whole(&self) -> String {
        format!("{}{}", self.key, self.chain())
    }
}

impl Chain {
    pub(super) fn new() -> Self {
        let made = |name: &str| (authority(name), KeyPair::generate().expect("a key"));
        let (root_params, root_key) = made("Test Root");
        let root = root_params.self_signed(&root_key).expect("a root").pem();
        let root_issuer = Issuer::new(root_params, root_key);
        let (params, key) = made("Test Intermediate");
        let intermediate = params.signed_by(&key, &root_issuer).expect("an intermediate").pem();
        Self { root, intermediate, issuer: Issuer::new(params, key), root_issuer }
    }

    /// The root as an intermediate of another root.
    pub(super) fn crossed(&self) -> String {
        let older = Issuer::new(authority("Older Root"), KeyPair::generate().expect("a key"));
        let cross = authority("Test Root").signed_by(self.root_issuer.key(), &older).expect("a cross-signed root");
        cross.pem()
    }

    /// The intermediate, issued by another root.
    pub(super) fn crossed_intermediate(&self) -> String {
        let older = Issuer::new(authority("Older Root"), KeyPair::generate().expect("a key"));
        authority("Test Intermediate").signed_by(self.issuer.key(), &older).expect("an intermediate").pem()
    }

    /// One of Apple Pay's, valid from a day ago for so many days.
    pub(super) fn apple(&self, leaf: &AppleLeaf<'_>, days: i64) -> Leaf {
        let (mut params, key) = (apple_params(leaf), KeyPair::generate().expect("a key"));
        let now = time::OffsetDateTime::now_utc();
        params.not_before = now - time::Duration::days(1);
        params.not_after = now + time::Duration::days(days);
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate").pem();
        Leaf { certificate, key: key.serialize_pem(), issuer: self.intermediate.clone() }
    }

    pub(super) fn leaf(&self, names: &[&str]) -> Leaf {
        self.with_key(names, &KeyPair::generate().expect("a key"), 30)
    }

    /// Valid from `from` days from now to `until` days from now.
    pub(super) fn timed(&self, names: &[&str], from: i64, until: i64) -> Leaf {
        self.issue(names, &KeyPair::generate().expect("a key"), from, until)
    }

    pub(super) fn renewed(&self, leaf: &Leaf) -> Leaf {
        self.with_key(&["one.example"], &KeyPair::from_pem(&leaf.key).expect("the key"), 60)
    }

    /// With a key that is there already, PEM.
    pub(super) fn for_key(&self, names: &[&str], key: &str) -> Leaf {
        self.with_key(names, &KeyPair::from_pem(key).expect("a key"), 30)
    }

    fn with_key(&self, names: &[&str], key: &KeyPair, days: i64) -> Leaf {
        self.issue(names, key, -1, days)
    }

    fn issue(&self, names: &[&str], key: &KeyPair, from: i64, until: i64) -> Leaf {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names.clone()).expect("names");
        params.distinguished_name = named(&names[0]);
        let now = time::OffsetDateTime::now_utc();
        params.not_before = now + time::Duration::days(from);
        params.not_after = now + time::Duration::days(until);
        let certificate = params.signed_by(key, &self.issuer).expect("a certificate").pem();
        Leaf { certificate, key: key.serialize_pem(), issuer: self.intermediate.clone() }
    }
}

/// A certificate with exactly these octets as DNS names, and addresses.
pub(super) fn with_names(dns: &[&[u8]], addresses: &[[u8; 4]]) -> CertificateDer<'static> {
    let entries = dns.iter().map(|name| (0x82, *name)).chain(addresses.iter().map(|address| (0x87, &address[..])));
    let names: Vec<u8> = entries.flat_map(|(tag, content)| tlv(tag, content)).collect();
    let mut params = CertificateParams::default();
    params.distinguished_name = named("cn.example");
    if !names.is_empty() {
        params.custom_extensions = vec![CustomExtension::from_oid_content(&[2, 5, 29, 17], tlv(0x30, &names))];
    }
    params.self_signed(&KeyPair::generate().expect("a key")).expect("a certificate").der().clone()
}

/// What a certificate of Apple Pay's, or one that looks like it, has in it.
#[derive(Clone, Copy, Default)]
pub(super) struct AppleLeaf<'a> {
    pub(super) cn: &'a str,
    pub(super) uid: &'a str,
    /// The last numbers of Apple's extensions.
    pub(super) numbers: &'a [u64],
    pub(super) is_for_clients: bool,
    pub(super) names: &'a [&'a str],
}

/// A certificate for nobody's key, by itself.
pub(super) fn apple_leaf(leaf: &AppleLeaf<'_>) -> CertificateDer<'static> {
    let key = KeyPair::generate().expect("a key");
    apple_params(leaf).self_signed(&key).expect("a certificate").der().clone()
}

fn apple_params(leaf: &AppleLeaf<'_>) -> CertificateParams {
    let names: Vec<String> = leaf.names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("names");
    params.distinguished_name = DistinguishedName::new();
    for (kind, text) in [(DnType::CustomDnType(UID.to_vec()), leaf.uid), (DnType::CommonName, leaf.cn)] {
        if !text.is_empty() {
            params.distinguished_name.push(kind, text);
        }
    }
    let extension =
        |number: &u64| CustomExtension::from_oid_content(&[1, 2, 840, 113_635, 100, 6, *number], tlv(0x0C, b"00"));
    params.custom_extensions = leaf.numbers.iter().map(extension).collect();
    if leaf.is_for_clients {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    }
    params
}

/// An index entry with these facts; the certificate behind it is another.
pub(crate) fn served(cn: &str, names: &[&str], not_before: i64, not_after: i64, in_grace: bool) -> Arc<ServedCert> {
    static ANY: LazyLock<Arc<ServedCert>> = LazyLock::new(|| {
        let authority = LocalCa::new("Any").expect("an authority");
        let name = HostPattern::parse("any.example").expect("a name");
        authority.issue(&[name], valid_for(1), KeyKind::Ecdsa).expect("issued").served().expect("served")
    });
    Arc::new(ServedCert {
        certified: Arc::clone(&ANY.certified),
        key_type: KeyType::EcdsaP256,
        names: names.iter().map(|name| HostPattern::parse(name).expect("a name")).collect(),
        facts: CertFacts {
            fingerprint: hexadecimal(&sha256(cn.as_bytes())).into(),
            subject_cn: cn.into(),
            issuer_cn: "".into(),
            issuer_o: "".into(),
            serial: "".into(),
            not_before,
            not_after,
            traits: CertTraits::default(),
            file: Path::new("").into(),
            embedded_key: true,
            vouched: true,
            trusted: true,
            in_grace,
            held: false,
            revoked: false,
            stand_in: false,
        },
    })
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

fn named(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut der = vec![tag];
    match length {
        0..=127 => der.push(u8::try_from(length).expect("short")),
        _ => der.extend([0x82, u8::try_from(length >> 8).expect("short"), u8::try_from(length & 0xFF).expect("octet")]),
    }
    der.extend_from_slice(content);
    der
}

/// The subject's attribute for an identifier (RFC 4519 §2.39).
const UID: [u64; 7] = [0, 9, 2342, 19_200_300, 100, 1, 1];
