//! The users: who there is, added, changed and taken away.

use std::sync::{Mutex, PoisonError, RwLock};

use super::password::Hashed;
use super::user::{Grants, User, UserName, UserRole};
use crate::admin::secrets::random_hex;
use crate::store::{Expected, Key, Store, StoreError};

/// Keeps the users, in `users/`.
#[derive(Debug)]
pub(super) struct Users {
    store: Store,
    known: RwLock<Vec<User>>,
    /// One change at a time.
    changing: Mutex<()>,
}

/// Why a user is not as somebody wants him.
#[derive(Debug)]
pub(in crate::admin) enum NotChanged {
    /// There is no such user.
    Unknown,
    /// Another has the name.
    NameTaken,
    /// There are as many as there may be.
    TooMany,
    /// Nobody would be left who may say who may do what.
    LastAdmin,
    /// The system gives no random numbers.
    NoRandomness,
    /// It could not be written.
    Unwritten(StoreError),
}

impl Users {
    /// The users of the state.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub(super) fn open(store: Store) -> Result<Self, StoreError> {
        let mut known: Vec<User> = Vec::new();
        for name in store.names(&folder())? {
            let Some(item) = folder().below(&name).map(|key| store.read(&key)).transpose()?.flatten() else { continue };
            match serde_json::from_slice::<User>(&item.content) {
                Ok(user)
                    if name == format!("{}.json", user.id) && known.iter().all(|other| other.name != user.name) =>
                {
                    known.push(user);
                }
                _ => tracing::error!(
                    file = format!("users/{name}"),
                    "this is no user of ours, or one whose name another has, and lets nobody in; delete it, and make the user again \
                     with `vitrine user add`"
                ),
            }
        }
        Ok(Self { store, known: RwLock::new(known), changing: Mutex::new(()) })
    }

    /// All of them, in order of their names.
    pub(super) fn list(&self) -> Vec<User> {
        let mut list = self.known.read().unwrap_or_else(PoisonError::into_inner).clone();
        list.sort_by(|one, other| one.name.cmp(&other.name));
        list
    }

    /// The one with this id.
    pub(super) fn by_id(&self, id: &str) -> Option<User> {
        self.find(|user| user.id == id)
    }

    /// The one with this name.
    pub(super) fn by_name(&self, name: &UserName) -> Option<User> {
        self.find(|user| user.name == *name)
    }

    fn find(&self, is_it: impl Fn(&User) -> bool) -> Option<User> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).iter().find(|user| is_it(user)).cloned()
    }

    /// Whether there is nobody.
    pub(super) fn is_empty(&self) -> bool {
        self.known.read().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Adds one; `only_first` if there is nobody yet.
    pub(super) fn add(
        &self,
        name: UserName,
        grants: Grants,
        password: Hashed,
        one_time_until: Option<i64>,
        now: i64,
        only_first: bool,
    ) -> Result<User, NotChanged> {
        let _turn = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let id = random_hex::<6>().map_err(|_| NotChanged::NoRandomness)?.to_string();
        {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            if known.iter().any(|known| known.name == name) {
                return Err(NotChanged::NameTaken);
            }
            if known.len() >= MOST || (only_first && !known.is_empty()) {
                return Err(NotChanged::TooMany);
            }
        }
        let user = User { id, name, grants, created: now, password, one_time_until };
        self.write(&user, Expected::Nothing)?;
        self.known.write().unwrap_or_else(PoisonError::into_inner).push(user.clone());
        Ok(user)
    }

    /// Changes one, on disk first. Gives what he was and is.
    pub(super) fn change(&self, id: &str, change: impl FnOnce(&mut User)) -> Result<(User, User), NotChanged> {
        let _turn = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.by_id(id).ok_or(NotChanged::Unknown)?;
        let mut after = before.clone();
        change(&mut after);
        if !is_admin(&after) && self.is_last_admin(&before) {
            return Err(NotChanged::LastAdmin);
        }
        self.write(&after, Expected::Anything)?;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = known.iter_mut().find(|user| user.id == id) {
            *place = after.clone();
        }
        Ok((before, after))
    }

    /// Takes one away; the last who may say who may do what only when he `may_be_last`.
    pub(super) fn remove(&self, id: &str, may_be_last: bool) -> Result<User, NotChanged> {
        let _turn = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let user = self.by_id(id).ok_or(NotChanged::Unknown)?;
        if !may_be_last && self.is_last_admin(&user) {
            return Err(NotChanged::LastAdmin);
        }
        // Whose file cannot be deleted would be back after the next start: the operator must hear of it. Until then he is gone
        // all the same.
        self.known.write().unwrap_or_else(PoisonError::into_inner).retain(|known| known.id != id);
        self.store.delete(&key(id)).map_err(NotChanged::Unwritten)?;
        Ok(user)
    }

    fn is_last_admin(&self, user: &User) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        is_admin(user) && !known.iter().any(|other| is_admin(other) && other.id != user.id)
    }

    fn write(&self, user: &User, expected: Expected) -> Result<(), NotChanged> {
        let content = serde_json::to_vec_pretty(user).unwrap_or_default();
        self.store.put(&key(&user.id), &content, expected).map(drop).map_err(NotChanged::Unwritten)
    }
}

fn is_admin(user: &User) -> bool {
    user.grants.role == Some(UserRole::Admin)
}

fn folder() -> Key {
    Key::known(&["users"])
}

/// `id` is in hexadecimal, ours or read from a file of that name.
fn key(id: &str) -> Key {
    folder().below(&format!("{id}.json")).unwrap_or_else(folder)
}

/// Far more than look after shops.
const MOST: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    fn add(users: &Users, name: &str, role: UserRole) -> Result<User, NotChanged> {
        users.add(UserName::parse(name).expect("a name"), Grants::edge(role), Hashed::of_nobody(), None, 100, false)
    }

    #[test]
    fn users_are_there_again_after_a_restart() {
        let store = Store::in_memory();
        let users = Users::open(store.clone()).expect("open");
        assert!(users.is_empty());
        let (anna, ben) =
            (add(&users, "Anna", UserRole::Admin).expect("added"), add(&users, "ben", UserRole::Read).expect("added"));
        assert!(matches!(add(&users, "anna", UserRole::Read), Err(NotChanged::NameTaken)));
        let (before, after) =
            users.change(&ben.id, |user| user.grants = Grants::edge(UserRole::Operate)).expect("changed");
        assert_eq!((before, after.grants.role), (ben, Some(UserRole::Operate)));
        let users = Users::open(store).expect("open");
        assert_eq!(users.list(), [anna.clone(), after]);
        assert_eq!(users.by_name(&anna.name), Some(anna));
    }

    #[test]
    fn somebody_is_always_left_who_may_say_who_may_do_what() {
        let users = Users::open(Store::in_memory()).expect("open");
        let anna = add(&users, "anna", UserRole::Admin).expect("added");
        add(&users, "ben", UserRole::Operate).expect("added");
        assert!(matches!(
            users.change(&anna.id, |user| user.grants = Grants::edge(UserRole::Read)),
            Err(NotChanged::LastAdmin)
        ));
        assert!(matches!(users.remove(&anna.id, false), Err(NotChanged::LastAdmin)));
        let carl = add(&users, "carl", UserRole::Admin).expect("added");
        users.change(&anna.id, |user| user.grants = Grants::edge(UserRole::Read)).expect("changed");
        assert_eq!(users.remove(&carl.id, true).expect("removed"), carl);
        assert!(matches!(users.remove(&carl.id, true), Err(NotChanged::Unknown)));
    }

    #[test]
    fn the_first_is_first_and_a_file_that_is_no_user_lets_nobody_in() {
        let store = Store::in_memory();
        for (name, content) in [("a.json", "{}"), ("b.json", "garbage")] {
            store.put(&Key::of(&["users", name]).expect("a key"), content.as_bytes(), Expected::Nothing).expect("put");
        }
        let users = Users::open(store).expect("open");
        assert!(users.is_empty());
        let first = |name| {
            users.add(
                UserName::parse(name).expect("a name"),
                Grants::edge(UserRole::Admin),
                Hashed::of_nobody(),
                None,
                1,
                true,
            )
        };
        first("anna").expect("nobody was there");
        assert!(matches!(first("ben"), Err(NotChanged::TooMany)));
    }
}
