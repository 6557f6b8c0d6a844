//! The opening handshake of a WebSocket, as clients say it in HTTP/1.1 (RFC 6455 §4.1) and in HTTP/2 (RFC 8441 §5), and as
//! upstreams answer it.

use http::header::{CONTENT_LENGTH, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE};
use http::request::Parts;
use http::{Extensions, HeaderMap, Method, Version};
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::headers;
use super::request_body::RequestBody;
use crate::proxy::http2::{FromClient, Protocol};

/// A handshake that is passed on.
pub(super) struct Handshake {
    /// Of a client that speaks HTTP/2, where a stream is the tunnel and no key is exchanged.
    stream: Option<Connect>,
}

struct Connect {
    /// What the upstream has to prove that it read.
    key: String,
    from_client: FromClient,
}

impl Handshake {
    /// Takes out of the request what the tunnel needs of it: whatever the client sends waits until the upstream has agreed.
    pub(super) fn begin(body: &mut RequestBody) -> Box<Self> {
        let stream = body.take_stream().map(|from_client| Connect { key: generate_key(), from_client });
        Box::new(Self { stream })
    }

    /// The key that goes to the upstream in place of the client's.
    pub(super) fn own_key(&self) -> Option<&str> {
        self.stream.as_ref().map(|connect| connect.key.as_str())
    }

    /// Whether a 101 with these fields agrees (RFC 6455 §4.2.2). Against a key of its own the client checks the value.
    pub(super) fn is_agreed_to(&self, headers: &HeaderMap) -> bool {
        let accept = headers.get(SEC_WEBSOCKET_ACCEPT);
        headers.get(UPGRADE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
            && match &self.stream {
                None => accept.is_some(),
                Some(connect) => accept.is_some_and(|accept| *accept == derive_accept_key(connect.key.as_bytes())),
            }
    }

    /// The client's side of a tunnel over HTTP/2; `None`: the whole connection is it.
    pub(super) fn into_stream(self) -> Option<FromClient> {
        self.stream.map(|connect| connect.from_client)
    }
}

/// Whether a request that has passed the gate is a handshake.
pub(super) fn is_handshake(head: &Parts) -> bool {
    if head.version == Version::HTTP_2 {
        return head.method == Method::CONNECT;
    }
    let mut upgrades = head.headers.get_all(UPGRADE).iter();
    let mut keys = head.headers.get_all(SEC_WEBSOCKET_KEY).iter();
    head.method == Method::GET
        && head.version == Version::HTTP_11
        && upgrades.next().is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
        && upgrades.next().is_none()
        && headers::nominates(&head.headers, "upgrade")
        && keys.next().is_some()
        && keys.next().is_none()
}

/// What a CONNECT over HTTP/2 asks for, if it is one that names a protocol (RFC 8441 §4).
pub(super) fn protocol_of(extensions: &Extensions) -> Option<&str> {
    extensions.get::<Protocol>().map(Protocol::as_str)
}

/// Whether a CONNECT over HTTP/2 may be passed on as a handshake: it has no content (RFC 9110 §9.3.6), which a length would
/// promise the upstream, and its stream goes on.
pub(super) fn is_sound(head: &Parts, goes_on: bool) -> bool {
    goes_on && !head.headers.contains_key(CONTENT_LENGTH)
}

/// The one protocol that is carried.
pub(super) const WEBSOCKET: &str = "websocket";
