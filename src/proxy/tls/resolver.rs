//! Hands rustls the certificate that the hello step has pinned.
//!
//! rustls asks its resolver without telling for which connection, and never tells afterwards which certificate it used. A
//! worker is one thread and polls one handshake at a time, so the pinned choice is lent to the resolver for the length of
//! that poll, and what the resolver took is read back after it.

use std::cell::RefCell;
use std::sync::Arc;

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::live::{Choice, ServedCert};

/// The resolver of every server configuration.
#[derive(Debug)]
pub(super) struct LentCertificate;

impl ResolvesServerCert for LentCertificate {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        LENT.with_borrow_mut(|lent| {
            let lent = lent.as_mut()?;
            // What was decided was decided by this name.
            if hello.server_name() != lent.name.as_deref() {
                return None;
            }
            let served = lent.choice.pick(hello.signature_schemes())?;
            let ready = served.certified.ready()?;
            lent.taken = Some(Arc::clone(served));
            Some(ready)
        })
    }
}

/// The certificates pinned for a connection, and the one that was taken.
pub(super) struct Pinned {
    choice: Choice,
    name: Option<Box<str>>,
    taken: Option<Arc<ServedCert>>,
}

impl Pinned {
    /// What is shown to a client that asks for `name`.
    pub(super) fn new(choice: Choice, name: Option<Box<str>>) -> Self {
        Self { choice, name, taken: None }
    }

    /// Runs `step` of this connection's handshake with the resolver looking here.
    pub(super) fn lend<T>(this: &mut Option<Self>, step: impl FnOnce() -> T) -> T {
        LENT.with_borrow_mut(|lent| *lent = this.take());
        let result = step();
        LENT.with_borrow_mut(|lent| *this = lent.take());
        result
    }

    /// The certificate rustls was given: always one that was pinned.
    pub(super) fn taken(self) -> Option<Arc<ServedCert>> {
        self.taken
    }
}

thread_local! {
    static LENT: RefCell<Option<Pinned>> = const { RefCell::new(None) };
}
