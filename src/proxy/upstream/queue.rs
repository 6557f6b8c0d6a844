//! Requests that wait until an upstream may have one more.

use tokio::time::timeout;

use super::pool::NoLease;
use crate::live::{Place, UpstreamGroup};
use crate::proxy::worker::Worker;
use crate::telemetry::Count;

/// Waits for a place at one of these upstreams, all of which are full, and gives which it is. Whoever stops waiting leaves the queue.
pub(super) async fn wait(worker: &Worker, group: &UpstreamGroup, full: &[usize]) -> Result<(usize, Place), NoLease> {
    let (Some(limit), Some(waiting)) = (&group.balance.limit, group.wait(full)) else {
        return Err(NoLease::QueueFull);
    };
    let _counted = Counted::new(&worker.counters.upstream_queue);
    let given = timeout(limit.patience, waiting).await.ok().flatten();
    given.ok_or(NoLease::QueueTimeout { patience: limit.patience })
}

/// One more, until it is dropped.
struct Counted<'a>(&'a Count);

impl<'a> Counted<'a> {
    fn new(count: &'a Count) -> Self {
        count.add(1);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.sub(1);
    }
}
