//! Who issues what a bench serves: a root and an intermediate, as public authorities have them.

use std::fs;
use std::io;
use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use time::{Duration, OffsetDateTime};
use vitrine::certs::Issued;

/// An authority that sends its intermediate along.
pub(crate) struct Authority {
    root: String,
    intermediate: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> io::Result<Self> {
        let root_key = KeyPair::generate().map_err(io::Error::other)?;
        let root_params = authority("Bench Root");
        let root = root_params.self_signed(&root_key).map_err(io::Error::other)?.pem();
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let params = authority(INTERMEDIATE);
        let above = Issuer::new(root_params, root_key);
        let intermediate = params.signed_by(&key, &above).map_err(io::Error::other)?.pem();
        Ok(Self { root, intermediate, issuer: Issuer::new(params, key) })
    }

    /// The one that is kept in this folder, or a new one that is kept there from now on.
    pub(crate) fn kept(folder: &Path) -> io::Result<Self> {
        let [root, intermediate, key] =
            ["root.pem", "intermediate.pem", "intermediate.key"].map(|name| folder.join(name));
        if key.exists() {
            let issuer_key = KeyPair::from_pem(&fs::read_to_string(key)?).map_err(io::Error::other)?;
            let issuer = Issuer::new(authority(INTERMEDIATE), issuer_key);
            return Ok(Self {
                root: fs::read_to_string(root)?,
                intermediate: fs::read_to_string(intermediate)?,
                issuer,
            });
        }
        let new = Self::new()?;
        fs::write(root, &new.root)?;
        fs::write(intermediate, &new.intermediate)?;
        fs::write(key, new.issuer.key().serialize_pem())?;
        Ok(new)
    }

    /// The root's certificate, PEM.
    pub(crate) fn root_pem(&self) -> &str {
        &self.root
    }

    /// A certificate for these names, with a key of its own and the intermediate behind it.
    pub(crate) fn issue(&self, names: &[&str]) -> io::Result<Issued> {
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = valid(CertificateParams::new(names.clone()).map_err(io::Error::other)?, 90);
        params.distinguished_name.push(DnType::CommonName, names[0].as_str());
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let leaf = params.signed_by(&key, &self.issuer).map_err(io::Error::other)?.pem();
        Ok(Issued { chain: leaf + &self.intermediate, key: key.serialize_pem().into() })
    }
}

fn authority(name: &str) -> CertificateParams {
    let mut params = valid(CertificateParams::default(), 3650);
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.use_authority_key_identifier_extension = true;
    params
}

/// From an hour ago.
fn valid(mut params: CertificateParams, days: i64) -> CertificateParams {
    let now = OffsetDateTime::now_utc();
    (params.not_before, params.not_after) = (now - Duration::HOUR, now + Duration::days(days));
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
}

const INTERMEDIATE: &str = "Bench Intermediate";
