//! A shop that speaks HTTP/2 without TLS, and does what the path says.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use h2::server::{self, SendResponse};
use h2::{Reason, RecvStream};
use http::{HeaderMap, Request, Response};
use tokio::net::TcpListener;

/// A shop behind the edge. Ends with the test.
pub(crate) struct Http2Shop {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Asked>>>,
}

/// What it saw of a request.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// The connection it came on, counted from 0.
    pub(crate) connection: usize,
    pub(crate) head: Request<()>,
    /// Why its stream was reset by the edge, once it was.
    pub(crate) reset: Option<Reason>,
}

impl Http2Shop {
    /// Takes so many requests at a time on each connection.
    pub(crate) fn new(streams: u32) -> Self {
        Self::listening(std::net::TcpListener::bind("127.0.0.1:0").expect("a port"), streams)
    }

    /// The same on a socket of one's own.
    pub(crate) fn listening(listener: std::net::TcpListener, streams: u32) -> Self {
        listener.set_nonblocking(true).expect("non-blocking");
        let address = listener.local_addr().expect("an address");
        let seen = Arc::<Mutex<Vec<Asked>>>::default();
        let mine = Arc::clone(&seen);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).expect("a listener");
                let mut number = 0;
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(connection(number, stream, streams, Arc::clone(&mine)));
                    number += 1;
                }
            });
        });
        Self { address, seen }
    }

    /// What it was asked until now.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.seen.lock().expect("requests").clone()
    }

    /// How many connections had a request.
    pub(crate) fn connections(&self) -> usize {
        self.asked().iter().map(|asked| asked.connection + 1).max().unwrap_or(0)
    }
}

async fn connection(number: usize, stream: tokio::net::TcpStream, streams: u32, seen: Arc<Mutex<Vec<Asked>>>) {
    let mut builder = server::Builder::new();
    builder.max_concurrent_streams(streams);
    let Ok(mut connection) = builder.handshake::<_, Bytes>(stream).await else { return };
    while let Some(Ok((request, mut reply))) = connection.accept().await {
        let (parts, body) = request.into_parts();
        let head = Request::from_parts(parts, ());
        let path = head.uri().path().to_owned();
        let place = {
            let mut seen = seen.lock().expect("requests");
            seen.push(Asked { connection: number, head, reset: None });
            seen.len() - 1
        };
        match path.as_str() {
            // The first on each connection is refused.
            "/refused" if number == 0 => reply.send_reset(Reason::REFUSED_STREAM),
            "/never" => reply.send_reset(Reason::REFUSED_STREAM),
            "/broken" => reply.send_reset(Reason::INTERNAL_ERROR),
            "/leave" => {
                connection.graceful_shutdown();
                tokio::spawn(answer(path, body, reply, Arc::clone(&seen), place));
            }
            _ => drop(tokio::spawn(answer(path, body, reply, Arc::clone(&seen), place))),
        }
    }
}

async fn answer(
    path: String,
    mut body: RecvStream,
    mut reply: SendResponse<Bytes>,
    seen: Arc<Mutex<Vec<Asked>>>,
    place: usize,
) {
    if path == "/hang" {
        let reason = std::future::poll_fn(|cx| reply.poll_reset(cx)).await.ok();
        seen.lock().expect("requests")[place].reset = reason;
        return;
    }
    if path == "/large" {
        let Ok(mut stream) = reply.send_response(Response::new(()), false) else { return };
        // More than any window on the way.
        for _ in 0..LARGE / 1024 {
            stream.reserve_capacity(1024);
            while stream.capacity() < 1024 {
                let Some(Ok(_)) = std::future::poll_fn(|cx| stream.poll_capacity(cx)).await else { return };
            }
            if stream.send_data(vec![b'x'; 1024].into(), false).is_err() {
                return;
            }
        }
        let _ = stream.send_data(Bytes::new(), true);
        return;
    }
    let status = if path == "/cached" { 304 } else { 200 };
    let response = Response::builder().status(status).header("x-shop", "h2").body(()).expect("a response");
    if path == "/cached" || path == "/bare" {
        let _ = reply.send_response(response, true);
        return;
    }
    // Says back all that comes, and the trailers behind it, of which HTTP/1.1 has to hear before.
    let mut said = Vec::new();
    while let Some(Ok(data)) = body.data().await {
        let _ = body.flow_control().release_capacity(data.len());
        said.extend_from_slice(&data);
    }
    let mut trailers = body.trailers().await.ok().flatten().unwrap_or_else(HeaderMap::new);
    trailers.insert("x-end", http::HeaderValue::from_static("told"));
    let (mut parts, ()) = response.into_parts();
    parts.headers.insert("trailer", http::HeaderValue::from_static("x-sum, x-end"));
    let Ok(mut stream) = reply.send_response(Response::from_parts(parts, ()), false) else { return };
    let _ = stream.send_data(said.into(), false);
    let _ = stream.send_trailers(trailers);
}

/// Octets that `/large` has.
pub(crate) const LARGE: usize = 4 << 20;
