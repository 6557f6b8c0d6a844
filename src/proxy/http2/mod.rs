//! HTTP/2 with clients (RFC 9113), without a socket in sight: octets go in, requests come out, and answers make octets that go out.
//!
//! One [`Session`] is one connection. Whoever has the socket feeds and empties it; whoever answers has the two halves of a stream,
//! [`FromClient`] and [`ToClient`]. All of it lives on one thread. A session that rests holds the fields that its client has had remembered
//! (4 KiB at most) and no buffer.

mod blocks;
mod dry_run;
mod frame;
mod handles;
mod head;
mod hpack;
mod octets;
mod out;
mod receive;
mod send;
mod session;
mod settings;
mod stream;
#[cfg(test)]
mod tests;

pub use dry_run::{ReadStreams, read_streams};
pub(super) use frame::Reason;
pub(super) use handles::{FromClient, GivenUp, ToClient};
pub(super) use head::Protocol;
pub(super) use octets::Octets;
pub(super) use out::Spare;
pub(super) use session::Session;
pub(super) use settings::Limits;
