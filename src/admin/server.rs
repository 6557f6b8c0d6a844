//! The listeners of the control plane: connections in, answers out.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::entrance::{self, Entrance, Reserve, Stay, Tcp};
use super::guard::{self, Door};
use super::panel::Drafts;
use super::problem::{Answer, Problem};
use super::rights::Way;
use super::sign_in::SignIn;
use super::upload::Upload;
use super::{AdminSocket, Sources, api, health, panel, scrape};

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
    let sign_in = SignIn::new(sources.tokens.clone(), sources.people.clone());
    let (drafts, scrape) = (Drafts::default(), Arc::new(Semaphore::new(1)));
    let office = Office { sources: Arc::new(sources), sign_in, drafts, scrape };
    let desk = Desk { office: Arc::new(office), connections: GracefulShutdown::new() };
    let socket = listeners.socket.listener()?;
    let (reserve, admin) = (Reserve::new(), Tcp(&listeners.admin, |local, peer| Door::Admin { local, peer }));
    let metrics = async {
        match &listeners.metrics {
            Some(listener) => desk.open(&Tcp(listener, |_, _| Door::Metrics), &reserve).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = desk.open(&admin, &reserve) => {}
        () = metrics => {}
        () = desk.open(&socket, &reserve) => {}
        () = lifecycle.stopping() => {}
    }
    // The socket's name goes first: a command line that comes now is told that no edge runs here.
    drop(listeners);
    let _ = tokio::time::timeout(LAST_MOMENT, desk.connections.shutdown()).await;
    Ok(())
}

/// Hands connections to the office, and knows which are open.
struct Desk {
    office: Arc<Office>,
    connections: GracefulShutdown,
}

/// What every request needs.
struct Office {
    sources: Arc<Sources>,
    sign_in: SignIn,
    drafts: Drafts,
    /// One scrape at a time: a page is work, and two scrapers at once are enough for a shortage.
    scrape: Arc<Semaphore>,
}

impl Desk {
    async fn open<E: Entrance>(&self, entrance: &E, reserve: &Reserve) {
        entrance::open(entrance, reserve, |stream, door, stay| self.attend(stream, door, stay)).await;
    }

    /// Serves one connection, which carries one request: an operator's tools ask seldom, and nothing idles here.
    fn attend<S>(&self, stream: S, door: Door, stay: Stay)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let office = Arc::clone(&self.office);
        let service = service_fn(move |request| {
            let office = Arc::clone(&office);
            async move { Ok::<_, Infallible>(answer(door, request, &office).await) }
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
            drop(stay);
        });
    }
}

async fn answer(door: Door, request: Request<Incoming>, office: &Office) -> Answer {
    let Office { sources, sign_in, drafts, scrape } = office;
    let (head, body) = request.into_parts();
    let mut upload = Upload::behind(&head, body);
    let result = async {
        guard::admit(door, &head, &sources.allowed_hosts)?;
        match head.uri.path() {
            "/livez" => reading(&head.method).map(|()| health::live()),
            "/readyz" => reading(&head.method).map(|()| health::ready(sources.lifecycle.stage())),
            "/metrics" => {
                reading(&head.method)?;
                scrape::answer(sources, scrape).await
            }
            path if path == "/api" || path.starts_with("/api/") => match door {
                Door::Socket { user } => {
                    let caller = sign_in.caller(Way::Socket(user), &head.headers)?;
                    api::answer(caller, &head, &mut upload, sources).await
                }
                Door::Admin { peer, .. } => {
                    let caller = sign_in.caller(Way::Network(peer), &head.headers)?;
                    api::answer(caller, &head, &mut upload, sources).await
                }
                Door::Metrics => Err(Problem::unknown(path)),
            },
            path => {
                let way = match door {
                    Door::Socket { user } => Way::Socket(user),
                    Door::Admin { peer, .. } => Way::Network(peer),
                    Door::Metrics => return Err(Problem::unknown(path)),
                };
                panel::answer(sign_in.caller(way, &head.headers), &head, &mut upload, (sources, drafts)).await
            }
        }
    };
    let answer = result.await.unwrap_or_else(Answer::from);
    upload.pass().await;
    answer
}

pub(super) fn reading(method: &Method) -> Result<(), Problem> {
    match *method {
        Method::GET | Method::HEAD => Ok(()),
        _ => Err(Problem::method("GET, HEAD")),
    }
}

/// A head comes in one packet on such a network.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// Longer than any scrape or list takes, reader's network included.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(60);
/// Twice what hyper needs at least.
const HEAD_SIZE: usize = 16 * 1024;
/// What an answer under way may still take when the edge stops.
const LAST_MOMENT: Duration = Duration::from_secs(1);
