//! Clients that hold on to a connection and say as little as they can.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsConnector;

/// What is never ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Attack {
    Head,
    Body,
    Handshake,
}

impl Attack {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Head => "that drip a head",
            Self::Body => "that drip a body",
            Self::Handshake => "that stop in their handshake",
        }
    }
}

/// Attackers of one kind, all of them connected.
pub(crate) struct Attackers {
    end: watch::Sender<bool>,
    lost: Arc<AtomicUsize>,
    thread: thread::JoinHandle<()>,
}

impl Attackers {
    /// Has `number` of them connect and say all they say at once, and waits until they have.
    pub(crate) fn start(
        attack: Attack,
        number: usize,
        edge: SocketAddr,
        root: &str,
        pace: Duration,
    ) -> io::Result<Self> {
        let tls = tls(root);
        let (end, ended) = watch::channel(false);
        let (ready, lost) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (told, gone) = (Arc::clone(&ready), Arc::clone(&lost));
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let turns = Arc::new(Semaphore::new(AT_ONCE));
                let all: Vec<_> = (0..number)
                    .map(|place| {
                        let (tls, turns, mut ended) = (tls.clone(), Arc::clone(&turns), ended.clone());
                        let (told, gone) = (Arc::clone(&told), Arc::clone(&gone));
                        tokio::spawn(async move {
                            let turn = turns.acquire().await.expect("open");
                            let held = async {
                                let opened = open(attack, place, edge, &tls).await?;
                                drop(turn);
                                told.fetch_add(1, Ordering::Relaxed);
                                opened.drip(place, pace).await
                            };
                            tokio::select! {
                                _ = ended.wait_for(|ended| *ended) => {}
                                Err(_) = held => drop(gone.fetch_add(1, Ordering::Relaxed)),
                            }
                        })
                    })
                    .collect();
                for one in all {
                    one.await.expect("no panic");
                }
            });
        });
        let begun = Instant::now();
        while ready.load(Ordering::Relaxed) < number {
            let lost = lost.load(Ordering::Relaxed);
            if lost > 0 || begun.elapsed() > CONNECTED_BY {
                return Err(io::Error::other(format!("{lost} of {number} attackers came to nothing")));
            }
            thread::sleep(Duration::from_millis(10));
        }
        // What the last of them said is read.
        thread::sleep(Duration::from_millis(500));
        Ok(Self { end, lost, thread })
    }

    /// Has them go; `told` hears how many were gone before.
    pub(crate) fn stop(self, told: &mut impl FnMut(usize)) {
        let lost = self.lost.load(Ordering::Relaxed);
        if lost > 0 {
            told(lost);
        }
        let _ = self.end.send(true);
        self.thread.join().expect("no panic");
    }
}

enum Opened {
    Tls(Box<tokio_rustls::client::TlsStream<TcpStream>>, &'static [u8]),
    Tcp(TcpStream, Vec<u8>),
}

async fn open(attack: Attack, place: usize, edge: SocketAddr, tls: &TlsConnector) -> io::Result<Opened> {
    let socket = TcpSocket::new_v4()?;
    let own =
        u32::from(Ipv4Addr::new(127, 1, 0, 0)) + attack as u32 * 0x0010_0000 + u32::try_from(place).unwrap_or(0) * 7;
    socket.bind((Ipv4Addr::from(own), 0).into())?;
    let mut tcp = socket.connect(edge).await?;
    tcp.set_nodelay(true)?;
    let name = ServerName::try_from(super::NAME).expect("a name");
    if attack == Attack::Handshake {
        let mut hello = Vec::new();
        ClientConnection::new(Arc::clone(tls.config()), name).map_err(io::Error::other)?.write_tls(&mut hello)?;
        let rest = hello.split_off(hello.len() / 2);
        tcp.write_all(&hello).await?;
        return Ok(Opened::Tcp(tcp, rest));
    }
    let mut stream = Box::new(tls.connect(name, tcp).await?);
    let (said, drip): (_, &'static [u8]) = match attack {
        Attack::Head => (HEAD, b"x"),
        _ => (UPLOAD, b"1\r\nx\r\n"),
    };
    stream.write_all(said).await?;
    stream.flush().await?;
    Ok(Opened::Tls(stream, drip))
}

impl Opened {
    /// Says an octet now and then, until the edge hangs up.
    async fn drip(self, place: usize, pace: Duration) -> io::Result<()> {
        // Not all at once.
        tokio::time::sleep(pace.mul_f64((place % 1000) as f64 / 1000.0)).await;
        match self {
            Self::Tls(mut stream, drip) => loop {
                say(&mut *stream, drip).await?;
                tokio::time::sleep(pace).await;
            },
            Self::Tcp(mut stream, rest) => {
                // The last is never said.
                for octet in rest[..rest.len() - 1].chunks(1) {
                    say(&mut stream, octet).await?;
                    tokio::time::sleep(pace).await;
                }
                stream.read_u8().await.map(drop)
            }
        }
    }
}

async fn say(stream: &mut (impl AsyncWrite + Unpin), octets: &[u8]) -> io::Result<()> {
    stream.write_all(octets).await?;
    stream.flush().await
}

/// Starts an upstream that takes whatever comes and never answers.
pub(crate) fn sink() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            loop {
                let Ok((mut stream, _)) = listener.accept().await else { continue };
                tokio::spawn(async move {
                    let mut octets = [0; 256];
                    while stream.read(&mut octets).await.is_ok_and(|read| read > 0) {}
                });
            }
        });
    });
    Ok(address)
}

fn tls(root: &str) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(root.as_bytes()).expect("PEM")).expect("a root");
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().expect("versions");
    TlsConnector::from(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}

const HEAD: &[u8] = b"GET /basket HTTP/1.1\r\nhost: shop.example\r\nuser-agent: slow\r\nx-slow: ";
const UPLOAD: &[u8] =
    b"POST /upload HTTP/1.1\r\nhost: shop.example\r\nuser-agent: slow\r\ntransfer-encoding: chunked\r\n\r\n";
/// That connect at the same time.
const AT_ONCE: usize = 64;
const CONNECTED_BY: Duration = Duration::from_secs(120);
