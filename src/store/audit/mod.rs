//! Who did what: `audit.jsonl`, to which lines are only added, each with the hash of the one before.
//!
//! A line that is changed, taken out or put in breaks the chain from there on. Whoever can write the file can forge all of it,
//! or cut its end off: so each line's hash is in the log too, and a copy of the last one elsewhere vouches for all before it.

mod chain;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use zeroize::Zeroizing;

pub use chain::{Broken, Verified, verify};

use super::{Expected, Key, Store, StoreError};

/// The audit trail. Clones write the same one. All calls block for the disk.
#[derive(Clone)]
pub struct Audit(Arc<Mutex<Trail>>);

struct Trail {
    store: Store,
    end: chain::End,
    /// A write failed: half a line may lie at the end.
    is_uncertain: bool,
    trouble: Option<Trouble>,
}

/// Something that was done, or refused. It holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deed {
    /// Who: a user of the machine, a token, or the edge by itself.
    pub who: String,
    /// The way in: `admin.sock`, an address, the drop folder, an issuer.
    pub door: String,
    /// What.
    pub action: String,
    /// To what, as in `sites/shop.example`.
    pub object: String,
    /// What came of it.
    pub result: Outcome,
    /// What else there is to say; may be empty.
    pub detail: String,
    /// What the detail says, as a code with what is particular to it, for programs and for readers of other languages.
    pub why: Option<Value>,
}

/// What came of a deed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It is about to be done.
    Begun,
    /// It was done.
    Done,
    /// It was not allowed, or the way things are did not allow it.
    Refused,
    /// It was tried in vain.
    Failed,
}

impl Outcome {
    /// Its word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

/// A line of the trail. What a later edge writes besides is passed over: the hash covers the text of a line, whatever stands in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Counted from 1.
    pub number: u64,
    /// RFC 3339.
    pub time: String,
    /// As in [`Deed`].
    pub who: String,
    /// As in [`Deed`].
    pub door: String,
    /// As in [`Deed`].
    pub action: String,
    /// As in [`Deed`].
    pub object: String,
    /// As in [`Deed`].
    pub result: Outcome,
    /// As in [`Deed`].
    pub detail: String,
    /// As in [`Deed`]; left out when there is none, so that lines that were written without stay what they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<Value>,
    /// The hash of the line before; zeros for the first.
    pub previous: String,
    /// SHA-256 over the line's octets before `,"hash"`.
    pub hash: String,
}

/// The trail cannot be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Why.
    pub text: String,
    /// Seconds since the Unix epoch.
    pub since: i64,
}

impl Audit {
    /// Goes on with the trail of a state. What a kill left of a last line is put aside into `audit.jsonl.torn`. A trail that cannot
    /// be read is an alarm and keeps no edge from serving; it is tried again with each line.
    #[must_use]
    pub fn open(store: Store) -> Self {
        let mut trail = Trail { store, end: chain::End::default(), is_uncertain: true, trouble: None };
        match trail.resume() {
            Ok(None) => {}
            Ok(Some(Broken { line, reason })) => {
                tracing::error!(
                    line,
                    "audit.jsonl: {reason}: somebody has changed the trail; compare it with a backup"
                );
            }
            Err(error) => trail.suffer(&error, OffsetDateTime::from(SystemTime::now())),
        }
        Self(Arc::new(Mutex::new(trail)))
    }

    /// Writes a line; it is on the disk when this returns.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be written, which is logged and an alarm already. Whether what was done stands is the
    /// caller's matter.
    pub fn record(&self, deed: Deed) -> Result<(), StoreError> {
        let mut trail = self.trail();
        let now = OffsetDateTime::from(SystemTime::now());
        match trail.write(deed, now) {
            Ok(()) => {
                trail.trouble = None;
                Ok(())
            }
            Err(error) => {
                trail.suffer(&error, now);
                Err(error)
            }
        }
    }

    /// At most `limit` lines in order: the first behind number `after`, or the last of all.
    ///
    /// # Errors
    /// [`StoreError`] when the trail cannot be read.
    pub fn lines(&self, after: Option<u64>, limit: usize) -> Result<Vec<Line>, StoreError> {
        let content = self.content()?;
        let mut lines = content.split(|octet| *octet == b'\n');
        let read = |line: &[u8]| serde_json::from_slice::<Line>(line).ok();
        // Of an intact trail, line by line: what is not asked for is not read.
        let skipped = after.and_then(|after| usize::try_from(after).ok()).filter(|after| {
            let next = lines.clone().nth(*after).and_then(read);
            next.is_some_and(|line| usize::try_from(line.number) == Ok(*after + 1))
        });
        if let Some(last) = skipped.and_then(|skipped| skipped.checked_sub(1)) {
            lines.nth(last);
        }
        let lines = lines.filter_map(read);
        match after {
            Some(after) => Ok(lines.filter(|line| line.number > after).take(limit).collect()),
            None => {
                let mut last: Vec<_> = lines.rev().take(limit).collect();
                last.reverse();
                Ok(last)
            }
        }
    }

    /// Goes through the whole chain, and sees whether it ends where this process left it.
    ///
    /// # Errors
    /// [`StoreError`] when the trail cannot be read.
    pub fn verify(&self) -> Result<Verified, StoreError> {
        let trail = self.trail();
        let content = read(&trail.store)?;
        let verified = verify(&content);
        let end = chain::End { number: verified.lines, hash: verified.last.clone() };
        if verified.broken.is_none() && !trail.is_uncertain && end != trail.end {
            let reason = format!("the trail had {} lines, and ends with line {} now", trail.end.number, end.number);
            return Ok(Verified { broken: Some(Broken { line: end.number + 1, reason }), ..verified });
        }
        Ok(verified)
    }

    /// Why the last line could not be written, until one can.
    #[must_use]
    pub fn trouble(&self) -> Option<Trouble> {
        self.trail().trouble.clone()
    }

    fn content(&self) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        let store = self.trail().store.clone();
        read(&store)
    }

    fn trail(&self) -> MutexGuard<'_, Trail> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Audit").finish_non_exhaustive()
    }
}

impl Trail {
    fn suffer(&mut self, error: &StoreError, now: OffsetDateTime) {
        tracing::error!(%error, "the audit trail cannot be written");
        let since = self.trouble.as_ref().map_or(now.unix_timestamp(), |trouble| trouble.since);
        self.trouble = Some(Trouble { text: error.to_string(), since });
    }

    /// Finds the end of the trail, and where it is broken. Half a line at its end is put aside.
    fn resume(&mut self) -> Result<Option<Broken>, StoreError> {
        let content = read(&self.store)?;
        let whole = content.iter().rposition(|octet| *octet == b'\n').map_or(0, |at| at + 1);
        let (whole, torn) = content.split_at(whole);
        if !torn.is_empty() {
            // Put aside first: a kill between the two leaves it in both places, and never in none.
            let aside = Key::known(&["audit.jsonl.torn"]);
            self.store.append(&aside, &[torn, b"\n"].concat())?;
            self.store.put(&key(), whole, Expected::Anything)?;
            tracing::warn!(
                octets = torn.len(),
                "audit.jsonl ended within a line, as after a kill; that is in {aside} now"
            );
        }
        let verified = verify(whole);
        self.end = chain::End::of(whole, &verified);
        self.is_uncertain = false;
        Ok(verified.broken)
    }

    fn write(&mut self, deed: Deed, now: OffsetDateTime) -> Result<(), StoreError> {
        if self.is_uncertain {
            self.resume()?;
        }
        let Deed { who, door, action, object, result, detail, why } = deed;
        let line = Line {
            number: self.end.number + 1,
            time: now.replace_nanosecond(0).unwrap_or(now).format(&Rfc3339).unwrap_or_default(),
            who: short(who),
            door: short(door),
            action: short(action),
            object: short(object),
            result,
            detail: short(detail),
            why: why.map(small),
            previous: self.end.hash.clone(),
            hash: String::new(),
        };
        let (text, end) = chain::sealed(&line);
        self.is_uncertain = true;
        self.store.append(&key(), text.as_bytes())?;
        self.is_uncertain = false;
        let Line { number, who, action, object, .. } = &line;
        tracing::info!(number, who, action, object, ?result, hash = end.hash, "audit");
        self.end = end;
        Ok(())
    }
}

fn read(store: &Store) -> Result<Zeroizing<Vec<u8>>, StoreError> {
    Ok(store.read(&key())?.map(|item| item.content).unwrap_or_default())
}

/// Whatever somebody calls something, it does not fill the disk.
fn short(mut text: String) -> String {
    if let Some((at, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(at);
        text.push('…');
    }
    text
}

/// The same of a code: with all that is particular to it or with nothing of that, since half of it says something else.
fn small(mut why: Value) -> Value {
    if why.to_string().len() > LARGEST
        && let Some(members) = why.as_object_mut()
    {
        members.retain(|name, _| name == "code");
    }
    why
}

fn key() -> Key {
    Key::known(&["audit.jsonl"])
}

/// A sentence or two.
const LONGEST: usize = 500;
/// A list of names or files, and as much as the rest of a line.
const LARGEST: usize = 4096;
