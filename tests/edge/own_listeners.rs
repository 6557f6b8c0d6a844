//! An upstream that leads back to the edge: no request goes there, and none goes round.

use std::net::TcpListener;

use crate::support::command::{done, vitrine};
use crate::support::{Origin, Setup, authority, eventually, message, site};

#[test]
fn no_request_goes_to_the_edge_itself_by_whatever_name() {
    let origin = Origin::saying("hello");
    // The port is free again when the edge takes it.
    let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port();
    let mut setup = Setup::new();
    setup.set("edge", &format!("http = [\"127.0.0.1:{port}\"]"));
    setup.raw_site(&site(&["named.example"], &[format!("http://localhost:{port}")]));
    setup.raw_site(&site(&["literal.example"], &[format!("http://127.0.0.1:{port}")]));
    setup.raw_site(&site(&["both.example"], &[format!("http://127.0.0.1:{port}"), origin.url()]));
    setup.certificate("all", &authority().issue(&["named.example", "literal.example", "both.example"]));
    let edge = setup.start();
    for host in ["named.example", "literal.example"] {
        assert_eq!(edge.get(host, "/").status, 502, "{host}");
    }
    // Whoever else is there serves.
    (0..4).for_each(|_| assert_eq!(edge.get("both.example", "/").text(), "hello"));
    let counted = |edge: &crate::support::Edge| {
        edge.scrape().sum("vitrine_upstream_failures_total", &[("reason", "own_listener")])
    };
    eventually("the reason", || (counted(&edge) >= 2.0).then_some(()));
    edge.log_line("a warning", |line| message(line).contains("\"literal.example\" has the upstream 127.0.0.1:"));
    let told = done(vitrine(&edge, "explain literal.example"));
    assert!(told.contains("forwarded"), "{told}");
}

#[test]
fn the_operators_door_is_no_upstream_either() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let mut edge = edge;
    edge.setup.forget_sites();
    edge.setup.raw_site(&site(&["shop.example"], &[format!("http://localhost:{}", edge.admin.port())]));
    edge.reload();
    for target in ["/livez", "/metrics", "/api/v1/sites"] {
        assert_eq!(edge.get("shop.example", target).status, 502, "{target}");
    }
}
