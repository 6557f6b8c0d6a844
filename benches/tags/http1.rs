//! Clients of HTTP/1.1 that keep their connection, until it or they break.

use std::io::{self, BufReader, Read, Write};
use std::sync::atomic::Ordering;

use crate::edge::Stream;
use crate::judge::{Answered, Judge, Tag};
use crate::message::{Content, Framing, Head};
use crate::random::Random;

/// Asks on one connection after the other until there are no more tags.
pub(crate) fn ask(number: u64, judge: &Judge, connect: impl Fn() -> io::Result<Stream>) {
    let mut random = Random::new(number);
    let mut client: Option<BufReader<Stream>> = None;
    while let Some(tag) = judge.tag() {
        let open = match client.take() {
            Some(open) => open,
            None => BufReader::new(connect().expect("a handshake")),
        };
        // Now and then two come at once.
        let behind = (random.below(20) == 0).then(|| judge.tag()).flatten();
        client = exchange(open, tag, behind, judge, &mut random);
    }
}

/// One request, or two, and what comes of them. Gives the connection back if it may be used again.
fn exchange(
    mut client: BufReader<Stream>,
    tag: Tag,
    behind: Option<Tag>,
    judge: &Judge,
    random: &mut Random,
) -> Option<BufReader<Stream>> {
    let (method, request) = match behind {
        Some(behind) => ("GET", [get(tag, random), get(behind, random)].concat()),
        None => request(tag, random),
    };
    let whim = random.below(100);
    let sent = if whim < 3 { request.len() * (whim + 1) / 4 } else { request.len() };
    let written = client.get_mut().write_all(&request[..sent]).and_then(|()| client.get_mut().flush());
    let tags = [Some(tag), behind].into_iter().flatten();
    if whim < 6 {
        if whim >= 4 {
            // It reads something and goes.
            let _ = client.read(&mut [0; 100]);
        }
        judge.given_up.fetch_add(tags.count() as u64, Ordering::Relaxed);
        return None;
    }
    let mut usable = written.is_ok();
    for tag in tags {
        // What was not written may have an answer all the same.
        match answer(&mut client, tag, method == "HEAD", judge) {
            Ok(stays) => usable &= stays,
            Err(_) => {
                judge.broken_off.fetch_add(1, Ordering::Relaxed);
                usable = false;
            }
        }
    }
    usable.then_some(client)
}

/// Reads one answer. Whether the connection stays.
fn answer(client: &mut BufReader<Stream>, tag: Tag, to_head: bool, judge: &Judge) -> io::Result<bool> {
    let (status, head) = loop {
        let head = Head::read(client)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let status: u16 = head.start.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
        if status >= 200 {
            break (status, head);
        }
    };
    let answered =
        Answered { status, tag: head.field("x-tag"), path: head.field("x-path"), length: head.field("x-length") };
    let is_upstreams = judge.head(tag, &answered);
    let framing = match head.framing() {
        _ if to_head => Framing::None,
        Framing::None => Framing::UntilClose,
        framing => framing,
    };
    let body = Content::read(client, framing)?;
    if is_upstreams && to_head {
        judge.head_alone();
    } else if is_upstreams {
        judge.octets(tag, &body.bytes, 0);
        judge.ended(tag, &answered, body.bytes.len());
    }
    Ok(head.field("connection") != Some("close"))
}

/// Where it is asked for; some of it goes to who speaks HTTP/2.
pub(crate) fn path(tag: Tag, random: &mut Random) -> String {
    let prefix = if random.below(3) == 0 { "/2/" } else { "/1/" };
    prefix.to_owned() + &tag.text()
}

/// Octets of a request's body: from nothing to more than what waits anywhere on the way.
pub(crate) fn length(random: &mut Random) -> usize {
    match random.below(10) {
        0 => 0,
        9 => 60_000 + random.below(60_000),
        _ => random.below(5_000),
    }
}

fn get(tag: Tag, random: &mut Random) -> Vec<u8> {
    format!("GET {} HTTP/1.1\r\nhost: shop.example\r\nx-tag: {}\r\n\r\n", path(tag, random), tag.text()).into_bytes()
}

fn request(tag: Tag, random: &mut Random) -> (&'static str, Vec<u8>) {
    let (path, text) = (path(tag, random), tag.text());
    let begin =
        |method: &str| format!("{method} {path} HTTP/1.1\r\nhost: shop.example\r\nx-tag: {text}\r\n").into_bytes();
    match random.below(4) {
        0 => ("HEAD", [begin("HEAD"), b"\r\n".to_vec()].concat()),
        1 => {
            let body = tag.content(length(random));
            let length = format!("content-length: {}\r\n\r\n", body.len());
            ("POST", [begin("POST"), length.into_bytes(), body].concat())
        }
        2 => {
            let body = tag.content(length(random));
            let mut octets = begin("POST");
            octets.extend_from_slice(b"transfer-encoding: chunked\r\n\r\n");
            for piece in body.chunks(1 + random.below(20_000)) {
                octets.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
                octets.extend_from_slice(piece);
                octets.extend_from_slice(b"\r\n");
            }
            octets.extend_from_slice(b"0\r\n\r\n");
            ("POST", octets)
        }
        _ => ("GET", [begin("GET"), b"\r\n".to_vec()].concat()),
    }
}
