//! Clients that meet a fault, and ask something else afterwards.

use std::net::SocketAddr;

use bytes::Bytes;
use h2::client::SendRequest;
use http::{Method, Request};

use super::Seen;
use crate::support::{DEADLINE, HANDSHAKE, agreed, is_timeout, shop_client};

/// What is spoken with the edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    Http1,
    Http2,
}

/// How is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Get,
    /// A GET in HTTP/1.0, whose answer may end with the connection.
    Old,
    /// A POST that says how long it is.
    Post,
    /// One that does not.
    Chunked,
    WebSocket,
}

pub(super) const OVER_HTTP1: &[Kind] = &[Kind::Get, Kind::Old, Kind::Post, Kind::Chunked, Kind::WebSocket];
pub(super) const OVER_HTTP2: &[Kind] = &[Kind::Get, Kind::Post, Kind::Chunked, Kind::WebSocket];

/// Asks for `fault`, says what was seen of it, and makes sure that whatever is asked next gets its own answer.
pub(super) fn meet(address: SocketAddr, version: Version, kind: Kind, fault: &str) -> Seen {
    let seen = match version {
        Version::Http1 => meet_over_http1(address, kind, fault),
        Version::Http2 => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(meet_over_http2(address, kind, fault))
        }
    };
    // Whatever it left behind at the edge, it meets no other.
    let mut other = shop_client().open(address, "shop.example");
    for turn in 0..3 {
        let well = well(version, kind, fault, turn);
        let answer = other.get("shop.example", &well);
        assert_eq!((answer.status, answer.text()), (200, well), "after {fault}");
    }
    seen
}

/// Where nothing is wrong: the answer is the path.
fn well(version: Version, kind: Kind, fault: &str, turn: usize) -> String {
    format!("/well{fault}/{version:?}/{kind:?}/{turn}")
}

fn meet_over_http1(address: SocketAddr, kind: Kind, fault: &str) -> Seen {
    let mut client = shop_client().open(address, "shop.example");
    let begin = |method: &str| format!("{method} {fault} HTTP/1.1\r\nhost: shop.example\r\n");
    client.send(match kind {
        Kind::Get => begin("GET") + "\r\n",
        Kind::Old => format!("GET {fault} HTTP/1.0\r\nhost: shop.example\r\n\r\n"),
        Kind::Post => begin("POST") + "content-length: 5\r\n\r\nhello",
        Kind::Chunked => begin("POST") + "transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        Kind::WebSocket => HANDSHAKE.replace("/chat", fault),
    });
    match client.try_response() {
        Ok(answer) => {
            assert!(answer.status != 200 || answer.text() == fault, "{fault}: {}", answer.text());
            let is_last = answer.field("connection") == Some("close") || kind == Kind::Old || answer.status == 101;
            if is_last {
                assert_eq!(client.until_closed(), b"", "{fault}: something comes behind the answer");
            } else {
                let well = well(Version::Http1, kind, fault, 3);
                let next = client.get("shop.example", &well);
                assert_eq!((next.status, next.text()), (200, well));
            }
            Seen::Whole(answer.status)
        }
        Err(error) => {
            assert!(!is_timeout(&error), "{fault} {kind:?}: nothing comes");
            assert_eq!(client.until_closed(), b"", "{fault}: something comes behind what broke off");
            Seen::BrokenOff
        }
    }
}

async fn meet_over_http2(address: SocketAddr, kind: Kind, fault: &str) -> Seen {
    let (mut sender, mut connection) =
        h2::client::handshake(agreed(address, "shop.example").await).await.expect("HTTP/2");
    let mut pings = connection.ping_pong().expect("pings");
    tokio::spawn(connection);
    // The edge's settings come before it answers.
    let answered = tokio::time::timeout(DEADLINE, pings.ping(h2::Ping::opaque())).await.expect("an answer");
    assert!(answered.is_ok() && sender.is_extended_connect_protocol_enabled(), "{fault} {kind:?}: {answered:?}");
    let asked = tokio::time::timeout(DEADLINE, ask(&mut sender, kind, fault)).await.expect("an end");
    let seen = match asked {
        Ok((status, body)) => {
            // A tunnel that was opened has had nothing in it.
            let said = if kind == Kind::WebSocket { b"" } else { fault.as_bytes() };
            assert!(status != 200 || body == said, "{fault}: {body:?}");
            Seen::Whole(status)
        }
        Err(error) => {
            // A client that finds out by itself does so because it counts octets, which not every answer allows.
            assert!(error.is_remote() && error.is_reset(), "{fault} {kind:?}: {error}");
            Seen::BrokenOff
        }
    };
    // A stream that breaks takes no other along.
    let well = well(Version::Http2, kind, fault, 3);
    let next = tokio::time::timeout(DEADLINE, ask(&mut sender, Kind::Get, &well)).await.expect("an end");
    assert_eq!(next.map_err(|error| error.to_string()), Ok((200, well.into_bytes())), "after {fault}");
    seen
}

/// Status and all of the body.
async fn ask(sender: &mut SendRequest<Bytes>, kind: Kind, path: &str) -> Result<(u16, Vec<u8>), h2::Error> {
    let mut request = Request::builder().uri(format!("https://shop.example{path}"));
    request = match kind {
        Kind::Get | Kind::Old => request,
        Kind::Post => request.method(Method::POST).header("content-length", "5"),
        Kind::Chunked => request.method(Method::POST),
        // RFC 8441 §5
        Kind::WebSocket => {
            let protocol = h2::ext::Protocol::from_static("websocket");
            request.method(Method::CONNECT).header("sec-websocket-version", "13").extension(protocol)
        }
    };
    std::future::poll_fn(|cx| sender.poll_ready(cx)).await?;
    let (answer, mut body) = sender.send_request(request.body(()).expect("a request"), kind == Kind::Get)?;
    if matches!(kind, Kind::Post | Kind::Chunked) {
        // The edge may have answered, and taken no more.
        let _ = body.send_data(Bytes::from_static(b"hello"), true);
    }
    let (head, mut stream) = answer.await?.into_parts();
    let mut octets = Vec::new();
    while let Some(data) = stream.data().await {
        let data = data?;
        stream.flow_control().release_capacity(data.len())?;
        octets.extend_from_slice(&data);
    }
    stream.trailers().await?;
    Ok((head.status.as_u16(), octets))
}
