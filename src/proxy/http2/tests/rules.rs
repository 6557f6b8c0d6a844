//! What breaks a rule, and what does not.

use http::{HeaderMap, StatusCode};

use super::super::frame::*;
use super::*;

#[test]
fn what_breaks_a_rule_of_the_connection_ends_it() {
    let begun = frame(HEADERS, END_HEADERS, 1, POST);
    let ended = frame(HEADERS, LAST, 1, GET);
    let with = |first: &[u8], then: Vec<u8>| [first, &then[..]].concat();
    for (name, octets, reason) in [
        ("a frame that is too large", frame(DATA, 0, 1, &[0; 16_385]), Reason::FRAME_SIZE_ERROR),
        ("a large one of a kind that nobody knows", frame(0xfe, 0, 1, &[0; 16_385]), Reason::FRAME_SIZE_ERROR),
        ("data of no stream", frame(DATA, 0, 0, b"x"), Reason::PROTOCOL_ERROR),
        ("data of a stream that is not open", frame(DATA, 0, 1, b"x"), Reason::PROTOCOL_ERROR),
        ("data with too much padding", with(&begun, frame(DATA, PADDED, 1, &[2, 0])), Reason::PROTOCOL_ERROR),
        ("data without its padding", with(&begun, frame(DATA, PADDED, 1, &[])), Reason::FRAME_SIZE_ERROR),
        ("a head of no stream", frame(HEADERS, LAST, 0, GET), Reason::PROTOCOL_ERROR),
        ("a head of the edge's stream", frame(HEADERS, LAST, 2, GET), Reason::PROTOCOL_ERROR),
        ("a head of an earlier stream", with(&frame(HEADERS, LAST, 3, GET), ended.clone()), Reason::STREAM_CLOSED),
        ("a head with too much padding", frame(HEADERS, LAST | PADDED, 1, &[9, 0x82]), Reason::PROTOCOL_ERROR),
        (
            "a head that ends amid its priority",
            frame(HEADERS, LAST | HAS_PRIORITY, 1, &[0; 4]),
            Reason::FRAME_SIZE_ERROR,
        ),
        ("a head that cannot be read", frame(HEADERS, LAST, 1, &[0xff]), Reason::COMPRESSION_ERROR),
        (
            "a head that is interrupted",
            with(&frame(HEADERS, 0, 1, GET), frame(PING, 0, 0, &[0; 8])),
            Reason::PROTOCOL_ERROR,
        ),
        (
            "a head that is interrupted by another's",
            with(&frame(HEADERS, 0, 1, GET), frame(CONTINUATION, END_HEADERS, 3, &[])),
            Reason::PROTOCOL_ERROR,
        ),
        ("more of no head", frame(CONTINUATION, END_HEADERS, 1, GET), Reason::PROTOCOL_ERROR),
        (
            "a head without an end",
            with(&frame(HEADERS, 0, 1, GET), frame(CONTINUATION, 0, 1, &[]).repeat(10)),
            Reason::ENHANCE_YOUR_CALM,
        ),
        (
            "a head that is much too large",
            with(&frame(HEADERS, 0, 1, GET), frame(CONTINUATION, 0, 1, &[0; 8192])),
            Reason::ENHANCE_YOUR_CALM,
        ),
        (
            "a head that says much too much",
            frame(HEADERS, LAST, 1, &[GET, &[0x40, 1, b'a', 0], &[0xbe; 500]].concat()),
            Reason::ENHANCE_YOUR_CALM,
        ),
        ("a priority of no stream", frame(PRIORITY, 0, 0, &[0; 5]), Reason::PROTOCOL_ERROR),
        ("half a priority", frame(PRIORITY, 0, 1, &[0; 4]), Reason::FRAME_SIZE_ERROR),
        ("a reset of no stream", frame(RST_STREAM, 0, 0, &[0; 4]), Reason::PROTOCOL_ERROR),
        ("a reset of a stream that is not open", frame(RST_STREAM, 0, 1, &[0; 4]), Reason::PROTOCOL_ERROR),
        ("half a reset", with(&begun, frame(RST_STREAM, 0, 1, &[0; 3])), Reason::FRAME_SIZE_ERROR),
        ("settings of a stream", frame(SETTINGS, 0, 1, &[]), Reason::PROTOCOL_ERROR),
        ("half a setting", frame(SETTINGS, 0, 0, &[0; 5]), Reason::FRAME_SIZE_ERROR),
        ("an acknowledgement that says something", frame(SETTINGS, ACK, 0, &[0; 6]), Reason::FRAME_SIZE_ERROR),
        ("a promise", frame(PUSH_PROMISE, END_HEADERS, 1, &[0; 8]), Reason::PROTOCOL_ERROR),
        ("a ping of a stream", frame(PING, 0, 1, &[0; 8]), Reason::PROTOCOL_ERROR),
        ("half a ping", frame(PING, 0, 0, &[0; 7]), Reason::FRAME_SIZE_ERROR),
        ("a farewell of a stream", frame(GOAWAY, 0, 1, &[0; 8]), Reason::PROTOCOL_ERROR),
        ("half a farewell", frame(GOAWAY, 0, 0, &[0; 7]), Reason::FRAME_SIZE_ERROR),
        ("a window that is opened by nothing", frame(WINDOW_UPDATE, 0, 0, &[0; 4]), Reason::PROTOCOL_ERROR),
        (
            "a window that is opened too far",
            frame(WINDOW_UPDATE, 0, 0, &[0x7f, 255, 255, 255]),
            Reason::FLOW_CONTROL_ERROR,
        ),
        ("a window of a stream that is not open", frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1]), Reason::PROTOCOL_ERROR),
        ("half a window", frame(WINDOW_UPDATE, 0, 0, &[0; 3]), Reason::FRAME_SIZE_ERROR),
        (
            "windows of streams that are opened too far by settings",
            [
                &begun[..],
                &frame(WINDOW_UPDATE, 0, 1, &[0x7f, 255, 0, 0]),
                &frame(SETTINGS, 0, 0, &[0, 4, 0x7f, 255, 255, 255]),
            ]
            .concat(),
            Reason::FLOW_CONTROL_ERROR,
        ),
        ("HTTP/1.1", b"GET / HTTP/1.1\r\nhost: shop.example\r\n\r\n".to_vec(), Reason::FRAME_SIZE_ERROR),
    ] {
        let got = answered(&octets);
        assert!(got.iter().any(farewell(reason)), "{name}: {got:?}");
    }
    for preface in
        [&b"GET / HTTP/1.1\r\n\r\n"[..], b"PRI * HTTP/2.0\r\n\r\nSX", &[PREFACE, &frame(PING, 0, 0, &[0; 8])].concat()]
    {
        let session = Session::new(LIMITS, Rc::default());
        session.receive(preface);
        assert!(written(&session, usize::MAX).iter().any(farewell(Reason::PROTOCOL_ERROR)), "{preface:?}");
        assert!(session.is_over() && session.accept().is_none());
    }
}

#[test]
fn what_breaks_a_rule_of_a_stream_ends_that_alone() {
    let begun = frame(HEADERS, END_HEADERS, 1, POST);
    let with = |then: Vec<u8>| [&begun[..], &then[..]].concat();
    let five = [POST, &[0x0f, 13, 1, b'5']].concat();
    for (name, octets, reason) in [
        ("a malformed head", frame(HEADERS, LAST, 1, &[0x82]), Reason::PROTOCOL_ERROR),
        (
            "a stream that depends on itself",
            frame(HEADERS, LAST | HAS_PRIORITY, 1, &[&[0, 0, 0, 1, 0], GET].concat()),
            Reason::PROTOCOL_ERROR,
        ),
        ("a length without content", frame(HEADERS, LAST, 1, &five), Reason::PROTOCOL_ERROR),
        (
            "more than was said",
            [frame(HEADERS, END_HEADERS, 1, &five), frame(DATA, 0, 1, b"123456")].concat(),
            Reason::PROTOCOL_ERROR,
        ),
        (
            "less than was said",
            [frame(HEADERS, END_HEADERS, 1, &five), frame(DATA, END_STREAM, 1, b"1234")].concat(),
            Reason::PROTOCOL_ERROR,
        ),
        (
            "less than was said, and trailers",
            [frame(HEADERS, END_HEADERS, 1, &five), frame(DATA, 0, 1, b"1234"), frame(HEADERS, LAST, 1, &[])].concat(),
            Reason::PROTOCOL_ERROR,
        ),
        ("more data than there is room for", with(frame(DATA, 0, 1, &[0; 1001])), Reason::FLOW_CONTROL_ERROR),
        (
            "data behind the end",
            [frame(HEADERS, LAST, 1, GET), frame(DATA, 0, 1, b"x")].concat(),
            Reason::STREAM_CLOSED,
        ),
        (
            "a head behind the end",
            [frame(HEADERS, LAST, 1, GET), frame(HEADERS, LAST, 1, &[])].concat(),
            Reason::STREAM_CLOSED,
        ),
        ("trailers that do not end it", with(frame(HEADERS, END_HEADERS, 1, &[])), Reason::PROTOCOL_ERROR),
        ("trailers with a method", with(frame(HEADERS, LAST, 1, &[0x82])), Reason::PROTOCOL_ERROR),
        ("a window that is opened by nothing", with(frame(WINDOW_UPDATE, 0, 1, &[0; 4])), Reason::PROTOCOL_ERROR),
        (
            "a window that is opened too far",
            with(frame(WINDOW_UPDATE, 0, 1, &[0x7f, 255, 255, 255])),
            Reason::FLOW_CONTROL_ERROR,
        ),
    ] {
        let ping = frame(PING, 0, 0, b"together");
        let got = answered(&[octets, ping].concat());
        assert_eq!(got, [reset(1, reason), Got(PING, ACK, 0, b"together".into())], "{name}");
    }
}

#[test]
fn what_nobody_knows_and_what_is_late_is_passed_over() {
    let reset_and_more = [
        frame(HEADERS, END_HEADERS, 1, POST),
        frame(DATA, 0, 1, &[0; 1001]), // which the edge resets it for
        frame(DATA, 0, 1, b"more"),
        frame(HEADERS, LAST, 1, &[0x40, 1, b'a', 1, b'b']), // trailers, which are remembered all the same
        frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 9]),
        frame(RST_STREAM, 0, 1, &[0; 4]),
        frame(0xfe, 0xff, 7, b"?"),
        frame(PRIORITY, 0, 9, &[0; 5]),
        frame(HEADERS, LAST, 3, &[GET, &[0xbe]].concat()),
    ]
    .concat();
    let session = open();
    session.receive(&reset_and_more);
    assert_eq!(written(&session, usize::MAX), [reset(1, Reason::FLOW_CONTROL_ERROR)]);
    let (request, _to_client) = accepted(&session);
    assert_eq!(request.headers()["a"], "b");
    assert!(session.accept().is_none(), "what is reset is not answered");
}

#[test]
fn a_client_may_not_go_on_making_mistakes() {
    let session = open();
    for stream in (1..=199).step_by(2) {
        session.receive(&frame(HEADERS, LAST, stream, &[0x82]));
        assert_eq!(written(&session, usize::MAX), [reset(stream, Reason::PROTOCOL_ERROR)]);
    }
    session.receive(&frame(HEADERS, LAST, 201, &[0x82]));
    assert!(written(&session, usize::MAX).iter().any(farewell(Reason::ENHANCE_YOUR_CALM)));
    // Nor open streams only to give them up; from turn to turn it may.
    let session = open();
    let given_up = |stream| [frame(HEADERS, LAST, stream, GET), frame(RST_STREAM, 0, stream, &[0; 4])].concat();
    let mut stream = 1;
    for (turns, is_over) in [([20, 20], false), ([0, 21], true)] {
        for number in turns {
            session.begin_turn();
            for _ in 0..number {
                session.receive(&given_up(stream));
                stream += 2;
            }
        }
        assert_eq!(session.is_over(), is_over);
    }
    assert!(written(&session, usize::MAX).iter().any(farewell(Reason::ENHANCE_YOUR_CALM)));
}

#[test]
fn no_more_streams_are_open_than_was_said_and_a_long_head_is_answered() {
    let session = open();
    for stream in [1, 3, 5, 7] {
        session.receive(&frame(HEADERS, LAST, stream, GET));
    }
    assert_eq!(written(&session, usize::MAX), [reset(7, Reason::REFUSED_STREAM)]);
    let (request, to_client) = accepted(&session);
    drop(request);
    to_client.send_head(StatusCode::OK, &HeaderMap::new(), true);
    session.receive(&frame(HEADERS, LAST, 9, GET));
    assert_eq!(written(&session, usize::MAX), [Got(HEADERS, LAST, 1, vec![0x88])]);
    let session = open();
    let long = [GET, &[0x40, 1, b'a', 0], &[0xbe; 200]].concat();
    session.receive(&frame(HEADERS, END_HEADERS, 1, &long));
    let answer = Got(HEADERS, LAST, 1, b"\x08\x03431".into());
    assert_eq!(written(&session, usize::MAX), [answer, reset(1, Reason::NO_ERROR)]);
    assert!(session.accept().is_none());
}

#[test]
fn nothing_more_is_read_from_whom_much_is_owed() {
    let session = open();
    let mut asked = 0;
    while !session.is_full() {
        session.receive(&frame(PING, 0, 0, &[1; 8]).repeat(100));
        asked += 100;
        assert!(asked < 20_000);
    }
    assert_eq!(written(&session, usize::MAX).len(), asked);
    assert!(!session.is_full());
}

#[test]
fn a_client_that_has_not_heard_of_a_smaller_window_may_use_the_first() {
    let session = Session::new(LIMITS, Rc::default());
    session.receive(&[PREFACE, &frame(SETTINGS, 0, 0, &[]), &frame(HEADERS, END_HEADERS, 1, POST)].concat());
    session.receive(&[frame(DATA, 0, 1, &[0; 16_384]), frame(SETTINGS, ACK, 0, &[])].concat());
    session.receive(&frame(HEADERS, END_HEADERS, 3, POST));
    let (first, second) = (accepted(&session), accepted(&session));
    // It is told of room once half of what it may have now was read, since it counts from there.
    first.0.body().release(500);
    session.receive(&frame(DATA, 0, 3, &[0; 1001]));
    let said = written(&session, usize::MAX);
    assert!(said.contains(&Got(WINDOW_UPDATE, 0, 1, vec![0, 0, 1, 0xf4])), "{said:?}");
    assert!(said.contains(&reset(3, Reason::FLOW_CONTROL_ERROR)), "{said:?}");
    drop(second);
}
