//! Peers that misbehave in the middle of it: one exchange is lost at most, and never mixed with another.

use std::io::Read;
use std::net::{Shutdown, TcpListener};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::Frame;
use socket2::SockRef;

use crate::support::{DEADLINE, Http2, Origin, Setup, Then, empty, frames, settled, unread};

#[test]
fn an_answer_before_the_upload_has_ended_is_passed_on_and_nothing_is_used_again() {
    let origin = Origin::new(|exchange| match exchange.asked().0 {
        "POST" => {
            exchange.answer("403 Forbidden", &[], b"no")?;
            // Ends when the edge hangs up.
            exchange.reader.read_to_end(&mut Vec::new())?;
            Ok(Then::Close)
        }
        _ => exchange.answer("200 OK", &[], b"hello"),
    });
    let mut setup = Setup::shop(&origin);
    setup.set("edge", "workers = 1");
    let edge = setup.start();
    let mut client = edge.open("shop.example");
    client.send("POST / HTTP/1.1\r\nhost: shop.example\r\ncontent-length: 1000\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n");
    let response = client.response();
    assert_eq!((response.status, response.text().as_str(), response.field("connection")), (403, "no", Some("close")));
    client.until_closed();
    assert_eq!(edge.get("shop.example", "/").text(), "hello");
    let requests = origin.requests();
    let connections: Vec<_> = requests.iter().map(|request| request.connection).collect();
    assert_eq!(connections, [0, 1], "a connection with octets left over is not used again");
}

#[test]
fn what_an_early_answer_left_unsent_holds_up_nobody_else() {
    let (go, wait) = mpsc::channel::<()>();
    let (over, until_over) = mpsc::channel::<()>();
    let (wait, until_over) = (Mutex::new(wait), Mutex::new(until_over));
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    // One that grows would let the sockets on the way hold more each time.
    SockRef::from(&listener).set_recv_buffer_size(8 * 1024).expect("an option");
    let origin = Origin::listening(listener, move |exchange| match exchange.asked().0 {
        "POST" => {
            let _ = wait.lock().expect("the gate").recv_timeout(DEADLINE);
            exchange.answer("200 OK", &[], b"taken")?;
            // Stays, and never reads what is still to come.
            let _ = until_over.lock().expect("the gate").recv();
            Ok(Then::Close)
        }
        _ => exchange.answer("200 OK", &[], b"hello"),
    });
    let mut setup = Setup::shop(&origin);
    setup.set("edge", "workers = 1").set("limits", "upstream_response_timeout = \"1s\"");
    let edge = setup.start();
    // How much the sockets on the way to the shop hold is the system's secret. Of what fits into them nobody can tell that
    // the shop will not read it, and the next request waits in vain; the first octet beyond is the edge's own to keep.
    let (mut fits, mut beyond) = (0, 8 << 20);
    while beyond - fits > UPLOAD_STEP {
        let size = usize::midpoint(fits, beyond);
        let mut client = edge.open("shop.example");
        client.tcp().set_write_timeout(Some(STALLED)).expect("a timeout");
        client.send(format!("POST / HTTP/1.1\r\nhost: shop.example\r\ncontent-length: {size}\r\n\r\n"));
        let whole = client.try_send(vec![b'x'; size]).is_ok();
        settled(|| unread(edge.https));
        go.send(()).expect("the origin waits");
        if whole {
            client.response();
        }
        match edge.get("shop.example", "/").status {
            504 => fits = size,
            status => {
                assert_eq!(status, 200, "after {size}");
                beyond = size;
            }
        }
    }
    drop(over);
}

#[test]
fn an_upload_that_breaks_off_never_looks_complete_to_the_shop() {
    for framing in ["content-length: 10\r\n\r\nhalf", "transfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n"] {
        let (told, heard) = mpsc::channel();
        let told = Mutex::new(told);
        let origin = Origin::new(move |exchange| {
            let tell = |what| told.lock().expect("the channel").send(what).expect("a test that waits");
            tell(None); // what breaks off before anything of it went on is not even begun
            tell(Some(exchange.body().is_ok()));
            Ok(Then::Close)
        });
        let edge = Setup::shop(&origin).start();
        let mut client = edge.open("shop.example");
        client.send(format!("POST / HTTP/1.1\r\nhost: shop.example\r\n{framing}"));
        assert_eq!(heard.recv_timeout(DEADLINE).expect("the beginning of the upload"), None);
        client.tcp().shutdown(Shutdown::Both).expect("closed");
        assert_eq!(heard.recv_timeout(DEADLINE).expect("the end of the upload"), Some(false), "{framing}");
        edge.counted(0.0, "vitrine_upstream_connections_open", &[]);
    }
}

#[test]
fn a_client_that_goes_away_takes_its_upstream_connection_along() {
    let origin = Origin::new(|exchange| {
        exchange.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\nx")?;
        exchange.reader.get_ref().set_read_timeout(Some(PACE))?;
        // Until the edge hangs up.
        while !matches!(exchange.reader.read(&mut [0]), Ok(0)) {
            exchange.write(b"x")?;
        }
        Ok(Then::Close)
    });
    let edge = Setup::shop(&origin).start();
    let mut client = edge.open("shop.example");
    client.send("GET / HTTP/1.1\r\nhost: shop.example\r\n\r\n");
    edge.counted(1.0, "vitrine_upstream_connections_open", &[]);
    drop(client);
    edge.counted(0.0, "vitrine_upstream_connections_open", &[]);
    edge.counted(0.0, "vitrine_connections_open", &[("protocol", "http/1.1")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_is_given_up_takes_its_upstream_connection_along() {
    let origin = Origin::new(|exchange| match exchange.asked().1 {
        "/slow" => {
            let _ = exchange.reader.read(&mut [0]);
            Ok(Then::Close)
        }
        _ => exchange.answer("200 OK", &[], b"hello"),
    });
    let edge = Setup::shop(&origin).start();
    let mut client = Http2::open(edge.https, "shop.example").await;
    let slow = http::Request::get("https://shop.example/slow").body(empty()).expect("a request");
    let slow = tokio::spawn(client.another().sender.send_request(slow));
    edge.counted(1.0, "vitrine_upstream_connections_open", &[]);
    slow.abort();
    edge.counted(0.0, "vitrine_upstream_connections_open", &[]);
    assert_eq!(client.get("shop.example", "/").await, (200, "hello".into()));
}

#[test]
fn an_answer_nobody_asked_for_is_given_to_nobody() {
    let origin = Origin::new(|exchange| {
        exchange.write(
            b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello\
              HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged",
        )?;
        Ok(Then::Keep)
    });
    let mut setup = Setup::shop(&origin);
    setup.set("edge", "workers = 1");
    let edge = setup.start();
    let mut client = edge.open("shop.example");
    for _ in 0..20 {
        assert_eq!(client.get("shop.example", "/").text(), "hello");
    }
}

#[test]
fn a_request_that_kills_whoever_takes_it_is_not_passed_round() {
    let arrived = Barrier::new(8);
    let origin = Origin::new(move |exchange| match exchange.asked().1 {
        "/deadly" => Ok(Then::Close),
        _ => {
            arrived.wait();
            exchange.answer("200 OK", &[], b"hello")
        }
    });
    let mut setup = Setup::shop(&origin);
    setup.set("edge", "workers = 1");
    let edge = setup.start();
    // Eight at once leave eight kept connections behind.
    let mut clients: Vec<_> = (0..8).map(|_| edge.open("shop.example")).collect();
    for client in &mut clients {
        client.send("GET / HTTP/1.1\r\nhost: shop.example\r\n\r\n");
    }
    assert!(clients.iter_mut().all(|client| client.response().status == 200));
    assert_eq!(edge.get("shop.example", "/deadly").status, 502);
    let asked = origin.requests().iter().filter(|request| request.head.start.contains("/deadly")).count();
    assert_eq!(asked, 2, "once, and once more on a connection of its own");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shop_that_closed_many_kept_connections_gets_the_next_request_on_a_new_one() {
    const AT_ONCE: usize = 100;
    let (arrived, over) = (Barrier::new(2 * AT_ONCE), Arc::new(Barrier::new(2 * AT_ONCE + 1)));
    let closed = Arc::clone(&over);
    let origin = Origin::new(move |exchange| {
        if exchange.asked().0 == "GET" {
            arrived.wait();
            exchange.answer("200 OK", &[], b"hello")?;
            closed.wait();
            exchange.reader.get_ref().shutdown(Shutdown::Both)?;
            closed.wait();
            return Ok(Then::Close);
        }
        exchange.body()?;
        exchange.answer("200 OK", &[], b"taken")
    });
    let mut setup = Setup::shop(&origin);
    setup.set("edge", "workers = 1");
    let edge = setup.start();
    let mut all = tokio::task::JoinSet::new();
    let mut clients = Vec::new();
    for _ in 0..2 {
        let client = Http2::open(edge.https, "shop.example").await;
        for _ in 0..AT_ONCE {
            let mut client = client.another();
            all.spawn(async move { client.get("shop.example", "/").await.0 });
        }
        clients.push(client);
    }
    assert_eq!(all.join_all().await, [200; 2 * AT_ONCE]);
    tokio::task::block_in_place(|| {
        over.wait();
        over.wait();
    });
    // Nobody may send it a second time, so it must not meet a connection that is known to be closed.
    let body = frames([Frame::data("once".into())]);
    let request = http::Request::post("https://shop.example/").body(body).expect("a request");
    assert_eq!(clients[0].send(request).await.expect("a response").status(), 200);
}

#[test]
fn interim_answers_do_not_stand_for_the_answer() {
    let origin = Origin::new(|exchange| {
        for _ in 0..20 {
            exchange.write(b"HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\n\r\n")?;
        }
        exchange.answer("200 OK", &[], b"hello")
    });
    let edge = Setup::shop(&origin).start();
    let response = edge.get("shop.example", "/");
    assert_eq!((response.status, response.text().as_str()), (200, "hello"));
}

#[test]
fn a_head_without_end_from_the_shop_is_a_502() {
    let origin = Origin::new(|exchange| {
        exchange.write(b"HTTP/1.1 200 OK\r\n")?;
        while exchange.write(format!("x: {}\r\n", "y".repeat(1000)).as_bytes()).is_ok() {}
        Ok(Then::Close)
    });
    let edge = Setup::shop(&origin).start();
    assert_eq!(edge.get("shop.example", "/").status, 502);
}

#[test]
fn an_answer_that_comes_octet_by_octet_arrives_whole() {
    let origin = Origin::new(|exchange| {
        let answer = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nx: y\r\ntransfer-encoding: chunked\r\n\r\n\
                       a;x=y\r\n0123456789\r\n1\r\n!\r\n0\r\n\r\n";
        answer.chunks(1).try_for_each(|octet| exchange.write(octet))?;
        Ok(Then::Keep)
    });
    let edge = Setup::shop(&origin).start();
    let mut client = edge.open("shop.example");
    for _ in 0..2 {
        let response = client.get("shop.example", "/");
        assert_eq!((response.status, response.field("x"), response.text().as_str()), (200, Some("y"), "0123456789!"));
    }
    assert_eq!(origin.connections(), 1);
}

#[test]
fn who_frames_an_answer_in_two_ways_is_not_asked_again() {
    let origin = Origin::new(|exchange| {
        exchange.write(
            b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        )?;
        Ok(Then::Keep)
    });
    let edge = Setup::shop(&origin).start();
    let mut client = edge.open("shop.example");
    for _ in 0..2 {
        let response = client.get("shop.example", "/");
        assert_eq!((response.field("content-length"), response.text().as_str()), (None, "hello"));
    }
    assert_eq!(origin.connections(), 2);
}

#[test]
fn a_shop_that_speaks_http_1_0_is_understood() {
    let origin = Origin::new(|exchange| {
        exchange.write(b"HTTP/1.0 200 OK\r\ncontent-type: text/plain\r\n\r\nhello")?;
        Ok(Then::Close)
    });
    let edge = Setup::shop(&origin).start();
    let mut client = edge.open("shop.example");
    for _ in 0..3 {
        assert_eq!(client.get("shop.example", "/").text(), "hello");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_breaks_off_resets_its_stream_alone() {
    let origin = Origin::new(|exchange| match exchange.asked().1 {
        "/broken" => {
            exchange.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf")?;
            Ok(Then::Close)
        }
        _ => exchange.answer("200 OK", &[], b"hello"),
    });
    let edge = Setup::shop(&origin).start();
    let mut client = Http2::open(edge.https, "shop.example").await;
    let request = http::Request::get("https://shop.example/broken").body(empty()).expect("a request");
    // The reset may overtake the head, which HTTP/2 then forgets.
    if let Ok(response) = client.send(request).await {
        assert!(response.into_body().collect().await.is_err());
    }
    assert_eq!(client.get("shop.example", "/").await, (200, "hello".into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_over_http_2_arrives_whole() {
    let origin = Origin::new(|exchange| {
        let length = exchange.body()?.bytes.len().to_string();
        exchange.answer("200 OK", &[], length.as_bytes())
    });
    let edge = Setup::shop(&origin).start();
    let mut client = Http2::open(edge.https, "shop.example").await;
    // Beyond every window on the way.
    let body = frames((0..80).map(|_| Frame::data(vec![b'x'; 100_000].into())));
    let request = http::Request::put("https://shop.example/").body(body).expect("a request");
    let response = client.send(request).await.expect("a response");
    let text = response.into_body().collect().await.expect("a body").to_bytes();
    assert_eq!(text, "8000000");
}

/// Less than what the edge holds of an upload that its upstream does not take.
const UPLOAD_STEP: usize = 48 * 1024;
/// An upload that stands still for so long does not fit.
const STALLED: Duration = Duration::from_millis(500);
/// Between two octets of a slow answer.
const PACE: Duration = Duration::from_millis(20);
