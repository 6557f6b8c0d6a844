//! Thousands of WebSockets that rest: are they all there after ten minutes, and what does each cost?
//!
//! Half are connections of HTTP/1.1, half are streams of HTTP/2 (RFC 8441), a hundred to a connection, and they go on to a shop that
//! speaks the same. Each says something when it is open, nothing while it is held, and something at the end.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::process::ExitCode;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::Parser;
use h2::client::{self, SendRequest};
use h2::ext::Protocol;
use h2::{RecvStream, SendStream, server};
use http::{Request, Response};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{LocalSet, spawn_local};
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use authority::Authority;
use cargo::Cargo;
use edge::{Client, Place, RunningEdge};
use speaking::{Speaker, head};

#[path = "support/authority.rs"]
#[allow(dead_code)] // it keeps none
mod authority;
#[path = "support/cargo.rs"]
mod cargo;
#[path = "support/edge.rs"]
#[allow(dead_code)] // no leaf is looked at
mod edge;
#[path = "support/speaking.rs"]
mod speaking;

/// Opens WebSockets, lets them rest and looks whether all are there. Exit code 1: one was lost.
#[derive(Parser)]
struct Arguments {
    /// How many, half of them over HTTP/2; 10000, and 100 without --bench
    #[arg(long)]
    tunnels: Option<usize>,
    /// How long they rest; 600, and 1 without --bench
    #[arg(long)]
    seconds: Option<u64>,
    #[command(flatten)]
    cargo: Cargo,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    arguments.cargo.run("tunnels", || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        LocalSet::new().block_on(&runtime, run(&arguments))
    })
}

async fn run(arguments: &Arguments) -> io::Result<bool> {
    let real = arguments.cargo.is_real();
    let each = arguments.tunnels.unwrap_or(if real { 10_000 } else { 100 }).div_ceil(2).max(1);
    let rest = Duration::from_secs(arguments.seconds.unwrap_or(if real { 600 } else { 1 }));
    let files = raise_files()?;

    let authority = Authority::new()?;
    let place = Place::new()?;
    place.put(NAME, &authority.issue(&[NAME])?)?;
    let shop = TcpListener::bind("127.0.0.1:0").await?;
    let shop2 = TcpListener::bind("127.0.0.1:0").await?;
    let site = format!(
        "[[site]]\nhosts = [\"{NAME}\"]\nupstreams = [\"http://{}\"]\n\
         [[site.route]]\npath = \"/h2\"\nupstreams = [\"h2c://{}\"]\n",
        shop.local_addr()?,
        shop2.local_addr()?
    );
    spawn_local(accept_all(shop));
    spawn_local(accept_all_http2(shop2));
    let (running, _) = RunningEdge::start(&place, &site, &Client::new(authority.root_pem()), NAME)?;

    let speaker = |protocol| Speaker::new(running.address(), NAME, authority.root_pem(), protocol);
    let before = running.memory("VmRSS")?;
    let mut connections = open_connections(&speaker("http/1.1")?, each).await?;
    echo_over_connections(&mut connections).await?;
    let with_connections = running.memory("VmRSS")?;
    let mut streams = open_streams(&Rc::new(speaker("h2")?), each).await?;
    echo_over_streams(&mut streams).await?;
    let with_both = running.memory("VmRSS")?;
    println!("{each} tunnels in each HTTP, at most {files} open files, held for {} s", rest.as_secs());

    let begun = Instant::now();
    tokio::time::sleep(rest).await;
    let (lost_connections, lost_streams) =
        (echo_over_connections(&mut connections).await?, echo_over_streams(&mut streams).await?);
    let each = each as f64;
    println!(
        "after {:.0} s {lost_connections} connections and {lost_streams} streams are lost",
        begun.elapsed().as_secs_f64()
    );
    println!("memory of the edge: {before} KiB without, {with_both} KiB with all of them");
    println!("  a connection of HTTP/1.1: {:.1} KiB", (with_connections as f64 - before as f64) / each);
    println!("  a stream of HTTP/2: {:.1} KiB", (with_both as f64 - with_connections as f64) / each);
    Ok(lost_connections + lost_streams == 0)
}

/// As many open files as are allowed; the edge sees to that by itself.
fn raise_files() -> io::Result<u64> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
    Ok(limit.maximum.unwrap_or(u64::MAX))
}

/// The shop: agrees to every handshake and says back all it is told.
async fn accept_all(listener: TcpListener) -> io::Result<()> {
    loop {
        let (mut stream, _) = listener.accept().await?;
        spawn_local(async move {
            let head = head(&mut stream).await?;
            let key = head.lines().find_map(|line| line.strip_prefix("sec-websocket-key: ")).unwrap_or_default();
            let accept = derive_accept_key(key.as_bytes());
            let answer = format!("{SWITCHING}sec-websocket-accept: {accept}\r\n\r\n");
            stream.write_all(answer.as_bytes()).await?;
            // Without a buffer for each that rests.
            loop {
                stream.readable().await?;
                let mut octets = [0; SAID];
                match stream.try_read(&mut octets) {
                    Ok(0) => return Ok::<_, io::Error>(()),
                    Ok(read) => stream.write_all(&octets[..read]).await?,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error),
                }
            }
        });
    }
}

/// The shop in HTTP/2.
async fn accept_all_http2(listener: TcpListener) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        spawn_local(async move {
            let mut builder = server::Builder::new();
            builder.enable_connect_protocol().max_concurrent_streams(STREAMS as u32);
            let mut connection = builder.handshake::<_, Bytes>(stream).await?;
            while let Some(request) = connection.accept().await {
                let (request, mut reply) = request?;
                let mut body = request.into_body();
                let mut stream = reply.send_response(Response::new(()), false)?;
                spawn_local(async move {
                    while let Some(data) = body.data().await {
                        let data = data?;
                        body.flow_control().release_capacity(data.len())?;
                        stream.send_data(data, false)?;
                    }
                    stream.send_data(Bytes::new(), true)
                });
            }
            Ok::<_, h2::Error>(())
        });
    }
}

async fn open_connections(speaker: &Speaker, number: usize) -> io::Result<Vec<TlsStream<TcpStream>>> {
    let mut open = Vec::with_capacity(number);
    for _ in 0..number {
        let mut stream = speaker.connect().await?;
        stream.write_all(HANDSHAKE.as_bytes()).await?;
        let answer = head(&mut stream).await?;
        if !answer.starts_with("HTTP/1.1 101 ") {
            return Err(io::Error::other(answer));
        }
        open.push(stream);
    }
    Ok(open)
}

/// Each says something and hears it again; how many do not.
async fn echo_over_connections(open: &mut [TlsStream<TcpStream>]) -> io::Result<usize> {
    let mut lost = 0;
    for (number, stream) in open.iter_mut().enumerate() {
        let (said, mut heard) = (said(number), [0; SAID]);
        let echo = async {
            stream.write_all(&said).await?;
            stream.read_exact(&mut heard).await
        };
        let well = tokio::time::timeout(PATIENCE, echo).await.is_ok_and(|echo| echo.is_ok());
        lost += usize::from(!well || heard != said);
    }
    Ok(lost)
}

/// A stream that is a tunnel.
struct Tunnel {
    to_shop: SendStream<Bytes>,
    from_shop: RecvStream,
    _connection: SendRequest<Bytes>,
}

async fn open_streams(speaker: &Speaker, number: usize) -> io::Result<Vec<Tunnel>> {
    let mut open: Vec<Tunnel> = Vec::with_capacity(number);
    let mut connection: Option<SendRequest<Bytes>> = None;
    for place in 0..number {
        if place % STREAMS == 0 {
            connection = Some(open_connection(speaker).await?);
        }
        let Some(sender) = &mut connection else { continue };
        let head = Request::connect(format!("https://{NAME}/h2")).header("sec-websocket-version", "13");
        let mut request = head.body(()).map_err(io::Error::other)?;
        request.extensions_mut().insert(Protocol::from_static("websocket"));
        let (response, to_shop) = sender.send_request(request, false).map_err(io::Error::other)?;
        let response = response.await.map_err(io::Error::other)?;
        if response.status() != 200 {
            return Err(io::Error::other(format!("{:?}", response.status())));
        }
        open.push(Tunnel { to_shop, from_shop: response.into_body(), _connection: sender.clone() });
    }
    Ok(open)
}

/// One on which the edge has said that it takes WebSockets.
async fn open_connection(speaker: &Speaker) -> io::Result<SendRequest<Bytes>> {
    let (mut sender, mut connection) = client::handshake(speaker.connect().await?).await.map_err(io::Error::other)?;
    poll_fn(|cx| match Pin::new(&mut connection).poll(cx) {
        _ if sender.is_extended_connect_protocol_enabled() => Poll::Ready(Ok(())),
        Poll::Ready(Err(error)) => Poll::Ready(Err(io::Error::other(error))),
        Poll::Ready(Ok(())) => Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
        Poll::Pending => Poll::Pending,
    })
    .await?;
    spawn_local(connection);
    poll_fn(|cx| sender.poll_ready(cx)).await.map_err(io::Error::other)?;
    Ok(sender)
}

async fn echo_over_streams(open: &mut [Tunnel]) -> io::Result<usize> {
    let mut lost = 0;
    for (number, tunnel) in open.iter_mut().enumerate() {
        let (said, mut heard) = (said(number), Vec::new());
        let echo = async {
            tunnel.to_shop.send_data(Bytes::copy_from_slice(&said), false)?;
            while heard.len() < SAID {
                let Some(data) = tunnel.from_shop.data().await else { break };
                let data = data?;
                tunnel.from_shop.flow_control().release_capacity(data.len())?;
                heard.extend_from_slice(&data);
            }
            Ok::<_, h2::Error>(())
        };
        let well = tokio::time::timeout(PATIENCE, echo).await.is_ok_and(|echo| echo.is_ok());
        lost += usize::from(!well || heard != said);
    }
    Ok(lost)
}

fn said(number: usize) -> [u8; SAID] {
    (number as u64).to_be_bytes()
}

const NAME: &str = "shop.example";
const HANDSHAKE: &str = "GET / HTTP/1.1\r\nhost: shop.example\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const SWITCHING: &str = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n";
/// Octets that each says.
const SAID: usize = 8;
/// What the edge takes of one connection.
const STREAMS: usize = 100;
/// Longer than anything that works takes.
const PATIENCE: Duration = Duration::from_secs(10);
