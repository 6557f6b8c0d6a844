//! How many requests are open at a server, and who waits for a place there.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use tokio::sync::oneshot;

/// Requests that are open at a server: of all workers, and of all groups that count them.
#[derive(Debug, Default)]
pub struct Load {
    open: AtomicU32,
    /// How many stand in the list.
    awaited: AtomicUsize,
    waiting: Mutex<VecDeque<Waiter>>,
}

/// One request's place at a server. Dropped, it is given to whoever has waited longest.
#[derive(Debug)]
pub struct Place(Arc<Load>);

/// Somebody who waits, in the list of each server that would do.
#[derive(Debug)]
struct Waiter {
    /// What he calls the server.
    name: usize,
    limit: u32,
    hand: Hand,
}

/// Where he gets his place; empty, when he has one or has gone.
type Hand = Arc<Mutex<Option<oneshot::Sender<(usize, Place)>>>>;

impl Load {
    /// How many are open.
    #[inline]
    #[must_use]
    pub fn open(&self) -> u32 {
        self.open.load(Ordering::SeqCst)
    }

    /// How many wait for a place here, or elsewhere.
    #[must_use]
    pub fn awaited(&self) -> usize {
        self.awaited.load(Ordering::SeqCst)
    }

    /// One more, however many there are.
    #[must_use]
    pub fn take(self: &Arc<Self>) -> Place {
        self.open.fetch_add(1, Ordering::SeqCst);
        Place(Arc::clone(self))
    }

    /// One more, if there are fewer than `limit` and nobody waits.
    #[must_use]
    pub fn take_below(self: &Arc<Self>, limit: u32) -> Option<Place> {
        (self.awaited() == 0 && self.claim(limit)).then(|| Place(Arc::clone(self)))
    }

    fn claim(&self, limit: u32) -> bool {
        let more = |open| (open < limit).then_some(open + 1);
        self.open.fetch_update(Ordering::SeqCst, Ordering::SeqCst, more).is_ok()
    }

    /// Gives places that are free to those who wait, in their order.
    fn offer(self: &Arc<Self>) {
        loop {
            let mut waiting = self.list();
            let open = self.open();
            // Groups may have limits of their own: one who may not have it yet does not stand in the way of others.
            let Some(first) = waiting.iter().position(|waiter| open < waiter.limit) else { return };
            if !self.claim(waiting[first].limit) {
                continue;
            }
            let waiter = waiting.remove(first);
            self.awaited.fetch_sub(1, Ordering::SeqCst);
            drop(waiting);
            let hand = waiter.and_then(|waiter| Some((waiter.name, taken(&waiter.hand)?)));
            match hand {
                // Who leaves in this moment drops the place, which goes to the next then.
                Some((name, hand)) => drop(hand.send((name, Place(Arc::clone(self))))),
                None => drop(self.open.fetch_sub(1, Ordering::SeqCst)),
            }
        }
    }

    fn list(&self) -> MutexGuard<'_, VecDeque<Waiter>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn taken(hand: &Hand) -> Option<oneshot::Sender<(usize, Place)>> {
    hand.lock().unwrap_or_else(PoisonError::into_inner).take()
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
        // Who came into the list before sees the place that is free now; who comes after sees him here.
        if self.0.awaited() > 0 {
            self.0.offer();
        }
    }
}

/// How many may wait for a place in one group, and do.
#[derive(Debug)]
pub struct Queue {
    room: u32,
    waiting: AtomicU32,
}

impl Queue {
    pub(super) fn of(room: u32) -> Arc<Self> {
        Arc::new(Self { room, waiting: AtomicU32::new(0) })
    }

    /// Waits for a place below `limit` at one of the servers, each with what it is called; `None`: too many wait already.
    pub(super) fn wait<'l>(
        self: &Arc<Self>,
        loads: impl Iterator<Item = (usize, &'l Arc<Load>)>,
        limit: u32,
    ) -> Option<Waiting> {
        let more = |waiting| (waiting < self.room).then_some(waiting + 1);
        self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        let (sender, given) = oneshot::channel();
        let hand = Arc::new(Mutex::new(Some(sender)));
        let mut stands = Vec::new();
        for (name, load) in loads {
            let mut list = load.list();
            list.push_back(Waiter { name, limit, hand: Arc::clone(&hand) });
            load.awaited.fetch_add(1, Ordering::SeqCst);
            drop(list);
            stands.push(Arc::clone(load));
        }
        let waiting = Waiting { queue: Arc::clone(self), hand, stands, given };
        // A place that became free before he stood in the list was offered to nobody.
        waiting.stands.iter().for_each(Load::offer);
        Some(waiting)
    }
}

/// Somebody who waits for a place. Dropped, he waits no more, and what he was given meanwhile goes to the next.
#[derive(Debug)]
pub struct Waiting {
    queue: Arc<Queue>,
    hand: Hand,
    stands: Vec<Arc<Load>>,
    given: oneshot::Receiver<(usize, Place)>,
}

impl Future for Waiting {
    /// Which server it is, and the place there. `None` never comes, as long as he waits.
    type Output = Option<(usize, Place)>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(ready!(Pin::new(&mut self.given).poll(cx)).ok())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        drop(taken(&self.hand));
        for load in &self.stands {
            let mut list = load.list();
            let before = list.len();
            list.retain(|waiter| !Arc::ptr_eq(&waiter.hand, &self.hand));
            load.awaited.fetch_sub(before - list.len(), Ordering::SeqCst);
        }
        self.queue.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    fn loads<const N: usize>() -> [Arc<Load>; N] {
        std::array::from_fn(|_| Arc::default())
    }

    fn wait(queue: &Arc<Queue>, loads: &[Arc<Load>], limit: u32) -> Option<Waiting> {
        queue.wait(loads.iter().enumerate(), limit)
    }

    /// What somebody has been given.
    fn look(waiting: &mut Waiting) -> Option<(usize, Place)> {
        match Pin::new(waiting).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(given) => Some(given.expect("a place")),
            Poll::Pending => None,
        }
    }

    #[test]
    fn who_waits_longest_gets_the_next_place_and_nobody_goes_before() {
        let ([load], queue) = (loads(), Queue::of(2));
        let held = load.take_below(1).expect("a place");
        assert!(load.take_below(1).is_none());
        let stands = std::slice::from_ref(&load);
        let (mut first, mut second) = (wait(&queue, stands, 1).expect("room"), wait(&queue, stands, 1).expect("room"));
        assert!(wait(&queue, stands, 1).is_none());
        assert!(look(&mut first).is_none());
        drop(held);
        assert!(load.take_below(1).is_none());
        let (name, place) = look(&mut first).expect("a place");
        assert_eq!((name, load.open(), load.awaited()), (0, 1, 1));
        assert!(look(&mut second).is_none());
        drop(place);
        assert!(look(&mut second).is_some());
        assert_eq!((load.open(), load.awaited()), (0, 0));
        drop((first, second));
        assert_eq!(queue.waiting.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn who_leaves_gives_on_what_he_was_given() {
        let ([load], queue) = (loads(), Queue::of(9));
        let stands = std::slice::from_ref(&load);
        let held = load.take_below(1).expect("a place");
        let [mut gone, given, mut last] = [(); 3].map(|()| wait(&queue, stands, 1).expect("room"));
        assert!(look(&mut gone).is_none());
        drop(gone);
        drop(held); // to the second, who leaves without a look
        assert!(look(&mut last).is_none());
        drop(given);
        assert!(look(&mut last).is_some());
        assert_eq!((load.open(), load.awaited()), (0, 0));
    }

    #[test]
    fn whoever_gives_a_place_back_first_serves_who_waits_for_any() {
        let (loads, queue) = (loads::<2>(), Queue::of(9));
        let mut held = loads.each_ref().map(|load| load.take_below(1));
        let [mut first, mut second] = [(); 2].map(|()| wait(&queue, &loads, 1).expect("room"));
        held[1] = None;
        let (name, place) = look(&mut first).expect("a place");
        assert_eq!(name, 1);
        drop(first);
        assert!(look(&mut second).is_none());
        held[0] = None;
        assert_eq!(look(&mut second).map(|(name, _)| name), Some(0));
        drop((place, second));
        assert_eq!(loads.map(|load| (load.open(), load.awaited())), [(0, 0); 2]);
    }

    #[test]
    fn one_with_a_lower_limit_does_not_stand_in_the_way_of_others() {
        let ([load], queue) = (loads(), Queue::of(9));
        let stands = std::slice::from_ref(&load);
        let mut held: Vec<Place> = (0..3).map(|_| load.take()).collect();
        let (mut low, mut high) = (wait(&queue, stands, 2).expect("room"), wait(&queue, stands, 3).expect("room"));
        held.pop();
        let high = look(&mut high).expect("a place");
        held.pop();
        assert!(look(&mut low).is_none());
        drop(high);
        assert!(look(&mut low).is_some());
    }

    #[test]
    fn no_place_is_lost_or_given_twice_whoever_comes_and_goes() {
        let (loads, queue) = (loads::<2>(), Queue::of(100));
        let most = Arc::new(AtomicU32::new(0));
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let (loads, queue, most) = (&loads, &queue, &most);
                scope.spawn(move || {
                    for round in 0..3000 {
                        let load = &loads[(round + thread) % 2];
                        let place = load.take_below(1).or_else(|| {
                            let mut waiting = wait(queue, loads, 1).expect("room");
                            // Every third leaves at once; the others stay until they have a place.
                            if round % 3 == 0 {
                                return look(&mut waiting).map(|(_, place)| place);
                            }
                            loop {
                                if let Some((_, place)) = look(&mut waiting) {
                                    return Some(place);
                                }
                                std::thread::yield_now();
                            }
                        });
                        if let Some(Place(load)) = &place {
                            most.fetch_max(load.open(), Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        assert_eq!(most.load(Ordering::Relaxed), 1);
        assert_eq!(loads.map(|load| (load.open(), load.awaited())), [(0, 0); 2]);
        assert_eq!(queue.waiting.load(Ordering::Relaxed), 0);
    }
}
