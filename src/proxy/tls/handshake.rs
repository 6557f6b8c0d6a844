//! From an accepted TCP connection to an open TLS stream, under one deadline.

use std::cell::{OnceCell, RefCell};
use std::future::poll_fn;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::SystemTime;

use rustls::{AlertDescription, CommonState, HandshakeKind as RustlsKind, ProtocolVersion};
use tokio::io::AsyncWriteExt;

use super::await_hello::{Hello, await_hello};
use super::decision::{self, Served};
use super::identity::{self, Identity};
use super::own_policy::OwnPolicy;
use super::policy::{H2, TlsPolicy};
use super::records::FATAL;
use super::resolver::Pinned;
use super::scratch::Scratch;
use super::tls_stream::{Handshake, TlsStream};
use crate::live::{Cached, CertIndex, Challenges, ServedCert};
use crate::proxy::socket::Socket;
use crate::telemetry::{HandshakeFailure, HandshakeKind};

/// An open TLS stream and what was agreed on.
pub(in crate::proxy) struct Accepted {
    pub(in crate::proxy) stream: TlsStream,
    /// The certificate the client was shown; it decides which names may be asked for on this connection.
    pub(in crate::proxy) certificate: Arc<ServedCert>,
    /// The client's name is nobody's and it got the default certificate.
    pub(in crate::proxy) by_default: bool,
    pub(in crate::proxy) http2: bool,
    pub(in crate::proxy) kind: HandshakeKind,
    /// The policy that the name's site has for itself.
    pub(in crate::proxy) own: Option<Arc<OwnPolicy>>,
    /// What the shop is told of the client's certificate, as it goes over the wire.
    pub(in crate::proxy) client_fields: Option<Box<[u8]>>,
}

/// A handshake that did not end in a connection.
#[derive(Debug)]
pub(in crate::proxy) struct Refused {
    pub(in crate::proxy) reason: HandshakeFailure,
    /// The library's words; they hold nothing secret.
    pub(in crate::proxy) detail: Option<String>,
}

/// Reads the hello, decides, and finishes the handshake. The caller sets the deadline around all of it. The name the client
/// sent, as it sent it, is put into `sni` as soon as it is known: the caller wants it however this ends. `None`: an authority was
/// shown what it asked for, which is the end of such a connection. `is_own_check`: the edge looks at its certificate, which it is
/// shown whatever the site asks of clients.
pub(in crate::proxy) async fn accept(
    socket: Socket,
    policy: &TlsPolicy,
    index: &RefCell<Cached<CertIndex>>,
    challenges: &RefCell<Cached<Challenges>>,
    sni: &OnceCell<Box<str>>,
    scratch: &Rc<Scratch>,
    is_own_check: bool,
) -> Result<Option<Accepted>, Refused> {
    let hello = await_hello(socket).await.map_err(|error| refused(&error))?;
    // Boxed: whoever never comes to the end of a hello does not hold the room that the rest takes. The box comes first: what is made before
    // it has a place is moved there.
    let place = Box::new_uninit();
    Box::into_pin(Box::write(place, answer(hello, policy, index, challenges, sni, scratch, is_own_check))).await
}

/// Decides about a hello that has come, and finishes the handshake.
async fn answer(
    hello: Hello,
    policy: &TlsPolicy,
    index: &RefCell<Cached<CertIndex>>,
    challenges: &RefCell<Cached<Challenges>>,
    sni: &OnceCell<Box<str>>,
    scratch: &Rc<Scratch>,
    is_own_check: bool,
) -> Result<Option<Accepted>, Refused> {
    let Hello { asked, octets, mut socket } = hello;
    if let Some(name) = &asked.name {
        sni.get_or_init(|| name.clone());
    }
    let answer = match asked.is_probe {
        true => decision::answer_to(&asked, challenges.borrow_mut().load()),
        false => None,
    };
    if let Some(config) = answer {
        let mut handshake =
            Handshake::new(socket, config, octets, Rc::clone(scratch)).map_err(|error| refused(&error))?;
        poll_fn(|cx| handshake.poll(cx)).await.map_err(|error| refused(&error))?;
        let mut stream = handshake.into_stream().map_err(|error| refused(&error))?;
        // It has seen what it wanted; no request is read (RFC 8737 §3).
        let _ = poll_fn(|cx| stream.poll_shutdown(cx)).await;
        return Ok(None);
    }
    let decided = decision::decide(&asked, index.borrow_mut().load(), policy);
    let Served { choice, by_default, own } = match decided {
        Ok(served) => served,
        Err(reason) => {
            // Best effort: the peer may be gone, and the refusal stands either way.
            let _ = socket.write_all(&alert(reason)).await;
            let _ = socket.shutdown().await;
            return Err(Refused { reason, detail: None });
        }
    };

    let mut pinned = Some(Pinned::new(choice, asked.name));
    let own = own.filter(|_| !is_own_check);
    let config = Arc::clone(own.as_ref().map_or(&policy.config, |own| &own.config));
    let mut handshake = Handshake::new(socket, config, octets, Rc::clone(scratch)).map_err(|error| refused(&error))?;
    poll_fn(|cx| Pinned::lend(&mut pinned, || handshake.poll(cx))).await.map_err(|error| refused(&error))?;

    let session = handshake.agreed();
    let (http2, kind) = (session.alpn_protocol() == Some(H2), kind(session));
    let client_fields = match own.as_ref().filter(|own| own.knows_clients()) {
        Some(own) => introduced(own, session)?,
        None => None,
    };
    let Some(certificate) = pinned.and_then(Pinned::taken) else {
        return Err(Refused { reason: HandshakeFailure::Internal, detail: Some("no certificate was taken".into()) });
    };
    let stream = handshake.into_stream().map_err(|error| refused(&error))?;
    Ok(Some(Accepted { stream, certificate, by_default, http2, kind, own, client_fields }))
}

/// What the shop is told of the client, if it is told anything. A session is resumed without a look at the certificate, which may have
/// ended since it began.
fn introduced(own: &OwnPolicy, session: &CommonState) -> Result<Option<Box<[u8]>>, Refused> {
    let Some(certificate) = session.peer_certificates().and_then(<[_]>::first) else {
        return Ok(own.introduces().then(identity::fields_of_nobody));
    };
    let refused = |detail: &str| Refused { reason: HandshakeFailure::ClientCertificate, detail: Some(detail.into()) };
    let identity = Identity::read(certificate).ok_or_else(|| refused("the client's certificate cannot be read"))?;
    if identity.has_ended(SystemTime::now()) {
        return Err(refused("the client's certificate has expired since its session began"));
    }
    Ok(own.introduces().then(|| identity.fields()))
}

fn kind(session: &CommonState) -> HandshakeKind {
    let tls13 = session.protocol_version() == Some(ProtocolVersion::TLSv1_3);
    match (tls13, session.handshake_kind()) {
        (false, Some(RustlsKind::Resumed)) => HandshakeKind::Resumed12,
        (false, _) => HandshakeKind::Full12,
        (true, Some(RustlsKind::Resumed)) => HandshakeKind::Resumed13,
        (true, Some(RustlsKind::FullWithHelloRetryRequest)) => HandshakeKind::Retried13,
        (true, _) => HandshakeKind::Full13,
    }
}

/// Sorts a failed handshake by who is at fault.
fn refused(error: &io::Error) -> Refused {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let reason = match tls {
        None => HandshakeFailure::Closed,
        Some(rustls::Error::AlertReceived(_)) => HandshakeFailure::PeerAlert,
        Some(rustls::Error::NoCertificatesPresented) => HandshakeFailure::NoClientCertificate,
        Some(rustls::Error::InvalidCertificate(_) | rustls::Error::InvalidCertRevocationList(_)) => {
            HandshakeFailure::ClientCertificate
        }
        Some(rustls::Error::PeerIncompatible(_) | rustls::Error::NoApplicationProtocol) => {
            HandshakeFailure::Incompatible
        }
        Some(
            rustls::Error::InvalidMessage(_)
            | rustls::Error::InappropriateMessage { .. }
            | rustls::Error::PeerSentOversizedRecord,
        ) => HandshakeFailure::NotTls,
        Some(
            rustls::Error::InappropriateHandshakeMessage { .. }
            | rustls::Error::PeerMisbehaved(_)
            | rustls::Error::DecryptError,
        ) => HandshakeFailure::Incompatible,
        Some(_) => HandshakeFailure::Internal,
    };
    Refused { reason, detail: tls.map(ToString::to_string) }
}

/// A fatal alert in the clear, as the peer expects it before keys are agreed on (RFC 8446 §6).
fn alert(reason: HandshakeFailure) -> [u8; 7] {
    let description = match reason {
        HandshakeFailure::NoChallenge => AlertDescription::NoApplicationProtocol,
        _ => AlertDescription::UnrecognisedName,
    };
    [ALERT, 0x03, 0x03, 0x00, 0x02, FATAL, description.into()]
}

/// RFC 8446 §5.1
const ALERT: u8 = 21;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_peer_did_wrong_is_not_called_ours() {
        let reason = |error: rustls::Error| refused(&io::Error::new(io::ErrorKind::InvalidData, error)).reason;
        assert_eq!(reason(rustls::Error::PeerSentOversizedRecord), HandshakeFailure::NotTls);
        assert_eq!(reason(rustls::Error::DecryptError), HandshakeFailure::Incompatible);
        assert_eq!(reason(rustls::Error::FailedToGetRandomBytes), HandshakeFailure::Internal);
        let closed = refused(&io::ErrorKind::UnexpectedEof.into());
        assert_eq!((closed.reason, closed.detail), (HandshakeFailure::Closed, None));
    }
}
