//! Reads requests as a worker does, without a connection: what is looked for by tools that feed it anything.

use bytes::{Buf, BytesMut};

use super::await_head::look;
use crate::limits::Limits;

/// What a client's octets come to over HTTP/1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadRequests {
    /// Method, target and octets of the body of each that is whole.
    pub whole: Vec<(String, String, u64)>,
    /// What was answered to one that cannot be read, or can be in two ways: its status. Nothing is read behind it.
    pub refused: Option<u16>,
    /// Octets that belong to none of them, as more is awaited.
    pub left: usize,
}

/// Reads requests that come in these pieces, one after the other.
#[must_use]
pub fn read_requests(pieces: &[&[u8]]) -> ReadRequests {
    let (mut requests, mut read, limits) = (ReadRequests::default(), BytesMut::new(), Limits::default());
    let (mut under_way, mut seen) = (None, 0);
    for piece in pieces {
        read.extend_from_slice(piece);
        loop {
            let Some((head, body)) = &mut under_way else {
                match look(&read, seen, &limits) {
                    Ok(None) => break seen = read.len(),
                    Err(status) => return refused(requests, status.as_u16()),
                    Ok(Some(head)) if head.framing.is_unknown() => return refused(requests, 400),
                    Ok(Some(head)) => {
                        read.advance(head.length);
                        (under_way, seen) = (Some((head, 0)), 0);
                    }
                }
                continue;
            };
            match head.framing.next(&mut read) {
                Err(_) => return refused(requests, 400),
                Ok(Some(frame)) => *body += frame.data_ref().map_or(0, |data| data.len() as u64),
                Ok(None) if head.framing.is_ended() => {
                    let request = &head.request;
                    requests.whole.push((request.method().to_string(), request.uri().to_string(), *body));
                    under_way = None;
                }
                Ok(None) => break,
            }
        }
    }
    requests.left = read.len();
    requests
}

fn refused(requests: ReadRequests, status: u16) -> ReadRequests {
    ReadRequests { refused: Some(status), ..requests }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PARTS: [&str; 14] = [
        "GET / HTTP/1.1\r\n",
        "POST /a HTTP/1.1\r\n",
        "POST /b HTTP/1.0\n",
        "host: a\r\n",
        "content-length: 5\r\n",
        "transfer-encoding: chunked\r\n",
        "x:\ty \n",
        "\r\n",
        "\n",
        "hello",
        "5\r\nhello\r\n",
        "0\r\n",
        "0;x=y\r\nx: y\r\n",
        "\u{e9}",
    ];

    proptest! {
        #[test]
        fn how_it_is_cut_up_does_not_matter(
            parts in proptest::collection::vec(0..PARTS.len(), 0..20),
            cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..6),
        ) {
            let octets: String = parts.into_iter().map(|part| PARTS[part]).collect();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(octets.len() + 1)).collect();
            cuts.extend([0, octets.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|ends| &octets.as_bytes()[ends[0]..ends[1]]).collect();
            let one_by_one: Vec<&[u8]> = octets.as_bytes().chunks(1).collect();
            let whole = read_requests(&[octets.as_bytes()]);
            let told = |mut read: ReadRequests| {
                // What cannot be read is told as soon as it is seen, whatever else is wrong with it.
                read.refused = read.refused.map(|_| 400);
                read
            };
            prop_assert_eq!(told(read_requests(&pieces)), told(whole.clone()));
            prop_assert_eq!(told(read_requests(&one_by_one)), told(whole));
        }
    }

    #[test]
    fn requests_follow_one_another() {
        let octets = b"GET /a HTTP/1.1\r\nhost: a\r\n\r\nPOST /b HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n\
                       PUT /c HTTP/1.1\r\ncontent-length: 3\r\n\r\nabcGET";
        let request = |method: &str, target: &str, body| (method.to_owned(), target.to_owned(), body);
        let whole = vec![request("GET", "/a", 0), request("POST", "/b", 2), request("PUT", "/c", 3)];
        assert_eq!(read_requests(&[octets]), ReadRequests { whole, refused: None, left: 3 });
        let both = b"POST / HTTP/1.1\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n";
        assert_eq!(read_requests(&[both]).refused, Some(400));
    }
}
