//! What a TLS 1.3 handshake costs, client and server together, in memory: both ends run in this thread, one after the other,
//! and the time is the sum. The server is set up as the edge's: the certificate by SNI from the index, tickets, no session
//! store. The client checks the chain as a browser does.

use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use rustls::crypto::{CryptoProvider, SupportedKxGroup, aws_lc_rs};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, HandshakeKind, RootCertStore, ServerConfig, ServerConnection};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use vitrine::certs::{KeyKind, LocalCa, valid_for};
use vitrine::live::CertIndex;
use vitrine::name::HostPattern;

/// As in the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

criterion_group!(benches, handshake);
criterion_main!(benches);

fn handshake(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("handshake");
    for (key, kind) in [("ecdsa-p256", KeyKind::Ecdsa), ("rsa-2048", KeyKind::Rsa)] {
        for exchange in [aws_lc_rs::kx_group::X25519MLKEM768, aws_lc_rs::kx_group::X25519] {
            let ends = Ends::new(kind, exchange);
            let parameters = format!("{key} {:?}", exchange.name());
            ends.shake(HandshakeKind::Full); // a ticket to begin with
            group.bench_function(BenchmarkId::new("resumed", &parameters), |bencher| {
                bencher.iter(|| ends.shake(HandshakeKind::Resumed));
            });
            let ends = ends.without_tickets();
            group.bench_function(BenchmarkId::new("full", &parameters), |bencher| {
                bencher.iter(|| ends.shake(HandshakeKind::Full));
            });
        }
    }
    group.finish();
}

/// Both ends' configurations.
struct Ends {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
}

impl Ends {
    fn new(kind: KeyKind, exchange: &'static dyn SupportedKxGroup) -> Self {
        let authority = LocalCa::new("Vitrine benches").expect("an authority");
        let name = HostPattern::parse(NAME).expect("a name");
        let issued = authority.issue(&[name], valid_for(30), kind).expect("issued");
        let index = CertIndex::ranked([issued.served().expect("served")]);

        let mut server = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&TLS13, &TLS12])
            .expect("versions")
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(BySni(index)));
        server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.ticketer = aws_lc_rs::Ticketer::new().expect("a ticketer");

        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority.root_pem().as_bytes()).expect("PEM")).expect("a root");
        let provider = CryptoProvider { kx_groups: vec![exchange], ..aws_lc_rs::default_provider() };
        let mut client = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[&TLS13])
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        client.alpn_protocols.clone_from(&server.alpn_protocols);
        Self { client: Arc::new(client), server: Arc::new(server) }
    }

    /// The same for a client that has never been here.
    fn without_tickets(self) -> Self {
        let mut client = ClientConfig::clone(&self.client);
        client.resumption = rustls::client::Resumption::disabled();
        Self { client: Arc::new(client), ..self }
    }

    /// One handshake to its end, with the tickets that come after it.
    fn shake(&self, expected: HandshakeKind) {
        let name = ServerName::try_from(NAME).expect("a name");
        let mut client = ClientConnection::new(Arc::clone(&self.client), name).expect("a client");
        let mut server = ServerConnection::new(Arc::clone(&self.server)).expect("a server");
        let mut wire = Vec::with_capacity(8 * 1024);
        while client.wants_write() || server.wants_write() {
            while client.wants_write() {
                client.write_tls(&mut wire).expect("written");
            }
            deliver(&mut wire, |octets| {
                server.read_tls(octets).expect("read");
                server.process_new_packets().expect("a handshake");
            });
            while server.wants_write() {
                server.write_tls(&mut wire).expect("written");
            }
            deliver(&mut wire, |octets| {
                client.read_tls(octets).expect("read");
                client.process_new_packets().expect("a handshake");
            });
        }
        assert!(!client.is_handshaking() && !server.is_handshaking());
        assert_eq!(client.handshake_kind(), Some(expected));
    }
}

fn deliver(wire: &mut Vec<u8>, mut to: impl FnMut(&mut &[u8])) {
    let mut octets = &wire[..];
    while !octets.is_empty() {
        to(&mut octets);
    }
    wire.clear();
}

/// The edge's way to a certificate, without its worker.
struct BySni(CertIndex);

impl std::fmt::Debug for BySni {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BySni")
    }
}

impl ResolvesServerCert for BySni {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let served = self.0.find(hello.server_name()?)?.pick(hello.signature_schemes())?;
        served.certified.ready()
    }
}

const NAME: &str = "shop.example";
