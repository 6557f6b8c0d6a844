//! A handshake with whoever answers for a name, to see whether it shows the one certificate that this edge shows just now.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::{AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;

use super::probe::Answer;
use crate::acme::failure::{Failure, Reason};
use crate::acme::shown::ACME_TLS;
use crate::name::HostName;
use crate::outbound::connect;

/// A client that believes whoever shows this certificate, and nobody else.
///
/// # Errors
/// When the cryptography library offers no usable versions.
pub(super) fn expecting(certificate: CertificateDer<'static>) -> Result<TlsConnector, Failure> {
    let provider = default_provider();
    let verifier = Only { certificate, algorithms: provider.signature_verification_algorithms };
    let mut config = ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .map_err(|error| Failure::new(Reason::State, error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![ACME_TLS.to_vec()];
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config).into())
}

/// Shakes hands as an authority's probe does.
pub(super) async fn look(connector: &TlsConnector, address: SocketAddr, host: &HostName, until: Instant) -> Answer {
    let Ok(name) = ServerName::try_from(host.as_str().to_owned()) else {
        return Answer::Another("TLS cannot ask for this name".into());
    };
    let tcp = match connect(address, until).await {
        Ok(tcp) => tcp,
        Err(unseen) => return unseen.into(),
    };
    match timeout_at(until, connector.connect(name, tcp)).await {
        Ok(Ok(_)) => Answer::Ours,
        Ok(Err(error)) => Answer::Another(told(&error)),
        Err(_) => Answer::Another("it takes the connection and does not finish the handshake in time".into()),
    }
}

fn told(error: &io::Error) -> String {
    match error.get_ref().and_then(|cause| cause.downcast_ref::<Error>()) {
        Some(Error::InvalidCertificate(_)) => "it shows another certificate".into(),
        Some(Error::AlertReceived(AlertDescription::NoApplicationProtocol)) => {
            "it does not answer to acme-tls/1".into()
        }
        Some(Error::AlertReceived(alert)) => format!("it refuses the handshake ({alert:?})"),
        Some(other) => format!("it does not speak TLS as it should: {other}"),
        None => format!("it breaks off the handshake: {error}"),
    }
}

/// Believes one certificate, octet for octet.
#[derive(Debug)]
struct Only {
    certificate: CertificateDer<'static>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Only {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match *shown == self.certificate {
            true => Ok(ServerCertVerified::assertion()),
            false => Err(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)),
        }
    }

    // Nobody else knows this certificate, made a moment ago, and no secret goes to who shows it. The library that would check its
    // signatures knows no certificate with this critical extension (RFC 8737 §3).
    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
