//! What a client may take: time, room, connections.

use std::io::Write;
use std::time::{Duration, Instant};

use http_body_util::BodyExt;
use hyper::body::Frame;
use hyper_util::rt::TokioExecutor;

use crate::support::{DEADLINE, Edge, Http2, Origin, Setup, Talk, Then, dial, empty, eventually, frames, shop_client};

#[test]
fn a_head_that_does_not_end_is_a_408() {
    let origin = Origin::saying("hello");
    let edge = limited(&origin, &["header_timeout = \"300ms\""]);
    let mut client = edge.open("shop.example");
    assert_eq!(client.get("shop.example", "/").status, 200);
    client.send("GET / HTTP/1.1\r\nhost: shop.ex");
    let response = client.response();
    assert_eq!((response.status, response.field("connection")), (408, Some("close")));
    assert_eq!(client.until_closed(), b"");
    edge.counted(1.0, "vitrine_local_answers_total", &[("reason", "client_timeout")]);
}

#[test]
fn a_head_that_comes_octet_by_octet_has_the_same_deadline() {
    let origin = Origin::saying("hello");
    let edge = limited(&origin, &["header_timeout = \"500ms\""]);
    let mut client = edge.open("shop.example");
    let begun = Instant::now();
    while client.try_send("GET / HTTP/1.1\r\nx: y\r\n".get(0..1).expect("a letter")).is_ok() && client.is_open() {
        assert!(begun.elapsed() < DEADLINE, "it goes on for ever");
    }
    assert!(begun.elapsed() >= Duration::from_millis(400), "{:?}", begun.elapsed());
}

#[test]
fn a_quiet_connection_is_closed_without_a_word() {
    let origin = Origin::saying("hello");
    let edge = limited(&origin, &["idle_timeout = \"400ms\""]);
    let mut used = edge.open("shop.example");
    assert_eq!(used.get("shop.example", "/").status, 200);
    let mut fresh = edge.open("shop.example");
    assert_eq!((used.until_closed(), fresh.until_closed()), (vec![], vec![]));
    let mut plain = Talk::plain(edge.http());
    assert_eq!(plain.until_closed(), b"");
}

#[test]
fn a_connection_that_has_rested_serves_on_whatever_comes_and_however() {
    let origin = Origin::new(|exchange| {
        let (content, target) = (exchange.body()?, exchange.asked().1.to_owned());
        exchange.answer("200 OK", &[], &[target.as_bytes(), &content.bytes].concat())
    });
    let edge = limited(&origin, &["header_timeout = \"2500ms\"", "idle_timeout = \"10s\""]);
    let used = || {
        let mut client = edge.open("shop.example");
        assert_eq!(client.get("shop.example", "/").text(), "/");
        client
    };
    let (mut whole, mut dripped, mut two, mut plain) = (used(), used(), used(), Talk::plain(edge.http()));
    // When this head is late, the others have been quiet for longer than the second after which they rest.
    let mut late = edge.open("shop.example");
    late.send("GET / HTTP/1.1\r\nhost: shop.ex");
    assert_eq!(late.response().status, 408);

    assert_eq!(whole.get("shop.example", "/again").text(), "/again");
    let post = "\r\nPOST /drip HTTP/1.1\r\nhost: shop.example\r\ncontent-length: 4\r\n\r\nbody";
    post.as_bytes().iter().for_each(|octet| dripped.send([*octet]));
    assert_eq!(dripped.response().text(), "/dripbody");
    two.send("GET /1 HTTP/1.1\r\nhost: shop.example\r\n\r\nGET /2 HTTP/1.1\r\nhost: shop.example\r\n\r\n");
    assert_eq!([two.response().text(), two.response().text()], ["/1", "/2"]);
    // What no request begins with is refused at once.
    plain.send("\x16\x03\x01");
    assert_eq!(plain.response().status, 400);
    let mut large = used();
    large.send(format!("GET /large HTTP/1.1\r\nhost: shop.example\r\nx: {}\r\n", "x".repeat(6000)));
    large.send("\r\n");
    assert_eq!(large.response().text(), "/large");
}

#[test]
fn a_connection_that_rests_is_closed_when_its_time_is_over() {
    let origin = Origin::saying("hello");
    let edge = limited(&origin, &["idle_timeout = \"2s\""]);
    let mut client = edge.open("shop.example");
    assert_eq!(client.get("shop.example", "/").status, 200);
    let begun = Instant::now();
    assert_eq!(client.until_closed(), b"");
    assert!(begun.elapsed() >= Duration::from_millis(1900), "{:?}", begun.elapsed());
    // And one that is gone takes nothing along.
    let mut gone = edge.open("shop.example");
    assert_eq!(gone.get("shop.example", "/").status, 200);
    drop(gone);
    edge.counted(0.0, "vitrine_connections_open", &[("protocol", "http/1.1")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quiet_http_2_connection_is_told_to_go() {
    let origin = Origin::saying("hello");
    let edge = limited(&origin, &["idle_timeout = \"400ms\""]);
    let mut client = Http2::open(edge.https, "shop.example").await;
    assert_eq!(client.get("shop.example", "/").await.0, 200);
    let ended = tokio::time::timeout(DEADLINE, client.driver).await.expect("an end");
    ended.expect("a task").expect("an orderly end");
}

#[test]
fn an_upload_that_stands_still_is_a_408() {
    let origin = Origin::new(|exchange| {
        exchange.body()?;
        exchange.answer("200 OK", &[], b"hello")
    });
    let edge = limited(&origin, &["body_idle_timeout = \"300ms\""]);
    let mut client = edge.open("shop.example");
    client.send("POST / HTTP/1.1\r\nhost: shop.example\r\ncontent-length: 10\r\n\r\nhalf");
    let response = client.response();
    assert_eq!((response.status, response.field("connection")), (408, Some("close")));
    client.until_closed();
}

#[test]
fn an_upload_that_is_slow_and_steady_is_not_cut() {
    let origin = Origin::new(|exchange| {
        let length = exchange.body()?.bytes.len().to_string();
        exchange.answer("200 OK", &[], length.as_bytes())
    });
    let edge = limited(&origin, &["body_idle_timeout = \"600ms\"", "upstream_response_timeout = \"600ms\""]);
    let mut client = edge.open("shop.example");
    client.send("POST / HTTP/1.1\r\nhost: shop.example\r\ncontent-length: 8\r\n\r\n");
    for _ in 0..8 {
        // A pace is time by nature: twice the limit in all, a quarter of it at a time.
        std::thread::sleep(Duration::from_millis(150));
        client.send("x");
    }
    assert_eq!(client.response().text(), "8");
}

#[test]
fn a_download_whose_upstream_stands_still_is_cut_and_never_looks_complete() {
    let origin = Origin::new(|exchange| {
        exchange.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n")?;
        let _ = std::io::Read::read(exchange.reader, &mut [0]);
        Ok(Then::Close)
    });
    let edge = limited(&origin, &["body_idle_timeout = \"300ms\""]);
    let mut client = edge.open("shop.example");
    client.send("GET / HTTP/1.1\r\nhost: shop.example\r\n\r\n");
    assert!(client.try_response().is_err());
    edge.counted(1.0, "vitrine_upstream_failures_total", &[("reason", "body_timeout")]);
}

#[test]
fn a_reader_that_does_not_read_is_reset() {
    let origin = Origin::new(endless);
    let edge = limited(&origin, &["write_stall_timeout = \"500ms\""]);
    let mut client = edge.open("shop.example");
    client.send("GET / HTTP/1.1\r\nhost: shop.example\r\n\r\n");
    edge.counted(1.0, "vitrine_connections_shed_total", &[("reason", "write_stall")]);
    assert!(client.try_response().is_err());
    edge.counted(0.0, "vitrine_connections_open", &[("protocol", "http/1.1")]);
    edge.counted(0.0, "vitrine_upstream_connections_open", &[]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_whose_reader_does_not_read_is_reset_alone() {
    let origin = Origin::new(|exchange| match exchange.asked().1 {
        "/endless" => endless(exchange),
        _ => exchange.answer("200 OK", &[], b"hello"),
    });
    let edge = limited(&origin, &["write_stall_timeout = \"500ms\""]);
    let mut settings = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
    settings.initial_connection_window_size(1 << 24);
    let mut client = Http2::open_with(edge.https, "shop.example", &settings).await;
    let request = http::Request::get("https://shop.example/endless").body(empty()).expect("a request");
    let response = client.send(request).await.expect("a response");
    edge.counted(1.0, "vitrine_connections_shed_total", &[("reason", "write_stall")]);
    assert!(response.into_body().collect().await.is_err());
    assert_eq!(client.get("shop.example", "/").await.0, 200, "the connection lives");
}

#[test]
fn what_is_too_long_is_refused_with_its_own_status() {
    let origin = Origin::saying("hello");
    let edge =
        limited(&origin, &["uri_length = \"256B\"", "head_size = \"8KiB\"", "headers = 10", "body_size = \"1KiB\""]);
    let fields = |count: usize| "x: y\r\n".repeat(count);
    for (status, request) in [
        (200, format!("GET /{} HTTP/1.1\r\nhost: shop.example\r\n\r\n", "a".repeat(255))),
        (414, format!("GET /{} HTTP/1.1\r\nhost: shop.example\r\n\r\n", "a".repeat(256))),
        (414, format!("GET /?{} HTTP/1.1\r\nhost: shop.example\r\n\r\n", "a".repeat(255))),
        (200, format!("GET / HTTP/1.1\r\nhost: shop.example\r\n{}\r\n", fields(9))),
        (431, format!("GET / HTTP/1.1\r\nhost: shop.example\r\n{}\r\n", fields(10))),
        (200, format!("GET / HTTP/1.1\r\nhost: shop.example\r\nx: {}\r\n\r\n", "a".repeat(7 << 10))),
        (431, format!("GET / HTTP/1.1\r\nhost: shop.example\r\nx: {}\r\n\r\n", "a".repeat(9 << 10))),
        (200, format!("POST / HTTP/1.1\r\nhost: shop.example\r\ncontent-length: 1024\r\n\r\n{}", "a".repeat(1024))),
        (413, format!("POST / HTTP/1.1\r\nhost: shop.example\r\ncontent-length: 1025\r\n\r\n{}", "a".repeat(1025))),
        (
            413,
            format!(
                "POST / HTTP/1.1\r\nhost: shop.example\r\ntransfer-encoding: chunked\r\n\r\n401\r\n{}\r\n0\r\n\r\n",
                "a".repeat(1025)
            ),
        ),
    ] {
        let mut client = edge.open("shop.example");
        client.send(&request);
        assert_eq!(client.response().status, status, "{request:.120?}");
        if status != 200 {
            assert_eq!(client.until_closed(), b"");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_long_is_refused_over_http_2_too() {
    let origin = Origin::saying("hello");
    let edge = limited(&origin, &["uri_length = \"256B\"", "headers = 10", "body_size = \"1KiB\""]);
    let mut client = Http2::open(edge.https, "shop.example").await;
    assert_eq!(client.get("shop.example", &format!("/{}", "a".repeat(256))).await.0, 414);
    let mut request = http::Request::get("https://shop.example/");
    for number in 0..11 {
        request = request.header(format!("x-{number}"), "y");
    }
    let response = client.send(request.body(empty()).expect("a request")).await.expect("a response");
    assert_eq!(response.status(), 431);
    let body = frames([Frame::data(vec![b'x'; 1025].into())]);
    let request = http::Request::post("https://shop.example/").body(body).expect("a request");
    assert_eq!(client.send(request).await.expect("a response").status(), 413);
    assert_eq!(client.get("shop.example", "/").await.0, 200, "one stream's fault is not the connection's");
}

#[test]
fn a_connection_beyond_the_limit_waits_until_one_is_free() {
    let origin = Origin::saying("hello");
    let edge = limited(&origin, &["connections = 3"]);
    let mut first: Vec<_> = (0..3).map(|_| edge.open("shop.example")).collect();
    for client in &mut first {
        assert_eq!(client.get("shop.example", "/").status, 200);
    }
    let fourth = dial(edge.https);
    let waiting = std::thread::spawn(move || {
        shop_client().over(fourth, "shop.example").expect("a handshake").get("shop.example", "/").status
    });
    eventually("the refusal to accept", || {
        (edge.scrape().sum("vitrine_accept_errors_total", &[("reason", "connection_limit")]) > 0.0).then_some(())
    });
    assert!(!waiting.is_finished());
    assert_eq!(first[0].get("shop.example", "/").status, 200, "the open ones are served");
    drop(first.pop());
    assert_eq!(waiting.join().expect("a client"), 200);
}

#[test]
fn a_client_that_has_its_share_gets_no_more() {
    let origin = Origin::saying("hello");
    let edge = limited(&origin, &["connections_per_client = 2"]);
    let mut first: Vec<_> = (0..2).map(|_| edge.open("shop.example")).collect();
    assert!(shop_client().try_open(edge.https, "shop.example").is_err());
    edge.counted(1.0, "vitrine_connections_shed_total", &[("reason", "per_client")]);
    for client in &mut first {
        assert_eq!(client.get("shop.example", "/").status, 200);
    }
    drop(first.pop());
    eventually("a free place", || shop_client().try_open(edge.https, "shop.example").ok());
}

/// A shop with these limits.
fn limited(origin: &Origin, limits: &[&str]) -> Edge {
    let mut setup = Setup::shop(origin);
    for limit in limits {
        setup.set("limits", limit);
    }
    setup.start()
}

/// Sends until nobody takes it.
fn endless(exchange: &mut crate::support::Exchange<'_>) -> std::io::Result<Then> {
    exchange.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n")?;
    let piece = vec![b'x'; 64 * 1024];
    let stream = exchange.reader.get_mut();
    while stream.write_all(&piece).is_ok() {}
    Ok(Then::Close)
}
