//! Out of file descriptors: accepting pauses, who is there is served, and it goes on by itself.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, getrlimit};

use crate::support::{Origin, Setup, eventually, message, shop_client};

#[test]
fn at_twenty_thousand_descriptors_who_is_there_is_served_and_accepting_goes_on_by_itself() {
    may_open(MANY);
    let origin = Origin::saying("hello");
    let mut setup = Setup::shop(&origin);
    // More connections than descriptors: the system says no before we do.
    setup.open_files(MANY).set("limits", "connections = 100000").set("limits", "handshake_timeout = \"1h\"");
    let edge = setup.start();
    let mut client = edge.open("shop.example");
    assert_eq!(client.get("shop.example", "/").status, 200);
    let crowds = ["127.0.8.1", "127.0.8.2"].map(|source| Crowd::gather(edge.https, source, MANY / 2 + 100));
    let crowds = crowds.map(Crowd::complete);
    eventually("the limit", || (open_files(edge.pid()) as u64 == MANY).then_some(()));

    // Of three lines, two are of one worker, which writes one a second.
    let (begun, before) = (Instant::now(), processor_time(edge.pid()));
    for _ in 0..3 {
        let line =
            edge.log_line_after(edge.log().len(), "a pause", |line| message(line).contains("connections pauses"));
        assert_eq!((&line["level"], &line["reason"]), (&"ERROR".into(), &"descriptors".into()));
    }
    let (elapsed, used) = (begun.elapsed(), processor_time(edge.pid()) - before);
    assert!(used < elapsed / 4, "{used:?} of processor time in {elapsed:?} is no rest");
    for _ in 0..20 {
        assert_eq!(client.get("shop.example", "/").status, 200, "who is there is served");
    }

    drop(crowds);
    let answer = eventually("a new connection", || {
        let mut talk = shop_client().try_open(edge.https, "shop.example").ok()?;
        Some(talk.get("shop.example", "/").status)
    });
    assert_eq!((answer, client.get("shop.example", "/").status), (200, 200));
    eventually("the end of the crowd's connections", || (open_files(edge.pid()) < 100).then_some(()));
    let pauses = edge.scrape().sum("vitrine_accept_errors_total", &[("reason", "descriptors")]);
    // Four accepting loops that rest 50 ms each time: thousands would be a spin.
    assert!((3.0..2000.0).contains(&pauses), "{pauses}");
}

#[test]
fn the_limit_of_connections_follows_from_that_of_files() {
    let origin = Origin::saying("hello");
    let mut setup = Setup::shop(&origin);
    setup.open_files(200).set("limits", "handshake_timeout = \"1h\"");
    let edge = setup.start();
    let mut client = edge.open("shop.example");
    let crowd: Vec<_> = (0..100).map(|_| TcpStream::connect(edge.https).expect("the kernel queues it")).collect();
    // The edge stops accepting while there are descriptors left for upstreams, certificates and this scrape.
    eventually("the limit", || {
        (edge.scrape().sum("vitrine_accept_errors_total", &[("reason", "connection_limit")]) > 0.0).then_some(())
    });
    assert_eq!(client.get("shop.example", "/").status, 200);
    assert_eq!(edge.scrape().sum("vitrine_accept_errors_total", &[("reason", "descriptors")]), 0.0);
    drop(crowd);
    eventually("a new connection", || shop_client().try_open(edge.https, "shop.example").ok());
}

/// Clients that connect and say nothing, in a process of their own; gone when dropped.
struct Crowd {
    process: Child,
    words: BufReader<ChildStdout>,
    size: u64,
}

impl Crowd {
    /// Has `size` clients come from the address `source`.
    fn gather(address: SocketAddr, source: &str, size: u64) -> Self {
        let mut process = Command::new("python3")
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/edge/descriptors/crowd.py"))
            .args([&address.ip().to_string(), &address.port().to_string(), source, &size.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 runs");
        let words = BufReader::new(process.stdout.take().expect("its output"));
        Self { process, words, size }
    }

    /// Waits until all of them are connected.
    fn complete(mut self) -> Self {
        let mut line = String::new();
        self.words.read_line(&mut line).expect("a word");
        assert_eq!(line, format!("{} open\n", self.size));
        self
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Fails where the machine does not let a process have so many files open.
fn may_open(files: u64) {
    let hard = getrlimit(Resource::Nofile).maximum;
    assert!(
        hard.is_none_or(|hard| hard >= files),
        "this test needs a hard limit of {files} open files, and it is {hard:?}; raise it: `ulimit -Hn`, \
         LimitNOFILE= of a systemd unit, --ulimit nofile= of a container"
    );
}

fn open_files(process: Pid) -> usize {
    fs::read_dir(format!("/proc/{}/fd", process.as_raw_nonzero())).expect("its descriptors").count()
}

/// What the process has used so far, in user and in kernel mode (proc_pid_stat(5)).
fn processor_time(process: Pid) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{}/stat", process.as_raw_nonzero())).expect("its figures");
    let (_, figures) = stat.rsplit_once(") ").expect("its name");
    let ticks =
        |place: usize| figures.split(' ').nth(place).and_then(|ticks| ticks.parse::<u32>().ok()).expect("ticks");
    TICK * (ticks(11) + ticks(12))
}

/// What a machine's usual hard limit lets a process open, in round numbers.
const MANY: u64 = 20_000;
/// Linux counts processor time for its users in hundredths of a second, whatever its own clock does.
const TICK: Duration = Duration::from_millis(10);
