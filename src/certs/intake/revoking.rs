//! What authorities take back.

use tokio::sync::oneshot;

use super::{Desk, IntakeHandle, Order};
use crate::certs::kept::{Kept, NotFound};
use crate::certs::library::Revocation;
use crate::certs::shelf::Moment;
use crate::store::StoreError;

/// What is asked of it.
pub(super) enum Errand {
    Look(String, oneshot::Sender<Result<Kept, NotFound>>),
    Note(Vec<String>, Revocation, bool, oneshot::Sender<Result<(), StoreError>>),
}

impl IntakeHandle {
    /// What is kept of a certificate, by its fingerprint, its key included.
    ///
    /// # Errors
    /// [`NotFound`].
    pub async fn kept(&self, fingerprint: String) -> Result<Kept, NotFound> {
        let order = |reply| Order::Revoking(Errand::Look(fingerprint, reply));
        self.order(order).await.unwrap_or(Err(NotFound::Stopping))
    }

    /// Notes that certificates are revoked: they serve only where nothing else could from now on, and with `leaves` not even
    /// there.
    ///
    /// # Errors
    /// When it could not be written down.
    pub async fn revoked(
        &self,
        fingerprints: Vec<String>,
        revocation: Revocation,
        leaves: bool,
    ) -> Result<(), StoreError> {
        let order = |reply| Order::Revoking(Errand::Note(fingerprints, revocation, leaves, reply));
        self.order(order).await.unwrap_or(Ok(()))
    }
}

impl Desk {
    pub(super) fn attend_to_revoked(&mut self, errand: Errand, now: Moment) {
        match errand {
            Errand::Look(fingerprint, reply) => drop(reply.send(self.shelf.kept(&fingerprint))),
            Errand::Note(fingerprints, revocation, leaves, reply) => {
                let noted = self.shelf.revoke(&fingerprints, &revocation, leaves, self.scanner.files(), now);
                self.publish(now);
                drop(reply.send(noted));
            }
        }
    }
}
