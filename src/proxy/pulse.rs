//! Whether an HTTP/2 peer is still there: one that has not been heard for a while is asked, and has to be heard again soon.

use std::task::{Context, Poll};
use std::time::Duration;

use crate::proxy::alarm::{Alarm, Alarms};

/// The pulse of one connection. It costs a look at the worker's clock for each read, and wakes a connection that is in use
/// every [`INTERVAL`] to look at the time of the last.
pub(super) struct Pulse {
    alarm: Alarm,
    /// The peer has been asked and not been heard since.
    asked: bool,
}

impl Pulse {
    pub(super) fn new(alarms: &Alarms) -> Self {
        Self { alarm: alarms.alarm(), asked: false }
    }

    /// HTTP/2 is spoken from now on; the peer has been silent for so long.
    pub(super) fn begin(&self, silence: Duration) {
        self.alarm.set(INTERVAL.saturating_sub(silence));
    }

    /// Ready, once: the peer has vanished. `silence` is for how long it has been silent, and `ask` asks it for a sign.
    pub(super) fn poll(&mut self, silence: impl Fn() -> Duration, mut ask: impl FnMut(), cx: &Context<'_>) -> Poll<()> {
        while self.alarm.poll(cx).is_ready() {
            match next(self.asked, silence()) {
                Next::Wait(patience) => {
                    self.asked = false;
                    self.alarm.set(patience);
                }
                Next::Ask => {
                    self.asked = true;
                    self.alarm.set(TIMEOUT);
                    ask();
                }
                Next::GiveUp => {
                    self.alarm.clear();
                    return Poll::Ready(());
                }
            }
        }
        Poll::Pending
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Next {
    Wait(Duration),
    Ask,
    GiveUp,
}

/// What is done with a peer that has been silent for so long.
fn next(asked: bool, silence: Duration) -> Next {
    match INTERVAL.checked_sub(silence) {
        Some(left) if !left.is_zero() => Next::Wait(left),
        _ if asked => Next::GiveUp,
        _ => Next::Ask,
    }
}

/// A vanished peer is found within 40 s.
const INTERVAL: Duration = Duration::from_secs(30);
const TIMEOUT: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_that_is_heard_is_never_asked() {
        for asked in [false, true] {
            assert_eq!(next(asked, Duration::ZERO), Next::Wait(INTERVAL));
            assert_eq!(next(asked, Duration::from_secs(29)), Next::Wait(Duration::from_secs(1)));
        }
    }

    #[test]
    fn a_silent_peer_is_asked_once_and_then_given_up() {
        assert_eq!(next(false, INTERVAL), Next::Ask);
        assert_eq!(next(true, INTERVAL + TIMEOUT), Next::GiveUp);
    }
}
