//! Servers behind an edge, as peers write them and as `site.upstreams` has them.

use std::fmt;
use std::net::IpAddr;

use crate::name::HostName;

/// A server, as `site.upstreams` has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// `http://host[:port]` or its like.
    pub url: String,
    /// Its share beside the others'; 0: it gets requests only when nobody else is there.
    pub weight: u32,
}

impl From<String> for Upstream {
    fn from(url: String) -> Self {
        Self { url, weight: 1 }
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)?;
        if self.weight == 1 { Ok(()) } else { write!(f, " (weight {})", self.weight) }
    }
}

/// How a server is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Speech {
    pub(super) is_secure: bool,
    pub(super) is_http2: bool,
}

impl Speech {
    pub(super) const HTTP1: Self = Self { is_secure: false, is_http2: false };
    pub(super) const HTTP2: Self = Self { is_secure: false, is_http2: true };

    /// The same over TLS.
    pub(super) const fn secure(self) -> Self {
        Self { is_secure: true, ..self }
    }
}

impl Upstream {
    /// The same server, of `http://` or `unix:`, spoken to otherwise; or why it cannot be.
    pub(super) fn spoken(self, speech: Speech) -> Result<Self, String> {
        let Self { url, weight } = self;
        let scheme = match speech {
            Speech::HTTP1 => return Ok(Self { url, weight }),
            Speech { is_secure: true, is_http2: false } => "https",
            Speech { is_secure: true, is_http2: true } => "h2",
            Speech { is_secure: false, is_http2: true } => "h2c",
        };
        let url = match (url.strip_prefix("http://"), url.strip_prefix("unix:")) {
            (Some(authority), _) => {
                let port = if authority.ends_with(']') || !authority.contains(':') { ":80" } else { "" };
                let whole = format!("{scheme}://{authority}{port}");
                let usual = if speech.is_secure { ":443" } else { ":80" };
                whole.strip_suffix(usual).map(str::to_owned).unwrap_or(whole)
            }
            (None, Some(path)) if !speech.is_secure => format!("unix+h2c:{path}"),
            _ => return Err(format!("the upstream {url:?} is a socket that is spoken to over TLS")),
        };
        Ok(Self { url, weight })
    }
}

/// Whether it can be the name of a cookie.
pub(super) fn is_cookie(name: &str) -> bool {
    let is_part = |octet: u8| octet.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&octet);
    (1..=64).contains(&name.len()) && name.bytes().all(is_part)
}

/// As `site.upstreams` has it.
pub(super) const MOST_WEIGHT: u32 = 1000;

/// `http://host[:port]` of `host`, `host:port` or an address, `unix:/path` of itself or a path; or why it cannot be one.
pub(super) fn url(text: &str, port: u16) -> Result<String, String> {
    if text.contains('@') {
        return Err("the upstream has a name or a password in it".into());
    }
    let cannot = |why: &str| format!("the upstream {text:?} {why}");
    if text.contains(['$', '%', '{']) {
        return Err(cannot("is not written out here, and one of ours is fixed"));
    }
    if text.starts_with('/') || text.starts_with("unix:") {
        let path = text.strip_prefix("unix:").unwrap_or(text);
        let is_plain = path.starts_with('/') && !path.ends_with('/') && !path.contains(':') && path.len() <= 107;
        let socket = || format!("unix:/{}", path.trim_start_matches('/'));
        return is_plain.then(socket).ok_or_else(|| cannot("is no absolute path of a socket"));
    }
    let (host, given) = match text.rfind(']') {
        Some(end) => text.split_at(end + 1),
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let port = match given.strip_prefix(':') {
        None if given.is_empty() => port,
        Some(given) => given.parse().ok().filter(|port| *port > 0).ok_or_else(|| cannot("has no port that is one"))?,
        None => return Err(cannot("is no host and port")),
    };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let host = match bare.parse::<IpAddr>() {
        Ok(IpAddr::V6(address)) => format!("[{address}]"),
        Ok(IpAddr::V4(address)) => address.to_string(),
        Err(_) => HostName::parse(host).map_err(|_| cannot("is no host and port"))?.to_string(),
    };
    Ok(if port == 80 { format!("http://{host}") } else { format!("http://{host}:{port}") })
}

/// Whether `site.route.path` takes it.
pub(super) fn is_route(path: &str) -> bool {
    path.starts_with('/')
        && path.bytes().all(|octet| octet.is_ascii_graphic())
        && !path.contains(['?', '#', '*'])
        && !path.split('/').any(|part| matches!(part, "." | ".."))
}

pub(super) const MEND: &str =
    "add the shop to site.upstreams as \"http://host:port\", \"https://host:port\" or \"unix:/path\"";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_server_is_spoken_to_otherwise() {
        let said = |url: &str, speech| Upstream::from(url.to_owned()).spoken(speech).map(|server| server.url);
        for (url, speech, wanted) in [
            ("http://10.0.0.1", Speech::HTTP1.secure(), "https://10.0.0.1:80"),
            ("http://10.0.0.1:443", Speech::HTTP1.secure(), "https://10.0.0.1"),
            ("http://[::1]", Speech::HTTP2, "h2c://[::1]"),
            ("http://shop:8443", Speech::HTTP2.secure(), "h2://shop:8443"),
            ("unix:/run/x", Speech::HTTP2, "unix+h2c:/run/x"),
        ] {
            assert_eq!(said(url, speech).as_deref(), Ok(wanted));
        }
        assert!(said("unix:/run/x", Speech::HTTP1.secure()).is_err());
    }

    #[test]
    fn hosts_and_ports_become_addresses() {
        for (text, wanted) in [
            ("10.0.0.1:8080", "http://10.0.0.1:8080"),
            ("shop.internal", "http://shop.internal"),
            ("[::1]:80", "http://[::1]"),
            ("LOCALHOST:3000", "http://localhost:3000"),
            ("unix:/run/x", "unix:/run/x"),
            ("//run/x", "unix:/run/x"),
        ] {
            assert_eq!(url(text, 80).as_deref(), Ok(wanted));
        }
        for text in ["unix:run/x", "$host", "", "a:b", "a:0", "[::1", "/run/x:0", "a b"] {
            assert!(url(text, 80).is_err(), "{text:?}");
        }
    }
}
