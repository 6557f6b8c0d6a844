//! The keys of session tickets (RFC 8446 §4.6.1): one set for all policies, replaced live.

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rustls::crypto::aws_lc_rs;
use rustls::server::ProducesTickets;

use crate::live::{Live, Publisher, table};

/// One ticketer for the life of the process: a new one at each reload would make every ticket worthless.
pub(super) fn ticketer() -> Result<Arc<dyn ProducesTickets>, rustls::Error> {
    Ok(Arc::clone(&shared()?.ticketer) as Arc<dyn ProducesTickets>)
}

/// Forgets every key: no session from before is resumed, and nobody who had a key reads one that comes after. Open connections
/// are not touched.
///
/// # Errors
/// When the system gives no randomness; then the keys are those they were.
pub fn rotate_ticket_keys() -> Result<(), rustls::Error> {
    let fresh = aws_lc_rs::Ticketer::new()?;
    shared()?.keys.lock().unwrap_or_else(PoisonError::into_inner).publish(fresh);
    Ok(())
}

type Keys = Arc<dyn ProducesTickets>;

struct Shared {
    ticketer: Arc<Ticketer>,
    keys: Mutex<Publisher<Keys>>,
}

fn shared() -> Result<&'static Shared, rustls::Error> {
    static SHARED: OnceLock<Shared> = OnceLock::new();
    if let Some(shared) = SHARED.get() {
        return Ok(shared);
    }
    let (keys, live) = table::<Keys>(aws_lc_rs::Ticketer::new()?);
    Ok(SHARED.get_or_init(|| Shared { ticketer: Arc::new(Ticketer(live)), keys: keys.into() }))
}

/// Seals and opens tickets with the keys of the moment.
struct Ticketer(Live<Keys>);

impl fmt::Debug for Ticketer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticketer").finish_non_exhaustive()
    }
}

impl ProducesTickets for Ticketer {
    fn enabled(&self) -> bool {
        self.0.load().enabled()
    }

    fn lifetime(&self) -> u32 {
        self.0.load().lifetime()
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        self.0.load().encrypt(plain)
    }

    fn decrypt(&self, cipher: &[u8]) -> Option<Vec<u8>> {
        self.0.load().decrypt(cipher)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_from_before_the_rotation_opens_nothing() {
        let ticketer = ticketer().expect("a ticketer");
        let before = ticketer.encrypt(b"session").expect("sealed");
        assert_eq!(ticketer.decrypt(&before).as_deref(), Some(&b"session"[..]));
        rotate_ticket_keys().expect("rotated");
        assert_eq!(ticketer.decrypt(&before), None);
        let after = ticketer.encrypt(b"session").expect("sealed");
        assert_eq!(ticketer.decrypt(&after).as_deref(), Some(&b"session"[..]));
    }
}
