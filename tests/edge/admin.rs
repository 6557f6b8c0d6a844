//! The operator's door.

use std::io::Write;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use crate::support::{Edge, Origin, Setup, Talk};

#[test]
fn health_and_metrics_are_open_and_the_api_is_not() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let ask = |target: &str| Talk::plain(edge.admin).get("localhost", target);
    assert_eq!((ask("/livez").status, ask("/readyz").status, ask("/metrics").status), (200, 200, 200));
    assert_eq!(ask("/readyz").text(), "ready\n");
    for target in ["/api/v1/certificates", "/api/v1/sites", "/api/v1/rejected", "/api", "/api/v1/nonsense"] {
        let response = ask(target);
        assert_eq!(response.status, 401, "{target}");
        assert_eq!(response.field("content-type"), Some("application/problem+json"));
        assert_eq!(response.json()["status"], 401);
    }
    assert_eq!(ask("/nothing").status, 404);
}

#[test]
fn a_page_elsewhere_cannot_ask_through_the_operators_browser() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::shop(&origin);
    setup.set("admin", "allowed_hosts = [\"edge.internal\"]");
    let edge = setup.start();
    let port = edge.admin.port();
    for (status, fields) in [
        (200, format!("host: 127.0.0.1:{port}\r\n")),
        (200, format!("host: localhost:{port}\r\norigin: http://localhost:{port}\r\n")),
        (200, "host: edge.internal\r\n".to_owned()),
        (403, "host: rebound.example\r\n".to_owned()),
        (403, format!("host: localhost:{port}\r\norigin: https://evil.example\r\n")),
        (403, format!("host: localhost:{port}\r\nsec-fetch-site: cross-site\r\n")),
        (403, "host: 10.0.0.1\r\n".to_owned()),
    ] {
        let response = Talk::plain(edge.admin).ask(format!("GET /livez HTTP/1.1\r\n{fields}\r\n"));
        assert_eq!(response.status, status, "{fields}");
    }
}

#[test]
fn only_the_owner_may_use_the_socket_and_it_goes_with_the_edge() {
    let origin = Origin::saying("hello");
    let mut edge = Setup::shop(&origin).start();
    let socket = edge.setup.state().join("admin.sock");
    let mode = std::fs::metadata(&socket).expect("a socket").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    edge.signal(rustix::process::Signal::TERM);
    assert_eq!(edge.wait().code(), Some(0));
    assert!(!socket.exists());
}

#[test]
fn the_lists_tell_what_is_served() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let certificates = edge.api("certificates");
    assert_eq!(certificates.len(), 1);
    let certificate = &certificates[0];
    assert_eq!(certificate["names"], serde_json::json!(["shop.example"]));
    assert_eq!((&certificate["state"], &certificate["file"]), (&"valid".into(), &"certs/shop.pem".into()));
    assert_eq!(certificate["sites"], serde_json::json!(["shop.example"]));
    assert!(!edge.ask_api("GET", "/api/v1/certificates").text().contains("PRIVATE"));
    let sites = edge.api("sites");
    assert_eq!((sites.len(), &sites[0]["name"]), (1, &"shop.example".into()));
    assert_eq!(sites[0]["hosts"][0]["state"], "served");
    assert_eq!(edge.api("rejected"), Vec::<serde_json::Value>::new());
    assert_eq!(edge.ask_api("DELETE", "/api/v1/certificates").status, 405);
    assert_eq!(edge.ask_api("GET", "/api/v1/nonsense").status, 404);
}

#[test]
fn promtool_finds_nothing_wrong_with_the_metrics() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    assert_eq!(edge.get("shop.example", "/").status, 200);
    let page = edge.scrape().0;
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool runs");
    promtool.stdin.take().expect("stdin").write_all(page.as_bytes()).expect("written");
    let output = promtool.wait_with_output().expect("an end");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
}

#[test]
fn a_request_is_counted_where_dashboards_look() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let mut client = edge.open("shop.example");
    client.get("shop.example", "/");
    client.get("shop.example", "/");
    edge.counted(2.0, "vitrine_requests_total", &[("protocol", "http/1.1"), ("code", "200")]);
    edge.counted(2.0, "vitrine_site_requests_total", &[("site", "shop.example"), ("class", "2xx")]);
    edge.counted(2.0, "vitrine_request_duration_seconds_count", &[]);
    edge.counted(1.0, "vitrine_connections_open", &[("protocol", "http/1.1")]);
    edge.counted(10.0, "vitrine_body_bytes_total", &[("direction", "sent")]);
    let classes = edge.scrape().series("vitrine_site_requests_total", &[("site", "shop.example")]);
    assert_eq!(classes.len(), 5, "{classes:?}");
    drop(client);
    edge.counted(0.0, "vitrine_connections_open", &[("protocol", "http/1.1")]);
}

#[test]
fn the_metrics_listener_serves_three_paths_alone() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::shop(&origin);
    setup.set("admin", "metrics_listen = \"127.0.0.1:0\"");
    let edge = setup.start();
    let address = edge.metrics.expect("a metrics address");
    for (status, target) in [
        (200, "/metrics"),
        (200, "/livez"),
        (200, "/readyz"),
        (404, "/api/v1/certificates"),
        (404, "/api/v1/sites"),
        (404, "/"),
    ] {
        assert_eq!(Talk::plain(address).get("10.0.0.7:9181", target).status, status, "{target}");
    }
}

#[test]
fn nothing_of_it_is_reachable_from_outside() {
    let origin = Origin::saying("the shop");
    let edge = Setup::shop(&origin).start();
    let paths = ["/metrics", "/livez", "/readyz", "/api/v1/certificates"];
    assert_eq!(paths.map(|path| edge.get("shop.example", path).text()), ["the shop"; 4]);
    let plain = |edge: &Edge, path: &str| Talk::plain(edge.http()).get("localhost", path).status;
    assert_eq!(paths.map(|path| plain(&edge, path)), [404; 4]);
}

#[test]
fn a_scraper_that_says_nothing_does_not_keep_others_out() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let silent: Vec<_> = (0..10).map(|_| Talk::plain(edge.admin)).collect();
    assert_eq!(Talk::plain(edge.admin).get("localhost", "/livez").status, 200);
    drop(silent);
}

/// Who looks what is the matter must not be the one who is shut out.
#[test]
fn the_operator_is_let_in_when_clients_have_taken_every_descriptor() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::shop(&origin);
    setup.open_files(200).set("limits", "connections = 10000").set("limits", "handshake_timeout = \"1h\"");
    let edge = setup.start();
    let crowd: Vec<_> = (0..400).map(|_| TcpStream::connect(edge.https).expect("the kernel queues it")).collect();
    edge.log_line("a pause", |line| line["reason"] == "descriptors");
    let ask = |target: &str| Talk::plain(edge.admin).get("localhost", target).status;
    for _ in 0..5 {
        assert_eq!((ask("/livez"), ask("/readyz"), ask("/metrics")), (200, 200, 200));
        assert_eq!(edge.api("sites").len(), 1);
    }
    assert!(edge.scrape().sum("vitrine_accept_errors_total", &[("reason", "descriptors")]) > 0.0);
    drop(crowd);
}
