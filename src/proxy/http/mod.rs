//! HTTP on the way in, one file per step: serve, gate, plan, policy, headers, forward.

mod balance;
mod body;
mod client;
mod compression;
mod date;
mod errors;
mod exchange;
mod forward;
mod gate;
mod headers;
mod plan;
mod policy;
mod request_body;
mod request_head;
mod respond;
mod serve;
mod tunnel;
mod turns;
mod websocket;

pub(super) use body::ClientBody;
pub(super) use exchange::Exchange;
pub(super) use serve::serve;
pub use serve::{ReadRequests, read_requests};
