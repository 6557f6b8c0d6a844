//! Where hosts are, found as the C library finds them, but with how long that holds: in hosts(5), then in the DNS by
//! resolv.conf(5). What neither knows the library itself is asked for, which has more ways (nsswitch.conf(5)).

mod hosts;

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::time::timeout;

use super::dns::{DnsClient, DnsError, DnsName, Located, ResolvConf};
use hosts::Hosts;

/// Finds hosts.
#[derive(Debug)]
pub struct HostNames {
    hosts: Hosts,
    resolv_conf: PathBuf,
}

/// Why a host was not found.
#[derive(Debug)]
pub enum Unlocated {
    /// The DNS does not know it, or could not be asked, and the C library did not find it either.
    Dns(DnsError),
    /// There is no name server to ask, and the C library did not find it.
    System(io::Error),
}

impl fmt::Display for Unlocated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(error) => error.fmt(f),
            Self::System(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Unlocated {}

impl HostNames {
    /// By the files of this machine.
    #[must_use]
    pub fn system() -> Self {
        Self::by("/etc/hosts", "/etc/resolv.conf")
    }

    fn by(hosts: impl Into<PathBuf>, resolv_conf: impl Into<PathBuf>) -> Self {
        Self { hosts: Hosts::at(hosts.into()), resolv_conf: resolv_conf.into() }
    }

    /// The files that decide: when one changes, so may what was found.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        vec![self.hosts.file().to_owned(), self.resolv_conf.clone()]
    }

    /// The addresses of `host`. Where `servers` are given the DNS is asked there alone, for the name as it stands, and nobody else is;
    /// hosts(5) goes before all the same.
    ///
    /// # Errors
    /// [`Unlocated`]
    pub async fn look_up(&self, host: &str, servers: &[SocketAddr]) -> Result<Located, Unlocated> {
        let found = match self.hosts.find(host) {
            found if !found.is_empty() => lasting(found),
            // RFC 6761 §6.3
            _ if is_this_machine(host) => lasting(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]),
            _ if servers.is_empty() => self.by_system(host).await?,
            _ => {
                let whole = ResolvConf { servers: servers.to_vec(), search: Vec::new(), dots: 0 };
                by_dns(host, &whole).await?.map_err(Unlocated::Dns)?
            }
        };
        Ok(Located { addresses: reachable(found.addresses), ..found })
    }

    async fn by_system(&self, host: &str) -> Result<Located, Unlocated> {
        let conf = ResolvConf::load(&self.resolv_conf);
        let failure = match by_dns(host, &conf).await {
            Ok(Ok(found)) => return Ok(found),
            Ok(Err(failure)) => Some(failure),
            Err(_) => None,
        };
        let asked = match timeout(PATIENCE, lookup_host((host, 0))).await {
            Ok(asked) => asked.map(|found| found.map(|address| address.ip()).collect::<Vec<_>>()),
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        };
        match (asked, failure) {
            (Ok(found), _) if !found.is_empty() => Ok(lasting(found)),
            (_, Some(failure)) => Err(Unlocated::Dns(failure)),
            (Err(error), None) => Err(Unlocated::System(error)),
            (Ok(_), None) => Err(Unlocated::System(io::ErrorKind::NotFound.into())),
        }
    }
}

/// What the DNS says; `Err`: there is nobody, or nothing, to ask.
async fn by_dns(host: &str, conf: &ResolvConf) -> Result<Result<Located, DnsError>, Unlocated> {
    let candidates: Vec<DnsName> = conf.candidates(host);
    let client = DnsClient::at(conf.servers.iter().copied()).with_patience(PATIENCE);
    let mut absence = None;
    for name in candidates.iter().filter(|_| !conf.servers.is_empty()) {
        match client.addresses(name).await {
            // Whoever cannot tell of one name is not asked for another: that might be somebody else's.
            Err(error) if error.is_absence() => absence = absence.or(Some(error)),
            told => return Ok(told),
        }
    }
    absence.map(Err).ok_or_else(|| Unlocated::System(io::ErrorKind::NotFound.into()))
}

/// What has no end of its own.
fn lasting(addresses: Vec<IpAddr>) -> Located {
    Located { addresses, holds: LASTS, is_whole: true }
}

fn is_this_machine(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    host == "localhost" || host.ends_with(".localhost")
}

/// Those that this machine has a way to, each once; all, if it has none to any. The C library puts the others last.
fn reachable(addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    let mut all: Vec<IpAddr> = Vec::with_capacity(addresses.len());
    for address in addresses.into_iter().map(|address| address.to_canonical()) {
        if !all.contains(&address) && all.len() < MOST {
            all.push(address);
        }
    }
    let reachable: Vec<_> = all.iter().copied().filter(|address| has_way(*address)).collect();
    if reachable.is_empty() { all } else { reachable }
}

/// Nothing is sent by this: the system looks for a route.
fn has_way(address: IpAddr) -> bool {
    let own: IpAddr = if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    UdpSocket::bind((own, 0)).and_then(|socket| socket.connect((address, DISCARD))).is_ok()
}

/// One name, asked for in one way; longer than most servers that are slow.
const PATIENCE: Duration = Duration::from_secs(5);
/// What has no end of its own is looked at again after this time.
const LASTS: Duration = Duration::from_secs(30);
/// Addresses of one name; more are no shop's.
const MOST: usize = 64;
/// Any port will do.
const DISCARD: u16 = 9;

#[cfg(test)]
mod tests {
    use std::fs;

    use hickory_proto::op::{Message, ResponseCode};
    use hickory_proto::rr::rdata::A;
    use hickory_proto::rr::{RData, RecordType};

    use super::*;
    use crate::outbound::dns::answerer::{Answerer, answer, octets};

    /// Knows one name.
    async fn knowing(name: &'static str) -> Answerer {
        Answerer::start(move |question, _| vec![octets(&told(question, name))]).await
    }

    fn told(question: &Message, name: &str) -> Message {
        let asked = &question.queries[0];
        match asked.name().to_utf8() == format!("{name}.") {
            true if asked.query_type() == RecordType::A => {
                answer(question, ResponseCode::NoError, &[(name, RData::A(A::new(127, 0, 0, 7)))])
            }
            true => answer(question, ResponseCode::NoError, &[]),
            false => answer(question, ResponseCode::NXDomain, &[]),
        }
    }

    fn addresses(text: &[&str]) -> Vec<IpAddr> {
        text.iter().map(|address| address.parse().expect("an address")).collect()
    }

    #[tokio::test]
    async fn the_file_goes_before_the_servers_and_they_before_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let hosts = folder.path().join("hosts");
        fs::write(&hosts, "127.0.0.3 shop.example\n").expect("written");
        let (names, server) = (HostNames::by(&hosts, "/nowhere"), knowing("shop.example").await);
        let look = async |host: &'static str| names.look_up(host, &[server.address]).await;
        let found = look("Shop.example").await.expect("found");
        assert_eq!((found.addresses, server.asked().0), (addresses(&["127.0.0.3"]), 0));
        fs::write(&hosts, "127.0.0.3 another.example # shop.example\n").expect("written");
        let found = look("shop.example").await.expect("found");
        assert_eq!((found.addresses, found.holds), (addresses(&["127.0.0.7"]), Duration::from_secs(60)));
        let absent = look("unknown.example").await.expect_err("nobody has it").to_string();
        assert_eq!(absent, format!("there is no name unknown.example, says the name server {}", server.address));
        let asked = server.asked().0;
        assert!(look("any.localhost").await.expect("found").addresses.contains(&Ipv4Addr::LOCALHOST.into()));
        assert_eq!(server.asked().0, asked);
    }

    #[tokio::test]
    async fn what_the_dns_does_not_know_the_system_is_asked_for() {
        let folder = tempfile::tempdir().expect("a folder");
        // Its own name is known to every system, by one of its ways.
        let own = rustix::system::uname();
        let own = own.nodename().to_str().expect("a name");
        let nothing = folder.path().join("nothing");
        let asked = lookup_host((own, 0)).await;
        let asked = asked.map(|found| reachable(found.map(|address| address.ip()).collect())).ok();
        let found = HostNames::by(&nothing, &nothing).look_up(own, &[]).await.map(|found| found.addresses).ok();
        assert_eq!(found, asked);
    }

    #[test]
    fn an_address_without_a_way_there_is_left_out_unless_there_is_no_other() {
        // A network of the documentation (RFC 3849) is nobody's; the machine may still have a way to everywhere.
        let documentation: IpAddr = "2001:db8::1".parse().expect("an address");
        let both = reachable(addresses(&["127.0.0.1", "::ffff:127.0.0.1", "2001:db8::1"]));
        assert_eq!(both.len(), if has_way(documentation) { 2 } else { 1 });
        assert_eq!(reachable(vec![documentation]), [documentation]);
    }
}
