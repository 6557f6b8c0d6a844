//! An upstream's socket, what it counts as for as long as it is open, and what was last asked on it.

use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{HeaderName, HeaderValue, Method, Request, Uri};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::proxy::permits::UpstreamPermit;
use crate::proxy::socket::Socket;
use crate::telemetry::WorkerCounters;

/// A connection to an upstream, whatever is spoken on it.
pub(in crate::proxy) struct UpstreamStream {
    // Closed before it is counted as closed.
    socket: Socket,
    asked: Rc<Asked>,
    _open: StillOpen,
    _permit: UpstreamPermit,
}

impl UpstreamStream {
    pub(super) fn new(
        socket: Socket,
        asked: Rc<Asked>,
        permit: UpstreamPermit,
        counters: &Arc<WorkerCounters>,
    ) -> Self {
        counters.upstream_open.add(1);
        Self { socket, asked, _open: StillOpen(Arc::clone(counters)), _permit: permit }
    }
}

impl AsyncRead for UpstreamStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(cx, buffer)
    }
}

impl AsyncWrite for UpstreamStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let length = ready!(Pin::new(&mut self.socket).poll_write(cx, bytes))?;
        self.asked.write(&[io::IoSlice::new(bytes)], length);
        Poll::Ready(Ok(length))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length = ready!(Pin::new(&mut self.socket).poll_write_vectored(cx, slices))?;
        self.asked.write(slices, length);
        Poll::Ready(Ok(length))
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

/// The octets of a request without a body, so that it can be asked again if the connection turns out to have been closed.
///
/// hyper takes a request for good. A copy of its fields, of which there are twenty, cost one or two hundredths of the whole
/// exchange, and nearly none was ever used; what passes here anyway is copied in one piece, into a buffer that is there.
#[derive(Default)]
pub(super) struct Asked {
    listening: Cell<bool>,
    octets: RefCell<Vec<u8>>,
}

impl Asked {
    /// Forgets the last request. If the next one is without a body and may be repeated, its octets are kept.
    pub(super) fn begin(&self, repeatable: bool) {
        let mut octets = self.octets.borrow_mut();
        octets.clear();
        octets.shrink_to(KEPT);
        self.listening.set(repeatable);
    }

    fn write(&self, slices: &[io::IoSlice<'_>], mut length: usize) {
        if !self.listening.get() {
            return;
        }
        let mut octets = self.octets.borrow_mut();
        for slice in slices {
            let part = &slice[..length.min(slice.len())];
            octets.extend_from_slice(part);
            length -= part.len();
        }
        // What follows, after a switch of protocols, is no request.
        self.listening.set(!octets.ends_with(HEAD_END));
    }

    /// The request that was written last, if it was to be kept and was written whole.
    pub(super) fn again(&self) -> Option<Request<()>> {
        let octets = self.octets.borrow();
        let mut lines = octets.strip_suffix(HEAD_END)?.split(|octet| *octet == b'\n').map(<[u8]>::trim_ascii_end);
        let mut start = lines.next()?.split(|octet| *octet == b' ');
        let mut request = Request::new(());
        *request.method_mut() = Method::from_bytes(start.next()?).ok()?;
        *request.uri_mut() = Uri::try_from(start.next()?).ok()?;
        for line in lines {
            let (name, value) = line.split_at(line.iter().position(|octet| *octet == b':')?);
            let value = HeaderValue::from_bytes(value[1..].trim_ascii_start()).ok()?;
            request.headers_mut().append(HeaderName::from_bytes(name).ok()?, value);
        }
        Some(request)
    }
}

struct StillOpen(Arc<WorkerCounters>);

impl Drop for StillOpen {
    fn drop(&mut self) {
        self.0.upstream_open.sub(1);
    }
}

const HEAD_END: &[u8] = b"\r\n\r\n";
/// Room that a connection keeps for the next request's octets: an ordinary browser's with its cookies.
const KEPT: usize = 4096;

#[cfg(test)]
mod tests {
    use http::Version;

    use super::*;

    fn written(asked: &Asked, pieces: &[&str]) {
        for piece in pieces {
            asked.write(&[io::IoSlice::new(piece.as_bytes()), io::IoSlice::new(b"not taken")], piece.len());
        }
    }

    #[test]
    fn a_request_can_be_asked_again_as_it_was_written() {
        let asked = Asked::default();
        asked.begin(true);
        written(
            &asked,
            &["GET /a?b=c HTTP/1.1\r\nhost: shop.example\r\ncookie: a=b; ", "c=\u{e9}\r\nx: 1\r\nx: 2\r\n"],
        );
        assert!(asked.again().is_none(), "not written whole");
        written(&asked, &["empty: \r\n\r\n", "what a tunnel carries"]);
        let request = asked.again().expect("a request");
        let (method, version) = (request.method().clone(), request.version());
        assert_eq!((method, request.uri().to_string().as_str(), version), (Method::GET, "/a?b=c", Version::HTTP_11));
        let fields: Vec<_> = request.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        let expected: [(&str, &[u8]); 5] = [
            ("host", b"shop.example"),
            ("cookie", "a=b; c=\u{e9}".as_bytes()),
            ("x", b"1"),
            ("x", b"2"),
            ("empty", b""),
        ];
        assert_eq!(fields, expected);
    }

    #[test]
    fn a_request_that_may_not_be_repeated_is_not_kept() {
        let asked = Asked::default();
        asked.begin(true);
        written(&asked, &["GET / HTTP/1.1\r\nhost: shop.example\r\n\r\n"]);
        asked.begin(false);
        written(&asked, &["POST / HTTP/1.1\r\nhost: shop.example\r\n\r\n"]);
        assert!(asked.again().is_none());
    }
}
