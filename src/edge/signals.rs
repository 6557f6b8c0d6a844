//! What signals ask of a running edge.

use tokio::sync::Semaphore;

use super::{Edge, Ended, readiness};
use crate::shutdown::{Request, Signals, Stage};

/// Handles signals until one asks to stop, or a worker is lost.
pub(super) async fn mind(edge: &mut Edge) -> Result<(), Ended> {
    let mut is_ready = edge.lifecycle.stage() == Stage::Ready;
    let intake = edge.intake.clone();
    let scanned = async {
        if let Some(intake) = intake {
            intake.first_scan().await;
        }
    };
    let mut scanned = std::pin::pin!(readiness::at_last(scanned, readiness::ask_for));
    loop {
        tokio::select! {
            () = &mut scanned, if !is_ready => {
                edge.become_ready();
                is_ready = true;
            }
            request = edge.signals.next() => match request {
                Request::Stop(signal) => {
                    tracing::info!(signal, "stopping: no new connections, open requests may end");
                    return Ok(());
                }
                Request::Reload => {
                    tracing::info!("SIGHUP: reading configuration and certificates again, opening logs again");
                    edge.reload.notify_one();
                    edge.access_log.reopen();
                    if let Some(intake) = &edge.intake {
                        intake.rescan();
                    }
                }
            },
            () = gone(&edge.ended, 1) => {
                tracing::error!("a worker has ended; the edge stops so that its supervisor starts it anew");
                return Err(Ended::Broken);
            }
        }
    }
}

/// Waits until so many workers have ended.
pub(super) async fn gone(ended: &Semaphore, workers: usize) {
    // The semaphore is never closed.
    let _ = ended.acquire_many(u32::try_from(workers).unwrap_or(u32::MAX)).await;
}

pub(super) async fn second_stop(signals: &mut Signals) {
    while !matches!(signals.next().await, Request::Stop(_)) {}
    tracing::warn!("a second signal: stopping at once");
}
