//! Connections to the shops behind the edge: each worker has its own.

mod connect;
mod link;
mod pool;
mod stream;

pub(super) use link::Link;
pub(super) use pool::{Lease, NoLease, Pools, Tunnel, Wanted};
