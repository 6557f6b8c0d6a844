//! Pebble: a real ACME server for tests, with a DNS of its own, on a loopback address of its own.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::authority::{KeyKind, authority};
use super::setup::{Setup, drop_file};

/// An ACME server that looks at every name on `address`. Killed when dropped.
pub(crate) struct Pebble {
    /// Where it listens, and where it finds every name.
    pub(crate) address: Ipv4Addr,
    folder: TempDir,
    _dns: Daemon,
    /// Another name server that it asks.
    names: Option<SocketAddr>,
    server: Option<Daemon>,
}

impl Pebble {
    /// One that refuses a fifth of all nonces and asks for every name anew.
    pub(crate) fn start() -> Self {
        let mut pebble = Self::prepare();
        pebble.serve();
        pebble
    }

    /// One that refuses no nonce: certbot 2.1 breaks off after the second in a row.
    pub(crate) fn lenient() -> Self {
        let mut pebble = Self::prepare();
        pebble.serve_refusing(0);
        pebble
    }

    /// One that is not there yet.
    pub(crate) fn prepare() -> Self {
        Self::binding(None)
    }

    /// One that opens accounts only for who is known to it already, by this name and this key in base64url.
    pub(crate) fn binding(external: Option<(&str, &str)>) -> Self {
        let keys: serde_json::Map<_, _> = external.into_iter().map(|(id, key)| (id.to_owned(), key.into())).collect();
        let (address, folder) = (own_address(), tempfile::tempdir().expect("a folder"));
        // Who asks it with a clock that is put back by a day or two still trusts it.
        let names = ["pebble.test", &*address.to_string()];
        let issued = authority().issue_for(&names, KeyKind::Ecdsa, -72, 90 * 24);
        drop_file(&folder.path().join("pebble.crt"), &issued.chain);
        drop_file(&folder.path().join("pebble.key"), &issued.key);
        let config = serde_json::json!({ "pebble": {
            "listenAddress": format!("{address}:{SERVER}"),
            "managementListenAddress": format!("{address}:{MANAGEMENT}"),
            "certificate": "pebble.crt",
            "privateKey": "pebble.key",
            "httpPort": HTTP,
            "tlsPort": TLS,
            "ocspResponderURL": "",
            "externalAccountBindingRequired": external.is_some(),
            "externalAccountMACKeys": keys,
            "certificateValidityPeriod": 7_776_000,
        }});
        fs::write(folder.path().join(CONFIG), config.to_string()).expect("written");
        let mut dns = Command::new("pebble-challtestsrv");
        dns.args(["-defaultIPv4", &address.to_string(), "-defaultIPv6", "", "-dns01", &format!("{address}:{DNS}")])
            .args(["-http01", "", "-https01", "", "-tlsalpn01", "", "-management"])
            .arg(format!("{address}:{DNS_MANAGEMENT}"));
        let _dns = Daemon::start(&mut dns, "Starting management server");
        Self { address, folder, _dns, names: None, server: None }
    }

    /// One that asks another name server.
    pub(crate) fn asking(names: SocketAddr) -> Self {
        let mut pebble = Self { names: Some(names), ..Self::prepare() };
        pebble.serve();
        pebble
    }

    /// Has it issue for so many days when it is started next.
    pub(crate) fn issues_for(&self, days: u64) {
        let file = self.folder.path().join(CONFIG);
        let mut config: serde_json::Value = serde_json::from_slice(&fs::read(&file).expect("read")).expect("JSON");
        config["pebble"]["certificateValidityPeriod"] = (days * 86_400).into();
        fs::write(file, config.to_string()).expect("written");
    }

    /// Ends it, and listens in its place without a word. Gives where it listened.
    pub(crate) fn leave(&mut self) -> std::net::TcpListener {
        self.server = None;
        std::net::TcpListener::bind((self.address, SERVER)).expect("it is free again")
    }

    /// Has it answer, knowing nothing of whatever was before.
    pub(crate) fn serve(&mut self) {
        self.serve_refusing(20);
    }

    /// The same, refusing so many of a hundred nonces.
    fn serve_refusing(&mut self, nonces: u8) {
        self.server = None;
        let mut command = Command::new("pebble");
        command
            .args(["-config", CONFIG, "-dnsserver", &self.names().to_string()])
            .current_dir(self.folder.path())
            .env("PEBBLE_VA_NOSLEEP", "1")
            .env("PEBBLE_WFE_NONCEREJECT", nonces.to_string())
            .env("PEBBLE_AUTHZREUSE", "0");
        self.server = Some(Daemon::start(&mut command, "ACME directory available"));
        // It says so before it listens.
        super::eventually("Pebble's listener", || TcpStream::connect((self.address, SERVER)).ok());
    }

    /// Makes an edge use it, and be found by it.
    pub(crate) fn used_by(&self, setup: &mut Setup) {
        drop_file(&setup.folder.path().join("pebble-root.pem"), &authority().root_pem);
        setup.set("edge", &format!("http = [\"{}:{HTTP}\"]", self.address));
        setup.set("edge", &format!("https = [\"127.0.0.1:0\", \"{}:{TLS}\"]", self.address));
        setup.set("acme", "terms_of_service_agreed = true").set("acme", "contact = [\"mailto:ops@shop.example\"]");
        for line in self.looks_alike() {
            setup.set("acme", &line);
        }
        setup.raw_site(&format!(
            "[[acme.issuer]]\nname = \"pebble\"\ndirectory = \"https://{}:{SERVER}/dir\"\nca_file = \"pebble-root.pem\"\n",
            self.address
        ));
    }

    /// Makes a configuration with an `[acme]` of its own look before an order as it looks itself.
    pub(crate) fn seen_alike(&self, text: &str) -> String {
        text.replacen("[acme]\n", &format!("[acme]\n{}\n", self.looks_alike().join("\n")), 1)
    }

    fn looks_alike(&self) -> [String; 4] {
        [
            format!("resolvers = [\"{}\"]", self.names()),
            format!("http_port = {HTTP}"),
            format!("https_port = {TLS}"),
            "preflight_networks = [\"127.0.0.0/8\"]".into(),
        ]
    }

    /// Where it looks at every name: in TLS, and in plain HTTP.
    pub(crate) fn looks_at(&self) -> (SocketAddr, SocketAddr) {
        ((self.address, TLS).into(), (self.address, HTTP).into())
    }

    /// Where it says what it can do.
    pub(crate) fn directory(&self) -> String {
        format!("https://{}:{SERVER}/dir", self.address)
    }

    /// The name server that it asks.
    fn names(&self) -> SocketAddr {
        self.names.unwrap_or(SocketAddr::from((self.address, DNS)))
    }

    /// Lets a name lead elsewhere.
    pub(crate) fn point(&self, name: &str, address: &str) {
        for step in ["clear-a", "add-a"] {
            self.dns(step, name, serde_json::json!({ "addresses": [address] }));
        }
    }

    /// Changes what its DNS says of a name: a step of challtestsrv's management, and what belongs to it.
    pub(crate) fn dns(&self, step: &str, name: &str, mut order: serde_json::Value) {
        order["host"] = format!("{name}.").into();
        let told = Command::new("curl")
            .args(["-sS", "--fail", "-d", &order.to_string()])
            .arg(format!("http://{}:{DNS_MANAGEMENT}/{step}", self.address))
            .output()
            .expect("curl is there");
        assert!(told.status.success(), "{step}: {}", String::from_utf8_lossy(&told.stderr));
    }

    /// How often it was asked for an order; those that it refused for their nonce count too.
    pub(crate) fn orders(&self) -> usize {
        self.said("POST /order-plz ")
    }

    /// How often it has said this so far.
    pub(crate) fn said(&self, text: &str) -> usize {
        let server = self.server.as_ref().expect("it serves");
        server.heard.lock().expect("lines").iter().filter(|line| line.contains(text)).count()
    }

    /// How many orders were open there at the same time, if each that was begun led to a certificate.
    pub(crate) fn most_open_orders(&self) -> usize {
        let server = self.server.as_ref().expect("it serves");
        let (mut open, mut most) = (0_usize, 0);
        for line in server.heard.lock().expect("lines").iter() {
            if line.contains("Added order ") {
                open += 1;
            } else if line.contains("Issued certificate serial ") {
                open -= 1;
            }
            most = most.max(open);
        }
        assert_eq!(open, 0, "orders that led to nothing");
        most
    }

    /// Stands still, or goes on, in the middle of whatever it does.
    pub(crate) fn signal(&self, signal: Signal) {
        let server = self.server.as_ref().expect("it serves");
        let pid = Pid::from_raw(i32::try_from(server.child.id()).expect("a pid")).expect("a pid");
        kill_process(pid, signal).expect("it runs");
    }

    /// Another address, on which everything is free too.
    pub(crate) fn neighbour(&self) -> Ipv4Addr {
        own_address()
    }

    /// What it says that it can do, and where.
    pub(crate) fn abilities(&self) -> serde_json::Value {
        serde_json::from_str(&self.ask(SERVER, "dir")).expect("JSON")
    }

    /// What it calls its root, PEM.
    pub(crate) fn root(&self) -> String {
        self.ask(MANAGEMENT, "roots/0")
    }

    /// How it stands with the certificate of this serial number, hexadecimal.
    pub(crate) fn status(&self, serial: &str) -> serde_json::Value {
        serde_json::from_str(&self.ask(MANAGEMENT, &format!("cert-status-by-serial/{serial}"))).expect("JSON")
    }

    fn ask(&self, port: u16, path: &str) -> String {
        let asked = Command::new("curl")
            .args(["-sS", "--cacert"])
            .arg(drop_root(&self.folder))
            .arg(format!("https://{}:{port}/{path}", self.address))
            .output()
            .expect("curl is there");
        assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));
        String::from_utf8(asked.stdout).expect("text")
    }
}

fn drop_root(folder: &TempDir) -> std::path::PathBuf {
    let file = folder.path().join("root.pem");
    drop_file(&file, &authority().root_pem);
    file
}

/// A program that runs until this is dropped.
pub(super) struct Daemon {
    child: Child,
    /// What it has said.
    heard: Arc<Mutex<Vec<String>>>,
}

impl Daemon {
    /// Starts it and waits until it says that it is there.
    pub(super) fn start(command: &mut Command, ready: &str) -> Self {
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let child = child.unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut daemon = Self { child, heard: Arc::default() };
        let (stdout, stderr) =
            (daemon.child.stdout.take().expect("stdout"), daemon.child.stderr.take().expect("stderr"));
        let (sender, lines) = std::sync::mpsc::channel();
        for stream in [Box::new(stdout) as Box<dyn Read + Send>, Box::new(stderr)] {
            let (sender, heard) = (sender.clone(), Arc::clone(&daemon.heard));
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    heard.lock().expect("lines").push(line.clone());
                    // Nobody listens any more once it has started; reading on keeps it from standing still.
                    let _ = sender.send(line);
                }
            });
        }
        loop {
            let line = lines.recv_timeout(super::DEADLINE);
            let line = line.unwrap_or_else(|_| {
                panic!("{command:?} does not say {ready:?}, but {:?}", daemon.heard.lock().expect("lines"))
            });
            if line.contains(ready) {
                return daemon;
            }
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let heard = self.heard.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            for line in heard.iter().rev().take(20).rev() {
                eprintln!("daemon: {line}");
            }
        }
    }
}

/// Everything on it is free, whoever runs beside.
pub(crate) fn own_address() -> Ipv4Addr {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let process = std::process::id();
    let address =
        Ipv4Addr::new(127, 64 | (process >> 8 & 63) as u8, process as u8, NEXT.fetch_add(1, Ordering::Relaxed));
    let free = std::net::TcpListener::bind(SocketAddr::from((address, SERVER)));
    assert!(free.is_ok(), "{address} is taken");
    address
}

/// Where a name is looked at.
pub(crate) const HTTP: u16 = 5002;
pub(crate) const TLS: u16 = 5001;
const CONFIG: &str = "pebble.json";
pub(super) const SERVER: u16 = 14000;
const MANAGEMENT: u16 = 15000;
pub(super) const DNS: u16 = 8053;
const DNS_MANAGEMENT: u16 = 8055;
