//! The listeners end to end: raw requests over real sockets, whole answers.

mod lists;
mod panel;

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
use crate::limits::Limits;
use crate::live::{Publisher, SiteSpec, Upstream, ValidationLevel, table};
use crate::name::HostPattern;
use crate::outbound::EdgeSocket;
use crate::reports::Reports;
use crate::shutdown::{Conductor, lifecycle};
use crate::store::Store;

const SESSION_TERMS: SessionTerms =
    SessionTerms { idle: Duration::from_secs(600), lifetime: Duration::from_secs(3600) };

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
            tls: None,
            metrics: Some(TcpListener::bind("127.0.0.1:0").await.expect("a port")),
            socket: AdminSocket::bind(&folder.path().join("admin.sock")).expect("a socket"),
        };
        let admin = listeners.admin.local_addr().expect("an address");
        let metrics = listeners.metrics.as_ref().expect("a listener").local_addr().expect("an address");
        let lookout = Lookout {
            certificates: certificates_live.clone(),
            routes: table(routes()).1,
            intake: intake.clone(),
            configuration: configuration.subscribe(),
            ..Lookout::of_nothing(&Store::in_memory())
        };
        let sources = Sources {
            certificates: certificates_live,
            routes: lookout.routes.clone(),
            well_known,
            lifecycle,
            workers: [Arc::default()].into(),
            intake,
            ordering: lookout.ordering.clone(),
            authorities: None,
            traffic: Traffic::default(),
            rotate_tickets: Box::new(|| Ok(())),
            truth: lookout.truth.clone(),
            configuration: configuration.subscribe(),
            origins: watch::Sender::new(Origins::default()).subscribe(),
            site_desk: crate::config::site_orders().0,
            levers: Levers::open(Store::in_memory()).expect("open"),
            notices: Notices::open(&Store::in_memory(), watch::Sender::default().subscribe()).expect("open"),
            reports: Reports::of_nothing(),
            elsewhere: lookout.elsewhere.clone(),
            access_log: AccessLog::off(),
            audit: lookout.audit.clone(),
            lookout,
            tokens: Tokens::open(Store::in_memory()).expect("open"),
            people: People::open(Store::in_memory(), SESSION_TERMS).expect("open"),
            links: Links::open(Store::in_memory()).expect("open"),
            trusted_header: None,
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
    fn assert_problem(&self, status: u16, code: &str) {
        let problem = self.json();
        let given = (self.status, self.field("content-type"), &problem["code"], &problem["status"], &problem["type"]);
        let kind = json!(format!("urn:vitrine:problem:{code}"));
        let expected = (status, "application/problem+json", &json!(code), &json!(status), &kind);
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
            .map(|(path, port)| ((*path).into(), vec![Upstream::tcp("10.0.0.1", *port)].into()))
            .collect(),
        minimum_validation: (hosts[0] == "late.example").then_some(ValidationLevel::Organisation),
        staging: false,
        provision: Default::default(),
        on_demand: Default::default(),
        orders: Default::default(),
        policy: Default::default(),
    };
    let sites = vec![
        site(&["shop.example", "*.shop.example"], &[("/", 8080), ("/api", 8081)]),
        site(&["late.example", "www.bare.example"], &[("/", 8082)]),
    ];
    RouteTable::new(sites, Limits::default(), Vec::new(), 443)
}

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
        refused.assert_problem(401, "unauthorized");
        assert_eq!(refused.field("www-authenticate"), "Bearer realm=\"vitrine\"");
        assert!(refused.content.contains("admin.sock"), "{}", refused.content);
        plane.metrics(&format!("GET {path} HTTP/1.1\nHost: 10.0.0.7")).await.assert_problem(404, "not-found");
    }
    let order = "POST /api/v1/certificates/confirm-withdrawal HTTP/1.1\nHost: localhost\nContent-Length: 0";
    plane.admin(order).await.assert_problem(401, "unauthorized");
}

#[tokio::test]
async fn a_foreign_name_or_page_is_refused_before_anything_is_told() {
    let plane = Plane::start().await;
    for path in ["/metrics", "/livez", "/api/v1/sites", "/nothing"] {
        let rebound = format!("GET {path} HTTP/1.1\nHost: rebound.example");
        plane.admin(&rebound).await.assert_problem(403, "foreign-request");
        let foreign = format!("GET {path} HTTP/1.1\nHost: localhost\nOrigin: http://evil.example");
        plane.admin(&foreign).await.assert_problem(403, "foreign-request");
    }
    plane.metrics("GET /metrics HTTP/1.1\nHost: rebound.example").await.assert_problem(403, "foreign-request");
    let allowed = plane.admin("GET /livez HTTP/1.1\nHost: edge.internal:9180").await;
    assert_eq!(allowed.status, 200);
}

#[tokio::test]
async fn wrong_methods_and_paths_get_problem_documents_and_every_answer_its_fields() {
    let plane = Plane::start().await;
    let unknown = plane.admin("GET /nothing HTTP/1.1\nHost: localhost").await;
    unknown.assert_problem(404, "not-found");
    let fields = ["x-content-type-options", "cache-control", "connection"].map(|name| unknown.field(name));
    assert_eq!(fields, ["nosniff", "no-store", "close"]);
    assert!(unknown.field("content-security-policy").starts_with("default-src 'none'"));

    let post = plane.admin("POST /metrics HTTP/1.1\nHost: localhost\nContent-Length: 0").await;
    post.assert_problem(405, "method-not-allowed");
    assert_eq!(post.field("allow"), "GET, HEAD");
    let get = plane.local("GET /api/v1/certificates/confirm-withdrawal HTTP/1.1\nHost: localhost").await;
    get.assert_problem(405, "method-not-allowed");
    assert_eq!(get.field("allow"), "POST");
    plane.local("GET /api/v2/certificates HTTP/1.1\nHost: localhost").await.assert_problem(404, "not-found");

    let head = plane.admin("HEAD /livez HTTP/1.1\nHost: localhost").await;
    assert_eq!((head.status, head.field("content-length"), &*head.content), (200, "3", ""));
}

#[tokio::test]
async fn a_withdrawal_that_nobody_holds_back_cannot_be_confirmed() {
    let plane = Plane::start().await;
    let order = "POST /api/v1/certificates/confirm-withdrawal HTTP/1.1\nHost: localhost\nContent-Length: 0";
    plane.local(order).await.assert_problem(409, "conflict");
    let order = order.replace("withdrawal", "withdrawal?names=some");
    plane.local(&order).await.assert_problem(400, "malformed-request");
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
