//! TLS on the way out: who an upstream must be, and the handshake with it.

use std::io;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::sign::SingleCertAndKey;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::policy::{H2, provider};
use crate::live::{ServedCert, Speech, UpstreamTls};
use crate::telemetry::UpstreamFailure;

/// How upstreams on the same terms are spoken to.
pub struct UpstreamClient(ClientConfig);

impl UpstreamClient {
    /// `roots`: who vouches for them; `None`: nobody need. `identity`: what the edge shows them that ask for it.
    ///
    /// # Errors
    /// When the roots or the cryptography library cannot be used.
    pub fn new(roots: Option<Vec<CertificateDer<'static>>>, identity: Option<&ServedCert>) -> Result<Self, String> {
        let provider = provider();
        let verifier: Arc<dyn ServerCertVerifier> = match roots {
            Some(roots) => {
                let mut store = RootCertStore::empty();
                if store.add_parsable_certificates(roots).1 > 0 {
                    return Err("a root is of a kind that nothing can be verified by".into());
                }
                let builder = WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(&provider));
                builder.build().map_err(|error| error.to_string())?
            }
            None => Arc::new(Anybody(Arc::clone(&provider))),
        };
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        Ok(Self(match identity {
            Some(identity) => {
                let ready = identity.certified.ready().ok_or("the key that upstreams are shown cannot be loaded")?;
                builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(ready)))
            }
            None => builder.with_no_client_auth(),
        }))
    }

    /// Has one server spoken to so. Sessions are kept by name, and another server of that name would get tickets that are not its own.
    pub fn prepare(&self, tls: &UpstreamTls, speech: Speech) {
        let sessions = Resumption::in_memory_sessions(SESSIONS);
        let mut client = self.0.clone();
        client.resumption = sessions;
        if speech == Speech::Http2 {
            client.alpn_protocols = vec![H2.to_vec()];
        }
        tls.prepare(Arc::new(client));
    }
}

/// Why there is no TLS with an upstream: a word, and the library's, which hold nothing secret.
#[derive(Debug)]
pub(in crate::proxy) struct Unsecured {
    pub(in crate::proxy) failure: UpstreamFailure,
    pub(in crate::proxy) detail: Box<str>,
}

/// Makes sure of who is at the other end of `stream`. `host` is how the upstream is addressed. The caller sets the deadline.
pub(in crate::proxy) async fn secure<S: AsyncRead + AsyncWrite + Unpin>(
    tls: &UpstreamTls,
    host: &str,
    stream: S,
) -> Result<TlsStream<S>, Unsecured> {
    let name = tls.terms.server_name.as_ref().map_or(host, |name| name.as_str());
    let unusable = |detail: &str| Unsecured { failure: UpstreamFailure::TlsHandshake, detail: detail.into() };
    let client = tls.client().ok_or_else(|| unusable("nothing was prepared for it"))?;
    let name = ServerName::try_from(name.to_owned()).map_err(|_| unusable("its name cannot be asked for over TLS"))?;
    let connected = TlsConnector::from(Arc::clone(client)).connect(name, stream).await;
    connected.map_err(|error| Unsecured { failure: word(&error), detail: error.to_string().into() })
}

/// Whether HTTP/2 is spoken, as was agreed.
pub(in crate::proxy) fn agrees_to_http2<S>(stream: &TlsStream<S>) -> bool {
    stream.get_ref().1.alpn_protocol() == Some(H2)
}

/// Which failure it is.
fn word(error: &io::Error) -> UpstreamFailure {
    match error.get_ref().and_then(|error| error.downcast_ref::<Error>()) {
        Some(Error::InvalidCertificate(flaw)) => match flaw {
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                UpstreamFailure::CertificateName
            }
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => UpstreamFailure::CertificateExpired,
            CertificateError::UnknownIssuer => UpstreamFailure::CertificateIssuer,
            _ => UpstreamFailure::Certificate,
        },
        _ => UpstreamFailure::TlsHandshake,
    }
}

/// Takes any certificate, as the operator said, from whoever has its key.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// One server has one name, of which rustls keeps eight tickets.
const SESSIONS: usize = 8;
