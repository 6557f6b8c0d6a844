//! The life of an HTTP/2 connection: how long it may be quiet, stand still, or be taken advantage of.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Frame;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustix::process::Signal;
use rustls::version::TLS13;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpSocket;

use crate::support::frame::{ACK, PING, PREFACE, SETTINGS, frame};
use crate::support::{ClientTls, DEADLINE, Edge, Http2, Origin, Setup, Then, agreed_over, empty, eventually, frames};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_that_are_no_request_do_not_make_a_connection_less_idle() {
    let origin = Origin::saying("hello");
    let edge = limited(&origin, &["header_timeout = \"200ms\""]);
    let mut client = Http2::open_with(edge.https, "shop.example", &pinging()).await;
    assert_eq!(client.get("shop.example", "/").await.0, 200);
    // A quiet time is time by nature: five times what a request head may take.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!client.driver.is_finished(), "it was told to go");
    assert_eq!(client.get("shop.example", "/").await.0, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_that_are_no_request_do_not_keep_a_connection() {
    let origin = Origin::saying("hello");
    let edge = limited(&origin, &["idle_timeout = \"400ms\""]);
    let client = Http2::open_with(edge.https, "shop.example", &pinging()).await;
    let ended = tokio::time::timeout(DEADLINE, client.driver).await.expect("an end");
    ended.expect("a task").expect("an orderly end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_takes_nothing_of_the_edges_own_answer_is_reset() {
    let origin = Origin::saying("hello");
    let edge = limited(&origin, &["write_stall_timeout = \"300ms\""]);
    let mut settings = http2::Builder::new(TokioExecutor::new());
    settings.initial_stream_window_size(0);
    let mut client = Http2::open_with(edge.https, "shop.example", &settings).await;
    let request = http::Request::get("https://else.example/").body(empty()).expect("a request");
    let response = client.send(request).await.expect("a head");
    assert_eq!(response.status(), 421);
    edge.counted(1.0, "vitrine_connections_shed_total", &[("reason", "write_stall")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_opens_streams_only_to_give_them_up_is_cut_off() {
    let origin = Origin::new(|exchange| {
        let _ = std::io::Read::read(exchange.reader, &mut [0]);
        Ok(Then::Close)
    });
    let edge = limited(&origin, &[]);
    let client = Http2::open(edge.https, "shop.example").await;
    let mut given_up = 0;
    while !client.driver.is_finished() {
        assert!(given_up < 1000, "it goes on for ever");
        let mut client = client.another();
        let request = http::Request::get("https://shop.example/").body(empty()).expect("a request");
        let stream = tokio::spawn(async move { client.send(request).await.map(drop) });
        let seen = || (origin.requests().len() > given_up || stream.is_finished()).then_some(());
        tokio::task::block_in_place(|| eventually("the shop is asked", seen));
        stream.abort();
        let _ = stream.await;
        given_up = origin.requests().len();
    }
    assert!(given_up > 200, "an honest client may give up as many: {given_up}");
    edge.counted(1.0, "vitrine_connections_shed_total", &[("reason", "stream_flood")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_goes_on_while_its_response_is_not_read() {
    let uploaded = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&uploaded);
    let origin = Origin::new(move |exchange| {
        exchange.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2000000\r\n\r\n")?;
        exchange.write(&[b'a'; 100_000])?;
        counted.store(exchange.body()?.bytes.len(), Ordering::SeqCst);
        exchange.write(&vec![b'b'; 1_900_000])?;
        Ok(Then::Close)
    });
    let edge = limited(&origin, &[]);
    let mut settings = http2::Builder::new(TokioExecutor::new());
    settings.initial_stream_window_size(1000);
    let mut client = Http2::open_with(edge.https, "shop.example", &settings).await;
    let pieces = (0..UPLOAD / 10_000).map(|_| Frame::data(Bytes::from(vec![b'u'; 10_000])));
    let request = http::Request::post("https://shop.example/").body(frames(pieces)).expect("a request");
    let response = client.send(request).await.expect("a head");
    let has_come = || (uploaded.load(Ordering::SeqCst) == UPLOAD).then_some(());
    tokio::task::block_in_place(|| eventually("the whole upload has come", has_come));
    assert_eq!(response.into_body().collect().await.expect("a body").to_bytes().len(), 2_000_000);
}

/// What is owed to a client is bounded: nothing more is read of it until it has taken some, and then all of it is answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_asks_much_before_it_listens_is_answered_all() {
    let origin = Origin::saying("hello");
    let edge = limited(&origin, &[]);
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(8 * 1024).expect("a small buffer");
    let tcp = socket.connect(edge.https).await.expect("connected");
    let (mut reader, mut writer) = tokio::io::split(agreed_over(tcp, "shop.example").await);
    writer.write_all(&[PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()).await.expect("sent");
    let questions = frame(PING, 0, 0, b"together").repeat(100);
    let mut asked = 0;
    let mut waiting = loop {
        let mut asking = Box::pin(async {
            writer.write_all(&questions).await.expect("sent");
            writer.flush().await.expect("sent");
        });
        asked += 100;
        match tokio::time::timeout(Duration::from_secs(1), &mut asking).await {
            Ok(()) => assert!(asked < 10_000_000, "the edge takes any number"),
            Err(_) => break asking,
        }
    };
    let listening = async {
        let mut reader = BufReader::new(&mut reader);
        let (mut answered, mut head) = (0, [0; 9]);
        while answered < asked {
            reader.read_exact(&mut head).await.expect("a frame");
            let mut content = vec![0; usize::from(u16::from_be_bytes([head[1], head[2]]))];
            reader.read_exact(&mut content).await.expect("a frame");
            answered += usize::from((head[3], head[4]) == (PING, ACK));
        }
    };
    tokio::time::timeout(DEADLINE, async { tokio::join!(&mut waiting, listening) }).await.expect("all answers");
}

#[test]
fn a_peer_that_acknowledges_nothing_does_not_hold_up_the_stop() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::shop(&origin);
    setup.set("edge", "drain_timeout = \"60s\"");
    let mut edge = setup.start();
    let mut client = ClientTls::new(&[&TLS13]).alpn(&["h2"]).open(edge.https, "shop.example");
    client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
    // The edge has begun to speak HTTP/2.
    std::io::Read::read_exact(&mut client.reader, &mut [0; 9]).expect("its settings");
    let begun = Instant::now();
    edge.signal(Signal::TERM);
    assert_eq!(edge.wait().code(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
}

/// More than the edge and the kernel keep on the way.
const UPLOAD: usize = 8_000_000;

fn pinging() -> http2::Builder<TokioExecutor> {
    let mut settings = http2::Builder::new(TokioExecutor::new());
    settings.timer(TokioTimer::new()).keep_alive_interval(Duration::from_millis(50)).keep_alive_while_idle(true);
    settings
}

fn limited(origin: &Origin, limits: &[&str]) -> Edge {
    let mut setup = Setup::shop(origin);
    for limit in limits {
        setup.set("limits", limit);
    }
    setup.start()
}
