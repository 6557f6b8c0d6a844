//! What is to be told yet, on disk before anybody relies on it.
//!
//! A delivery is one file. It is waiting from the moment it was written, whatever happens to the edge; when it was told, one
//! write turns the same file into a mark that it was. So nothing is lost, and nothing is told twice but what was told and not
//! marked: when the edge is killed, or the connection breaks, between the other side's taking it and our hearing of that.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::message::{List, Message, Recipient, delivery_id};
use crate::store::{Expected, Key, Store, StoreError};

/// The deliveries of `notices/queue/<id>.json`.
pub(super) struct Queue {
    store: Store,
    known: Mutex<BTreeMap<String, Known>>,
    changes: watch::Sender<u64>,
}

enum Known {
    Waiting(Arc<Head>),
    /// It ended.
    Ended(Ended),
}

/// When and how a delivery ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) at: i64,
    pub(super) end: End,
    /// Whether its file says so.
    is_marked: bool,
}

/// What is known of a delivery without its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) id: String,
    pub(super) recipient: Recipient,
    pub(super) subject: String,
    pub(super) due: i64,
    pub(super) attempts: u32,
    /// When it is tried next, seconds since the Unix epoch.
    pub(super) next: i64,
    pub(super) last_error: Option<String>,
    pub(super) about: Vec<String>,
}

/// A file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
enum Record {
    /// It is to be told.
    Waiting(Box<Entry>),
    /// It was told.
    Told { at: i64 },
    /// It was not, and will not be.
    GivenUp { at: i64 },
}

/// A delivery that waits.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Entry {
    recipient: String,
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) html: String,
    pub(super) data: serde_json::Value,
    pub(super) list: List,
    pub(super) due: i64,
    attempts: u32,
    next: i64,
    last_error: Option<String>,
    about: Vec<String>,
}

/// How a delivery ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Told,
    GivenUp,
}

impl Queue {
    /// What the state holds.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be listed or read.
    pub(super) fn open(store: Store) -> Result<Self, StoreError> {
        let mut known = BTreeMap::new();
        for name in store.names(&folder())? {
            let (Some(id), Some(key)) = (name.strip_suffix(".json"), folder().below(&name)) else { continue };
            let Some(item) = store.read(&key)? else { continue };
            let read = serde_json::from_slice::<Record>(&item.content).ok();
            let read = read.and_then(|record| match record {
                Record::Waiting(entry) => Some(Known::Waiting(Arc::new(entry.head(id)?))),
                Record::Told { at } => Some(Known::Ended(Ended { at, end: End::Told, is_marked: true })),
                Record::GivenUp { at } => Some(Known::Ended(Ended { at, end: End::GivenUp, is_marked: true })),
            });
            match read {
                Some(one) => drop(known.insert(id.to_owned(), one)),
                None => tracing::error!(
                    file = %key,
                    "this is no notice of ours, and nobody is told of it; restore the file from a backup, or delete it"
                ),
            }
        }
        Ok(Self { store, known: Mutex::new(known), changes: watch::Sender::new(0) })
    }

    /// Takes a delivery in. False: it was taken in before, and may have been told since.
    ///
    /// # Errors
    /// [`StoreError`] when it could not be written; it is not waiting then.
    pub(super) fn take(&self, message: &Message, recipient: &Recipient) -> Result<bool, StoreError> {
        let id = delivery_id(&message.identity, recipient);
        let mut known = self.known();
        if known.contains_key(&id) {
            return Ok(false);
        }
        let entry = Entry::of(message, recipient);
        let Some(head) = entry.head(&id) else { return Ok(false) };
        self.write(&id, &Record::Waiting(Box::new(entry)), Expected::Anything)?;
        known.insert(id, Known::Waiting(Arc::new(head)));
        drop(known);
        self.changes.send_modify(|number| *number += 1);
        Ok(true)
    }

    /// What has become of a delivery; `None`: it was never taken in, or ended long ago.
    pub(super) fn standing(&self, id: &str) -> Option<Result<Arc<Head>, Ended>> {
        self.known().get(id).map(|known| match known {
            Known::Waiting(head) => Ok(Arc::clone(head)),
            Known::Ended(ended) => Err(*ended),
        })
    }

    /// Hears of every delivery that is taken in.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Everything that waits, in order of when it became due.
    pub(super) fn waiting(&self) -> Vec<Arc<Head>> {
        let known = self.known();
        let mut waiting: Vec<_> = known.values().filter_map(Known::waiting).cloned().collect();
        waiting.sort_by(|one, other| (one.due, &one.id).cmp(&(other.due, &other.id)));
        waiting
    }

    /// The content of what waits; `None` when it does not any more, or its file is gone.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read.
    pub(super) fn entry(&self, id: &str) -> Result<Option<Entry>, StoreError> {
        let Some(item) = self.store.read(&key(id))? else { return Ok(None) };
        match serde_json::from_slice(&item.content) {
            Ok(Record::Waiting(entry)) => Ok(Some(*entry)),
            _ => Ok(None),
        }
    }

    /// Notes that it was tried in vain.
    pub(super) fn put_off(&self, id: &str, next: i64, error: &str) {
        let mut known = self.known();
        let Some(Known::Waiting(head)) = known.get(id) else { return };
        let changed = Head {
            attempts: head.attempts.saturating_add(1),
            next,
            last_error: Some(error.to_owned()),
            ..Head::clone(head)
        };
        // What cannot be written is tried at the same time all the same, unless the edge ends before.
        let written = self.entry(id).and_then(|entry| match entry {
            Some(entry) => {
                let (attempts, last_error) = (changed.attempts, changed.last_error.clone());
                let entry = Entry { attempts, next, last_error, ..entry };
                self.write(id, &Record::Waiting(Box::new(entry)), Expected::Anything)
            }
            None => Ok(()),
        });
        if let Err(error) = written {
            tracing::error!(%error, "a notice that waits could not be noted");
        }
        known.insert(id.to_owned(), Known::Waiting(Arc::new(changed)));
    }

    /// Has all that waits be tried at once. What ends meanwhile has ended: it would be told twice.
    pub(super) fn hurry(&self, now: i64) {
        for known in self.known().values_mut() {
            if let Known::Waiting(head) = known {
                // Only in memory: a start may keep to what was written.
                *head = Arc::new(Head { next: now.min(head.next), ..Head::clone(head) });
            }
        }
        self.changes.send_modify(|number| *number += 1);
    }

    /// Marks its end. It is never tried again by this process, whether or not that can be written; after a start it would be if
    /// it could not, so that is tried again with every [`Queue::tidy`].
    pub(super) fn end(&self, id: &str, end: End, at: i64) {
        let mut known = self.known();
        let marked = self.mark(id, end, at).inspect_err(|error| {
            tracing::error!(%error, "a notice was told, and that could not be noted: if the edge is started before it can, it is told again");
        });
        known.insert(id.to_owned(), Known::Ended(Ended { at, end, is_marked: marked.is_ok() }));
    }

    fn mark(&self, id: &str, end: End, at: i64) -> Result<(), StoreError> {
        let record = match end {
            End::Told => Record::Told { at },
            End::GivenUp => Record::GivenUp { at },
        };
        self.write(id, &record, Expected::Anything)
    }

    /// Writes the marks that could not be written, and takes away those of what ended long ago.
    pub(super) fn tidy(&self, now: i64) {
        let mut known = self.known();
        for (id, known) in known.iter_mut() {
            if let Known::Ended(ended) = known
                && !ended.is_marked
            {
                ended.is_marked = self.mark(id, ended.end, ended.at).is_ok();
            }
        }
        let is_old =
            |known: &Known| matches!(known, Known::Ended(ended) if ended.is_marked && now - ended.at > MARKED_FOR);
        let old: Vec<_> = known.iter().filter(|(_, known)| is_old(known)).map(|(id, _)| id.clone()).collect();
        for id in old {
            match self.store.delete(&key(&id)) {
                Ok(_) => drop(known.remove(&id)),
                Err(error) => tracing::error!(%error, "the mark of a notice that was told could not be deleted"),
            }
        }
    }

    fn write(&self, id: &str, record: &Record, expected: Expected) -> Result<(), StoreError> {
        let content = serde_json::to_vec(record).unwrap_or_default();
        self.store.put(&key(id), &content, expected).map(drop)
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<String, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    const fn waiting(&self) -> Option<&Arc<Head>> {
        match self {
            Self::Waiting(head) => Some(head),
            Self::Ended(_) => None,
        }
    }
}

impl Entry {
    /// One that was not tried yet.
    pub(super) fn of(message: &Message, recipient: &Recipient) -> Self {
        Self {
            recipient: recipient.text(),
            subject: message.subject.clone(),
            text: message.text.clone(),
            html: message.html.clone(),
            data: message.data.clone(),
            list: message.list,
            due: message.due,
            attempts: 0,
            next: message.due,
            last_error: None,
            about: message.about.clone(),
        }
    }

    fn head(&self, id: &str) -> Option<Head> {
        Some(Head {
            id: id.to_owned(),
            recipient: Recipient::parse(&self.recipient)?,
            subject: self.subject.clone(),
            due: self.due,
            attempts: self.attempts,
            next: self.next,
            last_error: self.last_error.clone(),
            about: self.about.clone(),
        })
    }
}

fn folder() -> Key {
    Key::known(&["notices", "queue"])
}

/// `id` is in hexadecimal, or the name of a file that was found.
fn key(id: &str) -> Key {
    folder().below(&format!("{id}.json")).unwrap_or_else(folder)
}

/// For so long a second message of the same identity is known to be one, in seconds: longer than anything that is told more than
/// once takes from the first time to the last.
const MARKED_FOR: i64 = 90 * 86_400;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mail_address::MailAddress;

    fn ops() -> Recipient {
        Recipient::Mail(MailAddress::parse("ops@shop.example").expect("an address"))
    }

    pub(crate) fn message(identity: &str, due: i64) -> Message {
        Message {
            identity: identity.into(),
            subject: format!("about {identity}"),
            text: "text".into(),
            html: "<p>text</p>".into(),
            data: serde_json::json!({ "a": 1 }),
            list: List::Notices,
            due,
            about: vec!["x".into()],
        }
    }

    fn subjects(queue: &Queue) -> Vec<String> {
        queue.waiting().iter().map(|head| head.subject.clone()).collect()
    }

    #[test]
    fn a_message_waits_once_over_starts_until_it_was_told_and_then_never_again() {
        let store = Store::in_memory();
        let queue = Queue::open(store.clone()).expect("open");
        assert!(queue.take(&message("late", 200), &ops()).expect("taken"));
        assert!(queue.take(&message("early", 100), &ops()).expect("taken"));
        assert!(!queue.take(&message("early", 300), &ops()).expect("known"));
        assert_eq!(subjects(&queue), ["about early", "about late"]);
        let first = queue.waiting()[0].clone();
        queue.put_off(&first.id, 150, "nobody listens");
        let again = Queue::open(store.clone()).expect("open");
        let expected =
            Head { attempts: 1, next: 150, last_error: Some("nobody listens".into()), ..Head::clone(&first) };
        assert_eq!(*again.waiting()[0], expected);
        assert_eq!(again.entry(&first.id).expect("read").map(|entry| entry.html).as_deref(), Some("<p>text</p>"));
        again.end(&first.id, End::Told, 160);
        assert!(again.entry(&first.id).expect("read").is_none());
        for queue in [again, Queue::open(store.clone()).expect("open")] {
            assert_eq!(subjects(&queue), ["about late"]);
            assert!(!queue.take(&message("early", 100), &ops()).expect("known"));
        }
        let queue = Queue::open(store.clone()).expect("open");
        queue.tidy(160 + MARKED_FOR);
        assert!(!queue.take(&message("early", 100), &ops()).expect("known"));
        queue.tidy(161 + MARKED_FOR);
        assert!(queue.take(&message("early", 100), &ops()).expect("taken"));
    }

    #[test]
    fn what_is_no_notice_is_left_alone_and_stops_nobody() {
        let store = Store::in_memory();
        for (name, content) in [("a.json", "{}"), ("b.json", "garbage"), ("c.txt", "x")] {
            store.put(&folder().below(name).expect("a key"), content.as_bytes(), Expected::Nothing).expect("put");
        }
        let queue = Queue::open(store.clone()).expect("open");
        assert_eq!(queue.waiting(), []);
        queue.tidy(i64::MAX);
        assert_eq!(store.names(&folder()).expect("names"), ["a.json", "b.json", "c.txt"]);
    }

    #[test]
    fn whoever_hurries_brings_nothing_back_that_has_ended() {
        let queue = Queue::open(Store::in_memory()).expect("open");
        let both = std::sync::Barrier::new(2);
        for number in 0..3_000 {
            queue.take(&message(&number.to_string(), 100), &ops()).expect("taken");
        }
        std::thread::scope(|scope| {
            scope.spawn(|| {
                both.wait();
                (0..100).for_each(|_| queue.hurry(0));
            });
            both.wait();
            queue.waiting().iter().for_each(|head| queue.end(&head.id, End::Told, 100));
        });
        assert_eq!(subjects(&queue), Vec::<String>::new());
    }

    #[test]
    fn what_could_not_be_marked_is_not_told_again_by_the_same_process() {
        let queue = Queue::open(Store::in_memory()).expect("open");
        queue.take(&message("a", 100), &ops()).expect("taken");
        let id = queue.waiting()[0].id.clone();
        queue.end(&id, End::GivenUp, 100);
        queue.hurry(0);
        queue.put_off(&id, 0, "x");
        assert_eq!(subjects(&queue), Vec::<String>::new());
    }
}
