//! How long a client's connection goes on.

use std::sync::Mutex;
use std::sync::mpsc;

use crate::support::frame::{
    self, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, SETTINGS, frame, head, next_frame,
};
use crate::support::{Origin, Setup, eventually};

#[test]
fn a_connection_of_http1_ends_after_so_many_requests_or_so_long() {
    let origin = Origin::saying("hello");
    for limit in ["connection_requests = 3", "connection_age = \"1s\""] {
        let mut setup = Setup::shop(&origin);
        setup.set("limits", limit);
        let edge = setup.start();
        let mut client = edge.open("shop.example");
        let mut count = 0;
        eventually("the last answer", || {
            let answer = client.ask("GET / HTTP/1.1\r\nhost: shop.example\r\n\r\n");
            count += 1;
            assert_eq!((answer.status, answer.text().as_str()), (200, "hello"), "{limit}");
            (answer.field("connection") == Some("close")).then_some(())
        });
        assert!(count == 3 || limit.contains("age"), "{count}");
        assert_eq!(client.until_closed(), b"", "{limit}");
        // The next connection is as good as the first.
        assert_eq!(edge.get("shop.example", "/").status, 200);
    }
}

#[test]
fn a_connection_of_http2_says_farewell_after_so_many_requests() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::shop(&origin);
    setup.set("limits", "connection_requests = 3");
    let edge = setup.start();
    let mut client = frame::open(&edge);
    let mut kinds = Vec::new();
    for stream in [1, 3, 5] {
        client.send(frame(HEADERS, END_HEADERS | END_STREAM, stream, &head(GET)));
        while kinds.last() != Some(&DATA) {
            kinds.push(next_frame(&mut client).expect("a frame").0);
        }
        assert_eq!(kinds.contains(&GOAWAY), stream == 5, "{stream}: {kinds:?}");
        kinds.push(SETTINGS); // none of the next answer's
    }
}

#[test]
fn a_connection_of_http2_that_is_old_is_told_and_ends_with_what_it_has() {
    let (release, held) = mpsc::channel::<()>();
    let held = Mutex::new(held);
    let origin = Origin::new(move |exchange| {
        // Either way the test is over with it.
        let _ = held.lock().expect("the channel").recv();
        exchange.answer("200 OK", &[], b"hello")
    });
    let mut setup = Setup::shop(&origin);
    setup.set("limits", "connection_age = \"1s\"");
    let edge = setup.start();
    let mut client = frame::open(&edge);
    client.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, &head(GET)));
    eventually("the request", || (origin.requests().len() == 1).then_some(()));
    // It asks for nothing more, but whatever it says makes the edge look.
    let farewell = eventually("a farewell", || {
        client.send(frame(PING, 0, 0, &[0; 8]));
        let (kind, _, content) = next_frame(&mut client).expect("a frame");
        (kind == GOAWAY).then_some(content)
    });
    // Streams up to the last there can be are still taken (RFC 9113 §6.8), without an error.
    assert_eq!(farewell[..8], [0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
    release.send(()).expect("it waits");
    let mut answer = Vec::new();
    while let Some((kind, _, content)) = next_frame(&mut client) {
        if kind == DATA {
            answer.extend(content);
        }
    }
    assert_eq!(answer, b"hello");
    edge.counted(0.0, "vitrine_connections_open", &[("protocol", "http/2")]);
}

const GET: u8 = 2;
