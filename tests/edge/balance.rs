//! Which of several upstreams a request goes to.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tokio::runtime::Runtime;

use crate::support::command::{done, vitrine};
use crate::support::{Edge, HANDSHAKE, Http2, Origin, Response, SWITCHING, Setup, Talk, Then, authority, eventually};

/// A site with these upstreams and their weights, and more lines of its configuration.
fn shop(origins: &[(&Origin, u32)], lines: &str) -> Setup {
    let mut setup = Setup::new();
    let member = |(origin, weight): &(&Origin, u32)| format!("{{ url = {:?}, weight = {weight} }}", origin.url());
    let members: Vec<String> = origins.iter().map(member).collect();
    setup.raw_site(&format!("[[site]]\nhosts = [\"shop.example\"]\nupstreams = [{}]\n{lines}\n", members.join(", ")));
    setup.certificate("shop", &authority().issue(&["shop.example"]));
    setup
}

/// Says its name; a request for `/held` is answered when the sender says so, or is gone.
fn holding(name: &'static str) -> (Origin, Sender<()>) {
    let (release, released): (Sender<()>, Receiver<()>) = channel();
    let released = Mutex::new(released);
    let origin = Origin::new(move |exchange| {
        exchange.body()?;
        if exchange.asked().1 == "/held" {
            let _ = released.lock().expect("no panic").recv();
        }
        exchange.answer("200 OK", &[], name.as_bytes())
    });
    (origin, release)
}

fn ask(edge: &Edge, fields: &str) -> Response {
    let mut client = edge.open("shop.example");
    client.send(format!("GET / HTTP/1.1\r\nhost: shop.example\r\n{fields}\r\n"));
    client.response()
}

#[test]
fn weights_share_requests_out_and_a_spare_one_waits_until_nobody_else_is_there() {
    let (one, other, spare) = (Origin::saying("one"), Origin::saying("other"), Origin::saying("spare"));
    let mut setup = shop(&[(&one, 1), (&other, 3), (&spare, 0)], "");
    setup.set("edge", "workers = 1");
    let edge = setup.start();
    for _ in 0..40 {
        assert_eq!(ask(&edge, "").status, 200);
    }
    assert_eq!([&one, &other, &spare].map(|origin| origin.requests().len()), [10, 30, 0]);
    drop((one, other));
    assert_eq!(ask(&edge, "").text(), "spare");
}

#[test]
fn who_has_the_fewest_open_requests_gets_the_next_on_all_workers() {
    let ((one, free_one), (other, _free_other)) = (holding("one"), holding("other"));
    let edge = shop(&[(&one, 1), (&other, 1)], "balance = { method = \"least-requests\" }").start();
    let mut held = edge.open("shop.example");
    held.send("GET /held HTTP/1.1\r\nhost: shop.example\r\n\r\n");
    eventually("somebody who holds it", || (!one.requests().is_empty()).then_some(()));
    let url = one.url();
    let in_flight = || {
        let list = edge.api("upstreams");
        let own = list.iter().find(|entry| entry["upstream"] == url.trim_start_matches("http://"));
        own.expect("the upstream")["open_requests"].clone()
    };
    assert_eq!(in_flight(), 1);
    for _ in 0..20 {
        assert_eq!(ask(&edge, "").text(), "other");
    }
    free_one.send(()).expect("it waits");
    assert_eq!(held.response().text(), "one");
    let texts: BTreeSet<String> = (0..20).map(|_| ask(&edge, "").text()).collect();
    assert_eq!(texts.len(), 2);
    assert_eq!(in_flight(), 0);
}

#[test]
fn a_client_and_a_cookie_have_their_upstream_each() {
    let origins = [Origin::saying("one"), Origin::saying("two"), Origin::saying("three")];
    let members = [0, 1, 2].map(|place| (&origins[place], 1));
    for (method, field) in [
        ("method = \"client\"", "x-forwarded-for: 192.0.2."),
        ("method = \"cookie\", cookie = \"sid\"", "cookie: a=b; sid=s"),
    ] {
        let mut setup = shop(&members, &format!("balance = {{ {method} }}"));
        setup.set("edge", "trusted_proxies = [\"127.0.0.0/8\"]");
        let edge = setup.start();
        let owner = |client: usize| ask(&edge, &format!("{field}{client}\r\n")).text();
        let owners: Vec<String> = (0..30).map(owner).collect();
        assert_eq!(owners.iter().collect::<BTreeSet<_>>().len(), 3, "{owners:?}");
        assert_eq!((0..30).map(owner).collect::<Vec<_>>(), owners);
        // An edge that starts anew chooses alike.
        let edge = edge.end(Signal::TERM).start();
        let owner = |client: usize| ask(&edge, &format!("{field}{client}\r\n")).text();
        assert_eq!((0..30).map(owner).collect::<Vec<_>>(), owners);
        let nobody: BTreeSet<String> = (0..12).map(|_| ask(&edge, "cookie: a=b\r\n").text()).collect();
        assert_eq!(nobody.len(), if field.starts_with("cookie") { 3 } else { 1 });
    }
}

/// The edge's cookie in an answer, and its value.
fn cookie(answer: &Response) -> Option<(String, String)> {
    let line = answer.field("set-cookie")?;
    let (name, rest) = line.split_once('=').expect("a pair");
    assert_eq!(name, "edge");
    let (value, attributes) = rest.split_once("; ").expect("attributes");
    Some((value.to_owned(), attributes.to_owned()))
}

#[test]
fn a_client_with_the_edges_cookie_comes_back_to_its_upstream() {
    let origins = [Origin::saying("one"), Origin::saying("two"), Origin::saying("three")];
    let members = [0, 1, 2].map(|place| (&origins[place], 1));
    let edge = shop(&members, "balance = { sticky = \"edge\", sticky_max_age = \"1d\" }").start();
    let first = ask(&edge, "");
    let (value, attributes) = cookie(&first).expect("a cookie");
    assert_eq!(attributes, "Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=86400");
    assert_eq!(first.field("cache-control"), Some("private"));
    let with = |edge: &Edge, value: &str| ask(edge, &format!("cookie: a=b; edge={value}; c=d\r\n"));
    let comes_back = |edge: &Edge| {
        for _ in 0..6 {
            let again = with(edge, &value);
            assert_eq!((again.text(), cookie(&again), again.field("cache-control")), (first.text(), None, None));
        }
    };
    comes_back(&edge);
    let place = origins.iter().position(|origin| !origin.requests().is_empty()).expect("an upstream");
    let seen = origins[place].requests();
    assert_eq!(seen.last().expect("a request").head.all("cookie"), ["a=b; c=d"]);
    // A forged one is worth nothing and is replaced.
    let forged: BTreeSet<String> = (0..9)
        .map(|_| {
            let answer = with(&edge, &value.replace(|letter: char| letter.is_ascii_digit(), "0"));
            assert!(cookie(&answer).is_some());
            answer.text()
        })
        .collect();
    assert_eq!(forged.len(), 3);
    // The key outlasts the process, and nobody may read it.
    let edge = edge.end(Signal::TERM).start();
    comes_back(&edge);
    let secret = fs::metadata(edge.setup.state().join("sticky/secret")).expect("the key");
    assert_eq!(secret.permissions().mode() & 0o777, 0o600);
    // One that drains keeps its clients, one in maintenance does not.
    let name = origins[place].url().trim_start_matches("http://").to_owned();
    done(vitrine(&edge, &format!("upstreams set {name} draining")));
    comes_back(&edge);
    for _ in 0..6 {
        assert_ne!(ask(&edge, "").text(), first.text());
    }
    done(vitrine(&edge, &format!("upstreams set {name} maintenance")));
    let moved = with(&edge, &value);
    assert_ne!(moved.text(), first.text());
    let (value, _) = cookie(&moved).expect("a new cookie");
    assert_eq!(with(&edge, &value).text(), moved.text());
}

#[test]
fn what_shared_caches_may_keep_brings_no_cookie() {
    let origin = Origin::new(|exchange| {
        exchange.body()?;
        let said = exchange.asked().1.trim_start_matches('/').replace('_', " ");
        exchange.answer("200 OK", &[("cache-control", &said)], b"page")
    });
    let edge = shop(&[(&origin, 1)], "balance = { sticky = \"edge\" }").start();
    for (said, cookies, caching) in [
        ("public,_max-age=60", 0, &["public, max-age=60"][..]),
        ("s-maxage=60", 0, &["s-maxage=60"]),
        ("no-store", 1, &["no-store"]),
        ("max-age=0,_private", 1, &["max-age=0, private"]),
        ("max-age=60", 1, &["max-age=60", "private"]),
    ] {
        let answer = edge.get("shop.example", &format!("/{said}"));
        assert_eq!(answer.head.all("set-cookie").len(), cookies, "{said}");
        assert_eq!(answer.head.all("cache-control"), caching, "{said}");
    }
}

/// Sends a request that nobody reads the answer of yet.
fn begin(edge: &Edge, target: &str) -> Talk {
    let mut client = edge.open("shop.example");
    client.send(format!("GET {target} HTTP/1.1\r\nhost: shop.example\r\n\r\n"));
    client
}

fn queued(edge: &Edge, count: f64) {
    eventually("a queue", || (edge.scrape().sum("vitrine_upstream_queue", &[]) == count).then_some(()));
}

#[test]
fn who_finds_all_upstreams_full_waits_in_order_whatever_the_worker() {
    let (origin, release) = holding("shop");
    let lines = "balance = { connections = 1, queue = 2, queue_timeout = \"5m\" }";
    let edge = shop(&[(&origin, 1)], lines).start();
    let mut held = begin(&edge, "/held");
    eventually("somebody who holds it", || (!origin.requests().is_empty()).then_some(()));
    let mut first = begin(&edge, "/first");
    queued(&edge, 1.0);
    let (https, runtime) = (edge.https, Runtime::new().expect("a runtime"));
    let gone =
        runtime.spawn(async move { Http2::open(https, "shop.example").await.get("shop.example", "/gone").await });
    queued(&edge, 2.0);
    let refused = edge.get("shop.example", "/refused");
    assert_eq!((refused.status, refused.field("retry-after")), (503, Some("1")));
    edge.counted(1.0, "vitrine_local_answers_total", &[("reason", "upstream_queue_full")]);
    // Who leaves makes room for another.
    gone.abort();
    queued(&edge, 1.0);
    let mut second = begin(&edge, "/second");
    queued(&edge, 2.0);
    let list = edge.api("upstreams");
    assert_eq!((&list[0]["open_requests"], &list[0]["queued"]), (&1.into(), &2.into()));
    release.send(()).expect("it waits");
    for client in [&mut held, &mut first, &mut second] {
        assert_eq!(client.response().status, 200);
    }
    let asked: Vec<String> = origin.requests().into_iter().map(|request| request.head.start).collect();
    assert_eq!(asked, ["/held", "/first", "/second"].map(|target| format!("GET {target} HTTP/1.1")));
    queued(&edge, 0.0);
    assert_eq!(edge.api("upstreams")[0]["open_requests"], 0);
}

#[test]
fn who_waits_too_long_is_told_when_to_come_back() {
    let (origin, _release) = holding("shop");
    let lines = "balance = { connections = 1, queue_timeout = \"1200ms\" }";
    let edge = shop(&[(&origin, 1)], lines).start();
    let _held = begin(&edge, "/held");
    eventually("somebody who holds it", || (!origin.requests().is_empty()).then_some(()));
    let late = edge.get("shop.example", "/");
    assert_eq!((late.status, late.field("retry-after")), (503, Some("2")));
    edge.counted(1.0, "vitrine_local_answers_total", &[("reason", "upstream_queue_timeout")]);
    edge.logged("all upstreams have as many requests as site.balance.connections lets them have");
}

#[test]
fn a_websocket_has_its_place_as_long_as_it_is_open() {
    let origin = Origin::new(|exchange| {
        exchange.body()?;
        if exchange.head.field("upgrade").is_none() {
            return exchange.answer("200 OK", &[], b"page");
        }
        exchange.write(SWITCHING)?;
        let _ = exchange.reader.read_to_end(&mut Vec::new());
        Ok(Then::Close)
    });
    let edge = shop(&[(&origin, 1)], "balance = { connections = 1, queue = 0 }").start();
    let mut socket = edge.open("shop.example");
    socket.send(HANDSHAKE);
    assert_eq!(socket.response().status, 101);
    assert_eq!(edge.get("shop.example", "/").status, 503);
    drop(socket);
    eventually("a free place", || (edge.get("shop.example", "/").status == 200).then_some(()));
}

#[test]
fn who_answers_late_is_left_alone_and_its_answer_counts() {
    let ((slow, release), quick) = (holding("slow"), Origin::saying("quick"));
    let lines = "health = { eject_after = 1, eject_for = \"5m\", eject_slower_than = \"20ms\" }";
    let mut setup = shop(&[(&slow, 1), (&quick, 0)], lines);
    setup.set("edge", "workers = 1");
    let edge = setup.start();
    let mut held = begin(&edge, "/held");
    let begun = eventually("somebody who holds it", || (!slow.requests().is_empty()).then(Instant::now));
    eventually("a while", || (begun.elapsed() > Duration::from_millis(40)).then_some(()));
    release.send(()).expect("it waits");
    assert_eq!(held.response().text(), "slow");
    edge.counted(1.0, "vitrine_upstream_ejections_total", &[]);
    edge.counted(0.0, "vitrine_upstream_retries_total", &[]);
    assert_eq!(ask(&edge, "").text(), "quick");
}

#[test]
fn one_that_came_back_is_not_flooded() {
    let (one, other) = (Origin::saying("one"), Origin::saying("other"));
    let mut setup = shop(&[(&one, 1), (&other, 1)], "health = { slow_start = \"1h\" }");
    setup.set("edge", "workers = 1");
    let edge = setup.start();
    let name = one.url().trim_start_matches("http://").to_owned();
    for state in ["maintenance", "ready"] {
        done(vitrine(&edge, &format!("upstreams set {name} {state}")));
    }
    // Half of them would be ten.
    let of_one = (0..20).filter(|_| ask(&edge, "").text() == "one").count();
    assert!(of_one < 3, "{of_one}");
}
