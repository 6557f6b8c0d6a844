//! One-time links: by one, a customer without an account hands in one certificate for named sites. Of the secret in it there is a hash alone.

mod link;
mod parcel;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

pub(crate) use self::link::Found;
pub(super) use self::link::{Fate, Link};
pub(super) use self::parcel::Parcel;
use super::failures::Failures;
use super::secrets::{hash, random_hex, same};
use crate::overview::HandedIn;
use crate::store::{Expected, Key, Store, StoreError};

/// The links that are open, and those that were, for a while.
#[derive(Clone, Debug)]
pub struct Links(Arc<Keeper>);

#[derive(Debug)]
struct Keeper {
    store: Store,
    known: RwLock<Vec<Link>>,
    /// One change at a time.
    changing: Mutex<()>,
    /// Those by which something is being handed in at this moment.
    busy: Mutex<HashSet<String>>,
    guesses: Mutex<Failures<IpAddr>>,
}

/// What somebody wants a link for.
pub(super) struct Wanted {
    pub(super) note: String,
    pub(super) sites: Vec<String>,
    pub(super) request: Option<String>,
    pub(super) goes_live: bool,
    pub(super) by: String,
    pub(super) expires: i64,
}

/// Why nothing was made or changed.
#[derive(Debug)]
pub(super) enum NotLinked {
    /// There is no such link.
    Unknown,
    /// It is not open, or not waiting; what it is.
    Not(Fate),
    /// Its time is over.
    Over,
    /// Somebody is handing something in by it at this moment.
    Busy,
    /// There are as many as there may be.
    TooMany,
    /// There were too many guesses; how long to wait.
    Guessed(Duration),
    /// The system gives no random numbers.
    NoRandomness,
    /// It could not be read or written.
    Unwritten(StoreError),
}

impl Links {
    /// The links of the state.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub fn open(store: Store) -> Result<Self, StoreError> {
        let mut known = Vec::new();
        for name in store.names(&folder())? {
            if name.ends_with(PARCEL) {
                continue;
            }
            let Some(item) = folder().below(&name).map(|key| store.read(&key)).transpose()?.flatten() else { continue };
            match serde_json::from_slice::<Link>(&item.content) {
                Ok(link) if name == format!("{}.json", link.id) => known.push(link),
                _ => tracing::error!(
                    file = format!("links/{name}"),
                    "this is no link of ours, and lets nobody in; delete it, and make another with `vitrine links make`"
                ),
            }
        }
        Ok(Self(Arc::new(Keeper {
            store,
            known: RwLock::new(known),
            changing: Mutex::default(),
            busy: Mutex::default(),
            guesses: Mutex::new(Failures::by_address()),
        })))
    }

    /// Makes a link. The secret is nowhere else: it is shown once.
    pub(super) fn make(&self, wanted: Wanted, now: i64) -> Result<(Link, Zeroizing<String>), NotLinked> {
        let _turn = self.0.changing.lock().unwrap_or_else(PoisonError::into_inner);
        self.sweep(now);
        let id = random_hex::<6>().map_err(|_| NotLinked::NoRandomness)?.to_string();
        let secret = random_hex::<32>().map_err(|_| NotLinked::NoRandomness)?;
        if self.list().len() >= MOST {
            return Err(NotLinked::TooMany);
        }
        let Wanted { note, sites, request, goes_live, by, expires } = wanted;
        let link = Link {
            id,
            note,
            sites,
            request,
            goes_live,
            created: now,
            created_by: by,
            expires,
            opened: None,
            wrong: 0,
            fate: Fate::Open,
            found: None,
            handed_in: None,
            sha256: hash(&secret),
        };
        self.write(&link)?;
        self.0.known.write().unwrap_or_else(PoisonError::into_inner).push(link.clone());
        Ok((link, secret))
    }

    /// Every link, in order of their making.
    pub(super) fn list(&self) -> Vec<Link> {
        let mut list = self.0.known.read().unwrap_or_else(PoisonError::into_inner).clone();
        list.sort_by(|one, other| (one.created, &one.id).cmp(&(other.created, &other.id)));
        list
    }

    /// What was handed in and waits for somebody's word, in order of the links' making.
    #[must_use]
    pub fn waiting(&self) -> Vec<HandedIn> {
        self.list().iter().filter_map(Link::waiting).collect()
    }

    /// The one of this name.
    pub(super) fn find(&self, id: &str) -> Option<Link> {
        self.0.known.read().unwrap_or_else(PoisonError::into_inner).iter().find(|link| link.id == id).cloned()
    }

    /// The one with this secret, whatever became of it.
    pub(super) fn by_secret(&self, secret: &str, peer: IpAddr) -> Result<Link, NotLinked> {
        let hash = hash(secret);
        let known = self.0.known.read().unwrap_or_else(PoisonError::into_inner);
        let is_it = |link: &Link| same(link.sha256.as_bytes(), hash.as_bytes());
        // All of them, so that the time tells nothing.
        let found = known.iter().fold(None, |found, link| if is_it(link) { Some(link) } else { found });
        if let Some(link) = found {
            return Ok(link.clone());
        }
        let mut guesses = self.0.guesses.lock().unwrap_or_else(PoisonError::into_inner);
        Err(guesses.count_address(peer, Instant::now()).map_or(NotLinked::Unknown, NotLinked::Guessed))
    }

    /// Remembers that it was opened. Gives whether that was the first time.
    pub(super) fn open_up(&self, id: &str, now: i64) -> Result<bool, NotLinked> {
        let mut is_first = false;
        self.change(id, |link| {
            is_first = link.opened.is_none();
            link.opened.get_or_insert(now);
            Ok(())
        })?;
        Ok(is_first)
    }

    /// Whether something may be handed in by it now.
    pub(super) fn check(link: &Link, now: i64) -> Result<(), NotLinked> {
        match link.fate {
            Fate::Open if link.expires <= now => Err(NotLinked::Over),
            Fate::Open => Ok(()),
            fate => Err(NotLinked::Not(fate)),
        }
    }

    /// Counts what could not be taken; after too much of it the link is spoiled.
    pub(super) fn count_wrong(&self, id: &str) -> Result<Link, NotLinked> {
        self.change(id, |link| {
            link.wrong += 1;
            if link.fate == Fate::Open && link.wrong >= MOST_WRONG {
                link.fate = Fate::Spoiled;
            }
            Ok(())
        })
    }

    /// The turn to hand something in, for one at a time.
    pub(super) fn take_turn(&self, id: &str) -> Result<Turn, NotLinked> {
        let mut busy = self.0.busy.lock().unwrap_or_else(PoisonError::into_inner);
        match busy.insert(id.to_owned()) {
            true => Ok(Turn { links: self.clone(), id: id.to_owned() }),
            false => Err(NotLinked::Busy),
        }
    }

    /// Uses the link up. What waits is kept as a secret until the operator's word.
    pub(super) fn use_up(&self, id: &str, found: Found, parcel: Option<&Parcel>, now: i64) -> Result<Link, NotLinked> {
        if let Some(parcel) = parcel {
            let content = parcel.written();
            self.0.store.put(&parcel_key(id), &content, Expected::Anything).map(drop).map_err(NotLinked::Unwritten)?;
        }
        self.change(id, |link| {
            Self::check(link, now)?;
            link.fate = if parcel.is_some() { Fate::Waiting } else { Fate::Taken };
            (link.found, link.handed_in) = (Some(found), Some(now));
            Ok(())
        })
    }

    /// Opens it again, when what it was used up for was not done after all.
    pub(super) fn give_back(&self, id: &str) -> Result<Link, NotLinked> {
        self.change(id, |link| {
            (link.fate, link.found, link.handed_in) = (Fate::Open, None, None);
            Ok(())
        })
    }

    /// What waits.
    pub(super) fn parcel(&self, id: &str) -> Result<Parcel, NotLinked> {
        let link = self.find(id).ok_or(NotLinked::Unknown)?;
        if link.fate != Fate::Waiting {
            return Err(NotLinked::Not(link.fate));
        }
        let kept = self.0.store.read(&parcel_key(id)).map_err(NotLinked::Unwritten)?;
        kept.and_then(|item| Parcel::read(&item.content)).ok_or(NotLinked::Unknown)
    }

    /// The operator's word about what waits, or that nothing may be handed in any more. What was kept goes.
    pub(super) fn end(&self, id: &str, fate: Fate) -> Result<Link, NotLinked> {
        let ended = self.change(id, |link| match (link.fate, fate) {
            (Fate::Waiting, Fate::Taken | Fate::Declined) | (Fate::Open | Fate::Waiting, Fate::Revoked) => {
                link.fate = fate;
                Ok(())
            }
            (found, _) => Err(NotLinked::Not(found)),
        })?;
        self.0.store.delete(&parcel_key(id)).map_err(NotLinked::Unwritten)?;
        Ok(ended)
    }

    fn change(&self, id: &str, change: impl FnOnce(&mut Link) -> Result<(), NotLinked>) -> Result<Link, NotLinked> {
        let _turn = self.0.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.find(id).ok_or(NotLinked::Unknown)?;
        let mut link = before.clone();
        change(&mut link)?;
        if link != before {
            self.write(&link)?;
            let mut known = self.0.known.write().unwrap_or_else(PoisonError::into_inner);
            if let Some(place) = known.iter_mut().find(|known| known.id == id) {
                *place = link.clone();
            }
        }
        Ok(link)
    }

    /// Forgets those that ended long ago.
    fn sweep(&self, now: i64) {
        let is_old = |link: &Link| link.fate != Fate::Waiting && link.expires + REMEMBERED < now;
        let old: Vec<String> = self.list().into_iter().filter(is_old).map(|link| link.id).collect();
        for id in old {
            // One that cannot be deleted is tried again with the next.
            if self.0.store.delete(&key(&id)).is_ok() {
                self.0.known.write().unwrap_or_else(PoisonError::into_inner).retain(|link| link.id != id);
            }
        }
    }

    fn write(&self, link: &Link) -> Result<(), NotLinked> {
        let content = serde_json::to_vec_pretty(link).unwrap_or_default();
        self.0.store.put(&key(&link.id), &content, Expected::Anything).map(drop).map_err(NotLinked::Unwritten)
    }
}

/// Somebody's turn to hand something in; over when dropped.
pub(super) struct Turn {
    links: Links,
    id: String,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.links.0.busy.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

fn folder() -> Key {
    Key::known(&["links"])
}

/// `id` is in hexadecimal, ours or read from a file of that name.
fn key(id: &str) -> Key {
    folder().below(&format!("{id}.json")).unwrap_or_else(folder)
}

fn parcel_key(id: &str) -> Key {
    folder().below(&format!("{id}{PARCEL}")).unwrap_or_else(folder)
}

/// What waits is sealed where the state has a key: the name says that it is a secret.
const PARCEL: &str = "-secret.txt";
/// Far more than are open at once, and those that ended of late.
const MOST: usize = 1000;
/// Whoever picks the wrong file does so a few times.
const MOST_WRONG: u32 = 10;
/// For how long one that has ended is listed.
const REMEMBERED: i64 = 30 * 86_400;
