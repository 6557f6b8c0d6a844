//! A large upload and a large download at once: does the edge hold more than a little of them?
//!
//! Both are of one pattern, which tells where in the stream it is, and both ends check every octet. Once over HTTP/1.1 and once
//! over HTTP/2; the shop behind the edge speaks HTTP/1.1.

use std::future::poll_fn;
use std::io;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::Parser;
use h2::client::{self, SendRequest};
use http::Request;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use authority::Authority;
use cargo::Cargo;
use edge::{Client, Place, RunningEdge};
use pattern::Pattern;
use speaking::{Speaker, head};

#[path = "support/authority.rs"]
#[allow(dead_code)] // it keeps none
mod authority;
#[path = "support/cargo.rs"]
mod cargo;
#[path = "support/edge.rs"]
#[allow(dead_code)] // no leaf is looked at
mod edge;
#[path = "support/pattern.rs"]
mod pattern;
#[path = "support/speaking.rs"]
mod speaking;

/// Uploads and downloads through an edge at the same time. Exit code 1: an octet was wrong, or the edge grew too much.
#[derive(Parser)]
struct Arguments {
    /// MiB each way; 4096, and 16 without --bench
    #[arg(long)]
    mebibytes: Option<u64>,
    #[command(flatten)]
    cargo: Cargo,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    arguments.cargo.run("streams", || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        runtime.block_on(run(&arguments))
    })
}

async fn run(arguments: &Arguments) -> io::Result<bool> {
    let real = arguments.cargo.is_real();
    let size = arguments.mebibytes.unwrap_or(if real { 4096 } else { 16 }).max(1) << 20;
    let authority = Authority::new()?;
    let place = Place::new()?;
    place.put(NAME, &authority.issue(&[NAME])?)?;
    let shop = TcpListener::bind("127.0.0.1:0").await?;
    let site = format!("[[site]]\nhosts = [\"{NAME}\"]\nupstreams = [\"http://{}\"]\n", shop.local_addr()?);
    tokio::spawn(accept_all(shop));
    let (running, _) = RunningEdge::start(&place, &site, &Client::new(authority.root_pem()), NAME)?;
    let speaker = |protocol| Speaker::new(running.address(), NAME, authority.root_pem(), protocol);
    let (http1, http2) = (speaker("http/1.1")?, speaker("h2")?);

    let mut good = true;
    for (name, is_http2) in [("HTTP/1.1", false), ("HTTP/2", true)] {
        // What the first of its kind makes the edge keep is not what a large one does.
        both(&http1, &http2, is_http2, WARM_UP).await?;
        let before = running.memory("VmRSS")?;
        let (over, begun) = (AtomicBool::new(false), Instant::now());
        let most = thread::scope(|scope| {
            let watching = scope.spawn(|| watch(&running, &over));
            let done = tokio::task::block_in_place(|| {
                tokio::runtime::Handle::current().block_on(both(&http1, &http2, is_http2, size))
            });
            over.store(true, Ordering::Relaxed);
            let most = watching.join().expect("no panic");
            done.and(most)
        })?;
        let seconds = begun.elapsed().as_secs_f64();
        let grown = most.saturating_sub(before);
        println!(
            "{name}: {} MiB each way in {seconds:.1} s, every octet right; memory of the edge {before} KiB before, \
             {most} KiB at most, {:.1} MiB more",
            size >> 20,
            grown as f64 / 1024.0
        );
        good &= grown < GROWTH;
    }
    Ok(good || !real)
}

/// The most memory that the edge has in use until it is over, in KiB.
fn watch(running: &RunningEdge, over: &AtomicBool) -> io::Result<u64> {
    let mut most = 0;
    while !over.load(Ordering::Relaxed) {
        most = most.max(running.memory("VmRSS")?);
        thread::sleep(LOOK);
    }
    Ok(most)
}

/// An upload and a download of `size` octets at once; an error if an octet of either is wrong.
async fn both(http1: &Speaker, http2: &Speaker, is_http2: bool, size: u64) -> io::Result<()> {
    if is_http2 {
        let connection = client::Builder::new()
            .initial_window_size(WINDOW)
            .initial_connection_window_size(2 * WINDOW)
            .handshake(http2.connect().await?);
        let (sender, connection) = connection.await.map_err(io::Error::other)?;
        let driver = tokio::spawn(connection);
        let done = tokio::try_join!(upload_over_http2(sender.clone(), size), download_over_http2(sender, size));
        driver.abort();
        return done.map(drop);
    }
    tokio::try_join!(upload(http1, size), download(http1, size)).map(drop)
}

async fn upload(speaker: &Speaker, size: u64) -> io::Result<()> {
    let mut stream = speaker.connect().await?;
    stream
        .write_all(format!("POST /{size} HTTP/1.1\r\nhost: {NAME}\r\ncontent-length: {size}\r\n\r\n").as_bytes())
        .await?;
    write_pattern(&mut stream, size).await?;
    judge(&head(&mut stream).await?)
}

async fn download(speaker: &Speaker, size: u64) -> io::Result<()> {
    let mut stream = speaker.connect().await?;
    stream.write_all(format!("GET /{size} HTTP/1.1\r\nhost: {NAME}\r\n\r\n").as_bytes()).await?;
    judge(&head(&mut stream).await?)?;
    read_pattern(&mut stream, size).await
}

fn judge(head: &str) -> io::Result<()> {
    if head.starts_with("HTTP/1.1 200 ") { Ok(()) } else { Err(io::Error::other(head.to_owned())) }
}

async fn upload_over_http2(sender: SendRequest<Bytes>, size: u64) -> io::Result<()> {
    let request = Request::post(format!("https://{NAME}/{size}")).header("content-length", size).body(());
    let mut sender = sender.ready().await.map_err(io::Error::other)?;
    let (response, mut stream) =
        sender.send_request(request.map_err(io::Error::other)?, false).map_err(io::Error::other)?;
    let (mut pattern, mut left) = (Pattern::default(), size);
    while left > 0 {
        stream.reserve_capacity(usize::try_from(left).map_or(PIECE, |left| left.min(PIECE)));
        let room = poll_fn(|cx| stream.poll_capacity(cx)).await.ok_or(io::ErrorKind::BrokenPipe)?;
        let mut octets = vec![0; room.map_err(io::Error::other)?.min(PIECE)];
        pattern.fill(&mut octets);
        left -= octets.len() as u64;
        stream.send_data(octets.into(), left == 0).map_err(io::Error::other)?;
    }
    let response = response.await.map_err(io::Error::other)?;
    if response.status() == 200 { Ok(()) } else { Err(io::Error::other(response.status().to_string())) }
}

async fn download_over_http2(sender: SendRequest<Bytes>, size: u64) -> io::Result<()> {
    let request = Request::get(format!("https://{NAME}/{size}")).body(()).map_err(io::Error::other)?;
    let mut sender = sender.ready().await.map_err(io::Error::other)?;
    let (response, _) = sender.send_request(request, true).map_err(io::Error::other)?;
    let mut body = response.await.map_err(io::Error::other)?.into_body();
    let mut pattern = Pattern::default();
    while let Some(data) = body.data().await {
        let data = data.map_err(io::Error::other)?;
        pattern.check(&data)?;
        body.flow_control().release_capacity(data.len()).map_err(io::Error::other)?;
    }
    pattern.ends_at(size)
}

/// The shop: takes and gives as many octets as the path says.
async fn accept_all(listener: TcpListener) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(answer(stream));
    }
}

async fn answer(mut stream: TcpStream) -> io::Result<()> {
    loop {
        let head = head(&mut stream).await?;
        let asked = head.split_once(" HTTP/1.1").and_then(|(asked, _)| asked.split_once(" /"));
        let Some((method, Ok(size))) = asked.map(|(method, size)| (method, size.parse())) else { return Ok(()) };
        if method == "GET" {
            stream.write_all(format!("HTTP/1.1 200 OK\r\ncontent-length: {size}\r\n\r\n").as_bytes()).await?;
            write_pattern(&mut stream, size).await?;
        } else {
            let status = if read_pattern(&mut stream, size).await.is_ok() { "200 OK" } else { "422 Unprocessable" };
            stream.write_all(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").as_bytes()).await?;
        }
    }
}

async fn write_pattern(stream: &mut (impl AsyncWrite + Unpin), size: u64) -> io::Result<()> {
    let (mut pattern, mut left, mut octets) = (Pattern::default(), size, vec![0; PIECE]);
    while left > 0 {
        let length = usize::try_from(left).map_or(PIECE, |left| left.min(PIECE));
        pattern.fill(&mut octets[..length]);
        stream.write_all(&octets[..length]).await?;
        left -= length as u64;
    }
    stream.flush().await
}

async fn read_pattern(stream: &mut (impl AsyncRead + Unpin), size: u64) -> io::Result<()> {
    let mut pattern = Pattern::default();
    let (mut stream, mut octets) = (stream.take(size), vec![0; PIECE]);
    loop {
        match stream.read(&mut octets).await? {
            0 => return pattern.ends_at(size),
            read => pattern.check(&octets[..read])?,
        }
    }
}

const NAME: &str = "shop.example";
/// Octets that go both ways before anything is measured.
const WARM_UP: u64 = 64 << 20;
/// What the edge may have more of, in KiB.
const GROWTH: u64 = 8 * 1024;
const PIECE: usize = 64 * 1024;
/// What a browser has.
const WINDOW: u32 = 6 << 20;
/// Between two looks at the edge's memory.
const LOOK: Duration = Duration::from_millis(50);
