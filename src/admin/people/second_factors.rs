//! Second factors: the secrets that users' telephones compute codes from, and codes for the day a telephone is lost.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use super::totp;
use crate::admin::secrets::{NoRandomness, hash, random_hex, same, unhex};
use crate::store::{Expected, Key, Store, StoreError};

/// Keeps the second factors, in `second-factors/`, sealed where the state has a key.
pub(super) struct SecondFactors {
    store: Store,
    /// By the user's id.
    known: Mutex<HashMap<String, Factor>>,
    /// Secrets that no code has shown to have arrived.
    begun: Mutex<HashMap<String, Zeroizing<String>>>,
}

/// A factor as it is kept in `second-factors/<user>-secret.json`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Factor {
    /// In hexadecimal.
    #[serde(serialize_with = "written", deserialize_with = "read")]
    secret: Zeroizing<String>,
    /// The step of the last code that was used; earlier ones are worth nothing.
    last_step: i64,
    /// SHA-256 over each recovery code that is left, in hexadecimal. Each has 80 random bits.
    recovery: Vec<String>,
}

/// Why a factor is not as somebody wants it.
#[derive(Debug)]
pub(in crate::admin) enum NotFactored {
    /// The code is another, or has been used.
    Wrong,
    /// Nothing was begun, or there is one already.
    NotBegun,
    /// The system gives no random numbers.
    NoRandomness,
    /// It could not be written.
    Unwritten(StoreError),
}

impl SecondFactors {
    /// The factors of the state.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read, such as without the key they are sealed with: nobody is let in on a password alone
    /// who has a second factor.
    pub(super) fn open(store: Store) -> Result<Self, StoreError> {
        let mut known = HashMap::new();
        for name in store.names(&folder())? {
            let Some(user) = name.strip_suffix(SUFFIX) else { continue };
            let Some(item) = store.read(&key(user))? else { continue };
            // What cannot be read lets nobody in either: no code fits it.
            let factor = serde_json::from_slice(&item.content).unwrap_or_else(|_| {
                tracing::error!(
                    file = format!("second-factors/{name}"),
                    "this is no second factor of ours; use `vitrine user reset`"
                );
                Factor { secret: Zeroizing::default(), last_step: i64::MAX, recovery: Vec::new() }
            });
            known.insert(user.to_owned(), factor);
        }
        Ok(Self { store, known: Mutex::new(known), begun: Mutex::default() })
    }

    /// Whether a user has one.
    pub(super) fn is_on(&self, user: &str) -> bool {
        self.known().contains_key(user)
    }

    /// A new secret for a user who has none yet; it counts from [`Self::confirm`] on. Gives it as people type it, and for a telephone.
    pub(super) fn begin(&self, user: &str, name: &str) -> Result<(Zeroizing<String>, Zeroizing<String>), NotFactored> {
        if self.is_on(user) {
            return Err(NotFactored::NotBegun);
        }
        let secret = random_hex::<20>()?;
        let octets = unhex(&secret).unwrap_or_default();
        self.begun.lock().unwrap_or_else(PoisonError::into_inner).insert(user.to_owned(), secret);
        Ok((totp::base32(&octets), totp::uri(&octets, name)))
    }

    /// Turns the begun one on, if the code is of it. Gives the recovery codes, which are nowhere else. Blocks for the disk.
    pub(super) fn confirm(&self, user: &str, code: &str, now: i64) -> Result<Vec<Zeroizing<String>>, NotFactored> {
        let mut known = self.known();
        let begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner).get(user).cloned();
        let secret = begun.filter(|_| !known.contains_key(user)).ok_or(NotFactored::NotBegun)?;
        let octets = unhex(&secret).unwrap_or_default();
        let last_step = totp::step_of(&octets, code, now, 0).ok_or(NotFactored::Wrong)?;
        let codes = (0..RECOVERY_CODES).map(|_| random_hex::<10>()).collect::<Result<Vec<_>, _>>()?;
        let factor = Factor { secret, last_step, recovery: codes.iter().map(|code| hash(code)).collect() };
        self.write(user, &factor)?;
        known.insert(user.to_owned(), factor);
        self.begun.lock().unwrap_or_else(PoisonError::into_inner).remove(user);
        Ok(codes)
    }

    /// Whether a code is the user's, of the telephone or for recovery. It is used then. Blocks for the disk.
    pub(super) fn use_code(&self, user: &str, code: &str, now: i64) -> Result<(), NotFactored> {
        let mut known = self.known();
        let factor = known.get(user).ok_or(NotFactored::NotBegun)?;
        let mut after = factor.clone();
        let octets = unhex(&factor.secret).filter(|secret| !secret.is_empty());
        let step = octets.and_then(|secret| totp::step_of(&secret, code, now, factor.last_step));
        match step {
            Some(step) => after.last_step = step,
            None => {
                let wanted = hash(&code.trim().to_lowercase());
                after.recovery.retain(|kept| !same(kept.as_bytes(), wanted.as_bytes()));
                if after.recovery.len() == factor.recovery.len() {
                    return Err(NotFactored::Wrong);
                }
            }
        }
        // On the disk first: a code that was used stays used, whatever becomes of the edge.
        self.write(user, &after)?;
        known.insert(user.to_owned(), after);
        Ok(())
    }

    /// Takes a user's factor away. Blocks for the disk.
    pub(super) fn remove(&self, user: &str) -> Result<bool, StoreError> {
        let mut known = self.known();
        self.begun.lock().unwrap_or_else(PoisonError::into_inner).remove(user);
        let removed = self.store.delete(&key(user))?;
        known.remove(user);
        Ok(removed)
    }

    fn write(&self, user: &str, factor: &Factor) -> Result<(), NotFactored> {
        let content = Zeroizing::new(serde_json::to_vec(factor).unwrap_or_default());
        self.store.put(&key(user), &content, Expected::Anything).map(drop).map_err(NotFactored::Unwritten)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<String, Factor>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for SecondFactors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecondFactors(…)")
    }
}

impl From<NoRandomness> for NotFactored {
    fn from(_: NoRandomness) -> Self {
        Self::NoRandomness
    }
}

fn written<S: Serializer>(secret: &Zeroizing<String>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret)
}

fn read<'de, D: Deserializer<'de>>(secret: D) -> Result<Zeroizing<String>, D::Error> {
    String::deserialize(secret).map(Zeroizing::new)
}

fn folder() -> Key {
    Key::known(&["second-factors"])
}

/// `user` is in hexadecimal, ours or read from a file of that name.
fn key(user: &str) -> Key {
    folder().below(&format!("{user}{SUFFIX}")).unwrap_or_else(folder)
}

/// By this the store knows that it is a secret.
const SUFFIX: &str = "-secret.json";
const RECOVERY_CODES: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    /// What a telephone does that has read the secret.
    fn code(typed: &str, now: i64) -> Zeroizing<String> {
        let digit = |letter: u8| ALPHABET.find(char::from(letter)).expect("base32");
        let bits: String = typed.bytes().map(|letter| format!("{:05b}", digit(letter))).collect();
        let octets: Vec<u8> =
            (0..bits.len() / 8).map(|at| u8::from_str_radix(&bits[at * 8..at * 8 + 8], 2).expect("bits")).collect();
        totp::at(&octets, now / 30)
    }

    #[test]
    fn a_code_counts_once_over_a_restart_and_a_recovery_code_too() {
        let store = Store::in_memory();
        let factors = SecondFactors::open(store.clone()).expect("open");
        assert!(matches!(factors.confirm("0a", "123456", 3000), Err(NotFactored::NotBegun)));
        let (typed, uri) = factors.begin("0a", "anna").expect("begun");
        assert!(uri.contains(&**typed));
        assert!(matches!(factors.confirm("0a", "no code", 3000), Err(NotFactored::Wrong)));
        assert!(!factors.is_on("0a"));
        let first = code(&typed, 3000);
        let recovery = factors.confirm("0a", &first, 3000).expect("on");
        let kept = store.read(&key("0a")).expect("read").expect("kept");
        assert!(
            key("0a").is_secret()
                && recovery.iter().all(|code| !String::from_utf8_lossy(&kept.content).contains(&***code))
        );
        let factors = SecondFactors::open(store).expect("open");
        assert!(matches!(factors.use_code("0a", &first, 3000), Err(NotFactored::Wrong)));
        factors.use_code("0a", &code(&typed, 3030), 3030).expect("the next");
        factors.use_code("0a", &recovery[3].to_uppercase(), 3030).expect("a recovery code");
        assert!(matches!(factors.use_code("0a", &recovery[3], 3030), Err(NotFactored::Wrong)));
        assert!(matches!(factors.begin("0a", "anna"), Err(NotFactored::NotBegun)));
        assert!(factors.remove("0a").expect("removed") && !factors.is_on("0a"));
    }

    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
}
