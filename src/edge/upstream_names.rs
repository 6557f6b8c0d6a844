//! Where the names of upstreams lead, looked for again and again: as long as the DNS says that it holds, and when a file that
//! decides has changed.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::time::sleep;

use crate::folder_watch::FolderWatch;
use crate::live::{Finder, Live, RouteTable};
use crate::outbound::HostNames;

/// Looks for every name that a table has, until the edge ends.
pub(super) async fn run(routes: Live<RouteTable>) {
    let states = routes.load().states.clone();
    let looking = Arc::new(Looking { names: HostNames::system(), routes, together: Semaphore::new(MOST_TOGETHER) });
    let changes = watch::Sender::new(());
    let mut watching = None;
    loop {
        let finders = states.finders().await;
        // Who has no names to look for watches nothing.
        watching.get_or_insert_with(|| tokio::spawn(tell(FolderWatch::new(looking.names.files()), changes.clone())));
        for finder in finders {
            tokio::spawn(find(finder, Arc::clone(&looking), changes.subscribe()));
        }
    }
}

/// What all share who look.
struct Looking {
    names: HostNames,
    routes: Live<RouteTable>,
    together: Semaphore,
}

/// Tells when a file that decides may have changed.
async fn tell(mut files: FolderWatch, changes: watch::Sender<()>) {
    loop {
        files.changed().await;
        changes.send_replace(());
    }
}

/// Looks for one name, as long as somebody wants to know.
async fn find(mut finder: Finder, looking: Arc<Looking>, mut changes: watch::Receiver<()>) {
    let mut retry = SOONEST;
    while !finder.is_idle() {
        changes.mark_unchanged();
        let servers = looking.routes.load().resolvers.clone();
        // It is never closed.
        let place = looking.together.acquire().await;
        let located = looking.names.look_up(finder.host(), &servers).await;
        drop(place);
        let wait = match located {
            Ok(located) => {
                let mut addresses = located.addresses;
                if !located.is_whole {
                    // Nobody said that those of the other kind are there no more.
                    let known = finder.current();
                    let is_missing = |kind: bool| !addresses.iter().any(|address| address.is_ipv4() == kind);
                    let missing = [true, false].map(is_missing);
                    let kept = known.iter().filter(|address| missing[usize::from(!address.is_ipv4())]);
                    addresses.extend(kept.copied());
                }
                let now = format!("{addresses:?}");
                match finder.found(addresses) {
                    Some(before) if before.is_empty() => {
                        tracing::info!(host = finder.host(), addresses = now, "the name of an upstream was found");
                    }
                    Some(before) => {
                        let before = format!("{before:?}");
                        tracing::info!(host = finder.host(), addresses = now, before, "an upstream has moved");
                    }
                    None => {}
                }
                retry = SOONEST;
                located.holds.clamp(SOONEST, LATEST)
            }
            Err(why) => {
                let why = why.to_string();
                if finder.missed(&why) {
                    let known = format!("{:?}", finder.current());
                    tracing::warn!(
                        host = finder.host(),
                        why,
                        known,
                        "the name of an upstream is not found; what is known of it holds on"
                    );
                }
                let wait = retry;
                retry = (2 * retry).min(LONGEST_RETRY);
                wait
            }
        };
        tokio::select! {
            () = sleep(wait) => {}
            Ok(()) = changes.changed() => {}
        }
    }
}

/// A name is not asked for more often, whatever the DNS says.
const SOONEST: Duration = Duration::from_secs(1);
/// A name is asked for again after this time, whatever the DNS says: operators slip.
const LATEST: Duration = Duration::from_secs(3600);
/// A name that is not found is asked for again after this time at the latest.
const LONGEST_RETRY: Duration = Duration::from_secs(15);
/// Names that are asked for at a time.
const MOST_TOGETHER: usize = 64;
