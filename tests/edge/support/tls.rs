//! TLS clients: what they trust, offer and remember.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, LazyLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls12_signature, verify_tls13_signature,
};
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned, SupportedProtocolVersion,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::authority::authority;
use super::talk::{Stream, Talk, dial};

/// A client's ways; clones share the sessions they remember.
#[derive(Clone)]
pub(crate) struct ClientTls {
    pub(crate) config: Arc<ClientConfig>,
}

/// A usual client that speaks HTTP/1.1.
pub(crate) fn shop_client() -> ClientTls {
    static SHARED: LazyLock<Arc<ClientConfig>> =
        LazyLock::new(|| ClientTls::new(&[&TLS13, &TLS12]).alpn(&["http/1.1"]).config);
    ClientTls { config: Arc::clone(&SHARED) }.forgetful()
}

impl ClientTls {
    /// A client that trusts the tests' authority and speaks these versions.
    pub(crate) fn new(versions: &[&'static SupportedProtocolVersion]) -> Self {
        Self::with(aws_lc_rs::default_provider(), versions)
    }

    /// The same with its own cryptography.
    pub(crate) fn with(provider: CryptoProvider, versions: &[&'static SupportedProtocolVersion]) -> Self {
        let config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(versions)
            .expect("versions")
            .with_root_certificates(authority().roots())
            .with_no_client_auth();
        Self { config: Arc::new(config) }
    }

    /// A client that takes whatever certificate it is shown and signs off signatures alone, with these schemes.
    pub(crate) fn trusting(versions: &[&'static SupportedProtocolVersion], schemes: Vec<SignatureScheme>) -> Self {
        let provider = aws_lc_rs::default_provider();
        let verifier = Trusting { algorithms: provider.signature_verification_algorithms, schemes };
        let config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(versions)
            .expect("versions")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        Self { config: Arc::new(config) }
    }

    pub(crate) fn alpn(self, protocols: &[&str]) -> Self {
        let mut config = (*self.config).clone();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        Self { config: Arc::new(config) }
    }

    /// Without memory of earlier sessions.
    pub(crate) fn forgetful(self) -> Self {
        let mut config = (*self.config).clone();
        config.resumption = rustls::client::Resumption::disabled();
        Self { config: Arc::new(config) }
    }

    /// Connects and finishes the handshake.
    pub(crate) fn open(&self, address: SocketAddr, name: &str) -> Talk {
        self.try_open(address, name).unwrap_or_else(|error| panic!("no handshake for {name}: {error}"))
    }

    /// The same where it may fail.
    pub(crate) fn try_open(&self, address: SocketAddr, name: &str) -> io::Result<Talk> {
        self.over(dial(address), name)
    }

    /// The handshake over a connection that is there.
    pub(crate) fn over(&self, mut tcp: TcpStream, name: &str) -> io::Result<Talk> {
        let mut session = self.session(name);
        while session.is_handshaking() {
            session.complete_io(&mut tcp)?;
        }
        let mut stream = StreamOwned::new(session, tcp);
        stream.flush()?;
        Ok(Talk::over(Stream::Tls(Box::new(stream))))
    }

    /// A session that has not begun. An IP address as the name sends no SNI.
    pub(crate) fn session(&self, name: &str) -> ClientConnection {
        let name = ServerName::try_from(name.to_owned()).expect("a name");
        ClientConnection::new(Arc::clone(&self.config), name).expect("a session")
    }

    /// The ClientHello this client would send.
    pub(crate) fn hello(&self, name: &str) -> Vec<u8> {
        let mut octets = Vec::new();
        self.session(name).write_tls(&mut octets).expect("a hello");
        octets
    }
}

/// The certificate a session was shown.
pub(crate) fn shown(session: &ClientConnection) -> CertificateDer<'static> {
    session.peer_certificates().and_then(|chain| chain.first()).expect("a certificate").clone().into_owned()
}

#[derive(Debug)]
struct Trusting {
    algorithms: WebPkiSupportedAlgorithms,
    schemes: Vec<SignatureScheme>,
}

impl ServerCertVerifier for Trusting {
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
