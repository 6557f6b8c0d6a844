//! What authorities are shown: published before they are told to look, taken back when the order goes on.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls_pki_types::CertificateDer;

use super::failure::{Failure, Reason};
use crate::certs::challenge_certificate;
use crate::live::{Challenges, Publisher};
use crate::name::HostName;

/// Shows what orders need.
#[derive(Clone)]
pub(super) struct Shown(Arc<Mutex<Publisher<Challenges>>>);

impl Shown {
    pub(super) fn new(table: Publisher<Challenges>) -> Self {
        Self(Arc::new(Mutex::new(table)))
    }

    /// Shows a token at a host until the guard is dropped.
    pub(super) fn token(&self, host: &HostName, token: &str, key_authorization: &str) -> ShownToken {
        self.change(|challenges| challenges.show(host, token, key_authorization));
        ShownToken { shown: self.clone(), host: host.clone(), token: Some(token.into()) }
    }

    /// Answers probes for a host until the guard is dropped.
    ///
    /// # Errors
    /// When no certificate can be made for it.
    pub(super) fn handshake(&self, host: &HostName, digest: &[u8]) -> Result<ShownToken, Failure> {
        self.certificate(host, digest).map(|(shown, _)| shown)
    }

    /// The same, and the certificate that they see.
    ///
    /// # Errors
    /// When none can be made.
    pub(super) fn certificate(
        &self,
        host: &HostName,
        digest: &[u8],
    ) -> Result<(ShownToken, CertificateDer<'static>), Failure> {
        let (config, certificate) = answering(host, digest)?;
        self.change(|challenges| challenges.answer(host, config.into()));
        Ok((ShownToken { shown: self.clone(), host: host.clone(), token: None }, certificate))
    }

    fn change(&self, change: impl FnOnce(&mut Challenges)) {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = Challenges::clone(&table.current());
        change(&mut next);
        table.publish(next);
    }
}

/// TLS as an authority's probe speaks it, with a certificate for it alone (RFC 8737 §3).
fn answering(host: &HostName, digest: &[u8]) -> Result<(ServerConfig, CertificateDer<'static>), Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::new(Reason::State, error.to_string());
    let (certificate, key) = challenge_certificate(host, digest).map_err(|error| failed(&error))?;
    let provider = default_provider();
    let key = provider.key_provider.load_private_key(key).map_err(|error| failed(&error))?;
    // Not checked against each other: the library that would do it knows no certificate with this critical extension.
    let only = SingleCertAndKey::from(CertifiedKey::new(vec![certificate.clone()], key));
    let mut config = ServerConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(&error))?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(only));
    config.alpn_protocols = vec![ACME_TLS.to_vec()];
    // The proxy has the records of a session itself.
    config.enable_secret_extraction = true;
    Ok((config, certificate))
}

/// RFC 8737 §6.2
pub(super) const ACME_TLS: &[u8] = b"acme-tls/1";

/// What is shown as long as this lives.
pub(super) struct ShownToken {
    shown: Shown,
    host: HostName,
    /// `None`: it is shown in handshakes.
    token: Option<Box<str>>,
}

impl Drop for ShownToken {
    fn drop(&mut self) {
        self.shown.change(|challenges| match &self.token {
            Some(token) => challenges.hide(&self.host, token),
            None => challenges.fall_silent(&self.host),
        });
    }
}
