//! What the operator takes out: a certificate with its key.

use super::{Desk, IntakeHandle, Order};
use crate::certs::export::{Export, NotExported};

impl IntakeHandle {
    /// The version of a fingerprint with its key.
    ///
    /// # Errors
    /// [`NotExported`], and no key has left.
    pub async fn export(&self, fingerprint: String) -> Result<Export, NotExported> {
        self.order(|reply| Order::Export(fingerprint, reply)).await.unwrap_or(Err(NotExported::Unknown))
    }
}

impl Desk {
    /// By the terms of this moment: whoever has just forbidden it means it.
    pub(super) fn export(&mut self, fingerprint: &str) -> Result<Export, NotExported> {
        self.shelf.terms = self.terms.borrow().clone();
        self.shelf.export(fingerprint)
    }
}
