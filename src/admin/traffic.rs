//! How traffic has gone of late: a ring of samples of what the workers count.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use time::OffsetDateTime;
use tokio::time::{Instant, sleep};

use crate::shutdown::Lifecycle;
use crate::telemetry::{Sample, WorkerCounters};

/// The last minutes, a sample every few seconds. Clones show the same.
#[derive(Clone, Default)]
pub struct Traffic(Arc<Mutex<VecDeque<Taken>>>);

/// A sample, and when it was taken.
struct Taken {
    at: i64,
    moment: Instant,
    sample: Sample,
}

/// What came between two samples.
pub(super) struct Span {
    /// When it ended, seconds since the Unix epoch.
    pub(super) at: i64,
    /// How long it was.
    pub(super) seconds: f64,
    /// What came.
    pub(super) counted: Sample,
}

impl Traffic {
    /// Takes samples until the edge stops; from inside a runtime.
    #[must_use]
    pub fn watch(workers: Arc<[Arc<WorkerCounters>]>, mut lifecycle: Lifecycle) -> Self {
        let traffic = Self::default();
        let own = traffic.clone();
        tokio::spawn(async move {
            let taking = async {
                loop {
                    own.take(&workers);
                    sleep(PAUSE).await;
                }
            };
            tokio::select! {
                () = taking => {}
                () = lifecycle.stopping() => {}
            }
        });
        traffic
    }

    fn take(&self, workers: &[Arc<WorkerCounters>]) {
        let (at, moment, sample) = (OffsetDateTime::now_utc().unix_timestamp(), Instant::now(), Sample::of(workers));
        let mut ring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if ring.len() == KEPT {
            ring.pop_front();
        }
        ring.push_back(Taken { at, moment, sample });
    }

    /// What came in each span between two samples, the newest last.
    pub(super) fn spans(&self) -> Vec<Span> {
        let ring = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let span = |(before, after): (&Taken, &Taken)| Span {
            at: after.at,
            seconds: after.moment.duration_since(before.moment).as_secs_f64(),
            counted: after.sample.since(&before.sample),
        };
        ring.iter().zip(ring.iter().skip(1)).map(span).collect()
    }
}

/// Long enough for a number of requests that says something.
const PAUSE: Duration = Duration::from_secs(5);
/// A quarter of an hour.
const KEPT: usize = 181;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::{Label, Protocol};

    #[tokio::test(start_paused = true)]
    async fn spans_are_as_long_as_they_were_and_old_ones_go() {
        let workers: Arc<[Arc<WorkerCounters>]> = [Arc::default()].into();
        let traffic = Traffic::default();
        for second in 0..200 {
            traffic.take(&workers);
            tokio::time::advance(PAUSE).await;
            if second == 198 {
                workers[0].responses.count(Protocol::ALL[0], 503);
            }
        }
        let spans = traffic.spans();
        let last = spans.last().expect("one");
        assert_eq!((spans.len(), last.seconds), (KEPT - 1, 5.0));
        assert_eq!((last.counted.requests, last.counted.errors), (1, 1));
        assert_eq!(spans[0].counted, Sample::default());
    }
}
