//! The listeners of the control plane: connections in, answers out.

use std::convert::Infallible;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::guard::{self, Door};
use super::problem::{Answer, Problem};
use super::{AdminSocket, Sources, api, health, scrape};
use crate::telemetry::RateLimited;

/// Where the control plane listens.
#[derive(Debug)]
pub struct Listeners {
    /// `admin.listen`
    pub admin: TcpListener,
    /// `admin.metrics_listen`
    pub metrics: Option<TcpListener>,
    /// `admin.sock` in the state folder.
    pub socket: AdminSocket,
}

/// Answers until the edge stops; draining, it still does. What is under way then gets a moment to end.
///
/// # Errors
/// When the Unix socket cannot be taken over by the runtime.
pub async fn serve(listeners: Listeners, sources: Sources) -> io::Result<()> {
    let mut lifecycle = sources.lifecycle.clone();
    let desk =
        Desk { sources: Arc::new(sources), connections: GracefulShutdown::new(), scrape: Arc::new(Semaphore::new(1)) };
    let socket = listeners.socket.listener()?;
    tokio::select! {
        () = desk.accept_tcp(&listeners.admin, Door::Admin) => {}
        () = desk.accept_metrics(listeners.metrics.as_ref()) => {}
        () = desk.accept_local(&socket) => {}
        () = lifecycle.stopping() => {}
    }
    // The socket's name goes first: a command line that comes now is told that no edge runs here.
    drop(listeners);
    let _ = tokio::time::timeout(LAST_MOMENT, desk.connections.shutdown()).await;
    Ok(())
}

/// What every connection needs.
struct Desk {
    sources: Arc<Sources>,
    connections: GracefulShutdown,
    /// One scrape at a time: a page is work, and two scrapers at once are enough for a shortage.
    scrape: Arc<Semaphore>,
}

impl Desk {
    async fn accept_metrics(&self, listener: Option<&TcpListener>) {
        match listener {
            Some(listener) => self.accept_tcp(listener, |_| Door::Metrics).await,
            None => std::future::pending().await,
        }
    }

    async fn accept_tcp(&self, listener: &TcpListener, door: impl Fn(IpAddr) -> Door) {
        let (room, trouble) = (Arc::new(Semaphore::new(CONNECTIONS)), RateLimited::new("admin accept", 1));
        loop {
            let permit = Arc::clone(&room).acquire_owned().await.ok();
            match listener.accept().await.and_then(|(stream, _)| Ok((stream.local_addr()?.ip(), stream))) {
                Ok((local, stream)) => self.attend(stream, door(local), permit),
                Err(error) => {
                    tell(&trouble, &error);
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    async fn accept_local(&self, listener: &UnixListener) {
        let (room, trouble) = (Arc::new(Semaphore::new(CONNECTIONS)), RateLimited::new("admin accept", 1));
        loop {
            let permit = Arc::clone(&room).acquire_owned().await.ok();
            match listener.accept().await {
                Ok((stream, _)) if is_own(&stream) => self.attend(stream, Door::Socket, permit),
                Ok(_) => tracing::warn!("another user's connection to admin.sock was closed"),
                Err(error) => {
                    tell(&trouble, &error);
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Serves one connection, which carries one request: an operator's tools ask seldom, and nothing idles here.
    fn attend<S>(&self, stream: S, door: Door, permit: Option<OwnedSemaphorePermit>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (sources, scrape) = (Arc::clone(&self.sources), Arc::clone(&self.scrape));
        let service = service_fn(move |request| {
            let (sources, scrape) = (Arc::clone(&sources), Arc::clone(&scrape));
            async move { Ok::<_, Infallible>(answer(door, request, &sources, &scrape).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT)
            .keep_alive(false)
            .max_buf_size(HEAD_SIZE)
            .serve_connection(TokioIo::new(stream), service);
        let connection = self.connections.watch(connection);
        tokio::spawn(async move {
            // One deadline for all of it. What a peer does wrong is its own affair.
            if let Ok(Err(error)) = tokio::time::timeout(CONNECTION_TIMEOUT, connection).await {
                tracing::debug!(%error, "a connection to the admin listener broke off");
            }
            drop(permit);
        });
    }
}

async fn answer(door: Door, request: Request<Incoming>, sources: &Arc<Sources>, scrape: &Arc<Semaphore>) -> Answer {
    let (head, body) = request.into_parts();
    let result = async {
        guard::admit(door, &head, &sources.allowed_hosts)?;
        read(body).await?;
        match head.uri.path() {
            "/livez" => reading(&head.method).map(|()| health::live()),
            "/readyz" => reading(&head.method).map(|()| health::ready(sources.lifecycle.stage())),
            "/metrics" => {
                reading(&head.method)?;
                scrape::answer(sources, scrape).await
            }
            path if path == "/api" || path.starts_with("/api/") => match door {
                Door::Socket => api::answer(&head.method, path, sources).await,
                Door::Admin(_) => Err(Problem::unauthorized(NO_TOKENS)),
                Door::Metrics => Err(Problem::unknown(path)),
            },
            path => Err(Problem::unknown(path)),
        }
    };
    result.await.unwrap_or_else(Answer::from)
}

/// Takes a body off the wire; nothing here needs one, and an unread one would reset the connection under the answer.
async fn read(body: Incoming) -> Result<Bytes, Problem> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    match Limited::new(body, BODY_SIZE).collect().await {
        Ok(content) => Ok(content.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("a body may have {BODY_SIZE} octets here")))
        }
        Err(_) => Err(Problem::new(StatusCode::BAD_REQUEST, "the body broke off")),
    }
}

pub(super) fn reading(method: &Method) -> Result<(), Problem> {
    match *method {
        Method::GET | Method::HEAD => Ok(()),
        _ => Err(Problem::method("GET, HEAD")),
    }
}

/// Whether the peer is root or our own user; the socket's mode says so already, but a mode can be changed.
fn is_own(stream: &UnixStream) -> bool {
    let own = rustix::process::geteuid().as_raw();
    stream.peer_cred().is_ok_and(|peer| peer.uid() == 0 || peer.uid() == own)
}

/// Accepting fails for want of descriptors or memory, or because the peer went; none of it ends the listener.
fn tell(trouble: &RateLimited, error: &io::Error) {
    trouble.say(|| tracing::warn!(%error, "the admin listener cannot accept a connection now"));
}

/// As many as a curious operator, two Prometheus servers and a load balancer's health checks never need at once.
const CONNECTIONS: usize = 64;
/// A head comes in one packet on such a network.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// Longer than any scrape or list takes, reader's network included.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(60);
/// Twice what hyper needs at least.
const HEAD_SIZE: usize = 16 * 1024;
/// Orders have no body in this version; a tool may send a small one all the same.
const BODY_SIZE: usize = 64 * 1024;
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// What an answer under way may still take when the edge stops.
const LAST_MOMENT: Duration = Duration::from_secs(1);
const NO_TOKENS: &str = "the API takes no tokens in this version; ask through admin.sock in the state folder, as the \
                         commands `vitrine certs` and `vitrine sites` do";
