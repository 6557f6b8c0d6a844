//! x
mod counters;
pub use counters::Count;
