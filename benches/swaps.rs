//! Certificates that change under load: does a client notice?
//!
//! 200 keep-alive connections send requests at a steady pace, 100 new connections a second look which certificate they get, and
//! a WebSocket echoes. Quiet turns and turns with swaps alternate in one run, so that both see the same machine; in the latter
//! the certificate and key of the name are replaced, 1,000 times in all, each file written beside and renamed.

use std::collections::HashMap;
use std::io::{self, Write};
use std::net::TcpListener;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use rustls_pki_types::CertificateDer;
use tokio_tungstenite::tungstenite::{self, Message, WebSocket};
use vitrine::certs::Issued;

use asking::{BODY, ask, wait};
use authority::Authority;
use cargo::Cargo;
use edge::{Client, Place, RunningEdge, Stream, issued_leaf, leaf};
use turns::{Samples, Turns};

#[path = "support/asking.rs"]
mod asking;
#[path = "support/authority.rs"]
#[allow(dead_code)] // it keeps none
mod authority;
#[path = "support/cargo.rs"]
mod cargo;
#[path = "support/edge.rs"]
mod edge;
#[path = "support/origin.rs"]
mod origin;
#[path = "support/turns.rs"]
mod turns;

/// Swaps certificates under load and tells what clients noticed. Exit code 1: a client noticed, or a figure was missed.
#[derive(Parser)]
struct Arguments {
    /// Length of the run, both kinds of turns together; 120, and 2 without --bench
    #[arg(long)]
    seconds: Option<u64>,
    /// Certificates that come one after the other; 1000, and 20 without --bench
    #[arg(long)]
    swaps: Option<usize>,
    /// Seconds of one turn; 1
    #[arg(long)]
    turn: Option<u64>,
    /// Keep-alive connections; 200, and 10 without --bench
    #[arg(long)]
    connections: Option<usize>,
    /// Requests a second on each of them
    #[arg(long, default_value_t = 5.0)]
    pace: f64,
    /// New connections a second; 100, and 20 without --bench
    #[arg(long)]
    handshakes: Option<usize>,
    #[command(flatten)]
    cargo: Cargo,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    arguments.cargo.run("swaps", || run(&arguments))
}

fn run(arguments: &Arguments) -> io::Result<bool> {
    let real = arguments.cargo.is_real();
    let or = |given: Option<usize>, real_default, small| given.unwrap_or(if real { real_default } else { small });
    let turn = arguments.turn.unwrap_or(1).max(1);
    let rounds = (arguments.seconds.unwrap_or(if real { 120 } else { 2 }) / (2 * turn)).max(1);
    let swaps = or(arguments.swaps, 1000, 20).max(1);
    let connections = or(arguments.connections, 200, 10).max(1);
    let handshakes = or(arguments.handshakes, 100, 20).max(1);

    let authority = Authority::new()?;
    let client = Client::new(authority.root_pem());
    // Beforehand, so that making keys takes no time from whom is measured.
    let issued = (0..=swaps).map(|_| authority.issue(&[NAME])).collect::<io::Result<Vec<_>>>()?;

    let place = Place::new()?;
    place.put(NAME, &issued[0])?;
    let (shop, echo) = (origin::start(vec![b'v'; BODY])?, start_echo()?);
    let site = format!(
        "[[site]]\nhosts = [\"{NAME}\"]\nupstreams = [\"http://{shop}\"]\n\
         [[site.route]]\npath = \"/echo\"\nupstreams = [\"http://{}\"]\n",
        echo
    );
    let (running, _) = RunningEdge::start(&place, &site, &client, NAME)?;

    let world = World {
        client,
        running,
        turns: Turns::new(Instant::now() + WARM_UP, Duration::from_secs(turn), rounds),
        numbers: issued.iter().enumerate().map(|(number, issued)| (issued_leaf(issued), number)).collect(),
        over: AtomicBool::new(false),
        faults: Mutex::default(),
        requests: AtomicU64::new(0),
        echoes: AtomicU64::new(0),
    };
    let open: Vec<Stream> = (0..connections).map(|_| world.connect()).collect::<io::Result<_>>()?;
    let socket = tungstenite::client(format!("wss://{NAME}/echo"), world.connect()?);
    let (socket, _) = socket.map_err(|error| io::Error::other(format!("the WebSocket did not open: {error}")))?;

    let pause = Duration::from_secs_f64(1.0 / arguments.pace.max(0.01));
    let (samples, shown, renamed) = thread::scope(|scope| {
        let world = &world;
        let clients: Vec<_> = (0u32..)
            .zip(open)
            .map(|(number, stream)| {
                let offset = pause * number / u32::try_from(connections).unwrap_or(u32::MAX);
                scope.spawn(move || world.keep_asking(stream, offset, pause))
            })
            .collect();
        let pause = Duration::from_secs_f64(HANDSHAKERS as f64 / handshakes as f64);
        let newcomers: Vec<_> = (0..HANDSHAKERS)
            .map(|number| scope.spawn(move || world.keep_connecting(pause * number / HANDSHAKERS, pause)))
            .collect();
        let echo = scope.spawn(move || world.keep_echoing(socket));

        let renamed = swap(&place, &issued, &world.turns);
        thread::sleep(LAST_LOOK);
        world.over.store(true, Ordering::Relaxed);
        echo.join().expect("no panic");
        let samples =
            clients.into_iter().fold(Samples::new(rounds), |all, one| all.with(one.join().expect("no panic")));
        let shown: Vec<Shown> = newcomers.into_iter().flat_map(|one| one.join().expect("no panic")).collect();
        (samples, shown, renamed)
    });
    let renamed = renamed?;

    println!(
        "{connections} keep-alive connections, {} requests, {} echoes",
        load(&world.requests),
        load(&world.echoes)
    );
    println!(
        "{} new connections, {} certificates swapped in {rounds} turns of {turn} s",
        shown.len(),
        renamed.len() - 1
    );
    samples.print();
    let faults = world.faults.into_inner().expect("no panic");
    let mut good = judge("failed requests, closed connections, failed handshakes, lost echoes", faults);
    good &= judge("handshakes with another certificate than the old or the new", strays(&shown, &renamed));
    let delays = delays(&shown, &renamed);
    let latest = delays.last().copied().flatten();
    println!(
        "new certificate seen after its rename: median {} ms, latest {} ms (at most {} ms)",
        millis(delays[delays.len() / 2]),
        millis(latest),
        VISIBLE.as_millis()
    );
    good &= latest.is_some_and(|latest| latest <= VISIBLE);
    if let Some(ratio) = samples.ratio() {
        println!("p99 with swaps / p99 without, median of the rounds: {ratio:.2} (at most {RATIO})");
        // An unoptimised build beside a compiler is no measure.
        good &= !real || ratio <= RATIO;
    }
    println!("{}", if good { "met" } else { "MISSED" });
    if !good {
        eprintln!("{}", place.log());
    }
    Ok(good)
}

/// What all threads share.
struct World {
    client: Client,
    running: RunningEdge,
    turns: Turns,
    /// Which of the certificates a leaf is.
    numbers: HashMap<CertificateDer<'static>, usize>,
    over: AtomicBool,
    faults: Mutex<Vec<String>>,
    requests: AtomicU64,
    echoes: AtomicU64,
}

/// Which certificate a handshake between two moments was shown.
struct Shown {
    begun: Instant,
    ended: Instant,
    number: Option<usize>,
}

impl World {
    fn connect(&self) -> io::Result<Stream> {
        self.client.connect(self.running.address(), NAME)
    }

    /// Requests at a steady pace on one connection, which must last.
    fn keep_asking(&self, mut stream: Stream, offset: Duration, pause: Duration) -> Samples {
        let mut samples = Samples::new(self.turns.rounds());
        let mut next = Instant::now() + offset;
        while self.wait(&mut next, pause) {
            let begun = Instant::now();
            if let Err(error) = ask(&mut stream, NAME) {
                self.fault(format!("a request failed and its connection is lost: {error}"));
                return samples;
            }
            samples.add(self.turns.at(begun), begun.elapsed());
            self.requests.fetch_add(1, Ordering::Relaxed);
        }
        samples
    }

    fn keep_connecting(&self, offset: Duration, pause: Duration) -> Vec<Shown> {
        let mut shown = Vec::new();
        let mut next = Instant::now() + offset;
        while self.wait(&mut next, pause) {
            let begun = Instant::now();
            match self.connect() {
                Ok(mut stream) => {
                    let number = self.numbers.get(leaf(&stream)).copied();
                    shown.push(Shown { begun, ended: Instant::now(), number });
                    stream.conn.send_close_notify();
                    // The edge may have closed already; the handshake counts.
                    let _ = stream.flush();
                }
                Err(error) => self.fault(format!("a handshake failed: {error}")),
            }
        }
        shown
    }

    fn keep_echoing(&self, mut socket: WebSocket<Stream>) {
        let pause = Duration::from_millis(50);
        let mut next = Instant::now();
        let mut number = 0u64;
        while self.wait(&mut next, pause) {
            number += 1;
            let sent = Message::text(number.to_string());
            match socket.send(sent.clone()).and_then(|()| socket.read()) {
                Ok(back) if back == sent => self.echoes.fetch_add(1, Ordering::Relaxed),
                Ok(_) => return self.fault("the WebSocket echoed something else".into()),
                Err(error) => return self.fault(format!("the WebSocket broke: {error}")),
            };
        }
    }

    /// Waits for the next turn of a steady pace; `false` once all is over.
    fn wait(&self, next: &mut Instant, pause: Duration) -> bool {
        wait(next, pause);
        !self.over.load(Ordering::Relaxed)
    }

    fn fault(&self, fault: String) {
        self.faults.lock().expect("no panic").push(fault);
    }
}

/// Puts one certificate after the other there, evenly over the turns that swap. Gives the moment of each rename.
fn swap(place: &Place, issued: &[Issued], turns: &Turns) -> io::Result<Vec<Instant>> {
    let mut renamed = vec![Instant::now()];
    for (issued, at) in issued[1..].iter().zip(turns.spread(issued.len() - 1)) {
        thread::sleep(at.saturating_duration_since(Instant::now()));
        renamed.push(place.put(NAME, issued)?);
    }
    thread::sleep(turns.end().saturating_duration_since(Instant::now()));
    Ok(renamed)
}

/// Handshakes that got what was never put there, or an older certificate than one that had been served before.
fn strays(shown: &[Shown], renamed: &[Instant]) -> Vec<String> {
    let mut by_end: Vec<&Shown> = shown.iter().collect();
    by_end.sort_by_key(|shown| shown.ended);
    let mut by_begin: Vec<&Shown> = shown.iter().collect();
    by_begin.sort_by_key(|shown| shown.begun);
    let (mut ended, mut newest) = (by_end.into_iter().peekable(), 0);
    let mut strays = Vec::new();
    for shown in by_begin {
        while let Some(before) = ended.next_if(|before| before.ended <= shown.begun) {
            newest = newest.max(before.number.unwrap_or(0));
        }
        match shown.number {
            None => strays.push("a certificate that was never there".into()),
            // A file that is just renamed may be read before its writer looks at the clock.
            Some(number) if renamed[number] > shown.ended + CLOCK => {
                strays.push(format!("{number} before it was there"))
            }
            Some(number) if number < newest => strays.push(format!("{number} after {newest} had been served")),
            Some(_) => {}
        }
    }
    strays
}

/// For each swap the time from its rename to the first handshake that showed it or one after it, shortest first; `None`
/// comes last: never.
fn delays(shown: &[Shown], renamed: &[Instant]) -> Vec<Option<Duration>> {
    let mut first = vec![None; renamed.len()];
    for shown in shown {
        if let Some(number) = shown.number {
            first[number] = Some(first[number].map_or(shown.ended, |first: Instant| first.min(shown.ended)));
        }
    }
    let mut earliest = None;
    let mut delays: Vec<Option<Duration>> = Vec::new();
    for (first, renamed) in first.into_iter().zip(renamed).skip(1).rev() {
        earliest = [earliest, first].into_iter().flatten().min();
        delays.push(earliest.map(|earliest| earliest.saturating_duration_since(*renamed)));
    }
    delays.sort_by_key(|delay| delay.unwrap_or(Duration::MAX));
    delays
}

fn judge(what: &str, faults: Vec<String>) -> bool {
    println!("{what}: {}", faults.len());
    for fault in faults.iter().take(5) {
        println!("  {fault}");
    }
    faults.is_empty()
}

fn start_echo() -> io::Result<std::net::SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            thread::spawn(move || {
                let Ok(mut socket) = tungstenite::accept(connection) else { return };
                while let Ok(message) = socket.read() {
                    if socket.send(message).is_err() {
                        return;
                    }
                }
            });
        }
    });
    Ok(address)
}

fn load(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

fn millis(delay: Option<Duration>) -> String {
    delay.map_or_else(|| "(never)".into(), |delay| delay.as_millis().to_string())
}

const NAME: &str = "shop.example";
const VISIBLE: Duration = Duration::from_secs(1);
const RATIO: f64 = 1.1;
const WARM_UP: Duration = Duration::from_secs(1);
/// The last swap has its second, and a little for the last handshake to end.
const LAST_LOOK: Duration = Duration::from_millis(1500);
const CLOCK: Duration = Duration::from_millis(50);
const HANDSHAKERS: u32 = 4;
