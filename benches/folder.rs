//! A drop folder with ten thousand certificates: how soon the edge serves, how much memory each one takes, and how soon one
//! that changed among them is served.
//!
//! Every certificate has a name and a P-256 key of its own and lies there as two files, `<name>.crt` and `<name>.key`.

use std::io;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use vitrine::certs::LocalCa;

use cargo::Cargo;
use edge::{Client, Place, RunningEdge, issue, issued_leaf, leaf};

#[path = "support/cargo.rs"]
mod cargo;
#[path = "support/edge.rs"]
mod edge;

/// Measures the edge with many certificates in its drop folder. Exit code 1: a figure was missed.
#[derive(Parser)]
struct Arguments {
    /// Certificates in the folder; 10000, and 200 without --bench
    #[arg(long)]
    certificates: Option<usize>,
    /// Starts of the edge, and changed files at each; 3, and 1 without --bench
    #[arg(long)]
    rounds: Option<usize>,
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
    let authority = edge::authority()?;
    let client = Client::new(&authority);

    let many = Place::new()?;
    let begun = Instant::now();
    fill(&many, &authority, count)?;
    println!("{count} certificates with keys of their own made in {:.1} s", begun.elapsed().as_secs_f64());

    let one = Place::new()?;
    one.put(&stem(0), &issue(&authority, &host(0))?)?;
    let alone = memory_with_one(&one, &client)?;
    println!("memory with 1 certificate: {alone} KiB");
    // The edge reads a file again that is as young as its time stamp is coarse; ten thousand are not made in a second.
    thread::sleep(GROWN_UP);

    let mut met = true;
    println!(
        "{:>6} {:>16} {:>14} {:>14} {:>14} {:>14} {:>16}",
        "round", "first handshake", "processor", "memory", "each", "peak", "change served"
    );
    for round in 1..=rounds {
        let (running, first) = RunningEdge::start(&many, SITE, &client, &host(count / 2))?;
        let processor = running.processor_time()?;
        thread::sleep(SETTLED);
        let (memory, peak) = (running.memory("VmRSS")?, running.memory("VmHWM")?);
        let each = (memory.saturating_sub(alone)) as f64 / (count - 1) as f64;
        let changed = change(&many, &running, &client, &authority, count / 3)?;
        println!(
            "{round:>6} {:>13} ms {:>11} ms {memory:>10} KiB {each:>10.1} KiB {peak:>10} KiB {:>13} ms",
            first.as_millis(),
            processor.as_millis(),
            changed.as_millis()
        );
        met &= !real || first < FIRST_HANDSHAKE && each <= MEMORY_EACH && changed < CHANGE_SERVED;
    }
    println!(
        "{}: first handshake under {} ms, at most {MEMORY_EACH} KiB each, a change served under {} ms",
        match (real, met) {
            (false, _) => "not judged",
            (true, true) => "met",
            (true, false) => "MISSED",
        },
        FIRST_HANDSHAKE.as_millis(),
        CHANGE_SERVED.as_millis()
    );
    Ok(met)
}

fn fill(place: &Place, authority: &LocalCa, count: usize) -> io::Result<()> {
    let next = AtomicUsize::new(0);
    let work = || {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return Ok(());
            }
            place.put(&stem(number), &issue(authority, &host(number))?)?;
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().expect("no panic"))
    })
}

fn memory_with_one(place: &Place, client: &Client) -> io::Result<u64> {
    let (running, _) = RunningEdge::start(place, SITE, client, &host(0))?;
    thread::sleep(SETTLED);
    running.memory("VmRSS")
}

/// Replaces one certificate; gives the time from its rename to the first handshake that shows it.
fn change(
    place: &Place,
    running: &RunningEdge,
    client: &Client,
    authority: &LocalCa,
    number: usize,
) -> io::Result<Duration> {
    let issued = issue(authority, &host(number))?;
    let expected = issued_leaf(&issued);
    let renamed = place.put(&stem(number), &issued)?;
    loop {
        let stream = client.connect(running.address(), &host(number))?;
        if *leaf(&stream) == expected {
            return Ok(renamed.elapsed());
        }
        if renamed.elapsed() > GIVEN_UP {
            eprintln!("{}", place.log());
            return Err(io::Error::other("the changed certificate is not served"));
        }
        thread::sleep(Duration::from_millis(2));
    }
}

fn host(number: usize) -> String {
    format!("{}.example", stem(number))
}

fn stem(number: usize) -> String {
    format!("shop-{number:06}")
}

/// Certificates are served whether a site asks for them or not.
const SITE: &str = "site = [{ hosts = [\"*.example.org\"], upstreams = [\"http://127.0.0.1:9\"] }]\n";
const FIRST_HANDSHAKE: Duration = Duration::from_millis(1500);
const MEMORY_EACH: f64 = 12.0;
const CHANGE_SERVED: Duration = Duration::from_secs(1);
const GROWN_UP: Duration = Duration::from_secs(2);
/// What was only needed for starting goes back to the system in this time, or does not at all.
const SETTLED: Duration = Duration::from_secs(1);
const GIVEN_UP: Duration = Duration::from_secs(10);
