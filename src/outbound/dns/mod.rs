//! Questions to the DNS, at given servers or at the system's, and changes of zones: bounded in time and size.
//!
//! ```text
//! DnsClient ─► query (the message) ─► exchange (UDP, TCP when it is cut off) ─► answer (what of it was asked for)
//! DnsUpdater, signed with a TsigKey ────────┘
//! ```
//!
//! What it gives is believed as far as the network is: nothing is checked by DNSSEC.

mod addresses;
mod answer;
mod error;
mod exchange;
mod name;
mod query;
mod resolv_conf;
mod update;

#[cfg(test)]
pub(crate) mod answerer;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::op::{Message, ResponseCode};
use tokio::time::Instant;

pub use addresses::Located;
pub use answer::{Caa, Soa};
use answer::{Found, find};
pub use error::DnsError;
pub use name::{DnsName, NoDnsName};
use query::query;
pub(super) use resolv_conf::ResolvConf;
pub use update::{DnsUpdater, TsigAlgorithm, TsigKey, UpdateError};

/// Asks name servers. Clones ask the same ones.
#[derive(Clone, Debug)]
pub struct DnsClient {
    servers: Arc<[SocketAddr]>,
    patience: Duration,
    recursive: bool,
}

impl DnsClient {
    /// Asks `servers`: each one when those before it say nothing of use. There must be one.
    #[must_use]
    pub fn at(servers: impl IntoIterator<Item = SocketAddr>) -> Self {
        Self { servers: servers.into_iter().collect(), patience: PATIENCE, recursive: true }
    }

    /// Asks those that `/etc/resolv.conf` names at this moment, or one on this machine as resolv.conf(5) has it.
    #[must_use]
    pub fn system() -> Self {
        Self::at(resolv_conf::servers(Path::new("/etc/resolv.conf")))
    }

    /// The same with another bound on a whole question, all servers together.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Asks what the servers know of their own, as one asks those that a zone is published by.
    #[must_use]
    pub fn without_recursion(self) -> Self {
        Self { recursive: false, ..self }
    }

    /// Whom it asks.
    #[must_use]
    pub fn servers(&self) -> &[SocketAddr] {
        &self.servers
    }

    /// The IPv4 addresses of a name, or of what it is an alias of.
    ///
    /// # Errors
    /// [`DnsError`]; there is never an empty list.
    pub async fn a(&self, name: &DnsName) -> Result<Vec<Ipv4Addr>, DnsError> {
        self.look_up(name, RecordKind::A, answer::a).await
    }

    /// The IPv6 addresses of a name, or of what it is an alias of.
    ///
    /// # Errors
    /// [`DnsError`]; there is never an empty list.
    pub async fn aaaa(&self, name: &DnsName) -> Result<Vec<Ipv6Addr>, DnsError> {
        self.look_up(name, RecordKind::Aaaa, answer::aaaa).await
    }

    /// What a name is an alias of, one step.
    ///
    /// # Errors
    /// [`DnsError`]
    pub async fn cname(&self, name: &DnsName) -> Result<DnsName, DnsError> {
        let mut found = self.look_up(name, RecordKind::Cname, answer::cname).await?;
        Ok(found.swap_remove(0))
    }

    /// The servers that publish the zone of this name.
    ///
    /// # Errors
    /// [`DnsError`]; there is never an empty list.
    pub async fn ns(&self, name: &DnsName) -> Result<Vec<DnsName>, DnsError> {
        self.look_up(name, RecordKind::Ns, answer::ns).await
    }

    /// How the zone of this name is kept.
    ///
    /// # Errors
    /// [`DnsError`]; [`DnsError::NoSuchRecord`] when a zone does not begin at this name.
    pub async fn soa(&self, name: &DnsName) -> Result<Soa, DnsError> {
        let mut found = self.look_up(name, RecordKind::Soa, answer::soa).await?;
        Ok(found.swap_remove(0))
    }

    /// Who may issue certificates for a name, as it stands at this name (RFC 8659): not what stands above it.
    ///
    /// # Errors
    /// [`DnsError`]; there is never an empty list.
    pub async fn caa(&self, name: &DnsName) -> Result<Vec<Caa>, DnsError> {
        self.look_up(name, RecordKind::Caa, answer::caa).await
    }

    /// The texts at a name, or at what it is an alias of; each with its strings put together.
    ///
    /// # Errors
    /// [`DnsError`]; there is never an empty list.
    pub async fn txt(&self, name: &DnsName) -> Result<Vec<Vec<u8>>, DnsError> {
        self.look_up(name, RecordKind::Txt, answer::txt).await
    }

    /// The zone that a name lies in: where the nearest SOA stands, at the name or above it.
    ///
    /// # Errors
    /// [`DnsError`]; [`DnsError::NoSuchRecord`] when no server knows any.
    pub async fn zone(&self, name: &DnsName) -> Result<DnsName, DnsError> {
        let deadline = Instant::now() + self.patience;
        let mut place = Some(name.clone());
        let mut last = None;
        while let Some(here) = place {
            let (message, server) = self.ask(&here, RecordKind::Soa, deadline).await?;
            // Of an alias nothing follows: what is told is the zone of what it leads to.
            if let Some(zone) = answer::zone(&message, &here) {
                return Ok(zone);
            }
            last = Some(server);
            place = here.parent();
        }
        let server = last.unwrap_or(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0));
        Err(DnsError::NoSuchRecord { name: name.clone(), kind: RecordKind::Soa, server })
    }

    async fn look_up<T>(
        &self,
        name: &DnsName,
        kind: RecordKind,
        pick: fn(&hickory_proto::rr::RData) -> Option<T>,
    ) -> Result<Vec<T>, DnsError> {
        self.look_up_with_end(name, kind, pick).await.map(|(values, _)| values)
    }

    /// Looks for records of one kind, through aliases that a server does not follow by itself; gives them with how long they hold.
    async fn look_up_with_end<T>(
        &self,
        name: &DnsName,
        kind: RecordKind,
        pick: fn(&hickory_proto::rr::RData) -> Option<T>,
    ) -> Result<(Vec<T>, Duration), DnsError> {
        let deadline = Instant::now() + self.patience;
        let (mut here, mut holds) = (name.clone(), u32::MAX);
        for _ in 0..MOST_ALIASES {
            let (message, server) = self.ask(&here, kind, deadline).await?;
            if message.metadata.response_code == ResponseCode::NXDomain {
                return Err(DnsError::NoSuchName { name: name.clone(), server });
            }
            match find(&message, &here, kind, pick) {
                Found::Values(values, seconds) => return Ok((values, Duration::from_secs(holds.min(seconds).into()))),
                Found::Alias(target, seconds) => (here, holds) = (target, holds.min(seconds)),
                Found::Nothing => return Err(DnsError::NoSuchRecord { name: name.clone(), kind, server }),
            }
        }
        let why = format!("it is an alias of an alias, more than {MOST_ALIASES} times; point it at its end");
        Err(DnsError::ServerFailed { name: name.clone(), kind, server: self.first(), why })
    }

    /// The first answer that says something: NOERROR or NXDOMAIN.
    async fn ask(
        &self,
        name: &DnsName,
        kind: RecordKind,
        deadline: Instant,
    ) -> Result<(Message, SocketAddr), DnsError> {
        let mut failed = None;
        let mut late = None;
        for round in 0..ROUNDS {
            for &server in self.servers.iter() {
                let until = deadline.min(Instant::now() + FIRST_WAIT * (1 << round));
                let question = query(name, kind, self.recursive);
                let octets = question.to_vec().map_err(|error| DnsError::ServerFailed {
                    name: name.clone(),
                    kind,
                    server,
                    why: error.to_string(),
                })?;
                let belongs = |answer: &Message| query::answers(answer, &question);
                match exchange::exchange(server, &octets, belongs, until).await {
                    Ok(octets) => match heard(&octets) {
                        Ok(message) => return Ok((message, server)),
                        Err(why) => {
                            failed = Some(DnsError::ServerFailed { name: name.clone(), kind, server, why });
                        }
                    },
                    Err(why) => late = Some(DnsError::NoAnswer { name: name.clone(), kind, server, why }),
                }
            }
            // Who says no says it again; who says nothing may have lost the question.
            if failed.is_some() || Instant::now() >= deadline {
                break;
            }
        }
        Err(failed.or(late).unwrap_or_else(|| DnsError::NoAnswer {
            name: name.clone(),
            kind,
            server: self.first(),
            why: "there is no server to ask".into(),
        }))
    }

    fn first(&self) -> SocketAddr {
        self.servers.first().copied().unwrap_or(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0))
    }
}

/// An answer that says something of the name, or why it does not.
fn heard(octets: &[u8]) -> Result<Message, String> {
    let message = Message::from_vec(octets).map_err(|error| format!("the answer cannot be read: {error}"))?;
    match message.metadata.response_code {
        ResponseCode::NoError | ResponseCode::NXDomain => Ok(message),
        code => Err(query::word(code)),
    }
}

/// A name server as operators write it: `10.0.0.53`, `10.0.0.53:5353`, `::1`, `[::1]:5353`. `None`: it is none.
#[must_use]
pub fn dns_server(text: &str) -> Option<SocketAddr> {
    let address = text.parse::<IpAddr>().or_else(|_| text.trim_matches(['[', ']']).parse());
    let server = address.map(|address| SocketAddr::new(address, PORT)).ok().or_else(|| text.parse().ok())?;
    (server.port() != 0).then_some(server)
}

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordKind {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// What a name is an alias of.
    Cname,
    /// Who publishes a zone.
    Ns,
    /// How a zone is kept.
    Soa,
    /// Who may issue certificates (RFC 8659).
    Caa,
    /// Text.
    Txt,
}

impl fmt::Display for RecordKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Cname => "CNAME",
            Self::Ns => "NS",
            Self::Soa => "SOA",
            Self::Caa => "CAA",
            Self::Txt => "TXT",
        })
    }
}

/// A whole question; a resolver that has to ask far away takes seconds.
const PATIENCE: Duration = Duration::from_secs(10);
/// What a server gets before the next one is asked; twice as long in each round.
const FIRST_WAIT: Duration = Duration::from_secs(2);
const ROUNDS: u32 = 3;
/// Resolvers follow 8 to 16; nobody means more.
const MOST_ALIASES: usize = 8;
const PORT: u16 = 53;
