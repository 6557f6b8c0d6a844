//! The contacts there are: those that were made, which are kept in the state, and those of the configuration.

use std::sync::{Mutex, PoisonError, RwLock};

use aws_lc_rs::rand;
use serde::{Deserialize, Serialize};

use super::contact::{Contact, Format, Scope, Secret, Way, Webhook};
use super::event::EventKind;
use crate::mail_address::MailAddress;
use crate::outbound::PostAddress;
use crate::store::{Expected, Key, Store, StoreError};
use crate::words::Language;

/// The contacts that were made: `contacts/<id>.json`, or `contacts/<id>-secret.json` for an address that is posted to, which is
/// often a secret itself.
pub(super) struct Book {
    store: Store,
    kept: RwLock<Vec<Contact>>,
    /// One change at a time.
    changing: Mutex<()>,
}

/// Why there is no such contact.
#[derive(Debug)]
pub enum NotKept {
    /// Another has the name.
    NameTaken,
    /// There are as many as there may be.
    TooMany,
    /// It stands in the configuration.
    Configured,
    /// There is none of this id.
    Unknown,
    /// A contact keeps its way: another way is another contact.
    OtherWay,
    /// The system gives no random numbers.
    NoRandomness,
    /// It could not be written.
    Unwritten(StoreError),
}

/// A file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    id: String,
    name: String,
    scope: Scope,
    #[serde(skip_serializing_if = "Option::is_none")]
    mail: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook: Option<WebhookRecord>,
    language: String,
    events: Option<Vec<EventKind>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WebhookRecord {
    url: String,
    format: Format,
    secret: Option<String>,
}

impl Book {
    /// The contacts of the state.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub(super) fn open(store: Store) -> Result<Self, StoreError> {
        let mut kept = Vec::new();
        for name in store.names(&folder())? {
            let Some(item) = folder().below(&name).map(|key| store.read(&key)).transpose()?.flatten() else { continue };
            let read = serde_json::from_slice::<Record>(&item.content).ok().and_then(Record::contact);
            match read {
                Some(contact) if key(&contact).as_ref() == folder().below(&name).as_ref() => kept.push(contact),
                _ => tracing::error!(
                    file = format!("contacts/{name}"),
                    "this is no contact of ours, and nobody is told by it; restore the file from a backup, or delete it"
                ),
            }
        }
        Ok(Self { store, kept: RwLock::new(kept), changing: Mutex::new(()) })
    }

    /// All that were made, by name.
    pub(super) fn list(&self) -> Vec<Contact> {
        let mut list = self.kept.read().unwrap_or_else(PoisonError::into_inner).clone();
        list.sort_by(|one, other| (&one.name, &one.id).cmp(&(&other.name, &other.id)));
        list
    }

    /// The same to look at, in no order.
    pub(super) fn look<T>(&self, at: impl FnOnce(&[Contact]) -> T) -> T {
        at(&self.kept.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Keeps a new contact; its id is given to it here.
    pub(super) fn make(&self, contact: Contact, configured: &[Contact]) -> Result<Contact, NotKept> {
        let _turn = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut id = [0; 6];
        rand::fill(&mut id).map_err(|_| NotKept::NoRandomness)?;
        let contact = Contact { id: id.iter().map(|octet| format!("{octet:02x}")).collect(), ..contact };
        let kept = self.list();
        if kept.len() >= MOST {
            return Err(NotKept::TooMany);
        }
        if kept.iter().chain(configured).any(|other| other.name == contact.name) {
            return Err(NotKept::NameTaken);
        }
        self.write(&contact, Expected::Nothing)?;
        self.kept.write().unwrap_or_else(PoisonError::into_inner).push(contact.clone());
        Ok(contact)
    }

    /// Keeps a contact as it is from now on.
    pub(super) fn change(&self, contact: Contact, configured: &[Contact]) -> Result<Contact, NotKept> {
        let _turn = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = self.list();
        let before = kept.iter().find(|known| known.id == contact.id).ok_or(NotKept::Unknown)?;
        if std::mem::discriminant(&before.way) != std::mem::discriminant(&contact.way) {
            return Err(NotKept::OtherWay);
        }
        if kept.iter().chain(configured).any(|other| other.id != contact.id && other.name == contact.name) {
            return Err(NotKept::NameTaken);
        }
        self.write(&contact, Expected::Anything)?;
        let mut kept = self.kept.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = kept.iter_mut().find(|known| known.id == contact.id) {
            *known = contact.clone();
        }
        Ok(contact)
    }

    /// Forgets a contact. Gives what it was.
    pub(super) fn remove(&self, id: &str) -> Result<Contact, NotKept> {
        let _turn = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let contact = self.list().into_iter().find(|known| known.id == id).ok_or(NotKept::Unknown)?;
        if let Some(key) = key(&contact) {
            self.store.delete(&key).map_err(NotKept::Unwritten)?;
        }
        self.kept.write().unwrap_or_else(PoisonError::into_inner).retain(|known| known.id != id);
        Ok(contact)
    }

    fn write(&self, contact: &Contact, expected: Expected) -> Result<(), NotKept> {
        let Some(key) = key(contact) else { return Err(NotKept::Unknown) };
        let content = serde_json::to_vec_pretty(&Record::of(contact)).map(zeroize::Zeroizing::new).unwrap_or_default();
        self.store.put(&key, &content, expected).map(drop).map_err(NotKept::Unwritten)
    }
}

impl Record {
    fn of(contact: &Contact) -> Self {
        let Contact { id, name, scope, way, language, events } = contact;
        let (mail, webhook) = match way {
            Way::Mail(address) => (Some(address.to_string()), None),
            Way::Webhook(Webhook { address, format, secret }) => {
                let secret = secret.as_ref().map(|secret| secret.reveal().to_owned());
                (None, Some(WebhookRecord { url: address.secret(), format: *format, secret }))
            }
        };
        let (id, name, scope, events) = (id.clone(), name.clone(), scope.clone(), events.clone());
        Self { id, name, scope, mail, webhook, language: language.tag().to_owned(), events }
    }

    fn contact(self) -> Option<Contact> {
        let Self { id, name, scope, mail, webhook, language, events } = self;
        let way = match (mail, webhook) {
            (Some(mail), None) => Way::Mail(MailAddress::parse(&mail).ok()?),
            (None, Some(WebhookRecord { url, format, secret })) => {
                let address = PostAddress::parse(&url).ok()?;
                let secret = secret.map(|secret| Secret::new(&secret)).transpose().ok()?;
                Way::Webhook(Webhook { address, format, secret })
            }
            _ => return None,
        };
        Some(Contact { id, name, scope, way, language: Language::of_tag(&language)?, events })
    }
}

fn folder() -> Key {
    Key::known(&["contacts"])
}

fn key(contact: &Contact) -> Option<Key> {
    let suffix = if matches!(contact.way, Way::Webhook(_)) { "-secret" } else { "" };
    folder().below(&format!("{}{suffix}.json", contact.id))
}

/// Ten times what the largest of those who use it have.
const MOST: usize = 20_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(name: &str) -> Contact {
        let way = Way::Mail(MailAddress::parse("ops@shop.example").expect("an address"));
        let (id, name, language) = (String::new(), name.to_owned(), Language::De);
        Contact { id, name, scope: Scope::Everything, way, language, events: Some(vec![EventKind::Expired]) }
    }

    fn webhook(name: &str) -> Contact {
        let address = PostAddress::parse("https://chat.example/hooks/hunter2").expect("an address");
        let secret = Some(Secret::new("correct horse battery").expect("a secret"));
        let way = Way::Webhook(Webhook { address, format: Format::Slack, secret });
        Contact { way, scope: Scope::Site("shop".into()), ..mail(name) }
    }

    #[test]
    fn contacts_are_the_same_after_a_start_and_what_is_secret_lies_where_secrets_are_sealed() {
        let store = Store::in_memory();
        let book = Book::open(store.clone()).expect("open");
        let ops = book.make(mail("ops"), &[]).expect("made");
        let chat = book.make(webhook("chat"), &[]).expect("made");
        let names = store.names(&folder()).expect("names");
        assert_eq!(names.len(), 2);
        for name in names {
            let key = folder().below(&name).expect("a key");
            let content = store.read(&key).expect("read").expect("there").content;
            let text = String::from_utf8_lossy(&content).into_owned();
            assert_eq!(key.is_secret(), text.contains("hunter2") && text.contains("correct horse"), "{name}: {text}");
        }
        let again = Book::open(store.clone()).expect("open");
        assert_eq!(again.list(), [chat.clone(), ops.clone()]);
        let renamed = again.change(Contact { name: "night".into(), ..ops.clone() }, &[]).expect("changed");
        assert!(matches!(again.change(Contact { name: "chat".into(), ..ops.clone() }, &[]), Err(NotKept::NameTaken)));
        assert!(matches!(again.change(Contact { way: chat.way.clone(), ..ops }, &[]), Err(NotKept::OtherWay)));
        assert_eq!(again.remove(&chat.id).expect("removed"), chat);
        assert!(matches!(again.remove(&chat.id), Err(NotKept::Unknown)));
        assert_eq!(Book::open(store).expect("open").list(), [renamed]);
    }

    #[test]
    fn a_name_belongs_to_one_contact_wherever_it_stands() {
        let book = Book::open(Store::in_memory()).expect("open");
        let configured = [Contact { id: "config:ops".into(), ..mail("ops") }];
        assert!(matches!(book.make(mail("ops"), &configured), Err(NotKept::NameTaken)));
        let other = book.make(mail("other"), &configured).expect("made");
        assert!(matches!(book.make(mail("other"), &configured), Err(NotKept::NameTaken)));
        assert!(matches!(book.change(Contact { name: "ops".into(), ..other }, &configured), Err(NotKept::NameTaken)));
    }

    #[test]
    fn a_file_that_is_no_contact_tells_nobody() {
        let store = Store::in_memory();
        for (name, content) in [("a.json", "{}"), ("b.json", "garbage")] {
            let key = folder().below(name).expect("a key");
            store.put(&key, content.as_bytes(), Expected::Nothing).expect("put");
        }
        assert_eq!(Book::open(store).expect("open").list(), []);
    }
}
