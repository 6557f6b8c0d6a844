//! The listeners end to end: raw requests over real sockets, whole answers.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::task::JoinHandle;

use super::*;
use crate::certs::{Intake, KeyKind, LocalCa, valid_for};
use crate::config::{Reloads, Trouble};
use crate::limits::Limits;
use crate::live::{CertFacts, KeyType, Publisher, ServedCert, SiteSpec, Upstream, table};
use crate::name::HostPattern;
use crate::outbound::EdgeSocket;
use crate::shutdown::{Conductor, lifecycle};

/// A control plane on ports of its own.
struct Plane {
    admin: SocketAddr,
    metrics: SocketAddr,
    folder: tempfile::TempDir,
    certificates: Publisher<CertIndex>,
    configuration: watch::Sender<Standing>,
    conductor: Conductor,
    served: JoinHandle<std::io::Result<()>>,
}

impl Plane {
    async fn start() -> Self {
        Self::with_intake(None).await
    }

    async fn with_intake(intake: Option<IntakeHandle>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (certificates, certificates_live) = table(CertIndex::default());
        let (_, well_known) = table(WellKnown::default());
        let configuration = watch::Sender::new(Standing::default());
        let (conductor, lifecycle) = lifecycle();
        let listeners = Listeners {
            admin: TcpListener::bind("127.0.0.1:0").await.expect("a port"),
            metrics: Some(TcpListener::bind("127.0.0.1:0").await.expect("a port")),
            socket: AdminSocket::bind(&folder.path().join("admin.sock")).expect("a socket"),
        };
        let admin = listeners.admin.local_addr().expect("an address");
        let metrics = listeners.metrics.as_ref().expect("a listener").local_addr().expect("an address");
        let sources = Sources {
            certificates: certificates_live,
            routes: table(routes()).1,
            well_known,
            lifecycle,
            workers: [Arc::default()].into(),
            intake,
            configuration: configuration.subscribe(),
            access_log: AccessLog::off(),
            allowed_hosts: vec![HostName::parse("edge.internal").expect("a name")],
        };
        let served = tokio::spawn(serve(listeners, sources));
        Self { admin, metrics, folder, certificates, configuration, conductor, served }
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("admin.sock")
    }

    async fn admin(&self, request: &str) -> Response {
        ask(TcpStream::connect(self.admin).await.expect("connected"), request).await
    }

    async fn metrics(&self, request: &str) -> Response {
        ask(TcpStream::connect(self.metrics).await.expect("connected"), request).await
    }

    async fn local(&self, request: &str) -> Response {
        ask(UnixStream::connect(self.socket()).await.expect("connected"), request).await
    }

    async fn api(&self, resource: &str) -> Value {
        EdgeSocket::new(self.socket()).get(&format!("/api/v1/{resource}")).await.expect("an answer")
    }
}

/// An answer, read to the end of its connection.
struct Response {
    status: u16,
    fields: BTreeMap<String, String>,
    content: String,
}

impl Response {
    fn json(&self) -> Value {
        serde_json::from_str(&self.content).expect("JSON")
    }

    fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }

    #[track_caller]
    fn assert_problem(&self, status: u16, title: &str) {
        let problem = self.json();
        let given = (self.status, self.field("content-type"), &problem["title"], &problem["status"], &problem["type"]);
        let expected = (status, "application/problem+json", &json!(title), &json!(status), &json!("about:blank"));
        assert_eq!(given, expected);
        assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()));
    }
}

/// Sends a request line and fields as they are written in the tests: lines without their ends.
async fn ask(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> Response {
    let head = request.lines().map(str::trim).collect::<Vec<_>>().join("\r\n");
    stream.write_all(format!("{head}\r\n\r\n").as_bytes()).await.expect("sent");
    let mut octets = Vec::new();
    let read = stream.read_to_end(&mut octets);
    tokio::time::timeout(Duration::from_secs(20), read).await.expect("in time").expect("an answer");
    let text = String::from_utf8(octets).expect("UTF-8");
    let (head, content) = text.split_once("\r\n\r\n").expect("a head");
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
    let fields = lines.filter_map(|line| line.split_once(": "));
    Response {
        status: status.expect("a status"),
        fields: fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        content: content.to_owned(),
    }
}

fn routes() -> RouteTable {
    let site = |hosts: &[&str], routes: &[(&str, u16)]| SiteSpec {
        name: hosts[0].into(),
        hosts: hosts.iter().map(|host| HostPattern::parse(host).expect("a pattern")).collect(),
        routes: routes
            .iter()
            .map(|(path, port)| ((*path).into(), vec![Upstream { host: "10.0.0.1".into(), port: *port }]))
            .collect(),
    };
    let sites = vec![
        site(&["shop.example", "*.shop.example"], &[("/", 8080), ("/api", 8081)]),
        site(&["late.example", "bare.example"], &[("/", 8082)]),
    ];
    RouteTable::new(sites, Limits::default(), Vec::new(), 443)
}

fn certificate(cn: &str, names: &[&str], not_before: i64, not_after: i64) -> Arc<ServedCert> {
    let authority = LocalCa::new("Any").expect("an authority");
    let any = [HostPattern::parse("any.example").expect("a name")];
    let any = authority.issue(&any, valid_for(1), KeyKind::Ecdsa).expect("issued").served().expect("served");
    Arc::new(ServedCert {
        certified: Arc::clone(&any.certified),
        key_type: KeyType::EcdsaP256,
        names: names.iter().map(|name| HostPattern::parse(name).expect("a name")).collect(),
        facts: CertFacts {
            fingerprint: format!("print of {cn}").into(),
            subject_cn: cn.into(),
            issuer_cn: "Some CA".into(),
            issuer_o: "Some Org".into(),
            serial: "0a".into(),
            not_before,
            not_after,
            file: Path::new("certs").join(format!("{cn}.pem")),
            embedded_key: true,
            in_grace: false,
        },
    })
}

const LONG_AGO: i64 = 1_000_000_000;
const FAR_AHEAD: i64 = 32_503_680_000;

#[tokio::test]
async fn health_tells_the_stages_and_metrics_are_open_on_both_listeners() {
    let plane = Plane::start().await;
    let ready = "GET /readyz HTTP/1.1\nHost: localhost";
    let told = |response: Response| (response.status, response.content);
    assert_eq!(told(plane.admin(ready).await), (503, "starting\n".into()));
    assert_eq!(told(plane.admin("GET /livez HTTP/1.1\nHost: localhost").await), (200, "ok\n".into()));
    plane.conductor.ready();
    assert_eq!(told(plane.admin(ready).await), (200, "ready\n".into()));
    assert_eq!(told(plane.metrics("GET /readyz HTTP/1.1\nHost: 10.0.0.7:9181").await), (200, "ready\n".into()));
    for response in [
        plane.admin("GET /metrics HTTP/1.1\nHost: 127.0.0.1:9180").await,
        plane.metrics("GET /metrics HTTP/1.1\nHost: 10.0.0.7:9181").await,
    ] {
        assert_eq!(
            (response.status, response.field("content-type")),
            (200, "text/plain; version=0.0.4; charset=utf-8")
        );
        assert!(response.content.contains("\nvitrine_requests_total{"), "{}", response.content);
    }
    plane.conductor.drain(Duration::from_secs(60));
    assert_eq!(told(plane.admin(ready).await), (503, "draining\n".into()));
}

#[tokio::test]
async fn the_api_is_closed_over_tcp_and_absent_from_the_metrics_listener() {
    let plane = Plane::start().await;
    for path in ["/api", "/api/v1/certificates", "/api/v1/nothing"] {
        let refused = plane.admin(&format!("GET {path} HTTP/1.1\nHost: localhost")).await;
        refused.assert_problem(401, "Unauthorized");
        assert_eq!(refused.field("www-authenticate"), "Bearer realm=\"vitrine\"");
        assert!(refused.content.contains("admin.sock"), "{}", refused.content);
        plane.metrics(&format!("GET {path} HTTP/1.1\nHost: 10.0.0.7")).await.assert_problem(404, "Not Found");
    }
    let order = "POST /api/v1/certificates/confirm-withdrawal HTTP/1.1\nHost: localhost\nContent-Length: 0";
    plane.admin(order).await.assert_problem(401, "Unauthorized");
}

#[tokio::test]
async fn a_foreign_name_or_page_is_refused_before_anything_is_told() {
    let plane = Plane::start().await;
    for path in ["/metrics", "/livez", "/api/v1/sites", "/nothing"] {
        let rebound = format!("GET {path} HTTP/1.1\nHost: rebound.example");
        plane.admin(&rebound).await.assert_problem(403, "Forbidden");
        let foreign = format!("GET {path} HTTP/1.1\nHost: localhost\nOrigin: http://evil.example");
        plane.admin(&foreign).await.assert_problem(403, "Forbidden");
    }
    plane.metrics("GET /metrics HTTP/1.1\nHost: rebound.example").await.assert_problem(403, "Forbidden");
    let allowed = plane.admin("GET /livez HTTP/1.1\nHost: edge.internal:9180").await;
    assert_eq!(allowed.status, 200);
}

#[tokio::test]
async fn wrong_methods_and_paths_get_problem_documents_and_every_answer_its_fields() {
    let plane = Plane::start().await;
    let unknown = plane.admin("GET / HTTP/1.1\nHost: localhost").await;
    unknown.assert_problem(404, "Not Found");
    let fields = ["x-content-type-options", "cache-control", "connection"].map(|name| unknown.field(name));
    assert_eq!(fields, ["nosniff", "no-store", "close"]);
    assert!(unknown.field("content-security-policy").starts_with("default-src 'none'"));

    let post = plane.admin("POST /metrics HTTP/1.1\nHost: localhost\nContent-Length: 0").await;
    post.assert_problem(405, "Method Not Allowed");
    assert_eq!(post.field("allow"), "GET, HEAD");
    let get = plane.local("GET /api/v1/certificates/confirm-withdrawal HTTP/1.1\nHost: localhost").await;
    get.assert_problem(405, "Method Not Allowed");
    assert_eq!(get.field("allow"), "POST");
    plane.local("GET /api/v2/certificates HTTP/1.1\nHost: localhost").await.assert_problem(404, "Not Found");

    let head = plane.admin("HEAD /livez HTTP/1.1\nHost: localhost").await;
    assert_eq!((head.status, head.field("content-length"), &*head.content), (200, "3", ""));
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused() {
    let plane = Plane::start().await;
    let body = "x".repeat(70_000);
    let request = format!("POST /api/v1/sites HTTP/1.1\nHost: localhost\nContent-Length: 70000\n\n{body}");
    plane.local(&request).await.assert_problem(413, "Payload Too Large");
}

#[tokio::test]
async fn certificates_are_listed_with_the_sites_they_serve() {
    let mut plane = Plane::start().await;
    let shop = certificate("shop", &["shop.example", "*.shop.example"], LONG_AGO, FAR_AHEAD);
    let late = certificate("late", &["late.example"], LONG_AGO, LONG_AGO + 1);
    plane.certificates.publish(CertIndex::ranked([shop, late]));
    let list = plane.api("certificates").await;
    let days = list[0]["days_left"].as_i64().expect("a number");
    assert!(days > 300_000, "{days}");
    assert_eq!(
        list[0],
        json!({
            "fingerprint": "print of shop", "subject": "shop", "issuer": "Some CA", "serial": "0a",
            "names": ["shop.example", "*.shop.example"], "key_type": "ecdsa",
            "not_before": "2001-09-09T01:46:40Z", "not_after": "3000-01-01T00:00:00Z", "days_left": days,
            "file": "certs/shop.pem", "embedded_key": true, "in_grace": false, "state": "valid",
            "sites": ["shop.example"],
        })
    );
    assert_eq!(
        (&list[1]["state"], &list[1]["sites"], list.as_array().map(Vec::len)),
        (&json!("expired"), &json!(["late.example"]), Some(2))
    );
}

#[tokio::test]
async fn sites_tell_who_serves_each_host_and_why() {
    let mut plane = Plane::start().await;
    let newest = certificate("newest", &["shop.example", "*.shop.example"], LONG_AGO + 9, FAR_AHEAD);
    let older = certificate("older", &["*.shop.example"], LONG_AGO, FAR_AHEAD);
    let late = certificate("late", &["late.example"], LONG_AGO, LONG_AGO + 1);
    plane.certificates.publish(CertIndex::ranked([newest, older, late]));
    let serving = |print: &str, rule: &str, not_after: &str| json!([{ "key_type": "ecdsa", "fingerprint": format!("print of {print}"), "not_after": not_after, "rule": rule }]);
    let (ahead, ago) = ("3000-01-01T00:00:00Z", "2001-09-09T01:46:41Z");
    assert_eq!(
        plane.api("sites").await,
        json!([
            {
                "name": "shop.example",
                "hosts": [
                    { "host": "shop.example", "state": "served", "certificates": serving("newest", "only candidate", ahead) },
                    { "host": "*.shop.example", "state": "served", "certificates": serving("newest", "issued later", ahead) },
                ],
                "routes": [
                    { "path": "/api", "upstreams": ["10.0.0.1:8081"] },
                    { "path": "/", "upstreams": ["10.0.0.1:8080"] },
                ],
            },
            {
                "name": "late.example",
                "hosts": [
                    { "host": "late.example", "state": "expired", "certificates": serving("late", "only candidate", ago) },
                    { "host": "bare.example", "state": "no certificate", "certificates": [] },
                ],
                "routes": [{ "path": "/", "upstreams": ["10.0.0.1:8082"] }],
            },
        ])
    );
}

#[tokio::test]
async fn a_withdrawn_certificate_has_no_series_at_the_next_scrape() {
    let mut plane = Plane::start().await;
    let scrape = "GET /metrics HTTP/1.1\nHost: localhost";
    plane.certificates.publish(CertIndex::ranked([certificate("shop", &["shop.example"], LONG_AGO, FAR_AHEAD)]));
    let page = plane.admin(scrape).await.content;
    assert!(page.contains("x509_cert_not_after{subject_CN=\"shop\""), "{page}");
    let site =
        "vitrine_site_certificate_not_after_seconds{site=\"shop.example\",source=\"uploaded\",key_type=\"ecdsa\"}";
    assert!(page.contains(&format!("{site} {FAR_AHEAD}\n")), "{page}");
    assert!(page.contains("vitrine_site_hosts_without_certificate{site=\"late.example\"} 2\n"), "{page}");
    plane.certificates.publish(CertIndex::default());
    let page = plane.admin(scrape).await.content;
    assert!(!page.contains("x509_cert_not_after") && !page.contains(site), "{page}");
}

#[tokio::test]
async fn what_the_intake_has_against_a_file_is_listed_and_counted() {
    let drop = tempfile::tempdir().expect("a folder");
    std::fs::write(drop.path().join("bad.pem"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        .expect("written");
    let (index, well_known) = (table(CertIndex::default()).0, table(WellKnown::default()).0);
    let intake = Intake::start(drop.path().to_owned(), index, well_known);
    let plane = Plane::with_intake(Some(intake.clone())).await;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while intake.ledger().rejected.is_empty() {
        assert!(tokio::time::Instant::now() < deadline, "the file was not listed");
        tokio::task::yield_now().await;
    }
    let list = plane.api("rejected").await;
    let entry = &list[0];
    assert_eq!((list.as_array().map(Vec::len), &entry["state"]), (Some(1), &json!("rejected")));
    assert!(entry["file"].as_str().is_some_and(|file| file.ends_with("bad.pem")), "{entry}");
    for text in ["code", "reason", "mend"] {
        assert!(entry[text].as_str().is_some_and(|text| !text.is_empty()), "{entry}");
    }
    assert!(entry["since"].as_str().is_some_and(|since| since.ends_with('Z') && since.len() == 20), "{entry}");

    let page = plane.admin("GET /metrics HTTP/1.1\nHost: localhost").await.content;
    assert!(page.contains("\nvitrine_certificates_rejected 1\n"), "{page}");
    assert!(page.contains("\nx509_source_up{source_kind=\"file\",source_name=\"drop_directory\"} 1\n"), "{page}");
    assert!(page.contains("\nvitrine_certificate_alarms{code=\"withdrawal-held\"} 0\n"), "{page}");
    assert_eq!(plane.api("alarms").await.as_array().map(Vec::len), Some(intake.ledger().alarms.len()));
}

#[tokio::test]
async fn what_of_the_configuration_does_not_apply_is_an_alarm_and_measured() {
    let plane = Plane::start().await;
    let trouble = |text: &str, since| Trouble { text: text.into(), since };
    plane.configuration.send_replace(Standing {
        refused: vec![trouble("v.toml:1: edge: wrong", 1_000_000_000)],
        rejected: vec![trouble("sites.d/a.toml:2: site: wrong", 1_000_000_001)],
        reloads: Reloads { applied: 2, refused: 1, failed: 0 },
    });
    assert_eq!(
        plane.api("alarms").await,
        json!([
            { "code": "config-not-reloaded", "message": "v.toml:1: edge: wrong", "since": "2001-09-09T01:46:40Z" },
            { "code": "config-rejected", "message": "sites.d/a.toml:2: site: wrong", "since": "2001-09-09T01:46:41Z" },
        ])
    );
    let page = plane.admin("GET /metrics HTTP/1.1\nHost: localhost").await.content;
    for line in [
        "vitrine_config_last_reload_successful 0",
        "vitrine_config_rejected 1",
        "vitrine_config_reloads_total{result=\"applied\"} 2",
        "vitrine_config_reloads_total{result=\"failed\"} 0",
    ] {
        assert!(page.contains(&format!("\n{line}\n")), "{line}: {page}");
    }
}

#[tokio::test]
async fn a_withdrawal_that_nobody_holds_back_cannot_be_confirmed() {
    let plane = Plane::start().await;
    let order = "POST /api/v1/certificates/confirm-withdrawal HTTP/1.1\nHost: localhost\nContent-Length: 0";
    plane.local(order).await.assert_problem(409, "Conflict");
}

#[tokio::test]
async fn the_listeners_end_with_the_edge_and_the_socket_goes() {
    let plane = Plane::start().await;
    let mut silent = TcpStream::connect(plane.admin).await.expect("connected");
    assert_eq!(plane.admin("GET /livez HTTP/1.1\nHost: localhost").await.status, 200);
    plane.conductor.stop();
    let ended = tokio::time::timeout(Duration::from_secs(20), plane.served).await.expect("in time");
    ended.expect("no panic").expect("no error");
    assert!(!plane.folder.path().join("admin.sock").exists());
    let mut rest = Vec::new();
    // Closed or reset, either is an end.
    let _ = tokio::time::timeout(Duration::from_secs(20), silent.read_to_end(&mut rest)).await.expect("in time");
    let refused = TcpStream::connect(plane.admin).await.expect_err("nobody listens");
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
}
