//! A session against a client of rustls, with nothing between them.

use std::io::{IoSlice, Write};

use proptest::prelude::*;
use rustls::HandshakeKind;
use rustls::crypto::aws_lc_rs;
use rustls::version::{TLS12, TLS13};

use self::peers::{Loose, PAIRS, Pair, Side, Talk, fatal};
use super::super::scratch::Rooms;
use super::*;

mod peers;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn nothing_is_lost_however_it_is_cut_up(
        newest: bool,
        parts in proptest::collection::vec(1_usize..3000, 1..8),
        room in 1_usize..20_000,
        said in proptest::collection::vec(1_usize..40_000, 1..4),
        answered in proptest::collection::vec(0_usize..50_000, 1..6),
    ) {
        let pair = &PAIRS[usize::from(newest)];
        for _ in 0..2 {
            let mut talk = Talk::between(pair);
            let said: Vec<u8> = said.iter().enumerate().flat_map(|(at, size)| vec![at as u8; *size]).collect();
            // It is sent together with the last of the handshake.
            talk.client.set_buffer_limit(None);
            talk.client.writer().write_all(&said).expect("buffered");
            talk.bring(&parts, room).expect("served");
            prop_assert!(talk.read == said && talk.incoming.is_empty());

            let pieces: Vec<Vec<u8>> = answered.iter().enumerate().map(|(at, size)| vec![at as u8; *size]).collect();
            let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
            prop_assert!(talk.answer(&pieces) == pieces.concat());

            talk.client.send_close_notify();
            talk.bring(&parts, room).expect("served");
            prop_assert!(talk.records().has_ended());
        }
    }

    #[test]
    fn what_a_peer_says_is_an_error_at_worst(octets in proptest::collection::vec(any::<u8>(), 0..2000), at in 0_usize..4000) {
        for pair in &*PAIRS {
            let mut talk = Talk::between(pair);
            let mut hello = Vec::new();
            talk.client.write_tls(&mut hello).expect("a hello");
            hello.truncate(at.min(hello.len()));
            hello.extend_from_slice(&octets);
            let _ = talk.serve(&hello, 1000);

            let mut talk = Talk::begun(pair);
            let _ = talk.serve(&octets, 1000);
        }
    }

    #[test]
    fn records_of_any_kind_are_an_error_at_worst_and_content_between_them_is_read(
        newest: bool,
        said in proptest::collection::vec((prop_oneof![Just(21_u8), Just(22), Just(23), any::<u8>()], proptest::collection::vec(any::<u8>(), 0..9)), 0..40),
    ) {
        let mut client = Loose::from(&PAIRS[usize::from(newest)]);
        let mut content = Vec::new();
        for (kind, octets) in said {
            let kind = ContentType::from(kind);
            if client.say(kind, &octets).is_err() {
                break;
            }
            let ended = client.talk.records().peer_closed;
            if kind == ContentType::ApplicationData && !ended {
                content.extend_from_slice(&octets);
            }
            prop_assert_eq!(&client.talk.read, &content);
        }
    }

    #[test]
    fn updates_are_read_however_they_are_cut_up(cuts in proptest::collection::vec(1_usize..6, 1..6), asked: bool) {
        let mut message = KeyUpdates::MESSAGE;
        message[4] = u8::from(asked);
        let (mut updates, mut rest, mut cuts) = (KeyUpdates::default(), &message[..], cuts.into_iter().cycle());
        while !rest.is_empty() {
            let (part, behind) = rest.split_at(cuts.next().expect("a cut").min(rest.len()));
            let is_whole = updates.read(part, &mut Patience::default()).expect("an update");
            prop_assert_eq!((is_whole, updates.are_between_messages()), (behind.is_empty(), behind.is_empty()));
            rest = behind;
        }
        prop_assert_eq!((updates.take_owed(), updates.take_owed()), (asked, false));
    }
}

#[test]
fn every_suite_is_spoken() {
    for suite in aws_lc_rs::ALL_CIPHER_SUITES {
        let version = match suite {
            SupportedCipherSuite::Tls12(_) => &TLS12,
            SupportedCipherSuite::Tls13(_) => &TLS13,
        };
        // Half of those of TLS 1.2 are for keys of RSA.
        if format!("{suite:?}").contains("RSA") {
            continue;
        }
        let mut talk = Talk::begun(&Pair::speaking(version, &[*suite]));
        assert_eq!(talk.records().suite, *suite);
        talk.client.writer().write_all(&[7; 40_000]).expect("buffered");
        talk.bring(&[1000], 4096).expect("served");
        assert!(talk.read == [7; 40_000]);
        assert!(talk.answer(&[b"HTTP/1.1 200 OK\r\n\r\n", &[8; 100_000]])[19..] == [8; 100_000]);
    }
}

#[test]
fn a_session_is_resumed_and_the_request_that_comes_with_its_end_is_read() {
    for pair in &[Pair::of_any(&TLS12), Pair::of_any(&TLS13)] {
        for kind in [HandshakeKind::Full, HandshakeKind::Resumed, HandshakeKind::Resumed] {
            let mut talk = Talk::between(pair);
            talk.client.writer().write_all(b"GET /").expect("buffered");
            talk.bring(&[usize::MAX], 4096).expect("served");
            assert_eq!((talk.kind, &talk.read[..]), (Some(kind), &b"GET /"[..]));
            assert_eq!(talk.answer(&[b"HTTP/1.1 200 OK\r\n", b"", b"\r\n"]), b"HTTP/1.1 200 OK\r\n\r\n");
        }
    }
}

#[test]
fn a_peer_is_told_what_was_wrong() {
    let sealed = [23, 3, 3, 0, 40].into_iter().chain([0; 40]).collect::<Vec<u8>>();
    for (at, pair) in PAIRS.iter().enumerate() {
        let wrong = |mut record: Vec<u8>| Loose::from(pair).bring_wrong(&mut record);
        assert_eq!(wrong(sealed.clone()), (Error::DecryptError, fatal(AlertDescription::BadRecordMac)));
        let long = RECORD + [MORE_12, MORE_13][at] + 1;
        let [high, low] = u16::try_from(long).expect("short").to_be_bytes();
        assert_eq!(
            wrong(vec![23, 3, 3, high, low]),
            (Error::PeerSentOversizedRecord, fatal(AlertDescription::RecordOverflow))
        );
        assert_eq!(wrong(vec![20, 3, 3, 0, 1, 1]).1, fatal(AlertDescription::UnexpectedMessage));
        assert_eq!(wrong(vec![23, 2, 3, 0, 1, 1]).1, fatal(AlertDescription::DecodeError));
        assert_eq!(wrong(b"GET / HTTP/1.1\r\n".to_vec()).1, fatal(AlertDescription::DecodeError));
        let alert = |alert: &[u8]| Loose::from(pair).say_wrong(ContentType::Alert, alert);
        assert_eq!(alert(&[1]).1, fatal(AlertDescription::DecodeError));
        assert_eq!(alert(&[3, 40]).1, fatal(AlertDescription::IllegalParameter));
        // Whoever says what is wrong is told nothing.
        assert_eq!(alert(&[FATAL, 40]), (Error::AlertReceived(AlertDescription::HandshakeFailure), vec![]));
    }
    let [_, newest] = &*PAIRS;
    let said = |kind, content: &[u8]| Loose::from(newest).say_wrong(kind, content).1;
    assert_eq!(said(ContentType::Alert, &[WARNING, 41]), fatal(AlertDescription::DecodeError));
    assert_eq!(said(ContentType::Handshake, &[1, 0, 0, 1, 0]), fatal(AlertDescription::UnexpectedMessage));
    assert_eq!(said(ContentType::Handshake, &[24, 0, 1]), fatal(AlertDescription::IllegalParameter));
    assert_eq!(said(ContentType::Handshake, &[24, 0, 0, 1, 2]), fatal(AlertDescription::IllegalParameter));
    assert_eq!(said(ContentType::Handshake, &[24, 0, 0, 1, 0, 24]), fatal(AlertDescription::UnexpectedMessage));
    assert_eq!(said(ContentType::Handshake, &[]), fatal(AlertDescription::DecodeError));
    // Nothing comes between the parts of a message.
    let mut client = Loose::from(newest);
    client.say(ContentType::Handshake, &[24, 0]).expect("a part");
    assert_eq!(client.say_wrong(ContentType::ApplicationData, b"GET /").1, fatal(AlertDescription::UnexpectedMessage));
}

#[test]
fn a_peer_is_borne_with_so_often_and_no_oftener() {
    let [older, newest] = &*PAIRS;
    let until_refused = |mut client: Loose, kind: ContentType, content: &[u8]| {
        let mut borne = 0;
        while client.say(kind, content).is_ok() {
            borne += 1;
        }
        borne
    };
    assert_eq!(until_refused(Loose::from(older), ContentType::Alert, &[WARNING, 100]), 4);
    assert_eq!(until_refused(Loose::from(newest), ContentType::Alert, &[WARNING, 90]), 4);
    for pair in [older, newest] {
        assert_eq!(until_refused(Loose::from(pair), ContentType::ApplicationData, b""), 32);
        // With content between them they are borne with for ever.
        let mut client = Loose::from(pair);
        for _ in 0..100 {
            client.say(ContentType::ApplicationData, b"").expect("empty");
            client.say(ContentType::ApplicationData, b"a").expect("content");
        }
        assert_eq!(client.talk.read, [b'a'; 100]);
    }
    // Another handshake is refused once, and then the session.
    let mut client = Loose::from(older);
    let refused = client.say(ContentType::Handshake, &[1, 0, 0, 0]).expect("borne with");
    assert_eq!(refused, [(ContentType::Alert, vec![WARNING, AlertDescription::NoRenegotiation.into()])]);
    client.say(ContentType::ApplicationData, b"still here").expect("served");
    assert_eq!(client.talk.read, b"still here");
    assert_eq!(client.say_wrong(ContentType::Handshake, &[1, 0, 0, 0]).1, fatal(AlertDescription::UnexpectedMessage));
    // A peer that only ever changes its key is another matter than one that says something under each.
    let mut talk = Talk::begun(newest);
    let update = |talk: &mut Talk, times: usize| {
        for _ in 0..times {
            talk.client.refresh_traffic_keys().expect("an update");
        }
        talk.bring(&[usize::MAX], 4096)
    };
    for round in 0..40 {
        talk.client.writer().write_all(&[round]).expect("buffered");
        update(&mut talk, 1).expect("borne with");
        assert_eq!(talk.answer(&[b"still here"]), b"still here");
    }
    assert_eq!(talk.read.len(), 40);
    update(&mut talk, 31).expect("borne with");
    let refused = update(&mut talk, 1).expect_err("refused").into_inner().expect("of TLS");
    let told = refused.downcast::<Error>().expect("of TLS");
    assert_eq!(*told, rustls::PeerMisbehaved::TooManyKeyUpdateRequests.into());
}

#[test]
fn keys_are_renewed_when_the_peer_wants_it() {
    let [_, newest] = &*PAIRS;
    let mut talk = Talk::begun(newest);
    for round in 0..3_u8 {
        talk.client.refresh_traffic_keys().expect("an update");
        talk.client.writer().write_all(&[round; 3]).expect("buffered");
        talk.bring(&[7], 4096).expect("served");
        assert_eq!(talk.read.split_off(0), [round; 3]);
        assert_eq!(talk.answer(&[&[round; 30_000]]), [round; 30_000]);
    }
}

#[test]
fn a_key_seals_no_more_than_it_may() {
    let [older, newest] = &*PAIRS;
    let mut talk = Talk::begun(newest);
    for _ in 0..3 {
        talk.records().wear(3);
        assert!(talk.answer(&[&[9; 10 * RECORD]]) == [9; 10 * RECORD]);
        assert_eq!(talk.answer(&[b"more"]), b"more");
    }
    // TLS 1.2 has no other key: the peer is told that nothing follows.
    let mut talk = Talk::begun(older);
    talk.records().wear(3);
    assert_eq!(talk.answer(&[b"one"]), b"one");
    assert_eq!(talk.answer(&[b"two"]), b"two");
    let (refused, said) = talk.write(&[IoSlice::new(b"three")]);
    assert_eq!(refused.expect_err("worn").kind(), io::ErrorKind::NotConnected);
    talk.client.read_tls(&mut &said[..]).expect("taken");
    assert!(talk.client.process_new_packets().expect("an end").peer_has_closed());
    assert!(talk.write(&[IoSlice::new(b"three")]).1.is_empty());
}

#[test]
fn the_end_is_said_once_and_reading_goes_on_behind_it() {
    for pair in &*PAIRS {
        let mut talk = Talk::begun(pair);
        let close = |talk: &mut Talk| {
            let Talk { server: Some(Side::Open(records)), scratch, .. } = talk else { panic!("hands are shaken") };
            scratch.lend(|Rooms { outgoing, .. }| {
                records.close(outgoing);
                outgoing.content().to_vec()
            })
        };
        let said = close(&mut talk);
        talk.client.read_tls(&mut &said[..]).expect("taken");
        assert!(talk.client.process_new_packets().expect("an end").peer_has_closed());
        assert!(close(&mut talk).is_empty());
        assert!(talk.write(&[IoSlice::new(b"more")]).0.is_err());
        talk.client.writer().write_all(b"bye").expect("buffered");
        talk.bring(&[usize::MAX], 4096).expect("served");
        assert_eq!(talk.read, b"bye");
    }
}
