//! Getting in: with a password, with another one, and as the first of all.

use std::net::IpAddr;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use super::password::{self, Hashed, PasswordFlaw};
use super::second_factors::NotFactored;
use super::sessions::{NotBegun, Session};
use super::user::{Grants, User, UserName, UserRole};
use super::users::NotChanged;
use super::{People, hashed};
use crate::admin::failures::network;
use crate::admin::now;

/// Somebody at the door.
pub(in crate::admin) struct Attempt {
    /// Who he says he is.
    pub(in crate::admin) name: String,
    /// What he proves it by.
    pub(in crate::admin) password: Zeroizing<String>,
    /// And by that, if he has a second factor.
    pub(in crate::admin) code: Option<Zeroizing<String>>,
    /// Where he is.
    pub(in crate::admin) peer: IpAddr,
    /// What his browser says it is.
    pub(in crate::admin) agent: String,
}

/// Somebody who is in.
pub(in crate::admin) struct SignedIn {
    /// Who.
    pub(in crate::admin) user: User,
    /// His session.
    pub(in crate::admin) session: Session,
    /// What the cookie carries.
    pub(in crate::admin) secret: Zeroizing<String>,
}

/// Why nobody was let in.
#[derive(Debug)]
pub(in crate::admin) enum NotLetIn {
    /// There is no such user, or the password is another; the user, if there is one.
    Wrong(Option<UserName>),
    /// The password was for one time, which is over.
    Over(UserName),
    /// The password is right, and a code of the second factor is needed too.
    CodeNeeded(UserName),
    /// The password is right, and the code is another or has been used.
    WrongCode(UserName),
    /// The use of the code could not be kept.
    NotFactored(NotFactored),
    /// There were too many guesses; how long to wait.
    TooMany(Duration),
    /// There is no session.
    NotBegun(NotBegun),
    /// The password could not be looked at.
    Broken,
}

/// Why a second factor is not as its owner wants it.
#[derive(Debug)]
pub(in crate::admin) enum NotProven {
    /// There were too many guesses; how long to wait.
    TooMany(Duration),
    /// Anything else.
    NotFactored(NotFactored),
}

/// Why there is no first user.
#[derive(Debug)]
pub(in crate::admin) enum NotSetUp {
    /// There are users, or the time is over.
    Closed,
    /// The token is another.
    Wrong,
    /// There were too many guesses; how long to wait.
    TooMany(Duration),
    /// He could not be kept.
    NotChanged(NotChanged),
    /// There is no session.
    NotBegun(NotBegun),
}

/// Why a password was not changed.
#[derive(Debug)]
pub(in crate::admin) enum NotReplaced {
    /// The one so far is another.
    Wrong,
    /// There were too many guesses; how long to wait.
    TooMany(Duration),
    /// What is wrong with the new one.
    Flawed(PasswordFlaw),
    /// It could not be kept.
    NotChanged(NotChanged),
    /// There is no session.
    NotBegun(NotBegun),
    /// The passwords could not be looked at.
    Broken,
}

impl People {
    /// Lets somebody in who proves that he is who he says.
    pub(in crate::admin) async fn sign_in(&self, attempt: Attempt) -> Result<SignedIn, NotLetIn> {
        let Attempt { name, password, code, peer, agent } = attempt;
        let name = UserName::parse(&name);
        let counted = name.as_ref().map_or_else(String::new, UserName::to_string);
        self.guess(Some(peer), &counted).map_err(NotLetIn::TooMany)?;
        let user = name.and_then(|name| self.0.users.by_name(&name));
        let hashed = user.as_ref().map_or_else(Hashed::of_nobody, |user| user.password.clone());
        let fits = password::apart(move || hashed.fits(&password)).await.ok_or(NotLetIn::Broken)?;
        // As he is now: while one password was looked at, another may have taken its place.
        let is_current = |user: &User| self.user(&user.id).is_some_and(|now| now.password == user.password);
        let user = match user {
            Some(user) if fits && is_current(&user) => user,
            user => return Err(NotLetIn::Wrong(user.map(|user| user.name))),
        };
        if self.has_factor(&user.id) {
            let Some(code) = code.filter(|code| !code.trim().is_empty()) else {
                self.was_no_guess(Some(peer), &counted);
                return Err(NotLetIn::CodeNeeded(user.name));
            };
            match self.use_code(&user.id, code).await {
                Ok(()) => {}
                Err(NotFactored::Wrong) => return Err(NotLetIn::WrongCode(user.name)),
                Err(why) => return Err(NotLetIn::NotFactored(why)),
            }
        }
        self.was_no_guess(Some(peer), &counted);
        let now = now();
        if user.one_time_until.is_some_and(|until| until <= now) {
            return Err(NotLetIn::Over(user.name));
        }
        let (session, secret) =
            self.begin(&user, peer.to_canonical().to_string(), &agent).await.map_err(NotLetIn::NotBegun)?;
        Ok(SignedIn { user, session, secret })
    }

    /// Whether a user has a second factor.
    pub(in crate::admin) fn has_factor(&self, user: &str) -> bool {
        self.0.factors.is_on(user)
    }

    /// Begins a second factor. Gives its secret as people type it, and for a telephone.
    pub(in crate::admin) fn begin_factor(
        &self,
        user: &User,
    ) -> Result<(Zeroizing<String>, Zeroizing<String>), NotFactored> {
        self.0.factors.begin(&user.id, user.name.as_str())
    }

    /// Turns the one on that was begun; all other sessions end. Gives the recovery codes.
    pub(in crate::admin) async fn confirm_factor(
        &self,
        user: &User,
        session: &Session,
        code: Zeroizing<String>,
    ) -> Result<Vec<Zeroizing<String>>, NotProven> {
        self.guess(None, user.name.as_str()).map_err(NotProven::TooMany)?;
        let (id, now) = (user.id.clone(), now());
        let confirmed = self.apart(move |office| office.factors.confirm(&id, &code, now)).await;
        let codes = confirmed.map_err(NotProven::NotFactored)?;
        self.was_no_guess(None, user.name.as_str());
        self.end_all(&user.id, Some(&session.id)).await;
        Ok(codes)
    }

    /// Takes it away from somebody who has a code of it; all other sessions end.
    pub(in crate::admin) async fn remove_factor(
        &self,
        user: &User,
        session: &Session,
        code: Zeroizing<String>,
    ) -> Result<(), NotProven> {
        self.guess(None, user.name.as_str()).map_err(NotProven::TooMany)?;
        self.use_code(&user.id, code).await.map_err(NotProven::NotFactored)?;
        self.was_no_guess(None, user.name.as_str());
        let id = user.id.clone();
        let removed = self.apart(move |office| office.factors.remove(&id)).await;
        removed.map_err(|error| NotProven::NotFactored(NotFactored::Unwritten(error)))?;
        self.end_all(&user.id, Some(&session.id)).await;
        Ok(())
    }

    async fn use_code(&self, user: &str, code: Zeroizing<String>) -> Result<(), NotFactored> {
        let (user, now) = (user.to_owned(), now());
        self.apart(move |office| office.factors.use_code(&user, &code, now)).await
    }

    /// Changes the password of somebody who is in and knows the one so far. All his sessions end; he gets another.
    pub(in crate::admin) async fn replace_password(
        &self,
        user: &User,
        session: &Session,
        current: Zeroizing<String>,
        new: Zeroizing<String>,
    ) -> Result<SignedIn, NotReplaced> {
        if let Some(flaw) = password::flaw(&new, user.name.as_str()) {
            return Err(NotReplaced::Flawed(flaw));
        }
        if *current == *new {
            return Err(NotReplaced::Flawed(PasswordFlaw::same()));
        }
        let counted = user.name.to_string();
        self.guess(None, &counted).map_err(NotReplaced::TooMany)?;
        let hashed = user.password.clone();
        let looked = password::apart(move || hashed.fits(&current).then(|| Hashed::of(&new))).await;
        let hashed = looked.ok_or(NotReplaced::Broken)?.ok_or(NotReplaced::Wrong)?;
        self.was_no_guess(None, &counted);
        let hashed = hashed.map_err(|_| NotReplaced::NotChanged(NotChanged::NoRandomness))?;
        self.end_all(&user.id, Some(&session.id)).await;
        let (_, user) = self
            .change(&user.id, move |user| (user.password, user.one_time_until) = (hashed, None))
            .await
            .map_err(NotReplaced::NotChanged)?;
        let begun = self.begin(&user, session.address.clone(), &session.agent).await;
        let (session, secret) = begun.map_err(NotReplaced::NotBegun)?;
        self.end_all(&user.id, Some(&session.id)).await;
        Ok(SignedIn { user, session, secret })
    }

    /// Makes the first user, who may do everything, and signs him in.
    pub(in crate::admin) async fn set_up(
        &self,
        token: &str,
        attempt: Attempt,
        name: UserName,
    ) -> Result<SignedIn, NotSetUp> {
        let Attempt { password, peer, agent, .. } = attempt;
        if self.set_up_until().is_none() {
            return Err(NotSetUp::Closed);
        }
        self.guess(Some(peer), SETTING_UP).map_err(NotSetUp::TooMany)?;
        if !self.0.set_up.is(token, now()) {
            return Err(NotSetUp::Wrong);
        }
        self.was_no_guess(Some(peer), SETTING_UP);
        let (hashed, _) = hashed(Some(password)).await.map_err(NotSetUp::NotChanged)?;
        let now = now();
        let added = self.apart(move |office| {
            let added = office.users.add(name, Grants::edge(UserRole::Admin), hashed, None, now, true)?;
            office.set_up.close();
            Ok(added)
        });
        let user = added.await.map_err(|why| match why {
            NotChanged::TooMany | NotChanged::NameTaken => NotSetUp::Closed,
            why => NotSetUp::NotChanged(why),
        })?;
        let begun = self.begin(&user, peer.to_canonical().to_string(), &agent).await;
        let (session, secret) = begun.map_err(NotSetUp::NotBegun)?;
        Ok(SignedIn { user, session, secret })
    }

    /// Counts a guess before it is looked at, so that those that come at once are counted too. A right one is taken back.
    fn guess(&self, peer: Option<IpAddr>, name: &str) -> Result<(), Duration> {
        let now = Instant::now();
        let mut guesses = self.0.guesses.lock().unwrap_or_else(PoisonError::into_inner);
        let by_address = peer.and_then(|peer| guesses.by_address.count_address(peer, now));
        match by_address.or_else(|| guesses.by_name.count(name.to_owned(), now)) {
            Some(wait) => Err(wait),
            None => Ok(()),
        }
    }

    fn was_no_guess(&self, peer: Option<IpAddr>, name: &str) {
        let now = Instant::now();
        let mut guesses = self.0.guesses.lock().unwrap_or_else(PoisonError::into_inner);
        guesses.by_name.take_back(&name.to_owned(), now);
        if let Some(peer) = peer {
            guesses.by_address.take_back(&network(peer), now);
        }
    }
}

/// No name of a user's: it has a blank.
const SETTING_UP: &str = "the first";
