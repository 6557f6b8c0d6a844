//! Whether the edge notices that an upstream of HTTP/2 is no more.

use std::io::Read;
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::frame::{ACK, DATA, END_HEADERS, END_STREAM, HEADERS, PING, PREFACE, SETTINGS, frame, next_frame};
use crate::support::{DEADLINE, Edge, Setup, Talk, authority, shop_client};

#[test]
fn a_silent_upstream_is_asked_after_30_seconds_and_left_when_it_has_vanished() {
    let ((vanished, asked_vanished), (living, asked_living)) = (upstream(false), upstream(true));
    let mut setup = Setup::new();
    setup.raw_site(&format!(
        "[[site]]\nhosts = [\"shop.example\"]\nupstreams = [\"h2c://{living}\"]\nhealth = {{ eject_after = 0 }}\n\
         [[site.route]]\npath = \"/vanished\"\nupstreams = [\"h2c://{vanished}\"]\n"
    ));
    setup.certificate("shop", &authority().issue(&["shop.example"]));
    setup.set("edge", "workers = 1").set("limits", "upstream_response_timeout = \"10m\"");
    let edge = setup.start();
    let begun = Instant::now();
    let (mut gone, mut there) = (waiting(&edge, "POST /vanished"), waiting(&edge, "POST /"));
    // Who answers the question may take its time for the other.
    asked_living.recv_timeout(PATIENCE).expect("a question");
    assert!(begun.elapsed() > Duration::from_secs(28), "{:?}", begun.elapsed());
    let answer = there.response();
    assert_eq!((answer.status, answer.text().as_str()), (200, "hello"));
    asked_vanished.recv_timeout(PATIENCE).expect("a question");
    assert_eq!(gone.response().status, 502);
    assert!(begun.elapsed() > Duration::from_secs(38), "{:?}", begun.elapsed());

    // The next one does not wait for it, but is brought over a connection of its own.
    let before = edge.scrape().sum("vitrine_upstream_connects_total", &[]);
    let _next = waiting(&edge, "GET /vanished");
    edge.counted(before + 1.0, "vitrine_upstream_connects_total", &[]);
    edge.counted(2.0, "vitrine_upstream_connections_open", &[]);
}

/// A request whose answer may take long.
fn waiting(edge: &Edge, request: &str) -> Talk {
    let mut client = shop_client().open(edge.https, "shop.example");
    client.tcp().set_read_timeout(Some(PATIENCE)).expect("a timeout");
    client.send(format!("{request} HTTP/1.1\r\nhost: shop.example\r\ncontent-length: 0\r\n\r\n"));
    client
}

/// Takes requests and answers none until the edge asks whether it is still there. One that is living says so and answers; the
/// other has vanished. Tells of each question.
fn upstream(is_living: bool) -> (SocketAddr, Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let (tell, told) = channel();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let tell = tell.clone();
            thread::spawn(move || serve(Talk::on(stream), is_living, &tell));
        }
    });
    (address, told)
}

fn serve(mut edge: Talk, is_living: bool, tell: &Sender<()>) {
    edge.reader.read_exact(&mut [0; PREFACE.len()]).expect("a preface");
    edge.send([frame(SETTINGS, 0, 0, &[]), frame(SETTINGS, ACK, 0, &[])].concat());
    while let Some((kind, flags, content)) = next_frame(&mut edge) {
        if (kind, flags) != (PING, 0) {
            continue;
        }
        // A test that is over hears nothing any more.
        let _ = tell.send(());
        if is_living {
            edge.send(frame(PING, ACK, 0, &content));
            // Status 200 (RFC 7541, Appendix A), on the first stream that a client opens.
            edge.send(frame(HEADERS, END_HEADERS, 1, &[0x88]));
            edge.send(frame(DATA, END_STREAM, 1, b"hello"));
        }
    }
}

/// For what takes 40 seconds.
const PATIENCE: Duration = Duration::from_secs(DEADLINE.as_secs() * 4);
