//! When the edge is ready, and keeping the service manager patient until then.

use std::time::Duration;

use sd_notify::NotifyState;

/// Tells systemd, if it wants to know.
pub(super) fn notify(state: NotifyState<'_>) {
    // Without NOTIFY_SOCKET nothing is sent; a broken socket is systemd's to notice.
    let _ = sd_notify::notify(&[state]);
}

/// Gives the first scan of the certificates a moment. True: it has ended.
pub(super) async fn soon(scanned: impl Future<Output = ()>) -> bool {
    let is_soon = tokio::time::timeout(SOON, scanned).await.is_ok();
    if !is_soon {
        tracing::warn!(
            "the first scan of the certificates takes long; serving begins, and the edge is ready when it ends"
        );
    }
    is_soon
}

/// Waits for the first scan to its end. Whoever waits for the edge is asked for more time, again and again.
pub(super) async fn at_last(scanned: impl Future<Output = ()>, mut ask_for: impl FnMut(Duration)) {
    tokio::pin!(scanned);
    loop {
        ask_for(MORE_TIME);
        if tokio::time::timeout(MORE_TIME / 3, &mut scanned).await.is_ok() {
            return;
        }
    }
}

/// `EXTEND_TIMEOUT_USEC` of sd_notify(3).
pub(super) fn ask_for(more: Duration) {
    notify(NotifyState::ExtendTimeoutUsec(u32::try_from(more.as_micros()).unwrap_or(u32::MAX)));
}

/// A folder on a network file system may hang; the names that are known by then are served.
const SOON: Duration = Duration::from_secs(10);
/// Asked for at thirds, so that one message may be late.
const MORE_TIME: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use tokio::time::{Instant, sleep};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_scan_that_ends_soon_is_waited_for_and_a_long_one_is_not() {
        assert!(soon(sleep(Duration::from_secs(9))).await);
        let begun = Instant::now();
        assert!(!soon(sleep(Duration::from_secs(11))).await);
        assert_eq!(begun.elapsed(), SOON);
    }

    #[tokio::test(start_paused = true)]
    async fn more_time_is_asked_for_until_the_scan_has_ended() {
        let begun = Instant::now();
        let mut asked = Vec::new();
        at_last(sleep(Duration::from_secs(50)), |more| asked.push((begun.elapsed().as_secs(), more))).await;
        assert_eq!(asked, [0, 20, 40].map(|at| (at, MORE_TIME)));
        assert_eq!(begun.elapsed().as_secs(), 50);
    }
}
