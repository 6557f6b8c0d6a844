//! Whose turn it is when an upstream failed a request, and what is remembered of it.

use std::time::Instant;

use http::StatusCode;

use super::exchange::{Exchange, Upload};
use crate::live::UpstreamGroup;
use crate::proxy::upstream::{Broken, GroupState, Lease, Outgoing, Wanted};
use crate::proxy::worker::{View, Worker};

/// One request's turns with the upstreams of its group.
pub(super) struct Turns<'a> {
    worker: &'a Worker,
    group: Option<(&'a UpstreamGroup, &'a GroupState)>,
    /// How often it may be sent to another.
    left: u32,
    /// When it was sent, where it matters how long the answer takes.
    begun: Option<Instant>,
}

impl<'a> Turns<'a> {
    pub(super) fn new(worker: &'a Worker, view: &'a View, group: usize) -> Self {
        let group = view.group(group).inspect(|(_, state)| state.retries.earn());
        let left = group.filter(|(group, _)| group.members.len() > 1).map_or(0, |(group, _)| group.care.retries);
        Self { worker, group, left, begun: None }
    }

    /// The request is sent to an upstream now. One with a body takes the client's time too, which says nothing of the upstream.
    pub(super) fn begin(&mut self, exchange: &Exchange) {
        let matters = self.group.is_some_and(|(group, _)| group.care.eject_slower_than.is_some());
        self.begun = (matters && exchange.upload.get() == Upload::Done).then(Instant::now);
    }

    /// An upstream answered. Whether its status says that it failed.
    pub(super) fn has_failed(&self, status: StatusCode, lease: &Lease) -> bool {
        let Some((group, _)) = self.group else { return false };
        let has_failed = group.is_failure(status);
        let took = self.begun.map(|begun| begun.elapsed());
        let is_slow = took.zip(group.care.eject_slower_than).is_some_and(|(took, most)| took > most);
        match has_failed || is_slow {
            true => self.worker.upstream_failed(group, lease.place()),
            false => group.succeeded(lease.place()),
        }
        has_failed
    }

    /// An upstream gave no answer, or none that can be read; whether that is its own fault, and not the client's.
    pub(super) fn is_its_fault(&self, broken: Option<Broken>, exchange: &Exchange, lease: &Lease) -> bool {
        let is_the_clients = match (exchange.upload.get(), broken) {
            (Upload::Broken(_) | Upload::TooLarge, _) | (_, Some(Broken::Client | Broken::NoWebSocket)) => true,
            (upload, None) => upload == Upload::FromClient,
            (_, Some(Broken::Closed | Broken::Malformed | Broken::Refused)) => false,
        };
        if let Some((group, _)) = self.group.filter(|_| !is_the_clients) {
            self.worker.upstream_failed(group, lease.place());
        }
        !is_the_clients
    }

    /// The same request for another upstream: if asking twice does no harm (RFC 9110 §9.2.2), all of it is here, and not too many
    /// are sent again.
    pub(super) fn another(&mut self, lease: &Lease) -> Option<(Outgoing, Wanted)> {
        if self.left == 0 {
            return None;
        }
        let request = lease.take_repeatable()?;
        if !self.group.is_some_and(|(_, state)| state.retries.spend()) {
            return None;
        }
        self.left -= 1;
        self.worker.counters.upstream_retries.add(1);
        Some((request.anew(), Wanted::NotFrom(lease.place())))
    }
}
