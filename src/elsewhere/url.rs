//! What is looked at: a host and a port.

use std::fmt;

use crate::name::HostName;

/// A host that shows a certificate, and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ForeignUrl {
    host: HostName,
    port: u16,
}

impl ForeignUrl {
    /// Reads `https://pay.example:8443/`, `pay.example:8443` or `pay.example`. A certificate is the same for all paths.
    ///
    /// # Errors
    /// What was expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("expected a URL such as https://pay.example or https://pay.example:8443, found {text:?}");
        let rest = text.trim();
        let rest = match rest.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => rest,
            Some(_) => return Err(wrong()),
            None => rest,
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().ok().filter(|port| *port > 0).ok_or_else(wrong)?),
            None => (authority, HTTPS),
        };
        if host.parse::<std::net::IpAddr>().is_ok() {
            return Err(wrong());
        }
        HostName::parse(host).map(|host| Self { host, port }).map_err(|_| wrong())
    }

    /// Its host.
    #[must_use]
    pub fn host(&self) -> &HostName {
        &self.host
    }

    /// Where it is reached.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// As people type it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://{self}")
    }
}

/// The host, and the port unless everybody knows it: its name for the API.
impl fmt::Display for ForeignUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            HTTPS => write!(f, "{}", self.host),
            port => write!(f, "{}:{port}", self.host),
        }
    }
}

const HTTPS: u16 = 443;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_a_host_and_a_port_however_it_is_written() {
        for (text, expected) in [
            ("https://Pay.Example/checkout?x=1", "pay.example"),
            ("pay.example", "pay.example"),
            ("pay.example:443", "pay.example"),
            ("HTTPS://pay.example:8443", "pay.example:8443"),
        ] {
            let url = ForeignUrl::parse(text).expect("a URL");
            assert_eq!((url.to_string(), url.url()), (expected.to_owned(), format!("https://{expected}")));
        }
        for text in ["http://pay.example", "", "https://", "https://10.0.0.1", "a b", "pay.example:0", "*.pay.example"]
        {
            assert!(ForeignUrl::parse(text).expect_err("refused").contains("https://pay.example:8443"), "{text}");
        }
    }
}
