//! One worker's connections in HTTP/2 to one upstream, which requests share.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use tokio::sync::Mutex;

use super::http2::Http2;
use super::http2_stream::Http2Stream;
use super::search::NoLink;
use crate::live::Whereabouts;

/// Those that are open.
#[derive(Default)]
pub(super) struct Sessions {
    open: RefCell<Vec<Rc<Http2>>>,
    /// Held by who opens one, for all that would have to.
    opening: Mutex<()>,
    /// How often none could be opened, and why the last time.
    failures: Cell<(u64, Option<NoLink>)>,
}

impl Sessions {
    /// Lets go of those that lead to where the upstream is no more; their last streams end by themselves.
    pub(super) fn leave(&self, whereabouts: Option<&Whereabouts>) {
        let Some(whereabouts) = whereabouts else { return };
        let is_there = |session: &Rc<Http2>| session.address().is_none_or(|address| whereabouts.is_at(address));
        self.open.borrow_mut().retain(is_there);
    }

    /// A stream of the first that has room, and whether it was used before.
    pub(super) fn stream(&self) -> Option<(Http2Stream, bool)> {
        Some(self.open.borrow().iter().find(|session| session.has_room())?.stream())
    }

    /// The same, with one opened by `open` if there is none. Of those who come together one opens it for all.
    pub(super) async fn stream_or(
        &self,
        open: impl Future<Output = Result<Rc<Http2>, NoLink>>,
    ) -> Result<(Http2Stream, bool), NoLink> {
        let (failures, _) = self.failures.get();
        let _opening = self.opening.lock().await;
        if let Some(stream) = self.stream() {
            return Ok(stream);
        }
        match self.failures.get() {
            // Who waited would find out the same, one after the other.
            (since, Some(failure)) if since != failures => return Err(failure),
            _ => {}
        }
        match open.await {
            Ok(session) => {
                let stream = session.stream();
                let mut all = self.open.borrow_mut();
                all.retain(|session| !session.is_gone());
                all.push(session);
                Ok(stream)
            }
            Err(failure) => {
                self.failures.set((failures + 1, Some(failure)));
                Err(failure)
            }
        }
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.open.borrow().is_empty()
    }

    /// Lets go of those that are gone or were not used for longer than `patience`. Both are in the worker's milliseconds.
    pub(super) fn expire(&self, now: u64, patience: u64) {
        self.open.borrow_mut().retain(|session| session.is_fit(now, patience));
    }

    /// Lets go of up to `number` that are not used; gives how many it were.
    pub(super) fn give_up(&self, number: usize) -> usize {
        let mut left = number;
        self.open.borrow_mut().retain(|session| {
            let goes = left > 0 && session.is_idle();
            left -= usize::from(goes);
            !goes
        });
        number - left
    }
}
