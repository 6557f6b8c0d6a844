//! What a client gets that asks so, decided before the handshake goes on.

use std::sync::Arc;

use rustls::ServerConfig;

use super::client_hello::Asked;
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

/// How a probe is answered, if it asks for a name whose order is open.
pub(super) fn answer_to(asked: &Asked, challenges: &Challenges) -> Option<Arc<ServerConfig>> {
    let mut buffer = NameBuffer::new();
    let name = buffer.normalise(asked.name.as_deref()?)?;
    challenges.handshake(name).cloned()
}

/// Decides what the hello gets.
///
/// # Errors
/// The reason from the closed set, for the counter and the log.
pub(super) fn decide(asked: &Asked, index: &CertIndex, policy: &TlsPolicy) -> Result<Served, HandshakeFailure> {
    if asked.is_probe {
        return Err(HandshakeFailure::NoChallenge);
    }
    let mut buffer = NameBuffer::new();
    let name = asked.name.as_deref().and_then(|name| buffer.normalise(name));
    if let Some((name, choice)) = name.and_then(|name| Some((name, index.find(name)?))) {
        return Ok(Served { choice: choice.clone(), by_default: false, own: policy.own(name).cloned() });
    }
    let failure = if asked.name.is_some() { HandshakeFailure::UnknownName } else { HandshakeFailure::NoName };
    match &policy.unknown_name {
        UnknownName::Refuse => Err(failure),
        UnknownName::Default(default) => match index.find(default.as_str()) {
            Some(choice) => Ok(Served { choice: choice.clone(), by_default: true, own: None }),
            None => Err(failure),
        },
    }
}
