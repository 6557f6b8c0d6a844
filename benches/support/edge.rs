//! The built `vitrine` with a drop folder of its own, and a client for it.

use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tempfile::TempDir;
use vitrine::certs::Issued;

/// A TLS connection to the edge.
pub(crate) type Stream = StreamOwned<ClientConnection, TcpStream>;

/// Where an edge finds its files.
pub(crate) struct Place {
    folder: TempDir,
    certificates: PathBuf,
}

impl Place {
    pub(crate) fn new() -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let certificates = folder.path().join("certs");
        fs::create_dir(&certificates)?;
        Ok(Self { folder, certificates })
    }

    /// With a drop folder that lies elsewhere, and stays.
    #[allow(dead_code)] // not every bench asks
    pub(crate) fn with_drop_folder(certificates: PathBuf) -> io::Result<Self> {
        Ok(Self { folder: tempfile::tempdir()?, certificates })
    }

    /// Puts certificate and key there as two files, each written beside and renamed. Tells when that was done.
    pub(crate) fn put(&self, stem: &str, issued: &Issued) -> io::Result<Instant> {
        for (extension, content) in [("key", issued.key.as_str()), ("crt", &issued.chain)] {
            let beside = self.certificates.join(format!(".{stem}.{extension}"));
            fs::write(&beside, content)?;
            fs::rename(&beside, self.certificates.join(format!("{stem}.{extension}")))?;
        }
        Ok(Instant::now())
    }

    /// The edge's own words, for when it did not do as expected.
    pub(crate) fn log(&self) -> String {
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// A running edge; killed when dropped.
pub(crate) struct RunningEdge {
    process: Child,
    started: Instant,
    address: SocketAddr,
}

impl RunningEdge {
    /// Starts the edge and waits for the first handshake for `name` that succeeds; gives the time from the start of the
    /// process to then. `sites` is the part of the configuration that tells of sites.
    pub(crate) fn start(place: &Place, sites: &str, client: &Client, name: &str) -> io::Result<(Self, Duration)> {
        Self::start_under(place, sites, client, name, Command::new(env!("CARGO_BIN_EXE_vitrine")))
    }

    /// The same with a command before the edge's own arguments, which runs it.
    pub(crate) fn start_under(
        place: &Place,
        sites: &str,
        client: &Client,
        name: &str,
        command: Command,
    ) -> io::Result<(Self, Duration)> {
        let mut edge = Self::spawn(place, sites, command)?;
        let first = edge.first_handshake(client, name).inspect_err(|_| eprintln!("{}", place.log()))?;
        Ok((edge, first))
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    #[allow(dead_code)] // not every bench asks
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// A value of `/proc/<pid>/status` in KiB: `VmRSS`, `VmHWM`.
    #[allow(dead_code)] // not every bench asks
    pub(crate) fn memory(&self, what: &str) -> io::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let value = status.lines().find_map(|line| line.strip_prefix(what)?.strip_prefix(':'));
        let value = value.and_then(|value| value.trim().strip_suffix(" kB")?.parse().ok());
        value.ok_or_else(|| io::Error::other(format!("/proc tells no {what}")))
    }

    /// Processor time of all its threads so far; `/proc` counts in hundredths of a second.
    #[allow(dead_code)] // not every bench asks
    pub(crate) fn processor_time(&self) -> io::Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.id()))?;
        // Behind the name, which may hold anything: utime and stime are fields 14 and 15 of all, 12 and 13 from here.
        let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields).split(' ');
        let ticks = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum::<u64>();
        Ok(Duration::from_millis(ticks * 10))
    }

    fn spawn(place: &Place, sites: &str, mut command: Command) -> io::Result<Self> {
        let (https, admin) = (free_address()?, free_address()?);
        let configuration = format!(
            "edge.https = [\"{https}\"]\nedge.http = []\n\
             admin.listen = \"{admin}\"\n\
             certificates = {{ drop_directory = {:?}, state_directory = {:?} }}\n\
             {sites}",
            place.certificates,
            place.path("state"),
        );
        fs::write(place.path("vitrine.toml"), configuration)?;
        let log = File::create(place.path("log"))?;
        command.args([Path::new("run"), Path::new("--config"), &place.path("vitrine.toml")]);
        command.current_dir(place.folder.path()).stdout(log.try_clone()?).stderr(log);
        Ok(Self { started: Instant::now(), process: command.spawn()?, address: https })
    }

    fn first_handshake(&mut self, client: &Client, name: &str) -> io::Result<Duration> {
        loop {
            match client.connect(self.address, name) {
                Ok(_) => return Ok(self.started.elapsed()),
                Err(error) if self.started.elapsed() > STARTED_BY => return Err(error),
                Err(_) => std::thread::sleep(Duration::from_millis(1)),
            }
            if let Some(status) = self.process.try_wait()? {
                return Err(io::Error::other(format!("the edge ended with {status}")));
            }
        }
    }
}

impl Drop for RunningEdge {
    fn drop(&mut self) {
        // It is gone already, or it goes now.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A client that trusts one authority and makes a full handshake each time.
#[derive(Clone)]
pub(crate) struct Client(Arc<ClientConfig>);

impl Client {
    /// `root` is the authority's certificate, PEM.
    pub(crate) fn new(root: &str) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(root.as_bytes()).expect("PEM")).expect("a root");
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().expect("versions");
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        config.resumption = Resumption::disabled();
        Self(Arc::new(config))
    }

    /// Connects and makes the handshake; no step waits longer than `PATIENCE`.
    pub(crate) fn connect(&self, address: SocketAddr, name: &str) -> io::Result<Stream> {
        let mut tcp = TcpStream::connect(address)?;
        tcp.set_nodelay(true)?;
        tcp.set_read_timeout(Some(PATIENCE))?;
        tcp.set_write_timeout(Some(PATIENCE))?;
        let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
        let mut tls = ClientConnection::new(Arc::clone(&self.0), name).map_err(io::Error::other)?;
        while tls.is_handshaking() {
            tls.complete_io(&mut tcp)?;
        }
        Ok(StreamOwned::new(tls, tcp))
    }
}

/// The leaf the edge showed.
pub(crate) fn leaf(stream: &Stream) -> &CertificateDer<'static> {
    &stream.conn.peer_certificates().expect("a finished handshake")[0]
}

/// The leaf that was issued.
pub(crate) fn issued_leaf(issued: &Issued) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(issued.chain.as_bytes()).expect("PEM")
}

/// Free a moment ago; the edge says so if somebody was quicker.
fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// Longer than anything that works takes.
const PATIENCE: Duration = Duration::from_secs(15);
const STARTED_BY: Duration = Duration::from_secs(60);
