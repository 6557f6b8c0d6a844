//! How a server is doing: what requests read at a glance, and what lies behind it.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::Check;
use super::balance::part;

/// How a server is doing. What requests read of it are two atomics, which change with what lies behind the lock.
#[derive(Debug, Default)]
pub struct UpstreamState {
    /// Whether requests cannot simply go there.
    is_barred: AtomicBool,
    /// Failures in a row.
    failures: AtomicU32,
    /// Since when it is there again, in milliseconds of [`now`]; 0: it always was, or for long.
    rising: AtomicU64,
    doing: Mutex<Doing>,
    /// Somebody asks by himself how it is doing.
    is_watched: AtomicBool,
}

/// How a server is doing, in full.
#[derive(Debug, Default)]
pub(super) struct Doing {
    /// Failures in a row.
    pub(super) failures: u32,
    /// Until when it is left alone.
    pub(super) resting: Option<Instant>,
    /// Its rest was over, and one request tries whether it is there again.
    pub(super) is_tried: bool,
    /// How often it was left alone since it answered last.
    pub(super) rests: u32,
    lever: Lever,
    /// Questions of the edge's own in a row that went otherwise than those before.
    turning: u32,
    /// Why it is down.
    down: Option<Box<str>>,
}

impl Doing {
    /// Whether its rest is over, and nothing else keeps requests away.
    fn is_due(&self, now: Instant) -> bool {
        let is_over = self.resting.is_some_and(|until| until <= now);
        is_over && self.lever == Lever::Ready && self.down.is_none()
    }
}

/// What the operator wants of a server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lever {
    /// To do its part.
    #[default]
    Ready,
    /// To get no more requests, unless there is nobody else.
    Draining,
    /// To get none whatever happens.
    Maintenance,
}

impl Lever {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Ready, Self::Draining, Self::Maintenance];

    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Draining => "draining",
            Self::Maintenance => "maintenance",
        }
    }
}

/// Whether requests go to a server, and why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// They do.
    Ready,
    /// It kept failing, and is left alone for so long yet.
    Resting(Duration),
    /// The edge's own questions say so; why.
    Down(Box<str>),
    /// The operator wants it to get no more, unless there is nobody else.
    Draining,
    /// The operator wants it to get none.
    Maintenance,
}

impl Condition {
    /// The word for it.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Resting(_) => "resting",
            Self::Down(_) => "down",
            Self::Draining => "draining",
            Self::Maintenance => "maintenance",
        }
    }
}

impl UpstreamState {
    /// Whether a request may go there. When its rest is over one may, and others when that one was answered: whoever does not answer
    /// would keep many waiting each time.
    #[inline]
    #[must_use]
    pub fn admits(&self) -> bool {
        self.is_open() || self.may_be_tried()
    }

    /// Whether a request may go there as far as can be seen; that it may is for [`Self::admits`] to say, who lets one through.
    #[inline]
    #[must_use]
    pub fn seems_to_admit(&self) -> bool {
        self.is_open() || self.is_due()
    }

    /// Whether requests simply go there.
    #[inline]
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.is_barred.load(Ordering::Relaxed)
    }

    #[cold]
    fn is_due(&self) -> bool {
        self.doing.lock().unwrap_or_else(PoisonError::into_inner).is_due(Instant::now())
    }

    #[cold]
    fn may_be_tried(&self) -> bool {
        self.change(|doing| {
            let now = Instant::now();
            let may = doing.is_due(now);
            if may {
                (doing.resting, doing.is_tried) = (Some(now + TRIAL), true);
            }
            may
        })
    }

    /// Whether those may go on going there who went there before: until it is down, or the operator wants none at all.
    #[inline]
    #[must_use]
    pub fn keeps_clients(&self) -> bool {
        self.is_open() || matches!(self.condition(), Condition::Draining if self.is_sound())
    }

    #[cold]
    fn is_sound(&self) -> bool {
        let doing = self.doing.lock().unwrap_or_else(PoisonError::into_inner);
        doing.down.is_none() && doing.resting.is_none()
    }

    /// Whether a request may go there that nobody else takes.
    #[must_use]
    pub fn is_better_than_nobody(&self) -> bool {
        !matches!(self.condition(), Condition::Ready | Condition::Maintenance)
    }

    /// Whether requests go there, and why not.
    #[must_use]
    pub fn condition(&self) -> Condition {
        if self.is_open() {
            return Condition::Ready;
        }
        let doing = self.doing.lock().unwrap_or_else(PoisonError::into_inner);
        match (doing.lever, &doing.down, doing.resting) {
            (Lever::Maintenance, ..) => Condition::Maintenance,
            (Lever::Draining, ..) => Condition::Draining,
            (Lever::Ready, Some(why), _) => Condition::Down(why.clone()),
            (Lever::Ready, None, Some(until)) => Condition::Resting(until.saturating_duration_since(Instant::now())),
            (Lever::Ready, None, None) => Condition::Ready,
        }
    }

    /// How much of its share it gets, `whole` after it came back being all; `None`: all of it.
    #[inline]
    pub(super) fn risen(&self, whole: Duration) -> Option<u64> {
        let since = self.rising.load(Ordering::Relaxed);
        if since == 0 {
            return None;
        }
        let elapsed = Duration::from_millis(now().saturating_sub(since));
        (elapsed < whole).then(|| part(elapsed, whole))
    }

    /// Failures in a row.
    #[inline]
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures.load(Ordering::Relaxed)
    }

    /// The operator wants it so.
    pub fn pull(&self, lever: Lever) {
        self.change(|doing| doing.lever = lever);
    }

    /// What the edge's own question came to; `Err`: why the answer is not good. Gives whether that made it come or go.
    pub fn answered(&self, check: &Check, answer: Result<(), Box<str>>) -> Option<bool> {
        self.change(|doing| {
            if answer.is_ok() == doing.down.is_none() {
                doing.turning = 0;
                return None;
            }
            doing.turning += 1;
            let needed = if answer.is_ok() { check.healthy_after } else { check.unhealthy_after };
            if doing.turning < needed {
                return None;
            }
            (doing.turning, doing.down) = (0, answer.err());
            let is_there = doing.down.is_none();
            if is_there {
                (doing.failures, doing.rests, doing.resting, doing.is_tried) = (0, 0, None, false);
            }
            Some(is_there)
        })
    }

    /// From now on whoever calls this asks by himself how it is doing. `false`: somebody does already.
    #[must_use]
    pub fn begin_watch(&self) -> bool {
        !self.is_watched.swap(true, Ordering::Relaxed)
    }

    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Doing) -> T) -> T {
        let mut doing = self.doing.lock().unwrap_or_else(PoisonError::into_inner);
        let result = change(&mut doing);
        let is_barred = doing.resting.is_some() || doing.down.is_some() || doing.lever != Lever::Ready;
        self.failures.store(doing.failures, Ordering::Relaxed);
        let was_barred = self.is_barred.load(Ordering::Relaxed);
        if was_barred && !is_barred {
            self.rising.store(now(), Ordering::Relaxed);
        }
        self.is_barred.store(is_barred, Ordering::Relaxed);
        result
    }
}

/// Milliseconds since somebody first asked, from 1 on.
fn now() -> u64 {
    static BEGUN: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(BEGUN.elapsed().as_millis()).unwrap_or(u64::MAX).saturating_add(1)
}

/// A request that tries whether a server is there again has so long before the next one tries.
const TRIAL: Duration = Duration::from_secs(10);
