//! The way to a running edge: its socket on this machine, or its admin listener from elsewhere, over TLS.

use std::fmt;
use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use aws_lc_rs::digest::{SHA256, digest};
use http::{HeaderValue, Uri};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tower_service::Service;
use zeroize::Zeroizing;

use super::trust::trusting;

/// By what an admin listener elsewhere is known.
pub enum EdgeTrust {
    /// Its certificate leads to one of these, or is one of them.
    Roots(Vec<CertificateDer<'static>>),
    /// Its certificate is the one with this SHA-256, whatever name it has and however long it holds.
    Pin([u8; 32]),
}

/// An admin listener elsewhere, and who asks it. It can print neither.
#[derive(Clone)]
pub struct Elsewhere {
    /// `https://HOST:PORT`
    pub(super) origin: Arc<str>,
    pub(super) authorization: HeaderValue,
    host: Arc<str>,
    port: u16,
    tls: Arc<ClientConfig>,
}

impl Elsewhere {
    /// The listener at `url`: `https://HOST`, `https://HOST:PORT`.
    ///
    /// # Errors
    /// What is wrong with one of them.
    pub fn new(url: &str, trust: EdgeTrust, token: &str) -> Result<Self, String> {
        let wrong = || format!("expected an address such as https://edge.shop.example:9180, found {url:?}");
        let uri: Uri = url.trim_end_matches('/').parse().map_err(|_| wrong())?;
        let (Some("https"), Some(authority), "" | "/", None) =
            (uri.scheme_str(), uri.authority(), uri.path(), uri.query())
        else {
            return Err(wrong());
        };
        let host = authority.host().trim_matches(['[', ']']);
        if host.is_empty() || authority.as_str().contains('@') {
            return Err(wrong());
        }
        let config = match trust {
            EdgeTrust::Roots(roots) => trusting(roots),
            EdgeTrust::Pin(pin) => pinned(pin),
        };
        let bearer = Zeroizing::new(format!("Bearer {}", token.trim()));
        let mut authorization = HeaderValue::from_str(&bearer)
            .map_err(|_| "the token: expected one line, found something else".to_owned())?;
        authorization.set_sensitive(true);
        Ok(Self {
            origin: format!("https://{authority}").into(),
            authorization,
            host: host.into(),
            port: authority.port_u16().unwrap_or(443),
            tls: Arc::new(config.map_err(|error| error.to_string())?),
        })
    }

    async fn connect(self) -> io::Result<Wire> {
        let tcp = TcpStream::connect((&*self.host, self.port)).await?;
        let _ = tcp.set_nodelay(true);
        let name = ServerName::try_from(self.host.to_string()).map_err(io::Error::other)?;
        Ok(Wire::of(TlsConnector::from(self.tls).connect(name, tcp).await?))
    }
}

impl fmt::Debug for Elsewhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Elsewhere").field("origin", &self.origin).finish_non_exhaustive()
    }
}

/// What believes the certificate with this SHA-256 and no other.
fn pinned(pin: [u8; 32]) -> Result<ClientConfig, rustls::Error> {
    let provider = default_provider();
    let algorithms = provider.signature_verification_algorithms;
    Ok(ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Pinned { pin, algorithms }))
        .with_no_client_auth())
}

#[derive(Debug)]
struct Pinned {
    pin: [u8; 32],
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match digest(&SHA256, leaf).as_ref() == self.pin {
            true => Ok(ServerCertVerified::assertion()),
            false => Err(CertificateError::ApplicationVerificationFailure.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, leaf, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, leaf, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Connects every request to one edge, whatever its URI says.
#[derive(Clone, Debug)]
pub(super) enum ToEdge {
    Socket(Arc<Path>),
    Elsewhere(Elsewhere),
}

impl Service<Uri> for ToEdge {
    type Response = Wire;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Wire>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        match self.clone() {
            Self::Socket(path) => Box::pin(async move { UnixStream::connect(&*path).await.map(Wire::of) }),
            Self::Elsewhere(elsewhere) => Box::pin(elsewhere.connect()),
        }
    }
}

/// A connection as the client wants it.
pub(super) struct Wire(TokioIo<Box<dyn Octets>>);

/// Whatever octets come from and go to.
trait Octets: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Octets for S {}

impl Wire {
    fn of(stream: impl Octets + 'static) -> Self {
        Self(TokioIo::new(Box::new(stream)))
    }
}

impl Connection for Wire {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl Write for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_elsewhere_is_read_and_nothing_of_the_token_is_shown() {
        let read = |url: &str| Elsewhere::new(url, EdgeTrust::Pin([0; 32]), "vit_secret");
        for (url, host, port) in [
            ("https://edge.example", "edge.example", 443),
            ("https://edge.example:9180/", "edge.example", 9180),
            ("https://[::1]:9180", "::1", 9180),
        ] {
            let elsewhere = read(url).expect("an address");
            assert_eq!((&*elsewhere.host, elsewhere.port), (host, port));
            assert!(!format!("{elsewhere:?} {:?}", elsewhere.authorization).contains("secret"));
        }
        for wrong in [
            "",
            "edge.example",
            "http://edge.example",
            "https://a@edge.example",
            "https://edge.example/api",
            "https://x?y",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        assert!(Elsewhere::new("https://edge.example", EdgeTrust::Pin([0; 32]), "a\nb").is_err());
    }
}
