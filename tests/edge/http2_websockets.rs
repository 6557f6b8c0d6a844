//! WebSockets over HTTP/2 (RFC 8441): with clients, with upstreams, and across.

mod refusals;

use std::future::poll_fn;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use h2::client::{self, SendRequest};
use h2::ext::Protocol;
use h2::{Reason, RecvStream, SendStream};
use http::Request;
use socket2::SockRef;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::{self, Message};

use crate::support::peer::accepted;
use crate::support::python::{Speaker, python};
use crate::support::{
    Edge, Exchange, HANDSHAKE, Http2Shop, Origin, SWITCHING, Setup, Then, agreed, authority, drop_file, eventually,
    settled,
};

#[test]
fn others_libraries_speak_through_the_edge_over_either_http() {
    let server = Speaker::start(SCRIPT);
    for (scheme, version) in [("http", "1.1"), ("h2c", "2")] {
        let setup = before(&format!("{scheme}://127.0.0.1:{}", server.port), "");
        let root = setup.folder.path().join("root.pem");
        let edge = setup.start();
        let said = accepted(python(SCRIPT).args(["ask", &edge.https.port().to_string()]).arg(&root).arg(version));
        assert_eq!(said.trim(), "asked", "{scheme}");
        // And a client of HTTP/1.1.
        let stream = edge.open("shop.example").into_stream();
        let (mut socket, response) = tungstenite::client("wss://shop.example/chat", stream).expect("a handshake");
        assert_eq!(response.status(), 101);
        for text in ["version", &"x".repeat(1 << 20)] {
            socket.send(Message::text(text)).expect("sent");
            let answer = if text == "version" { version } else { text };
            assert_eq!(socket.read().expect("a message"), Message::text(answer));
        }
        socket.close(None).expect("closed");
        while socket.read().is_ok() {}
        drop(socket);
        edge.counted(0.0, "vitrine_connections_open", &[("protocol", "tunnel")]);
        edge.counted(0.0, "vitrine_upstream_failures_total", &[]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_side_may_end_its_own_direction_first() {
    let origin = Origin::new(|exchange| {
        switch(exchange)?;
        let is_first = exchange.asked().1 == "/shop-ends-first";
        if is_first {
            exchange.write(b"from the shop")?;
            exchange.reader.get_ref().shutdown(std::net::Shutdown::Write)?;
        }
        let mut said = Vec::new();
        exchange.reader.read_to_end(&mut said)?;
        if is_first {
            assert_eq!(said, b"early and late");
        } else {
            exchange.write(&said)?;
        }
        Ok(Then::Close)
    });
    let edge = Setup::shop(&origin).start();
    let mut client = open(&edge, &client::Builder::new()).await;
    for path in ["/client-ends-first", "/shop-ends-first"] {
        // What comes before the shop has agreed waits for it.
        let (response, mut stream) = ask(&mut client, path);
        stream.send_data("early ".into(), false).expect("sent");
        let response = response.await.expect("a response");
        assert_eq!(response.status(), 200);
        let mut body = response.into_body();
        if path == "/shop-ends-first" {
            assert_eq!(rest(&mut body).await.expect("octets"), "from the shop");
            stream.send_data("and late".into(), true).expect("sent");
        } else {
            stream.send_data("and late".into(), true).expect("sent");
            assert_eq!(rest(&mut body).await.expect("octets"), "early and late");
        }
        edge.counted(0.0, "vitrine_connections_open", &[("protocol", "tunnel")]);
        edge.counted(0.0, "vitrine_upstream_connections_open", &[]);
    }
    edge.counted(0.0, "vitrine_upstream_failures_total", &[]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_side_breaks_off_the_other_does_not_take_for_an_end() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let edge = before(&format!("http://{}", listener.local_addr().expect("an address")), "").start();
    let mut client = open(&edge, &client::Builder::new()).await;

    let (response, mut stream) = ask(&mut client, "/");
    let mut shop = tokio::task::block_in_place(|| accept(&listener));
    assert_eq!(response.await.expect("a response").status(), 200);
    edge.counted(1.0, "vitrine_connections_open", &[("protocol", "tunnel")]);
    stream.send_reset(Reason::CANCEL);
    let end = tokio::task::block_in_place(|| shop.read(&mut [0])).map_err(|error| error.kind());
    assert_eq!(end, Err(ErrorKind::ConnectionReset));

    let (response, mut stream) = ask(&mut client, "/");
    let shop = tokio::task::block_in_place(|| accept(&listener));
    let mut body = response.await.expect("a response").into_body();
    SockRef::from(&shop).set_linger(Some(Duration::ZERO)).expect("an option");
    drop(shop);
    let reset = rest(&mut body).await.expect_err("no end");
    assert_eq!((reset.is_remote(), reset.reason()), (true, Some(Reason::CANCEL)));
    assert!(poll_fn(|cx| stream.poll_reset(cx)).await.is_ok());

    // Neither takes the connection along, nor a third, whose client goes altogether.
    let (response, _stream) = ask(&mut client, "/");
    let mut shop = tokio::task::block_in_place(|| accept(&listener));
    assert_eq!(response.await.expect("a response").status(), 200);
    edge.counted(1.0, "vitrine_connections_open", &[("protocol", "tunnel")]);
    client.task.abort();
    let end = tokio::task::block_in_place(|| shop.read(&mut [0])).map_err(|error| error.kind());
    assert_eq!(end, Err(ErrorKind::ConnectionReset));
    edge.counted(0.0, "vitrine_connections_open", &[("protocol", "tunnel")]);
    edge.counted(0.0, "vitrine_connections_open", &[("protocol", "http/2")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_read_stops_who_writes_and_nobody_else() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut setup = before(&format!("http://{}", listener.local_addr().expect("an address")), "");
    setup.set("edge", "workers = 1").set("limits", "write_stall_timeout = \"3s\"");
    let edge = setup.start();
    let mut settings = client::Builder::new();
    settings.initial_connection_window_size(1 << 20); // of which one stream cannot take all
    let mut client = open(&edge, &settings).await;

    // The client does not read.
    let (response, _stream) = ask(&mut client, "/");
    let shop = tokio::task::block_in_place(|| accept(&listener));
    let unread = response.await.expect("a response").into_body();
    let (written, writer) = flood(shop);
    let held = tokio::task::block_in_place(|| settled(|| written.load(Ordering::Relaxed)));
    assert!(held < 16 << 20, "{held}");

    // The shop does not read.
    let (response, mut stream) = ask(&mut client, "/");
    let mut other_shop = tokio::task::block_in_place(|| accept(&listener));
    let mut other = response.await.expect("a response").into_body();
    let mut sent = 0_usize;
    let stuck = loop {
        stream.reserve_capacity(16 << 10);
        let room = poll_fn(|cx| stream.poll_capacity(cx));
        match tokio::time::timeout(REST, room).await {
            Ok(room) => {
                let room = room.expect("a stream").expect("room");
                stream.send_data(vec![b'x'; room].into(), false).expect("sent");
                sent += room;
            }
            Err(_) => break sent,
        }
    };
    assert!(stuck < 16 << 20, "{stuck}");

    // A third goes on beside them.
    let (response, mut third) = ask(&mut client, "/");
    let mut third_shop = tokio::task::block_in_place(|| accept(&listener));
    let mut body = response.await.expect("a response").into_body();
    third_shop.write_all(b"hello").expect("written");
    assert_eq!(body.data().await.expect("data").expect("data"), "hello");
    third.send_data("bye".into(), true).expect("sent");
    drop(third_shop);

    // The client is not waited for without end; the shop is.
    edge.counted(1.0, "vitrine_connections_shed_total", &[("reason", "write_stall")]);
    assert!(writer.join().expect("no panic").is_err());
    drop(unread);
    let reader = std::thread::spawn(move || {
        let mut count = 0;
        let mut octets = vec![0; 64 << 10];
        while let Ok(read @ 1..) = other_shop.read(&mut octets) {
            count += read;
        }
        count
    });
    stream.send_data(Bytes::new(), true).expect("sent");
    assert_eq!(tokio::task::block_in_place(|| reader.join()).expect("no panic"), stuck);
    assert_eq!(rest(&mut other).await.expect("an end"), "");
    edge.counted(1.0, "vitrine_connections_shed_total", &[]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn websockets_are_told_of_a_drain_and_go_on_until_they_end() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut setup = before(&format!("http://{}", listener.local_addr().expect("an address")), "");
    setup.set("access_log", "to = \"stdout\"");
    let mut edge = setup.start();
    let mut client = open(&edge, &client::Builder::new()).await;
    let (response, mut stream) = ask(&mut client, "/chat?a=1");
    let mut shop = tokio::task::block_in_place(|| accept(&listener));
    let mut body = response.await.expect("a response").into_body();
    let line = edge.output_line("a record", |line| line["path"] == "/chat");
    assert_eq!(
        (&line["status"], &line["method"], &line["protocol"]),
        (&200.into(), &"CONNECT".into(), &"http/2".into())
    );
    edge.signal(rustix::process::Signal::TERM);
    // A farewell has come once the connection takes no more.
    tokio::task::block_in_place(|| {
        let mut cx = Context::from_waker(Waker::noop());
        eventually("a farewell", || matches!(client.sender.poll_ready(&mut cx), Poll::Ready(Err(_))).then_some(()))
    });
    stream.send_data("ping".into(), false).expect("sent");
    let mut said = [0; 4];
    tokio::task::block_in_place(|| shop.read_exact(&mut said)).expect("octets");
    shop.write_all(b"pong").expect("written");
    assert_eq!(body.data().await.expect("data").expect("data"), "pong");
    drop(shop);
    assert_eq!(rest(&mut body).await.expect("an end"), "");
    stream.send_data(Bytes::new(), true).expect("sent");
    assert!(tokio::task::block_in_place(|| edge.wait()).success());
}

/// A connection whose streams are WebSockets.
struct Client {
    sender: SendRequest<Bytes>,
    task: tokio::task::JoinHandle<Result<(), h2::Error>>,
}

async fn open(edge: &Edge, settings: &client::Builder) -> Client {
    let stream = agreed(edge.https, "shop.example").await;
    let (mut sender, mut connection) = settings.handshake(stream).await.expect("HTTP/2");
    // Until the edge has said what it takes.
    poll_fn(|cx| match Pin::new(&mut connection).poll(cx) {
        _ if sender.is_extended_connect_protocol_enabled() => Poll::Ready(()),
        Poll::Ready(end) => panic!("{end:?}"),
        Poll::Pending => Poll::Pending,
    })
    .await;
    let task = tokio::spawn(connection);
    poll_fn(|cx| sender.poll_ready(cx)).await.expect("a connection");
    Client { sender, task }
}

fn ask(client: &mut Client, path: &str) -> (client::ResponseFuture, SendStream<Bytes>) {
    let uri = format!("https://shop.example{path}");
    let head = Request::connect(uri).header("sec-websocket-version", "13").header("x-own", "1");
    let mut request = head.body(()).expect("a request");
    request.extensions_mut().insert(Protocol::from_static("websocket"));
    client.sender.send_request(request, false).expect("sent")
}

/// What is said until the stream ends.
async fn rest(body: &mut RecvStream) -> Result<String, h2::Error> {
    let mut said = Vec::new();
    while let Some(data) = body.data().await {
        let data = data?;
        body.flow_control().release_capacity(data.len())?;
        said.extend_from_slice(&data);
    }
    Ok(String::from_utf8(said).expect("text"))
}

/// `shop.example` before one upstream.
fn before(upstream: &str, lines: &str) -> Setup {
    let mut setup = Setup::new();
    setup.raw_site(&format!("[[site]]\nhosts = [\"shop.example\"]\nupstreams = [{upstream:?}]\n{lines}\n"));
    setup.certificate("shop", &authority().issue(&["shop.example"]));
    drop_file(&setup.folder.path().join("root.pem"), &authority().root_pem);
    setup
}

/// A shop that agrees to a WebSocket, and is its socket from there on.
fn accept(listener: &TcpListener) -> TcpStream {
    let (mut stream, _) = listener.accept().expect("a connection");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut octet = [0];
        stream.read_exact(&mut octet).expect("a head");
        head.push(octet[0]);
    }
    let head = String::from_utf8(head).expect("text");
    let key = head.lines().find_map(|line| line.strip_prefix("sec-websocket-key: ")).expect("a key");
    stream.write_all(agreement(key).as_bytes()).expect("written");
    stream
}

fn switch(exchange: &mut Exchange<'_>) -> std::io::Result<()> {
    let agreement = agreement(exchange.head.field("sec-websocket-key").expect("a key"));
    exchange.write(agreement.as_bytes())
}

fn agreement(key: &str) -> String {
    let accept = derive_accept_key(key.as_bytes());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\ncontent-length: 0\r\n\
         sec-websocket-accept: {accept}\r\n\r\n"
    )
}

/// Writes until it cannot, and counts.
fn flood(mut shop: TcpStream) -> (Arc<AtomicU64>, JoinHandle<std::io::Result<()>>) {
    let count = Arc::<AtomicU64>::default();
    let mine = Arc::clone(&count);
    let writer = std::thread::spawn(move || {
        let octets = vec![b'y'; 64 << 10];
        loop {
            let written = shop.write(&octets)?;
            mine.fetch_add(written as u64, Ordering::Relaxed);
        }
    });
    (count, writer)
}

const SCRIPT: &str = "speak_websocket.py";
/// An agreement with somebody else's key.
const SWITCHING_FOR_ANOTHER: &[u8] = SWITCHING;
/// What has not moved for so long stands still.
const REST: Duration = Duration::from_millis(500);
