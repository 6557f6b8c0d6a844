//! Looks at the overview again and again, and has those told who want to hear what has changed.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::rand;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::bulletin::bulletin;
use super::condition::{conditions, serving};
use super::contact::{Contact, Scope, Way};
use super::event::Event;
use super::memory::{Gathering, Memory};
use super::message::{List, Message, Recipient};
use super::owners::{AskOwners, Owners};
use super::{Notices, now};
use crate::mail_address::MailAddress;
use crate::overview::Overview;
use crate::shutdown::{Lifecycle, Stage};
use crate::store::{Expected, Key, Store, StoreError};

/// Who watches.
pub struct Watcher {
    store: Store,
    notices: Notices,
    look: Box<dyn Fn() -> Arc<Overview> + Send + Sync>,
    owners: AskOwners,
    told: Told,
    gathering: Gathering,
}

/// `notices/said.json`: what was told, and the messages of the last time. Both are written at once: whatever happens then, the
/// messages are handed to the queue, which knows those that it has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Told {
    /// In front of the numbers: if this file is lost, no number of the next one is known already.
    origin: String,
    memory: Memory,
    last: Vec<Bulletin>,
}

/// A message as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bulletin {
    contact: String,
    /// Of whom an organisation names: where to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mail: Option<String>,
    identity: String,
    subject: String,
    text: String,
    html: String,
    data: serde_json::Value,
    due: i64,
    about: Vec<String>,
}

impl Watcher {
    /// Goes on where the last process ended; what it had to hand to the queue and did not is handed there now.
    ///
    /// # Errors
    /// [`StoreError`] when the state cannot be read or written.
    pub fn open(
        store: Store,
        notices: Notices,
        look: Box<dyn Fn() -> Arc<Overview> + Send + Sync>,
        owners: AskOwners,
    ) -> Result<Self, StoreError> {
        let mut told = match store.read(&key())? {
            None => Told::default(),
            Some(item) => serde_json::from_slice(&item.content).unwrap_or_else(|error| {
                tracing::error!(%error, "{} is not what was written, so what was told is told again", key());
                Told::default()
            }),
        };
        if told.origin.is_empty() {
            let mut origin = [0; 8];
            // Without randomness the time will do.
            if rand::fill(&mut origin).is_err() {
                origin = now().to_be_bytes();
            }
            told.origin = origin.iter().map(|octet| format!("{octet:02x}")).collect();
        }
        let watcher = Self { store, notices, look, owners, told, gathering: Gathering::since(Instant::now()) };
        watcher.hand_over(&watcher.told.last)?;
        Ok(watcher)
    }

    /// Watches until the edge drains. Before it is ready it knows too little.
    pub async fn run(mut self, mut lifecycle: Lifecycle) {
        while !lifecycle.stage().ends() {
            if lifecycle.stage() == Stage::Ready {
                let looked = tokio::task::spawn_blocking(move || {
                    if let Err(error) = self.look(Instant::now()) {
                        tracing::error!(%error, "what has changed could not be noted, and nobody is told before it can");
                    }
                    self
                });
                match looked.await {
                    Ok(back) => self = back,
                    Err(error) => {
                        return tracing::error!(%error, "looking at what has changed ended; nobody is told any more");
                    }
                }
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                _ = lifecycle.draining() => {}
            }
        }
    }

    /// Looks once.
    fn look(&mut self, at: Instant) -> Result<(), StoreError> {
        let overview = (self.look)();
        let (conditions, serving) = (conditions(&overview), serving(&overview));
        *self.notices.0.lasting() = conditions.keys().cloned().collect();
        let owners = (self.owners)();
        let contacts = self.notices.contacts_with(&owners);
        let wanted = |event: &Event| contacts.iter().any(|contact| concerns(contact, event, &owners));
        let (memory, events) = self.told.memory.consider(&conditions, &serving, &mut self.gathering, at, &wanted);
        if events.is_empty() {
            if memory != self.told.memory {
                self.keep(Told { memory, ..self.told.clone() })?;
            }
            return Ok(());
        }
        let now = now();
        let terms = Arc::clone(&self.notices.0.terms.borrow());
        let of_contact = |(contact, theirs): (&Contact, Vec<&(String, Event)>)| {
            let identity = format!("events/{}/{}", self.told.origin, memory.batch);
            let (about, theirs) =
                theirs.into_iter().map(|(id, event)| (id.clone(), event)).unzip::<_, _, Vec<_>, Vec<_>>();
            let message = bulletin(contact, &theirs, identity, about, &terms, now);
            Bulletin::of(contact, message)
        };
        let last: Vec<Bulletin> = shared_out(&contacts, &events, &owners).into_iter().map(of_contact).collect();
        self.keep(Told { memory, last, origin: self.told.origin.clone() })?;
        self.hand_over(&self.told.last)
    }

    /// Written first, and only then so.
    fn keep(&mut self, told: Told) -> Result<(), StoreError> {
        let content = serde_json::to_vec(&told).unwrap_or_default();
        self.store.put(&key(), &content, Expected::Anything)?;
        self.told = told;
        Ok(())
    }

    fn hand_over(&self, bulletins: &[Bulletin]) -> Result<(), StoreError> {
        for bulletin in bulletins {
            self.notices.send(&[bulletin.recipient()], &bulletin.message())?;
        }
        Ok(())
    }
}

/// Whom to tell what. Who is there in two roles, such as for all and for an organisation, gets one mail with what is for either.
fn shared_out<'a>(
    contacts: &'a [Contact],
    events: &'a [(String, Event)],
    owners: &Owners,
) -> Vec<(&'a Contact, Vec<&'a (String, Event)>)> {
    let mut parts: Vec<(&Contact, Vec<usize>)> = Vec::new();
    let mut by_address: HashMap<&MailAddress, usize> = HashMap::new();
    for contact in contacts {
        let is_theirs = |place: &usize| concerns(contact, &events[*place].1, owners);
        let theirs: Vec<usize> = (0..events.len()).filter(is_theirs).collect();
        if theirs.is_empty() {
            continue;
        }
        let known = match &contact.way {
            Way::Mail(address) => *by_address.entry(address).or_insert(parts.len()),
            Way::Webhook(_) => parts.len(),
        };
        match parts.get_mut(known) {
            Some((_, part)) => part.extend(theirs),
            None => parts.push((contact, theirs)),
        }
    }
    let ordered = |(contact, mut places): (&'a Contact, Vec<usize>)| {
        places.sort_unstable();
        places.dedup();
        (contact, places.into_iter().map(|place| &events[place]).collect())
    };
    parts.into_iter().map(ordered).collect()
}

/// Whether a contact wants to hear of it.
fn concerns(contact: &Contact, event: &Event, owners: &Owners) -> bool {
    contact.wants(event.kind)
        && match (&contact.scope, &event.site) {
            (Scope::Everything, _) => true,
            (Scope::Site(wanted), Some(site)) => wanted == site,
            (Scope::Organisation(wanted), Some(site)) => owners.of_site.get(site) == Some(wanted),
            (Scope::Organisation(wanted), None) => event.organisation.as_ref() == Some(wanted),
            (Scope::Site(_), None) => false,
        }
}

impl Bulletin {
    fn of(contact: &Contact, message: Message) -> Self {
        let Message { identity, subject, text, html, data, due, about, list: _ } = message;
        let mail = match contact.recipient() {
            Recipient::Mail(address) => Some(address.to_string()),
            Recipient::Contact(_) => None,
        };
        Self { contact: contact.id.clone(), mail, identity, subject, text, html, data, due, about }
    }

    fn recipient(&self) -> Recipient {
        let mail = self.mail.as_deref().and_then(|mail| MailAddress::parse(mail).ok());
        mail.map_or_else(|| Recipient::Contact(self.contact.clone()), Recipient::Mail)
    }

    fn message(&self) -> Message {
        let Self { identity, subject, text, html, data, due, about, contact: _, mail: _ } = self.clone();
        Message { identity, subject, text, html, data, due, about, list: List::Notices }
    }
}

fn key() -> Key {
    Key::known(&["notices", "said.json"])
}

/// Between two looks: what has changed is told within half a minute.
const LOOK: Duration = Duration::from_secs(10);

#[cfg(test)]
#[path = "watcher_tests.rs"]
mod tests;
