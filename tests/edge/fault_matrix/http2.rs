//! Upstreams that speak HTTP/2, or should.

use std::future::poll_fn;
use std::net::SocketAddr;

use bytes::Bytes;
use h2::server::{self, SendResponse};
use h2::{Reason, RecvStream, SendStream};
use http::Response;
use tokio::net::{TcpListener, TcpStream};

use super::{BrokenOff, Case, Seen, Whole, patience, surprises};
use crate::support::{Setup, authority};

#[test]
fn whatever_an_upstream_of_http2_does_a_client_sees_the_truth() {
    let url = format!("h2c://{}", misbehaving());
    let mut setup = Setup::new();
    setup.raw_site(&format!(
        "[[site]]\nhosts = [\"shop.example\"]\nupstreams = [{url:?}]\nhealth = {{ eject_after = 0 }}\n"
    ));
    setup.raw_site(&patience(&url, &["/silent"], &["/stalls"]));
    setup.certificate("shop", &authority().issue(&["shop.example"]));
    setup.set("edge", "workers = 1");
    let edge = setup.start();
    let cases = |faults: &[(&'static str, Seen)]| -> Vec<Case> {
        faults.iter().flat_map(|(fault, seen)| Case::all(fault, *seen, None)).collect()
    };
    assert_eq!(surprises(edge.https, &cases(OF_A_STREAM)), Vec::<String>::new());
    // One after the other: whoever else is on such a connection is broken off with it, and may see so.
    let told: Vec<String> = cases(OF_A_CONNECTION).iter().filter_map(|case| case.surprise(edge.https)).collect();
    assert_eq!(told, Vec::<String>::new());
}

const OF_A_STREAM: &[(&str, Seen)] = &[
    ("/silent", Whole(504)),
    ("/resets", Whole(502)),
    ("/cancels", Whole(502)),
    ("/resets-without-error", Whole(502)),
    // Heads that are none.
    ("/connection-field", Whole(502)),
    ("/two-lengths", Whole(502)),
    ("/length-and-nothing", Whole(502)),
    // Bodies that stop short, or go on.
    ("/part-and-resets", BrokenOff),
    ("/part-and-cancels", BrokenOff),
    ("/part-and-resets-without-error", BrokenOff),
    ("/stalls", BrokenOff),
    ("/short", BrokenOff),
    ("/long", BrokenOff),
    // Answers that are whole, before anything of the request was read.
    ("/early", Whole(200)),
    ("/early-and-resets-without-error", Whole(200)),
];

const OF_A_CONNECTION: &[(&str, Seen)] = &[
    ("/closes", Whole(502)),
    ("/says-farewell", Whole(502)),
    ("/part-and-closes", BrokenOff),
    ("/part-and-says-farewell", BrokenOff),
];

/// Starts an upstream that does what the path says, until the test ends.
fn misbehaving() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.set_nonblocking(true).expect("non-blocking");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let listener = TcpListener::from_std(listener).expect("a listener");
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(connection(stream));
            }
        });
    });
    address
}

async fn connection(stream: TcpStream) {
    let Ok(mut connection) = server::handshake(stream).await else { return };
    while let Some(Ok((request, reply))) = connection.accept().await {
        let path = request.uri().path().to_owned();
        let answered = tokio::spawn(answer(path.clone(), request.into_body(), reply));
        if !OF_A_CONNECTION.iter().any(|(fault, _)| *fault == path) {
            continue;
        }
        let _held = tokio::select! {
            held = answered => held,
            _ = connection.accept() => return,
        };
        // What was said is on its way first.
        tokio::select! {
            biased;
            _ = connection.accept() => return,
            () = std::future::ready(()) => {}
        }
        if path.ends_with("closes") {
            return;
        }
        connection.abrupt_shutdown(Reason::INTERNAL_ERROR);
        let _ = connection.accept().await;
        return;
    }
}

/// What is not over, and is reset when it is let go.
enum Held {
    Nothing,
    Asked { _reply: SendResponse<Bytes> },
    Begun { _stream: SendStream<Bytes> },
}

async fn answer(path: String, mut body: RecvStream, mut reply: SendResponse<Bytes>) -> Held {
    let is_early = path.starts_with("/early");
    while !is_early && let Some(Ok(data)) = body.data().await {
        let _ = body.flow_control().release_capacity(data.len());
    }
    let head = Response::builder().status(200);
    let (head, said) = match path.as_str() {
        "/silent" => {
            // Until the edge gives up.
            let _ = poll_fn(|cx| reply.poll_reset(cx)).await;
            return Held::Nothing;
        }
        "/closes" | "/says-farewell" => return Held::Asked { _reply: reply },
        "/connection-field" => (head.header("connection", "close"), &path[..]),
        "/two-lengths" => (head.header("content-length", "5").header("content-length", "50"), "hello"),
        "/length-and-nothing" => (head.header("content-length", "10"), ""),
        "/short" => (head.header("content-length", "10"), "hello"),
        "/long" => (head.header("content-length", "3"), "hello"),
        _ if path.starts_with("/part") || path == "/stalls" => (head, "hello"),
        _ => (head, &path[..]),
    };
    let reason = [("without-error", Reason::NO_ERROR), ("cancels", Reason::CANCEL), ("resets", Reason::INTERNAL_ERROR)];
    let reason = reason.into_iter().find(|(end, _)| path.ends_with(end)).map(|(_, reason)| reason);
    let is_part = path.starts_with("/part") || path == "/stalls";
    if let Some(reason) = reason
        && !is_part
        && !is_early
    {
        reply.send_reset(reason);
        return Held::Nothing;
    }
    let ends = said.is_empty();
    let Ok(mut stream) = reply.send_response(head.body(()).expect("a response"), ends) else { return Held::Nothing };
    if ends || stream.send_data(Bytes::copy_from_slice(said.as_bytes()), !is_part).is_err() {
        return Held::Nothing;
    }
    match reason {
        Some(reason) => {
            tokio::task::yield_now().await; // to the connection, which says what was said
            stream.send_reset(reason);
            Held::Nothing
        }
        None if path == "/stalls" => {
            let _ = poll_fn(|cx| stream.poll_reset(cx)).await;
            Held::Nothing
        }
        None => Held::Begun { _stream: stream },
    }
}
