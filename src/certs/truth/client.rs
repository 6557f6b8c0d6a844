//! A handshake with our own listener, to see the certificate that clients are shown.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs::{default_provider, kx_group};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::super::certificate::{hexadecimal, sha256};
use super::callers::Callers;
use crate::live::KeyType;

/// Which signatures a client says that it can check: that is how it is shown the certificate of one type of key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Offer {
    /// ECDSA on any curve.
    Ecdsa,
    /// Ed25519.
    Ed25519,
    /// RSA of any size.
    Rsa,
    /// All of them, where no certificate is expected.
    Any,
}

impl Offer {
    /// Every offer there is.
    pub const ALL: [Self; 4] = [Self::Ecdsa, Self::Ed25519, Self::Rsa, Self::Any];

    /// The label that lists use for certificates of this type of key; `any` for all of them.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Ecdsa => "ecdsa",
            Self::Ed25519 => "ed25519",
            Self::Rsa => "rsa",
            Self::Any => "any",
        }
    }

    /// The one of a label.
    #[must_use]
    pub fn labelled(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|offer| offer.label() == label)
    }

    pub(super) fn of(key_type: KeyType) -> Self {
        match key_type {
            KeyType::EcdsaP256 | KeyType::EcdsaP384 | KeyType::EcdsaP521 => Self::Ecdsa,
            KeyType::Ed25519 => Self::Ed25519,
            KeyType::Rsa => Self::Rsa,
        }
    }

    fn schemes(self) -> Vec<SignatureScheme> {
        let of_type = |key_type: &KeyType| self == Self::Any || Self::of(*key_type) == self;
        KEY_TYPES.iter().filter(|key_type| of_type(key_type)).flat_map(|key_type| key_type.schemes()).copied().collect()
    }
}

/// What came of a handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// A certificate with this fingerprint, and a signature by its key.
    Shown(String),
    /// An alert.
    Refused(String),
    /// Nobody is there, hangs up, or says nothing in time.
    Silent(String),
    /// No TLS, or a certificate without its key.
    Invalid(String),
}

/// Clients of the edge, one for each offer.
pub(super) struct Client {
    connectors: Vec<(Offer, TlsConnector)>,
    callers: Callers,
    patience: Duration,
}

impl Client {
    /// Clients that are among these callers.
    ///
    /// # Errors
    /// When the cryptography library offers no usable versions.
    pub(super) fn new(callers: Callers) -> Result<Self, rustls::Error> {
        let connectors: Result<_, _> =
            Offer::ALL.into_iter().map(|offer| connector(offer).map(|made| (offer, made))).collect();
        Ok(Self { connectors: connectors?, callers, patience: PATIENCE })
    }

    #[cfg(test)]
    pub(super) fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Asks whoever listens at `listener` for `name`.
    pub(super) async fn ask(&self, listener: SocketAddr, name: &str, offer: Offer) -> Answer {
        let deadline = Instant::now() + self.patience;
        let Some((_, connector)) = self.connectors.iter().find(|(known, _)| *known == offer) else {
            return Answer::Invalid("no client offers this".into());
        };
        let Ok(server) = ServerName::try_from(name.to_owned()) else {
            return Answer::Invalid("TLS cannot ask for this name".into());
        };
        let shown = async {
            let (tcp, caller) = self.callers.connect(listener).await?;
            Ok::<_, io::Error>((connector.connect(server, tcp).await?, caller))
        };
        match timeout_at(deadline, shown).await {
            Ok(Ok((stream, _caller))) => {
                let answer = shown_by(&stream);
                // The answer stands, however the farewell ends.
                let _ = timeout_at(deadline, part(stream)).await;
                answer
            }
            Ok(Err(error)) => failed(&error),
            Err(_) => Answer::Silent(format!("it says nothing within {} s", self.patience.as_secs_f32())),
        }
    }
}

fn shown_by(stream: &TlsStream<TcpStream>) -> Answer {
    match stream.get_ref().1.peer_certificates().and_then(|chain| chain.first()) {
        Some(leaf) => Answer::Shown(hexadecimal(&sha256(leaf))),
        None => Answer::Invalid("the handshake ends without a certificate".into()),
    }
}

/// Says good-bye and lets the edge hang up: whoever does so first keeps the port for a minute.
async fn part(mut stream: TlsStream<TcpStream>) {
    stream.get_mut().1.send_close_notify();
    if stream.flush().await.is_ok() {
        let _ = tokio::io::copy(&mut stream.take(FAREWELL), &mut tokio::io::sink()).await;
    }
}

fn failed(error: &io::Error) -> Answer {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::AlertReceived(alert)) => Answer::Refused(format!("it refuses with the alert {alert:?}")),
        Some(error) => Answer::Invalid(format!("the handshake fails: {error}")),
        None => Answer::Silent(error.to_string()),
    }
}

/// A client of our own listeners.
pub(super) fn connector(offer: Offer) -> Result<TlsConnector, rustls::Error> {
    // One group that every listener has: the handshake with ourselves needs no protection from the future, and costs half.
    connector_by(CryptoProvider { kx_groups: vec![kx_group::X25519], ..default_provider() }, offer)
}

/// A client that takes any certificate, and does the rest by `provider`.
pub(super) fn connector_by(provider: CryptoProvider, offer: Offer) -> Result<TlsConnector, rustls::Error> {
    let verifier = SignatureAlone { algorithms: provider.signature_verification_algorithms, schemes: offer.schemes() };
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&TLS13, &TLS12])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![HTTP11.to_vec()];
    // A resumed session shows no certificate.
    config.resumption = Resumption::disabled();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Takes whatever certificate it is shown, which is compared by whoever asked. That its key is there too is checked: who only
/// repeats the certificate does not serve it.
#[derive(Debug)]
struct SignatureAlone {
    algorithms: WebPkiSupportedAlgorithms,
    schemes: Vec<SignatureScheme>,
}

impl ServerCertVerifier for SignatureAlone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.clone()
    }
}

const KEY_TYPES: [KeyType; 5] =
    [KeyType::EcdsaP256, KeyType::EcdsaP384, KeyType::EcdsaP521, KeyType::Ed25519, KeyType::Rsa];
/// From connecting to the last word. A handshake takes a millisecond; an edge that lets a client wait for so long has no room.
const PATIENCE: Duration = Duration::from_secs(5);
/// More than tickets is not what an edge has to say to a client that asks for nothing.
const FAREWELL: u64 = 64 * 1024;
/// RFC 7301 §6
const HTTP11: &[u8] = b"http/1.1";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_type_is_offered_by_its_own_client_and_by_the_one_for_all() {
        for key_type in KEY_TYPES {
            let signs = |offer: Offer| key_type.schemes().iter().all(|scheme| offer.schemes().contains(scheme));
            let offered: Vec<_> =
                [Offer::Ecdsa, Offer::Ed25519, Offer::Rsa].into_iter().filter(|o| signs(*o)).collect();
            assert_eq!((offered, signs(Offer::Any)), (vec![Offer::of(key_type)], true), "{key_type:?}");
        }
    }
}
