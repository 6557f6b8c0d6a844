//! What is said of names, and who is taken for this edge.

use std::net::SocketAddr;
use std::time::Duration;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::certs::challenge_certificate;
use crate::live::{Challenges, table};

const MANUAL: &str = include_str!("../../../docs/certificates.md");

fn host() -> HostName {
    HostName::parse("shop.example").expect("a name")
}

fn addresses(addresses: &[&str]) -> Vec<IpAddr> {
    addresses.iter().map(|address| address.parse().expect("an address")).collect()
}

#[test]
fn each_record_that_leads_elsewhere_is_named_with_the_mend_as_the_manual_shows() {
    let found = |answers: &[Answer]| -> Vec<String> {
        let found = elsewhere(&host(), &addresses(&["192.0.2.7", "2001:db8::7"]), answers, 80);
        found.into_iter().map(|finding| finding.text).collect()
    };
    assert_eq!(found(&[Answer::Ours, Answer::Ours]), Vec::<String>::new());
    let told = found(&[Answer::Ours, Answer::Another("it answers 404 Not Found".into())]);
    assert_eq!(
        told,
        [
            "shop.example AAAA 2001:db8::7 leads to another server: at port 80 it answers 404 Not Found; delete this record, or have \
          it lead here, as A 192.0.2.7 does"
        ]
    );
    assert!(MANUAL.contains(&told[0]), "{}", told[0]);
    let told = found(&[Answer::Nobody("nobody listens there".into()), Answer::Another("it answers 200".into())]);
    let mend = "have it lead here, or delete it if another does";
    assert_eq!(
        told,
        [
            format!("shop.example A 192.0.2.7 does not answer at port 80: nobody listens there; {mend}"),
            format!(
                "shop.example AAAA 2001:db8::7 leads to another server: at port 80 it answers 200; {mend}{CANNOT_LOOK}"
            ),
        ]
    );
}

#[test]
fn everything_that_is_wrong_is_told_at_once_and_the_first_name_gives_the_reason() {
    let off_limits = off_limits(&host(), addresses(&["10.0.0.7"])[0], "private (RFC 1918)");
    assert_eq!(
        off_limits.text,
        "shop.example A 10.0.0.7 is private (RFC 1918), where no authority of the web looks and no probe goes: have it be the \
         public address of this edge, or add its network to acme.preflight_networks if your authority looks there"
    );
    let caa = Finding { reason: Reason::Caa, text: "no".into() };
    let failure = told(&[off_limits.clone(), caa]);
    assert_eq!((failure.reason, failure.is_beforehand), (Reason::UnreachableName, true));
    assert_eq!(failure.text, format!("{}; no", off_limits.text));
}

/// Answers one handshake with a certificate, as a server that knows acme-tls/1 or one that pays no heed to it.
async fn server(certificate: CertificateDer<'static>, key: PrivateKeyDer<'static>, alpn: &[&[u8]]) -> SocketAddr {
    let provider = default_provider();
    let key = provider.key_provider.load_private_key(key).expect("a key");
    let only = SingleCertAndKey::from(CertifiedKey::new(vec![certificate], key));
    let mut config = ServerConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(only));
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    answering(move |tcp| async move {
        // Who does not like the certificate goes.
        let _ = TlsAcceptor::from(Arc::new(config)).accept(tcp).await;
    })
    .await
}

/// Does something with one connection.
async fn answering<F: Future<Output = ()> + Send + 'static>(
    answer: impl FnOnce(TcpStream) -> F + Send + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.expect("a connection");
        answer(tcp).await;
    });
    address
}

async fn seen(expected: &CertificateDer<'static>, address: SocketAddr) -> Answer {
    let connector = handshake::expecting(expected.clone()).expect("a client");
    handshake::look(&connector, address, &host(), Instant::now() + Duration::from_secs(20)).await
}

#[tokio::test]
async fn who_shows_the_certificate_is_this_edge_and_nobody_else_is() {
    let (ours, key) = challenge_certificate(&host(), &[7; 32]).expect("a certificate");
    let (others, other_key) = challenge_certificate(&host(), &[7; 32]).expect("a certificate");
    let at = server(ours.clone(), key.clone_key(), &[b"acme-tls/1"]).await;
    assert_eq!(seen(&ours, at).await, Answer::Ours);
    let another = |how: &str| Answer::Another(how.into());
    for alpn in [&[&b"acme-tls/1"[..]][..], &[]] {
        let at = server(others.clone(), other_key.clone_key(), alpn).await;
        assert_eq!(seen(&ours, at).await, another("it shows another certificate"));
    }
    let at = server(ours.clone(), key, &[b"h2", b"http/1.1"]).await;
    assert_eq!(seen(&ours, at).await, another("it does not answer to acme-tls/1"));
    let at =
        answering(|mut tcp| async move { tcp.write_all(b"SSH-2.0-OpenSSH_9.9\r\n").await.expect("written") }).await;
    let told = seen(&ours, at).await;
    assert!(matches!(&told, Answer::Another(how) if how.starts_with("it does not speak TLS as it should")), "{told:?}");
    let at = answering(|tcp| async move { drop(tcp) }).await;
    let told = seen(&ours, at).await;
    assert!(matches!(&told, Answer::Another(how) if how.starts_with("it breaks off the handshake")), "{told:?}");
    let nobody = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    assert_eq!(seen(&ours, nobody).await, Answer::Nobody("nobody listens there".into()));
}

#[tokio::test]
async fn what_is_shown_for_a_probe_is_gone_with_it() {
    let (publisher, live) = table(Challenges::default());
    let shown = Shown::new(publisher);
    let text = Arc::new(std::sync::Mutex::new(Vec::new()));
    let (look, path_seen) = (live.clone(), Arc::clone(&text));
    let at = answering(move |tcp| async move {
        let mut reader = tokio::io::BufReader::new(tcp);
        let mut line = String::new();
        tokio::io::AsyncBufReadExt::read_line(&mut reader, &mut line).await.expect("a request");
        let path = line.split(' ').nth(1).expect("a path").to_owned();
        let content = look.load().find("shop.example", &path).expect("it is shown").content.clone();
        assert!(look.load().find("other.example", &path).is_none());
        path_seen.lock().expect("a path").push(path);
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", content.len());
        reader.get_mut().write_all(&[head.as_bytes(), &content].concat()).await.expect("written");
    })
    .await;
    let answers = probe::by_http(&shown, &host(), &[at.ip()], at.port()).await.expect("a probe");
    assert_eq!(answers, [Answer::Ours]);
    let path = text.lock().expect("a path").remove(0);
    assert!(path.starts_with("/.well-known/acme-challenge/") && path.len() > 40, "{path}");
    assert!(live.load().find("shop.example", &path).is_none());
    probe::by_tls(&shown, &host(), &[at.ip()], at.port()).await.expect("a probe");
    assert!(live.load().handshake("shop.example").is_none());
}
