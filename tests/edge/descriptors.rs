//! Out of file descriptors: accepting pauses, who is there is served, and it goes on by itself.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Barrier, Mutex, mpsc};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Resource, getrlimit};
use tokio::task::JoinSet;

use crate::support::{Http2, Origin, Setup, authority, eventually, message, shop_client};

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_clients_with_many_streams_leave_room_for_everybody_else() {
    let (go, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let origin = Origin::new(move |exchange| {
        if exchange.asked().1 == "/slow" {
            // Until the other half is dropped.
            let _ = wait.lock().expect("the gate").recv();
        }
        exchange.answer("200 OK", &[], b"hello")
    });
    let mut setup = Setup::shop(&origin);
    setup.open_files(300).set("limits", "upstream_connect_timeout = \"1s\"");
    let edge = setup.start();
    let mut streams = JoinSet::new();
    for _ in 0..3 {
        let client = Http2::open(edge.https, "shop.example").await;
        for _ in 0..99 {
            let mut client = client.another();
            streams.spawn(async move { client.get("shop.example", "/slow").await.0 });
        }
    }
    // 300 files less a reserve of 128, and half of that.
    edge.counted(86.0, "vitrine_upstream_connections_open", &[]);
    for _ in 86..3 * 99 {
        assert_eq!(streams.join_next().await.expect("a stream").expect("an answer"), 503, "one too many");
    }
    let mut client = Http2::open(edge.https, "shop.example").await;
    assert_eq!(client.get("shop.example", "/").await.0, 503);
    let told = edge.logged("no connection to an upstream can be opened");
    assert_eq!((&told["level"], &told["reason"]), (&"ERROR".into(), &"upstream_limit".into()));
    let scrape = edge.scrape();
    let sums = ["vitrine_upstream_failures_total", "vitrine_accept_errors_total"].map(|name| scrape.sum(name, &[]));
    assert_eq!(sums, [0.0, 0.0], "nobody else is to blame");
    assert_eq!(scrape.sum("vitrine_local_answers_total", &[("reason", "upstream_limit")]), 212.0);

    drop(go);
    while let Some(status) = streams.join_next().await {
        assert_eq!(status.expect("an answer"), 200);
    }
    assert_eq!(client.get("shop.example", "/").await.0, 200);
}

#[test]
fn an_idle_connection_is_given_up_for_one_that_is_needed() {
    let arrived = Barrier::new(PLACES);
    let busy = Origin::new(move |exchange| {
        arrived.wait();
        exchange.answer("200 OK", &[], b"busy")
    });
    let other = Origin::saying("other");
    let mut setup = Setup::shop(&busy);
    setup.site(&["other.example"], &[&other]).certificate("other", &authority().issue(&["other.example"]));
    setup.set("edge", "workers = 1").open_files(128 + 2 * PLACES as u64).set("limits", "connections = 40");
    let edge = setup.start();
    let mut clients: Vec<_> = (0..PLACES).map(|_| edge.open("shop.example")).collect();
    for client in &mut clients {
        client.send("GET / HTTP/1.1\r\nhost: shop.example\r\n\r\n");
    }
    assert!(clients.iter_mut().all(|client| client.response().status == 200));
    edge.counted(PLACES as f64, "vitrine_upstream_connections_open", &[]);
    let begun = Instant::now();
    assert_eq!(edge.get("other.example", "/").text(), "other");
    assert!(begun.elapsed() < Duration::from_secs(4), "that is the patience for a place: {:?}", begun.elapsed());
    edge.counted(PLACES as f64, "vitrine_upstream_connections_open", &[]);
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

/// What an edge with few files has for upstreams.
const PLACES: usize = 20;
/// What a machine's usual hard limit lets a process open, in round numbers.
const MANY: u64 = 20_000;
/// Linux counts processor time for its users in hundredths of a second, whatever its own clock does.
const TICK: Duration = Duration::from_millis(10);
