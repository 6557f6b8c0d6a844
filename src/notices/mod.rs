//! Who is told what, by mail and by webhook: a message that was taken in is on disk, and is told once, however long the other side
//! is away and however often the edge is started between.
//!
//! [`Notices::send`] is the face for whoever has something to tell: reports use it as the events of certificates do.

mod book;
mod bulletin;
mod condition;
mod contact;
mod event;
mod fate;
mod hooks;
mod letter;
mod mail;
mod mails;
mod memory;
mod message;
mod owners;
mod queue;
mod setback;
mod tally;
mod terms;
#[cfg(test)]
mod tests;
mod trial;
mod watcher;
mod webhook;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use tokio::sync::watch;

pub use book::NotKept;
pub use contact::{Contact, Format, Scope, Secret, Way, Webhook};
pub use event::EventKind;
pub use fate::Fate;
pub use mail::MailTerms;
pub use message::{List, Message, Recipient};
pub use owners::{AskOwners, Member, Owners};
pub use tally::{Lane, Outcome};
pub use terms::NoticeTerms;
pub use watcher::Watcher;

use crate::shutdown::Lifecycle;
use crate::store::{Store, StoreError};
use crate::words::Language;
use book::Book;
use queue::{End, Head, Queue};
use setback::{LONGEST_REST, Setback};
use tally::Tally;

/// Tells. Clones are the same.
#[derive(Clone)]
pub struct Notices(Arc<Office>);

/// What the couriers and those who have something to tell share.
struct Office {
    queue: Queue,
    book: Book,
    terms: watch::Receiver<Arc<NoticeTerms>>,
    tally: Tally,
    /// Goes up when everything is to be tried at once.
    hurries: watch::Sender<u64>,
    /// The conditions that last.
    lasting: Mutex<HashSet<String>>,
    /// Since when mails cannot be handed over, and why.
    stuck: Mutex<Option<Stuck>>,
}

/// Mails cannot be handed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// Since when, seconds since the Unix epoch.
    pub since: i64,
    /// Why, and what to do.
    pub text: String,
}

/// A delivery that waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Its name.
    pub id: String,
    /// Which way it goes; `None`: its contact is no more.
    pub lane: Option<Lane>,
    /// To whom, without what may be secret.
    pub to: String,
    /// What it is about.
    pub subject: String,
    /// Since when, seconds since the Unix epoch.
    pub due: i64,
    /// How often it was tried in vain.
    pub attempts: u32,
    /// When it is tried next, seconds since the Unix epoch.
    pub next: i64,
    /// What came of the last time.
    pub last_error: Option<String>,
}

impl Notices {
    /// What the state holds; nothing is told before [`Notices::run`].
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub fn open(store: &Store, terms: watch::Receiver<Arc<NoticeTerms>>) -> Result<Self, StoreError> {
        Ok(Self(Arc::new(Office {
            queue: Queue::open(store.clone())?,
            book: Book::open(store.clone())?,
            terms,
            tally: Tally::default(),
            hurries: watch::Sender::new(0),
            lasting: Mutex::default(),
            stuck: Mutex::default(),
        })))
    }

    /// Tells until the edge drains. What is told at that moment is told to its end if there is time, and else after the start.
    pub async fn run(self, lifecycle: Lifecycle) {
        let (mails, posts) = (Arc::clone(&self.0), Arc::clone(&self.0));
        tokio::join!(
            mails::carry(mails, lifecycle.clone()),
            hooks::carry(posts, lifecycle.clone()),
            self.tidy(lifecycle)
        );
    }

    /// Takes a message in for each of the recipients; how many had it not yet is what this gives. When it returns the message is
    /// on disk. The same message may be sent again at any time, and after any number of starts: who has it, or waits for it, does
    /// not get another. It blocks.
    ///
    /// Whoever reports regularly gives each report an identity of its own, such as `report/daily/2026-11-28`, and picks among
    /// [`Notices::contacts`] or names addresses; language and text are the caller's.
    ///
    /// # Errors
    /// [`StoreError`] when it could not be written for one of them; those before it have it, and it can be sent again.
    pub fn send(&self, recipients: &[Recipient], message: &Message) -> Result<usize, StoreError> {
        let mut taken = 0;
        for recipient in recipients {
            taken += usize::from(self.0.queue.take(message, recipient)?);
        }
        Ok(taken)
    }

    /// Every contact there is: those of the configuration, then those that were made, by name.
    #[must_use]
    pub fn contacts(&self) -> Vec<Contact> {
        self.0.contacts()
    }

    /// The same, and those whom organisations name, while there is a server that takes mails: nobody said that there is to be one.
    #[must_use]
    pub fn contacts_with(&self, owners: &Owners) -> Vec<Contact> {
        let terms = Arc::clone(&self.0.terms.borrow());
        let members = owners.members.iter().filter(|_| terms.mail.is_some());
        let members = members.map(|member| member.contact(terms.language));
        self.0.contacts().into_iter().chain(members).collect()
    }

    /// The language of contacts that ask for none.
    #[must_use]
    pub fn language(&self) -> Language {
        self.0.terms.borrow().language
    }

    /// Keeps a new contact, whose id is chosen here. It blocks.
    ///
    /// # Errors
    /// [`NotKept`]
    pub fn make_contact(&self, contact: Contact) -> Result<Contact, NotKept> {
        self.0.book.make(contact, &self.0.terms.borrow().contacts)
    }

    /// Keeps a contact as it is from now on. It blocks.
    ///
    /// # Errors
    /// [`NotKept`]
    pub fn change_contact(&self, contact: Contact) -> Result<Contact, NotKept> {
        if contact.is_configured() {
            return Err(NotKept::Configured);
        }
        let changed = self.0.book.change(contact, &self.0.terms.borrow().contacts)?;
        // What was refused at the old address may be taken at the new one.
        self.hurry();
        Ok(changed)
    }

    /// Forgets a contact; what waits for it is not told any more. It blocks.
    ///
    /// # Errors
    /// [`NotKept`]
    pub fn remove_contact(&self, id: &str) -> Result<Contact, NotKept> {
        if id.starts_with(contact::CONFIGURED) {
            return Err(NotKept::Configured);
        }
        let removed = self.0.book.remove(id)?;
        self.hurry();
        Ok(removed)
    }

    /// Tells a contact something of no meaning, at once, and waits for what comes of it.
    ///
    /// # Errors
    /// What went wrong and how to mend it, in words.
    pub async fn test(&self, contact: &Contact) -> Result<(), String> {
        trial::run(&self.0, contact).await
    }

    /// Has everything that waits be tried at once.
    pub fn hurry(&self) {
        self.0.queue.hurry(now());
        self.0.hurries.send_modify(|number| *number += 1);
    }

    /// What waits, in order of when it became due.
    #[must_use]
    pub fn waiting(&self) -> Vec<Waiting> {
        let contacts = self.0.contacts();
        let contacts = contacts.iter().map(|contact| (&*contact.id, contact)).collect();
        self.0.queue.waiting().iter().map(|head| Waiting::of(head, &contacts)).collect()
    }

    /// Why mails cannot be handed over, while they cannot.
    #[must_use]
    pub fn stuck(&self) -> Option<Stuck> {
        self.0.stuck.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What came of everything that was tried since the start, counted.
    #[must_use]
    pub fn counts(&self) -> Vec<(Lane, Outcome, u64)> {
        self.0.tally.counts()
    }

    /// How many deliveries wait in each lane, and since when the oldest does, seconds since the Unix epoch.
    #[must_use]
    pub fn lanes(&self) -> Vec<(Lane, usize, Option<i64>)> {
        let waiting = self.waiting();
        let of_lane = |lane| {
            let mine = || waiting.iter().filter(move |one| one.lane == Some(lane));
            (lane, mine().count(), mine().map(|one| one.due).min())
        };
        Lane::ALL.iter().map(|lane| of_lane(*lane)).collect()
    }

    async fn tidy(self, mut lifecycle: Lifecycle) {
        loop {
            let office = Arc::clone(&self.0);
            let _ = tokio::task::spawn_blocking(move || office.queue.tidy(now())).await;
            tokio::select! {
                () = tokio::time::sleep(TIDYING) => {}
                _ = lifecycle.draining() => return,
            }
        }
    }
}

impl fmt::Debug for Notices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notices").finish_non_exhaustive()
    }
}

impl Waiting {
    fn of(head: &Head, contacts: &HashMap<&str, &Contact>) -> Self {
        let (lane, to) = match &head.recipient {
            Recipient::Mail(address) => (Some(Lane::Mail), address.to_string()),
            Recipient::Contact(id) => match contacts.get(id.as_str()) {
                Some(contact) => (Some(Lane::of(&contact.way)), contact.name.clone()),
                None => (None, id.clone()),
            },
        };
        let Head { id, subject, due, attempts, next, last_error, .. } = head.clone();
        Self { id, lane, to, subject, due, attempts, next, last_error }
    }
}

impl Office {
    fn contacts(&self) -> Vec<Contact> {
        let configured = self.terms.borrow().contacts.clone();
        configured.into_iter().chain(self.book.list()).collect()
    }

    /// The deliveries that may be tried now, and the way to whom each is for; `None`: nobody is there any more.
    fn due(&self, now: i64) -> Vec<(Arc<Head>, Option<Way>)> {
        let terms = Arc::clone(&self.terms.borrow());
        let heads: Vec<_> = self.queue.waiting().into_iter().filter(|head| is_due(head.next, now)).collect();
        self.book.look(|kept| {
            let contacts = terms.contacts.iter().chain(kept);
            let ways: HashMap<&str, &Way> = contacts.map(|contact| (&*contact.id, &contact.way)).collect();
            let way = |head: &Head| match &head.recipient {
                Recipient::Mail(address) => Some(Way::Mail(address.clone())),
                Recipient::Contact(id) => ways.get(id.as_str()).map(|way| Way::clone(way)),
            };
            heads.into_iter().map(|head| (way(&head), head)).map(|(way, head)| (head, way)).collect()
        })
    }

    /// How long nothing more comes due, as far as is known now.
    fn pause(&self, now: i64) -> std::time::Duration {
        let next = self.queue.waiting().iter().map(|head| head.next).filter(|next| !is_due(*next, now)).min();
        let seconds = next.map_or(i64::MAX, |next| (next - now).max(1));
        std::time::Duration::from_secs(u64::try_from(seconds).unwrap_or_default()).min(LONGEST_PAUSE)
    }

    /// Marks that it was told.
    async fn told(self: &Arc<Self>, lane: Lane, head: &Arc<Head>) {
        self.tally.count(lane, Outcome::Told);
        tracing::info!(delivery = head.id, lane = lane.word(), attempts = head.attempts + 1, "told: {}", head.subject);
        self.end(head, End::Told).await;
    }

    /// Notes that it was refused, and puts it off or gives it up.
    async fn refused(self: &Arc<Self>, lane: Lane, head: &Arc<Head>, setback: Setback) {
        let now = now();
        let lasts = head.about.iter().any(|condition| self.lasting().contains(condition));
        if now - head.due > KEPT_FOR && !lasts {
            self.tally.count(lane, Outcome::GivenUp);
            let (subject, text) = (&head.subject, setback.text());
            tracing::error!(delivery = head.id, lane = lane.word(), "given up after a month: {subject}: {text}");
            return self.end(head, End::GivenUp).await;
        }
        self.tally.count(lane, if matches!(setback, Setback::Away(_)) { Outcome::PutOff } else { Outcome::Refused });
        if head.last_error.as_deref() != Some(setback.text()) {
            tracing::warn!(
                delivery = head.id,
                lane = lane.word(),
                "not told yet: {}: {}",
                head.subject,
                setback.text()
            );
        }
        let rest = setback.rest(head.attempts + 1).as_secs();
        let next = now.saturating_add_unsigned(rest);
        let (office, id, text) = (Arc::clone(self), head.id.clone(), setback.text().to_owned());
        let _ = tokio::task::spawn_blocking(move || office.queue.put_off(&id, next, &text)).await;
    }

    /// Nobody is there any more who could be told.
    async fn nobody(self: &Arc<Self>, head: &Arc<Head>) {
        tracing::info!(delivery = head.id, "not told, as the contact is no more: {}", head.subject);
        self.end(head, End::GivenUp).await;
    }

    async fn end(self: &Arc<Self>, head: &Arc<Head>, end: End) {
        let (office, id) = (Arc::clone(self), head.id.clone());
        let _ = tokio::task::spawn_blocking(move || office.queue.end(&id, end, now())).await;
    }

    /// The content of a delivery. What cannot be read now is put off.
    async fn entry(self: &Arc<Self>, head: &Arc<Head>) -> Result<queue::Entry, Setback> {
        let (office, id) = (Arc::clone(self), head.id.clone());
        let read = tokio::task::spawn_blocking(move || office.queue.entry(&id)).await;
        match read {
            Ok(Ok(Some(entry))) => Ok(entry),
            Ok(Ok(None)) => Err(Setback::refused("its file in the state folder is gone, or is none of ours".into())),
            Ok(Err(error)) => Err(Setback::refused(error.to_string())),
            Err(error) => Err(Setback::refused(error.to_string())),
        }
    }

    fn lasting(&self) -> std::sync::MutexGuard<'_, HashSet<String>> {
        self.lasting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes why mails cannot be handed over, or that they can.
    fn stick(&self, text: Option<&str>) {
        let mut stuck = self.stuck.lock().unwrap_or_else(PoisonError::into_inner);
        match (text, stuck.as_mut()) {
            (Some(text), Some(stuck)) => text.clone_into(&mut stuck.text),
            (Some(text), None) => {
                tracing::warn!("mails wait: {text}");
                *stuck = Some(Stuck { since: now(), text: text.to_owned() });
            }
            (None, Some(_)) => {
                tracing::info!("mails are taken again");
                *stuck = None;
            }
            (None, None) => {}
        }
    }
}

/// What would be due only after more time than anything rests was put off by a clock that went wrong.
fn is_due(next: i64, now: i64) -> bool {
    next <= now || next > now.saturating_add_unsigned(LONGEST_REST.as_secs() * 2)
}

/// Seconds since the Unix epoch.
fn now() -> i64 {
    time::OffsetDateTime::from(SystemTime::now()).unix_timestamp()
}

/// After so many seconds what is refused again and again is given up, unless what it tells of still lasts.
const KEPT_FOR: i64 = 30 * 86_400;
/// A clock that was moved is noticed after this time.
const LONGEST_PAUSE: std::time::Duration = std::time::Duration::from_secs(60);
const TIDYING: std::time::Duration = std::time::Duration::from_secs(15 * 60);
