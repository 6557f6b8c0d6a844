//! The certificate that shows an authority that a name is ours (tls-alpn-01, RFC 8737 §3): never in the index, gone with its order.

use rcgen::{CertificateParams, CustomExtension, DistinguishedName, KeyPair, PKCS_ECDSA_P256_SHA256, SanType};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::local_ca::LocalCaError;
use crate::name::HostName;

/// A self-signed certificate for `host` with the SHA-256 `digest` of what the authority wants to see, and its key.
///
/// # Errors
/// When the crypto library makes none.
pub fn challenge_certificate(
    host: &HostName,
    digest: &[u8],
) -> Result<(CertificateDer<'static>, PrivateKeyDer<'static>), LocalCaError> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.subject_alt_names = vec![SanType::DnsName(host.as_str().try_into()?)];
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let certificate = params.self_signed(&key)?;
    Ok((certificate.der().clone(), PrivatePkcs8KeyDer::from(key.serialize_der()).into()))
}
