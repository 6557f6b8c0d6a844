//! Out of file descriptors: accepting pauses, who is there is served, and it goes on by itself.

use std::net::TcpStream;

use crate::support::{Origin, Setup, eventually, message};

#[test]
fn an_edge_without_descriptors_serves_who_is_there_and_recovers() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::shop(&origin);
    // More connections than descriptors: the system says no before we do.
    setup.open_files(120).set("limits", "connections = 100000").set("limits", "handshake_timeout = \"1h\"");
    let edge = setup.start();
    let mut client = edge.open("shop.example");
    assert_eq!(client.get("shop.example", "/").status, 200);
    let crowd: Vec<_> = (0..200).map(|_| TcpStream::connect(edge.https).expect("the kernel queues it")).collect();
    let line = edge.log_line("the pause", |line| message(line).contains("accepting connections pauses"));
    assert_eq!((&line["level"], &line["reason"]), (&"ERROR".into(), &"descriptors".into()));
    for _ in 0..20 {
        assert_eq!(client.get("shop.example", "/").status, 200, "who is there is served");
    }
    drop(crowd);
    let answer = eventually("a new connection", || {
        let mut talk = crate::support::shop_client().try_open(edge.https, "shop.example").ok()?;
        Some(talk.get("shop.example", "/").status)
    });
    assert_eq!((answer, client.get("shop.example", "/").status), (200, 200));
    let pauses = edge.scrape().sum("vitrine_accept_errors_total", &[("reason", "descriptors")]);
    // Four accepting loops that rest 50 ms each time: thousands would be a spin.
    assert!((1.0..2000.0).contains(&pauses), "{pauses}");
}

#[test]
fn the_limit_of_connections_follows_from_that_of_files() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::shop(&origin);
    setup.open_files(200).set("limits", "handshake_timeout = \"1h\"");
    let edge = setup.start();
    let mut client = edge.open("shop.example");
    let crowd: Vec<_> = (0..100).map(|_| TcpStream::connect(edge.https).expect("the kernel queues it")).collect();
    // The edge stops accepting while there are descriptors left for upstreams, certificates and this scrape.
    eventually("the limit", || {
        (edge.scrape().sum("vitrine_accept_errors_total", &[("reason", "connection_limit")]) > 0.0).then_some(())
    });
    assert_eq!(client.get("shop.example", "/").status, 200);
    assert_eq!(edge.scrape().sum("vitrine_accept_errors_total", &[("reason", "descriptors")]), 0.0);
    drop(crowd);
    eventually("a new connection", || crate::support::shop_client().try_open(edge.https, "shop.example").ok());
}
