//! Limits that a site or a route has for itself.

use std::time::Duration;

use crate::limits::Limits;

/// What differs from the limits of the edge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnLimits {
    /// A request body in octets; 0: no limit.
    pub body_size: Option<u64>,
    /// No octet of a body moved, either way.
    pub body_idle_timeout: Option<Duration>,
    /// A reader that does not read.
    pub write_stall_timeout: Option<Duration>,
    /// Connecting to an upstream.
    pub upstream_connect_timeout: Option<Duration>,
    /// The request was sent and no response head came.
    pub upstream_response_timeout: Option<Duration>,
}

impl OwnLimits {
    /// What is not said here as `model` has it.
    pub(super) fn inherit(&mut self, model: &Self) {
        self.body_size = self.body_size.or(model.body_size);
        self.body_idle_timeout = self.body_idle_timeout.or(model.body_idle_timeout);
        self.write_stall_timeout = self.write_stall_timeout.or(model.write_stall_timeout);
        self.upstream_connect_timeout = self.upstream_connect_timeout.or(model.upstream_connect_timeout);
        self.upstream_response_timeout = self.upstream_response_timeout.or(model.upstream_response_timeout);
    }

    /// All limits, these among them; `None`: nothing differs.
    pub(super) fn over(&self, edge: &Limits) -> Option<Limits> {
        let limits = Limits {
            body_size: self.body_size.unwrap_or(edge.body_size),
            body_idle_timeout: self.body_idle_timeout.unwrap_or(edge.body_idle_timeout),
            write_stall_timeout: self.write_stall_timeout.unwrap_or(edge.write_stall_timeout),
            upstream_connect_timeout: self.upstream_connect_timeout.unwrap_or(edge.upstream_connect_timeout),
            upstream_response_timeout: self.upstream_response_timeout.unwrap_or(edge.upstream_response_timeout),
            ..edge.clone()
        };
        (limits != *edge).then_some(limits)
    }
}
