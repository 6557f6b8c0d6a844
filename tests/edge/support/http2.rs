//! A client that speaks HTTP/2.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::version::{TLS12, TLS13};
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::tls::ClientTls;

/// Bodies of any kind.
pub(crate) type Body = BoxBody<Bytes, Infallible>;

/// One connection.
pub(crate) struct Http2 {
    pub(crate) sender: SendRequest<Body>,
    /// Ends with the connection.
    pub(crate) driver: JoinHandle<hyper::Result<()>>,
}

impl Http2 {
    /// Connects with a usual client's TLS.
    pub(crate) async fn open(address: SocketAddr, name: &str) -> Self {
        Self::open_with(address, name, &http2::Builder::new(TokioExecutor::new())).await
    }

    /// The same with settings of one's own.
    pub(crate) async fn open_with(address: SocketAddr, name: &str, settings: &http2::Builder<TokioExecutor>) -> Self {
        let stream = agreed(address, name).await;
        let (sender, connection) = settings.handshake(TokioIo::new(stream)).await.expect("HTTP/2");
        Self { sender, driver: tokio::spawn(connection) }
    }

    /// Another handle on the same connection.
    pub(crate) fn another(&self) -> Self {
        Self { sender: self.sender.clone(), driver: tokio::spawn(async { Ok(()) }) }
    }

    /// Sends a request and waits for the head of its answer.
    pub(crate) async fn send(&mut self, request: http::Request<Body>) -> hyper::Result<http::Response<Incoming>> {
        self.sender.ready().await?;
        self.sender.send_request(request).await
    }

    /// A GET, with the whole answer.
    pub(crate) async fn get(&mut self, host: &str, target: &str) -> (u16, Bytes) {
        let request = http::Request::get(format!("https://{host}{target}")).body(empty()).expect("a request");
        let response = self.send(request).await.expect("a response");
        let status = response.status().as_u16();
        (status, response.into_body().collect().await.expect("a body").to_bytes())
    }
}

/// A stream on which HTTP/2 was agreed and not yet spoken.
pub(crate) async fn agreed(address: SocketAddr, name: &str) -> TlsStream<TcpStream> {
    agreed_over(TcpStream::connect(address).await.expect("connected"), name).await
}

/// The same over a connection that is there.
pub(crate) async fn agreed_over(tcp: TcpStream, name: &str) -> TlsStream<TcpStream> {
    let tls = ClientTls::new(&[&TLS13, &TLS12]).alpn(&["h2"]);
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    let stream = TlsConnector::from(Arc::clone(&tls.config)).connect(name, tcp).await.expect("a handshake");
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    stream
}

/// A body of these frames.
pub(crate) fn frames(frames: impl IntoIterator<Item = Frame<Bytes>>) -> Body {
    BodyExt::boxed(Frames(frames.into_iter().collect()))
}

struct Frames(VecDeque<Frame<Bytes>>);

impl hyper::body::Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.get_mut().0.pop_front().map(Ok))
    }
}

/// No body.
pub(crate) fn empty() -> Body {
    Empty::new().boxed()
}
