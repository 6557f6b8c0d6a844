//! The strict gate: what is ambiguous goes no further.

use crate::support::{Http2, Origin, Setup, empty};

#[test]
fn an_ambiguous_request_is_refused_and_its_connection_closed() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let long = format!("GET /{} HTTP/1.1\r\nhost: shop.example\r\n\r\n", "a".repeat(16 * 1024));
    let fields = format!("GET / HTTP/1.1\r\nhost: shop.example\r\n{}\r\n", "x: y\r\n".repeat(100));
    let head = format!("GET / HTTP/1.1\r\nhost: shop.example\r\nx: {}\r\n\r\n", "y".repeat(80 * 1024));
    for (status, request) in [
        (400, "GET / HTTP/1.1\r\n\r\n"),
        (400, "GET / HTTP/1.0\r\n\r\n"),
        (400, "GET / HTTP/1.1\r\nhost: shop.example\r\nhost: shop.example\r\n\r\n"),
        (400, "GET / HTTP/1.1\r\nhost: shop.example, other.example\r\n\r\n"),
        (400, "GET / HTTP/1.1\r\nhost: shop.example:99999\r\n\r\n"),
        (400, "GET / HTTP/1.1\r\nhost: user@shop.example\r\n\r\n"),
        (400, "GET https://other.example/ HTTP/1.1\r\nhost: shop.example\r\n\r\n"),
        (400, "GET https://user@shop.example/ HTTP/1.1\r\nhost: shop.example\r\n\r\n"),
        (400, "GET ftp://shop.example/ HTTP/1.1\r\nhost: shop.example\r\n\r\n"),
        (400, "GET * HTTP/1.1\r\nhost: shop.example\r\n\r\n"),
        (400, "POST / HTTP/1.1\r\nhost: shop.example\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        (400, "POST / HTTP/1.1\r\nhost: shop.example\r\ntransfer-encoding: identity\r\n\r\n"),
        (400, "POST / HTTP/1.0\r\nhost: shop.example\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
        (400, "POST / HTTP/1.1\r\nhost: shop.example\r\ncontent-length: +5\r\n\r\nhello"),
        (400, "POST / HTTP/1.1\r\nhost: shop.example\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello"),
        (
            400,
            "POST / HTTP/1.1\r\nhost: shop.example\r\nconnection: upgrade\r\nupgrade: x\r\ncontent-length: 1\r\n\r\na",
        ),
        (400, "GET / HTTP/1.1\r\nhost: shop.example\r\nx y: z\r\n\r\n"),
        (400, "GET / HTTP/1.1\r\nhost: shop.example\r\nx: a\0b\r\n\r\n"),
        (405, "TRACE / HTTP/1.1\r\nhost: shop.example\r\n\r\n"),
        (405, "CONNECT shop.example:443 HTTP/1.1\r\nhost: shop.example:443\r\n\r\n"),
        (405, "AMETHODTHATISLONGERTHANANYTHATIS1 / HTTP/1.1\r\nhost: shop.example\r\n\r\n"),
        (417, "POST / HTTP/1.1\r\nhost: shop.example\r\nexpect: 200-maybe\r\ncontent-length: 1\r\n\r\na"),
        (414, &long),
        (431, &fields),
        (431, &head),
    ] {
        let mut client = edge.open("shop.example");
        client.send(request);
        let response = client.response();
        assert_eq!(response.status, status, "{request:.200?}");
        assert_eq!(client.until_closed(), b"", "{request:.200?}");
    }
    assert_eq!(origin.requests(), []);
}

#[test]
fn an_unusual_but_clear_request_passes() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    for (request, passed) in [
        ("OPTIONS * HTTP/1.1\r\nhost: shop.example\r\n\r\n", "OPTIONS * HTTP/1.1"),
        ("GET https://shop.example/a?b HTTP/1.1\r\nhost: shop.example\r\n\r\n", "GET /a?b HTTP/1.1"),
        ("PROPFIND / HTTP/1.1\r\nhost: shop.example\r\ncontent-length: 0\r\n\r\n", "PROPFIND / HTTP/1.1"),
        ("GET /a%2Fb//c/../d HTTP/1.1\r\nhost: shop.example\r\n\r\n", "GET /a%2Fb//c/../d HTTP/1.1"),
        ("\r\nGET / HTTP/1.1\r\nhost: shop.example\r\n\r\n", "GET / HTTP/1.1"),
    ] {
        assert_eq!(edge.open("shop.example").ask(request).status, 200, "{request:?}");
        assert_eq!(origin.requests().last().expect("a request").head.start, passed);
    }
}

#[test]
fn an_answer_made_at_the_edge_closes_when_the_body_was_not_read() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    for (status, host, extra) in [(421, "other.example", ""), (417, "shop.example", "expect: x\r\n")] {
        let mut client = edge.open("shop.example");
        client.send(format!("POST / HTTP/1.1\r\nhost: {host}\r\n{extra}content-length: {}\r\n\r\n", 3 << 20));
        // More than a socket holds: a reset would take the answer with it.
        for _ in 0..16 {
            client.try_send(vec![b'x'; 64 * 1024]).expect("sent");
        }
        let response = client.response();
        assert_eq!((response.status, response.field("connection")), (status, Some("close")));
        client.until_closed();
    }
    assert_eq!(origin.requests(), []);
}

#[test]
fn what_follows_a_refused_request_is_never_taken_for_another() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let mut client = edge.open("shop.example");
    let response = client.ask(
        "POST / HTTP/1.1\r\nhost: other.example\r\ncontent-length: 60\r\n\r\n\
         GET /smuggled HTTP/1.1\r\nhost: shop.example\r\n\r\n",
    );
    assert_eq!((response.status, client.until_closed()), (421, vec![]));
    assert_eq!(origin.requests(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_gate_stands_before_http_2_too() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let mut client = Http2::open(edge.https, "shop.example").await;
    let request = |method: &str, fields: &[(&str, &str)]| {
        let mut request = http::Request::builder().method(method).uri("https://shop.example/");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        request.body(empty()).expect("a request")
    };
    for (status, method, fields) in [
        (405, "TRACE", &[][..]),
        (400, "GET", &[("host", "other.example")]),
        (417, "POST", &[("expect", "x")]),
        (200, "GET", &[("host", "shop.example")]),
    ] {
        let response = client.send(request(method, fields)).await.expect("a response");
        assert_eq!(response.status(), status, "{method} {fields:?}");
    }
    let many: Vec<_> = (0..101).map(|_| ("x", "y")).collect();
    assert_eq!(client.send(request("GET", &many)).await.expect("a response").status(), 431);
    assert_eq!(origin.requests().len(), 1);
}

#[test]
fn refusals_are_counted_by_their_rule() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    assert_eq!(edge.open("shop.example").ask("TRACE / HTTP/1.1\r\nhost: shop.example\r\n\r\n").status, 405);
    assert_eq!(edge.open("shop.example").ask("GET / HTTP/1.1\r\n\r\n").status, 400);
    edge.counted(1.0, "vitrine_requests_refused_total", &[("rule", "method")]);
    edge.counted(1.0, "vitrine_requests_refused_total", &[("rule", "host")]);
}
