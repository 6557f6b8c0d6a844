//! How long one HTTP/1.1 request takes through a whole edge: client, TLS, edge and origin over loopback, every connection kept
//! alive. The second line is the same request to the origin itself, without TLS: what client, kernel and origin need of it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use vitrine::certs::{KeyKind, LocalCa, valid_for};
use vitrine::config::Config;
use vitrine::edge::{Certificates, Edge};
use vitrine::name::HostPattern;

#[path = "support/origin.rs"]
mod origin;

/// As in the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

criterion_group!(benches, forward);
criterion_main!(benches);

fn forward(criterion: &mut Criterion) {
    let origin = origin::start(vec![b'v'; BODY]).expect("an origin");
    let state = tempfile::tempdir().expect("a folder");
    let configuration = format!(
        r#"
        edge = {{ https = ["127.0.0.1:0"], http = [], workers = 1 }}
        admin = {{ listen = "127.0.0.1:0" }}
        certificates = {{ drop_directory = "{state}/certs", state_directory = "{state}/state" }}
        site = [{{ hosts = ["{NAME}"], upstreams = ["http://{origin}"] }}]
        "#,
        state = state.path().display()
    );
    let loaded = Config::parse(Path::new("forward.toml"), &configuration).expect("a configuration");
    let authority = LocalCa::new("Vitrine benches").expect("an authority");
    let name = HostPattern::parse(NAME).expect("a name");
    let issued = authority.issue(&[name], valid_for(30), KeyKind::Ecdsa).expect("issued");
    let certificates = Certificates::Fixed(vec![issued.served().expect("served")]);
    let edge = Edge::start(None, loaded, certificates).expect("an edge");

    let tcp = TcpStream::connect(edge.addresses().https[0]).expect("connected");
    tcp.set_nodelay(true).expect("set");
    let client = ClientConnection::new(trusting(&authority), ServerName::try_from(NAME).expect("a name"));
    let mut through = StreamOwned::new(client.expect("a client"), tcp);
    let mut direct = TcpStream::connect(origin).expect("connected");
    direct.set_nodelay(true).expect("set");

    let mut group = criterion.benchmark_group("forward");
    group.bench_function("1 KiB through the edge", |bencher| bencher.iter(|| exchange(&mut through)));
    group.bench_function("1 KiB from the origin", |bencher| bencher.iter(|| exchange(&mut direct)));
    group.finish();
}

/// One request, and all of its response.
fn exchange(connection: &mut (impl Read + Write)) {
    connection.write_all(REQUEST.as_bytes()).expect("sent");
    connection.flush().expect("sent");
    let mut response = [0; BODY + 1024];
    let mut filled = 0;
    loop {
        let read = connection.read(&mut response[filled..]).expect("received");
        assert!(read > 0, "the connection was closed");
        filled += read;
        let end = response[..filled].windows(4).position(|four| four == b"\r\n\r\n");
        if end.is_some_and(|end| filled == end + 4 + BODY) {
            assert!(response.starts_with(b"HTTP/1.1 200 "));
            return;
        }
    }
}

fn trusting(authority: &LocalCa) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.root_pem().as_bytes()).expect("PEM")).expect("a root");
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
    Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
}

const NAME: &str = "shop.example";
const BODY: usize = 1024;
const REQUEST: &str = "GET /basket HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n";
