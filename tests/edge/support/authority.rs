//! Certificates of every kind, made when they are needed.

use std::process::Command;
use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
    PKCS_RSA_SHA256, PublicKeyData, RsaKeySize,
};
use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;

/// The authority all tests share: making one is work, and nobody changes it.
pub(crate) fn authority() -> &'static Authority {
    static SHARED: LazyLock<Authority> = LazyLock::new(Authority::new);
    &SHARED
}

/// Issues certificates that only those trust who were given its root.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    root: CertificateDer<'static>,
    pub(crate) root_pem: String,
}

/// What kind of key a certificate is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyKind {
    Ecdsa,
    Rsa,
}

/// A certificate and its key.
#[derive(Clone)]
pub(crate) struct Issued {
    pub(crate) chain: String,
    pub(crate) key: String,
    pub(crate) der: CertificateDer<'static>,
}

impl Issued {
    /// Key and certificate in one file.
    pub(crate) fn both(&self) -> String {
        format!("{}{}", self.key, self.chain)
    }
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key");
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "Test Root");
        params.distinguished_name.push(DnType::OrganizationName, "Test");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let certificate = params.self_signed(&key).expect("a root");
        let (root, root_pem) = (certificate.der().clone(), certificate.pem());
        Self { issuer: Issuer::new(params, key), root, root_pem }
    }

    /// A certificate that is valid from an hour ago for 90 days.
    pub(crate) fn issue(&self, names: &[&str]) -> Issued {
        self.issue_for(names, KeyKind::Ecdsa, -1, 90 * 24)
    }

    /// A certificate that is valid from hours after now until hours after now.
    pub(crate) fn issue_for(&self, names: &[&str], kind: KeyKind, from_hours: i64, until_hours: i64) -> Issued {
        let key = match kind {
            KeyKind::Ecdsa => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256),
            KeyKind::Rsa => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048),
        };
        self.issue_with(&key.expect("a key"), names, from_hours, until_hours)
    }

    /// The same for a key that is there already.
    pub(crate) fn issue_with(&self, key: &KeyPair, names: &[&str], from_hours: i64, until_hours: i64) -> Issued {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names.clone()).expect("names");
        params.distinguished_name.push(DnType::CommonName, names[0].clone());
        params.not_before = hours_from_now(from_hours);
        params.not_after = hours_from_now(until_hours);
        let certificate = params.signed_by(key, &self.issuer).expect("a certificate");
        Issued { chain: certificate.pem(), key: key.serialize_pem(), der: certificate.der().clone() }
    }

    /// A certificate for somebody's key, valid from seconds after now until seconds after now, with the root behind it; and its DER.
    pub(crate) fn issue_to(
        &self,
        key: &impl PublicKeyData,
        names: &[String],
        from: i64,
        until: i64,
    ) -> (String, CertificateDer<'static>) {
        let mut params = CertificateParams::new(names.to_vec()).expect("names");
        params.not_before = seconds_from_now(from);
        params.not_after = seconds_from_now(until);
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(key, &self.issuer).expect("a certificate");
        (format!("{}{}", certificate.pem(), self.root_pem), certificate.der().clone())
    }

    /// Signs a request with openssl, as it is, for so many days; PEM.
    pub(crate) fn sign(&self, request: &str, days: u32) -> String {
        self.sign_with(request, days, "")
    }

    /// The same with lines of openssl's x509v3_config besides.
    pub(crate) fn sign_with(&self, request: &str, days: u32, extensions: &str) -> String {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str, content: &str| std::fs::write(folder.path().join(name), content).expect("written");
        file("root.pem", &self.root_pem);
        file("root.key", &self.issuer.key().serialize_pem());
        file("request.pem", request);
        file("extensions", &format!("authorityKeyIdentifier = keyid\n{extensions}\n"));
        let days = days.to_string();
        let signing =
            ["x509", "-req", "-in", "request.pem", "-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial"];
        let output = Command::new("openssl")
            .args(signing)
            .args(["-copy_extensions", "copy", "-extfile", "extensions", "-days", &days])
            .current_dir(folder.path())
            .output()
            .expect("openssl is there");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("PEM")
    }

    /// What a client trusts.
    pub(crate) fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone()).expect("a root");
        roots
    }
}

fn hours_from_now(hours: i64) -> time::OffsetDateTime {
    seconds_from_now(hours * 3600)
}

fn seconds_from_now(seconds: i64) -> time::OffsetDateTime {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let now = i64::try_from(now).expect("a time");
    time::OffsetDateTime::from_unix_timestamp(now + seconds).expect("a time")
}
