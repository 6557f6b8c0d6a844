//! One server behind the edge: where it is, and how it is spoken to.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use super::tls::{TlsTerms, UpstreamTls};

/// One server behind the edge, spoken to in HTTP/1.1.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Upstream {
    /// Where it is.
    pub address: UpstreamAddress,
    /// How it is spoken to over TLS; `None`: without.
    pub tls: Option<Arc<UpstreamTls>>,
    /// By which version of the PROXY protocol it is told who asks; `None`: by none.
    pub announces: Option<ProxyVersion>,
}

/// A version of the PROXY protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProxyVersion {
    /// Text.
    V1,
    /// Binary.
    V2,
}

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum UpstreamAddress {
    /// It listens on a TCP port.
    Tcp {
        /// A name or an IP address without brackets.
        host: Box<str>,
        /// The port.
        port: u16,
    },
    /// It listens on a socket in the file system of this machine.
    Unix(Box<Path>),
}

impl Upstream {
    /// One that listens on a TCP port. `host` is a name or an IP address without brackets.
    #[must_use]
    pub fn tcp(host: &str, port: u16) -> Self {
        Self { address: UpstreamAddress::Tcp { host: host.into(), port }, tls: None, announces: None }
    }

    /// One that listens on a socket in the file system.
    #[must_use]
    pub fn unix(path: &Path) -> Self {
        Self { address: UpstreamAddress::Unix(path.into()), tls: None, announces: None }
    }

    /// The same over TLS.
    #[must_use]
    pub fn over_tls(self, terms: &Arc<TlsTerms>) -> Self {
        Self { tls: Some(Arc::new(UpstreamTls::new(Arc::clone(terms)))), ..self }
    }

    /// The same, told who asks.
    #[must_use]
    pub fn announced(self, announces: Option<ProxyVersion>) -> Self {
        Self { announces, ..self }
    }

    /// What `Host` says of it where nobody asked for a name.
    #[must_use]
    pub fn authority(&self) -> String {
        match &self.address {
            UpstreamAddress::Tcp { .. } => self.address.to_string(),
            UpstreamAddress::Unix(_) => "localhost".into(),
        }
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.tls.is_some() {
            f.write_str("https://")?;
        }
        self.address.fmt(f)
    }
}

impl fmt::Display for UpstreamAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}
