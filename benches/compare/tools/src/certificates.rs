//! A folder full of certificates, for edges that read one.

use std::fs;
use std::path::Path;

use rcgen::{CertificateParams, DnType, Issuer, KeyPair, KeyUsagePurpose};

use crate::Failure;

/// Makes `count` P-256 certificates for `shop-0.example` and so on, signed by the authority, each with its key in one file.
pub fn make(folder: &str, (ca, ca_key): (&str, &str), count: usize) -> Result<(), Failure> {
    let unread = |file: &str, error: &dyn std::fmt::Display| Failure::Usage(format!("{file}: {error}"));
    let read = |file: &str| fs::read_to_string(file).map_err(|error| unread(file, &error));
    let key = KeyPair::from_pem(&read(ca_key)?).map_err(|error| unread(ca_key, &error))?;
    let issuer = Issuer::from_ca_cert_pem(&read(ca)?, key).map_err(|error| unread(ca, &error))?;
    fs::create_dir_all(folder).map_err(|error| unread(folder, &error))?;
    for number in 0..count {
        let name = format!("shop-{number}.example");
        let wrong = |error: &dyn std::fmt::Display| Failure::Wrong(format!("a certificate for {name}: {error}"));
        let mut params = CertificateParams::new(vec![name.clone()]).map_err(|error| wrong(&error))?;
        params.distinguished_name.push(DnType::CommonName, &name);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().map_err(|error| wrong(&error))?;
        let certificate = params.signed_by(&key, &issuer).map_err(|error| wrong(&error))?;
        let text = format!("{}{}", certificate.pem(), key.serialize_pem());
        fs::write(Path::new(folder).join(format!("{name}.pem")), text).map_err(|error| wrong(&error))?;
    }
    Ok(())
}
