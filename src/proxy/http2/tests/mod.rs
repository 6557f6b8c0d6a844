//! Sessions, by what a client sends and what it is sent.

mod any_octets;
mod exchanges;
mod rules;

use std::io::IoSlice;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::BytesMut;
use http::Request;

use super::frame::{self, ACK, END_HEADERS, END_STREAM, GOAWAY, PREFACE, RST_STREAM, SETTINGS, WINDOW_UPDATE};
use super::*;

const LIMITS: Limits =
    Limits { streams: 3, stream_window: 1000, connection_window: 70_000, head_size: 4096, send_buffer: 1, fields: 20 };
/// GET, https, the root; no authority.
const GET: &[u8] = &[0x82, 0x87, 0x84];
const POST: &[u8] = &[0x83, 0x87, 0x84];
const LAST: u8 = END_HEADERS | END_STREAM;

fn frame(kind: u8, flags: u8, stream: u32, content: &[u8]) -> Vec<u8> {
    let mut out = BytesMut::new();
    frame::write_head(&mut out, content.len(), kind, flags, stream);
    [&out[..], content].concat()
}

/// A frame as the client gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Got(u8, u8, u32, Vec<u8>);

fn farewell(reason: Reason) -> impl Fn(&Got) -> bool {
    move |got| got.0 == GOAWAY && got.3[4..8] == reason.0.to_be_bytes()
}

fn reset(stream: u32, reason: Reason) -> Got {
    Got(RST_STREAM, 0, stream, reason.0.to_be_bytes().into())
}

/// What waits to be written, `most` octets at a time.
fn written(session: &Session, most: usize) -> Vec<Got> {
    let mut octets = Vec::new();
    let done = session.poll_write(|slices| {
        let all: Vec<u8> = slices.iter().flat_map(|slice: &IoSlice<'_>| slice.to_vec()).collect();
        octets.extend_from_slice(&all[..all.len().min(most)]);
        Poll::Ready(Ok(all.len().min(most)))
    });
    assert!(matches!(done, Poll::Ready(Ok(()))));
    let (mut rest, mut frames) = (&octets[..], Vec::new());
    while let Some(head) = frame::Head::read(rest) {
        let (content, after) = rest[frame::LENGTH..].split_at(head.length);
        frames.push(Got(head.kind, head.flags, head.stream, content.into()));
        rest = after;
    }
    assert!(rest.is_empty());
    frames
}

/// A session that has been opened, and has said what it takes.
fn open() -> Rc<Session> {
    let session = Session::new(LIMITS, Rc::default());
    session.receive(&[PREFACE, &frame(SETTINGS, 0, 0, &[]), &frame(SETTINGS, ACK, 0, &[])].concat());
    let said = written(&session, usize::MAX);
    assert_eq!(said[0].0, SETTINGS);
    assert_eq!(said[1..], [Got(WINDOW_UPDATE, 0, 0, vec![0, 0, 0x11, 0x71]), Got(SETTINGS, ACK, 0, vec![])]);
    session
}

/// What comes of these octets, beside requests.
fn answered(octets: &[u8]) -> Vec<Got> {
    let session = open();
    session.receive(octets);
    written(&session, usize::MAX)
}

fn context() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

fn accepted(session: &Rc<Session>) -> (Request<FromClient>, ToClient) {
    session.accept().expect("a request")
}
