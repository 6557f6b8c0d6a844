//! A look at hosts from outside: where the DNS leads, whether somebody answers there, and what clients are shown.
//!
//! Nothing of the edge is asked here. Whoever wants to know whether it is the edge's certificate brings along what the edge says that
//! it publishes ([`Target`]); what was seen is a [`Sight`] for each address, with a [`Fault`] for each thing that is wrong.

mod fault;
mod look;
mod sight;
mod text;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;

pub use fault::{Fault, FaultCode};
pub use sight::Sight;
pub use text::prometheus;

use crate::certs::{Offer, Onlooker};
use crate::name::HostName;
use crate::outbound::HostNames;

/// A host that is to be looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// What it is called in what is told: as the site has it, a wildcard included.
    pub name: String,
    /// The name that is asked for.
    pub host: HostName,
    /// Where it is reached.
    pub port: u16,
    /// What the edge publishes for it; `None`: nobody was asked, and any certificate that clients take is right.
    pub published: Option<Vec<Published>>,
    /// The file that it has to show Apple; `None`: none.
    pub apple_file: Option<AppleFile>,
}

/// A certificate that the edge publishes for a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The clients that are shown it.
    pub offer: Offer,
    /// SHA-256 over the leaf's DER, lower-case hexadecimal.
    pub fingerprint: String,
    /// It comes from the edge's own authority, which browsers do not trust and are not meant to.
    pub is_self_signed: bool,
}

/// Apple Pay's domain association file, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppleFile {
    /// SHA-256 over its content, lower-case hexadecimal.
    pub sha256: String,
    /// How many octets it has.
    pub size: usize,
}

/// Who looks, and how.
pub struct Probe {
    /// Shakes hands, and trusts whom it was told to.
    pub onlooker: Onlooker,
    /// Finds hosts.
    pub names: HostNames,
    /// The name servers that are asked in place of the system's; none: the system's.
    pub servers: Vec<SocketAddr>,
    /// Looked at in place of whatever the names lead to.
    pub at: Option<IpAddr>,
    /// Networks of one's own that are looked at; `None`: whatever names lead to is, and so are all of them.
    pub allowed: Option<Vec<IpNet>>,
    /// For one look, from connecting to the last octet.
    pub patience: Duration,
    /// How many hosts are looked at at once.
    pub at_once: usize,
    /// For all of it; who has not had his turn by then is told to be late.
    pub time: Duration,
    /// A certificate with fewer days left is a fault.
    pub least_days: i64,
}

/// Where Apple looks (Apple Pay on the Web, "Verifying your domain").
const APPLE_PATH: &str = "/.well-known/apple-developer-merchantid-domain-association";
