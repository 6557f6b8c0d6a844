//! TLS before a shop of the tests, ended by a server that is none of the edge's.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use rustls::HandshakeKind;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::authority::{Issued, authority};

/// A server that speaks TLS and passes what comes to a shop. Ends with the test.
pub(crate) struct TlsFront {
    pub(crate) address: SocketAddr,
    handshakes: Arc<Mutex<Vec<Handshake>>>,
}

/// What a client did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Handshake {
    pub(crate) sni: Option<String>,
    pub(crate) resumed: bool,
    /// The certificate that it showed.
    pub(crate) client: Option<CertificateDer<'static>>,
}

impl TlsFront {
    /// Shows this certificate; clients need none.
    pub(crate) fn new(issued: &Issued, shop: SocketAddr) -> Self {
        Self::with(issued, shop, false, &[])
    }

    /// The same, for clients that show a certificate of the tests' authority.
    pub(crate) fn asking(issued: &Issued, shop: SocketAddr) -> Self {
        Self::with(issued, shop, true, &[])
    }

    /// The same with these protocols in ALPN.
    pub(crate) fn with(issued: &Issued, shop: SocketAddr, asks: bool, protocols: &[&str]) -> Self {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(issued.chain.as_bytes()).collect();
        let key = PrivateKeyDer::from_pem_slice(issued.key.as_bytes()).expect("a key");
        let provider = Arc::new(default_provider());
        let roots = Arc::new(authority().roots());
        let verifier = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider)).build();
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.expect("versions");
        let builder = match asks {
            true => builder.with_client_cert_verifier(verifier.expect("a verifier")),
            false => builder.with_no_client_auth(),
        };
        let mut config = builder.with_single_cert(chain.expect("a chain"), key).expect("a certificate");
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("non-blocking");
        let (address, handshakes) = (listener.local_addr().expect("an address"), Arc::default());
        let seen = Arc::clone(&handshakes);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(serve(listener, TlsAcceptor::from(Arc::new(config)), shop, seen));
        });
        Self { address, handshakes }
    }

    /// Those that came to an end until now.
    pub(crate) fn handshakes(&self) -> Vec<Handshake> {
        self.handshakes.lock().expect("handshakes").clone()
    }
}

async fn serve(
    listener: std::net::TcpListener,
    acceptor: TlsAcceptor,
    shop: SocketAddr,
    handshakes: Arc<Mutex<Vec<Handshake>>>,
) {
    let listener = TcpListener::from_std(listener).expect("a listener");
    while let Ok((client, _)) = listener.accept().await {
        let (acceptor, handshakes) = (acceptor.clone(), Arc::clone(&handshakes));
        tokio::spawn(async move {
            let Ok(mut client) = acceptor.accept(client).await else { return };
            let session = client.get_ref().1;
            handshakes.lock().expect("handshakes").push(Handshake {
                sni: session.server_name().map(Into::into),
                resumed: session.handshake_kind() == Some(HandshakeKind::Resumed),
                client: session
                    .peer_certificates()
                    .and_then(|chain| chain.first())
                    .map(|leaf| leaf.clone().into_owned()),
            });
            let Ok(mut shop) = TcpStream::connect(shop).await else { return };
            // Whoever goes first ends it for both.
            let _ = copy_bidirectional(&mut client, &mut shop).await;
        });
    }
}
