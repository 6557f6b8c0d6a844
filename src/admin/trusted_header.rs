//! A proxy with single sign-on that says who somebody is: believed from where it is, with its secret, and otherwise told of.

use std::fmt;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::HeaderMap;
use http::header::HeaderName;
use ipnet::IpNet;
use zeroize::Zeroizing;

use super::people::{CsrfToken, User, UserName};
use super::rights::Way;
use super::secrets::{NoRandomness, hash, random_hex, same};
use crate::live::contains;
use crate::store::audit::{Audit, Deed, Outcome};
use crate::telemetry::RateLimited;
use crate::words::refusal::{Refusal, Unproven};

/// What a proxy says, and how it proves who it is. It cannot be printed.
pub struct TrustedHeader {
    user: HeaderName,
    secret: HeaderName,
    /// SHA-256 of the secret, in hexadecimal: compared as such, it tells nothing of how long the secret is.
    sha256: String,
    networks: Vec<IpNet>,
    /// What forms of those who come this way show is made with it; it lives as long as the process.
    forms: Zeroizing<String>,
    told: Mutex<(RateLimited, Option<Instant>)>,
}

/// What a request shows.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// Nothing.
    Nothing,
    /// That it comes from this user, and the proxy says so.
    Name(Option<UserName>),
    /// That it comes from somebody, and why nobody believes it.
    Unproven(Unproven),
}

impl TrustedHeader {
    /// A proxy in `networks` that names the user in one field and shows the secret in the other.
    ///
    /// # Errors
    /// When the secret is too short, or the system gives no random numbers.
    pub fn new(
        (user, secret_header): (HeaderName, HeaderName),
        secret: &str,
        networks: Vec<IpNet>,
    ) -> Result<Self, String> {
        if secret.len() < SHORTEST {
            return Err(format!(
                "expected a secret of {SHORTEST} characters at least; make one with `openssl rand -hex 32`"
            ));
        }
        let forms = random_hex::<32>().map_err(|NoRandomness| "the system gives no random numbers".to_owned())?;
        let told = Mutex::new((RateLimited::new("names that nobody vouches for", 1), None));
        Ok(Self { user, secret: secret_header, sha256: hash(secret), networks, forms, told })
    }

    /// What a request says, and whether that is the proxy's word.
    pub(super) fn look(&self, way: Way, headers: &HeaderMap) -> Said {
        let mut names = headers.get_all(&self.user).iter();
        let Some(name) = names.next() else { return Said::Nothing };
        let Way::Network { peer, .. } = way else {
            return Said::Unproven(Unproven::Socket);
        };
        if !contains(&self.networks, peer.to_canonical()) {
            return Said::Unproven(Unproven::Elsewhere);
        }
        let mut secrets = headers.get_all(&self.secret).iter();
        match (secrets.next(), secrets.next(), names.next()) {
            (_, _, Some(_)) => Said::Unproven(Unproven::SeveralNames),
            (None, ..) => Said::Unproven(Unproven::NoSecret),
            (Some(_), Some(_), _) => Said::Unproven(Unproven::SeveralSecrets),
            (Some(secret), None, None) => {
                let shown = secret.to_str().map(hash).unwrap_or_default();
                match same(shown.as_bytes(), self.sha256.as_bytes()) {
                    true => Said::Name(name.to_str().ok().and_then(UserName::parse)),
                    false => Said::Unproven(Unproven::OtherSecret),
                }
            }
        }
    }

    /// What changes by this user show.
    pub(super) fn csrf(&self, user: &User) -> CsrfToken {
        CsrfToken::of(&Zeroizing::new(format!("{}{}", &*self.forms, user.id)))
    }

    /// Tells the operator: once a second in the log, and once a minute in the trail, since there is no end to those who try.
    pub(super) fn tell(&self, way: Way, why: Unproven, audit: &Audit) {
        let text = words(why);
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let (log, recorded) = &mut *told;
        let peer = match way {
            Way::Network { peer, .. } => peer.to_canonical(),
            Way::Socket(_) => IpAddr::from([0, 0, 0, 0]),
        };
        let header = &self.user;
        log.say(
            || tracing::warn!(%peer, %header, "somebody was named at the admin listener and is not believed: {text}"),
        );
        if recorded.is_some_and(|last| last.elapsed() < MINUTE) {
            return;
        }
        *recorded = Some(Instant::now());
        drop(told);
        let door = match way {
            Way::Network { .. } => peer.to_string(),
            Way::Socket(_) => "admin.sock".into(),
        };
        let deed = Deed {
            who: "nobody".into(),
            door,
            action: "admin.trusted_header".into(),
            object: "session".into(),
            result: Outcome::Refused,
            detail: text.into(),
            why: Refusal::NotBelieved(why).written(),
        };
        let audit = audit.clone();
        tokio::task::spawn_blocking(move || audit.record(deed));
    }
}

/// In the words of the log and the trail.
const fn words(why: Unproven) -> &'static str {
    match why {
        Unproven::Socket => "it came through admin.sock, which is for this machine's own commands and for no proxy",
        Unproven::Elsewhere => "it came from an address that is not in admin.trusted_header.networks",
        Unproven::SeveralNames => "the name stands there several times",
        Unproven::NoSecret => "the secret is missing",
        Unproven::SeveralSecrets => "the secret stands there several times",
        Unproven::OtherSecret => "the secret is another",
        Unproven::NoUser => "the edge has no user of this name; `vitrine user add` makes one",
    }
}

impl fmt::Debug for TrustedHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrustedHeader")
            .field("user", &self.user)
            .field("networks", &self.networks)
            .finish_non_exhaustive()
    }
}

/// 128 random bits in hexadecimal.
const SHORTEST: usize = 32;
const MINUTE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    fn said(way: Way, fields: &[(&'static str, &'static str)]) -> Said {
        let names = (HeaderName::from_static("x-user"), HeaderName::from_static("x-secret"));
        let trusted = TrustedHeader::new(names, SECRET, vec!["10.0.0.5/32".parse().expect("a network")]).expect("made");
        assert!(!format!("{trusted:?}").contains("0123"));
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, value.parse().expect("a value"));
        }
        trusted.look(way, &headers)
    }

    #[test]
    fn the_name_counts_from_there_with_the_secret_and_once() {
        let at = |address: &str| Way::Network { peer: address.parse().expect("an address"), is_encrypted: false };
        let (proxy, name, secret) = (at("10.0.0.5"), ("x-user", "Anna"), ("x-secret", SECRET));
        let anna = Said::Name(UserName::parse("anna"));
        assert_eq!(said(proxy, &[name, secret]), anna);
        assert_eq!(said(at("::ffff:10.0.0.5"), &[secret, name]), anna);
        assert_eq!(said(proxy, &[("x-user", "a, b"), secret]), Said::Name(None));
        // A proxy at which nobody has signed in.
        assert_eq!(said(proxy, &[secret]), Said::Nothing);
        let unproven = |way, fields: &[_]| assert!(matches!(said(way, fields), Said::Unproven(_)), "{fields:?}");
        unproven(proxy, &[name]);
        unproven(proxy, &[name, ("x-secret", "0123456789abcdef0123456789abcdeF")]);
        unproven(proxy, &[name, ("x-secret", "")]);
        unproven(proxy, &[name, secret, secret]);
        unproven(proxy, &[name, name, secret]);
        unproven(at("10.0.0.6"), &[name, secret]);
        unproven(Way::Socket(0), &[name, secret]);
    }

    #[test]
    fn a_secret_that_could_be_guessed_is_not_taken() {
        let names = || (HeaderName::from_static("x-user"), HeaderName::from_static("x-secret"));
        assert!(TrustedHeader::new(names(), &SECRET[1..], Vec::new()).is_err());
    }
}
