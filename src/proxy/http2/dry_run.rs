//! Reads HTTP/2 as a worker does, without a connection: what is looked for by tools that feed it anything.

use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use http::{HeaderMap, StatusCode};

use super::{FromClient, Limits, Session, ToClient};
use crate::limits;

/// What a client's octets come to over HTTP/2.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadStreams {
    /// Method, target, octets of the body of each request, and whether it is whole.
    pub requests: Vec<(String, String, u64, bool)>,
    /// What the client is sent, if each request gets an empty answer at the end.
    pub sent: Vec<u8>,
    /// Whether the connection has ended.
    pub is_over: bool,
}

/// Reads streams that come in these pieces.
#[must_use]
pub fn read_streams(pieces: &[&[u8]]) -> ReadStreams {
    let session = Session::new(
        Limits {
            streams: limits::H2_STREAMS,
            stream_window: limits::H2_STREAM_WINDOW,
            connection_window: limits::H2_CONNECTION_WINDOW,
            head_size: limits::HEAD_SIZE as u32,
            send_buffer: limits::H2_SEND_BUFFER,
            fields: limits::HEADERS,
        },
        Rc::default(),
    );
    pieces.iter().for_each(|piece| session.receive(piece));
    let mut read = ReadStreams::default();
    while let Some((request, to_client)) = session.accept() {
        let (head, upload) = request.into_parts();
        let (length, is_whole) = drained(&upload);
        read.requests.push((head.method.to_string(), head.uri.to_string(), length, is_whole));
        answer(&to_client);
    }
    let done = session.poll_write(|slices| {
        let first = slices.first().map_or(&[][..], |slice| slice);
        read.sent.extend_from_slice(first);
        Poll::Ready(Ok(first.len()))
    });
    read.is_over = session.is_over();
    debug_assert!(done.is_ready());
    read
}

fn drained(upload: &FromClient) -> (u64, bool) {
    let (cx, mut length) = (Context::from_waker(Waker::noop()), 0);
    while let Poll::Ready(Ok(data)) = upload.poll_data(&cx) {
        let Some(data) = data else { return (length, true) };
        upload.release(data.len());
        length += data.len() as u64;
    }
    (length, false)
}

fn answer(to_client: &ToClient) {
    to_client.send_head(StatusCode::NO_CONTENT, &HeaderMap::new(), true);
}
