//! Limits of a site and of a route, beside those of the edge.

use std::io::{self, Read};
use std::net::{SocketAddr, TcpStream};

use hyper_util::rt::TokioExecutor;
use socket2::{Domain, Socket, Type};

use crate::support::{Exchange, Http2, Origin, Setup, Talk, Then, authority, empty, frames};

/// An edge that takes a KiB; the site takes four, `/media` without end, and `/small` ten octets.
fn shop(origin: &Origin) -> Setup {
    let mut setup = Setup::shop(origin);
    setup.set("limits", "body_size = \"1KiB\"");
    setup.raw_site("[site.limits]\nbody_size = \"4KiB\"\n");
    for (path, size) in [("/media", "0"), ("/small", "10B")] {
        let route = format!("[[site.route]]\npath = {path:?}\nupstreams = [{:?}]\n", origin.url());
        setup.raw_site(&format!("{route}[site.route.limits]\nbody_size = {size:?}\n"));
    }
    setup
}

fn post(client: &mut Talk, target: &str, length: usize) -> u16 {
    let body = "a".repeat(length);
    client.ask(format!("POST {target} HTTP/1.1\r\nhost: shop.example\r\ncontent-length: {length}\r\n\r\n{body}")).status
}

fn post_chunked(client: &mut Talk, target: &str, length: usize) -> u16 {
    let (body, head) = ("a".repeat(length), "host: shop.example\r\ntransfer-encoding: chunked\r\n");
    client.ask(format!("POST {target} HTTP/1.1\r\n{head}\r\n{length:x}\r\n{body}\r\n0\r\n\r\n")).status
}

#[test]
fn a_body_is_measured_by_its_site_and_route() {
    let origin = Origin::saying("hello");
    let edge = shop(&origin).start();
    for (target, length, status) in [
        ("/", 4096, 200),
        ("/", 4097, 413),
        ("/media/photo", 10_000, 200),
        ("/mediation", 4097, 413),
        ("/small", 10, 200),
        ("/small/", 11, 413),
    ] {
        assert_eq!(post(&mut edge.open("shop.example"), target, length), status, "{target} {length}");
        assert_eq!(post_chunked(&mut edge.open("shop.example"), target, length), status, "{target} {length} chunked");
    }
    edge.counted(6.0, "vitrine_requests_refused_total", &[("rule", "body_size")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_over_http_2_is_measured_alike() {
    let origin = Origin::saying("hello");
    let edge = shop(&origin).start();
    let mut client = Http2::open(edge.https, "shop.example").await;
    for (target, length, status) in [("/", 4097, 413), ("/media", 10_000, 200), ("/small", 11, 413)] {
        let body = frames([hyper::body::Frame::data("a".repeat(length).into())]);
        let request = http::Request::post(format!("https://shop.example{target}")).body(body).expect("a request");
        assert_eq!(client.send(request).await.expect("a response").status(), status, "{target}");
    }
}

#[test]
fn one_request_on_a_connection_does_not_lend_its_limits_to_the_next() {
    let origin = Origin::saying("hello");
    let edge = shop(&origin).start();
    let mut client = edge.open("shop.example");
    assert_eq!([post(&mut client, "/media", 10_000), post(&mut client, "/", 4097)], [200, 413]);
}

#[test]
fn a_shop_and_a_visitor_have_the_time_that_the_route_gives() {
    let origin = Origin::new(silent);
    let mut setup = Setup::shop(&origin);
    let route = format!("[[site.route]]\npath = \"/quick\"\nupstreams = [{:?}]\n", origin.url());
    let limits = "[site.route.limits]\nupstream_response_timeout = \"300ms\"\nbody_idle_timeout = \"200ms\"\n";
    setup.raw_site(&format!("{route}{limits}"));
    let edge = setup.start();
    assert_eq!(edge.get("shop.example", "/quick").status, 504);
    let mut client = edge.open("shop.example");
    client.send("POST /quick HTTP/1.1\r\nhost: shop.example\r\ncontent-length: 10\r\n\r\nhalf");
    assert_eq!(client.response().status, 408);
}

#[test]
fn a_shop_that_takes_nobody_has_the_time_that_the_site_or_the_route_gives() {
    // A backlog of one that is full: the kernel drops the next connection's first packet.
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("bound");
    socket.listen(0).expect("listening");
    let address = socket.local_addr().expect("an address").as_socket().expect("an IP address");
    let _first = TcpStream::connect(address).expect("the one place");
    for (site, route) in [("1s", None), ("5m", Some("1s"))] {
        let mut setup = Setup::new();
        setup.raw_site(&format!(
            "[[site]]\nhosts = [\"shop.example\"]\nupstreams = [\"http://{address}\"]\n\
             [site.limits]\nupstream_connect_timeout = {site:?}\n"
        ));
        if let Some(route) = route {
            setup.raw_site(&format!(
                "[[site.route]]\npath = \"/far\"\nupstreams = [\"http://{address}\"]\n\
                 [site.route.limits]\nupstream_connect_timeout = {route:?}\n"
            ));
        }
        setup.certificate("shop", &authority().issue(&["shop.example"]));
        // Longer than the test waits for an answer.
        setup.set("limits", "upstream_connect_timeout = \"5m\"");
        let edge = setup.start();
        assert_eq!(edge.get("shop.example", "/far").status, 502, "{site} {route:?}");
        edge.counted(1.0, "vitrine_upstream_failures_total", &[("reason", "connect_timeout")]);
    }
}

#[test]
fn a_reader_that_does_not_read_has_the_time_of_its_site() {
    let origin = Origin::new(endless);
    let mut setup = Setup::shop(&origin);
    setup.raw_site("[site.limits]\nwrite_stall_timeout = \"500ms\"\n");
    let edge = setup.start();
    let mut client = edge.open("shop.example");
    client.send("GET / HTTP/1.1\r\nhost: shop.example\r\n\r\n");
    edge.counted(1.0, "vitrine_connections_shed_total", &[("reason", "write_stall")]);
    assert!(client.try_response().is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_is_not_read_has_the_time_of_its_site() {
    let origin = Origin::new(endless);
    let mut setup = Setup::shop(&origin);
    setup.raw_site("[site.limits]\nwrite_stall_timeout = \"500ms\"\n");
    let edge = setup.start();
    let mut settings = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
    settings.initial_connection_window_size(1 << 24);
    let mut client = Http2::open_with(edge.https, "shop.example", &settings).await;
    let request = http::Request::get("https://shop.example/").body(empty()).expect("a request");
    let response = client.send(request).await.expect("a response");
    edge.counted(1.0, "vitrine_connections_shed_total", &[("reason", "write_stall")]);
    drop(response);
}

/// Waits until the edge gives up.
fn silent(exchange: &mut Exchange<'_>) -> io::Result<Then> {
    let _ = exchange.reader.read_to_end(&mut Vec::new());
    Ok(Then::Close)
}

/// Sends until nobody takes it.
fn endless(exchange: &mut Exchange<'_>) -> io::Result<Then> {
    exchange.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10000000000\r\n\r\n")?;
    loop {
        exchange.write(&[b'a'; 65536])?;
    }
}
