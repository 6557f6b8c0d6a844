//! Connections to the shops behind the edge: each worker has its own.

mod choice;
mod chunked;
mod connect;
mod framing;
mod introduction;
mod link;
mod pool;
mod queue;
mod request;
mod response;
mod retries;
mod stream;
mod transport;

pub(super) use choice::{Asked, Rota};
pub(super) use introduction::Introduction;
pub(super) use link::{Broken, Link};
pub(super) use pool::{Lease, NoLease, Pools, Tunnel, Wanted};
pub(super) use request::{BodyFraming, Outgoing, write_field};
pub(super) use response::Head;
pub(super) use retries::RetryBudget;
pub use transport::{Transport, Unconnected};
