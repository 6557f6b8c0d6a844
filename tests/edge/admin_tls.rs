//! The admin listener over TLS, as it is beyond loopback.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;

use rustls::version::{TLS12, TLS13};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::json;

use crate::support::command::said;
use crate::support::{
    ClientTls, Edge, Origin, PASSWORD, Response, Setup, Talk, authority, dial, dial_from, drop_file, eventually, run,
    shop_client, shown,
};

fn setup() -> Setup {
    let mut setup = Setup::new();
    setup.set("admin", "tls = true").set("admin", "host = \"edge.example\"");
    setup
}

/// The certificate of its own, as somebody would copy it.
fn plate(edge: &Edge) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(edge.setup.state().join("admin/certificate.pem")).expect("a certificate")
}

/// Somebody who believes any certificate.
fn open(edge: &Edge, name: &str) -> Talk {
    let schemes = rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes();
    ClientTls::trusting(&[&TLS13, &TLS12], schemes).forgetful().open(edge.admin, name)
}

#[test]
fn curl_believes_the_one_that_was_made_here_when_it_was_told_to() {
    let edge = setup().start();
    let port = edge.admin.port();
    let file = edge.setup.state().join("admin/certificate.pem");
    let curl = |more: &[&str]| {
        let output = Command::new("curl")
            .args(["-sS", "--max-time", "20", "--resolve", &format!("edge.example:{port}:127.0.0.1")])
            .args(more)
            .arg(format!("https://edge.example:{port}/livez"))
            .output()
            .expect("curl");
        (output.status.code(), said(&output.stdout))
    };
    assert_eq!(curl(&["--cacert", file.to_str().expect("a path")]), (Some(0), "ok\n".into()));
    // CURLE_PEER_FAILED_VERIFICATION
    assert_eq!(curl(&[]).0, Some(60));
    let openssl = |version: &str| {
        let output = Command::new("openssl")
            .args(["s_client", "-brief", version, "-connect", &edge.admin.to_string()])
            .args(["-servername", "edge.example", "-CAfile"])
            .arg(&file)
            .stdin(std::process::Stdio::null())
            .output()
            .expect("openssl");
        (output.status.success(), said(&output.stderr))
    };
    for version in ["-tls1_2", "-tls1_3"] {
        let (is_open, told) = openssl(version);
        assert!(is_open && told.contains("Verification: OK"), "{version}: {told}");
    }
    assert!(!openssl("-tls1_1").0);
}

#[test]
fn the_oldest_version_that_is_configured_holds_here_too_and_from_the_next_connection_on() {
    let mut edge = setup().start();
    let schemes = rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes();
    let older = ClientTls::trusting(&[&TLS12], schemes).forgetful();
    let mut before = older.open(edge.admin, "edge.example");
    edge.setup.set("tls", "min_version = \"1.3\"");
    edge.reload();
    let refused = older.try_open(edge.admin, "edge.example").err().expect("a refusal").to_string();
    assert!(refused.contains("ProtocolVersion"), "{refused}");
    assert_eq!(open(&edge, "edge.example").get("edge.example", "/livez").status, 200);
    // What is open stays.
    assert_eq!(before.get("edge.example", "/livez").status, 200);
    edge.setup.set("tls", "min_version = \"1.2\"");
    edge.reload();
    assert!(older.try_open(edge.admin, "edge.example").is_ok());
}

#[test]
fn a_certificate_that_comes_is_shown_to_the_next_and_costs_no_connection() {
    let edge = setup().start();
    let mut before = open(&edge, "edge.example");
    assert_eq!(shown(before.session()), plate(&edge));
    let issued = authority().issue(&["edge.example"]);
    drop_file(&edge.setup.certs().join("edge.pem"), issued.both());
    eventually("the certificate", || {
        let talk = shop_client().try_open(edge.admin, "edge.example").ok()?;
        (shown(talk.session()) == issued.der).then_some(())
    });
    assert_eq!(before.get("edge.example", "/readyz").status, 200);
    // Whoever asks for nothing, or for a shop, gets that of the listener's own name too.
    let other = authority().issue(&["shop.example"]);
    drop_file(&edge.setup.certs().join("shop.pem"), other.both());
    eventually("another certificate", || (edge.api("certificates").len() == 2).then_some(()));
    for name in ["127.0.0.1", "shop.example"] {
        assert_eq!(shown(open(&edge, name).session()), issued.der, "{name}");
    }
}

#[test]
fn what_is_shown_without_a_certificate_outlasts_a_restart() {
    let edge = setup().start();
    let before = plate(&edge);
    assert!(PrivateKeyDer::from_pem_file(edge.setup.state().join("admin/key.pem")).is_ok());
    let told = edge.logged("shows one of its own");
    let next = edge.end(rustix::process::Signal::TERM).start();
    assert_eq!((plate(&next), shown(open(&next, "edge.example").session())), (before.clone(), before));
    assert_eq!(next.logged("shows one of its own")["fingerprint"], told["fingerprint"]);
}

#[test]
fn whoever_speaks_http_without_tls_is_told_so() {
    let edge = setup().start();
    let answer = Talk::plain(edge.admin).ask("POST /api/v1/session HTTP/1.1\r\nhost: edge.example\r\n\r\nsecret");
    assert_eq!((answer.status, answer.field("connection")), (400, Some("close")));
    assert!(answer.text().contains("speaks HTTPS") && !answer.text().contains("edge.example"), "{}", answer.text());
    // What is neither is closed.
    let mut talk = Talk::plain(edge.admin);
    talk.send(b"\x00\x01\x02 nonsense");
    talk.until_closed();
    // So is a hello without end: 64 KiB are more than any client says.
    let mut talk = Talk::plain(edge.admin);
    let record = [&[22, 3, 1, 0x40, 0][..], &[1, 0xff, 0xff, 0xff][..], &[0; 0x4000 - 4]].concat();
    for _ in 0..8 {
        if talk.try_send(&record).is_err() {
            break;
        }
    }
    talk.until_closed();
}

#[test]
fn whoever_says_nothing_keeps_nobody_else_out_and_is_let_go() {
    let edge = setup().start();
    let mut silent: Vec<_> = (0..16).map(|_| Talk::on(dial(edge.admin))).collect();
    // One more of the same address is closed at once; somebody else is answered.
    Talk::on(dial(edge.admin)).until_closed();
    let schemes = rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes();
    let client = ClientTls::trusting(&[&TLS13], schemes);
    let mut other = client.over(dial_from("127.0.0.2", edge.admin), "edge.example").expect("a handshake");
    assert_eq!(other.get("edge.example", "/livez").status, 200);
    // The deadline lets go of those who say nothing, and of one who stops in the middle of a hello.
    let hello = client.hello("edge.example");
    silent[0].send(&hello[..hello.len() / 2]);
    assert_eq!(silent[0].until_closed(), b"");
    assert_eq!(silent[1].until_closed(), b"");
    assert_eq!(
        eventually("room", || client.try_open(edge.admin, "edge.example").ok()).get("edge.example", "/livez").status,
        200
    );
}

/// Asks over a connection of its own.
fn ask(edge: &Edge, line: &str, fields: &str, content: &str) -> Response {
    let (host, length) = (format!("edge.example:{}", edge.admin.port()), content.len());
    open(edge, "edge.example")
        .ask(format!("{line} HTTP/1.1\r\nhost: {host}\r\n{fields}content-length: {length}\r\n\r\n{content}"))
}

#[test]
fn the_cookie_is_for_this_host_over_tls_alone() {
    let edge = setup().start();
    let made =
        edge.order_api("POST", "/api/v1/users", &json!({ "name": "anna", "role": "admin", "password": PASSWORD }));
    assert_eq!(made.status, 201, "{}", made.text());
    let port = edge.admin.port();
    let sign_in = |origin: &str| {
        let order = json!({ "user": "anna", "password": PASSWORD }).to_string();
        ask(&edge, "POST /api/v1/session", &format!("origin: {origin}\r\ncontent-type: application/json\r\n"), &order)
    };
    assert_eq!(sign_in(&format!("http://edge.example:{port}")).status, 403);
    assert_eq!(sign_in("https://evil.example").status, 403);
    let answer = sign_in(&format!("https://edge.example:{port}"));
    assert_eq!(answer.status, 201, "{}", answer.text());
    let cookie = answer.field("set-cookie").expect("a cookie").to_owned();
    let secret = cookie.strip_prefix("__Host-vitrine=").and_then(|rest| rest.split(';').next()).expect("a secret");
    assert_eq!(cookie, format!("__Host-vitrine={secret}; Path=/; HttpOnly; SameSite=Strict; Secure"));
    let status = |name: &str| ask(&edge, "GET /api/v1/sites", &format!("cookie: {name}={secret}\r\n"), "").status;
    assert_eq!((status("__Host-vitrine"), status("vitrine")), (200, 401));

    // The names by which it may be called are those of the configuration, over TLS too.
    let rebound = open(&edge, "edge.example").get("rebound.example", "/livez");
    assert_eq!(rebound.status, 403);
    let csrf = answer.json()["csrf"].as_str().expect("a token").to_owned();
    let fields = format!("cookie: __Host-vitrine={secret}\r\nx-csrf-token: {csrf}\r\n");
    let gone = ask(&edge, "DELETE /api/v1/session", &fields, "");
    assert!(gone.field("set-cookie").is_some_and(|cookie| cookie.starts_with("__Host-vitrine=; ")), "{gone:?}");
    assert_eq!(status("__Host-vitrine"), 401);
}

#[test]
fn browsers_are_told_to_come_over_https_alone_unless_a_shop_has_the_name_too() {
    const FIELD: &str = "strict-transport-security";
    let told = |edge: &Edge, host: &str| open(edge, "edge.example").get(host, "/livez").field(FIELD).map(str::to_owned);
    let edge = setup().start();
    assert_eq!(told(&edge, "edge.example").as_deref(), Some("max-age=15552000"));
    assert_eq!(told(&edge, "localhost"), None);
    let origin = Origin::saying("hello");
    let mut shared = setup();
    shared.site(&["edge.example"], &[&origin]);
    let edge = shared.start();
    assert_eq!(told(&edge, "edge.example"), None);
    let mut setup = edge.end(rustix::process::Signal::TERM);
    setup.set("admin", "hsts = true");
    assert_eq!(told(&setup.start(), "edge.example").as_deref(), Some("max-age=15552000"));
}

#[test]
fn the_command_line_asks_from_elsewhere_whom_it_knows() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::shop(&origin);
    setup.set("admin", "tls = true");
    let edge = setup.start();
    drop_file(&edge.setup.folder.path().join("token"), edge.token("cli", "read"));
    let ask = |address: SocketAddr, more: &[&str]| {
        let url = format!("https://{address}");
        let arguments = [&["certs", "list", "--admin", &url, "--token-file", "token"][..], more].concat();
        let output = run(&arguments, &edge.setup);
        (output.status.code(), said(&output.stdout) + &said(&output.stderr))
    };
    let pin = edge.logged("shows one of its own")["fingerprint"].as_str().expect("a fingerprint").to_owned();
    for known in [["--admin-ca", "state/admin/certificate.pem"], ["--admin-pin", &pin]] {
        let (code, told) = ask(edge.admin, &known);
        assert!(code == Some(0) && told.contains("shop.example"), "{known:?}: {told}");
    }
    fs::write(edge.setup.folder.path().join("other.pem"), &authority().issue(&["other.example"]).chain)
        .expect("written");
    for unknown in [&[][..], &["--admin-ca", "other.pem"], &["--admin-pin", &pin.chars().rev().collect::<String>()]] {
        let (code, told) = ask(edge.admin, unknown);
        assert!(code == Some(1) && told.contains("cannot be asked") && told.contains("--admin-pin"), "{told}");
    }
    // A token goes as far as its role.
    let url = format!("https://{}", edge.admin);
    let refused = run(&["user", "list", "--admin", &url, "--token-file", "token", "--admin-pin", &pin], &edge.setup);
    assert_eq!(refused.status.code(), Some(1));
    assert!(said(&refused.stderr).contains("admin.sock"), "{}", said(&refused.stderr));
}

#[test]
fn a_check_tells_what_is_wrong_beyond_loopback() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::shop(&origin);
    setup.set("admin", "listen = \"0.0.0.0:9180\"").set("admin", "tls = false");
    setup.write();
    let check = |setup: &Setup| {
        let output = run(&["check", "--config", "vitrine.toml"], setup);
        (output.status.code(), said(&output.stderr))
    };
    let (code, told) = check(&setup);
    assert!(code == Some(78) && told.contains("admin.tls: expected true beside listen"), "{told}");
    setup.set("admin", "tls = true").set("admin", "host = \"edge.example\"");
    setup.write();
    let (code, told) = check(&setup);
    assert!(code == Some(0) && told.contains("admin.host: no certificate covers edge.example"), "{told}");
}
