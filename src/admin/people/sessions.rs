//! Sessions: who has signed in, where, and until when that holds.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::Duration;

use aws_lc_rs::hmac;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::admin::secrets::{NoRandomness, hash, hex, random_hex, same};
use crate::store::{Expected, Key, Store, StoreError};

/// How long sessions hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionTerms {
    /// Without a request.
    pub idle: Duration,
    /// In all.
    pub lifetime: Duration,
}

/// Keeps the sessions, in `sessions/`.
#[derive(Debug)]
pub(super) struct Sessions {
    store: Store,
    terms: SessionTerms,
    /// By the hash of the secret.
    known: RwLock<HashMap<String, Known>>,
    /// One change at a time.
    changing: Mutex<()>,
}

#[derive(Clone, Debug)]
struct Known {
    record: Session,
    /// What of `last_seen` is on disk.
    written: i64,
}

/// A session as it is kept in `sessions/<id>.json`. Of the secret that the cookie carries there is a hash alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::admin) struct Session {
    /// The name the API calls it by.
    pub(in crate::admin) id: String,
    /// Whose it is.
    pub(in crate::admin) user: String,
    /// Seconds since the Unix epoch.
    pub(in crate::admin) created: i64,
    /// Seconds since the Unix epoch; on disk within a minute.
    pub(in crate::admin) last_seen: i64,
    /// Where it was begun from.
    pub(in crate::admin) address: String,
    /// What the browser says it is; may be empty.
    pub(in crate::admin) agent: String,
    /// SHA-256 over the secret, in hexadecimal.
    sha256: String,
}

/// What a form or a script has to show beside the cookie, which browsers send by themselves.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::admin) struct CsrfToken(String);

/// Why there is no session.
#[derive(Debug)]
pub(in crate::admin) enum NotBegun {
    /// The system gives no random numbers.
    NoRandomness,
    /// It could not be written.
    Unwritten(StoreError),
}

impl Sessions {
    /// The sessions of the state that hold still.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub(super) fn open(store: Store, terms: SessionTerms, now: i64) -> Result<Self, StoreError> {
        let mut known = HashMap::new();
        for name in store.names(&folder())? {
            let Some(key) = folder().below(&name) else { continue };
            let Some(item) = store.read(&key)? else { continue };
            match serde_json::from_slice::<Session>(&item.content) {
                Ok(record) if name == format!("{}.json", record.id) => {
                    known.insert(record.sha256.clone(), Known { written: record.last_seen, record });
                }
                // It holds nothing that anybody would miss.
                _ => drop(store.delete(&key)?),
            }
        }
        let sessions = Self { store, terms, known: RwLock::new(known), changing: Mutex::new(()) };
        sessions.sweep(now);
        Ok(sessions)
    }

    /// Begins one. The secret is nowhere else.
    pub(super) fn begin(
        &self,
        user: &str,
        address: String,
        agent: &str,
        now: i64,
    ) -> Result<(Session, Zeroizing<String>), NotBegun> {
        self.sweep(now);
        let _turn = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let id = random_hex::<6>()?.to_string();
        let secret = random_hex::<32>()?;
        let agent = agent.chars().filter(|letter| !letter.is_control()).take(LONGEST_AGENT).collect();
        let record =
            Session { id, user: user.to_owned(), created: now, last_seen: now, address, agent, sha256: hash(&secret) };
        self.write(&record, Expected::Nothing).map_err(NotBegun::Unwritten)?;
        let known = Known { record: record.clone(), written: now };
        self.known.write().unwrap_or_else(PoisonError::into_inner).insert(record.sha256.clone(), known);
        let mut own = self.list(user);
        while own.len() > MOST_OF_A_USER {
            // The one that was used last is last.
            self.forget(&own.remove(0));
        }
        Ok((record, secret))
    }

    /// The session of a secret, which is seen now. Tells whether [`Self::keep`] is due.
    pub(super) fn find(&self, secret: &str, now: i64) -> Option<(Session, bool)> {
        let hash = hash(secret);
        {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            let found = known.get(&hash).filter(|known| self.holds(&known.record, now))?;
            if found.record.last_seen == now {
                return Some((found.record.clone(), false));
            }
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let found = known.get_mut(&hash)?;
        found.record.last_seen = found.record.last_seen.max(now);
        let is_due = now - found.written >= WRITTEN_AFTER;
        if is_due {
            found.written = now;
        }
        Some((found.record.clone(), is_due))
    }

    /// Writes when a session was last seen. Blocks for the disk.
    pub(super) fn keep(&self, session: &Session) {
        let _turn = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let is_there = self.known.read().unwrap_or_else(PoisonError::into_inner).contains_key(&session.sha256);
        if is_there && let Err(error) = self.write(session, Expected::Anything) {
            tracing::warn!(%error, "when a session was last seen could not be written; after a restart it ends sooner");
        }
    }

    /// When a session ends if nothing more is asked: seconds since the Unix epoch.
    pub(super) fn end_of(&self, session: &Session) -> i64 {
        let seconds = |duration: Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
        let idle = session.last_seen.saturating_add(seconds(self.terms.idle));
        idle.min(session.created.saturating_add(seconds(self.terms.lifetime)))
    }

    /// Those of a user that hold; the one that was seen last is last.
    pub(super) fn of_user(&self, user: &str, now: i64) -> Vec<Session> {
        self.list(user).into_iter().filter(|session| self.holds(session, now)).collect()
    }

    /// Ends one of a user's. Gives whether there was one.
    pub(super) fn end(&self, user: &str, id: &str) -> bool {
        self.end_those(user, |session| session.id == id) > 0
    }

    /// Ends all of a user's but one. Gives how many.
    pub(super) fn end_all(&self, user: &str, but: Option<&str>) -> usize {
        self.end_those(user, |session| Some(session.id.as_str()) != but)
    }

    fn end_those(&self, user: &str, are_meant: impl Fn(&Session) -> bool) -> usize {
        let _turn = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        self.list(user).iter().filter(|session| are_meant(session)).map(|session| self.forget(session)).count()
    }

    /// Takes away what holds no longer.
    fn sweep(&self, now: i64) {
        let _turn = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let over: Vec<_> = {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            let over = known.values().map(|known| &known.record).filter(|session| !self.holds(session, now));
            over.cloned().collect()
        };
        over.iter().for_each(|session| self.forget(session));
    }

    /// Takes one away: from this moment on it opens nothing, even when its file cannot be deleted.
    fn forget(&self, session: &Session) {
        self.known.write().unwrap_or_else(PoisonError::into_inner).remove(&session.sha256);
        if let Err(error) = self.store.delete(&key(&session.id)) {
            tracing::error!(%error, "a session that has ended could not be deleted, and would hold again after a restart");
        }
    }

    fn list(&self, user: &str) -> Vec<Session> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let own = known.values().map(|known| &known.record).filter(|session| session.user == user);
        let mut list: Vec<_> = own.cloned().collect();
        list.sort_by(|one, other| (one.last_seen, &one.id).cmp(&(other.last_seen, &other.id)));
        list
    }

    fn holds(&self, session: &Session, now: i64) -> bool {
        now < self.end_of(session)
    }

    fn write(&self, session: &Session, expected: Expected) -> Result<(), StoreError> {
        let content = serde_json::to_vec_pretty(session).unwrap_or_default();
        self.store.put(&key(&session.id), &content, expected).map(drop)
    }
}

impl CsrfToken {
    /// The token of the session with this secret: whoever does not have the secret cannot make it.
    pub(in crate::admin) fn of(secret: &str) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        Self(hex(hmac::sign(&key, b"vitrine csrf token").as_ref()).to_string())
    }

    /// As it is shown.
    pub(in crate::admin) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is it.
    pub(in crate::admin) fn is(&self, shown: &[u8]) -> bool {
        same(self.0.as_bytes(), shown)
    }
}

impl fmt::Debug for CsrfToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CsrfToken(…)")
    }
}

impl From<NoRandomness> for NotBegun {
    fn from(_: NoRandomness) -> Self {
        Self::NoRandomness
    }
}

fn folder() -> Key {
    Key::known(&["sessions"])
}

/// `id` is in hexadecimal, ours or read from a file of that name.
fn key(id: &str) -> Key {
    folder().below(&format!("{id}.json")).unwrap_or_else(folder)
}

/// A browser at work, at home and in a pocket, each with some that were never signed out of.
const MOST_OF_A_USER: usize = 16;
/// In seconds: what a crash may take off the time a session is idle.
const WRITTEN_AFTER: i64 = 60;
const LONGEST_AGENT: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: SessionTerms = SessionTerms { idle: Duration::from_secs(600), lifetime: Duration::from_secs(3600) };

    fn open(store: &Store, now: i64) -> Sessions {
        Sessions::open(store.clone(), TERMS, now).expect("open")
    }

    fn begin(sessions: &Sessions, user: &str, now: i64) -> (Session, Zeroizing<String>) {
        sessions.begin(user, "127.0.0.1".into(), "curl\n/8", now).expect("begun")
    }

    fn holds(sessions: &Sessions, secret: &str, now: i64) -> bool {
        sessions.find(secret, now).is_some()
    }

    #[test]
    fn a_session_ends_when_nothing_is_asked_and_at_the_latest_with_its_time() {
        let sessions = open(&Store::in_memory(), 0);
        let (session, secret) = begin(&sessions, "anna", 1000);
        assert_eq!((session.agent.as_str(), sessions.end_of(&session)), ("curl/8", 1600));
        assert!(holds(&sessions, &secret, 1599));
        assert!(!holds(&sessions, &secret, 2199));
        let (_, idle) = begin(&sessions, "anna", 1000);
        assert!(!holds(&sessions, &idle, 1600));
        let (_, busy) = begin(&sessions, "anna", 1000);
        assert!((0..7).all(|turn| holds(&sessions, &busy, 1000 + turn * 500)));
        assert!(holds(&sessions, &busy, 4599));
        assert!(!holds(&sessions, &busy, 4600));
    }

    #[test]
    fn a_session_outlasts_a_restart_and_its_secret_is_nowhere_written() {
        let store = Store::in_memory();
        let sessions = open(&store, 0);
        let (session, secret) = begin(&sessions, "anna", 1000);
        let kept = store.read(&key(&session.id)).expect("read").expect("kept");
        assert!(!String::from_utf8_lossy(&kept.content).contains(&**secret));
        let (_, is_due) = sessions.find(&secret, 1059).expect("found");
        assert!(!is_due);
        let (seen, is_due) = sessions.find(&secret, 1300).expect("found");
        assert!(is_due);
        sessions.keep(&seen);
        assert!(holds(&open(&store, 1700), &secret, 1700));
        assert!(!holds(&open(&store, 1900), &secret, 1900));
        assert_eq!(store.names(&folder()).expect("listed"), Vec::<String>::new());
    }

    #[test]
    fn who_signs_out_is_out_and_nobody_else_is() {
        let store = Store::in_memory();
        let sessions = open(&store, 0);
        let ((one, first), (two, second), (_, bens)) =
            (begin(&sessions, "anna", 1000), begin(&sessions, "anna", 1001), begin(&sessions, "ben", 1000));
        assert!(!sessions.end("ben", &one.id));
        assert!(sessions.end("anna", &one.id));
        assert_eq!([&first, &second, &bens].map(|secret| holds(&sessions, secret, 1002)), [false, true, true]);
        // What was asked just before does not bring it back.
        sessions.keep(&one);
        assert!(!holds(&open(&store, 1002), &first, 1002));
        begin(&sessions, "anna", 1002);
        assert_eq!(sessions.end_all("anna", Some(&two.id)), 1);
        assert_eq!(sessions.of_user("anna", 1002).iter().map(|session| &session.id).collect::<Vec<_>>(), [&two.id]);
        assert_eq!(sessions.end_all("anna", None), 1);
        assert!(holds(&sessions, &bens, 1002));
    }

    #[test]
    fn a_user_has_so_many_and_the_one_unused_for_longest_goes() {
        let sessions = open(&Store::in_memory(), 0);
        let secrets: Vec<_> = (0..=16).map(|turn| begin(&sessions, "anna", 1000 + turn).1).collect();
        assert_eq!(sessions.of_user("anna", 1020).len(), 16);
        assert!(!holds(&sessions, &secrets[0], 1020) && holds(&sessions, &secrets[1], 1020));
    }

    #[test]
    fn the_csrf_token_belongs_to_the_session_and_is_not_printed() {
        let (one, other) = (CsrfToken::of("one"), CsrfToken::of("other"));
        assert!(one.is(one.as_str().as_bytes()) && !one.is(other.as_str().as_bytes()) && !one.is(b""));
        assert_eq!(format!("{one:?}"), "CsrfToken(…)");
    }
}
