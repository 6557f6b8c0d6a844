//! An edge: the real program, started, watched and ended.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::message::Response;
use super::metrics::Metrics;
use super::setup::Setup;
use super::talk::Talk;
use super::tls::shop_client;
use super::{DEADLINE, TICK, eventually};

/// A running edge. Killed when dropped.
pub(crate) struct Edge {
    pub(crate) setup: Setup,
    child: Child,
    log: Arc<Lines>,
    output: Arc<Lines>,
    readers: Vec<JoinHandle<()>>,
    pub(crate) https: SocketAddr,
    pub(crate) http: Option<SocketAddr>,
    pub(crate) admin: SocketAddr,
    pub(crate) metrics: Option<SocketAddr>,
}

impl Edge {
    pub(super) fn start(setup: Setup) -> Self {
        let unknown = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut edge = Self::spawn(setup, unknown);
        edge.log_line("ready", |line| line["message"] == "ready");
        let address = |protocol: &str| {
            edge.log
                .all()
                .iter()
                .filter(|line| line["message"] == "listening" && line["protocol"] == protocol)
                .find_map(|line| line["address"].as_str()?.parse::<SocketAddr>().ok())
        };
        let (https, http) = (address("https").expect("an https address"), address("http"));
        let (admin, metrics) = (address("admin").expect("an admin address"), address("metrics"));
        (edge.https, edge.http, edge.admin, edge.metrics) = (https, http, admin, metrics);
        edge
    }

    /// Starts without waiting, for edges that are not to become ready.
    pub(crate) fn spawn(setup: Setup, address: SocketAddr) -> Self {
        setup.write();
        let mut command = match setup.open_files {
            Some(limit) => {
                let mut command = Command::new("prlimit");
                command.arg(format!("--nofile={limit}:{limit}")).arg(PROGRAM);
                command
            }
            None => Command::new(PROGRAM),
        };
        let mut child = command
            .args(["run", "--config", "vitrine.toml"])
            .current_dir(setup.folder.path())
            .env_remove("NOTIFY_SOCKET")
            .envs(setup.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the edge starts");
        let (log, output) = (Arc::<Lines>::default(), Arc::<Lines>::default());
        let mut readers = vec![log.follow(child.stderr.take().expect("stderr"))];
        if !setup.output_unread {
            readers.push(output.follow(child.stdout.take().expect("stdout")));
        }
        Self { setup, child, log, output, readers, https: address, http: None, admin: address, metrics: None }
    }

    /// A keep-alive connection of a usual client that speaks HTTP/1.1.
    pub(crate) fn open(&self, name: &str) -> Talk {
        shop_client().open(self.https, name)
    }

    /// A GET over a connection of its own.
    pub(crate) fn get(&self, host: &str, target: &str) -> Response {
        self.open(host).get(host, target)
    }

    /// The address that speaks plain HTTP.
    pub(crate) fn http(&self) -> SocketAddr {
        self.http.expect("an http address")
    }

    /// Waits for a line of the log.
    pub(crate) fn log_line(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        self.log.wait(what, 0, wanted)
    }

    /// Waits for a line of the log behind the first `after`.
    pub(crate) fn log_line_after(&self, after: usize, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        self.log.wait(what, after, wanted)
    }

    /// Waits for a line whose message holds `text`.
    pub(crate) fn logged(&self, text: &str) -> Value {
        self.log_line(text, |line| message(line).contains(text))
    }

    /// Every line of the log until now.
    pub(crate) fn log(&self) -> Vec<Value> {
        self.log.all()
    }

    /// Waits for a line on standard output.
    pub(crate) fn output_line(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        self.output.wait(what, 0, wanted)
    }

    /// Every line on standard output until now.
    pub(crate) fn output(&self) -> Vec<Value> {
        self.output.all()
    }

    /// Asks the API through the socket.
    pub(crate) fn ask_api(&self, method: &str, path: &str) -> Response {
        let mut talk = Talk::unix(&self.setup.state().join("admin.sock")).expect("admin.sock");
        talk.ask(format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n"))
    }

    /// The same with a document.
    pub(crate) fn order_api(&self, method: &str, path: &str, order: &Value) -> Response {
        let mut talk = Talk::unix(&self.setup.state().join("admin.sock")).expect("admin.sock");
        let (order, fields) = (order.to_string(), "host: localhost\r\ncontent-type: application/json");
        talk.ask(format!("{method} {path} HTTP/1.1\r\n{fields}\r\ncontent-length: {}\r\n\r\n{order}", order.len()))
    }

    /// A new token.
    pub(crate) fn token(&self, name: &str, role: &str) -> String {
        let made = self.order_api("POST", "/api/v1/tokens", &serde_json::json!({ "name": name, "role": role }));
        assert_eq!(made.status, 201, "{}", made.text());
        made.json()["token"].as_str().expect("a token").to_owned()
    }

    /// Asks the API over the network.
    pub(crate) fn ask_with(&self, token: &str, method: &str, path: &str) -> Response {
        let fields = format!("host: localhost\r\nauthorization: Bearer {token}\r\ncontent-length: 0");
        Talk::plain(self.admin).ask(format!("{method} {path} HTTP/1.1\r\n{fields}\r\n\r\n"))
    }

    /// A list of the API.
    pub(crate) fn api(&self, resource: &str) -> Vec<Value> {
        let response = self.ask_api("GET", &format!("/api/v1/{resource}"));
        assert_eq!(response.status, 200, "{}", response.text());
        response.json().as_array().unwrap_or_else(|| panic!("{} is no list", response.text())).clone()
    }

    /// A scrape.
    pub(crate) fn scrape(&self) -> Metrics {
        let response = Talk::plain(self.admin).get("localhost", "/metrics");
        assert_eq!(response.status, 200);
        Metrics(response.text())
    }

    /// Scrapes until the sum of the series is `wanted`.
    pub(crate) fn counted(&self, wanted: f64, name: &str, labels: &[(&str, &str)]) {
        eventually(&format!("{name}{labels:?} = {wanted}"), || {
            (self.scrape().sum(name, labels) == wanted).then_some(())
        });
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("a running edge");
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).expect("a pid")).expect("a pid")
    }

    /// KiB in memory.
    pub(crate) fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("a process");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
        line.split_whitespace().next().and_then(|size| size.parse().ok()).expect("a number")
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let status = eventually("the end of the edge", || self.child.try_wait().expect("a child"));
        for reader in self.readers.drain(..) {
            // Everything it said is there then.
            let _ = reader.join();
        }
        status
    }

    /// Ends it and gives back what it was started with, to start it again.
    pub(crate) fn end(mut self, signal: Signal) -> Setup {
        self.signal(signal);
        self.wait();
        std::mem::replace(&mut self.setup, Setup::new())
    }

    /// Writes the changed configuration and has it read.
    pub(crate) fn reload(&self) {
        let before = self.log.all().len();
        self.setup.write();
        self.signal(Signal::HUP);
        self.log_line_after(before, "a reload", |line| message(line).contains("configuration was reloaded"));
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            for line in self.log.all().iter().rev().take(20).rev() {
                eprintln!("edge: {line}");
            }
        }
    }
}

/// The message of a line.
pub(crate) fn message(line: &Value) -> &str {
    line["message"].as_str().unwrap_or_default()
}

/// Runs the program to its end. One that goes on running is ended, and a failure.
pub(crate) fn run(arguments: &[&str], setup: &Setup) -> Output {
    let mut child = Command::new(PROGRAM)
        .args(arguments)
        .current_dir(setup.folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    // Read meanwhile: whoever says more than a pipe holds waits for a reader.
    let said = listen(child.stdout.take().expect("a pipe"));
    let complained = listen(child.stderr.take().expect("a pipe"));
    let output = |status| Output {
        status,
        stdout: said.join().expect("its words"),
        stderr: complained.join().expect("its words"),
    };
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("a child") {
            return output(status);
        }
        if begun.elapsed() > DEADLINE {
            let _ = child.kill();
            panic!("{arguments:?} goes on running: {:?}", output(child.wait().expect("a child")));
        }
        std::thread::sleep(TICK);
    }
}

/// All that a stream says, until its end.
fn listen(mut stream: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut said = Vec::new();
        stream.read_to_end(&mut said).expect("a pipe");
        said
    })
}

/// What a stream has said so far; a line that is no JSON is kept as a string.
#[derive(Default)]
pub(crate) struct Lines {
    lines: Mutex<Vec<Value>>,
    more: Condvar,
}

impl Lines {
    pub(crate) fn follow(self: &Arc<Self>, stream: impl Read + Send + 'static) -> JoinHandle<()> {
        let this = Arc::clone(self);
        std::thread::spawn(move || {
            for line in BufReader::new(stream).lines() {
                let Ok(line) = line else { break };
                let line = serde_json::from_str(&line).unwrap_or(Value::String(line));
                this.lines().push(line);
                this.more.notify_all();
            }
        })
    }

    /// A test that fails while it looks leaves the lines as they are.
    fn lines(&self) -> MutexGuard<'_, Vec<Value>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn all(&self) -> Vec<Value> {
        self.lines().clone()
    }

    pub(crate) fn wait(&self, what: &str, after: usize, wanted: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + DEADLINE;
        let mut lines = self.lines();
        let mut seen = after;
        loop {
            if let Some(found) = lines.iter().skip(seen).find(|line| wanted(line)) {
                return found.clone();
            }
            seen = lines.len().max(after);
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                drop(lines);
                panic!("no line with {what}");
            }
            lines = self.more.wait_timeout(lines, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// What is tested.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_vitrine");
