//! Peers that speak HTTP/2 to wear the edge out (RELIABILITY.md §1.2): what each costs in memory, how it is ended, and what whoever comes
//! beside them feels of it.

use std::time::{Duration, Instant};

use crate::support::frame::{
    self, ACK, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, PREFACE, RST_STREAM, SETTINGS, WINDOW_UPDATE,
};
use crate::support::{ClientTls, Edge, Origin, Setup, Talk};

/// A frame of any length on any stream.
fn frame(kind: u8, flags: u8, stream: u32, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).expect("a length").to_be_bytes();
    [&[length[1], length[2], length[3], kind, flags][..], &stream.to_be_bytes(), content].concat()
}

/// A connection on which the attacker opens no window for answers.
fn open(edge: &Edge, window: u32) -> Talk {
    let mut client = ClientTls::new(&[&rustls::version::TLS13]).alpn(&["h2"]).open(edge.https, "shop.example");
    // SETTINGS_INITIAL_WINDOW_SIZE (RFC 9113 §6.5.2).
    let settings = [&[0, 4][..], &window.to_be_bytes()].concat();
    client.send([PREFACE, &frame(SETTINGS, 0, 0, &settings), &frame(SETTINGS, ACK, 0, &[])].concat());
    client
}

/// What is sent on one connection; gives whether the edge is still there.
type Attack = fn(&mut Talk) -> bool;

/// Streams with heads of so many fields, an octet each beyond the first (RFC 7541 §6.1).
fn bomb(client: &mut Talk, fields: usize) -> bool {
    let mut head = frame::head(GET);
    // A field of its own, remembered; its place in the table is 62.
    head.extend([0x40, 1, b'a', 0]);
    head.extend(std::iter::repeat_n(0xbe, fields));
    (0..100).all(|stream| {
        let (first, rest) = head.split_at(head.len().min(LONGEST));
        let end = if rest.is_empty() { END_HEADERS } else { 0 };
        let mut octets = frame(HEADERS, END_STREAM | end, stream * 2 + 1, first);
        for (place, piece) in rest.chunks(LONGEST).enumerate() {
            let end = if (place + 1) * LONGEST >= rest.len() { END_HEADERS } else { 0 };
            octets.extend(frame(CONTINUATION, end, stream * 2 + 1, piece));
        }
        client.try_send(&octets).is_ok()
    })
}

fn crumbs(client: &mut Talk) -> bool {
    let mut head = frame::head(GET);
    // cookie: a=1, remembered.
    head.extend([0x60, 3, b'a', b'=', b'1']);
    head.extend(std::iter::repeat_n(0xbe, 255));
    (0..100).all(|stream| client.try_send(frame(HEADERS, END_STREAM | END_HEADERS, stream * 2 + 1, &head)).is_ok())
}

/// Requests that are given up at once (CVE-2023-44487).
fn rapid_reset(client: &mut Talk) -> bool {
    (0..2000).all(|stream| {
        let begun = frame(HEADERS, END_STREAM | END_HEADERS, stream * 2 + 1, &frame::head(GET));
        client.try_send([begun, frame(RST_STREAM, 0, stream * 2 + 1, &[0, 0, 0, 8])].concat()).is_ok()
    })
}

/// Mistakes that make the edge give up its answers (CVE-2025-8671).
fn made_reset(client: &mut Talk) -> bool {
    (0..2000).all(|stream| {
        let begun = frame(HEADERS, END_STREAM | END_HEADERS, stream * 2 + 1, &frame::head(GET));
        let too_much = frame(WINDOW_UPDATE, 0, stream * 2 + 1, &[0x7f, 0xff, 0xff, 0xff]).repeat(2);
        client.try_send([begun, too_much].concat()).is_ok()
    })
}

/// A head without an end (RUSTSEC-2024-0332).
fn continuations(client: &mut Talk) -> bool {
    let piece = frame(CONTINUATION, 0, 1, &[0x10, 1, b'a', 1, b'b']);
    client.try_send(frame(HEADERS, END_STREAM, 1, &frame::head(GET))).is_ok()
        && (0..20_000).all(|_| client.try_send(&piece).is_ok())
}

fn empty_continuations(client: &mut Talk) -> bool {
    let piece = frame(CONTINUATION, 0, 1, &[]);
    client.try_send(frame(HEADERS, END_STREAM, 1, &frame::head(GET))).is_ok()
        && (0..20_000).all(|_| client.try_send(&piece).is_ok())
}

/// Frames of a body that hold nothing (RUSTSEC-2026-0258).
fn empty_data(client: &mut Talk) -> bool {
    let piece = frame(DATA, 0, 1, &[]).repeat(100);
    client.try_send(frame(HEADERS, END_HEADERS, 1, &frame::head(POST))).is_ok()
        && (0..500).all(|_| client.try_send(&piece).is_ok())
}

/// Questions whose answers are not read (CVE-2019-9512, -9515).
fn pings(client: &mut Talk) -> bool {
    let many = frame(PING, 0, 0, &[7; 8]).repeat(100);
    (0..500).all(|_| client.try_send(&many).is_ok())
}

fn settings(client: &mut Talk) -> bool {
    let many = frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100]).repeat(100);
    (0..500).all(|_| client.try_send(&many).is_ok())
}

/// Requests on streams that were, so that each makes the edge answer with a reset (CVE-2019-9514).
fn resets(client: &mut Talk) -> bool {
    let many = frame(DATA, END_STREAM, 1, b"x").repeat(100);
    client.try_send(frame(HEADERS, END_STREAM | END_HEADERS, 1, &frame::head(GET))).is_ok()
        && (0..200).all(|_| client.try_send(&many).is_ok())
}

/// Runs an attack on 20 connections at once beside an honest client. Gives by how much memory grew while they were held, and how long the
/// honest client's requests took, sorted.
fn under(attack: Attack, edge: &Edge) -> (u64, Vec<Duration>) {
    let mut honest = edge.open("shop.example");
    let mut times = Vec::new();
    let mut ask = |times: &mut Vec<Duration>| {
        let begun = Instant::now();
        assert_eq!(honest.get("shop.example", "/").text(), BODY);
        times.push(begun.elapsed());
    };
    (0..50).for_each(|_| ask(&mut Vec::new()));
    let before = edge.resident();
    let most = std::thread::scope(|scope| {
        let attackers: Vec<_> = (0..20)
            .map(|_| {
                scope.spawn(move || {
                    let mut client = open(edge, 0);
                    attack(&mut client);
                    client
                })
            })
            .collect();
        let mut most = before;
        while !attackers.iter().all(|attacker| attacker.is_finished()) {
            ask(&mut times);
            most = most.max(edge.resident());
        }
        let held: Vec<Talk> = attackers.into_iter().map(|attacker| attacker.join().expect("an attacker")).collect();
        for _ in 0..200 {
            ask(&mut times);
            most = most.max(edge.resident());
        }
        drop(held);
        most
    });
    times.sort_unstable();
    (most.saturating_sub(before), times)
}

#[test]
fn whoever_wears_it_out_costs_little_and_harms_nobody() {
    let attacks: [(&str, Attack); 13] = [
        ("a small bomb", |client| bomb(client, 95)),
        ("a bomb", |client| bomb(client, 900)),
        ("a large bomb", |client| bomb(client, 60_000)),
        ("crumbs", crumbs),
        ("rapid resets", rapid_reset),
        ("made resets", made_reset),
        ("continuations", continuations),
        ("empty continuations", empty_continuations),
        ("empty data", empty_data),
        ("pings", pings),
        ("settings", settings),
        ("resets", resets),
        ("answers that nobody takes", |client| bomb(client, 0)),
    ];
    let mut report = Vec::new();
    for (name, attack) in attacks {
        let origin = Origin::saying(BODY);
        let mut setup = Setup::shop(&origin);
        setup.set("edge", "workers = 1");
        let edge = setup.start();
        let (grown, times) = under(attack, &edge);
        let p99 = times[times.len() * 99 / 100];
        let line = format!("{name}: +{grown} KiB, p50 {:?}, p99 {p99:?} of {}", times[times.len() / 2], times.len());
        eprintln!("{line}");
        let most = if name == "a small bomb" { MOST_OF_A_SMALL_BOMB } else { MOST };
        report.push((line, grown <= most, p99 <= LONGEST_WAIT));
    }
    let bad: Vec<_> = report.iter().filter(|(_, little, soon)| !little || !soon).collect();
    assert!(bad.is_empty(), "{bad:#?}");
}

/// The code of the farewell that an attack gets; `None`: the connection is kept.
fn farewell(edge: &Edge, attack: Attack) -> Option<u8> {
    let mut client = open(edge, 65_535);
    attack(&mut client);
    let _ = client.try_send(frame(PING, 0, 0, &[9; 8]));
    loop {
        match frame::next_frame(&mut client)? {
            (GOAWAY, _, content) => return content.get(7).copied(),
            (PING, ACK, content) if content == [9; 8] => return None,
            _ => {}
        }
    }
}

#[test]
fn floods_are_ended_with_the_code_for_them() {
    let origin = Origin::saying(BODY);
    let edge = Setup::shop(&origin).start();
    // ENHANCE_YOUR_CALM (RFC 9113 §7).
    for (name, attack) in
        [("rapid resets", rapid_reset as Attack), ("made resets", made_reset), ("continuations", continuations)]
    {
        assert_eq!(farewell(&edge, attack), Some(11), "{name}");
    }
    let mut honest = edge.open("shop.example");
    assert_eq!(honest.get("shop.example", "/").text(), BODY);
}

const GET: u8 = 2;
const POST: u8 = 3;
const CONTINUATION: u8 = 9;
const LONGEST: usize = 16_384;
const BODY: &str = "hello from the shop";
/// KiB that 20 of them may cost; 20 MiB were seen.
const MOST: u64 = 32 << 10;
/// Of these 16 MiB are owed, and 13 to 15 were seen; the system counts in steps of its own.
const MOST_OF_A_SMALL_BOMB: u64 = 20 << 10;
/// What whoever comes beside them waits at most, on a machine that has twenty attackers and other tests to run as well.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
