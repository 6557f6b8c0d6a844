//! A version as the library has it, for what is to be done with it at its authority.

use rustls_pki_types::CertificateDer;
use zeroize::Zeroizing;

/// A certificate that is kept, and its key. It cannot be printed.
pub struct Kept {
    /// DER.
    pub certificate: CertificateDer<'static>,
    /// PKCS#8, DER.
    pub key: Zeroizing<Vec<u8>>,
    /// Who issued it, if the edge ordered it.
    pub issued_by: Option<String>,
    /// Whether it was revoked.
    pub is_revoked: bool,
    /// End of validity, seconds since the Unix epoch.
    pub not_after: i64,
    /// The fingerprints of others that have the same key: in service, and versions of the same.
    pub same_key: Vec<String>,
}

/// Why there is nothing to be had of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotFound {
    /// No version has this fingerprint.
    Unknown,
    /// It serves, and is not in the library: the edge made it itself, or it has just come.
    NotKept,
    /// What is kept of it cannot be used.
    Damaged(String),
    /// The edge is stopping.
    Stopping,
}
