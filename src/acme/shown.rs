//! What authorities are shown: published before they are told to look, taken back when the order goes on.

use std::sync::{Arc, Mutex, PoisonError};

use crate::live::{Challenges, Publisher};
use crate::name::HostName;

/// Shows what orders need.
#[derive(Clone)]
pub(super) struct Shown(Arc<Mutex<Publisher<Challenges>>>);

impl Shown {
    pub(super) fn new(table: Publisher<Challenges>) -> Self {
        Self(Arc::new(Mutex::new(table)))
    }

    /// Shows a token at a host until the guard is dropped.
    pub(super) fn token(&self, host: &HostName, token: &str, key_authorization: &str) -> ShownToken {
        self.change(|challenges| challenges.show(host, token, key_authorization));
        ShownToken { shown: self.clone(), host: host.clone(), token: token.into() }
    }

    fn change(&self, change: impl FnOnce(&mut Challenges)) {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = Challenges::clone(&table.current());
        change(&mut next);
        table.publish(next);
    }
}

/// A token that is shown as long as this lives.
pub(super) struct ShownToken {
    shown: Shown,
    host: HostName,
    token: Box<str>,
}

impl Drop for ShownToken {
    fn drop(&mut self) {
        self.shown.change(|challenges| challenges.hide(&self.host, &self.token));
    }
}
