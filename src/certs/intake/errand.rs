//! What each look is for: everything, the files that events named, or nothing but to write down what serves.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::{Desk, Order};
use crate::certs::shelf::Moment;
use crate::certs::terms::Terms;
use crate::folder_watch::{FolderWatch, Why};

/// What a look is for.
pub(super) enum Errand {
    Everything,
    /// What may have changed.
    Named(BTreeSet<PathBuf>),
    /// No look at any file: more is to be written down.
    Keeping,
}

/// What the next look by itself is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    Everything,
    /// What has been named until then.
    Named,
    Keeping,
}

impl Errand {
    /// `None`: nobody knows what changed.
    fn of(named: Option<BTreeSet<PathBuf>>) -> Self {
        named.map_or(Self::Everything, Self::Named)
    }
}

/// Looks whenever there is something to look for, until the last handle is dropped.
pub(super) async fn run(
    desk: Desk,
    folders: Vec<PathBuf>,
    mut orders: mpsc::Receiver<Order>,
    looks: watch::Sender<u64>,
    mut frozen: watch::Receiver<bool>,
) {
    // Watch first, then look: what changes in between is looked at again.
    let Ok(mut watch) = tokio::task::spawn_blocking(move || FolderWatch::new(folders)).await else { return };
    let mut terms = desk.terms.clone();
    let (mut desk, mut order, mut errand) = (desk, None, Errand::Everything);
    loop {
        let (degraded, todo) = (watch.is_degraded(), order.take());
        if degraded && matches!(errand, Errand::Named(_)) {
            errand = Errand::Everything;
        }
        if matches!(errand, Errand::Everything) {
            // Whatever was named, and all that a new watch cannot name, is looked at with it.
            drop(watch.named());
        }
        let reading = watch.reading();
        let looked = tokio::task::spawn_blocking(move || {
            let next = desk.survive(|desk| {
                if let Some(order) = todo {
                    desk.obey(order);
                }
                desk.look(&errand, degraded)
            });
            drop(reading);
            (desk, next)
        });
        let Ok((returned, next)) = looked.await else { return };
        desk = returned;
        if let Some(places) = desk.places.take() {
            watch.watch_also(places).await;
        }
        looks.send_modify(|ended| *ended += 1);

        let is_frozen = *frozen.borrow_and_update();
        let pause = if is_frozen { FROZEN_PAUSE } else { SHORTEST_PAUSE };
        let next = next.map(|next| next.max(Instant::now() + pause));
        tokio::select! {
            // What came and went meanwhile is looked at when it is over.
            Ok(()) = frozen.changed() => (errand, desk.is_told) = (Errand::Everything, false),
            why = watch.changed(), if !is_frozen => {
                tracing::debug!(why = why.label(), "looks at the drop folder");
                errand = Errand::of(watch.named().filter(|_| why == Why::Event));
                desk.is_told = matches!(errand, Errand::Named(_));
            }
            () = another(&mut terms), if !is_frozen => {
                (errand, desk.is_told) = (Errand::Everything, false);
            }
            () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {
                errand = match desk.due {
                    Due::Everything => Errand::Everything,
                    Due::Named => Errand::of(watch.named()),
                    Due::Keeping => Errand::Keeping,
                };
            }
            received = orders.recv() => match received {
                None => return,
                Some(received) => {
                    let looks_anywhere = matches!(received, Order::Look | Order::Confirm(..));
                    errand = if looks_anywhere { Errand::Everything } else { Errand::of(watch.named()) };
                    desk.is_told &= !looks_anywhere;
                    order = Some(received);
                }
            },
        }
        if *frozen.borrow() {
            errand = Errand::Keeping;
        }
    }
}

/// Waits until other terms hold. Whoever sets no others any more has ended, or never will.
async fn another(terms: &mut watch::Receiver<Arc<Terms>>) {
    if terms.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

impl Desk {
    /// When to look again by itself, and what for. What the system does not tell of is only found by looking at everything. If it
    /// told of what has just come, it will tell of what goes with that; but nothing goes out of service before everything was
    /// looked at.
    pub(super) fn next(&mut self, keep_again: Option<Instant>, now: Moment) -> Option<Instant> {
        let next = self.shelf.next_look().into_iter().chain(self.next_renewal(now)).min();
        self.due = match keep_again {
            Some(again) if next.is_none_or(|next| again < next) => Due::Keeping,
            _ if self.is_told && next == self.shelf.next_rest() => Due::Named,
            _ => Due::Everything,
        };
        next.into_iter().chain(keep_again).min()
    }
}

/// What came before may still have to be written down.
const FROZEN_PAUSE: Duration = Duration::from_secs(1);
/// No chain of deadlines makes a busy loop.
const SHORTEST_PAUSE: Duration = Duration::from_millis(50);
