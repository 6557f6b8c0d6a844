//! Answers the edge makes itself, and ends it gives to connections.

use std::io::Read;

use http::{Method, Request};
use http_body_util::BodyExt;
use rustls::version::{TLS12, TLS13};

use crate::support::{
    ClientTls, HANDSHAKE, Http2, Origin, SWITCHING, Setup, Stream, Then, authority, empty, eventually, site,
};

#[test]
fn head_gets_the_head_of_the_edges_own_answers_over_http_1() {
    let edge = unreachable_shop().start();
    let mut client = edge.open("shop.example");
    for (target, status) in [("/.well-known/mark", 200), ("/", 502)] {
        client.send(format!("HEAD {target} HTTP/1.1\r\nhost: shop.example\r\n\r\n"));
        let head = client.response_to_head();
        let whole = client.get("shop.example", target);
        assert_eq!((head.status, whole.status), (status, status), "{target}");
        assert_eq!(head.field("content-length"), Some(whole.content.bytes.len().to_string().as_str()), "{target}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn head_gets_the_head_of_the_edges_own_answers_over_http_2() {
    let edge = unreachable_shop().start();
    let mut client = Http2::open(edge.https, "shop.example").await;
    for (host, target, status) in
        [("shop.example", "/.well-known/mark", 200), ("shop.example", "/", 502), ("else.example", "/", 421)]
    {
        let request = Request::builder().method(Method::HEAD).uri(format!("https://{host}{target}")).body(empty());
        let response = client.send(request.expect("a request")).await.expect("a response");
        let (head, body) = response.into_parts();
        let body = body.collect().await.expect("an orderly end").to_bytes();
        let (_, whole) = client.get(host, target).await;
        let length = head.headers.get("content-length").and_then(|length| length.to_str().ok()?.parse().ok());
        assert_eq!((head.status.as_u16(), body.len(), length), (status, 0, Some(whole.len())), "{host}{target}");
    }
}

#[test]
fn a_head_that_came_late_gets_a_page_too() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::shop(&origin);
    setup.set("limits", "header_timeout = \"300ms\"");
    let edge = setup.start();
    let mut client = edge.open("shop.example");
    client.send("GET / HTTP/1.1\r\nhost: shop.ex");
    let response = client.response();
    assert_eq!((response.status, response.field("content-type")), (408, Some("text/html; charset=utf-8")));
    assert!(response.text().contains("took too long to arrive"), "{}", response.text());
    edge.counted(1.0, "vitrine_requests_total", &[("code", "408")]);
}

#[test]
fn what_is_no_request_is_counted() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let mut client = edge.open("shop.example");
    client.send("GET / HTTP/1.1\r\nhost: shop.example\r\nx: a\0b\r\n\r\n");
    assert_eq!(client.response().status, 400);
    edge.counted(1.0, "vitrine_requests_refused_total", &[("rule", "malformed")]);
}

#[test]
fn a_response_cut_short_never_looks_complete_to_an_http_1_0_client() {
    let origin = Origin::new(|exchange| {
        exchange.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n")?;
        Ok(Then::Close)
    });
    let edge = Setup::shop(&origin).start();
    let mut client = edge.open("shop.example");
    client.send("GET / HTTP/1.0\r\nhost: shop.example\r\n\r\n");
    let mut all = Vec::new();
    let end = client.reader.read_to_end(&mut all);
    assert!(end.is_err(), "an orderly end after {:?}", String::from_utf8_lossy(&all));
}

#[test]
fn what_a_trusted_proxy_calls_a_request_is_what_everybody_calls_it() {
    let mut setup = unreachable_shop();
    setup.set("edge", "trusted_proxies = [\"127.0.0.0/8\"]");
    setup.set("access_log", "to = \"stdout\"");
    let edge = setup.start();
    let mut client = edge.open("shop.example");
    let page = client.ask("GET / HTTP/1.1\r\nhost: shop.example\r\nx-request-id: from-lb-1\r\n\r\n");
    assert!(page.text().contains("from-lb-1"), "{}", page.text());
    assert_eq!(edge.output_line("a record", |line| line["status"] == 502)["id"], "from-lb-1");
    // What could not stand on a page is not taken over.
    let page = client.ask("GET / HTTP/1.1\r\nhost: shop.example\r\nx-request-id: <b>\r\n\r\n");
    assert!(!page.text().contains("<b>"), "{}", page.text());
}

#[test]
fn a_tunnel_is_counted_once() {
    let origin = Origin::new(|exchange| {
        exchange.write(SWITCHING)?;
        let _ = exchange.reader.read(&mut [0]);
        Ok(Then::Close)
    });
    let edge = Setup::shop(&origin).start();
    let mut client = edge.open("shop.example");
    client.send(HANDSHAKE);
    assert_eq!(client.response().status, 101);
    let open = |protocol| edge.scrape().sum("vitrine_connections_open", &[("protocol", protocol)]);
    eventually("the tunnel is counted", || (open("tunnel") == 1.0).then_some(()));
    assert_eq!(open("http/1.1"), 0.0);
    drop(client);
    eventually("its end is counted", || (open("tunnel") == 0.0).then_some(()));
    assert_eq!(open("http/1.1"), 0.0);
}

/// A shop with one well-known object, whose upstream nobody listens for.
fn unreachable_shop() -> Setup {
    let mut setup = Setup::new();
    // No system gives this port away, so nobody takes it meanwhile.
    setup.raw_site(&site(&["shop.example"], &["http://127.0.0.1:1".into()]));
    setup.certificate("shop", &authority().issue(&["shop.example"]));
    let objects = setup.certs().join("well-known/shop.example");
    std::fs::create_dir_all(&objects).expect("a folder");
    std::fs::write(objects.join("mark"), "it is us").expect("written");
    setup
}

#[test]
fn the_last_answer_of_a_connection_brings_the_end_of_tls_with_it() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    for version in [&TLS12, &TLS13] {
        let mut client = ClientTls::new(&[version]).open(edge.https, "shop.example");
        client.send("GET / HTTP/1.1\r\nhost: shop.example\r\nconnection: close\r\n\r\n");
        let Stream::Tls(mut tls) = client.into_stream() else { panic!("no TLS here") };
        let mut answer = Vec::new();
        let (mut is_over, mut ended_with) = (false, 0);
        while !is_over {
            assert_ne!(tls.conn.read_tls(&mut tls.sock).expect("octets"), 0, "closed without a word");
            let state = tls.conn.process_new_packets().expect("TLS");
            is_over = state.peer_has_closed();
            let mut more = vec![0; state.plaintext_bytes_to_read()];
            tls.conn.reader().read_exact(&mut more).expect("content");
            ended_with = more.len();
            answer.extend(more);
        }
        let answer = String::from_utf8(answer).expect("text");
        assert!(answer.contains("connection: close") && answer.ends_with("hello"), "{answer}");
        assert_ne!(ended_with, 0, "the end came by itself");
        assert_eq!(tls.sock.read(&mut [0]).expect("an orderly end"), 0);
    }
}
