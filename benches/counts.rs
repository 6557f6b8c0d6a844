//! How many instructions the hot path takes, held against those that are written down beside this file.
//!
//! A time depends on the machine and on what else it does; a count hardly does, though one of an unoptimised build, which the tests have,
//! means nothing but beside another of its kind. The built `vitrine` runs under valgrind's callgrind with
//! one worker; what is counted is all that its busiest thread did, in user space, from the first of some operations to the last, which
//! one client makes one after the other. Looking a name up is counted in this program itself.
//!
//! Exit code 1: a count is more than 2 % above what is written down, or so much below that it should be written down anew.

use std::collections::BTreeMap;
use std::fs;
use std::hint::black_box;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::Parser;
use rustls::SignatureScheme;
use vitrine::live::CertIndex;

use asking::{BODY, ask};
use authority::Authority;
use cargo::Cargo;
use deck::Deck;
use edge::{Client, Place, RunningEdge};
use random::Random;
use speaking::Speaker;

#[path = "support/asking.rs"]
#[allow(dead_code)] // nothing waits here
mod asking;
#[path = "support/authority.rs"]
#[allow(dead_code)] // it keeps none
mod authority;
#[path = "support/cargo.rs"]
mod cargo;
#[path = "support/deck.rs"]
mod deck;
#[path = "support/edge.rs"]
#[allow(dead_code)] // no leaf is looked at
mod edge;
#[path = "support/origin.rs"]
mod origin;
#[path = "support/random.rs"]
#[allow(dead_code)] // nothing is shuffled
mod random;
#[path = "support/speaking.rs"]
#[allow(dead_code)] // no head is read
mod speaking;

/// Counts instructions and holds them against benches/counts.json. Exit code 1: one is off by more than 2 %.
#[derive(Parser)]
struct Arguments {
    /// Writes the counts down, in place of those that are
    #[arg(long)]
    update: bool,
    /// Looks names up and does nothing else: what is run under callgrind
    #[arg(long, hide = true)]
    resolve: bool,
    #[command(flatten)]
    cargo: Cargo,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.resolve {
        resolve();
        return ExitCode::SUCCESS;
    }
    let is_real = arguments.cargo.is_real();
    arguments.cargo.run("counts", || if is_real { judge(arguments.update) } else { rehearse() })
}

/// Whether everything that is counted works.
fn rehearse() -> io::Result<bool> {
    resolve();
    let bench = Bench::start(Command::new(PROGRAM))?;
    for operation in OPERATIONS {
        bench.operate(operation, 1)?;
    }
    Ok(true)
}

fn judge(update: bool) -> io::Result<bool> {
    let counted = count()?;
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/counts.json");
    if update {
        fs::write(&file, format!("{}\n", serde_json::to_string_pretty(&counted)?))?;
    }
    let written: BTreeMap<String, f64> = serde_json::from_slice(&fs::read(&file)?)?;
    let mut is_met = true;
    println!("{:<12}{:>14}{:>14}{:>9}", "", "written down", "counted", "ratio");
    for (name, &now) in &counted {
        let before =
            *written.get(name).ok_or_else(|| io::Error::other(format!("{name} is not written down: --update")))?;
        let ratio = now / before;
        let verdict = match ratio {
            ratio if ratio > 1.0 + BOUND => "  MISSED: find what was added, or write it down with --update and say why",
            ratio if ratio < 1.0 - BOUND => "  MISSED: better, and to be kept: write it down with --update",
            _ => "",
        };
        println!("{name:<12}{before:>14.0}{now:>14.0}{ratio:>9.3}{verdict}");
        is_met &= verdict.is_empty();
    }
    Ok(is_met)
}

/// Instructions of each operation.
fn count() -> io::Result<BTreeMap<String, f64>> {
    let mut counted = BTreeMap::from([("resolve".to_owned(), count_resolve()?)]);
    let place = tempfile::tempdir()?;
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--separate-threads=yes", "--vgdb-poll=100000"]);
    command.arg(format!("--callgrind-out-file={}", place.path().join("out").display())).arg(PROGRAM);
    let bench = Bench::start(command)?;
    let pid = bench.edge.pid();
    for operation in OPERATIONS {
        // What is done once is done.
        bench.operate(operation, 20)?;
        tell(pid, "zero")?;
        bench.operate(operation, operation.count)?;
        tell(pid, "dump")?;
        #[allow(clippy::cast_precision_loss)] // far from 2^53
        counted.insert(operation.name.to_owned(), busiest(place.path())? as f64 / f64::from(operation.count));
    }
    Ok(counted)
}

/// What was asked of the edge.
struct Operation {
    name: &'static str,
    count: u32,
    run: fn(&Bench, u32) -> io::Result<()>,
}

const OPERATIONS: &[Operation] = &[
    Operation { name: "handshake", count: 60, run: Bench::shake_hands },
    Operation { name: "http1", count: 500, run: Bench::ask_in_http1 },
    Operation { name: "http2", count: 500, run: Bench::ask_in_http2 },
];

/// A running edge with a shop behind it, and clients.
struct Bench {
    place: Place,
    edge: RunningEdge,
    client: Client,
    root: String,
    runtime: tokio::runtime::Runtime,
}

impl Bench {
    fn start(command: Command) -> io::Result<Self> {
        let (place, authority) = (Place::new()?, Authority::new()?);
        place.put("shop", &authority.issue(&[NAME])?)?;
        let origin = origin::start(vec![b'v'; BODY])?;
        let sites = format!("edge.workers = 1\n[[site]]\nhosts = [\"{NAME}\"]\nupstreams = [\"http://{origin}\"]\n");
        let client = Client::new(authority.root_pem());
        let (edge, _) = RunningEdge::start_under(&place, &sites, &client, NAME, command)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { place, edge, client, root: authority.root_pem().to_owned(), runtime })
    }

    fn operate(&self, operation: &Operation, count: u32) -> io::Result<()> {
        (operation.run)(self, count).inspect_err(|_| eprintln!("{}", self.place.log()))
    }

    /// Full handshakes as browsers make them, each with its end.
    fn shake_hands(&self, count: u32) -> io::Result<()> {
        for _ in 0..count {
            let mut stream = self.client.connect(self.edge.address(), NAME)?;
            stream.conn.send_close_notify();
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(())
    }

    /// Requests on one connection.
    fn ask_in_http1(&self, count: u32) -> io::Result<()> {
        let mut stream = self.client.connect(self.edge.address(), NAME)?;
        (0..count).try_for_each(|_| ask(&mut stream, NAME))
    }

    fn ask_in_http2(&self, count: u32) -> io::Result<()> {
        let speaker = Speaker::new(self.edge.address(), NAME, &self.root, "h2")?;
        self.runtime.block_on(async {
            let stream = speaker.connect().await?;
            let (sender, connection) = h2::client::handshake(stream).await.map_err(io::Error::other)?;
            tokio::spawn(connection);
            let mut sender = sender.ready().await.map_err(io::Error::other)?;
            for _ in 0..count {
                let request =
                    http::Request::get(format!("https://{NAME}/basket")).body(()).map_err(io::Error::other)?;
                let (answer, _) = sender.send_request(request, true).map_err(io::Error::other)?;
                let mut body = answer.await.map_err(io::Error::other)?.into_body();
                let mut length = 0;
                while let Some(data) = body.data().await {
                    let data = data.map_err(io::Error::other)?;
                    length += data.len();
                    body.flow_control().release_capacity(data.len()).map_err(io::Error::other)?;
                }
                if length != BODY {
                    return Err(io::Error::other(format!("an answer of {length} octets")));
                }
            }
            Ok(())
        })
    }
}

/// Says something to callgrind in that process.
fn tell(pid: u32, what: &str) -> io::Result<()> {
    let told = Command::new("vgdb").arg(format!("--pid={pid}")).arg(what).output()?;
    match told.status.success() {
        true => Ok(()),
        false => Err(io::Error::other(format!("vgdb {what}: {}", String::from_utf8_lossy(&told.stderr)))),
    }
}

/// Instructions of the thread that had most, in the dump that was written last; there is none afterwards.
fn busiest(folder: &Path) -> io::Result<u64> {
    let files: Vec<PathBuf> = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    let mut most = 0;
    for file in files {
        for line in BufReader::new(fs::File::open(&file)?).lines() {
            if let Some(total) = line?.strip_prefix("totals: ").and_then(|total| total.trim().parse().ok()) {
                most = most.max(total);
            }
        }
        fs::remove_file(file)?;
    }
    if most == 0 {
        return Err(io::Error::other("callgrind has written no totals"));
    }
    Ok(most)
}

fn count_resolve() -> io::Result<f64> {
    let place = tempfile::tempdir()?;
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--toggle-collect=*look_all_up*"]);
    command.arg(format!("--callgrind-out-file={}", place.path().join("out").display()));
    let told = command.arg(std::env::current_exe()?).arg("--resolve").output()?;
    if !told.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&told.stderr).into_owned()));
    }
    #[allow(clippy::cast_precision_loss)] // far from 2^53
    Ok(busiest(place.path())? as f64 / LOOKUPS as f64)
}

/// Looks names up in an index of 1,000, exact ones and such below a wildcard, known and unknown.
fn resolve() {
    let (mut random, deck) = (Random::new(LOOKUPS as u64), Deck::new());
    let names: Vec<String> = (0..1_000).map(|_| random.host_name()).collect();
    let index = CertIndex::ranked(names.iter().enumerate().map(|(at, name)| match at % 4 {
        0 => deck.certificate(&format!("*.{name}")),
        _ => deck.certificate(name),
    }));
    let asked: Vec<String> = (0..LOOKUPS)
        .map(|at| match (at % 1_000, at % 5) {
            (of, 0..=3) if of % 4 == 0 => format!("www.{}", names[of]),
            (of, 0..=3) => names[of].clone(),
            _ => random.host_name(),
        })
        .collect();
    assert!(look_all_up(&index, &asked) > LOOKUPS / 2);
}

/// Callgrind counts from its first instruction to its last.
#[inline(never)]
fn look_all_up(index: &CertIndex, asked: &[String]) -> usize {
    let mut found = 0;
    for name in asked {
        if let Some(choice) = black_box(index).find(black_box(name)) {
            found += usize::from(choice.pick(&[SignatureScheme::ECDSA_NISTP256_SHA256]).is_some());
        }
    }
    black_box(found)
}

const PROGRAM: &str = env!("CARGO_BIN_EXE_vitrine");
const NAME: &str = "shop.example";
const LOOKUPS: usize = 10_000;
/// What may change without a reason.
const BOUND: f64 = 0.02;
