//! What `vitrine probe` is told.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::super::Running;
use crate::certs::{Onlooker, Roots};
use crate::name::HostName;
use crate::outbound::{EdgeSocket, HostNames};
use crate::probe::{Probe, Target};

#[derive(Args, Debug)]
pub(in crate::cli) struct Probing {
    #[command(flatten)]
    running: Running,
    /// A host as customers type it
    #[arg(value_name = "HOST[:PORT]", required_unless_present = "all", conflicts_with = "all")]
    hosts: Vec<Host>,
    /// Every host of the edge that runs here; what it publishes is what has to be shown
    #[arg(long)]
    all: bool,
    /// Where hosts are reached that are given without a port
    #[arg(long, default_value_t = HTTPS)]
    port: u16,
    /// Look at this address, wherever the names lead
    #[arg(long, value_name = "ADDRESS", conflicts_with = "resolvers")]
    at: Option<IpAddr>,
    /// Ask this name server in place of the system's, such as one outside; may be given several times
    #[arg(long = "resolver", value_name = "ADDRESS[:PORT]")]
    resolvers: Vec<Resolver>,
    /// Roots to trust besides those of the web, PEM or DER; may be given several times
    #[arg(long = "ca-file", value_name = "FILE")]
    ca_files: Vec<PathBuf>,
    /// A certificate with fewer days left is wrong
    #[arg(long, value_name = "DAYS", default_value_t = 0, value_parser = clap::value_parser!(i64).range(0..=3650))]
    min_days: i64,
    /// How many hosts to look at at once
    #[arg(long, value_name = "NUMBER", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: u16,
    /// Seconds for one look, from connecting to the last octet
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,
    /// Seconds for all of it
    #[arg(long, value_name = "SECONDS", default_value_t = 900, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    time: u64,
    /// How to tell what was seen
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Replace this file, whole at once, in place of printing
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Ask for this address when all is well, and for it with /fail behind it when something is wrong
    #[arg(long, value_name = "URL", value_parser = url)]
    ping: Option<String>,
}

/// How to tell what was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people
    Table,
    /// For programs
    Json,
    /// For the textfile collector of Prometheus' node exporter
    Prometheus,
}

/// All that is needed to look.
pub(super) struct Order {
    pub(super) hosts: Vec<Target>,
    /// Whose hosts are looked at in place of these.
    pub(super) edge: Option<EdgeSocket>,
    pub(super) port: u16,
    pub(super) ca_files: Vec<PathBuf>,
    pub(super) probe: Eyes,
    pub(super) format: Format,
    pub(super) output: Option<PathBuf>,
    pub(super) ping: Option<String>,
}

/// A probe that does not know yet whom to trust.
pub(super) struct Eyes {
    at: Option<IpAddr>,
    servers: Vec<SocketAddr>,
    patience: Duration,
    time: Duration,
    at_once: usize,
    least_days: i64,
}

impl Order {
    pub(super) fn of(probing: Probing) -> Result<Self, ExitCode> {
        let Probing { running, hosts, all, port, ca_files, format, output, ping, .. } = probing;
        let edge = if all { Some(running.edge()?) } else { None };
        let target = |Host { name, port: own }: Host| Target {
            name: name.to_string(),
            host: name,
            port: own.unwrap_or(port),
            published: None,
            apple_file: None,
        };
        let probe = Eyes {
            at: probing.at,
            servers: probing.resolvers.into_iter().map(|Resolver(address)| address).collect(),
            patience: Duration::from_secs(probing.timeout),
            time: Duration::from_secs(probing.time),
            at_once: usize::from(probing.jobs),
            least_days: probing.min_days,
        };
        let hosts = hosts.into_iter().map(target).collect();
        Ok(Self { hosts, edge, port, ca_files, probe, format, output, ping })
    }
}

impl Eyes {
    /// Whether everything is looked at at one address, wherever the names lead.
    pub(super) fn is_led(&self) -> bool {
        self.at.is_some()
    }

    /// The probe that trusts the roots of the web, those in the files, and the edge's own, PEM.
    ///
    /// # Errors
    /// What is wrong with a file.
    pub(super) fn trusting(self, files: &[PathBuf], own_root: Option<&str>) -> Result<Probe, String> {
        let mut contents = Vec::new();
        for file in files {
            let content = std::fs::read(file).map_err(|error| format!("--ca-file {}: {error}", file.display()))?;
            contents.push((file.as_path(), content));
        }
        contents.extend(own_root.map(|pem| ("the edge's own root".as_ref(), pem.as_bytes().to_vec())));
        let given = contents.iter().map(|(file, content)| (*file, content.as_slice()));
        let roots = Roots::of_the_web_and(given).map_err(|flaws| {
            let told = flaws.iter().map(|(file, flaw)| format!("{}: {}; {}", file.display(), flaw.reason, flaw.mend));
            told.collect::<Vec<_>>().join("\n")
        })?;
        let Self { at, servers, patience, time, at_once, least_days } = self;
        let onlooker = Onlooker::new(roots)?;
        Ok(Probe {
            onlooker,
            names: HostNames::system(),
            servers,
            at,
            allowed: None,
            patience,
            at_once,
            time,
            least_days,
        })
    }
}

/// `HOST` or `HOST:PORT`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Host {
    name: HostName,
    port: Option<u16>,
}

impl FromStr for Host {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.parse::<IpAddr>().is_ok() || text.parse::<SocketAddr>().is_ok() {
            return Err("expected a host name, found an address; name the address with --at".into());
        }
        let (name, port) = match text.rsplit_once(':') {
            Some((name, port)) => {
                let number = port.parse::<u16>().ok().filter(|port| *port > 0);
                (name, Some(number.ok_or_else(|| format!("expected a port between 1 and 65535, found {port:?}"))?))
            }
            None => (text, None),
        };
        HostName::parse(name).map(|name| Self { name, port }).map_err(|error| error.to_string())
    }
}

/// Where a name server listens, on port 53 unless another is named.
#[derive(Clone, Debug)]
struct Resolver(SocketAddr);

impl FromStr for Resolver {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let address = text.parse().or_else(|_| text.parse().map(|ip: IpAddr| SocketAddr::new(ip, DNS)));
        address.map(Self).map_err(|_| "expected an address such as 9.9.9.9 or [2620:fe::fe]:53".into())
    }
}

/// The client takes nothing else; what is wrong with an address is said before the run and not behind it.
fn url(text: &str) -> Result<String, String> {
    let is_right = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://localhost"))
        .or_else(|| text.strip_prefix("http://127."))
        .is_some_and(|rest| !rest.is_empty());
    if is_right { Ok(text.to_owned()) } else { Err("expected an address that begins with https://".into()) }
}

const HTTPS: u16 = 443;
const DNS: u16 = 53;
pub(in crate::cli) const HELP: &str = "\
Examples:
  vitrine probe shop.example                                 until when, by whom, and what is wrong
  vitrine probe shop.example --at 203.0.113.7                the new edge, before the DNS leads to it
  vitrine probe --all --resolver 9.9.9.9                     every host of this edge, as the world finds it
  vitrine probe --all --format prometheus --output /var/lib/prometheus/node-exporter/vitrine.prom
  vitrine probe --all --ping https://hc-ping.com/UUID        for cron; silence is the alarm

Exit codes: 0 all is well, 1 something is wrong, 64 wrong usage, 78 wrong configuration";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_with_a_port_or_without() {
        let host = |text: &str| text.parse::<Host>().map(|host| (host.name.to_string(), host.port));
        assert_eq!(host("Shop.Example"), Ok(("shop.example".into(), None)));
        assert_eq!(host("shop.example.:8443"), Ok(("shop.example".into(), Some(8443))));
        for (text, part) in
            [("10.0.0.1", "--at"), ("[::1]:443", "--at"), ("shop.example:0", "a port"), ("a b", "host name")]
        {
            assert!(host(text).expect_err("refused").contains(part), "{text}");
        }
    }

    #[test]
    fn a_ping_goes_over_https_or_stays_on_this_machine() {
        for (text, is_right) in [
            ("https://hc-ping.com/x", true),
            ("http://127.0.0.1:8000/x", true),
            ("http://hc-ping.com/x", false),
            ("https://", false),
            ("hc-ping.com", false),
        ] {
            assert_eq!(url(text).is_ok(), is_right, "{text}");
        }
    }
}
