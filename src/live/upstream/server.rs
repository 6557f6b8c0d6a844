//! One server behind the edge: where it is, and how it is spoken to.

use std::fmt;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use super::tls::{TlsTerms, UpstreamTls};

/// One server behind the edge.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Upstream {
    /// Where it is.
    pub address: UpstreamAddress,
    /// How it is spoken to over TLS; `None`: without.
    pub tls: Option<Arc<UpstreamTls>>,
    /// What is spoken.
    pub speech: Speech,
    /// By which version of the PROXY protocol it is told who asks; `None`: by none.
    pub announces: Option<ProxyVersion>,
}

/// What is spoken with a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Speech {
    /// HTTP/1.1
    #[default]
    Http1,
    /// HTTP/2, from the first octet or as agreed in the TLS handshake.
    Http2,
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
        Self {
            address: UpstreamAddress::Tcp { host: host.into(), port },
            tls: None,
            speech: Speech::Http1,
            announces: None,
        }
    }

    /// One that listens on a socket in the file system.
    #[must_use]
    pub fn unix(path: &Path) -> Self {
        Self { address: UpstreamAddress::Unix(path.into()), tls: None, speech: Speech::Http1, announces: None }
    }

    /// The same over TLS.
    #[must_use]
    pub fn over_tls(self, terms: &Arc<TlsTerms>) -> Self {
        Self { tls: Some(Arc::new(UpstreamTls::new(Arc::clone(terms)))), ..self }
    }

    /// The same in HTTP/2.
    #[must_use]
    pub fn in_http2(self) -> Self {
        Self { speech: Speech::Http2, ..self }
    }

    /// The same, told who asks.
    #[must_use]
    pub fn announced(self, announces: Option<ProxyVersion>) -> Self {
        Self { announces, ..self }
    }

    /// The name it is addressed by; `None`: an IP address, or a socket in the file system.
    #[must_use]
    pub fn named(&self) -> Option<&str> {
        match &self.address {
            UpstreamAddress::Tcp { host, .. } => host.parse::<IpAddr>().is_err().then_some(host),
            UpstreamAddress::Unix(_) => None,
        }
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
        f.write_str(match (self.speech, &self.tls, &self.address) {
            (Speech::Http1, None, _) => "",
            (Speech::Http1, Some(_), _) => "https://",
            (Speech::Http2, Some(_), _) => "h2://",
            (Speech::Http2, None, UpstreamAddress::Tcp { .. }) => "h2c://",
            (Speech::Http2, None, UpstreamAddress::Unix(_)) => "unix+h2c:",
        })?;
        if let (Speech::Http2, UpstreamAddress::Unix(path)) = (self.speech, &self.address) {
            path.display().fmt(f)?;
        } else {
            self.address.fmt(f)?;
        }
        self.announces.map_or(Ok(()), |version| f.write_str(version.suffix()))
    }
}

impl ProxyVersion {
    /// What the name of an upstream ends with that is told who asks: it does other things than the same one that is not.
    const fn suffix(self) -> &'static str {
        match self {
            Self::V1 => "+proxy-v1",
            Self::V2 => "+proxy-v2",
        }
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
