//! Connections to the shops behind the edge: each worker has its own.

mod connect;
mod pool;

pub(super) use pool::{Lease, Pools, Tunnel, Wanted};
