//! What a site asks of the TLS of its clients.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer};

/// What differs from what the edge asks of every client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Demands {
    /// The oldest protocol version; `None`: as the edge has it.
    pub min_version: Option<TlsVersion>,
    /// Whose certificates clients show; `None`: they show none.
    pub clients: Option<ClientDemands>,
}

/// A protocol version an operator may choose as the oldest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsVersion {
    /// TLS 1.2
    V1_2,
    /// TLS 1.3
    V1_3,
}

/// Certificates of clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientDemands {
    /// How they are checked.
    pub check: ClientCheck,
    /// Whether the shop is told whose certificate it was.
    pub headers: bool,
    /// The files that it was read from.
    pub files: Vec<PathBuf>,
}

/// Who vouches for clients, and who does no more.
#[derive(Clone)]
pub struct ClientCheck {
    authorities: Arc<[CertificateDer<'static>]>,
    revoked: Arc<[CertificateRevocationListDer<'static>]>,
    is_required: bool,
    verifier: Arc<dyn ClientCertVerifier>,
}

impl ClientCheck {
    /// A check by these authorities and their lists of what they have revoked. `is_required`: nobody comes without a certificate.
    ///
    /// # Errors
    /// What of it cannot be used.
    pub fn new(
        authorities: Vec<CertificateDer<'static>>,
        revoked: Vec<CertificateRevocationListDer<'static>>,
        is_required: bool,
    ) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        for authority in &authorities {
            roots.add(authority.clone()).map_err(|error| format!("a certificate cannot be used: {error}"))?;
        }
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).with_crls(revoked.clone());
        let builder = if is_required { builder } else { builder.allow_unauthenticated() };
        let verifier = builder.build().map_err(|error| error.to_string())?;
        Ok(Self { authorities: authorities.into(), revoked: revoked.into(), is_required, verifier })
    }

    /// The certificates in a file.
    ///
    /// # Errors
    /// What is wrong with it; never what is in it.
    pub fn authorities_in(content: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
        all_of(CertificateDer::pem_slice_iter(content), "BEGIN CERTIFICATE")
    }

    /// The lists of revoked certificates in a file.
    ///
    /// # Errors
    /// What is wrong with it; never what is in it.
    pub fn revoked_in(content: &[u8]) -> Result<Vec<CertificateRevocationListDer<'static>>, String> {
        all_of(CertificateRevocationListDer::pem_slice_iter(content), "BEGIN X509 CRL")
    }

    /// What handshakes are given.
    #[must_use]
    pub fn verifier(&self) -> Arc<dyn ClientCertVerifier> {
        Arc::clone(&self.verifier)
    }
}

impl PartialEq for ClientCheck {
    fn eq(&self, other: &Self) -> bool {
        (&self.authorities, &self.revoked, self.is_required) == (&other.authorities, &other.revoked, other.is_required)
    }
}

impl Eq for ClientCheck {}

impl fmt::Debug for ClientCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (authorities, revoked) = (self.authorities.len(), self.revoked.len());
        f.debug_struct("ClientCheck")
            .field("authorities", &authorities)
            .field("revoked", &revoked)
            .field("is_required", &self.is_required)
            .finish_non_exhaustive()
    }
}

fn all_of<T, E>(found: impl Iterator<Item = Result<T, E>>, label: &str) -> Result<Vec<T>, String> {
    let all: Result<Vec<T>, E> = found.collect();
    match all {
        Ok(all) if !all.is_empty() => Ok(all),
        _ => Err(format!("expected PEM with \"-----{label}-----\", found something else")),
    }
}
