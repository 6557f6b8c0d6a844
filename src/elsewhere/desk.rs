//! Keeps the URLs, and has them looked at.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use ipnet::IpNet;

use super::record::{Foreign, Said, Seen};
use super::url::ForeignUrl;
use crate::certs::{Onlooker, Roots};
use crate::outbound::HostNames;
use crate::probe::{Probe, Target};
use crate::shutdown::Lifecycle;
use crate::store::{Expected, Key, Store, StoreError};

/// Whoever keeps them. Clones are the same.
#[derive(Clone)]
pub struct Elsewhere(Arc<Desk>);

struct Desk {
    store: Store,
    kept: RwLock<BTreeMap<String, Foreign>>,
    /// One change at a time.
    changing: Mutex<()>,
    /// One round of looks at a time.
    looking: tokio::sync::Mutex<()>,
    how: Looking,
}

/// How they are looked at, as the operator wants it now.
pub struct Looking {
    /// Whom clients trust.
    pub roots: Box<dyn Fn() -> Roots + Send + Sync>,
    /// Networks of one's own that are looked at all the same.
    pub networks: Box<dyn Fn() -> Vec<IpNet> + Send + Sync>,
}

/// Why a URL is not as somebody wants it.
#[derive(Debug)]
pub enum NotKept {
    /// It is there already.
    Known,
    /// There is none of this name.
    Unknown,
    /// There are as many as there may be.
    TooMany,
    /// It could not be looked at; why.
    Unseen(String),
    /// It could not be written.
    Unwritten(StoreError),
}

impl fmt::Display for NotKept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known => f.write_str("this URL is watched already; `vitrine elsewhere list` shows those there are"),
            Self::Unknown => f.write_str("there is no such URL; `vitrine elsewhere list` shows those there are"),
            Self::TooMany => write!(f, "there are {MOST} URLs already; remove one that nobody needs"),
            Self::Unseen(why) => write!(f, "it could not be looked at: {why}; try it again"),
            Self::Unwritten(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for NotKept {}

impl From<StoreError> for NotKept {
    fn from(error: StoreError) -> Self {
        Self::Unwritten(error)
    }
}

impl Elsewhere {
    /// Those of the state.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub fn open(store: Store, how: Looking) -> Result<Self, StoreError> {
        let kept: BTreeMap<String, Foreign> = match store.read(&key())? {
            None => BTreeMap::new(),
            Some(item) => serde_json::from_slice(&item.content).unwrap_or_else(|error| {
                tracing::error!(%error, "{} cannot be read, and no URL elsewhere is watched; restore it from a backup", key());
                BTreeMap::new()
            }),
        };
        let (kept, changing, looking) = (RwLock::new(kept), Mutex::default(), tokio::sync::Mutex::default());
        Ok(Self(Arc::new(Desk { store, kept, changing, looking, how })))
    }

    /// All of them, by name.
    #[must_use]
    pub fn list(&self) -> Vec<Foreign> {
        self.0.kept.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// The one of a name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<Foreign> {
        self.0.kept.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// Watches one more, for an organisation or for the edge. It blocks.
    ///
    /// # Errors
    /// [`NotKept`]
    pub fn add(&self, url: &ForeignUrl, added: Said, organisation: Option<String>) -> Result<Foreign, NotKept> {
        let made = Foreign { name: url.to_string(), organisation, added, unwatched: None, seen: None };
        self.change(|kept| {
            if kept.len() >= MOST {
                return Err(NotKept::TooMany);
            }
            match kept.insert(made.name.clone(), made.clone()) {
                None => Ok(()),
                Some(_) => Err(NotKept::Known),
            }
        })?;
        Ok(made)
    }

    /// Forgets one. It blocks.
    ///
    /// # Errors
    /// [`NotKept`]
    pub fn remove(&self, name: &str) -> Result<(), NotKept> {
        self.change(|kept| kept.remove(name).map(drop).ok_or(NotKept::Unknown))
    }

    /// Has one left alone, or with `None` looked at again. It blocks.
    ///
    /// # Errors
    /// [`NotKept`]
    pub fn watch(&self, name: &str, unwatched: Option<Said>) -> Result<Foreign, NotKept> {
        self.change(|kept| kept.get_mut(name).map(|one| one.unwatched = unwatched).ok_or(NotKept::Unknown))?;
        self.find(name).ok_or(NotKept::Unknown)
    }

    /// Gives one to an organisation, or with `None` to the edge. It blocks.
    ///
    /// # Errors
    /// [`NotKept`]
    pub fn give(&self, name: &str, organisation: Option<String>) -> Result<Foreign, NotKept> {
        self.change(|kept| kept.get_mut(name).map(|one| one.organisation = organisation).ok_or(NotKept::Unknown))?;
        self.find(name).ok_or(NotKept::Unknown)
    }

    /// Gives all that belong to an organisation to the edge, and tells which these are. It blocks.
    ///
    /// # Errors
    /// [`NotKept`]
    pub fn leave(&self, organisation: &str) -> Result<Vec<String>, NotKept> {
        let is_theirs = |one: &Foreign| one.organisation.as_deref() == Some(organisation);
        if !self.0.kept.read().unwrap_or_else(PoisonError::into_inner).values().any(is_theirs) {
            return Ok(Vec::new());
        }
        let mut left = Vec::new();
        self.change(|kept| {
            for one in kept.values_mut().filter(|one| is_theirs(one)) {
                one.organisation = None;
                left.push(one.name.clone());
            }
            Ok(())
        })?;
        Ok(left)
    }

    /// Looks at one now.
    ///
    /// # Errors
    /// [`NotKept`]
    pub async fn look(&self, name: &str) -> Result<Foreign, NotKept> {
        let found = self.find(name).ok_or(NotKept::Unknown)?;
        self.look_at(vec![found]).await?;
        self.find(name).ok_or(NotKept::Unknown)
    }

    /// Looks at each when it is due, until the edge drains.
    pub async fn run(self, mut lifecycle: Lifecycle) {
        loop {
            let now = unix();
            let due: Vec<Foreign> = self.list().into_iter().filter(|one| one.is_due(now)).take(A_ROUND).collect();
            if !due.is_empty() {
                let looked = tokio::select! {
                    looked = self.look_at(due) => looked,
                    _ = lifecycle.draining() => return,
                };
                if let Err(error) = looked {
                    tracing::error!(%error, "URLs elsewhere could not be looked at");
                }
            }
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                _ = lifecycle.draining() => return,
            }
        }
    }

    async fn look_at(&self, urls: Vec<Foreign>) -> Result<(), NotKept> {
        let _turn = self.0.looking.lock().await;
        let onlooker = Onlooker::new((self.0.how.roots)()).map_err(NotKept::Unseen)?;
        let probe = Probe {
            onlooker,
            names: HostNames::system(),
            servers: Vec::new(),
            at: None,
            allowed: Some((self.0.how.networks)()),
            patience: PATIENCE,
            at_once: AT_ONCE,
            time: TIME,
            least_days: 0,
        };
        let target = |url: ForeignUrl| Target {
            name: url.to_string(),
            host: url.host().clone(),
            port: url.port(),
            published: None,
            apple_file: None,
        };
        let targets = urls.iter().filter_map(Foreign::url).map(target).collect();
        let sights = probe.look(targets, |_, _| ()).await;
        let (desk, now) = (self.clone(), unix());
        let kept = tokio::task::spawn_blocking(move || {
            desk.change(|kept| {
                for name in urls.iter().map(|url| &url.name) {
                    // Whoever was removed meanwhile stays so.
                    let Some(one) = kept.get_mut(name) else { continue };
                    let seen: Vec<_> = sights.iter().filter(|sight| sight.name == *name).cloned().collect();
                    one.seen = Some(Seen::of(&seen, one.seen.as_ref(), now));
                }
                Ok(())
            })
        });
        kept.await.unwrap_or_else(|error| Err(NotKept::Unseen(error.to_string())))
    }

    /// Written first, and only then so.
    fn change(
        &self,
        change: impl FnOnce(&mut BTreeMap<String, Foreign>) -> Result<(), NotKept>,
    ) -> Result<(), NotKept> {
        let _turn = self.0.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut kept = self.0.kept.read().unwrap_or_else(PoisonError::into_inner).clone();
        change(&mut kept)?;
        self.0.store.put(&key(), &serde_json::to_vec_pretty(&kept).unwrap_or_default(), Expected::Anything)?;
        *self.0.kept.write().unwrap_or_else(PoisonError::into_inner) = kept;
        Ok(())
    }

    /// Where there is none.
    #[cfg(test)]
    pub(crate) fn of_nothing(store: &Store) -> Self {
        let how = Looking { roots: Box::new(Roots::default), networks: Box::new(Vec::new) };
        Self::open(store.clone(), how).expect("open")
    }
}

fn key() -> Key {
    Key::known(&["elsewhere", "urls.json"])
}

fn unix() -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    i64::try_from(now).unwrap_or(i64::MAX)
}

/// As many as one file holds well.
const MOST: usize = 1_000;
/// Between two questions whether one is due.
const PAUSE: Duration = Duration::from_secs(30);
/// So many at once, and no more: they are others' servers.
const AT_ONCE: usize = 8;
/// In one round; the next follows at once.
const A_ROUND: usize = 200;
const PATIENCE: Duration = Duration::from_secs(10);
const TIME: Duration = Duration::from_secs(300);
