//! What the edge agrees to in a handshake. Built at configuration load, never per certificate.

use std::sync::{Arc, OnceLock};

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, ProducesTickets, WebPkiClientVerifier};
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, SupportedProtocolVersion};

use super::key_schedule::with_kept_keys;
use super::own_policy::{OwnPolicies, OwnPolicy};
use super::resolver::LentCertificate;
use super::tickets;
use crate::live::{Demands, TlsVersion};
use crate::name::{HostName, HostPattern};

/// How the edge speaks TLS, and what it does about names nobody serves.
pub struct TlsPolicy {
    pub(super) config: Arc<ServerConfig>,
    pub(super) unknown_name: UnknownName,
    tells_unknown: bool,
    min_version: TlsVersion,
    /// Where any site has one.
    own: Option<OwnPolicies>,
}

/// What a client gets that asks for a name nobody serves, or for none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnknownName {
    /// An `unrecognized_name` alert (RFC 6066 §3).
    Refuse,
    /// The certificate of this name.
    Default(HostName),
}

impl TlsPolicy {
    /// A policy. TLS 1.3 is always spoken.
    ///
    /// # Errors
    /// When the cryptography library offers no usable versions or no randomness for the ticket keys.
    pub fn new(min_version: TlsVersion, unknown_name: UnknownName) -> Result<Self, TlsPolicyError> {
        let ticketer = tickets::shared().map_err(TlsPolicyError)?;
        let nobody = WebPkiClientVerifier::no_client_auth();
        let config = Arc::new(server_config(min_version == TlsVersion::V1_2, nobody, ticketer)?);
        Ok(Self { config, unknown_name, tells_unknown: false, min_version, own: None })
    }

    /// The same, with what sites ask for: the names of each with its demands. Sites whose demands are as they were `before` go on as they
    /// are; tickets of the others are worth nothing from then on.
    ///
    /// # Errors
    /// As [`TlsPolicy::new`].
    pub fn demanding<'a>(
        self,
        sites: impl Iterator<Item = (&'a [HostPattern], Option<&'a Demands>)>,
        before: Option<&Self>,
    ) -> Result<Self, TlsPolicyError> {
        let own = OwnPolicies::of(sites, self.min_version, before.and_then(|before| before.own.as_ref()))?;
        Ok(Self { own: Some(own).filter(|own| !own.is_empty()), ..self })
    }

    /// What the site of `name`, which is in normal form, has for itself; `None`: what everybody has.
    pub(in crate::proxy) fn own(&self, name: &str) -> Option<&Arc<OwnPolicy>> {
        self.own.as_ref()?.of_name(name)
    }

    /// The same, with it told when clients ask for names that nobody serves.
    #[must_use]
    pub fn telling_unknown(self, tells_unknown: bool) -> Self {
        Self { tells_unknown, ..self }
    }

    /// Whether somebody wants to know of names that nobody serves.
    pub(in crate::proxy) const fn tells_unknown(&self) -> bool {
        self.tells_unknown
    }

    /// The oldest version that is spoken where no site asks for another.
    #[must_use]
    pub const fn min_version(&self) -> TlsVersion {
        self.min_version
    }

    /// The name whose certificate clients get that ask for one nobody serves; `None`: they are refused.
    #[must_use]
    pub fn default_host(&self) -> Option<&HostName> {
        match &self.unknown_name {
            UnknownName::Refuse => None,
            UnknownName::Default(host) => Some(host),
        }
    }
}

/// What rustls is told. `tls12` adds TLS 1.2 to TLS 1.3.
pub(super) fn server_config(
    tls12: bool,
    clients: Arc<dyn ClientCertVerifier>,
    ticketer: Arc<dyn ProducesTickets>,
) -> Result<ServerConfig, TlsPolicyError> {
    let versions: &[&SupportedProtocolVersion] = if tls12 { &[&TLS13, &TLS12] } else { &[&TLS13] };
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .map_err(TlsPolicyError)?
        .with_client_cert_verifier(clients)
        .with_cert_resolver(Arc::new(LentCertificate));
    config.alpn_protocols = [H2, HTTP11, HTTP10].map(<[u8]>::to_vec).into();
    // rustls' session store is one mutex around a list that is searched from the front; tickets need neither.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.ticketer = ticketer;
    // Each connection brings the ticket of the next one. rustls' second costs 2 µs and 250 octets of every connection, and serves those
    // alone that open two at once.
    config.send_tls13_tickets = 1;
    // For records.rs, which goes on where rustls has agreed on the keys.
    config.enable_secret_extraction = true;
    Ok(config)
}

/// The policy cannot be made.
#[derive(Debug)]
pub struct TlsPolicyError(pub(super) rustls::Error);

impl std::fmt::Display for TlsPolicyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the TLS policy cannot be set up: {}", self.0)
    }
}

impl std::error::Error for TlsPolicyError {}

/// The one provider of cryptography.
pub(super) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    Arc::clone(PROVIDER.get_or_init(|| Arc::new(with_kept_keys(aws_lc_rs::default_provider()))))
}

/// ALPN names (RFC 9113 §3.1, RFC 7301 §6, and IANA's registry for the oldest).
pub(super) const H2: &[u8] = b"h2";
const HTTP11: &[u8] = b"http/1.1";
const HTTP10: &[u8] = b"http/1.0";
