//! An edge that has as much memory in use as it may: new work is refused with a reason, and taken again when there is room.

use crate::support::{Origin, Setup, Talk, eventually};

#[test]
fn new_work_is_refused_while_memory_is_short() {
    let origin = Origin::saying("hello");
    let mut edge = Setup::shop(&origin).start();
    let mut client = edge.open("shop.example");
    assert_eq!(client.get("shop.example", "/").text(), "hello");
    edge.setup.set("limits", "memory = \"1MiB\"");
    edge.reload();
    let refused =
        eventually("a shortage", || Some(client.get("shop.example", "/")).filter(|answer| answer.status != 200));
    assert_eq!(refused.status, 503);
    edge.logged("memory is short: new connections and requests are refused");
    // Closed before the handshake, and without an answer on plain HTTP.
    let mut plain = Talk::plain(edge.http());
    let _ = plain.try_send("GET / HTTP/1.1\r\nhost: shop.example\r\n\r\n");
    assert!(plain.try_response().is_err());
    let scrape = edge.scrape();
    assert!(scrape.sum("vitrine_local_answers_total", &[("reason", "memory")]) >= 1.0);
    assert!(scrape.sum("vitrine_connections_shed_total", &[("reason", "memory")]) >= 1.0);
    // The operator gets in, and mends it.
    edge.setup.forget("limits", "memory");
    edge.reload();
    edge.logged("memory is no longer short");
    assert_eq!(client.get("shop.example", "/").text(), "hello");
    assert_eq!(edge.get("shop.example", "/").text(), "hello");
}
