//! Deadlines of one worker: thousands of them for the price of one timer.
//!
//! A deadline on the hot path nearly never passes; what counts is that setting it is cheap. An [`Alarm`] is a place in a
//! table; setting it stores one number. The worker looks through the table a few times a second, while anything is in it,
//! and wakes the owners of what has passed. A deadline is never early, and late by two [`TICK`]s at most: one that makes up
//! for a clock that may lag, and one because it may pass just after a look.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use pin_project_lite::pin_project;
use tokio::sync::Notify;

/// The table of one worker's deadlines.
#[derive(Clone)]
pub(super) struct Alarms(Rc<Table>);

struct Table {
    started: Instant,
    /// Milliseconds since `started`, as of the last tick: good enough for deadlines, and free to read.
    now: Cell<u64>,
    places: RefCell<Vec<Place>>,
    free: RefCell<Vec<u32>>,
    in_use: Cell<usize>,
    first: Notify,
}

#[derive(Default)]
struct Place {
    deadline: u64,
    waker: Option<Waker>,
}

impl Alarms {
    pub(super) fn new() -> Self {
        Self(Rc::new(Table {
            started: Instant::now(),
            now: Cell::new(0),
            places: RefCell::new(Vec::new()),
            free: RefCell::new(Vec::new()),
            in_use: Cell::new(0),
            first: Notify::new(),
        }))
    }

    /// A new alarm, not set.
    pub(super) fn alarm(&self) -> Alarm {
        let table = &self.0;
        if table.in_use.replace(table.in_use.get() + 1) == 0 {
            self.read_clock();
            table.first.notify_one();
        }
        let place = table.free.borrow_mut().pop().unwrap_or_else(|| {
            let mut places = table.places.borrow_mut();
            places.push(Place { deadline: NEVER, waker: None });
            // 2^32 places would be 100 GiB of table; the connection limit is far below.
            u32::try_from(places.len() - 1).unwrap_or(u32::MAX)
        });
        Alarm { table: Rc::clone(table), place: place as usize }
    }

    /// Milliseconds since the worker began, as of the last tick. While no alarm is in use there are no ticks.
    pub(super) fn now(&self) -> u64 {
        self.0.now.get()
    }

    /// Milliseconds since the worker began, exactly.
    pub(super) fn read_clock(&self) -> u64 {
        self.0.now.set(self.elapsed());
        self.now()
    }

    /// Wakes every owner once, so that each looks at what has changed for all of them.
    pub(super) fn wake_all(&self) {
        let wakers: Vec<Waker> = self.0.places.borrow().iter().filter_map(|place| place.waker.clone()).collect();
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Looks for deadlines that have passed, as long as it is polled.
    pub(super) async fn run(&self) {
        loop {
            if self.0.in_use.get() == 0 {
                self.0.first.notified().await;
            }
            tokio::time::sleep(TICK).await;
            self.tick();
        }
    }

    fn tick(&self) {
        let now = self.read_clock();
        let mut due = Vec::new();
        for place in self.0.places.borrow_mut().iter_mut() {
            if place.deadline <= now {
                due.extend(place.waker.take());
            }
        }
        due.into_iter().for_each(Waker::wake);
    }

    fn elapsed(&self) -> u64 {
        milliseconds(self.0.started.elapsed())
    }
}

/// One deadline, set and cleared at will.
pub(super) struct Alarm {
    table: Rc<Table>,
    place: usize,
}

impl Alarm {
    /// Sets the deadline to `patience` from now, whatever it was.
    pub(super) fn set(&self, patience: Duration) {
        // `now` lags by up to a tick; the tick on top keeps the deadline from being early.
        let deadline = self.table.now.get().saturating_add(milliseconds(patience)).saturating_add(milliseconds(TICK));
        self.table.places.borrow_mut()[self.place].deadline = deadline;
    }

    /// Takes the deadline back.
    pub(super) fn clear(&self) {
        self.table.places.borrow_mut()[self.place].deadline = NEVER;
    }

    /// Ready once the deadline has passed, and as long as it is not set anew or cleared.
    pub(super) fn poll(&self, cx: &Context<'_>) -> Poll<()> {
        let place = &mut self.table.places.borrow_mut()[self.place];
        if place.deadline <= self.table.now.get() {
            return Poll::Ready(());
        }
        match &mut place.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    /// Runs `work` until it ends or the deadline passes, which is `None`.
    pub(super) fn guard<F: Future>(&self, work: F) -> Guarded<'_, F> {
        Guarded { alarm: self, work }
    }
}

pin_project! {
    /// Work under a deadline. A type of its own, because an async function would hold the work twice: as its argument and
    /// where it is pinned.
    pub(super) struct Guarded<'a, F> {
        alarm: &'a Alarm,
        #[pin]
        work: F,
    }
}

impl<F: Future> Future for Guarded<'_, F> {
    type Output = Option<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        match this.work.poll(cx) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => this.alarm.poll(cx).map(|()| None),
        }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        self.table.places.borrow_mut()[self.place] = Place { deadline: NEVER, waker: None };
        self.table.free.borrow_mut().push(u32::try_from(self.place).unwrap_or(u32::MAX));
        self.table.in_use.set(self.table.in_use.get() - 1);
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(NEVER)
}

/// Fine enough for a timeout of a second, coarse enough to cost nothing: a table of 10,000 is looked through in 30 µs.
const TICK: Duration = Duration::from_millis(100);
const NEVER: u64 = u64::MAX;

#[cfg(test)]
mod tests {
    use super::*;

    fn with_alarms<T>(test: impl AsyncFnOnce(Alarms) -> T) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        runtime.block_on(async {
            let alarms = Alarms::new();
            tokio::select! {
                result = test(alarms.clone()) => result,
                () = alarms.run() => unreachable!("it runs for ever"),
            }
        })
    }

    #[test]
    fn a_deadline_ends_what_takes_too_long() {
        with_alarms(async |alarms| {
            let alarm = alarms.alarm();
            let begin = Instant::now();
            alarm.set(Duration::from_millis(150));
            assert_eq!(alarm.guard(std::future::pending::<()>()).await, None);
            assert!(begin.elapsed() >= Duration::from_millis(150), "never early");
        });
    }

    #[test]
    fn what_ends_in_time_is_not_disturbed() {
        with_alarms(async |alarms| {
            let alarm = alarms.alarm();
            alarm.set(Duration::from_secs(5));
            assert_eq!(alarm.guard(async { 7 }).await, Some(7));
        });
    }

    #[test]
    fn a_cleared_alarm_stays_silent_and_its_place_is_used_again() {
        with_alarms(async |alarms| {
            let first = alarms.alarm();
            first.set(Duration::ZERO);
            first.clear();
            assert!(first.poll(&Context::from_waker(Waker::noop())).is_pending());
            drop(first);
            let second = alarms.alarm();
            assert_eq!(second.place, 0);
            assert!(second.poll(&Context::from_waker(Waker::noop())).is_pending());
        });
    }
}
