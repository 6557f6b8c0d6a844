//! What HTTP has besides a request and its answer: its versions, interim answers, events, ends that come early.

use std::future::poll_fn;
use std::io::Read;
use std::process::Command;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

use bytes::Bytes;
use h2::client::{SendRequest, handshake};
use http::{Method, Request};
use http_body_util::BodyExt;

use crate::support::{DEADLINE, Edge, Exchange, Http2, Origin, Setup, Talk, Then, agreed, authority, empty};

/// h2's own client, which shows interim answers.
async fn http2(edge: &Edge) -> SendRequest<Bytes> {
    let (sender, connection) = handshake(agreed(edge.https, "shop.example").await).await.expect("HTTP/2");
    tokio::spawn(connection);
    sender
}

/// Waits, in a shop, for the test's word.
fn gate() -> (Sender<()>, impl Fn() + Send + Sync + 'static) {
    let (go, wait): (_, Receiver<()>) = channel();
    let wait = Mutex::new(wait);
    (go, move || wait.lock().expect("the gate").recv_timeout(DEADLINE).expect("the go"))
}

const HINTS: &[u8] = b"HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\nlink: </b.js>; rel=preload\r\n\
    server: shop\r\nset-cookie: a=b\r\n\r\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn early_hints_reach_clients_of_http2_before_the_answer() {
    let (go, wait) = gate();
    let origin = Origin::new(move |exchange| {
        exchange.write(HINTS)?;
        wait();
        exchange.answer("200 OK", &[], b"a page")
    });
    let edge = Setup::shop(&origin).start();
    let mut client = http2(&edge).await;
    let request = Request::get("https://shop.example/").body(()).expect("a request");
    let (mut answer, _) = client.send_request(request, true).expect("sent");
    let hints = poll_fn(|cx| answer.poll_informational(cx)).await.expect("hints").expect("a head");
    let fields: Vec<_> = hints.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    let expected: [(&str, &[u8]); 2] = [("link", b"</a.css>; rel=preload"), ("link", b"</b.js>; rel=preload")];
    assert_eq!((hints.status().as_u16(), fields), (103, expected.to_vec()));
    go.send(()).expect("a shop that waits");
    assert_eq!(answer.await.expect("an answer").status(), 200);
    // Over HTTP/1.1 there is the answer alone.
    go.send(()).expect("a shop");
    let mut client = edge.open("shop.example");
    client.send("GET / HTTP/1.1\r\nhost: shop.example\r\n\r\n");
    assert_eq!(client.any_response().text(), "a page");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_of_http2_that_waits_for_a_word_gets_one() {
    let origin = Origin::new(|exchange| {
        let content = exchange.body()?;
        exchange.answer("200 OK", &[], &content.bytes)
    });
    let edge = Setup::shop(&origin).start();
    let mut client = http2(&edge).await;
    let request = Request::post("https://shop.example/").header("expect", "100-continue").header("content-length", "5");
    let (mut answer, mut body) = client.send_request(request.body(()).expect("a request"), false).expect("sent");
    let word = poll_fn(|cx| answer.poll_informational(cx)).await.expect("a word").expect("a head");
    assert_eq!(word.status(), 100);
    body.send_data("hello".into(), true).expect("sent");
    assert_eq!(answer.await.expect("an answer").status(), 200);
    assert_eq!((origin.request().field("expect"), &origin.request().content.bytes[..]), (None, &b"hello"[..]));
}

/// Tells of three events, each when the one before was seen.
fn events(exchange: &mut Exchange<'_>, wait: &dyn Fn()) -> std::io::Result<Then> {
    exchange.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")?;
    for number in 0..3 {
        let event = format!("data: {number}\n\n");
        exchange.write(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes())?;
        wait();
    }
    exchange.write(b"0\r\n\r\n")?;
    Ok(Then::Keep)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_event_is_seen_before_the_next_is_sent() {
    let (go, wait) = gate();
    let origin = Origin::new(move |exchange| events(exchange, &wait));
    let edge = Setup::shop(&origin).start();
    let mut client = Http2::open(edge.https, "shop.example").await;
    let request = Request::get("https://shop.example/").body(empty()).expect("a request");
    let mut body = client.send(request).await.expect("a head").into_body();
    for number in 0..3 {
        let frame = body.frame().await.expect("an event").expect("a frame");
        assert_eq!(frame.into_data().expect("data"), format!("data: {number}\n\n"));
        go.send(()).expect("a shop that waits");
    }
    assert!(body.collect().await.expect("an end").to_bytes().is_empty());

    let mut client = edge.open("shop.example");
    client.send("GET / HTTP/1.1\r\nhost: shop.example\r\n\r\n");
    let mut seen = String::new();
    for number in 0..3 {
        let event = format!("data: {number}\n\n");
        while !seen.contains(&event) {
            let mut octets = [0; 256];
            let length = client.reader.read(&mut octets).expect("an event");
            assert!(length > 0, "{seen}");
            seen.push_str(std::str::from_utf8(&octets[..length]).expect("text"));
        }
        go.send(()).expect("a shop that waits");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_no_body_keeps_the_length_of_what_it_is_about() {
    let origin = Origin::new(|exchange| {
        let status = if exchange.asked().1 == "/cached" { "304 Not Modified" } else { "200 OK" };
        exchange.write(format!("HTTP/1.1 {status}\r\ncontent-length: 4711\r\netag: \"a\"\r\n\r\n").as_bytes())?;
        Ok(Then::Keep)
    });
    let mut setup = Setup::shop(&origin);
    setup.set("edge", "workers = 1");
    let edge = setup.start();
    let mut one = edge.open("shop.example");
    let mut two = Http2::open(edge.https, "shop.example").await;
    for (method, path, status) in
        [(Method::HEAD, "/", 200), (Method::HEAD, "/cached", 304), (Method::GET, "/cached", 304)]
    {
        one.send(format!("{method} {path} HTTP/1.1\r\nhost: shop.example\r\n\r\n"));
        let answer = one.response_to_head();
        let said = (answer.status, answer.field("content-length"), answer.field("etag"));
        assert_eq!(said, (status, Some("4711"), Some("\"a\"")), "{method} {path}");
        let request = Request::builder().method(method.clone()).uri(format!("https://shop.example{path}"));
        let answer = two.send(request.body(empty()).expect("a request")).await.expect("a head");
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["content-length"]),
            (status, &"4711".parse().expect("a value"))
        );
        assert!(answer.into_body().collect().await.expect("an end").to_bytes().is_empty());
    }
    // All over one connection, and none of them out of step.
    assert_eq!(origin.connections(), 1);
}

#[test]
fn a_client_of_http_1_0_may_keep_its_connection() {
    let origin = Origin::new(|exchange| match exchange.asked().1 {
        "/chunked" => {
            exchange.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")?;
            Ok(Then::Keep)
        }
        _ => exchange.answer("200 OK", &[], b"hello"),
    });
    let edge = Setup::shop(&origin).start();
    let mut client = edge.open("shop.example");
    let ask = |client: &mut Talk, path: &str| {
        client.ask(format!("GET {path} HTTP/1.0\r\nhost: shop.example\r\nconnection: keep-alive\r\n\r\n"))
    };
    for _ in 0..3 {
        let answer = ask(&mut client, "/");
        assert_eq!((answer.text().as_str(), answer.field("connection")), ("hello", Some("keep-alive")));
    }
    // What has no length ends with the connection.
    let answer = ask(&mut client, "/chunked");
    assert_eq!((answer.text().as_str(), answer.field("transfer-encoding")), ("hello", None));
    client.until_closed();
}

#[test]
fn a_shop_that_ends_its_half_has_answered_whole() {
    let origin = Origin::new(|exchange| {
        exchange.write(b"HTTP/1.1 200 OK\r\n\r\nall there is")?;
        exchange.reader.get_ref().shutdown(std::net::Shutdown::Write)?;
        // Open on the other side until the edge goes.
        exchange.reader.read_to_end(&mut Vec::new())?;
        Ok(Then::Close)
    });
    let edge = Setup::shop(&origin).start();
    let mut client = edge.open("shop.example");
    for _ in 0..2 {
        let answer = client.get("shop.example", "/");
        assert_eq!((answer.status, answer.text().as_str()), (200, "all there is"));
    }
    assert_eq!(edge.scrape().sum("vitrine_upstream_failures_total", &[]), 0.0);
}

#[test]
fn a_request_with_trailers_costs_no_connection() {
    let origin = Origin::new(|exchange| {
        let content = exchange.body()?;
        exchange.answer("200 OK", &[], &content.bytes)
    });
    let edge = Setup::shop(&origin).start();
    let mut client = edge.open("shop.example");
    let request = "POST / HTTP/1.1\r\nhost: shop.example\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n\
                   4\r\nwxyz\r\n0\r\nx-sum: 4\r\n\r\n";
    for _ in 0..3 {
        assert_eq!(client.ask(request).text(), "wxyz");
    }
    assert_eq!(origin.connections(), 1);
    assert!(origin.requests().iter().all(|request| request.content.trailers == [("x-sum".into(), "4".into())]));
}

#[test]
fn each_version_of_http_is_agreed_on() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let (url, resolve) = (
        format!("https://shop.example:{}/", edge.https.port()),
        format!("shop.example:{}:127.0.0.1", edge.https.port()),
    );
    let root = edge.setup.folder.path().join("root.pem");
    std::fs::write(&root, &authority().root_pem).expect("written");
    for (offered, spoken) in [("--http1.0", "HTTP/1.0"), ("--http1.1", "HTTP/1.1"), ("--http2", "HTTP/2")] {
        let output = Command::new("curl")
            .args(["-sSv", "--max-time", "20", offered, "--resolve", &resolve, &url, "--cacert"])
            .arg(&root)
            .output()
            .expect("curl runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(String::from_utf8_lossy(&output.stdout), "hello", "{offered}: {said}");
        assert!(said.contains(&format!("> GET / {spoken}\r\n")), "{offered}: {said}");
    }
}
