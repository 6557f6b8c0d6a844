//! Requests and answers, and how a connection ends.

use std::future::poll_fn;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};

use super::super::frame::*;
use super::*;

#[test]
fn an_upload_comes_with_its_trailers_and_its_room_is_given_back() {
    let session = open();
    session.receive(&frame(HEADERS, END_HEADERS, 1, POST));
    let (request, _to_client) = accepted(&session);
    let mut upload = request.into_body();
    assert!(!upload.has_ended() && upload.poll_data(&context()).is_pending());
    session.receive(&frame(DATA, PADDED, 1, &[&[3][..], &[7; 500], &[0; 3]].concat()));
    assert_eq!(upload.poll_data(&context()), Poll::Ready(Ok(Some(vec![7; 500].into()))));
    assert_eq!(written(&session, usize::MAX), [], "it is kept by whoever reads");
    upload.release(500);
    assert_eq!(written(&session, usize::MAX), [Got(WINDOW_UPDATE, 0, 1, vec![0, 0, 1, 0xf8])], "with its padding");
    session.receive(&frame(HEADERS, LAST, 1, &[0, 1, b's', 1, b'1']));
    assert!(!upload.has_ended(), "trailers are to be read");
    assert_eq!(upload.poll_data(&context()), Poll::Ready(Ok(None)));
    let Poll::Ready(Ok(Some(trailers))) = upload.poll_trailers(&context()) else { panic!("trailers") };
    assert_eq!(trailers["s"], "1");
    assert!(upload.has_ended());
    upload = {
        session.receive(&frame(HEADERS, END_HEADERS, 3, POST));
        let (request, to_client) = accepted(&session);
        session.receive(&frame(DATA, 0, 3, b"half"));
        session.receive(&frame(RST_STREAM, 0, 3, &[0; 4]));
        assert!(to_client.poll_reset(&context()).is_ready());
        request.into_body()
    };
    assert_eq!(upload.poll_data(&context()), Poll::Ready(Err(GivenUp)), "what is given up is never complete");
}

#[test]
fn room_for_what_nobody_reads_is_given_back_for_the_others() {
    let session = open();
    session.receive(&frame(HEADERS, END_HEADERS, 1, POST));
    let (request, to_client) = accepted(&session);
    drop(request);
    for _ in 0..35 {
        session.receive(&frame(DATA, 0, 1, &[0; 20]));
    }
    to_client.send_head(StatusCode::OK, &HeaderMap::new(), true);
    // It is to send no more (RFC 9113 §8.1), and told so once it cannot, or after a while.
    assert_eq!(written(&session, usize::MAX).len(), 1);
    assert!(session.lingers());
    session.receive(&frame(DATA, 0, 1, &[0; 299]));
    assert_eq!(written(&session, usize::MAX), []);
    session.receive(&frame(DATA, 0, 1, &[0]));
    assert_eq!(written(&session, usize::MAX), [reset(1, Reason::NO_ERROR)]);
    session.receive(&frame(HEADERS, END_HEADERS, 3, POST));
    accepted(&session).1.send_head(StatusCode::OK, &HeaderMap::new(), true);
    assert_eq!(written(&session, usize::MAX).len(), 1);
    session.end_lingering();
    assert_eq!(written(&session, usize::MAX), [reset(3, Reason::NO_ERROR)]);
    assert!(!session.lingers());
    let more = frame(DATA, 0, 1, &[0; 10_000]);
    (0..3).for_each(|_| session.receive(&more));
    assert_eq!(written(&session, usize::MAX), []);
    session.receive(&more);
    assert_eq!(written(&session, usize::MAX), [Got(WINDOW_UPDATE, 0, 0, 41_000_u32.to_be_bytes().into())]);
}

#[test]
fn content_goes_as_far_as_both_windows_are_open_and_streams_take_turns() {
    let session = open();
    for stream in [1, 3] {
        session.receive(&frame(HEADERS, LAST, stream, GET));
    }
    let (one, other) = (accepted(&session).1, accepted(&session).1);
    for to_client in [&one, &other] {
        to_client.send_head(StatusCode::OK, &HeaderMap::new(), false);
        assert_eq!(to_client.poll_room(&context()), Poll::Ready(true));
    }
    one.send(vec![7; 50_000].into(), true);
    other.send(vec![7; 50_000].into(), true);
    let sizes = |frames: &[Got]| frames.iter().map(|got| (got.2, got.0, got.3.len())).collect::<Vec<_>>();
    let sent = written(&session, 1000);
    // 65,535 octets in all, a frame of each in turn.
    let data = |stream, length| (stream, DATA, length);
    let wanted = [data(1, 16_384), data(3, 16_384), data(1, 16_384), data(3, 16_383)];
    assert_eq!(sizes(&sent)[2..], wanted);
    assert!(one.poll_room(&context()).is_pending() && one.poll_sent(&context()).is_pending());
    session.receive(&frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0x80, 0]));
    let sent = written(&session, usize::MAX);
    assert_eq!(sizes(&sent), [data(1, 16_384), data(3, 16_384)]);
    session.receive(&frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0x80, 0]));
    let sent = written(&session, usize::MAX);
    assert_eq!(sent.iter().map(|got| got.1).collect::<Vec<_>>(), [END_STREAM, END_STREAM]);
    assert!(one.poll_sent(&context()).is_ready() && other.poll_sent(&context()).is_ready());
    // A window that is taken back is below nothing until it is opened again.
    session.receive(&frame(HEADERS, LAST, 5, GET));
    let to_client = accepted(&session).1;
    to_client.send_head(StatusCode::OK, &HeaderMap::new(), false);
    session.receive(&frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]));
    to_client.send(b"hello"[..].into(), false);
    assert_eq!(sizes(&written(&session, usize::MAX)), [(5, HEADERS, 1), (0, SETTINGS, 0)]);
    session.receive(&frame(WINDOW_UPDATE, 0, 5, &[0, 0, 0, 2]));
    assert_eq!(written(&session, usize::MAX), [Got(DATA, 0, 5, b"he".into())]);
    session.receive(&frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 9]));
    assert_eq!(written(&session, usize::MAX)[1], Got(DATA, 0, 5, b"llo".into()));
    to_client.send_trailers(HeaderMap::from_iter([(http::header::ETAG, "x".parse().expect("a value"))]));
    assert_eq!(written(&session, usize::MAX), [Got(HEADERS, LAST, 5, vec![0x0f, 0x13, 1, b'x'])]);
    assert!(!session.is_over());
}

#[test]
fn an_answer_that_is_dropped_amid_is_given_up() {
    let session = open();
    for (stream, sends) in [(1, false), (3, true)] {
        session.receive(&frame(HEADERS, LAST, stream, GET));
        let to_client = accepted(&session).1;
        if sends {
            session.receive(&frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]));
            to_client.send_head(StatusCode::OK, &HeaderMap::new(), false);
            to_client.send(b"all"[..].into(), true);
        }
        drop(to_client);
        assert_eq!(written(&session, usize::MAX).last(), Some(&reset(stream, Reason::CANCEL)));
    }
}

#[test]
fn whoever_leaves_answers_what_was_asked_before_the_client_knew() {
    let session = open();
    session.receive(&frame(HEADERS, LAST, 1, GET));
    let first = accepted(&session).1;
    session.leave();
    session.leave();
    let said = written(&session, usize::MAX);
    assert_eq!(said[0], Got(GOAWAY, 0, 0, vec![0x7f, 255, 255, 255, 0, 0, 0, 0]));
    let Got(PING, 0, 0, ping) = &said[1] else { panic!("{said:?}") };
    assert_eq!(said.len(), 2);
    session.receive(
        &[frame(HEADERS, LAST, 3, GET), frame(PING, ACK, 0, ping), frame(HEADERS, END_HEADERS, 5, POST)].concat(),
    );
    session.receive(&frame(DATA, END_STREAM, 5, b"late"));
    let second = accepted(&session).1;
    assert!(session.accept().is_none());
    let said = written(&session, usize::MAX);
    assert_eq!(said, [Got(GOAWAY, 0, 0, vec![0, 0, 0, 3, 0, 0, 0, 0]), reset(5, Reason::REFUSED_STREAM)]);
    for to_client in [first, second] {
        assert!(!session.is_over());
        to_client.send_head(StatusCode::OK, &HeaderMap::new(), true);
    }
    assert!(session.is_over());
    // A client that leaves by itself is answered as well.
    let session = open();
    session.receive(&[frame(HEADERS, LAST, 1, GET), frame(GOAWAY, 0, 0, &[0; 8])].concat());
    assert!(!session.is_over());
    accepted(&session).1.send_head(StatusCode::OK, &HeaderMap::new(), true);
    assert!(session.is_over());
}

#[test]
fn the_end_of_a_connection_is_the_end_of_all_on_it() {
    let session = open();
    for stream in [1, 3] {
        session.receive(&frame(HEADERS, END_HEADERS, stream, POST));
    }
    let (request, to_client) = accepted(&session);
    session.receive_end();
    assert!(to_client.poll_reset(&context()).is_ready());
    assert_eq!(to_client.poll_room(&context()), Poll::Ready(false));
    assert_eq!(request.body().poll_data(&context()), Poll::Ready(Err(GivenUp)));
    assert!(session.accept().is_none() && session.is_over() && session.is_full());
    assert_eq!(written(&session, usize::MAX), []);
}

#[tokio::test]
async fn whoever_waits_is_woken() {
    let session = open();
    session.receive(&frame(HEADERS, END_HEADERS, 1, POST));
    let (request, to_client) = accepted(&session);
    to_client.send_head(StatusCode::OK, &HeaderMap::new(), false);
    session.receive(&frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]));
    to_client.send(b"x"[..].into(), false);
    let reader = poll_fn(|cx| request.body().poll_data(cx));
    let writer = poll_fn(|cx| to_client.poll_room(cx));
    let driver = async {
        tokio::task::yield_now().await;
        session.receive(&[frame(DATA, 0, 1, b"y"), frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1])].concat());
        written(&session, usize::MAX);
        poll_fn(|cx| {
            session.wait(cx);
            if session.is_full() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    };
    let others = async {
        assert_eq!(tokio::join!(reader, writer), (Ok(Some(Bytes::from("y"))), true));
        session.end(Reason::NO_ERROR);
    };
    tokio::join!(driver, others);
}
