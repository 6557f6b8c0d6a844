//! The main job: requests in, responses out, nothing lost on the way.

use std::io::Read;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::HeaderMap;
use http_body_util::BodyExt;
use hyper::body::Frame;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocket};
use tokio_tungstenite::tungstenite::{self, Message};

use crate::support::{
    DEADLINE, Exchange, HANDSHAKE, Http2, Origin, SWITCHING, Setup, Then, authority, frames, settled, shop_client,
};

#[test]
fn a_page_is_served_over_http_1_and_the_connection_stays() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let mut client = edge.open("shop.example");
    for _ in 0..3 {
        let response = client.get("shop.example", "/page?q=1");
        assert_eq!((response.status, response.text().as_str()), (200, "hello"));
    }
    let asked: Vec<_> = origin.requests().iter().map(|request| request.head.start.clone()).collect();
    assert_eq!(asked, ["GET /page?q=1 HTTP/1.1"; 3]);
    assert_eq!(origin.connections(), 1, "the upstream connection is kept");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_streams_are_served_over_one_http_2_connection() {
    let origin = Origin::new(|exchange| {
        let target = exchange.asked().1.to_owned();
        exchange.answer("200 OK", &[], target.as_bytes())
    });
    let edge = Setup::shop(&origin).start();
    let client = Http2::open(edge.https, "shop.example").await;
    let streams = (0..50).map(|number| {
        let mut client = client.another();
        tokio::spawn(async move { client.get("shop.example", &format!("/{number}")).await })
    });
    for (number, stream) in streams.collect::<Vec<_>>().into_iter().enumerate() {
        assert_eq!(stream.await.expect("an answer"), (200, Bytes::from(format!("/{number}"))));
    }
}

#[test]
fn head_gets_the_fields_of_get_without_its_body() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let mut client = edge.open("shop.example");
    client.send("HEAD / HTTP/1.1\r\nhost: shop.example\r\n\r\n");
    let response = client.response_to_head();
    assert_eq!((response.status, response.field("content-length")), (200, Some("5")));
    // The connection is not out of step.
    assert_eq!(client.get("shop.example", "/").text(), "hello");
}

#[test]
fn chunks_and_trailers_pass_both_ways() {
    let origin = Origin::new(|exchange| {
        exchange.body()?;
        exchange.write(
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n\
              3\r\nabc\r\n2\r\nde\r\n0\r\nx-sum: 5\r\ncontent-length: 9\r\nset-cookie: a=b\r\n\r\n",
        )?;
        Ok(Then::Keep)
    });
    let edge = Setup::shop(&origin).start();
    let response = edge.open("shop.example").ask(
        "POST / HTTP/1.1\r\nhost: shop.example\r\nte: trailers\r\ntransfer-encoding: chunked\r\ntrailer: x-check\r\n\r\n\
         4\r\nwxyz\r\n0\r\nx-check: 4\r\nauthorization: Basic x\r\nhost: evil.example\r\n\r\n",
    );
    assert_eq!((response.status, response.text().as_str()), (200, "abcde"));
    assert_eq!(response.content.trailers, [("x-sum".into(), "5".into())]);
    let request = origin.request();
    assert_eq!(request.content.bytes, b"wxyz");
    assert_eq!(request.content.trailers, [("x-check".into(), "4".into())]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trailers_pass_over_http_2() {
    let origin = Origin::new(|exchange| {
        exchange.body()?;
        exchange.write(
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n3\r\nabc\r\n0\r\nx-sum: 3\r\n\r\n",
        )?;
        Ok(Then::Keep)
    });
    let edge = Setup::shop(&origin).start();
    let mut client = Http2::open(edge.https, "shop.example").await;
    let mut trailers = HeaderMap::new();
    trailers.insert("x-check", "4".parse().expect("a value"));
    let body = frames([Frame::data(Bytes::from("wxyz")), Frame::trailers(trailers)]);
    let request = http::Request::post("https://shop.example/").header("te", "trailers").header("trailer", "x-check");
    let request = request.body(body).expect("a request");
    let response = client.send(request).await.expect("a response");
    let whole = response.into_body().collect().await.expect("a body");
    assert_eq!(
        whole.trailers().and_then(|trailers| trailers.get("x-sum")).map(http::HeaderValue::as_bytes),
        Some(&b"3"[..])
    );
    assert_eq!(whole.to_bytes(), "abc");
    let request = origin.request();
    assert_eq!(
        (request.content.bytes, request.content.trailers),
        (b"wxyz".to_vec(), vec![("x-check".into(), "4".into())])
    );
}

#[test]
fn a_client_that_waits_for_100_continue_gets_it_once_the_upstream_reads() {
    let origin = Origin::new(|exchange| {
        exchange.body()?;
        exchange.answer("200 OK", &[], b"done")
    });
    let edge = Setup::shop(&origin).start();
    let mut client = edge.open("shop.example");
    client.send("POST / HTTP/1.1\r\nhost: shop.example\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n");
    assert_eq!(client.any_response().status, 100);
    assert_eq!(client.ask("body").text(), "done");
    let request = origin.request();
    assert_eq!((request.content.bytes.as_slice(), request.field("expect")), (&b"body"[..], None));
}

#[test]
fn a_refused_upload_that_waits_for_100_continue_is_never_asked_for() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let mut client = edge.open("shop.example");
    client.send("POST / HTTP/1.1\r\nhost: other.example\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n");
    assert_eq!(client.any_response().status, 421);
    client.until_closed();
}

#[test]
fn a_body_that_could_be_there_and_is_not_is_said_to_be_empty() {
    let origin = Origin::saying("done");
    let edge = Setup::shop(&origin).start();
    let mut client = edge.open("shop.example");
    for method in ["POST", "GET"] {
        client.ask(format!("{method} / HTTP/1.1\r\nhost: shop.example\r\n\r\n"));
    }
    let requests = origin.requests();
    let lengths: Vec<_> = requests.iter().map(|request| request.head.field("content-length")).collect();
    assert_eq!(lengths, [Some("0"), None]);
}

#[test]
fn a_client_of_http_1_0_is_served_and_let_go() {
    let origin = Origin::new(|exchange| {
        exchange.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")?;
        Ok(Then::Keep)
    });
    let edge = Setup::shop(&origin).start();
    let mut client = edge.open("shop.example");
    client.send("GET / HTTP/1.0\r\nhost: shop.example\r\n\r\n");
    let response = client.response();
    assert_eq!((response.status, response.text().as_str()), (200, "hello"));
    assert_eq!(response.field("transfer-encoding"), None);
    client.until_closed();
    assert_eq!(origin.request().head.start, "GET / HTTP/1.1");
}

#[test]
fn a_slow_upstream_slows_the_upload_instead_of_filling_memory() {
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let origin = Origin::new(move |exchange| {
        wait.lock().expect("the gate").recv_timeout(DEADLINE).expect("the go");
        let length = exchange.body()?.bytes.len().to_string();
        exchange.answer("200 OK", &[], length.as_bytes())
    });
    let edge = Setup::shop(&origin).start();
    let mut client = edge.open("shop.example");
    client.send(format!("POST / HTTP/1.1\r\nhost: shop.example\r\ncontent-length: {UPLOAD}\r\n\r\n"));
    let sent = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&sent);
    let uploader = std::thread::spawn(move || {
        let piece = vec![b'x'; 64 * 1024];
        while counter.load(Ordering::SeqCst) < UPLOAD {
            client.send(&piece);
            counter.fetch_add(piece.len() as u64, Ordering::SeqCst);
        }
        client.response()
    });
    let held = settled(|| sent.load(Ordering::SeqCst));
    assert!(held < UPLOAD, "all of {UPLOAD} octets went out while nobody read them");
    go.send(()).expect("the origin waits");
    assert_eq!(uploader.join().expect("an upload").text(), UPLOAD.to_string());
}

#[test]
fn a_slow_client_slows_the_download_instead_of_filling_memory() {
    let sent = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&sent);
    let origin = Origin::new(move |exchange| {
        exchange.write(format!("HTTP/1.1 200 OK\r\ncontent-length: {UPLOAD}\r\n\r\n").as_bytes())?;
        let piece = vec![b'x'; 64 * 1024];
        while counter.load(Ordering::SeqCst) < UPLOAD {
            exchange.write(&piece)?;
            counter.fetch_add(piece.len() as u64, Ordering::SeqCst);
        }
        Ok(Then::Keep)
    });
    let edge = Setup::shop(&origin).start();
    let mut client = edge.open("shop.example");
    client.send("GET / HTTP/1.1\r\nhost: shop.example\r\n\r\n");
    let held = settled(|| sent.load(Ordering::SeqCst));
    assert!(held < UPLOAD, "all of {UPLOAD} octets came in while nobody read them");
    assert_eq!(client.response().content.bytes.len() as u64, UPLOAD);
}

#[test]
fn a_client_that_closes_its_half_after_the_request_still_gets_the_answer() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let mut client = edge.open("shop.example");
    client.send("POST / HTTP/1.1\r\nhost: shop.example\r\ncontent-length: 3\r\n\r\nabc");
    client.half_close();
    assert_eq!(client.response().text(), "hello");
    client.until_closed();
}

#[test]
fn a_websocket_speaks_through_the_edge_both_ways() {
    let origin = Origin::new(echo_messages);
    let edge = Setup::shop(&origin).start();
    let stream = edge.open("shop.example").into_stream();
    let (mut socket, response) = tungstenite::client("wss://shop.example/chat", stream).expect("a handshake");
    assert_eq!(response.status(), 101);
    for text in ["one", "two", &"x".repeat(300_000)] {
        socket.send(Message::text(text)).expect("sent");
        assert_eq!(socket.read().expect("a message"), Message::text(text));
    }
    edge.counted(1.0, "vitrine_connections_open", &[("protocol", "tunnel")]);
    socket.close(None).expect("closed");
    while socket.read().is_ok() {}
    drop(socket);
    edge.counted(0.0, "vitrine_connections_open", &[("protocol", "tunnel")]);
    assert_eq!(origin.request().field("upgrade"), Some("websocket"));
}

#[test]
fn what_follows_a_websocket_handshake_at_once_is_not_lost() {
    let origin = Origin::new(|exchange| {
        exchange.write(SWITCHING)?;
        let mut early = [0; 5];
        exchange.reader.read_exact(&mut early)?;
        exchange.write(&early)?;
        Ok(Then::Close)
    });
    let edge = Setup::shop(&origin).start();
    let mut client = edge.open("shop.example");
    client.send(format!("{HANDSHAKE}early"));
    assert_eq!(client.response().status, 101);
    assert_eq!(client.until_closed(), b"early");
}

#[test]
fn an_upgrade_the_upstream_declines_is_an_ordinary_answer() {
    let origin = Origin::new(|exchange| exchange.answer("426 Upgrade Required", &[], b"no"));
    let edge = Setup::shop(&origin).start();
    let mut client = edge.open("shop.example");
    let response = client.ask(HANDSHAKE);
    assert_eq!((response.status, response.text().as_str()), (426, "no"));
    // What comes now is a request, not a tunnel's content.
    assert_eq!(client.get("shop.example", "/").status, 426);
    assert_eq!(origin.requests().len(), 2);
}

#[test]
fn a_101_nobody_asked_for_is_a_502() {
    let origin = Origin::new(|exchange| {
        exchange.write(b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n")?;
        Ok(Then::Keep)
    });
    let edge = Setup::shop(&origin).start();
    assert_eq!(edge.get("shop.example", "/").status, 502);
    edge.counted(1.0, "vitrine_upstream_failures_total", &[("reason", "unasked_upgrade")]);
}

#[test]
fn an_answer_that_breaks_off_never_looks_complete() {
    for framing in ["content-length: 10", "transfer-encoding: chunked"] {
        let origin = Origin::new(move |exchange| {
            let body = if framing.starts_with('c') { "abc" } else { "3\r\nabc\r\n" };
            exchange.write(format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n{body}").as_bytes())?;
            Ok(Then::Close)
        });
        let edge = Setup::shop(&origin).start();
        let mut client = edge.open("shop.example");
        client.send("GET / HTTP/1.1\r\nhost: shop.example\r\n\r\n");
        assert!(client.try_response().is_err(), "{framing}");
        edge.counted(1.0, "vitrine_upstream_failures_total", &[("reason", "body_broken")]);
    }
}

#[test]
fn an_answer_framed_by_its_end_arrives_whole() {
    let origin = Origin::new(|exchange| {
        exchange.write(b"HTTP/1.1 200 OK\r\n\r\nall of it")?;
        Ok(Then::Close)
    });
    let edge = Setup::shop(&origin).start();
    let mut client = edge.open("shop.example");
    for _ in 0..2 {
        assert_eq!(client.get("shop.example", "/").text(), "all of it");
    }
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let origin = Origin::new(|exchange| {
        let target = exchange.asked().1.to_owned();
        exchange.answer("200 OK", &[], target.as_bytes())
    });
    let edge = Setup::shop(&origin).start();
    let mut client = edge.open("shop.example");
    let requests: String = (0..5).map(|n| format!("GET /{n} HTTP/1.1\r\nhost: shop.example\r\n\r\n")).collect();
    client.send(requests);
    let answers: Vec<_> = (0..5).map(|_| client.response().text()).collect();
    assert_eq!(answers, ["/0", "/1", "/2", "/3", "/4"]);
}

#[test]
fn one_listener_serves_both_families_of_addresses() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::shop(&origin);
    setup.set("edge", "https = [\"[::]:0\"]");
    let edge = setup.start();
    let port = edge.https.port();
    for (address, shown, element) in [
        ("127.0.0.1", "127.0.0.1", "for=127.0.0.1;host=shop.example;proto=https"),
        ("[::1]", "::1", "for=\"[::1]\";host=shop.example;proto=https"),
    ] {
        let address = format!("{address}:{port}").parse().expect("an address");
        assert_eq!(shop_client().open(address, "shop.example").get("shop.example", "/").text(), "hello");
        let request = origin.requests().pop().expect("a request");
        assert_eq!((request.field("x-forwarded-for"), request.field("forwarded")), (Some(shown), Some(element)));
    }
}

#[test]
fn curl_is_served_over_both_versions_of_http() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let root = edge.setup.folder.path().join("root.pem");
    std::fs::write(&root, &authority().root_pem).expect("written");
    for (flag, version) in [("--http1.1", "1.1"), ("--http2", "2")] {
        let output = std::process::Command::new("curl")
            .args(["--silent", "--show-error", flag, "--max-time", "15", "--write-out", " %{http_version}", "--cacert"])
            .arg(&root)
            .arg("--resolve")
            .arg(format!("shop.example:{}:127.0.0.1", edge.https.port()))
            .arg(format!("https://shop.example:{}/", edge.https.port()))
            .output()
            .expect("curl runs");
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(said, format!("hello {version}"), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

/// Says back what it is told.
fn echo_messages(exchange: &mut Exchange<'_>) -> std::io::Result<Then> {
    let key = exchange.head.field("sec-websocket-key").expect("a key").to_owned();
    let accepted = derive_accept_key(key.as_bytes());
    exchange.write(
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: {accepted}\r\n\r\n"
        )
        .as_bytes(),
    )?;
    let stream = exchange.reader.get_ref().try_clone()?;
    let mut socket = WebSocket::from_raw_socket(stream, Role::Server, None);
    while let Ok(message) = socket.read() {
        if message.is_text() && socket.send(message).is_err() {
            break;
        }
    }
    let _ = socket.flush();
    Ok(Then::Close)
}

/// More than all buffers on the way hold together.
const UPLOAD: u64 = 64 * 1024 * 1024;
