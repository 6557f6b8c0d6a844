//! Fields on their way to the shop and back.

use std::collections::HashSet;

use crate::support::{Http2, Origin, Setup, empty};

#[test]
fn who_asked_is_said_by_the_edge_and_not_by_the_client() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    edge.open("shop.example").ask(format!("GET / HTTP/1.1\r\nhost: shop.example:8443\r\n{CLAIMS}\r\n"));
    let request = origin.request();
    for (name, value) in [
        ("host", "shop.example:8443"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "shop.example:8443"),
        ("forwarded", "for=127.0.0.1;host=\"shop.example:8443\";proto=https"),
    ] {
        assert_eq!(request.field(name), Some(value), "{name}");
    }
    for name in ["x-real-ip", "x-forwarded-port", "x-forwarded-prefix", "x-ssl-client-verify", "x_forwarded_for"] {
        assert_eq!(request.field(name), None, "{name}");
    }
    assert_ne!(request.field("x-request-id"), Some("mine"));
}

#[test]
fn what_a_trusted_proxy_says_is_kept_and_grows_by_it() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::shop(&origin);
    setup.set("edge", "trusted_proxies = [\"127.0.0.0/8\"]");
    let edge = setup.start();
    edge.open("shop.example").ask(format!("GET / HTTP/1.1\r\nhost: shop.example\r\n{CLAIMS}\r\n"));
    let request = origin.request();
    for (name, value) in [
        ("x-forwarded-for", "6.6.6.6, 127.0.0.1"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-host", "evil.example"),
        ("forwarded", "for=6.6.6.6, for=127.0.0.1;host=shop.example;proto=https"),
        ("x-real-ip", "6.6.6.6"),
        ("x-request-id", "mine"),
    ] {
        assert_eq!(request.field(name), Some(value), "{name}");
    }
    assert_eq!(request.field("x_forwarded_for"), None, "a CGI would read it as the other name");
}

#[test]
fn what_concerns_one_connection_stays_on_it() {
    let origin = Origin::new(|exchange| {
        let fields = [
            ("connection", "x-internal"),
            ("connection", "x-other"),
            ("x-internal", "1"),
            ("x-other", "1"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "keep-alive"),
            ("server", "shop"),
            ("set-cookie", "a=1"),
            ("set-cookie", "b=2"),
        ];
        exchange.answer("200 OK", &fields, b"hello")
    });
    let edge = Setup::shop(&origin).start();
    let response = edge.open("shop.example").ask(
        "GET / HTTP/1.1\r\nhost: shop.example\r\nconnection: keep-alive, x-hop\r\nconnection: X-Hop-2, cookie, host\r\n\
         connection: x-forwarded-for, content-length\r\nx-hop: 1\r\nx-hop-2: 1\r\ncookie: a=b\r\nkeep-alive: 5\r\n\
         proxy-connection: keep-alive\r\nproxy-authorization: Basic x\r\nte: trailers, gzip\r\nupgrade: h2c\r\n\
         http2-settings: AAMAAABkAARAAAAA\r\nx-kept: 1\r\nauthorization: Basic y\r\n\r\n",
    );
    let request = origin.request();
    for name in
        ["x-hop", "x-hop-2", "keep-alive", "proxy-connection", "proxy-authorization", "upgrade", "http2-settings"]
    {
        assert_eq!(request.field(name), None, "{name}");
    }
    for (name, value) in [
        ("host", "shop.example"),
        ("cookie", "a=b"),
        ("x-kept", "1"),
        ("authorization", "Basic y"),
        ("x-forwarded-for", "127.0.0.1"),
        ("te", "trailers"),
    ] {
        assert_eq!(request.field(name), Some(value), "{name}");
    }
    for name in ["x-internal", "x-other", "keep-alive", "proxy-connection"] {
        assert_eq!(response.field(name), None, "{name}");
    }
    assert_eq!((response.field("server"), response.head.all("set-cookie")), (Some("shop"), vec!["a=1", "b=2"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crumbs_of_a_cookie_are_one_cookie_again() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let mut client = Http2::open(edge.https, "shop.example").await;
    let crumbs: Vec<_> = (0..200).map(|number| format!("c{number}=v")).collect();
    let mut request = http::Request::get("https://shop.example/");
    for crumb in &crumbs {
        request = request.header("cookie", crumb);
    }
    let response = client.send(request.body(empty()).expect("a request")).await.expect("a response");
    assert_eq!(response.status(), 200);
    assert_eq!(origin.request().head.all("cookie"), [crumbs.join("; ")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http_2_arrives_as_http_1() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let mut client = Http2::open(edge.https, "shop.example").await;
    assert_eq!(client.get("shop.example", "/a?b").await.0, 200);
    let request = origin.request();
    assert_eq!((request.head.start.as_str(), request.field("host")), ("GET /a?b HTTP/1.1", Some("shop.example")));
    assert!(request.head.fields.iter().all(|(name, _)| !name.starts_with(':')), "{request:?}");
}

#[test]
fn each_request_has_an_id_of_its_own() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let mut client = edge.open("shop.example");
    for _ in 0..10 {
        client.get("shop.example", "/");
    }
    let ids: HashSet<_> =
        origin.requests().iter().map(|request| request.field("x-request-id").expect("an id").to_owned()).collect();
    assert_eq!(ids.len(), 10);
    assert!(ids.iter().all(|id| id.len() >= 16), "{ids:?}");
}

/// What a client would like the shop to believe.
const CLAIMS: &str = "x-forwarded-for: 6.6.6.6\r\nx-forwarded-proto: http\r\nx-forwarded-host: evil.example\r\n\
    x-forwarded-port: 1\r\nx-forwarded-prefix: /x\r\nforwarded: for=6.6.6.6\r\nx-real-ip: 6.6.6.6\r\nx-request-id: mine\r\n\
    x-ssl-client-verify: SUCCESS\r\nx_forwarded_for: 6.6.6.6\r\n";
