//! Bearer tokens: made through the socket, shown once, kept as a hash.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::rights::{Bearer, Role};
use super::secrets::{hash, random_hex, same};
use crate::store::{Expected, Key, Store, StoreError};

/// The tokens that hold, and those that did.
#[derive(Clone, Debug)]
pub struct Tokens(Arc<Keeper>);

#[derive(Debug)]
struct Keeper {
    store: Store,
    known: RwLock<Vec<Known>>,
    /// One change at a time.
    changing: Mutex<()>,
}

/// A token as it is kept in `tokens/<id>.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    /// The name it is called by in the API.
    pub(super) id: String,
    /// The operator's name for it.
    pub(super) name: String,
    /// What it was made for.
    pub(super) role: Role,
    /// Seconds since the Unix epoch.
    pub(super) created: i64,
    /// Seconds since the Unix epoch; without it the token holds until it is revoked.
    pub(super) expires: Option<i64>,
    /// The organisations it is for, by their ids; empty: it is for the edge.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) organisations: Vec<String>,
    /// SHA-256 over the token, in hexadecimal. What it is made from has 256 random bits, so no slow hash is needed.
    sha256: String,
}

#[derive(Debug)]
struct Known {
    record: Record,
    last_used: Arc<AtomicI64>,
}

impl Tokens {
    /// The tokens of the state.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub fn open(store: Store) -> Result<Self, StoreError> {
        let mut known = Vec::new();
        for name in store.names(&folder())? {
            let Some(item) = folder().below(&name).map(|key| store.read(&key)).transpose()?.flatten() else { continue };
            match serde_json::from_slice::<Record>(&item.content) {
                Ok(record) if name == format!("{}.json", record.id) => known.push(Known::new(record)),
                _ => tracing::error!(
                    file = format!("tokens/{name}"),
                    "this is no token of ours, and lets nobody in; delete it, and make another with `vitrine token new`"
                ),
            }
        }
        Ok(Self(Arc::new(Keeper { store, known: RwLock::new(known), changing: Mutex::new(()) })))
    }

    /// Makes a token. The text is nowhere else: it is shown once.
    pub(super) fn make(
        &self,
        name: &str,
        role: Role,
        organisations: Vec<String>,
        now: i64,
        expires: Option<i64>,
    ) -> Result<(Record, Zeroizing<String>), NotMade> {
        let _turn = self.0.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let id = random_hex::<6>().map_err(|_| NotMade::NoRandomness)?;
        let secret = random_hex::<32>().map_err(|_| NotMade::NoRandomness)?;
        let token = Zeroizing::new(format!("{PREFIX}{}", *secret));
        let record = Record {
            id: id.to_string(),
            name: name.to_owned(),
            role,
            organisations,
            created: now,
            expires,
            sha256: hash(&token),
        };
        {
            let known = self.0.known.read().unwrap_or_else(PoisonError::into_inner);
            if known.iter().any(|known| known.record.name == name) {
                return Err(NotMade::NameTaken);
            }
            if known.len() >= MOST {
                return Err(NotMade::TooMany);
            }
        }
        let content = serde_json::to_vec_pretty(&record).unwrap_or_default();
        self.0.store.put(&key(&record.id), &content, Expected::Nothing).map_err(NotMade::Unwritten)?;
        self.0.known.write().unwrap_or_else(PoisonError::into_inner).push(Known::new(record.clone()));
        Ok((record, token))
    }

    /// Revokes a token, from this moment on. Gives what it was, if there is one.
    pub(super) fn revoke(&self, id: &str) -> Result<Option<Record>, StoreError> {
        let _turn = self.0.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let found = self.list().into_iter().find(|(record, _)| record.id == id);
        let Some((record, _)) = found else { return Ok(None) };
        // A token whose file cannot be deleted would be back after the next start: the operator must hear of it. Until then it
        // is gone all the same.
        self.0.known.write().unwrap_or_else(PoisonError::into_inner).retain(|known| known.record.id != id);
        self.0.store.delete(&key(id))?;
        Ok(Some(record))
    }

    /// Every token in order of its making, and when it was last used since the start.
    pub(super) fn list(&self) -> Vec<(Record, Option<i64>)> {
        let known = self.0.known.read().unwrap_or_else(PoisonError::into_inner);
        let mut list: Vec<_> = known
            .iter()
            .map(|known| (known.record.clone(), Some(known.last_used.load(Ordering::Relaxed)).filter(|at| *at > 0)))
            .collect();
        list.sort_by(|(one, _), (other, _)| (one.created, &one.id).cmp(&(other.created, &other.id)));
        list
    }

    /// Whose token this is.
    pub(super) fn find(&self, token: &str, now: i64) -> Shown {
        let hash = hash(token);
        let known = self.0.known.read().unwrap_or_else(PoisonError::into_inner);
        let is_it = |known: &Known| same(known.record.sha256.as_bytes(), hash.as_bytes());
        // All of them, so that the time tells nothing.
        let found = known.iter().fold(None, |found, known| if is_it(known) { Some(known) } else { found });
        let Some(found) = found else { return Shown::Unknown };
        if found.record.has_expired(now) {
            return Shown::Expired;
        }
        found.last_used.store(now, Ordering::Relaxed);
        let Record { id, name, role, organisations, .. } = found.record.clone();
        Shown::Holds(Bearer { id, name, role, organisations })
    }
}

impl Record {
    /// Whether it holds no longer.
    pub(super) fn has_expired(&self, now: i64) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}

impl Known {
    fn new(record: Record) -> Self {
        Self { record, last_used: Arc::default() }
    }
}

/// What a token that was shown is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// One that holds.
    Holds(Bearer),
    /// One that did.
    Expired,
    /// None of ours, or one that was revoked.
    Unknown,
}

/// Why there is no new token.
#[derive(Debug)]
pub(super) enum NotMade {
    /// Another has the name.
    NameTaken,
    /// There are as many as there may be.
    TooMany,
    /// The system gives none.
    NoRandomness,
    /// It could not be kept.
    Unwritten(StoreError),
}

fn folder() -> Key {
    Key::known(&["tokens"])
}

/// `id` is in hexadecimal, ours or read from a file of that name.
fn key(id: &str) -> Key {
    folder().below(&format!("{id}.json")).unwrap_or_else(folder)
}

/// By this, scanners for leaked secrets know what they have found.
pub(super) const PREFIX: &str = "vit_";
/// Far more than there are scripts, and few enough to look through for each request.
const MOST: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(shown: Shown) -> Option<(String, Role)> {
        match shown {
            Shown::Holds(bearer) => Some((bearer.name, bearer.role)),
            _ => None,
        }
    }

    #[test]
    fn a_token_is_known_again_after_a_restart_and_nowhere_written() {
        let store = Store::in_memory();
        let (record, token) =
            Tokens::open(store.clone()).expect("open").make("ci", Role::Read, Vec::new(), 100, None).expect("made");
        assert!(token.starts_with("vit_") && token.len() == 68, "{}", token.len());
        let kept = store.read(&key(&record.id)).expect("read").expect("kept");
        assert!(!String::from_utf8_lossy(&kept.content).contains(&token[4..]));
        let tokens = Tokens::open(store).expect("open");
        assert_eq!(tokens.list(), [(record, None)]);
        assert_eq!(bearer(tokens.find(&token, 101)), Some(("ci".into(), Role::Read)));
        assert_eq!(tokens.list()[0].1, Some(101));
        for wrong in ["", "vit_", &token[4..], &token[..67], &format!("{}0", *token), &token.to_uppercase()] {
            assert_eq!(tokens.find(wrong, 101), Shown::Unknown, "{wrong}");
        }
    }

    #[test]
    fn an_expired_or_revoked_token_holds_no_longer() {
        let store = Store::in_memory();
        let tokens = Tokens::open(store.clone()).expect("open");
        let (_, brief) = tokens.make("brief", Role::Operate, Vec::new(), 100, Some(200)).expect("made");
        let (record, lasting) = tokens.make("lasting", Role::Export, Vec::new(), 100, None).expect("made");
        assert!(bearer(tokens.find(&brief, 199)).is_some());
        assert_eq!(tokens.find(&brief, 200), Shown::Expired);
        assert!(bearer(tokens.find(&lasting, 200)).is_some());
        assert_eq!(tokens.revoke(&record.id).expect("revoked"), Some(record.clone()));
        assert_eq!(tokens.find(&lasting, 200), Shown::Unknown);
        assert_eq!(tokens.revoke(&record.id).expect("nothing"), None);
        assert_eq!(Tokens::open(store).expect("open").find(&lasting, 200), Shown::Unknown);
    }

    #[test]
    fn a_name_belongs_to_one_token_and_there_is_an_end_to_them() {
        let tokens = Tokens::open(Store::in_memory()).expect("open");
        for number in 0..MOST {
            tokens.make(&number.to_string(), Role::Read, Vec::new(), 100, None).expect("made");
        }
        assert!(matches!(tokens.make("0", Role::Read, Vec::new(), 100, None), Err(NotMade::NameTaken)));
        assert!(matches!(tokens.make("new", Role::Read, Vec::new(), 100, None), Err(NotMade::TooMany)));
        assert!(tokens.revoke("../../etc/passwd").expect("nothing").is_none());
    }

    #[test]
    fn a_file_that_is_no_token_lets_nobody_in() {
        let store = Store::in_memory();
        for (name, content) in [("a.json", "{}"), ("b.json", "garbage"), ("c.json", r#"{"id":"x"}"#)] {
            store.put(&Key::of(&["tokens", name]).expect("a key"), content.as_bytes(), Expected::Nothing).expect("put");
        }
        assert_eq!(Tokens::open(store).expect("open").list(), []);
    }
}
