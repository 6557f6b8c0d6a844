//! What authorities ask to be shown while an order is open: a request never becomes a path, and a token is shown at the host that
//! it was issued for alone.

use std::sync::Arc;

use hashbrown::HashMap;
use rustls::ServerConfig;

use super::WellKnownObject;
use crate::name::HostName;

/// The answers to http-01 (RFC 8555 §8.3), by host and token, and to tls-alpn-01 (RFC 8737), by host.
#[derive(Clone, Default)]
pub struct Challenges {
    tokens: HashMap<Box<str>, HashMap<Box<str>, Arc<WellKnownObject>>>,
    handshakes: HashMap<Box<str>, Arc<ServerConfig>>,
}

impl Challenges {
    /// Shows a token's key authorisation at a host.
    pub fn show(&mut self, host: &HostName, token: &str, key_authorization: &str) {
        let object = WellKnownObject { content: key_authorization.to_owned().into() };
        self.tokens.entry(host.as_str().into()).or_default().insert(token.into(), object.into());
    }

    /// Shows it no more.
    pub fn hide(&mut self, host: &HostName, token: &str) {
        if let Some(tokens) = self.tokens.get_mut(host.as_str()) {
            tokens.remove(token);
            if tokens.is_empty() {
                self.tokens.remove(host.as_str());
            }
        }
    }

    /// Answers probes for a host in handshakes of their own.
    pub fn answer(&mut self, host: &HostName, with: Arc<ServerConfig>) {
        self.handshakes.insert(host.as_str().into(), with);
    }

    /// Answers them no more.
    pub fn fall_silent(&mut self, host: &HostName) {
        self.handshakes.remove(host.as_str());
    }

    /// How a probe for `host` (in normal form) is answered.
    #[must_use]
    pub fn handshake(&self, host: &str) -> Option<&Arc<ServerConfig>> {
        self.handshakes.get(host)
    }

    /// What `host` (in normal form) answers at exactly `path`, which begins with a slash and has no query.
    #[must_use]
    pub fn find(&self, host: &str, path: &str) -> Option<&Arc<WellKnownObject>> {
        let token = path.strip_prefix("/.well-known/acme-challenge/")?;
        self.tokens.get(host)?.get(token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_shown_at_its_own_host_until_it_is_hidden() {
        let host = HostName::parse("shop.example").expect("a name");
        let mut challenges = Challenges::default();
        challenges.show(&host, "abc", "abc.thumb");
        let shown = |challenges: &Challenges, host: &str, path: &str| {
            challenges.find(host, path).map(|object| object.content.clone())
        };
        assert_eq!(
            shown(&challenges, "shop.example", "/.well-known/acme-challenge/abc").as_deref(),
            Some(&b"abc.thumb"[..])
        );
        for (host, path) in [
            ("other.example", "/.well-known/acme-challenge/abc"),
            ("shop.example", "/.well-known/acme-challenge/abcd"),
            ("shop.example", "/.well-known/acme-challenge/"),
            ("shop.example", "/.well-known/acme-challenge/x/../abc"),
            ("shop.example", "/abc"),
        ] {
            assert_eq!(shown(&challenges, host, path), None, "{host}{path}");
        }
        challenges.hide(&host, "abc");
        assert!(challenges.tokens.is_empty());
    }
}
