//! Handshakes: versions, names, certificates, tickets, and clients that do it oddly.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use rustls::client::{ClientSessionStore, Resumption, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::version::{TLS12, TLS13};
use rustls::{AlertDescription, HandshakeKind, NamedGroup, ProtocolVersion, SignatureScheme, SupportedProtocolVersion};
use rustls_pki_types::ServerName;

use crate::support::{
    ClientTls, Edge, KeyKind, Origin, Setup, Talk, authority, dial, drop_file, eventually, message, replace_file,
    shop_client, shown,
};

#[test]
fn both_versions_of_tls_are_spoken() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    for (offered, agreed, counted) in
        [(&TLS12, ProtocolVersion::TLSv1_2, "1.2"), (&TLS13, ProtocolVersion::TLSv1_3, "1.3")]
    {
        let mut client = ClientTls::new(&[offered]).open(edge.https, "shop.example");
        assert_eq!(client.get("shop.example", "/").text(), "hello");
        assert_eq!(client.session().protocol_version(), Some(agreed));
        edge.counted(1.0, "vitrine_handshakes_total", &[("version", counted), ("kind", "full")]);
    }
}

#[test]
fn openssl_verifies_what_it_is_shown() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    for version in ["-tls1_2", "-tls1_3"] {
        let said = openssl(&edge, "shop.example", &[version, "-verify_hostname", "shop.example"]);
        assert!(said.contains("Verify return code: 0 (ok)"), "{said}");
    }
}

#[test]
fn an_edge_of_the_newest_version_refuses_the_older() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::shop(&origin);
    setup.set("tls", "min_version = \"1.3\"");
    let edge = setup.start();
    assert_eq!(alert(&edge, &ClientTls::new(&[&TLS12]), "shop.example"), AlertDescription::ProtocolVersion);
    assert_eq!(ClientTls::new(&[&TLS13]).open(edge.https, "shop.example").get("shop.example", "/").text(), "hello");
    edge.counted(1.0, "vitrine_handshakes_total", &[("result", "incompatible")]);
}

#[test]
fn a_client_that_can_gets_a_key_exchange_quantum_computers_do_not_break() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let client = ClientTls::new(&[&TLS13]).open(edge.https, "shop.example");
    let group = client.session().negotiated_key_exchange_group().map(|group| group.name());
    assert_eq!(group, Some(NamedGroup::X25519MLKEM768));
}

#[test]
fn the_protocol_is_the_best_of_those_the_client_offers() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let client = |protocols: &[&str]| ClientTls::new(&[&TLS13]).alpn(protocols);
    for (offered, agreed) in [
        (&["http/1.1", "h2"][..], Some(&b"h2"[..])),
        (&["http/1.1"], Some(b"http/1.1")),
        (&["h3", "http/1.1"], Some(b"http/1.1")),
        (&[], None),
    ] {
        let talk = client(offered).open(edge.https, "shop.example");
        assert_eq!(talk.session().alpn_protocol(), agreed, "{offered:?}");
    }
    assert_eq!(client(&[]).open(edge.https, "shop.example").get("shop.example", "/").text(), "hello");
    assert_eq!(alert(&edge, &client(&["smtp"]), "shop.example"), AlertDescription::NoApplicationProtocol);
}

#[test]
fn a_session_is_resumed_on_both_versions() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    for (version, counted) in VERSIONS {
        let client = ClientTls::new(&[version]);
        let kinds: Vec<_> = (0..3).map(|_| visit(&client, &edge)).collect();
        assert_eq!(kinds, [HandshakeKind::Full, HandshakeKind::Resumed, HandshakeKind::Resumed], "{counted}");
        edge.counted(2.0, "vitrine_handshakes_total", &[("version", counted), ("kind", "resumed")]);
    }
}

#[test]
fn each_connection_brings_one_ticket() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let client = ClientTls::new(&[&TLS13]);
    for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
        let mut talk = client.open(edge.https, "shop.example");
        assert_eq!(talk.get("shop.example", "/").text(), "hello");
        assert_eq!((talk.session().handshake_kind(), talk.session().tls13_tickets_received()), (Some(kind), 1));
    }
}

#[test]
fn a_session_is_resumed_across_a_change_of_the_certificate_and_a_reload() {
    let origin = Origin::saying("hello");
    let mut edge = Setup::shop(&origin).start();
    let clients = VERSIONS.map(|(version, _)| ClientTls::new(&[version]));
    for client in &clients {
        assert_eq!(visit(client, &edge), HandshakeKind::Full);
    }
    let next = authority().issue(&["shop.example"]);
    replace_file(&edge.setup.certs().join("shop.pem"), next.both());
    eventually("the new certificate", || (shown(edge.open("shop.example").session()) == next.der).then_some(()));
    edge.setup.set("limits", "headers = 90");
    edge.reload();
    for client in &clients {
        assert_eq!(visit(client, &edge), HandshakeKind::Resumed);
    }
}

#[test]
fn a_ticket_for_one_name_is_worth_nothing_for_another() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::new();
    let (one, two) = (authority().issue(&["one.example"]), authority().issue(&["two.example"]));
    setup.site(&["one.example"], &[&origin]).site(&["two.example"], &[&origin]);
    setup.certificate("one", &one).certificate("two", &two);
    let edge = setup.start();
    for (version, _) in VERSIONS {
        let mut client = ClientTls::new(&[version]);
        let store = Arc::new(OneSession::default());
        Arc::make_mut(&mut client.config).resumption = Resumption::store(Arc::clone(&store) as _);
        let visit = |name: &str| {
            let mut talk = client.open(edge.https, name);
            assert_eq!(talk.get(name, "/").text(), "hello");
            (talk.session().handshake_kind().expect("a kind"), shown(talk.session()))
        };
        assert_eq!(visit("one.example"), (HandshakeKind::Full, one.der.clone()));
        assert_eq!(visit("one.example"), (HandshakeKind::Resumed, one.der.clone()));
        assert_eq!(visit("two.example"), (HandshakeKind::Full, two.der.clone()));
    }
}

#[test]
fn a_name_nobody_serves_is_refused_by_its_alert_and_logged() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    for version in VERSIONS.map(|(version, _)| version) {
        assert_eq!(alert(&edge, &ClientTls::new(&[version]), "other.example"), AlertDescription::UnrecognisedName);
    }
    edge.counted(2.0, "vitrine_handshakes_total", &[("result", "unknown_name")]);
    let line = edge.log_line("the refusal", |line| message(line) == "a TLS handshake failed");
    assert_eq!((&line["sni"], &line["reason"]), (&"other.example".into(), &"unknown_name".into()));
}

#[test]
fn a_name_nobody_serves_gets_the_default_certificate_if_the_operator_says_so() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::shop(&origin);
    setup.set("tls", "unknown_name = \"default\"").set("tls", "default_site = \"shop.example\"");
    let edge = setup.start();
    for name in ["other.example", "127.0.0.1"] {
        let mut client = trusting().open(edge.https, name);
        assert_eq!(client.session().peer_certificates().map(<[_]>::len), Some(1));
        assert_eq!(client.get("other.example", "/").status, 404, "{name}");
        // Coverage is not asked on such a connection, configuration is.
        assert_eq!(client.get("shop.example", "/").status, 200, "{name}");
    }
}

#[test]
fn a_client_that_names_nobody_is_refused() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    assert_eq!(alert(&edge, &trusting(), "127.0.0.1"), AlertDescription::UnrecognisedName);
    edge.counted(1.0, "vitrine_handshakes_total", &[("result", "no_name")]);
}

#[test]
fn an_exact_name_goes_before_a_wildcard_which_covers_one_label() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::new();
    let (exact, wildcard) = (authority().issue(&["www.shop.example"]), authority().issue(&["*.shop.example"]));
    setup.site(&["*.shop.example"], &[&origin]).certificate("a", &exact).certificate("b", &wildcard);
    let edge = setup.start();
    assert_eq!(shown(edge.open("www.shop.example").session()), exact.der);
    assert_eq!(shown(edge.open("blog.shop.example").session()), wildcard.der);
    for name in ["shop.example", "a.b.shop.example"] {
        assert_eq!(alert(&edge, &trusting(), name), AlertDescription::UnrecognisedName, "{name}");
    }
}

#[test]
fn a_name_is_the_same_name_in_any_case_and_with_a_dot_behind() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    for name in ["shop.example", "SHOP.Example", "shop.example.", "SHOP.EXAMPLE."] {
        let said = openssl(&edge, name, &["-verify_hostname", "shop.example"]);
        assert!(said.contains("Verify return code: 0 (ok)"), "{name}: {said}");
    }
}

#[test]
fn an_international_name_is_served_under_its_letters_for_machines() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::new();
    setup.site(&["Bücher.example"], &[&origin]).certificate("b", &authority().issue(&["xn--bcher-kva.example"]));
    let edge = setup.start();
    assert_eq!(edge.get("xn--bcher-kva.example", "/").text(), "hello");
}

#[test]
fn the_certificate_is_one_whose_signature_the_client_can_verify() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::shop(&origin);
    let ecdsa = authority().issue(&["shop.example"]);
    let rsa = authority().issue_for(&["shop.example"], KeyKind::Rsa, -1, 24 * 90);
    setup.certificate("shop", &ecdsa).certificate("rsa", &rsa);
    let edge = setup.start();
    let old = [SignatureScheme::RSA_PSS_SHA256, SignatureScheme::RSA_PKCS1_SHA256];
    let new = [SignatureScheme::ECDSA_NISTP256_SHA256];
    for version in VERSIONS.map(|(version, _)| version) {
        for (schemes, expected) in [(&old[..], &rsa), (&new, &ecdsa), (&[old[0], old[1], new[0]], &ecdsa)] {
            let mut client = ClientTls::trusting(&[version], schemes.to_vec()).open(edge.https, "shop.example");
            assert_eq!(shown(client.session()), expected.der, "{schemes:?}");
            assert_eq!(client.get("shop.example", "/").text(), "hello");
        }
    }
}

#[test]
fn a_hello_that_comes_octet_by_octet_gets_its_certificate() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let mut session = shop_client().session("shop.example");
    let mut tcp = Dribble(dial(edge.https));
    while session.is_handshaking() {
        session.complete_io(&mut tcp).expect("a handshake");
    }
    assert_eq!(session.handshake_kind(), Some(HandshakeKind::Full));
}

#[test]
fn a_hello_in_many_records_gets_its_certificate() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::shop(&origin);
    setup.site(&["other.example"], &[&origin]).certificate("other", &authority().issue(&["other.example"]));
    setup.set("tls", "unknown_name = \"default\"").set("tls", "default_site = \"other.example\"");
    let edge = setup.start();
    for size in [1, 2, 7, 100] {
        let mut session = shop_client().session("shop.example");
        let mut hello = Vec::new();
        session.write_tls(&mut hello).expect("a hello");
        let (head, payload) = hello.split_at(5);
        assert_eq!((head[0], payload.len()), (22, usize::from(u16::from_be_bytes([head[3], head[4]]))));
        let records = payload.chunks(size).flat_map(|piece| {
            let length = u8::try_from(piece.len()).expect("a short record");
            [&[22, 3, 1, 0, length], piece].concat()
        });
        let mut tcp = dial(edge.https);
        tcp.write_all(&records.collect::<Vec<_>>()).expect("sent");
        while session.is_handshaking() {
            session.complete_io(&mut tcp).unwrap_or_else(|error| panic!("records of {size}: {error}"));
        }
    }
}

#[test]
fn a_probe_for_an_acme_challenge_never_sees_a_shop() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let probe = trusting().alpn(&["acme-tls/1"]);
    assert_eq!(alert(&edge, &probe, "shop.example"), AlertDescription::NoApplicationProtocol);
    edge.counted(1.0, "vitrine_handshakes_total", &[("result", "no_challenge")]);
}

#[test]
fn half_a_hello_or_none_is_closed_at_the_deadline_and_counted() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::shop(&origin);
    setup.set("limits", "handshake_timeout = \"500ms\"");
    let edge = setup.start();
    let hello = shop_client().hello("shop.example");
    let mut half = Talk::plain(edge.https);
    half.send(&hello[..hello.len() / 2]);
    let mut silent = Talk::plain(edge.https);
    // The whole hello, and then nothing: the handshake does not end either.
    let mut first = Talk::plain(edge.https);
    first.send(&hello);
    edge.counted(3.0, "vitrine_connections_open", &[("protocol", "handshake")]);
    assert_eq!((half.until_closed(), silent.until_closed()), (vec![], vec![]));
    first.until_closed();
    edge.counted(3.0, "vitrine_handshakes_total", &[("result", "timeout")]);
    edge.log_line("the name of the one that sent it", |line| {
        message(line) == "a TLS handshake failed" && line["reason"] == "timeout" && line["sni"] == "shop.example"
    });
    edge.counted(0.0, "vitrine_connections_open", &[("protocol", "handshake")]);
    assert_eq!(edge.get("shop.example", "/").text(), "hello");
}

#[test]
fn what_is_no_tls_is_closed_and_counted() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let mut client = Talk::plain(edge.https);
    client.send("GET / HTTP/1.1\r\nhost: shop.example\r\n\r\n");
    client.until_closed();
    edge.counted(1.0, "vitrine_handshakes_total", &[("result", "not_tls")]);
    assert_eq!(origin.requests(), []);
}

#[test]
fn a_client_that_refuses_the_certificate_is_counted_as_such() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::shop(&origin);
    let expired = authority().issue_for(&["old.example"], KeyKind::Ecdsa, -48, -24);
    setup.site(&["old.example"], &[&origin]);
    drop_file(&setup.certs().join("old.pem"), expired.both());
    let edge = setup.start();
    assert!(shop_client().try_open(edge.https, "old.example").is_err());
    edge.counted(1.0, "vitrine_handshakes_total", &[("result", "peer_alert")]);
}

const VERSIONS: [(&SupportedProtocolVersion, &str); 2] = [(&TLS12, "1.2"), (&TLS13, "1.3")];

/// Visits the shop; the answer comes behind the ticket.
fn visit(client: &ClientTls, edge: &Edge) -> HandshakeKind {
    let mut talk = client.open(edge.https, "shop.example");
    assert_eq!(talk.get("shop.example", "/").text(), "hello");
    talk.session().handshake_kind().expect("a kind")
}

/// A client that takes any certificate.
fn trusting() -> ClientTls {
    ClientTls::trusting(&[&TLS13, &TLS12], vec![SignatureScheme::ECDSA_NISTP256_SHA256])
}

/// The alert that ends the handshake.
fn alert(edge: &Edge, client: &ClientTls, name: &str) -> AlertDescription {
    let Err(error) = client.try_open(edge.https, name) else { panic!("a handshake for {name}") };
    match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(rustls::Error::AlertReceived(alert)) => *alert,
        _ => panic!("no alert for {name} but {error}"),
    }
}

/// What `openssl s_client` says.
fn openssl(edge: &Edge, name: &str, arguments: &[&str]) -> String {
    let root = edge.setup.folder.path().join("root.pem");
    std::fs::write(&root, &authority().root_pem).expect("written");
    let output = Command::new("openssl")
        .args(["s_client", "-connect", &edge.https.to_string(), "-servername", name, "-CAfile"])
        .arg(&root)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("openssl runs");
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Sends one octet at a time.
struct Dribble(TcpStream);

impl Read for Dribble {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Dribble {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.write(&octets[..octets.len().min(1)])
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Remembers the last session and offers it to everybody.
#[derive(Debug, Default)]
struct OneSession {
    tls12: Mutex<Option<Tls12ClientSessionValue>>,
    tls13: Mutex<Option<Tls13ClientSessionValue>>,
}

impl ClientSessionStore for OneSession {
    fn set_kx_hint(&self, _: ServerName<'static>, _: NamedGroup) {}

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        None
    }

    fn set_tls12_session(&self, _: ServerName<'static>, value: Tls12ClientSessionValue) {
        *self.tls12.lock().expect("a session") = Some(value);
    }

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.tls12.lock().expect("a session").clone()
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {}

    fn insert_tls13_ticket(&self, _: ServerName<'static>, value: Tls13ClientSessionValue) {
        *self.tls13.lock().expect("a session") = Some(value);
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.tls13.lock().expect("a session").take()
    }
}
