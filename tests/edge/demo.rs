//! `vitrine demo`: everything it tells the operator to try works, and Ctrl-C leaves nothing behind.
//!
//! Its ports are fixed, so it runs in a network of its own.

use std::fs;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;

use crate::support::{Lines, PROGRAM, eventually};

#[test]
fn every_line_of_the_demos_guide_works_as_printed() {
    let demo = Demo::start();
    let commands = demo.commands();
    // The end of a line, how curl must end, and what it must say.
    let expected: [(&str, i32, &[&str]); 8] = [
        ("https://shop.localhost:8443/headers", 0, &["\"x-forwarded-proto\"", "shop.localhost"]),
        (
            "https://cafe.localhost:8443/headers",
            0,
            &["cafe.localhost", "subjectAltName: host \"cafe.localhost\" matched", "TLSv1.2", "< HTTP/1.1 200"],
        ),
        ("https://shop.localhost:8443/download", 0, &["100  100M"]),
        // 28: curl's own time limit, which the guide announces.
        (
            "https://shop.localhost:8443/echo",
            28,
            &["HTTP/1.1 101 ", "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="],
        ),
        ("http://shop.localhost:8080/", 0, &["HTTP/1.1 308 ", "location: https://shop.localhost:8443/"]),
        ("http://127.0.0.1:9180/metrics", 0, &["vitrine_site_requests_total{site=\"shop.localhost\",class=\"2xx\"} 2"]),
        ("http://127.0.0.1:9180/readyz", 0, &["ready\n"]),
        ("http://localhost/api/v1/certificates", 0, &["shop.localhost", "cafe.localhost", "Vitrine demo"]),
    ];
    assert_eq!(commands.len(), expected.len(), "{commands:#?}");
    for (command, (end, code, words)) in commands.iter().zip(expected) {
        assert!(command.ends_with(end), "{command} is not the one for {end}");
        let output = demo.shell(command).output().expect("nsenter runs");
        let said = said(&output);
        assert_eq!(output.status.code(), Some(code), "{command}: {said}");
        for word in words {
            assert!(said.contains(word), "{command} does not say {word}: {said}");
        }
    }
}

#[test]
fn ctrl_c_ends_the_demo_at_once_and_leaves_nothing_behind() {
    let mut demo = Demo::start();
    // A WebSocket that stays open, as the page in a browser has one.
    let command = demo.commands().into_iter().find(|command| command.ends_with("/echo")).expect("a WebSocket");
    let patient = command.replace(" -m 2 ", " -v ");
    assert_ne!(patient, command);
    let mut socket = demo.shell(&patient).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("nsenter runs");
    let answer = Arc::<Lines>::default();
    let reader = answer.follow(socket.stderr.take().expect("its words"));
    answer.wait("an upgrade", 0, |line| line.as_str().is_some_and(|line| line.contains("101 Switching Protocols")));

    let begun = Instant::now();
    kill_process(demo.pid(), Signal::INT).expect("a running demo");
    let status = eventually("the end of the demo", || demo.process.try_wait().expect("a child"));
    assert_eq!(status.code(), Some(0), "{:?}", demo.log.all());
    assert!(begun.elapsed() < DRAIN / 2, "{:?}", begun.elapsed());
    // The shop said goodbye, the edge passed it on, and curl saw an orderly end.
    assert_eq!(eventually("the end of curl", || socket.try_wait().expect("a child")).code(), Some(0));
    reader.join().expect("its words were read");
    let left: Vec<_> = fs::read_dir(demo.place.path()).expect("the folder").collect();
    assert!(left.is_empty(), "{left:?}");
    let bad = |line: &&serde_json::Value| [" WARN ", " ERROR "].iter().any(|level| line.to_string().contains(level));
    assert_eq!(demo.log.all().iter().find(bad), None);
}

#[test]
fn the_log_does_not_stand_in_the_middle_of_the_guide() {
    // A terminal shows both.
    let demo = Demo::run("demo 2>&1");
    let lines = demo.output.all();
    let lines: Vec<&str> = lines.iter().filter_map(serde_json::Value::as_str).collect();
    let at = |text: &str| lines.iter().position(|line| line.starts_with(text)).expect("the guide");
    let guide = &lines[at("A sample shop")..at("Ctrl-C stops.")];
    assert_eq!(guide.iter().find(|line| line.contains(" INFO ")), None, "{lines:#?}");
    assert!(demo.log.all().is_empty());
}

/// A demo in a network of its own, which holds nothing but a loopback device. Killed when dropped.
struct Demo {
    process: Child,
    output: Arc<Lines>,
    log: Arc<Lines>,
    /// What it takes for the system's temporary folder.
    place: TempDir,
}

impl Demo {
    fn start() -> Self {
        Self::run("demo")
    }

    /// Starts it with these words, which a shell reads, and waits for its whole guide.
    fn run(words: &str) -> Self {
        // A name that a shell would take for several words, and for the beginning of a quotation.
        let place = tempfile::Builder::new().prefix("the demo's place").tempdir().expect("a folder");
        let mut process = Command::new("unshare")
            .args(if geteuid().is_root() { &["--net"][..] } else { &["--net", "--map-root-user"] })
            // One process becomes the next: signals reach the demo itself.
            .args(["sh", "-c", &format!("PATH=$PATH:/usr/sbin:/sbin; ip link set lo up && exec \"$0\" {words}")])
            .arg(PROGRAM)
            .env("TMPDIR", place.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("unshare runs");
        let (output, log) = (Arc::<Lines>::default(), Arc::<Lines>::default());
        output.follow(process.stdout.take().expect("its output"));
        log.follow(process.stderr.take().expect("its log"));
        let demo = Self { process, output, log, place };
        demo.output.wait("the end of the guide", 0, |line| line == "Ctrl-C stops.");
        demo
    }

    /// What the guide has the operator type.
    fn commands(&self) -> Vec<String> {
        let lines = self.output.all();
        let mut lines = lines.iter().filter_map(|line| line.as_str());
        let mut commands = Vec::new();
        while let Some(line) = lines.next() {
            if line.starts_with("  curl ") {
                let mut command = line.to_owned();
                while command.ends_with('\\') {
                    command = command + "\n" + lines.next().expect("the rest of the command");
                }
                commands.push(command);
            }
        }
        commands
    }

    /// A shell of somebody who sits beside it and has no settings of their own.
    fn shell(&self, command: &str) -> Command {
        let mut shell = Command::new("nsenter");
        shell
            .args(["--target", &self.process.id().to_string(), "--net"])
            .args(if geteuid().is_root() { &[][..] } else { &["--user", "--preserve-credentials"] })
            .args(["sh", "-c", command])
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .stdin(Stdio::null());
        shell
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.process)
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if std::thread::panicking() {
            eprintln!("demo: {:#?}", self.log.all());
        }
    }
}

/// Both streams.
fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// How long the demo's edge would wait for what does not end by itself.
const DRAIN: Duration = Duration::from_secs(5);
