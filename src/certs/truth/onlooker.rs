//! A look at the certificate that anybody shows, wherever he is: taken as it is, then judged as clients judge it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs::default_provider;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::client::{Offer, connector_by};
use crate::certs::certificate::{Certificate, hexadecimal};
use crate::certs::roots::Roots;
use crate::name::{HostName, HostPattern};
use crate::outbound::{Unseen, connect};
use crate::telemetry::printable;

/// Looks at servers as clients see them, and trusts whom it is told to.
pub struct Onlooker {
    connectors: Vec<(Offer, TlsConnector)>,
    roots: Roots,
}

/// A certificate as clients are shown it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appearance {
    /// SHA-256 over the leaf's DER, lower-case hexadecimal.
    pub fingerprint: String,
    /// Common name of the subject; empty when it has none.
    pub subject: String,
    /// Common name of the issuer; empty when it has none.
    pub issuer: String,
    /// The names it is for, or why it is for none.
    pub names: Result<Vec<HostPattern>, String>,
    /// Start of validity, seconds since the Unix epoch.
    pub not_before: i64,
    /// End of validity, seconds since the Unix epoch.
    pub not_after: i64,
    /// Whether the chain that was sent along leads to a root that is trusted.
    pub is_trusted: bool,
    /// What of the chain has expired, as clients that have no other way are concerned: the authority's common name.
    pub expired_authority: Option<String>,
}

impl Appearance {
    /// Whether it is for `host`.
    #[must_use]
    pub fn covers(&self, host: &HostName) -> bool {
        self.names.as_ref().is_ok_and(|names| names.iter().any(|name| name.covers(host.as_str())))
    }

    fn of(chain: &[CertificateDer<'_>], roots: &Roots, now: i64) -> Result<Self, String> {
        let read = |der: &CertificateDer<'_>| Certificate::read(der.clone().into_owned()).map(Arc::new);
        let Some((leaf, rest)) = chain.split_first() else { return Err("it shows no certificate".into()) };
        let leaf = read(leaf).map_err(|_| "it shows a certificate that cannot be read".to_owned())?;
        // What cannot be read stands behind nobody.
        let rest: Vec<Arc<Certificate>> = rest.iter().take(LONGEST_CHAIN).filter_map(|der| read(der).ok()).collect();
        let is_trusted = roots.trust(&leaf, &rest, now);
        let expired = rest.iter().find(|authority| !is_trusted && authority.not_after < now);
        Ok(Self {
            fingerprint: hexadecimal(&leaf.fingerprint),
            subject: leaf.subject_cn.to_string(),
            issuer: leaf.issuer_cn.to_string(),
            names: leaf.names.as_ref().map(|names| names.to_vec()).map_err(|flaw| flaw.reason.to_string()),
            not_before: leaf.not_before,
            not_after: leaf.not_after,
            expired_authority: expired.map(|authority| authority.subject_cn.to_string()),
            is_trusted,
        })
    }
}

impl Onlooker {
    /// One that trusts `roots`.
    ///
    /// # Errors
    /// When the cryptography library offers no usable versions.
    pub fn new(roots: Roots) -> Result<Self, String> {
        let made = |offer| connector_by(default_provider(), offer).map(|connector| (offer, connector));
        let connectors: Result<_, rustls::Error> = Offer::ALL.into_iter().map(made).collect();
        Ok(Self { connectors: connectors.map_err(|error| error.to_string())?, roots })
    }

    /// Shakes hands as a client of `name` that checks what `offer` says, at `now`, seconds since the Unix epoch. What it is shown, and
    /// the connection, over which it can ask for more in HTTP/1.1.
    ///
    /// # Errors
    /// [`Unseen`]
    pub async fn look(
        &self,
        address: SocketAddr,
        name: &HostName,
        offer: Offer,
        (now, until): (i64, Instant),
    ) -> Result<(Appearance, TlsStream<TcpStream>), Unseen> {
        let server = ServerName::try_from(name.as_str().to_owned());
        let server = server.map_err(|_| Unseen::NoAnswer("TLS cannot ask for this name".into()))?;
        let Some((_, connector)) = self.connectors.iter().find(|(known, _)| *known == offer) else {
            return Err(Unseen::NoAnswer("no client offers this".into()));
        };
        let tcp = connect(address, until).await?;
        let shaken = timeout_at(until, connector.connect(server, tcp)).await;
        let shaken = shaken.map_err(|_| {
            Unseen::NoAnswer("it takes the connection and does not finish the handshake in time".into())
        })?;
        let stream = shaken.map_err(|error| Unseen::NoAnswer(told(&error)))?;
        let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
        let appearance = Appearance::of(chain, &self.roots, now).map_err(Unseen::NoAnswer)?;
        Ok((appearance, stream))
    }
}

fn told(error: &io::Error) -> String {
    match error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::AlertReceived(alert)) => format!("it refuses the handshake ({alert:?})"),
        Some(other) => format!("it does not speak TLS as it should: {}", printable(&other.to_string())),
        None => format!("it breaks off the handshake: {error}"),
    }
}

/// More than any authority's; what comes behind has no bearing on what is trusted in time.
const LONGEST_CHAIN: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certs::testing::Chain;

    fn appearance(chain: &[&str], roots: &Roots, now: i64) -> Result<Appearance, String> {
        let ders: Vec<_> = chain.iter().flat_map(|pem| Roots::certificates_in(pem.as_bytes()).expect("PEM")).collect();
        Appearance::of(&ders, roots, now)
    }

    #[test]
    fn what_is_shown_is_judged_with_its_chain() {
        let chain = Chain::new();
        let leaf = chain.leaf(&["shop.example", "*.shop.example"]).certificate;
        let roots = Roots::of_the_web_and([(std::path::Path::new("root.pem"), chain.root.as_bytes())]).expect("a root");
        let now = time::OffsetDateTime::now_utc().unix_timestamp();
        let seen = appearance(&[&leaf, &chain.intermediate], &roots, now).expect("a certificate");
        assert_eq!((seen.is_trusted, seen.expired_authority.clone()), (true, None));
        let covers = |name: &str| seen.covers(&HostName::parse(name).expect("a name"));
        assert!(covers("shop.example") && covers("a.shop.example") && !covers("a.b.shop.example"));
        let alone = appearance(&[&leaf], &roots, now).expect("a certificate");
        assert_eq!((alone.is_trusted, &alone.fingerprint), (false, &seen.fingerprint));
        let web = appearance(&[&leaf, &chain.intermediate], &Roots::of_the_web(), now).expect("a certificate");
        assert_eq!((web.is_trusted, web.expired_authority), (false, None));
        assert_eq!(appearance(&[], &roots, now), Err("it shows no certificate".into()));
    }

    #[test]
    fn an_authority_that_has_expired_is_named() {
        let chain = Chain::new();
        let leaf = chain.leaf(&["shop.example"]).certificate;
        let roots = Roots::of_the_web_and([(std::path::Path::new("root.pem"), chain.root.as_bytes())]).expect("a root");
        let ders = Roots::certificates_in(chain.intermediate.as_bytes()).expect("PEM");
        let end = Certificate::read(ders[0].clone()).expect("an authority").not_after;
        let seen = appearance(&[&leaf, &chain.intermediate], &roots, end + 1).expect("a certificate");
        assert!(!seen.is_trusted && seen.expired_authority.is_some(), "{seen:?}");
    }
}
