//! TLS on the way in: what a hello asks for, which certificate answers, and the handshake; and on the way out, in `upstream`.

mod await_hello;
mod client_hello;
mod decision;
mod handshake;
mod identity;
mod key_schedule;
mod own_policy;
mod policy;
mod post_handshake;
mod records;
mod resolver;
mod scratch;
mod sealer;
mod shaking;
mod slices;
mod stream;
mod tickets;
mod tls_stream;
mod upstream;
mod wire;

pub use client_hello::Asked;
pub(super) use handshake::{Accepted, Refused, accept};
pub(super) use own_policy::OwnPolicy;
pub use policy::{TlsPolicy, TlsPolicyError, UnknownName};
pub(super) use scratch::Scratch;
pub(super) use stream::Stream;
pub use tickets::rotate_ticket_keys;
pub use upstream::UpstreamClient;
pub(super) use upstream::{agrees_to_http2, secure};
