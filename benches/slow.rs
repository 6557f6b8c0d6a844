//! Twelve thousand connections that only hold on: five thousand drip a head, five thousand a body, two thousand half a handshake, each from
//! an address of its own. What does a good client notice, and what does each of them cost in memory?
//!
//! Quiet turns and turns under attack alternate. The deadlines that would end the attackers are far away, so that all of them are
//! there at once: it is their number that is measured, and not how soon they go.

use std::io;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;

use asking::{BODY, ask, wait};
use attackers::{Attack, Attackers};
use authority::Authority;
use cargo::Cargo;
use edge::{Client, Place, RunningEdge};

#[path = "support/asking.rs"]
mod asking;
#[path = "slow/attackers.rs"]
mod attackers;
#[path = "support/authority.rs"]
#[allow(dead_code)] // it keeps none
mod authority;
#[path = "support/cargo.rs"]
mod cargo;
#[path = "support/edge.rs"]
#[allow(dead_code)] // no certificate changes
mod edge;
#[path = "support/origin.rs"]
mod origin;

/// Measures what slow clients cost. Exit code 1: a figure was missed.
#[derive(Parser)]
struct Arguments {
    /// Connections that drip a head, and as many that drip a body; 5000, and 50 without --bench
    #[arg(long)]
    drips: Option<usize>,
    /// Connections that stop in their handshake; 2000, and 20 without --bench
    #[arg(long)]
    handshakes: Option<usize>,
    /// Seconds between two octets of each
    #[arg(long, default_value_t = 5.0)]
    pace: f64,
    /// Rounds of a quiet turn and one under attack; 5, and 1 without --bench
    #[arg(long)]
    rounds: Option<usize>,
    /// Seconds of one turn; 5, and 1 without --bench
    #[arg(long)]
    turn: Option<u64>,
    #[command(flatten)]
    cargo: Cargo,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    arguments.cargo.run("slow", || run(&arguments))
}

fn run(arguments: &Arguments) -> io::Result<bool> {
    let real = arguments.cargo.is_real();
    let or = |given: Option<usize>, real_default, small| given.unwrap_or(if real { real_default } else { small });
    let drips = or(arguments.drips, 5000, 50);
    let handshakes = or(arguments.handshakes, 2000, 20);
    let rounds = or(arguments.rounds, 5, 1).max(1);
    let turn = Duration::from_secs(arguments.turn.unwrap_or(if real { 5 } else { 1 }).max(1));

    let authority = Authority::new()?;
    let client = Client::new(authority.root_pem());
    let place = Place::new()?;
    place.put(NAME, &authority.issue(&[NAME])?)?;
    let (shop, sink) = (origin::start(vec![b'v'; BODY])?, attackers::sink()?);
    let sites = format!(
        "[limits]\nheader_timeout = \"5m\"\nhandshake_timeout = \"5m\"\nbody_idle_timeout = \"5m\"\nconnections = {}\n\
         [[site]]\nhosts = [\"{NAME}\"]\nupstreams = [\"http://{shop}\"]\n\
         [[site.route]]\npath = \"/upload\"\nupstreams = [\"http://{sink}\"]\n",
        2 * drips + handshakes + 500
    );
    let (running, _) = RunningEdge::start(&place, &sites, &client, NAME)?;
    let pace = Duration::from_secs_f64(arguments.pace.max(0.1));
    let attacks = [(Attack::Head, drips), (Attack::Body, drips), (Attack::Handshake, handshakes)];

    // Some go and come first, so that what the process keeps for later is not taken for what they hold.
    let mut costs: Vec<Vec<f64>> = vec![Vec::new(); attacks.len()];
    let (mut quiet, mut busy) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        quiet.push(p99(&client, &running, turn)?);
        let mut all = Vec::new();
        for (place, (attack, number)) in attacks.into_iter().enumerate() {
            let before = running.memory("VmRSS")?;
            all.push(Attackers::start(attack, number, running.address(), authority.root_pem(), pace)?);
            let after = running.memory("VmRSS")?;
            costs[place].push(after.saturating_sub(before) as f64 / number as f64);
        }
        busy.push(p99(&client, &running, turn)?);
        for attackers in all {
            attackers.stop(&mut |lost| println!("{lost} attackers were hung up on"));
        }
    }

    let mut good = true;
    for ((attack, number), costs) in attacks.into_iter().zip(&costs) {
        let first = costs[0];
        println!("{number} {}: {first:.1} KiB each (at most {KIB})", attack.name());
        good &= !real || first <= KIB;
    }
    let line = |all: &[Duration]| all.iter().map(|p99| p99.as_micros().to_string()).collect::<Vec<_>>().join(" ");
    println!("p99 of a good client, quiet: {} µs", line(&quiet));
    println!("p99 of a good client, under attack: {} µs", line(&busy));
    let least = |all: &[Duration]| all.iter().min().copied().unwrap_or_default().as_secs_f64();
    let ratio = least(&busy) / least(&quiet);
    println!("least p99 under attack / least p99 quiet: {ratio:.2} (at most {RATIO})");
    // An unoptimised build beside a compiler is no measure.
    good &= !real || ratio <= RATIO;
    println!("{}", if good { "met" } else { "MISSED" });
    if !good {
        eprintln!("{}", place.log());
    }
    Ok(good)
}

/// The 99th of a hundred latencies of requests at a steady pace on connections that are kept.
fn p99(client: &Client, running: &RunningEdge, turn: Duration) -> io::Result<Duration> {
    let over = AtomicBool::new(false);
    let open: Vec<_> = (0..CONNECTIONS).map(|_| client.connect(running.address(), NAME)).collect::<io::Result<_>>()?;
    let mut latencies = thread::scope(|scope| {
        let over = &over;
        let asking: Vec<_> = (0u32..)
            .zip(open)
            .map(|(number, mut stream)| {
                scope.spawn(move || {
                    let mut latencies = Vec::new();
                    let mut next = Instant::now() + PAUSE * number / CONNECTIONS;
                    while !over.load(Ordering::Relaxed) {
                        wait(&mut next, PAUSE);
                        let begun = Instant::now();
                        ask(&mut stream, NAME).map(|()| latencies.push(begun.elapsed()))?;
                    }
                    Ok(latencies)
                })
            })
            .collect();
        thread::sleep(turn);
        over.store(true, Ordering::Relaxed);
        let all: io::Result<Vec<Vec<Duration>>> = asking.into_iter().map(|one| one.join().expect("no panic")).collect();
        all.map(|all| all.concat())
    })?;
    latencies.sort_unstable();
    Ok(latencies[latencies.len() * 99 / 100])
}

const NAME: &str = "shop.example";
const KIB: f64 = 10.0;
const RATIO: f64 = 2.0;
/// Of the good client, and how long each of them waits between two requests.
const CONNECTIONS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(50);
