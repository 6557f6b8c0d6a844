//! Why a question to the DNS brought nothing, each with the server that was asked.

use std::fmt;
use std::net::SocketAddr;

use super::{DnsName, RecordKind};

/// Why there is no record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DnsError {
    /// The name does not exist, whatever is asked for (RFC 2308 §2.1).
    NoSuchName {
        /// What was asked for.
        name: DnsName,
        /// Who said so.
        server: SocketAddr,
    },
    /// The name exists without a record of this kind (RFC 2308 §2.2).
    NoSuchRecord {
        /// What was asked for.
        name: DnsName,
        /// The kind.
        kind: RecordKind,
        /// Who said so.
        server: SocketAddr,
    },
    /// A server answered, and says nothing of the name.
    ServerFailed {
        /// What was asked for.
        name: DnsName,
        /// The kind.
        kind: RecordKind,
        /// Who answered.
        server: SocketAddr,
        /// What it said.
        why: String,
    },
    /// No server answered.
    NoAnswer {
        /// What was asked for.
        name: DnsName,
        /// The kind.
        kind: RecordKind,
        /// Who was asked last.
        server: SocketAddr,
        /// How that ended.
        why: String,
    },
}

impl DnsError {
    /// Whether it is certain that there is no such record; otherwise nobody could tell.
    #[must_use]
    pub const fn is_absence(&self) -> bool {
        matches!(self, Self::NoSuchName { .. } | Self::NoSuchRecord { .. })
    }

    /// Who was asked last.
    #[must_use]
    pub const fn server(&self) -> SocketAddr {
        match self {
            Self::NoSuchName { server, .. }
            | Self::NoSuchRecord { server, .. }
            | Self::ServerFailed { server, .. }
            | Self::NoAnswer { server, .. } => *server,
        }
    }
}

impl fmt::Display for DnsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchName { name, server } => write!(f, "there is no name {name}, says the name server {server}"),
            Self::NoSuchRecord { name, kind, server } => {
                write!(f, "{name} has no {kind} record, says the name server {server}")
            }
            Self::ServerFailed { name, kind, server, why } => {
                write!(f, "the name server {server} cannot tell the {kind} record of {name}: {why}")
            }
            Self::NoAnswer { name, kind, server, why } => {
                write!(f, "the name server {server} does not answer when asked for the {kind} record of {name}: {why}")
            }
        }
    }
}

impl std::error::Error for DnsError {}
