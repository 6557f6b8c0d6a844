//! What a ClientHello asks for, decided before the handshake goes on.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::ClientHello;

use super::own_policy::OwnPolicy;
use super::policy::{TlsPolicy, UnknownName};
use crate::live::{CertIndex, Challenges, Choice};
use crate::name::NameBuffer;
use crate::telemetry::HandshakeFailure;

/// A hello that will be served.
pub(super) struct Served {
    /// The certificates pinned for the connection.
    pub(super) choice: Choice,
    /// The name is nobody's, and the operator chose a default certificate for such.
    pub(super) by_default: bool,
    /// What the name's site has for itself.
    pub(super) own: Option<Arc<OwnPolicy>>,
}

/// Whether a client offers acme-tls/1 alone: it is an authority's probe, and must never see a shop's certificate (RFC 8737 §3).
pub(super) fn is_probe(hello: &ClientHello<'_>) -> bool {
    hello.alpn().is_some_and(|mut offered| offered.next() == Some(ACME_TLS) && offered.next().is_none())
}

/// How a probe is answered, if it asks for a name whose order is open.
pub(super) fn answer_to(hello: &ClientHello<'_>, challenges: &Challenges) -> Option<Arc<ServerConfig>> {
    let mut buffer = NameBuffer::new();
    let name = buffer.normalise(hello.server_name()?)?;
    challenges.handshake(name).cloned()
}

/// Decides what the hello gets.
///
/// # Errors
/// The reason from the closed set, for the counter and the log.
pub(super) fn decide(
    hello: &ClientHello<'_>,
    index: &CertIndex,
    policy: &TlsPolicy,
) -> Result<Served, HandshakeFailure> {
    if is_probe(hello) {
        return Err(HandshakeFailure::NoChallenge);
    }
    let mut buffer = NameBuffer::new();
    let name = hello.server_name().and_then(|name| buffer.normalise(name));
    if let Some((name, choice)) = name.and_then(|name| Some((name, index.find(name)?))) {
        return Ok(Served { choice: choice.clone(), by_default: false, own: policy.own(name).cloned() });
    }
    let failure = if hello.server_name().is_some() { HandshakeFailure::UnknownName } else { HandshakeFailure::NoName };
    match &policy.unknown_name {
        UnknownName::Refuse => Err(failure),
        UnknownName::Default(default) => match index.find(default.as_str()) {
            Some(choice) => Ok(Served { choice: choice.clone(), by_default: true, own: None }),
            None => Err(failure),
        },
    }
}

/// RFC 8737 §6.2
const ACME_TLS: &[u8] = b"acme-tls/1";
