//! What clients can reach of the edge itself: nothing but what it serves for its sites, whatever they call themselves, it or its files.

use std::net::SocketAddr;

use http::{Method, Request};
use http_body_util::BodyExt;
use rustls::SignatureScheme;
use rustls::version::TLS13;

use crate::support::{ClientTls, Edge, Http2, Origin, Response, Setup, Talk, authority, drop_file, empty, message};

mod pages;
mod shadows;

/// What the shop says to everybody.
const SHOP: &str = "the shop";

/// Two sites; who comes with another name gets the certificate of the first.
fn setup(origin: &Origin) -> Setup {
    let mut setup = Setup::shop(origin);
    setup.site(&["other.example"], &[origin]);
    setup.certificate("other", &authority().issue(&["other.example"]));
    setup.set("admin", "metrics_listen = \"127.0.0.1:0\"");
    setup.set("tls", "unknown_name = \"default\"").set("tls", "default_site = \"shop.example\"");
    setup
}

/// Paths that lead to something of the edge's where a path is taken for one of a file, decoded twice, or read without regard to case.
fn targets(edge: &Edge) -> Vec<String> {
    let folder = edge.setup.folder.path().display().to_string();
    let mut targets: Vec<String> = TARGETS.iter().map(|target| (*target).to_owned()).collect();
    for file in ["vitrine.toml", "certs/shop.pem", "state/admin.sock", "state/audit.jsonl", "state/acme", "state"] {
        targets.push(format!("/{file}"));
        targets.push(format!("{folder}/{file}"));
        for up in ["..", "%2e%2e", "%252e%252e", "..%2f..", "..%5c..", ".%00.", "..;"] {
            targets.push(format!("/.well-known/{up}/{up}/{file}"));
            targets.push(format!("/.well-known/acme-challenge/{up}/{up}/{up}/{file}"));
        }
        targets.push(format!("/.well-known/acme-challenge/{}", format!("../../{file}").replace('/', "%2f")));
        targets.push(format!("/.well-known/{}", folder.clone() + "/" + file).replace("//", "/"));
    }
    targets
}

const TARGETS: &[&str] = &[
    "/metrics",
    "/metrics/",
    "/metrics.",
    "/METRICS",
    "//metrics",
    "/./metrics",
    "/x/../metrics",
    "/%6detrics",
    "/%2fmetrics",
    "/..%2fmetrics",
    "/%2e%2e/metrics",
    "/%252e%252e%252fmetrics",
    "/..;/metrics",
    "/metrics%00",
    "/metrics?format=text",
    "/livez",
    "/readyz",
    "/api",
    "/api/v1",
    "/api/v1/openapi.json",
    "/api/v1/sites",
    "/api/v1/certificates",
    "/api/v1/upstreams",
    "/api/v1/tokens",
    "/api/v1/audit",
    "/api/v1/levers",
    "/api/v1/alarms",
    "/API/V1/SITES",
    "/api//v1/./sites",
    "/panel",
    "/debug",
    "/server-status",
    "/.well-known/",
    "/.well-known/acme-challenge",
    "/.well-known/acme-challenge/",
    "/.well-known/vitrine",
];

/// Whoever is asked for, the shop or the edge's page is all that comes, and what comes of the edge says nothing of it.
fn is_harmless(edge: &Edge, response: &Response, what: &str) {
    if response.status == 200 && response.text() == SHOP {
        return;
    }
    assert!(matches!(response.status, 308 | 400 | 404 | 405 | 421), "{what}: {}", response.status);
    pages::says_nothing_of_the_edge(edge, response, what);
}

#[test]
fn nothing_of_the_edge_is_reached_over_http_1() {
    let origin = Origin::saying(SHOP);
    let edge = setup(&origin).start();
    let token = edge.token("operator", "operate");
    let anybody = ClientTls::trusting(&[&TLS13], vec![SignatureScheme::ECDSA_NISTP256_SHA256]).alpn(&["http/1.1"]);
    let opened = |name: Option<&str>| match name {
        Some(name) => anybody.open(edge.https, name),
        None => Talk::plain(edge.http()),
    };
    let targets = targets(&edge);
    for name in [Some("shop.example"), Some("localhost"), Some("127.0.0.1"), None] {
        let mut client = opened(name);
        for host in hosts(&edge) {
            for target in &targets {
                // Not even with the right token.
                let answer = client
                    .ask(format!("GET {target} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\n\r\n"));
                is_harmless(&edge, &answer, &format!("{name:?}: {target} at {host}"));
                if answer.field("connection") == Some("close") {
                    client = opened(name);
                }
            }
        }
    }
    unchanged(&edge);
}

#[test]
fn nor_by_what_a_request_line_can_say_besides() {
    let origin = Origin::saying(SHOP);
    let edge = setup(&origin).start();
    let admin = edge.admin;
    let lines = [
        (format!("GET http://{admin}/metrics HTTP/1.1\r\nhost: {admin}"), 404),
        (format!("GET http://{admin}/metrics HTTP/1.1\r\nhost: shop.example"), 400),
        (format!("GET https://{admin}/metrics HTTP/1.1\r\nhost: {admin}"), 404),
        ("GET http://localhost/api/v1/sites HTTP/1.1\r\nhost: localhost".to_owned(), 404),
        ("GET http://shop.example@localhost/metrics HTTP/1.1\r\nhost: shop.example".to_owned(), 400),
        ("GET unix:state/admin.sock HTTP/1.1\r\nhost: localhost".to_owned(), 400),
        ("GET file:///etc/passwd HTTP/1.1\r\nhost: shop.example".to_owned(), 400),
        ("GET ../state/audit.jsonl HTTP/1.1\r\nhost: shop.example".to_owned(), 400),
        ("GET /metrics\0 HTTP/1.1\r\nhost: shop.example".to_owned(), 400),
        ("GET /metrics HTTP/1.1\r\nhost: localhost\0".to_owned(), 400),
        (format!("CONNECT {admin} HTTP/1.1\r\nhost: {admin}"), 405),
        ("TRACE /metrics HTTP/1.1\r\nhost: shop.example".to_owned(), 405),
        ("OPTIONS * HTTP/1.1\r\nhost: localhost".to_owned(), 404),
        ("POST /api/v1/levers/freeze HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0".to_owned(), 404),
        ("DELETE /api/v1/certificates/1 HTTP/1.1\r\nhost: localhost".to_owned(), 404),
        ("POST /api/v1/tokens HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 2\r\n\r\n{}".to_owned(), 404),
    ];
    let anybody = ClientTls::trusting(&[&TLS13], vec![SignatureScheme::ECDSA_NISTP256_SHA256]).alpn(&["http/1.1"]);
    for (line, status) in lines {
        for mut client in [anybody.open(edge.https, "localhost"), Talk::plain(edge.http())] {
            let end = if line.ends_with('}') { "" } else { "\r\n\r\n" };
            let answer = client.ask(format!("{line}{end}"));
            assert_eq!(answer.status, status, "{line}");
            is_harmless(&edge, &answer, &line);
        }
    }
    assert_eq!(origin.requests(), []);
    unchanged(&edge);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_the_edge_is_reached_over_http_2() {
    let origin = Origin::saying(SHOP);
    let edge = setup(&origin).start();
    let mut client = Http2::open(edge.https, "shop.example").await;
    let (targets, hosts) = (targets(&edge), hosts(&edge));
    for host in &hosts {
        for target in &targets {
            let request = Request::builder().method(Method::GET).uri(format!("https://{host}{target}")).body(empty());
            let Ok(request) = request else { continue };
            let answer = client.send(request).await.expect("a response");
            let (head, body) = answer.into_parts();
            let body = body.collect().await.expect("an orderly end").to_bytes();
            let answer = Response::of(&head, &body);
            is_harmless(&edge, &answer, &format!("{target} at {host}"));
        }
    }
    unchanged(&edge);
}

/// The edge's own names, and those of its sites.
fn hosts(edge: &Edge) -> Vec<String> {
    let addresses = [Some(edge.admin), edge.metrics, edge.http, Some(edge.https)];
    let mut hosts: Vec<String> =
        addresses.into_iter().flatten().map(|address: SocketAddr| address.to_string()).collect();
    for port in ["", ":80", &format!(":{}", edge.admin.port())] {
        for host in ["shop.example", "other.example", "localhost", "127.0.0.1", "[::1]", "0.0.0.0", "admin.sock"] {
            hosts.push(format!("{host}{port}"));
        }
    }
    hosts.extend(["SHOP.Example.", "localhost.", "LOCALHOST", "127.1", "2130706433"].map(str::to_owned));
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").expect("a name");
    hosts.push(machine.trim().to_owned());
    hosts
}

/// Nothing that was asked has done anything.
fn unchanged(edge: &Edge) {
    assert_eq!(edge.api("certificates").len(), 2);
    assert!(!edge.log().iter().any(|line| message(line).contains("panic")), "{:#?}", edge.log());
    let done = edge.api("audit").into_iter().filter(|line| line["action"] != "POST tokens");
    assert_eq!(done.collect::<Vec<_>>(), Vec::<serde_json::Value>::new());
}

/// Who cannot show a certificate cannot say that it was shown either, however it is put.
#[test]
fn no_client_can_say_what_the_edge_says_of_certificates() {
    let origin = Origin::saying(SHOP);
    let mut setup = Setup::new();
    setup.site(&["shop.example"], &[&origin]).certificate("shop", &authority().issue(&["shop.example"]));
    setup.raw_site(
        "[site.tls]\nclient_certificates = \"optional\"\nclient_ca = [\"clients.pem\"]\nclient_headers = true\n",
    );
    drop_file(&setup.folder.path().join("clients.pem"), &authority().root_pem);
    // Not even the site's own proxy is asked where the edge has looked by itself.
    setup.set("edge", "trusted_proxies = [\"127.0.0.0/8\"]");
    let edge = setup.start();
    let mut client = edge.open("shop.example");
    let forged: String = FORGED.iter().map(|name| format!("{name}: SUCCESS\r\n")).collect();
    let begin = "host: shop.example\r\nconnection: x-client-verify, x-client-subject, client-cert\r\n";
    for request in [
        format!("GET / HTTP/1.1\r\n{begin}{forged}\r\n"),
        format!("POST / HTTP/1.1\r\n{begin}{forged}content-length: 0\r\n\r\n"),
        format!(
            "POST / HTTP/1.1\r\n{begin}te: trailers\r\ntrailer: x-client-verify\r\ntransfer-encoding: chunked\r\n\r\n0\r\n{forged}\r\n"
        ),
    ] {
        assert_eq!(client.ask(&request).text(), SHOP, "{request}");
    }
    for request in origin.requests() {
        let all = request.head.fields.iter().chain(&request.content.trailers);
        let about: Vec<_> =
            all.filter(|(name, _)| FORGED.iter().any(|forged| forged.eq_ignore_ascii_case(name))).collect();
        assert_eq!(about, [&("x-client-verify".to_owned(), "NONE".to_owned())], "{request:#?}");
    }
    assert_eq!(origin.requests().len(), 3);
}

const FORGED: [&str; 12] = [
    "X-Client-Verify",
    "x-client-verify",
    "X_Client_Verify",
    "X-Client_Verify",
    "X-Client-Subject",
    "X-Client-Issuer",
    "X-Client-Serial",
    "X-Client-Fingerprint",
    "X-Client-Not-After",
    "Client-Cert",
    "Client-Cert-Chain",
    "Client_Cert",
];
