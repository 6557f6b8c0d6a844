//! The people who look after the edge: users, what they sign in by, and their sessions.

pub(super) mod cookie;
mod organisations;
mod owners;
mod password;
mod second_factors;
mod sessions;
mod set_up;
mod signing_in;
mod totp;
mod user;
mod users;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use zeroize::Zeroizing;

use self::organisations::Organisations;
pub(super) use self::organisations::{Company, Contact, NotOrganised, Organisation, OrganisationDetails};
use self::password::{Hashed, PasswordFlaw};
pub(super) use self::second_factors::NotFactored;
use self::second_factors::SecondFactors;
pub use self::sessions::SessionTerms;
use self::sessions::Sessions;
pub(super) use self::sessions::{CsrfToken, NotBegun, Session};
use self::set_up::{NotOpened, SetUp};
pub(super) use self::signing_in::{Attempt, NotLetIn, NotProven, NotReplaced, NotSetUp, SignedIn};
pub(super) use self::totp::picture;
pub(super) use self::user::{Grants, User, UserName, UserRole};
pub(super) use self::users::NotChanged;
use self::users::Users;
use super::failures::Failures;
use crate::store::{Store, StoreError};

/// The users of an edge, and who of them has signed in.
#[derive(Clone, Debug)]
pub struct People(Arc<Office>);

#[derive(Debug)]
struct Office {
    users: Users,
    organisations: Organisations,
    factors: SecondFactors,
    sessions: Sessions,
    set_up: SetUp,
    guesses: Mutex<Guesses>,
}

/// Guesses at passwords.
#[derive(Debug)]
struct Guesses {
    by_address: Failures<IpAddr>,
    by_name: Failures<String>,
}

impl People {
    /// The people of the state.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub fn open(store: Store, terms: SessionTerms) -> Result<Self, StoreError> {
        let guesses = Guesses {
            by_address: Failures::by_address(),
            by_name: Failures::new(String::new(), GUESSES_AT_A_NAME, GUESS_FORGIVEN),
        };
        Ok(Self(Arc::new(Office {
            users: Users::open(store.clone())?,
            organisations: Organisations::open(store.clone())?,
            factors: SecondFactors::open(store.clone())?,
            sessions: Sessions::open(store.clone(), terms, super::now())?,
            set_up: SetUp::new(store),
            guesses: Mutex::new(guesses),
        })))
    }

    /// Opens the way in for the first user, if there is nobody. Gives the name of the file with the token, in the state folder, and how long
    /// it holds: then [`People::close_set_up`] is due. Blocks for the disk.
    #[must_use]
    pub fn open_set_up(&self) -> Option<(&'static str, Duration)> {
        if !self.0.users.is_empty() {
            self.0.set_up.close();
            return None;
        }
        match self.0.set_up.open(super::now()) {
            Ok(()) => Some((set_up::FILE, Duration::from_secs(set_up::LIFE.unsigned_abs()))),
            Err(why) => {
                let error = match why {
                    NotOpened::NoRandomness => "the system gives no random numbers".into(),
                    NotOpened::Unwritten(error) => error.to_string(),
                };
                tracing::error!(error, "there is no user, and no token to make the first with; use `vitrine user add`");
                None
            }
        }
    }

    /// Closes the way in for the first user. Blocks for the disk.
    pub fn close_set_up(&self) {
        self.0.set_up.close();
    }

    /// Until when the first user can be made: seconds since the Unix epoch.
    pub(super) fn set_up_until(&self) -> Option<i64> {
        self.0.set_up.until(super::now()).filter(|_| self.0.users.is_empty())
    }

    /// Who has signed in with this secret.
    pub(super) fn of_session(&self, secret: &str) -> Option<(User, Session, CsrfToken)> {
        let (session, is_due) = self.0.sessions.find(secret, super::now())?;
        let user = self.0.users.by_id(&session.user)?;
        if is_due {
            let (office, session) = (Arc::clone(&self.0), session.clone());
            tokio::task::spawn_blocking(move || office.sessions.keep(&session));
        }
        Some((user, session, CsrfToken::of(secret)))
    }

    /// When a session ends if nothing more is asked: seconds since the Unix epoch.
    pub(super) fn end_of(&self, session: &Session) -> i64 {
        self.0.sessions.end_of(session)
    }

    /// A user's sessions; the one that was seen last is last.
    pub(super) fn sessions_of(&self, user: &str) -> Vec<Session> {
        self.0.sessions.of_user(user, super::now())
    }

    /// Ends a session of a user's. Gives whether there was one. Blocks for the disk.
    pub(super) fn sign_out(&self, user: &str, session: &str) -> bool {
        self.0.sessions.end(user, session)
    }

    /// Ends all sessions of a user. Gives how many there were. Blocks for the disk.
    pub(super) fn sign_out_everywhere(&self, user: &str) -> usize {
        self.0.sessions.end_all(user, None)
    }

    /// Every user, in order of their names.
    pub(super) fn users(&self) -> Vec<User> {
        self.0.users.list()
    }

    /// A user.
    pub(super) fn user(&self, id: &str) -> Option<User> {
        self.0.users.by_id(id)
    }

    /// The user of a name.
    pub(super) fn user_called(&self, name: &UserName) -> Option<User> {
        self.0.users.by_name(name)
    }

    /// Adds a user with a password of his own, or with one for one time, which is given back.
    pub(super) async fn add(
        &self,
        name: UserName,
        grants: Grants,
        password: Option<Zeroizing<String>>,
    ) -> Result<(User, Option<Zeroizing<String>>), NotChanged> {
        let (hashed, one_time) = hashed(password).await?;
        let now = super::now();
        let until = one_time.as_ref().map(|_| now + ONE_TIME);
        let added = self.apart(move |office| {
            let added = office.users.add(name, grants, hashed, until, now, false)?;
            office.set_up.close();
            Ok(added)
        });
        Ok((added.await?, one_time))
    }

    /// Changes what a user may do. His sessions end: whoever he is now signs in anew.
    pub(super) async fn set_grants(&self, id: &str, grants: Grants) -> Result<(User, User), NotChanged> {
        let (before, after) = self.change(id, move |user| user.grants = grants).await?;
        if before.grants != after.grants {
            self.end_all(id, None).await;
        }
        Ok((before, after))
    }

    /// Every organisation, in order of their names.
    pub(super) fn organisations(&self) -> Vec<Organisation> {
        self.0.organisations.list()
    }

    /// An organisation.
    pub(super) fn organisation(&self, id: &str) -> Option<Organisation> {
        self.0.organisations.find(id)
    }

    /// The id of the organisation that owns a site.
    #[must_use]
    pub fn organisation_of(&self, site: &str) -> Option<String> {
        self.0.organisations.of_site(site)
    }

    /// The sites of several organisations, by name.
    pub(super) fn sites_of<'a>(&self, ids: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
        self.0.organisations.sites_of(ids)
    }

    /// Makes an organisation. Blocks for the disk.
    pub(super) fn add_organisation(&self, details: OrganisationDetails) -> Result<Organisation, NotOrganised> {
        self.0.organisations.add(details, super::now())
    }

    /// Changes one. Blocks for the disk.
    pub(super) fn change_organisation(
        &self,
        id: &str,
        details: OrganisationDetails,
    ) -> Result<Organisation, NotOrganised> {
        self.0.organisations.change(id, details)
    }

    /// Takes one away. Blocks for the disk.
    pub(super) fn remove_organisation(&self, id: &str) -> Result<Organisation, NotOrganised> {
        self.0.organisations.remove(id)
    }

    /// Gives a user a password for one time, takes his second factor away, and ends his sessions.
    pub(super) async fn reset(&self, id: &str) -> Result<(User, Zeroizing<String>), NotChanged> {
        if self.user(id).is_none() {
            return Err(NotChanged::Unknown);
        }
        let (hashed, one_time) = hashed(None).await?;
        let until = Some(super::now() + ONE_TIME);
        // Before too: a kill in between must leave no session that began with the password so far.
        self.end_all(id, None).await;
        let user = id.to_owned();
        self.apart(move |office| office.factors.remove(&user)).await.map_err(NotChanged::Unwritten)?;
        let (_, user) = self.change(id, move |user| (user.password, user.one_time_until) = (hashed, until)).await?;
        self.end_all(id, None).await;
        Ok((user, one_time.ok_or(NotChanged::NoRandomness)?))
    }

    /// Takes a user away, with his sessions; the last who may say who may do what only when he `may_be_last`.
    pub(super) async fn remove(&self, id: &str, may_be_last: bool) -> Result<User, NotChanged> {
        let id = id.to_owned();
        self.apart(move |office| {
            let removed = office.users.remove(&id, may_be_last)?;
            office.sessions.end_all(&id, None);
            office.factors.remove(&id).map_err(NotChanged::Unwritten)?;
            Ok(removed)
        })
        .await
    }

    async fn begin(&self, user: &User, address: String, agent: &str) -> Result<(Session, Zeroizing<String>), NotBegun> {
        let (user, agent, now) = (user.id.clone(), agent.to_owned(), super::now());
        self.apart(move |office| office.sessions.begin(&user, address, &agent, now)).await
    }

    async fn end_all(&self, user: &str, but: Option<&str>) -> usize {
        let (user, but) = (user.to_owned(), but.map(str::to_owned));
        self.apart(move |office| office.sessions.end_all(&user, but.as_deref())).await
    }

    async fn change(
        &self,
        id: &str,
        change: impl FnOnce(&mut User) + Send + 'static,
    ) -> Result<(User, User), NotChanged> {
        let id = id.to_owned();
        self.apart(move |office| office.users.change(&id, change)).await
    }

    /// Does what blocks for the disk where that is allowed.
    async fn apart<T: Send + 'static>(&self, act: impl FnOnce(&Office) -> T + Send + 'static) -> T {
        let office = Arc::clone(&self.0);
        match tokio::task::spawn_blocking(move || act(&office)).await {
            Ok(done) => done,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}

/// What is kept of a password, or of one for one time, which comes with it.
async fn hashed(password: Option<Zeroizing<String>>) -> Result<(Hashed, Option<Zeroizing<String>>), NotChanged> {
    let one_time =
        if password.is_none() { Some(password::one_time().map_err(|_| NotChanged::NoRandomness)?) } else { None };
    let Some(chosen) = password.or_else(|| one_time.clone()) else { return Err(NotChanged::NoRandomness) };
    let hashed = password::apart(move || Hashed::of(&chosen)).await.and_then(Result::ok);
    Ok((hashed.ok_or(NotChanged::NoRandomness)?, one_time))
}

/// What is wrong with a password that somebody wants.
pub(super) fn password_flaw(password: &str, user: &str) -> Option<PasswordFlaw> {
    password::flaw(password, user)
}

/// At one name, wherever they come from. A thousand machines that guess together get a few thousand guesses a day.
const GUESSES_AT_A_NAME: u32 = 20;
const GUESS_FORGIVEN: Duration = Duration::from_secs(30);
/// In seconds: a day, for a password that has to get to somebody.
const ONE_TIME: i64 = 24 * 3600;

/// Somebody who has signed in.
#[cfg(test)]
pub(super) fn signed_in(name: &str, role: UserRole) -> (User, Session, CsrfToken) {
    let users = Users::open(Store::in_memory()).expect("open");
    let name = UserName::parse(name).expect("a name");
    let user = users.add(name, Grants::edge(role), Hashed::of_nobody(), None, 100, false).expect("added");
    let terms = SessionTerms { idle: ONE_HOUR, lifetime: ONE_HOUR };
    let sessions = Sessions::open(Store::in_memory(), terms, 100).expect("open");
    let (session, secret) = sessions.begin(&user.id, "127.0.0.1".into(), "", 100).expect("begun");
    (user, session, CsrfToken::of(&secret))
}

#[cfg(test)]
const ONE_HOUR: Duration = Duration::from_secs(3600);
