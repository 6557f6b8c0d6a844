//! Balancers that pass on octets and say whose they are: HAProxy as it does so, and octets by hand.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;

use serde_json::Value;

use crate::support::peer::{Peer, own_addresses};
use crate::support::{Edge, Origin, Setup, Talk, dial_from, drop_file, eventually, shop_client};

const V4: &[u8] = b"PROXY TCP4 203.0.113.7 198.51.100.1 4711 443\r\n";

#[test]
fn behind_haproxy_the_client_is_who_came_to_it() {
    let origin = Origin::saying("hello");
    for version in ["send-proxy", "send-proxy-v2", "send-proxy-v2-ssl-cn"] {
        let edge = behind_balancer(&origin, "deny = [\"127.0.0.99/32\"]\n");
        let (_haproxy, https, http) = haproxy(&edge, version);
        let before = origin.requests().len();
        let mut client = shop_client().over(dial_from("127.0.0.77", https), "shop.example").expect("a handshake");
        assert_eq!(client.get("shop.example", "/").status, 200, "{version}");
        let request = origin.requests()[before].clone();
        assert_eq!(request.field("x-forwarded-for"), Some("127.0.0.77"));
        let mut denied = shop_client().over(dial_from("127.0.0.99", https), "shop.example").expect("a handshake");
        assert_eq!(denied.get("shop.example", "/").status, 403, "{version}");
        let mut plain = Talk::on(dial_from("127.0.0.77", http));
        assert_eq!(plain.get("shop.example", "/").status, 308, "{version}");
        let records = eventually("three records", || Some(records(&edge)).filter(|records| records.len() == 3));
        for (record, client) in records.iter().zip(["127.0.0.77", "127.0.0.99", "127.0.0.77"]) {
            assert_eq!((&record["client"], &record["peer"]), (&client.into(), &"127.0.0.2".into()), "{version}");
        }
    }
}

#[test]
fn who_must_say_it_and_does_not_is_left_and_others_are_not_read() {
    let origin = Origin::saying("hello");
    let edge = behind_balancer(&origin, "");
    let (mut left, hello) = (0.0, shop_client().hello("shop.example"));
    for octets in [
        &hello[..],
        b"GET / HTTP/1.1\r\nhost: shop.example\r\n\r\n",
        b"PROXY TCP4 203.0.113.7\r\n",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x02\x09",
    ] {
        for address in [edge.https, edge.http()] {
            let mut talk = Talk::on(dial_from("127.0.0.2", address));
            talk.try_send(octets).expect("sent");
            assert_eq!(talk.until_closed(), b"", "{octets:?}");
            left += 1.0;
            edge.counted(left, "vitrine_connections_shed_total", &[("reason", "proxy_header")]);
        }
    }
    edge.logged("expected a header of the PROXY protocol");
    // From elsewhere it is no header but a request that nobody can read.
    let mut elsewhere = Talk::plain(edge.http());
    assert_eq!(elsewhere.ask([V4, b"GET / HTTP/1.1\r\nhost: shop.example\r\n\r\n"].concat()).status, 400);
    assert_eq!(edge.get("shop.example", "/").status, 200);
    // Who only looks whether somebody listens is no news.
    drop(dial_from("127.0.0.2", edge.https));
    edge.counted(left, "vitrine_connections_shed_total", &[("reason", "proxy_header")]);
}

#[test]
fn a_header_may_come_in_pieces_and_before_the_deadline_only() {
    let origin = Origin::saying("hello");
    let mut setup = balanced(&origin, "");
    setup.set("limits", "handshake_timeout = \"700ms\"");
    let edge = setup.start();
    let mut talk = Talk::on(dial_from("127.0.0.2", edge.http()));
    for octet in V4 {
        talk.send([*octet]);
    }
    assert_eq!(talk.ask("GET / HTTP/1.1\r\nhost: shop.example\r\n\r\n").status, 308);
    for octets in [&b""[..], &V4[..20]] {
        let mut late = Talk::on(dial_from("127.0.0.2", edge.https));
        late.send(octets);
        assert_eq!(late.until_closed(), b"");
    }
    edge.counted(2.0, "vitrine_connections_shed_total", &[("reason", "proxy_header")]);
}

#[test]
fn the_client_that_is_named_counts_for_limits_and_for_what_it_may_say() {
    let origin = Origin::saying("hello");
    let mut setup = balanced(&origin, "[site.rate_limit]\nrate = \"1/h\"\nburst = 1\n");
    setup.set("edge", "trusted_proxies = [\"127.0.0.2/32\"]").set("limits", "connections_per_client = 1");
    let edge = setup.start();
    let announced = |client: &str| {
        let mut stream = dial_from("127.0.0.2", edge.https);
        let header = format!("PROXY TCP4 {client} 198.51.100.1 4711 443\r\n");
        std::io::Write::write_all(&mut stream, header.as_bytes()).expect("sent");
        shop_client().over(stream, "shop.example")
    };
    let request = "GET / HTTP/1.1\r\nhost: shop.example\r\nx-forwarded-for: 6.6.6.6\r\n\r\n";
    let mut first = announced("203.0.113.7").expect("a handshake");
    assert_eq!(first.ask(request).status, 200);
    assert_eq!(first.ask(request).status, 429);
    assert!(announced("203.0.113.7").is_err(), "it has one connection already");
    assert_eq!(announced("203.0.113.8").expect("a handshake").ask(request).status, 200);
    edge.counted(1.0, "vitrine_connections_shed_total", &[("reason", "per_client")]);
    let told: Vec<_> =
        origin.requests().iter().map(|request| request.field("x-forwarded-for").map(str::to_owned)).collect();
    assert_eq!(told, [Some("203.0.113.7".to_owned()), Some("203.0.113.8".to_owned())]);
}

#[test]
fn a_balancer_is_named_and_forgotten_by_a_reload() {
    let origin = Origin::saying("hello");
    let mut edge = behind_balancer(&origin, "");
    edge.setup.set("edge", "proxy_protocol = []");
    edge.reload();
    let mut client = shop_client().over(dial_from("127.0.0.2", edge.https), "shop.example").expect("a handshake");
    assert_eq!(client.get("shop.example", "/").status, 200);
}

fn balanced(origin: &Origin, rules: &str) -> Setup {
    let mut setup = Setup::shop(origin);
    setup.set("edge", "proxy_protocol = [\"127.0.0.2/32\"]").set("access_log", "to = \"access.log\"");
    setup.raw_site(rules);
    setup
}

fn behind_balancer(origin: &Origin, rules: &str) -> Edge {
    balanced(origin, rules).start()
}

/// HAProxy before both listeners, which it comes to from 127.0.0.2, and where it listens itself.
fn haproxy(edge: &Edge, version: &str) -> (Peer, SocketAddr, SocketAddr) {
    let (https, http) = own_addresses();
    let section = |name: &str, bind: SocketAddr, to: SocketAddr| {
        format!("listen {name}\n  bind {bind}\n  server edge {to} source 127.0.0.2 {version}\n")
    };
    let text = format!(
        "defaults\n  mode tcp\n  timeout connect 30s\n  timeout client 30s\n  timeout server 30s\n{}{}",
        section("https", https, edge.https),
        section("http", http, edge.http())
    );
    let file = edge.setup.folder.path().join("haproxy.cfg");
    drop_file(&file, text);
    let peer = Peer::start(Command::new("haproxy").args(["-db", "-f"]).arg(&file), edge.setup.folder.path(), https);
    (peer, https, http)
}

fn records(edge: &Edge) -> Vec<Value> {
    let text = fs::read_to_string(edge.setup.folder.path().join("access.log")).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}
