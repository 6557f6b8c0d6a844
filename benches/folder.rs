//! A drop folder with ten thousand certificates, or a hundred thousand: how soon the edge serves, how much memory each one
//! takes, how soon and at what cost one that changed among them is served, and whether other clients notice that.
//!
//! Every certificate has two names and a P-256 key of its own and lies there as two files, `<name>.crt` with the intermediate and
//! `<name>.key`.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use tempfile::TempDir;

use asking::{BODY, ask, wait};
use authority::Authority;
use cargo::Cargo;
use edge::{Client, Place, RunningEdge, issued_leaf, leaf};
use stock::{Stock, await_library, host, issue, stem};
use turns::{Samples, Turns};

#[path = "support/asking.rs"]
mod asking;
#[path = "support/authority.rs"]
mod authority;
#[path = "support/cargo.rs"]
mod cargo;
#[path = "support/edge.rs"]
mod edge;
#[path = "support/origin.rs"]
mod origin;
#[path = "support/stock.rs"]
mod stock;
#[path = "support/turns.rs"]
mod turns;

/// Measures the edge with many certificates in its drop folder. Exit code 1: a figure was missed.
#[derive(Parser)]
struct Arguments {
    /// Certificates in the folder; 10000, and 200 without --bench
    #[arg(long)]
    certificates: Option<usize>,
    /// Starts of the edge, and changed files at each; 3, and 1 without --bench
    #[arg(long)]
    rounds: Option<usize>,
    /// Seconds in which clients ask, half of them while certificates change without a pause; 40, and 4 without --bench
    #[arg(long)]
    seconds: Option<u64>,
    /// Where the certificates are kept for the next time; made there when they are missing
    #[arg(long)]
    keep: Option<PathBuf>,
    #[command(flatten)]
    cargo: Cargo,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    arguments.cargo.run("folder", || measure(&arguments))
}

/// Whether every figure was met.
fn measure(arguments: &Arguments) -> io::Result<bool> {
    let real = arguments.cargo.is_real();
    let count = arguments.certificates.unwrap_or(if real { 10_000 } else { 200 }).max(2);
    let rounds = arguments.rounds.unwrap_or(if real { 3 } else { 1 }).max(1);
    let seconds = arguments.seconds.unwrap_or(if real { 40 } else { 4 });
    let passing = TempDir::new()?;
    let stock = Stock::open(arguments.keep.as_deref().unwrap_or(passing.path()), count)?;
    let client = Client::new(stock.authority.root_pem());

    let alone = memory_with_one(&stock, &client)?;
    println!("memory with 1 certificate: {alone} KiB");
    // The edge reads a file again that is as young as its time stamp is coarse; ten thousand are not made in a second.
    thread::sleep(GROWN_UP);

    let mut met = true;
    let soon = FIRST_HANDSHAKE.max(READY_EACH * count as u32);
    println!(
        "{:>6} {:>16} {:>11} {:>12} {:>10} {:>12} {:>14} {:>10}",
        "round", "first handshake", "processor", "memory", "each", "peak", "change served", "processor"
    );
    let place = Place::with_drop_folder(stock.certificates())?;
    for round in 1..=rounds {
        let (running, first) = RunningEdge::start(&place, SITE, &client, &host(count / 2))?;
        let processor = running.processor_time()?;
        thread::sleep(SETTLED);
        let (memory, peak) = (running.memory("VmRSS")?, running.memory("VmHWM")?);
        await_library(&place, count)?;
        thread::sleep(SETTLED);
        let each = (memory.saturating_sub(alone)) as f64 / (count - 1) as f64;
        let before = running.processor_time()?;
        let changed = change(&place, &running, &client, &stock.authority, (count / 3 + round) % count)?;
        // What it looks at again afterwards belongs to it.
        thread::sleep(SETTLED);
        let cost = running.processor_time()?.saturating_sub(before);
        println!(
            "{round:>6} {:>13} ms {:>8} ms {memory:>8} KiB {each:>6.1} KiB {peak:>8} KiB {:>11} ms {:>7} ms",
            first.as_millis(),
            processor.as_millis(),
            changed.as_millis(),
            cost.as_millis()
        );
        met &= first < soon && each <= MEMORY_EACH && changed < CHANGE_SERVED && cost < CHANGE_PROCESSOR;
    }
    met &= noticed(&stock, &client, count, seconds)? <= RATIO;
    println!(
        "{}: first handshake under {} ms, at most {MEMORY_EACH} KiB each, a change served under {} ms with under {} ms of \
         processor time, p99 with changes at most {RATIO} times that without",
        match (real, met) {
            (false, _) => "not judged",
            (true, true) => "met",
            (true, false) => "MISSED",
        },
        soon.as_millis(),
        CHANGE_SERVED.as_millis(),
        CHANGE_PROCESSOR.as_millis()
    );
    Ok(met || !real)
}

fn memory_with_one(stock: &Stock, client: &Client) -> io::Result<u64> {
    let place = Place::new()?;
    place.put(&stem(0), &issue(&stock.authority, 0)?)?;
    let (running, _) = RunningEdge::start(&place, SITE, client, &host(0))?;
    thread::sleep(SETTLED);
    running.memory("VmRSS")
}

/// Replaces one certificate; gives the time from its rename to the first handshake that shows it.
fn change(
    place: &Place,
    running: &RunningEdge,
    client: &Client,
    authority: &Authority,
    number: usize,
) -> io::Result<Duration> {
    let issued = issue(authority, number)?;
    let expected = issued_leaf(&issued);
    let renamed = place.put(&stem(number), &issued)?;
    loop {
        // Handshakes cost the edge something too.
        thread::sleep(BETWEEN_LOOKS);
        let stream = client.connect(running.address(), &host(number))?;
        if *leaf(&stream) == expected {
            return Ok(renamed.elapsed());
        }
        if renamed.elapsed() > GIVEN_UP {
            eprintln!("{}", place.log());
            return Err(io::Error::other("the changed certificate is not served"));
        }
    }
}

/// By how much the p99 of clients that go on asking is higher in turns in which one certificate after the other changes. In the
/// other turns certificates are made and looked for just as often, and none is put there.
fn noticed(stock: &Stock, client: &Client, count: usize, seconds: u64) -> io::Result<f64> {
    let shop = origin::start(vec![b'v'; BODY])?;
    let site = format!("site = [{{ hosts = [\"{}\"], upstreams = [\"http://{shop}\"] }}]\n", host(0));
    let place = Place::with_drop_folder(stock.certificates())?;
    let (running, _) = RunningEdge::start(&place, &site, client, &host(0))?;
    await_library(&place, count)?;
    thread::sleep(SETTLED);
    let rounds = (seconds / (2 * TURN.as_secs())).max(1);
    let turns = Turns::new(Instant::now() + TURN, TURN, rounds);
    let open = (0..CONNECTIONS).map(|_| client.connect(running.address(), &host(0))).collect::<io::Result<Vec<_>>>()?;
    let faults = Mutex::new(Vec::new());
    let (samples, changes) = thread::scope(|scope| {
        let (turns, faults) = (&turns, &faults);
        let clients: Vec<_> = (0u32..)
            .zip(open)
            .map(|(number, mut stream)| {
                scope.spawn(move || {
                    let mut samples = Samples::new(turns.rounds());
                    let mut next = Instant::now() + PACE * number / CONNECTIONS;
                    while Instant::now() < turns.end() {
                        wait(&mut next, PACE);
                        let begun = Instant::now();
                        if let Err(error) = ask(&mut stream, &host(0)) {
                            faults.lock().expect("no panic").push(error);
                            break;
                        }
                        samples.add(turns.at(begun), begun.elapsed());
                    }
                    samples
                })
            })
            .collect();
        let changes = keep_changing(turns, &place, &running, client, &stock.authority, count);
        let samples =
            clients.into_iter().fold(Samples::new(rounds), |all, one| all.with(one.join().expect("no panic")));
        (samples, changes)
    });
    if let Some(error) = faults.into_inner().expect("no panic").pop() {
        return Err(error);
    }
    println!("{} certificates changed one after the other in {rounds} busy turns of {} s", changes?, TURN.as_secs());
    samples.print();
    samples.ratio().ok_or_else(|| io::Error::other("nothing was measured"))
}

/// The next certificate changes as soon as the last one is served, in each busy turn. Gives their number.
fn keep_changing(
    turns: &Turns,
    place: &Place,
    running: &RunningEdge,
    client: &Client,
    authority: &Authority,
    count: usize,
) -> io::Result<usize> {
    let mut changes = 0;
    for begin in turns.busy() {
        while Instant::now() < begin {
            issue(authority, 0)?;
            // As often as `change` looks.
            for _ in 0..4 {
                thread::sleep(BETWEEN_LOOKS);
                leaf(&client.connect(running.address(), &host(1))?);
            }
        }
        while Instant::now() < begin + TURN - CHANGE_SERVED / 4 {
            changes += 1;
            change(place, running, client, authority, 1 + changes % (count - 1))?;
        }
    }
    Ok(changes)
}

/// Certificates are served whether a site asks for them or not.
const SITE: &str = "site = [{ hosts = [\"*.example.org\"], upstreams = [\"http://127.0.0.1:9\"] }]\n";
/// Of ten thousand; with more, as many times `READY_EACH`.
const FIRST_HANDSHAKE: Duration = Duration::from_millis(1500);
const READY_EACH: Duration = Duration::from_micros(100);
const MEMORY_EACH: f64 = 8.0;
const CHANGE_SERVED: Duration = Duration::from_secs(1);
const CHANGE_PROCESSOR: Duration = Duration::from_millis(300);
const RATIO: f64 = 1.1;
const GROWN_UP: Duration = Duration::from_secs(2);
/// What was only needed for starting goes back to the system in this time, or does not at all.
const SETTLED: Duration = Duration::from_secs(1);
const GIVEN_UP: Duration = Duration::from_secs(10);
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);
const TURN: Duration = Duration::from_secs(2);
const CONNECTIONS: u32 = 200;
/// From one request of a connection to its next.
const PACE: Duration = Duration::from_millis(200);
