//! Upstreams that are addressed by names: where those lead by what a real name server says, and what becomes of connections when a
//! shop moves.

use std::collections::BTreeSet;
use std::net::{IpAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::support::bind::{Bind, Zone};
use crate::support::command::{done, vitrine};
use crate::support::{Edge, Http2Shop, Origin, Setup, Then, authority, empty, eventually};

/// Sockets at these addresses, all with the same port.
fn sockets<const N: usize>(addresses: [&str; N]) -> [TcpListener; N] {
    let addresses = addresses.map(|address| address.parse::<IpAddr>().expect("an address"));
    eventually("a port that is free at all of them", || {
        let first = TcpListener::bind((addresses[0], 0)).ok()?;
        let port = first.local_addr().expect("an address").port();
        let rest: Result<Vec<_>, _> =
            addresses[1..].iter().map(|address| TcpListener::bind((*address, port))).collect();
        std::iter::once(first).chain(rest.ok()?).collect::<Vec<_>>().try_into().ok()
    })
}

/// Says its name to everybody.
fn saying(listener: TcpListener, text: &'static str) -> Origin {
    Origin::listening(listener, move |exchange| {
        exchange.body()?;
        exchange.answer("200 OK", &[], text.as_bytes())
    })
}

/// A name server with the zone `internal`.
fn names(records: &str) -> Bind {
    Bind::start(&[Zone { name: "internal", records, is_open: true }])
}

/// A site behind this upstream; one worker, since each has connections of its own.
fn shop(names: &Bind, upstream: &str, lines: &str) -> Edge {
    let mut setup = Setup::new();
    setup.raw_site(&format!("[[site]]\nhosts = [\"shop.example\"]\nupstreams = [{upstream:?}]\n{lines}\n"));
    setup.certificate("shop", &authority().issue(&["shop.example"]));
    setup.set("edge", "workers = 1").set("edge", &format!("resolvers = [\"{}\"]", names.address));
    setup.start()
}

fn total(edge: &Edge, name: &str) -> f64 {
    edge.scrape().sum(name, &[])
}

/// The addresses that are connected to now.
fn addresses(edge: &Edge) -> BTreeSet<String> {
    let listed = edge.api("upstreams").remove(0);
    let addresses = listed["addresses"].as_array().cloned().unwrap_or_default();
    addresses.iter().map(|address| address.as_str().expect("text").to_owned()).collect()
}

const MOVE: &str = "update delete shop.internal A\nupdate add shop.internal 1 A 127.0.0.3";

#[test]
fn a_shop_that_moves_is_followed_without_a_failed_request() {
    let [here, there] = sockets(["127.0.0.2", "127.0.0.3"]);
    let port = here.local_addr().expect("an address").port();
    let (before, after) = (saying(here, "before"), saying(there, "after"));
    let names = names("shop 1 A 127.0.0.2");
    let edge = shop(&names, &format!("http://shop.internal:{port}"), "");
    let has_moved = Arc::new(AtomicBool::new(false));
    let visiting = thread::spawn({
        let (mut client, has_moved) = (edge.open("shop.example"), Arc::clone(&has_moved));
        move || {
            let mut texts = Vec::new();
            while !has_moved.load(Ordering::Relaxed) {
                let answer = client.get("shop.example", "/");
                assert_eq!(answer.status, 200);
                texts.push(answer.text());
            }
            texts
        }
    });
    eventually("a visitor", || (before.requests().len() > 20).then_some(()));
    names.update(MOVE);
    eventually("a visitor at the new place", || (after.requests().len() > 20).then_some(()));
    has_moved.store(true, Ordering::Relaxed);
    let texts = visiting.join().expect("no request failed");
    // Who is once there does not go back.
    let moved = texts.iter().position(|text| text == "after").expect("moved");
    assert!(texts[moved..].iter().all(|text| text == "after"));
    // One connection to each, and that to where nobody is any more is closed.
    assert_eq!((before.connections(), after.connections()), (1, 1));
    edge.counted(1.0, "vitrine_upstream_connections_open", &[]);
    edge.logged("an upstream has moved");
    assert_eq!(total(&edge, "vitrine_upstream_failures_total"), 0.0);
    let told = done(vitrine(&edge, "explain shop.example"));
    assert!(told.contains(&format!("shop.internal:{port} at 127.0.0.3 ready")), "{told}");
}

#[test]
fn a_connection_that_nobody_uses_is_closed_when_its_shop_has_moved() {
    let [here] = sockets(["127.0.0.2"]);
    let port = here.local_addr().expect("an address").port();
    let _before = saying(here, "before");
    let names = names("shop 1 A 127.0.0.2");
    let edge = shop(&names, &format!("http://shop.internal:{port}"), "");
    assert_eq!(edge.get("shop.example", "/").text(), "before");
    edge.counted(1.0, "vitrine_upstream_connections_open", &[]);
    names.update(MOVE);
    edge.counted(0.0, "vitrine_upstream_connections_open", &[]);
}

#[test]
fn what_was_found_last_stays_in_use_when_the_name_server_is_gone() {
    let [here] = sockets(["127.0.0.2"]);
    let port = here.local_addr().expect("an address").port();
    let _shop = saying(here, "still there");
    let names = names("shop 1 A 127.0.0.2");
    let upstream = format!("shop.internal:{port}");
    let edge = shop(&names, &format!("http://{upstream}"), "health = { path = \"/\", interval = \"100ms\" }");
    assert_eq!(edge.get("shop.example", "/").text(), "still there");
    assert_eq!(total(&edge, "vitrine_upstream_resolve_failures_total"), 0.0);
    let server = names.address;
    drop(names);
    let failures = || edge.scrape().sum("vitrine_upstream_resolve_failures_total", &[("upstream", &upstream)]);
    eventually("a lookup that fails", || (failures() >= 2.0).then_some(()));
    for _ in 0..20 {
        assert_eq!(edge.get("shop.example", "/").text(), "still there");
    }
    edge.logged("the name of an upstream is not found; what is known of it holds on");
    let listed = edge.api("upstreams").remove(0);
    assert_eq!((listed["state"].as_str(), &listed["addresses"][0]), (Some("ready"), &"127.0.0.2".into()));
    let why = listed["unresolved"].as_str().expect("a reason");
    assert!(why.contains(&format!("the name server {server} does not answer")), "{why}");
    let told = done(vitrine(&edge, "upstreams list"));
    assert!(told.contains("127.0.0.2") && told.contains("its name is not found now"), "{told}");
}

#[test]
fn connections_are_made_to_all_addresses_in_turn_and_to_the_next_when_one_is_gone() {
    let [one, other, six] = sockets(["127.0.0.2", "127.0.0.3", "::1"]);
    let port = one.local_addr().expect("an address").port();
    // One that closes behind each answer, so that each request has a connection of its own.
    let closing = |listener, text: &'static str| {
        Origin::listening(listener, move |exchange| {
            exchange.body()?;
            exchange.answer("200 OK", &[("connection", "close")], text.as_bytes())?;
            Ok(Then::Close)
        })
    };
    let (one, other, _six) = (closing(one, "one"), closing(other, "other"), closing(six, "six"));
    let names = names("shop 1 A 127.0.0.2\nshop 1 A 127.0.0.3\nshop 1 AAAA ::1");
    let edge = shop(&names, &format!("http://shop.internal:{port}"), "");
    let texts = |number: usize| (0..number).map(|_| edge.get("shop.example", "/").text()).collect::<Vec<_>>();
    let mut all = texts(12);
    all.sort();
    assert_eq!(all, [["one"; 4], ["other"; 4], ["six"; 4]].concat());
    drop((one, other));
    assert_eq!(texts(12), ["six"; 12]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_in_http2_that_moves_ends_what_is_under_way_and_gets_nothing_new() {
    let [here, there] = sockets(["127.0.0.2", "127.0.0.3"]);
    let port = here.local_addr().expect("an address").port();
    let (before, after) = (Http2Shop::listening(here, 100), Http2Shop::listening(there, 100));
    let names = names("shop 1 A 127.0.0.2");
    let edge = shop(&names, &format!("h2c://shop.internal:{port}"), "");
    let mut client = crate::support::Http2::open(edge.https, "shop.example").await;
    let request =
        |path: &str| http::Request::get(format!("https://shop.example{path}")).body(empty()).expect("a request");
    // The client reads nothing of it for now.
    let under_way = client.send(request("/large")).await.expect("an answer").into_body();
    names.update(MOVE);
    eventually("the new place", || (addresses(&edge) == ["127.0.0.3".to_owned()].into()).then_some(()));
    for _ in 0..5 {
        assert_eq!(client.send(request("/")).await.expect("an answer").status(), 200);
    }
    assert_eq!((before.asked().len(), after.asked().len()), (1, 5));
    let whole = http_body_util::BodyExt::collect(under_way).await.expect("all of it").to_bytes();
    assert_eq!(whole.len(), crate::support::LARGE);
    edge.counted(1.0, "vitrine_upstream_connections_open", &[]);
    assert_eq!((before.connections(), after.connections()), (1, 1));
}

#[test]
fn a_name_that_was_never_found_is_said_to_be_the_reason_until_it_is() {
    let [here] = sockets(["127.0.0.2"]);
    let port = here.local_addr().expect("an address").port();
    let _shop = saying(here, "found");
    let names = names("");
    let edge = shop(&names, &format!("http://shop.internal:{port}"), "");
    assert_eq!(edge.get("shop.example", "/").status, 502);
    let failures = edge.scrape().sum("vitrine_upstream_failures_total", &[("reason", "resolve")]);
    assert!(failures >= 1.0, "{failures}");
    let why = edge.api("upstreams")[0]["unresolved"].as_str().expect("a reason").to_owned();
    assert!(why.contains("there is no name shop.internal"), "{why}");
    names.update("update add shop.internal 1 A 127.0.0.2");
    eventually("the shop", || (edge.get("shop.example", "/").status == 200).then_some(()));
}

#[test]
fn a_site_that_is_added_has_its_name_looked_for_at_once() {
    let [here] = sockets(["127.0.0.2"]);
    let port = here.local_addr().expect("an address").port();
    let _shop = saying(here, "added");
    let names = names("shop 1 A 127.0.0.2");
    let mut edge = shop(&names, "http://127.0.0.2:1", "");
    assert_eq!(edge.api("upstreams")[0]["addresses"], serde_json::Value::Null);
    edge.setup.forget_sites();
    let site = format!("[[site]]\nhosts = [\"shop.example\"]\nupstreams = [\"http://shop.internal:{port}\"]\n");
    edge.setup.raw_site(&site);
    edge.reload();
    assert_eq!(edge.get("shop.example", "/").text(), "added");
}
