//! Other edges: the real programs, on an address of their own, to be moved away from.

use std::fs::{self, File};
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::SystemTime;

use rustix::process::{Pid, Signal, kill_process};

use super::command::said;
use super::edge::run;
use super::eventually;
use super::pebble::own_address;
use super::setup::Setup;

/// A program that serves. Ended when dropped.
pub(crate) struct Peer {
    child: Child,
    log: PathBuf,
}

impl Peer {
    /// Starts it and waits until it listens.
    pub(crate) fn start(command: &mut Command, folder: &Path, address: SocketAddr) -> Self {
        let log = folder.join("peer.log");
        let file = File::create(&log).expect("a file");
        let both = (file.try_clone().expect("a file"), file);
        let child = command.stdin(Stdio::null()).stdout(both.0).stderr(both.1).spawn();
        let child = child.unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut peer = Self { child, log };
        eventually("a peer that listens", || {
            let ended = peer.child.try_wait().expect("a child");
            assert!(ended.is_none(), "{command:?} has ended: {}", peer.said());
            TcpStream::connect(address).ok()
        });
        peer
    }

    /// Everything that it said.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(&self.log).expect("a log")
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a pid")).expect("a pid");
        let _ = kill_process(pid, Signal::TERM);
        let _ = self.child.wait();
    }
}

/// Addresses for HTTPS and HTTP that nobody else has.
pub(crate) fn own_addresses() -> (SocketAddr, SocketAddr) {
    let address: Ipv4Addr = own_address();
    ((address, 8443).into(), (address, 8080).into())
}

/// A program that ends, and must have done well.
pub(crate) fn accepted(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (stdout, stderr) = (said(&output.stdout), said(&output.stderr));
    assert!(output.status.success(), "{command:?}: {stdout}{stderr}");
    stdout
}

/// SHA-256 of the certificate that openssl is shown, for keys that sign like this.
pub(crate) fn fingerprint(address: SocketAddr, name: &str, signatures: &str) -> String {
    let mut client = Command::new("openssl");
    client.args(["s_client", "-connect", &address.to_string(), "-servername", name, "-sigalgs", signatures]);
    let shown = client.stdin(Stdio::null()).output().expect("openssl is there");
    let mut reader = Command::new("openssl")
        .args(["x509", "-noout", "-fingerprint", "-sha256"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("openssl is there");
    reader.stdin.take().expect("stdin").write_all(&shown.stdout).expect("written");
    let read = reader.wait_with_output().expect("openssl's words");
    assert!(read.status.success(), "{name}: {}{}", said(&shown.stderr), said(&read.stderr));
    said(&read.stdout)
}

/// What curl gets, whoever stands behind the certificate, and the status.
pub(crate) fn curl(address: SocketAddr, url: &str) -> String {
    let host = url.split("://").nth(1).and_then(|rest| rest.split(['/', ':']).next()).expect("a host");
    let mut client = Command::new("curl");
    client.args(["-sSk", "-w", " %{http_code}", "--resolve", &format!("{host}:{}:{}", address.port(), address.ip())]);
    accepted(client.arg(url.replacen(host, &format!("{host}:{}", address.port()), 1)))
}

/// Runs `vitrine import … --into .` where an edge is to be started, and has that edge started with what was written.
pub(crate) fn import(setup: &mut Setup, line: &[&str]) -> (i32, String) {
    let arguments: Vec<&str> = ["import"].iter().chain(line).chain(&["--into", "."]).copied().collect();
    let Output { status, stdout, stderr } = run(&arguments, setup);
    let told = format!("{}{}", said(&stdout), said(&stderr));
    if let Ok(text) = fs::read_to_string(setup.config()) {
        setup.written(&text);
    }
    (status.code().expect("a code"), told)
}

/// Every file below a folder with its size and the time of its last change.
pub(crate) fn untouched(folder: &Path) -> Vec<(PathBuf, u64, SystemTime)> {
    let (mut files, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let facts = fs::symlink_metadata(&path).expect("facts");
            if facts.is_dir() {
                folders.push(path);
            } else {
                files.push((path, facts.len(), facts.modified().expect("a time")));
            }
        }
    }
    files.sort();
    files
}

/// What the keys of tests sign with.
pub(crate) const ECDSA: &str = "ecdsa_secp256r1_sha256";
pub(crate) const RSA: &str = "rsa_pss_rsae_sha256:rsa_pkcs1_sha256";
