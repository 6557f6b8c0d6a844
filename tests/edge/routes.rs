//! Which upstream answers, and what a visitor is told when none does.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::sync::Mutex;
use std::time::Duration;

use rustix::process::Signal;

use crate::support::{DEADLINE, Origin, Setup, Then, authority, message, site};

#[test]
fn the_longest_prefix_of_the_path_decides() {
    let (shop, api, deep) = (Origin::saying("shop"), Origin::saying("api"), Origin::saying("deep"));
    let mut setup = Setup::shop(&shop);
    for (path, origin) in [("/api", &api), ("/api/v2/", &deep)] {
        setup.raw_site(&format!("[[site.route]]\npath = \"{path}\"\nupstreams = [\"{}\"]\n", origin.url()));
    }
    let edge = setup.start();
    let mut client = edge.open("shop.example");
    for (target, served) in [
        ("/", "shop"),
        ("/apix", "shop"),
        ("/API", "shop"),
        ("/api", "api"),
        ("/api?x", "api"),
        ("/api/", "api"),
        ("/api/v1", "api"),
        ("/api/v2/x", "deep"),
    ] {
        assert_eq!(client.get("shop.example", target).text(), served, "{target}");
    }
}

#[test]
fn a_path_without_a_route_is_not_found() {
    let api = Origin::saying("api");
    let mut setup = Setup::new();
    setup.raw_site(&format!(
        "[[site]]\nhosts = [\"shop.example\"]\n[[site.route]]\npath = \"/api\"\nupstreams = [\"{}\"]\n",
        api.url()
    ));
    setup.certificate("shop", &authority().issue(&["shop.example"]));
    let edge = setup.start();
    let mut client = edge.open("shop.example");
    assert_eq!((client.get("shop.example", "/").status, client.get("shop.example", "/api").status), (404, 200));
    edge.counted(1.0, "vitrine_local_answers_total", &[("reason", "no_route")]);
}

#[test]
fn upstreams_take_turns() {
    let (one, two) = (Origin::saying("one"), Origin::saying("two"));
    let mut setup = Setup::new();
    setup.set("edge", "workers = 1").site(&["shop.example"], &[&one, &two]);
    setup.certificate("shop", &authority().issue(&["shop.example"]));
    let edge = setup.start();
    let mut client = edge.open("shop.example");
    let answers: Vec<_> = (0..4).map(|_| client.get("shop.example", "/").text()).collect();
    let both: Vec<BTreeSet<_>> = answers.chunks(2).map(|pair| pair.iter().cloned().collect()).collect();
    assert_eq!(both, [["one".to_owned(), "two".to_owned()].into(), ["one".to_owned(), "two".to_owned()].into()]);
}

#[test]
fn a_dead_upstream_is_passed_over() {
    let live = Origin::saying("hello");
    let mut setup = Setup::new();
    setup.raw_site(&site(&["shop.example"], &[dead(), live.url()]));
    setup.certificate("shop", &authority().issue(&["shop.example"]));
    let edge = setup.start();
    let mut client = edge.open("shop.example");
    for _ in 0..4 {
        assert_eq!(client.get("shop.example", "/").text(), "hello");
    }
    assert!(edge.scrape().sum("vitrine_upstream_failures_total", &[("reason", "connect")]) >= 1.0);
}

#[test]
fn a_dead_upstream_is_a_502_whose_reason_is_in_the_log_alone() {
    let mut setup = Setup::new();
    let upstream = dead();
    setup.raw_site(&site(&["shop.example"], std::slice::from_ref(&upstream)));
    setup.certificate("shop", &authority().issue(&["shop.example"]));
    let edge = setup.start();
    let response = edge.get("shop.example", "/");
    assert_eq!((response.status, response.field("cache-control")), (502, Some("no-store")));
    let address = upstream.trim_start_matches("http://");
    for leak in [address, address.split(':').next_back().expect("a port"), "refused", "connect", "vitrine"] {
        assert!(!response.text().contains(leak), "{leak} in {}", response.text());
    }
    let line = edge.log_line("the reason", |line| message(line).contains("an upstream failed a request"));
    assert_eq!((&line["level"], &line["reason"]), (&"WARN".into(), &"connect".into()));
    assert!(response.text().contains(line["request"].as_str().expect("an id")), "{line} {}", response.text());
    edge.log_line("the upstream", |line| line["upstream"].as_str().is_some_and(|name| name.contains(address)));
}

#[test]
fn an_upstream_that_is_slow_to_answer_is_a_504() {
    let origin = Origin::new(|exchange| {
        let mut end = [0];
        // Silent until the edge gives up.
        let _ = std::io::Read::read(exchange.reader, &mut end);
        Ok(Then::Close)
    });
    let mut setup = Setup::shop(&origin);
    setup.set("limits", "upstream_response_timeout = \"300ms\"");
    let edge = setup.start();
    let mut client = edge.open("shop.example");
    assert_eq!(client.get("shop.example", "/").status, 504);
    edge.counted(1.0, "vitrine_upstream_failures_total", &[("reason", "response_timeout")]);
    assert!(client.is_open(), "the client is not at fault");
}

#[test]
fn an_upstream_that_does_not_accept_is_a_502_after_its_time() {
    // A backlog of one that is full: the kernel drops the next connection's first packet.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("bound");
    socket.listen(0).expect("listening");
    let address = socket.local_addr().expect("an address").as_socket().expect("an IP address");
    let first = std::net::TcpStream::connect(address).expect("the one place");
    let mut setup = Setup::new();
    setup.set("limits", "upstream_connect_timeout = \"1s\"");
    setup.raw_site(&site(&["shop.example"], &[format!("http://{address}")]));
    setup.certificate("shop", &authority().issue(&["shop.example"]));
    let edge = setup.start();
    let begun = std::time::Instant::now();
    assert_eq!(edge.get("shop.example", "/").status, 502);
    assert!(begun.elapsed() >= Duration::from_millis(900) && begun.elapsed() < DEADLINE, "{:?}", begun.elapsed());
    edge.counted(1.0, "vitrine_upstream_failures_total", &[("reason", "connect_timeout")]);
    drop(first);
}

#[test]
fn an_upstream_that_talks_nonsense_or_hangs_up_is_a_502() {
    for (said, reason) in [
        (&b"SSH-2.0-OpenSSH_9.2\r\n\r\n"[..], "malformed"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\na", "malformed"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", "malformed"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", "malformed"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: identity\r\n\r\na", "malformed"),
        (b"", "closed"),
        (b"HTTP/1.1 200 OK\r\nx: ", "closed"),
    ] {
        let origin = Origin::new(move |exchange| {
            exchange.write(said)?;
            Ok(Then::Close)
        });
        let edge = Setup::shop(&origin).start();
        assert_eq!(edge.get("shop.example", "/").status, 502, "{reason}");
        let failures = edge.scrape();
        let of = |reason| failures.sum("vitrine_upstream_failures_total", &[("reason", reason)]);
        assert_eq!(of("malformed") + of("closed"), 1.0, "{}", String::from_utf8_lossy(said));
    }
}

#[test]
fn a_kept_connection_the_upstream_closed_costs_no_request() {
    let origin = Origin::new(|exchange| {
        exchange.body()?;
        exchange.answer("200 OK", &[], b"hello")?;
        Ok(Then::Close)
    });
    let mut setup = Setup::shop(&origin);
    setup.set("edge", "workers = 1");
    let edge = setup.start();
    let mut client = edge.open("shop.example");
    for _ in 0..3 {
        assert_eq!(client.get("shop.example", "/").status, 200);
        edge.counted(0.0, "vitrine_upstream_connections_open", &[]);
    }
}

#[test]
fn a_kept_connection_that_ends_under_a_request_costs_none_that_may_be_repeated() {
    // Whoever comes second on a connection is not answered: it was being closed when the request came.
    let seen = Mutex::new(BTreeSet::new());
    let origin = Origin::new(move |exchange| {
        exchange.body()?;
        let from = exchange.reader.get_ref().peer_addr()?;
        if !seen.lock().expect("the set").insert(from) {
            return Ok(Then::Close);
        }
        exchange.answer("200 OK", &[], b"hello")
    });
    let mut setup = Setup::shop(&origin);
    setup.set("edge", "workers = 1");
    let edge = setup.start();
    let mut client = edge.open("shop.example");
    for _ in 0..4 {
        assert_eq!(client.get("shop.example", "/").status, 200);
    }
    // An order may have been taken before the connection ended: it is not placed twice (RFC 9110 §9.2.2).
    let asked = origin.requests().len();
    let response = client.ask("POST / HTTP/1.1\r\nhost: shop.example\r\ncontent-length: 0\r\n\r\n");
    assert_eq!((response.status, origin.requests().len() - asked), (502, 1));
}

#[test]
fn an_error_is_told_as_json_or_as_a_page_with_the_id_of_the_request() {
    let mut setup = Setup::new();
    setup.raw_site(&site(&["shop.example"], &[dead()]));
    setup.certificate("shop", &authority().issue(&["shop.example"]));
    let edge = setup.start();
    let mut client = edge.open("shop.example");
    let mut ask = |accept: &str| {
        client.ask(format!("GET / HTTP/1.1\r\nhost: shop.example\r\naccept: {accept}\r\nx-request-id: mine\r\n\r\n"))
    };
    let json = ask("application/json");
    assert_eq!(json.field("content-type"), Some("application/problem+json"));
    let told = json.json();
    assert_eq!((&told["status"], &told["title"]), (&502.into(), &"Bad Gateway".into()));
    let id = told["request_id"].as_str().expect("an id").to_owned();
    let page = ask("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8");
    assert_eq!(page.field("content-type"), Some("text/html; charset=utf-8"));
    assert!(page.text().contains("502") && !page.text().contains(&id) && !page.text().contains("mine"));
    edge.log_line("the id", |line| line["request"] == *id);
}

#[test]
fn a_failure_is_logged_once_with_the_upstream_and_the_request() {
    let mut setup = Setup::new();
    let upstreams = [dead(), dead()];
    setup.set("edge", "workers = 1").raw_site(&site(&["shop.example"], &upstreams));
    setup.certificate("shop", &authority().issue(&["shop.example"]));
    let mut edge = setup.start();
    assert_eq!(edge.get("shop.example", "/").status, 502);
    edge.counted(2.0, "vitrine_upstream_failures_total", &[]);
    edge.signal(Signal::TERM);
    edge.wait();
    let told: Vec<_> = edge.log().into_iter().filter(|line| line.get("upstream").is_some()).collect();
    let named: BTreeSet<_> = told.iter().filter_map(|line| line["upstream"].as_str()).collect();
    let both: BTreeSet<_> = upstreams.iter().map(|url| url.trim_start_matches("http://")).collect();
    assert_eq!((told.len(), named), (2, both), "{told:#?}");
    assert_eq!(told.iter().filter(|line| line["request"].is_string()).count(), 1, "{told:#?}");
}

#[test]
fn a_kept_connection_expires_though_no_client_is_there() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::shop(&origin);
    setup.set("limits", "upstream_idle_timeout = \"200ms\"");
    let edge = setup.start();
    assert_eq!(edge.get("shop.example", "/").status, 200);
    edge.counted(0.0, "vitrine_connections_open", &[]);
    edge.counted(0.0, "vitrine_upstream_connections_open", &[]);
}

/// An address where nobody listens.
fn dead() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    format!("http://{}", listener.local_addr().expect("an address"))
}
