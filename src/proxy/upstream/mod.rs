//! Connections to the shops behind the edge: each worker has its own.

mod choice;
mod connect;
mod group_state;
mod http2;
mod http2_head;
mod http2_stream;
mod introduction;
mod lease;
mod link;
mod octets;
mod pool;
mod queue;
mod request;
mod response;
mod retries;
mod search;
mod sessions;
mod stream;
mod transport;
mod wire;

pub(super) use choice::Asked;
pub(super) use group_state::GroupState;
pub(super) use introduction::Introduction;
pub(super) use lease::{Far, Lease, Tunnel};
pub(super) use link::Broken;
pub(super) use pool::{NoLease, Pools, Wanted};
pub(super) use request::{BodyFraming, Outgoing, write_field};
pub(super) use response::Head;
pub use transport::{Transport, Unconnected};
pub(super) use wire::Wire;
