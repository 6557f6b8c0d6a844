//! One HTTP/2 stream: its frames, its windows, and how it ends.

use std::io::Read;
use std::process::Command;
use std::sync::{Mutex, mpsc};

use bytes::Bytes;
use h2::client::{self, SendRequest};
use h2::{Reason, RecvStream};
use http::{Request, Response};
use http_body_util::BodyExt;
use rustls::version::TLS13;

use crate::support::frame::{
    self, ACK, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PREFACE, RST_STREAM, SETTINGS, WINDOW_UPDATE, frame,
    head, next_frame,
};
use crate::support::{ClientTls, DEADLINE, Edge, Http2, Origin, Setup, Then, agreed, empty};

#[test]
fn the_edge_says_at_once_what_it_takes() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let mut client = ClientTls::new(&[&TLS13]).alpn(&["h2"]).open(edge.https, "shop.example");
    client.send([PREFACE, &frame(SETTINGS, 0, 0, &[])].concat());
    let (kind, flags, content) = next_frame(&mut client).expect("a frame");
    let setting = |setting: &[u8]| {
        let number = u16::from_be_bytes([setting[0], setting[1]]);
        (number, u32::from_be_bytes([setting[2], setting[3], setting[4], setting[5]]))
    };
    let settings: Vec<_> = content.chunks(6).map(setting).collect();
    // Concurrent streams, a stream's window, the octets of a head (RFC 9113 §6.5.2), and that WebSockets are (RFC 8441 §3).
    assert_eq!((kind, flags, settings), (SETTINGS, 0, vec![(3, 100), (4, 256 << 10), (6, 32 << 10), (8, 1)]));
    let grown = loop {
        match next_frame(&mut client).expect("a frame") {
            (WINDOW_UPDATE, 0, content) => break content,
            other => assert_eq!(other, (SETTINGS, ACK, Vec::new())),
        }
    };
    assert_eq!(grown, ((1_u32 << 20) - 65_535).to_be_bytes(), "the connection's window");
}

#[test]
fn a_small_answer_is_two_frames_and_an_empty_one_is_one() {
    let origin = Origin::new(|exchange| match exchange.asked().0 {
        "GET" => exchange.answer("200 OK", &[], b"hello"),
        _ => {
            exchange.write(b"HTTP/1.1 204 No Content\r\n\r\n")?;
            Ok(Then::Keep)
        }
    });
    let edge = Setup::shop(&origin).start();
    let mut client = frame::open(&edge);
    client.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, &head(GET)));
    let (kind, flags, _) = next_frame(&mut client).expect("a frame");
    assert_eq!((kind, flags), (HEADERS, END_HEADERS));
    assert_eq!(next_frame(&mut client), Some((DATA, END_STREAM, b"hello".to_vec())));
    client.send(frame(HEADERS, END_HEADERS | END_STREAM, 3, &head(POST)));
    let (kind, flags, _) = next_frame(&mut client).expect("a frame");
    assert_eq!((kind, flags), (HEADERS, END_HEADERS | END_STREAM));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_comes_as_far_as_its_window_is_open() {
    let origin = Origin::saying("hello from the shop, and more");
    let edge = Setup::shop(&origin).start();
    let mut settings = client::Builder::new();
    settings.initial_window_size(10);
    let mut client = open(&edge, &settings).await;
    let (response, _) = client.send_request(request("GET", "shop.example"), true).expect("sent");
    let mut body = response.await.expect("a response").into_body();
    let mut steps = Vec::new();
    while let Some(step) = body.data().await {
        let step = step.expect("data");
        body.flow_control().release_capacity(step.len()).expect("released");
        steps.push(step);
    }
    assert_eq!(steps, ["hello from", " the shop,", " and more"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_finds_its_window_shut_is_not_kept_for_ever() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::shop(&origin);
    setup.set("limits", "write_stall_timeout = \"300ms\"");
    let edge = setup.start();
    let mut settings = client::Builder::new();
    settings.initial_window_size(0);
    let mut client = open(&edge, &settings).await;
    // All of the shop's answer has come, or the edge's own.
    for (count, host) in [(1.0, "shop.example"), (2.0, "else.example")] {
        let (response, _) = client.send_request(request("GET", host), true).expect("sent");
        let mut body = response.await.expect("a head").into_body();
        let end = tokio::time::timeout(DEADLINE, body.data()).await.expect("an end");
        assert!(end.expect("a reset").expect_err("no data fits").is_reset(), "{host}");
        edge.counted(count, "vitrine_connections_shed_total", &[("reason", "write_stall")]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_answer_to_head_has_the_fields_of_get_and_ends_with_its_head() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let mut client = open(&edge, &client::Builder::new()).await;
    for (host, status) in [("shop.example", 200), ("else.example", 421)] {
        let asked = |method| client.clone().send_request(request(method, host), true).expect("sent").0;
        let (got, only_head) = (asked("GET").await.expect("an answer"), asked("HEAD").await.expect("an answer"));
        assert_eq!((got.status().as_u16(), only_head.status().as_u16()), (status, status));
        assert!(only_head.body().is_end_stream());
        let (length, octets) = (only_head.headers()["content-length"].clone(), whole(got).await);
        assert_eq!(length, octets.len().to_string());
    }
    drop(client.send_request(request("GET", "shop.example"), true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_has_a_date_of_the_shop_or_of_the_edge() {
    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    let origin = Origin::new(|exchange| match exchange.asked().1 {
        "/dated" => exchange.answer("200 OK", &[("date", DATE)], b"hello"),
        _ => exchange.answer("200 OK", &[], b"hello"),
    });
    let edge = Setup::shop(&origin).start();
    let mut client = Http2::open(edge.https, "shop.example").await;
    let mut dates = Vec::new();
    for target in ["/dated", "/"] {
        let request = Request::get(format!("https://shop.example{target}")).body(empty()).expect("a request");
        let response = client.send(request).await.expect("a response");
        dates.extend(response.headers().get_all("date").iter().map(|date| date.to_str().expect("text").to_owned()));
        response.into_body().collect().await.expect("a body");
    }
    assert_eq!((dates.len(), dates[0].as_str(), dates[1].len()), (2, DATE, DATE.len()), "{dates:?}");
    assert!(dates[1].ends_with(" GMT") && dates[1] != DATE, "{dates:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_before_the_end_of_the_upload_tells_the_client_to_send_no_more() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let mut client = open(&edge, &client::Builder::new()).await;
    let (response, mut upload) = client.send_request(request("POST", "else.example"), false).expect("sent");
    // The answer may be faster, and the stream over.
    let _ = upload.send_data("half".into(), false);
    let response = response.await.expect("a response");
    assert_eq!(response.status(), 421);
    whole(response).await;
    let reset = std::future::poll_fn(|cx| upload.poll_reset(cx)).await;
    assert_eq!(reset.expect("a reset"), Reason::NO_ERROR);
}

/// curl gave up where it was told to send no more amid sending, and never looked at the answer.
#[test]
fn a_client_in_the_middle_of_an_upload_gets_the_answer_that_refuses_it() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let upload = edge.setup.state().join("upload");
    std::fs::write(&upload, vec![b'u'; 3_000_000]).expect("written");
    for _ in 0..5 {
        let mut curl = Command::new("curl");
        curl.args(["-sS", "--http2", "-k", "--resolve", &format!("shop.example:{}:127.0.0.1", edge.https.port())]);
        curl.args([
            "-H",
            "host: else.example",
            "-o",
            "/dev/null",
            "-w",
            "%{http_version} %{http_code}",
            "--data-binary",
            &format!("@{}", upload.display()),
        ]);
        let output = curl.arg(format!("https://shop.example:{}/", edge.https.port())).output().expect("curl runs");
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert_eq!(said, "2 421");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_is_reset_never_looks_complete_to_the_shop() {
    for reason in [Reason::CANCEL, Reason::NO_ERROR] {
        let (told, end) = mpsc::channel();
        let told = Mutex::new(told);
        let origin = Origin::new(move |exchange| {
            let complete = exchange.body().is_ok();
            told.lock().expect("the channel").send(complete).expect("a test that waits");
            Ok(Then::Close)
        });
        let edge = Setup::shop(&origin).start();
        let mut client = open(&edge, &client::Builder::new()).await;
        let (_response, mut upload) = client.send_request(request("POST", "shop.example"), false).expect("sent");
        upload.send_data("half".into(), false).expect("sent");
        edge.counted(1.0, "vitrine_upstream_connections_open", &[]);
        upload.send_reset(reason);
        let complete = tokio::task::block_in_place(|| end.recv_timeout(DEADLINE)).expect("the end of the upload");
        assert!(!complete, "{reason}");
        edge.counted(0.0, "vitrine_upstream_connections_open", &[]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_resets_a_stream_amid_its_answer_takes_the_upstream_along() {
    let origin = Origin::new(|exchange| match exchange.asked().0 {
        "GET" => {
            exchange.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nhalf")?;
            // Until the edge hangs up.
            let _ = exchange.reader.read(&mut [0]);
            Ok(Then::Close)
        }
        _ => exchange.answer("200 OK", &[], b"hello"),
    });
    let edge = Setup::shop(&origin).start();
    let mut client = open(&edge, &client::Builder::new()).await;
    let (response, mut stream) = client.send_request(request("GET", "shop.example"), true).expect("sent");
    let mut body = response.await.expect("a response").into_body();
    assert_eq!(body.data().await.expect("data").expect("data"), "half");
    edge.counted(1.0, "vitrine_upstream_connections_open", &[]);
    stream.send_reset(Reason::CANCEL);
    edge.counted(0.0, "vitrine_upstream_connections_open", &[]);
    let (response, _) = client.send_request(request("PUT", "shop.example"), true).expect("sent");
    assert_eq!(whole(response.await.expect("a response")).await, "hello", "the connection lives");
}

#[test]
fn a_malformed_request_loses_its_stream_and_a_hundred_lose_the_connection() {
    let origin = Origin::saying("hello");
    let edge = Setup::shop(&origin).start();
    let mut client = frame::open(&edge);
    // A field of one connection (RFC 9113 §8.2.2), in full.
    let malformed = [&head(GET)[..], b"\0\x0aconnection\x05close"].concat();
    for stream in (1..=201).step_by(2) {
        client.send(frame(HEADERS, END_HEADERS | END_STREAM, stream, &malformed));
        let answer = next_frame(&mut client).expect("a frame");
        if stream <= 199 {
            assert_eq!(answer, (RST_STREAM, 0, vec![0, 0, 0, 1]), "PROTOCOL_ERROR on {stream}");
        } else {
            assert_eq!((answer.0, &answer.2[4..8]), (GOAWAY, &[0, 0, 0, 11][..]), "ENHANCE_YOUR_CALM");
        }
    }
    client.until_closed();
    assert_eq!(origin.requests(), []);
}

const GET: u8 = 2;
const POST: u8 = 3;

/// A connection of a client that shows each frame.
async fn open(edge: &Edge, settings: &client::Builder) -> SendRequest<Bytes> {
    let stream = agreed(edge.https, "shop.example").await;
    let (client, connection) = settings.handshake(stream).await.expect("HTTP/2");
    tokio::spawn(connection);
    client
}

fn request(method: &str, host: &str) -> Request<()> {
    Request::builder().method(method).uri(format!("https://{host}/")).body(()).expect("a request")
}

async fn whole(response: Response<RecvStream>) -> Bytes {
    let mut body = response.into_body();
    let mut octets = Vec::new();
    while let Some(data) = body.data().await {
        octets.extend_from_slice(&data.expect("data"));
    }
    octets.into()
}
