//! BIND: a real name server for tests, on a port of its own: it listens on addresses alone that an interface has.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};

use tempfile::TempDir;

use super::command::said;
use super::pebble::Daemon;
use super::setup::drop_file;

/// A name server that publishes a few zones and takes signed updates of them. Killed when dropped.
pub(crate) struct Bind {
    /// Where it answers.
    pub(crate) address: SocketAddr,
    folder: TempDir,
    _server: Daemon,
}

/// A zone as it begins.
#[derive(Clone, Copy)]
pub(crate) struct Zone<'a> {
    pub(crate) name: &'a str,
    /// Lines of a zone file, besides SOA and NS.
    pub(crate) records: &'a str,
    /// Whether its key may change its addresses and texts.
    pub(crate) is_open: bool,
}

/// What the key of updates is called.
pub(crate) const KEY: &str = "vitrine-key";

impl Bind {
    /// One that has these zones and no others. Its server is `ns.<zone>` in each, at its own address.
    pub(crate) fn start(zones: &[Zone<'_>]) -> Self {
        Self::with(zones, "recursion no;")
    }

    /// One that follows aliases from one of its zones into another too, as resolvers do. There is nothing besides them.
    pub(crate) fn resolving(zones: &[Zone<'_>]) -> Self {
        // With a root of its own it asks nobody.
        let root = Zone { name: ".", records: "", is_open: false };
        let zones: Vec<Zone<'_>> = std::iter::once(root).chain(zones.iter().copied()).collect();
        Self::with(&zones, "recursion yes;")
    }

    fn with(zones: &[Zone<'_>], recursion: &str) -> Self {
        let (address, folder) = (own_port(), tempfile::tempdir().expect("a folder"));
        let (ip, port) = (address.ip(), address.port());
        let made = Command::new("tsig-keygen").args(["-a", "hmac-sha256", KEY]).output().expect("it runs");
        assert!(made.status.success(), "{}", said(&made.stderr));
        drop_file(&folder.path().join("tsig.key"), &made.stdout);
        let mut config = format!(
            "options {{ directory \"{0}\"; listen-on port {port} {{ {ip}; }}; listen-on-v6 {{ none; }}; pid-file none; \
             session-keyfile none; dnssec-validation no; notify no; empty-zones-enable no; {recursion} }};\n\
             controls {{ }};\ninclude \"{0}/tsig.key\";\n",
            folder.path().display()
        );
        for zone in zones {
            let Zone { name, records, is_open } = zone;
            let file = format!("{}.zone", name.trim_matches('.'));
            let text = format!("$TTL 60\n@ SOA ns ops 1 3600 600 86400 60\n@ NS ns\nns A {ip}\n{records}\n");
            fs::write(folder.path().join(&file), text).expect("written");
            let policy =
                if *is_open { format!("update-policy {{ grant {KEY} zonesub A AAAA TXT; }};") } else { String::new() };
            config += &format!("zone \"{name}\" {{ type primary; file \"{file}\"; {policy} }};\n");
        }
        fs::write(folder.path().join("named.conf"), config).expect("written");
        let mut command = Command::new("named");
        command.args(["-g", "-4", "-n", "1", "-c", "named.conf"]).current_dir(folder.path());
        let _server = Daemon::start(&mut command, "all zones loaded");
        Self { address, folder, _server }
    }

    /// Its key, as tsig-keygen wrote it.
    pub(crate) fn key_file(&self) -> PathBuf {
        self.folder.path().join("tsig.key")
    }

    /// Changes a zone that is open, by lines of nsupdate(1).
    pub(crate) fn update(&self, lines: &str) {
        let file = self.folder.path().join("update");
        drop_file(&file, format!("server {} {}\n{lines}\nsend\n", self.address.ip(), self.address.port()));
        let updated = Command::new("nsupdate").arg("-k").arg(self.key_file()).arg(&file).output().expect("it runs");
        assert!(updated.status.success(), "{}", said(&updated.stderr));
    }

    /// The texts at a name, as dig shows them.
    pub(crate) fn texts(&self, name: &str) -> Vec<String> {
        let asked = Command::new("dig")
            .args([
                "+short",
                "+norecurse",
                "TXT",
                name,
                &format!("@{}", self.address.ip()),
                "-p",
                &self.address.port().to_string(),
            ])
            .output()
            .expect("dig is there");
        assert!(asked.status.success(), "{}", said(&asked.stdout));
        said(&asked.stdout).lines().map(|line| line.trim_matches('"').to_owned()).collect()
    }
}

/// Below those that the system gives to others.
fn own_port() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let begin = std::process::id() as u16;
    loop {
        let port = 10_000 + begin.wrapping_mul(31).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % 20_000;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok() {
            return address;
        }
    }
}
