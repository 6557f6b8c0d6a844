//! Every metric and the logs: what is counted, what it is called, how it is written.

mod counters;
mod labels;

pub use counters::{BUCKETS, Count, Counts, Histogram, ResponseCounts, SiteCounts, WorkerCounters};
pub use labels::{
    AcceptTrouble, GateRule, HandshakeFailure, HandshakeKind, Label, LocalAnswer, Protocol, Shed, StatusClass,
    UpstreamFailure,
};
