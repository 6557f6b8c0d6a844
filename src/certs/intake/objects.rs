//! What sites have to show, as the operator brings it and takes it away.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::{Desk, IntakeHandle, Order};
use crate::certs::ledger::{Alarm, Ledger};
use crate::certs::objects::{NewContent, NewObject, NotKept, Object, raised};
use crate::certs::shelf::Moment;
use crate::certs::terms::Terms;

type Reply = oneshot::Sender<Result<Object, NotKept>>;

/// What is to be done with an object.
pub(super) enum Errand {
    Add(NewObject, Reply),
    GoBack(String, u32, Reply),
    Remove(String, Reply),
}

impl IntakeHandle {
    /// Keeps a new version of an object and has its sites show it.
    ///
    /// # Errors
    /// [`NotKept`], and nothing has changed.
    pub async fn add_object(&self, new: NewObject) -> Result<Object, NotKept> {
        self.object(|reply| Errand::Add(new, reply)).await
    }

    /// Has a version of an object shown that was kept before.
    ///
    /// # Errors
    /// [`NotKept`], and nothing has changed.
    pub async fn object_back_to(&self, id: String, version: u32) -> Result<Object, NotKept> {
        self.object(|reply| Errand::GoBack(id, version, reply)).await
    }

    /// Takes an object away with all its versions, and gives what it was.
    ///
    /// # Errors
    /// [`NotKept`], and nothing has changed.
    pub async fn remove_object(&self, id: String) -> Result<Object, NotKept> {
        self.object(|reply| Errand::Remove(id, reply)).await
    }

    async fn object(&self, errand: impl FnOnce(Reply) -> Errand) -> Result<Object, NotKept> {
        self.order(|reply| Order::Object(errand(reply))).await.unwrap_or(Err(NotKept::Stopping))
    }
}

impl Desk {
    /// Does it, shows what there is now, then answers.
    pub(super) fn attend(&mut self, errand: Errand, now: Moment) {
        let terms = self.terms.borrow().clone();
        let dropped = match &errand {
            Errand::Add(..) => None,
            Errand::GoBack(id, ..) | Errand::Remove(id, _) => self.objects.dropped_file(id),
        };
        let request = match &errand {
            Errand::Add(NewObject { what: NewContent::Certificate(own), .. }, _) => self.requests.of_key(&own.key),
            _ => None,
        };
        let kept = self.objects.kept();
        let (done, reply) = match (errand, dropped) {
            (Errand::Add(new, reply), _) => (
                request.map_or_else(|| kept.add(new, &terms.sites, now.unix), |id| Err(NotKept::ForRequest(id))),
                reply,
            ),
            (Errand::GoBack(_, _, reply) | Errand::Remove(_, reply), Some(file)) => {
                (Err(NotKept::Dropped(file)), reply)
            }
            (Errand::GoBack(id, version, reply), None) => {
                (kept.go_back_to(&id, version, &terms.sites, now.unix), reply)
            }
            (Errand::Remove(id, reply), None) => (kept.remove(&id), reply),
        };
        if let Some(table) = self.objects.shown_anew(&terms.sites) {
            self.well_known.publish(table);
        }
        let mut ledger = Ledger::clone(&self.ledger.current());
        self.enter(&mut ledger, &terms);
        self.ledger.publish(ledger);
        let _ = reply.send(done);
    }

    /// What to say of all that is kept, does not serve and ends soon.
    pub(super) fn tell_endings(&mut self, now: Moment) -> Vec<Alarm> {
        let requested = self.requests.endings();
        let raised = raised(self.objects.kept().endings().chain(requested), now.unix);
        self.endings.raise(raised, now.unix);
        self.endings.listed()
    }

    /// Tells what was decided and what there is besides certificates.
    pub(super) fn enter(&mut self, ledger: &mut Ledger, terms: &Arc<Terms>) {
        (ledger.choices, ledger.minimums) = (self.choices.all(), self.choices.minimums());
        ledger.objects = self.objects.listed(terms);
    }
}
