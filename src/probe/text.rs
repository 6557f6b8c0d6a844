//! What was seen, as Prometheus reads it.

use std::time::Duration;

use super::Sight;
use crate::telemetry::{ProbeFacts, ProbedHost, render_probe};

/// A page for the textfile collector of a run that ended at `ended`, seconds since the Unix epoch, and took so long.
#[must_use]
pub fn prometheus(sights: &[Sight], ended: i64, took: Duration) -> String {
    let hosts = sights.iter().map(probed).collect();
    render_probe(&ProbeFacts { hosts, ended, seconds: took.as_secs_f64() })
}

fn probed(sight: &Sight) -> ProbedHost<'_> {
    ProbedHost {
        host: &sight.name,
        address: sight.address.map(|address| address.to_string()).unwrap_or_default(),
        key_type: sight.offer.label(),
        not_after: sight.appearance.as_ref().map(|seen| seen.not_after),
        faults: sight.faults.iter().map(|fault| fault.code.word()).collect(),
    }
}
