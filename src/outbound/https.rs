//! HTTPS to machines of others: bounded in time and size, to nobody who cannot prove the name. This machine itself need not.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tower_service::Service;

use super::trust::trusting;

/// A client for `https`, and for `http` to loopback addresses. Clones share their connections.
#[derive(Clone)]
pub struct HttpsClient {
    client: Client<Connector, Full<Bytes>>,
    patience: Duration,
}

impl HttpsClient {
    /// A client that trusts `roots`, and gives a whole exchange, connecting included, this much time.
    ///
    /// # Errors
    /// When the cryptography library offers no usable versions.
    pub fn new(
        roots: impl IntoIterator<Item = CertificateDer<'static>>,
        patience: Duration,
    ) -> Result<Self, rustls::Error> {
        let config = trusting(roots)?;
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(Connector { tcp, tls: Arc::new(config).into() });
        Ok(Self { client, patience })
    }

    /// Sends a request and reads the whole answer.
    ///
    /// # Errors
    /// [`NoAnswer`]; an answer that says no is none of these.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Bytes>, NoAnswer> {
        let exchange = async {
            let (head, body) = self.client.request(request).await.map_err(|error| NoAnswer::of(&error))?.into_parts();
            let body = Limited::new(body, LARGEST_ANSWER).collect().await;
            let body = body.map_err(|error| NoAnswer(format!("the answer broke off: {error}")))?;
            Ok(Response::from_parts(head, body.to_bytes()))
        };
        let late = |_| NoAnswer(format!("no answer within {} s", self.patience.as_secs()));
        tokio::time::timeout(self.patience, exchange).await.map_err(late)?
    }
}

/// Why there is no answer, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoAnswer(String);

impl NoAnswer {
    /// What is meant lies below what the client says.
    fn of(error: &hyper_util::client::legacy::Error) -> Self {
        let causes = std::iter::successors(Some(error as &dyn std::error::Error), |above| above.source());
        Self(causes.last().map_or_else(|| error.to_string(), ToString::to_string))
    }
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NoAnswer {}

/// TCP with TLS upon it, but to this machine.
#[derive(Clone)]
struct Connector {
    tcp: HttpConnector,
    tls: TlsConnector,
}

impl Service<Uri> for Connector {
    type Response = Wire;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Wire>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.tcp.poll_ready(context).map_err(io::Error::other)
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let (tls, is_https) = (self.tls.clone(), to.scheme_str() == Some("https"));
        let host = to.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let tcp = self.tcp.call(to);
        Box::pin(async move {
            if !is_https && !is_this_machine(&host) {
                return Err(io::Error::other("expected an address that begins with \"https://\""));
            }
            let tcp = tcp.await.map_err(io::Error::other)?.into_inner();
            let _ = tcp.set_nodelay(true);
            if !is_https {
                // A name is what the system says it is.
                return match tcp.peer_addr()?.ip().is_loopback() {
                    true => Ok(Wire::Plain(TokioIo::new(tcp))),
                    false => Err(io::Error::other(format!("{host} leads to another machine"))),
                };
            }
            let name = ServerName::try_from(host).map_err(io::Error::other)?;
            tls.connect(name, tcp).await.map(|stream| Wire::Tls(Box::new(TokioIo::new(stream))))
        })
    }
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// A connection as the client wants it.
enum Wire {
    Tls(Box<TokioIo<TlsStream<TcpStream>>>),
    Plain(TokioIo<TcpStream>),
}

/// Hands on to whichever it is.
macro_rules! either {
    ($self:ident, $method:ident, $($argument:expr),+) => {
        match $self.get_mut() {
            Wire::Tls(stream) => Pin::new(stream).$method($($argument),+),
            Wire::Plain(stream) => Pin::new(stream).$method($($argument),+),
        }
    };
}

impl Connection for Wire {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        either!(self, poll_read, cx, buffer)
    }
}

impl Write for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        either!(self, poll_write, cx, octets)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, poll_flush, cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, poll_shutdown, cx)
    }
}

/// A connection that is not used is closed.
const IDLE: Duration = Duration::from_secs(30);
/// The longest chain an authority sends is a tenth of it.
const LARGEST_ANSWER: usize = 256 * 1024;
