//! The keys of session tickets (RFC 8446 §4.6.1): one set for all sites that ask for nothing special, one for each policy besides,
//! all of them replaced live.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use rustls::crypto::aws_lc_rs;
use rustls::server::ProducesTickets;

use crate::live::{Live, Publisher, table};

/// One ticketer for the life of the process: a new one at each reload would make every ticket worthless.
pub(super) fn shared() -> Result<Arc<dyn ProducesTickets>, rustls::Error> {
    static SHARED: OnceLock<Arc<Ticketer>> = OnceLock::new();
    if let Some(shared) = SHARED.get() {
        return Ok(Arc::clone(shared) as Arc<dyn ProducesTickets>);
    }
    let made = made()?;
    Ok(Arc::clone(SHARED.get_or_init(|| made)) as Arc<dyn ProducesTickets>)
}

/// One that opens nobody else's tickets.
pub(super) fn fresh() -> Result<Arc<dyn ProducesTickets>, rustls::Error> {
    Ok(made()? as Arc<dyn ProducesTickets>)
}

/// Forgets every key: no session from before is resumed, and nobody who had a key reads one that comes after. Open connections
/// are not touched.
///
/// # Errors
/// When the system gives no randomness; then the keys are those they were.
pub fn rotate_ticket_keys() -> Result<(), rustls::Error> {
    let mut known = known();
    known.retain(|known| known.ticketer.strong_count() > 0);
    let fresh: Result<Vec<Keys>, _> = known.iter().map(|_| aws_lc_rs::Ticketer::new()).collect();
    for (known, fresh) in known.iter_mut().zip(fresh?) {
        known.keys.publish(fresh);
    }
    Ok(())
}

type Keys = Arc<dyn ProducesTickets>;

/// A ticketer that may be in use, and who replaces its keys.
struct Known {
    ticketer: Weak<Ticketer>,
    keys: Publisher<Keys>,
}

fn known() -> MutexGuard<'static, Vec<Known>> {
    static KNOWN: Mutex<Vec<Known>> = Mutex::new(Vec::new());
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn made() -> Result<Arc<Ticketer>, rustls::Error> {
    let (keys, live) = table::<Keys>(aws_lc_rs::Ticketer::new()?);
    let ticketer = Arc::new(Ticketer(live));
    let mut known = known();
    known.retain(|known| known.ticketer.strong_count() > 0);
    known.push(Known { ticketer: Arc::downgrade(&ticketer), keys });
    Ok(ticketer)
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
        for ticketer in [shared(), fresh()] {
            let ticketer = ticketer.expect("a ticketer");
            let before = ticketer.encrypt(b"session").expect("sealed");
            assert_eq!(ticketer.decrypt(&before).as_deref(), Some(&b"session"[..]));
            rotate_ticket_keys().expect("rotated");
            assert_eq!(ticketer.decrypt(&before), None);
            let after = ticketer.encrypt(b"session").expect("sealed");
            assert_eq!(ticketer.decrypt(&after).as_deref(), Some(&b"session"[..]));
        }
    }

    #[test]
    fn no_ticketer_opens_the_tickets_of_another() {
        let ticket = shared().and_then(|shared| Ok((shared, fresh()?))).expect("ticketers");
        let sealed = ticket.0.encrypt(b"session").expect("sealed");
        assert_eq!(ticket.1.decrypt(&sealed), None);
    }
}
