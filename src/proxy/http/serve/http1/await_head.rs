//! The wait for a request's head, in as little memory as it takes: whoever says nothing, and whoever says a head octet by octet, holds none
//! of what answering needs.

use std::future::poll_fn;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use http::StatusCode;
use tokio::io::{AsyncRead, ReadBuf};

use super::head::{self, Head};
use super::poll_deadline;
use crate::limits::Limits;
use crate::proxy::connection::{Connection, Phase};
use crate::proxy::http::serve::End;
use crate::telemetry::GateRule;

/// Waits for a head. `read` came before; what comes behind the head is left there.
pub(super) async fn await_head(connection: &Rc<Connection>, read: &mut BytesMut) -> Result<Head, End> {
    let (mut io, mut told, mut seen) = (connection.io(), false, 0);
    if !read.is_empty() {
        connection.enter(Phase::Head);
    }
    poll_fn(|cx| {
        loop {
            if seen < read.len() {
                match look(read, seen, &connection.limits) {
                    Ok(Some(head)) => {
                        read.advance(head.length);
                        if read.is_empty() {
                            *read = BytesMut::new();
                        }
                        return Poll::Ready(Ok(head));
                    }
                    Ok(None) => seen = read.len(),
                    Err(status) => return Poll::Ready(Err(unreadable(connection, status))),
                }
            }
            if connection.is_leaving() && !told {
                told = true;
                connection.leave();
            }
            if let Poll::Ready(end) = poll_deadline(connection, cx) {
                return Poll::Ready(Err(end));
            }
            let mut room = [const { MaybeUninit::uninit() }; ROOM];
            let mut buffer = ReadBuf::uninit(&mut room);
            match ready!(Pin::new(&mut io).poll_read(cx, &mut buffer)) {
                Err(_) => return Poll::Ready(Err(End::Failed)),
                Ok(()) if buffer.filled().is_empty() => {
                    let end = if read.is_empty() { End::Done(Bytes::new()) } else { End::Failed };
                    return Poll::Ready(Err(end));
                }
                // Nearly always it is all here, and need not be kept.
                Ok(()) if read.is_empty() => match look(buffer.filled(), 0, &connection.limits) {
                    Ok(Some(head)) => {
                        *read = buffer.filled()[head.length..].into();
                        return Poll::Ready(Ok(head));
                    }
                    Ok(None) => {
                        read.extend_from_slice(buffer.filled());
                        seen = read.len();
                    }
                    Err(status) => return Poll::Ready(Err(unreadable(connection, status))),
                },
                Ok(()) => read.extend_from_slice(buffer.filled()),
            }
        }
    })
    .await
}

fn unreadable(connection: &Connection, status: StatusCode) -> End {
    connection.worker.counters.refused.count(GateRule::Malformed);
    End::Unreadable(status)
}

/// The head, if all of it is there; a mistake is told as soon as it can be seen. Of what was `seen` before nothing is new but where it
/// ends: a head that comes octet by octet is read once.
pub(super) fn look(read: &[u8], seen: usize, limits: &Limits) -> Result<Option<Head>, StatusCode> {
    // Empty lines before a request are to be skipped (RFC 9112 §2.2).
    let begin = read.iter().position(|octet| !matches!(octet, b'\r' | b'\n'));
    if begin.unwrap_or(read.len()) > MOST_EMPTY {
        return Err(StatusCode::BAD_REQUEST);
    }
    let Some(begin) = begin else { return Ok(None) };
    let octets = &read[begin..];
    if !octets[0].is_ascii_alphabetic() || !has_version(octets) {
        return Err(StatusCode::BAD_REQUEST);
    }
    if !octets.ends_with(b"\r\n\r\n") && !has_end(&octets[seen.saturating_sub(begin + LONGEST_END)..]) {
        return if octets.len() > limits.head_size {
            Err(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)
        } else {
            Ok(None)
        };
    }
    let head = head::parse(octets, limits)?;
    Ok(head.map(|head| Head { length: begin + head.length, ..head }))
}

/// Whether the first line ends as a request's does, or has not ended yet.
fn has_version(head: &[u8]) -> bool {
    let Some(end) = head.iter().position(|octet| *octet == b'\n') else { return true };
    let line = head[..end].strip_suffix(b"\r").unwrap_or(&head[..end]);
    [" HTTP/1.1", " HTTP/1.0"].iter().any(|version| line.ends_with(version.as_bytes()))
}

/// Whether the empty line is there that ends a head.
fn has_end(head: &[u8]) -> bool {
    let is_empty = |line: &[u8]| line.starts_with(b"\n") || line.starts_with(b"\r\n");
    head.iter().enumerate().any(|(place, octet)| *octet == b'\n' && is_empty(&head[place + 1..]))
}

/// What is read at once.
const ROOM: usize = 4 * 1024;
/// Line ends before a request, octets.
const MOST_EMPTY: usize = 64;
/// The octets before the last one of an empty line, with those of the line before it.
const LONGEST_END: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_waited_for_until_its_end_or_until_it_is_strange() {
        let bad = StatusCode::BAD_REQUEST;
        for (read, expected) in [
            ("", Ok(None)),
            ("\r\n\r\n", Ok(None)),
            ("GET / HTTP/1.1\r\nHost: a\r\n", Ok(None)),
            ("GET / HTTP/1.1\r\nHost: a\r\n\r", Ok(None)),
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", Ok(Some(27))),
            ("\r\nGET / HTTP/1.1\r\n\r\n", Ok(Some(20))),
            ("POST / HTTP/1.1\r\nHost: a\r\n\r\nbody", Ok(Some(28))),
            ("GET / HTTP/1.1\nHost: a\n\n", Ok(Some(24))),
            ("GET / HTTP/1.1\nHost: a\n", Ok(None)),
            ("\x16\x03\x01", Err(bad)),
            (" GET", Err(bad)),
            ("GET /\r\n", Err(bad)),
            ("GET / HTTP/2.0\r\n", Err(bad)),
            ("GET / HTTP/1.0\r\n", Ok(None)),
        ] {
            let looked = look(read.as_bytes(), 0, &Limits::default());
            assert_eq!(looked.map(|head| head.map(|head| head.length)), expected, "{read:?}");
        }
        let long = [b"GET / HTTP/1.1\r\na: ".as_slice(), &[b'a'; 32 * 1024]].concat();
        let looked = look(&long, 0, &Limits::default()).map(drop);
        assert_eq!(looked, Err(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE));
        assert_eq!(look(&[b'\n'; MOST_EMPTY + 1], 0, &Limits::default()).map(drop), Err(bad));
    }

    #[test]
    fn pieces_do_not_matter() {
        for head in ["\r\n\nGET /a HTTP/1.1\r\nHost: a\r\n\r\n", "GET /a HTTP/1.1\nHost: a\n\n"] {
            for cut in 1..head.len() {
                let begun = look(&head.as_bytes()[..cut], 0, &Limits::default());
                assert!(matches!(begun, Ok(None)), "{cut}");
                let whole = look(head.as_bytes(), cut, &Limits::default());
                assert_eq!(whole.map(|head| head.map(|head| head.length)), Ok(Some(head.len())), "{cut}");
            }
        }
    }
}
