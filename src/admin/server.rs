//! The listeners of the control plane: connections in, answers out.

use std::convert::Infallible;
use std::future::Future;
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
use super::hsts::Hsts;
use super::panel::Drafts;
use super::problem::{Answer, Problem};
use super::sign_in::SignIn;
use super::tls::{AdminTls, Tls};
use super::upload::Upload;
use super::{AdminSocket, Sources, api, health, panel, scrape};

/// Where the control plane listens.
#[derive(Debug)]
pub struct Listeners {
    /// `admin.listen`
    pub admin: TcpListener,
    /// How it speaks TLS; `None`: it does not.
    pub tls: Option<AdminTls>,
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
    let sign_in = SignIn::new(&sources);
    let (drafts, scrape) = (Drafts::default(), Arc::new(Semaphore::new(1)));
    let tls = listeners.tls.as_ref().map(|terms| Tls::new(terms, &sources.allowed_hosts, sources.certificates.clone()));
    let hsts = listeners.tls.as_ref().and_then(Hsts::of);
    let office = Office { sources: Arc::new(sources), sign_in, drafts, scrape, hsts };
    let desk =
        Desk { office: Arc::new(office), connections: GracefulShutdown::new(), tls: tls.transpose()?.map(Arc::new) };
    let socket = listeners.socket.listener()?;
    let (reserve, is_encrypted) = (Reserve::new(), listeners.tls.is_some());
    let admin = Tcp(&listeners.admin, &|local, peer| Door::Admin { local, peer, is_encrypted });
    let metrics = async {
        match &listeners.metrics {
            Some(listener) => desk.open(&Tcp(listener, &|_, _| Door::Metrics), &reserve).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = desk.open_admin(&admin, &reserve) => {}
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
    /// Where the admin listener speaks it.
    tls: Option<Arc<Tls>>,
}

/// What every request needs.
struct Office {
    sources: Arc<Sources>,
    sign_in: SignIn,
    drafts: Drafts,
    /// One scrape at a time: a page is work, and two scrapers at once are enough for a shortage.
    scrape: Arc<Semaphore>,
    /// Whether browsers are told to come over HTTPS alone.
    hsts: Option<Hsts>,
}

impl Desk {
    async fn open<E: Entrance>(&self, entrance: &E, reserve: &Reserve) {
        entrance::open(entrance, reserve, |stream, door, stay| self.attend(async { Some(stream) }, door, stay)).await;
    }

    /// The same of the admin listener, whose connections may have to be made private first.
    async fn open_admin(&self, entrance: &Tcp<'_>, reserve: &Reserve) {
        let Some(tls) = &self.tls else { return self.open(entrance, reserve).await };
        entrance::open(entrance, reserve, |stream, door, stay| {
            let Some(place) = door.peer().and_then(|peer| tls.enter(peer)) else {
                tracing::debug!("a connection to the admin listener was closed: its network has too many");
                return;
            };
            let tls = Arc::clone(tls);
            self.attend(async move { tls.accept(stream).await }, door, stay.holding(place));
        })
        .await;
    }

    /// Serves one connection, which carries one request: an operator's tools ask seldom, and nothing idles here.
    fn attend<S>(&self, arriving: impl Future<Output = Option<S>> + Send + 'static, door: Door, stay: Stay)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (office, connections) = (Arc::clone(&self.office), self.connections.watcher());
        let exchange = async move {
            let Some(stream) = arriving.await else { return Ok(()) };
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
            connections.watch(connection).await
        };
        tokio::spawn(async move {
            // One deadline for all of it. What a peer does wrong is its own affair.
            if let Ok(Err(error)) = tokio::time::timeout(CONNECTION_TIMEOUT, exchange).await {
                tracing::debug!(%error, "a connection to the admin listener broke off");
            }
            drop(stay);
        });
    }
}

async fn answer(door: Door, request: Request<Incoming>, office: &Office) -> Answer {
    let Office { sources, sign_in, drafts, scrape, hsts } = office;
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
            path => {
                let way = door.way().ok_or_else(|| Problem::unknown(path))?;
                let caller = sign_in.caller(way, &head.headers);
                match path == "/api" || path.starts_with("/api/") {
                    true => api::answer(caller?, &head, &mut upload, sources).await,
                    false => panel::answer(caller, &head, &mut upload, (sources, drafts)).await,
                }
            }
        }
    };
    let mut answer = result.await.unwrap_or_else(Answer::from);
    if let Some(hsts) = hsts.as_ref().filter(|_| door.is_encrypted()) {
        hsts.tell(&head, &sources.routes.load(), &mut answer);
    }
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
