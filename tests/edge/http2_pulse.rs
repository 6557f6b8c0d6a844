//! Whether the edge notices that an HTTP/2 peer is no more.

use std::time::{Duration, Instant};

use crate::support::frame::{self, ACK, GOAWAY, PING, frame, next_frame};
use crate::support::{Edge, Origin, Setup, Talk};

#[test]
fn a_silent_peer_is_asked_after_30_seconds_and_left_when_it_has_vanished() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::shop(&origin);
    setup.set("limits", "idle_timeout = \"10m\"");
    let edge = setup.start();
    let (mut vanished, mut living) = (patient(&edge), patient(&edge));
    let begun = Instant::now();
    let question = asked(&mut living);
    living.send(frame(PING, ACK, 0, &question));
    assert!(begun.elapsed() > Duration::from_secs(28), "{:?}", begun.elapsed());
    asked(&mut vanished);
    let (kind, _, content) = next_frame(&mut vanished).expect("a frame");
    assert_eq!((kind, &content[4..8]), (GOAWAY, &[0; 4][..]), "no error");
    assert!(begun.elapsed() < Duration::from_secs(45), "{:?}", begun.elapsed());
    vanished.until_closed();
    living.send(frame(PING, 0, 0, b"you too?"));
    assert_eq!(next_frame(&mut living), Some((PING, ACK, b"you too?".to_vec())));
}

/// A connection that may be silent for long.
fn patient(edge: &Edge) -> Talk {
    let client = frame::open(edge);
    client.tcp().set_read_timeout(Some(Duration::from_secs(180))).expect("a timeout");
    client
}

/// What the edge asks, before anything else.
fn asked(client: &mut Talk) -> Vec<u8> {
    let (kind, flags, content) = next_frame(client).expect("a frame");
    assert_eq!((kind, flags), (PING, 0));
    content
}
