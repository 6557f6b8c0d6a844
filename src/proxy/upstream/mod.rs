//! Connections to the shops behind the edge: each worker has its own.

mod choice;
mod chunked;
mod connect;
mod framing;
mod http2;
mod http2_head;
mod http2_stream;
mod introduction;
mod lease;
mod link;
mod pool;
mod queue;
mod request;
mod response;
mod retries;
mod sessions;
mod stream;
mod transport;
mod wire;

pub(super) use choice::{Asked, Rota};
pub(super) use introduction::Introduction;
pub(super) use lease::{Lease, Tunnel};
pub(super) use link::Broken;
pub(super) use pool::{NoLease, Pools, Wanted};
pub(super) use request::{BodyFraming, Outgoing, write_field};
pub(super) use response::Head;
pub(super) use retries::RetryBudget;
pub use transport::{Transport, Unconnected};
pub(super) use wire::Wire;
