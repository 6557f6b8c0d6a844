//! Sites that are added and removed while the edge runs: tried first, then recorded, then served.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::looked_into;
use super::reload::{Outcome, Reloader};
use crate::config::{Config, Draft, Loaded, NewSite, SiteOrder, SiteRefusal, site_file};
use crate::store::{Expected, Item, Key, Store, StoreError};
use crate::words::refusal::Refusal;

impl Reloader {
    /// Carries out an order and tells its end. True: what is to be watched has changed.
    pub(super) fn obey(&mut self, order: SiteOrder, store: &Store) -> bool {
        if self.is_frozen() {
            let (SiteOrder::Add(_, reply) | SiteOrder::Remove(_, reply)) = order;
            let text = "the edge is frozen, and changes no site before `vitrine freeze off`";
            let _ = reply.send(Err(SiteRefusal::Conflict(Refusal::Frozen(String::new(), String::new()), text.into())));
            return false;
        }
        let (done, reply) = match order {
            SiteOrder::Add(site, reply) => (self.add(site, store), reply),
            SiteOrder::Remove(name, reply) => (self.remove(&name, store), reply),
        };
        let (answer, watch_anew) = match done {
            Ok((name, watch_anew)) => (Ok(name), watch_anew),
            Err(refusal) => (Err(refusal), false),
        };
        // Whoever asked may have gone; what was done stands.
        let _ = reply.send(answer);
        watch_anew
    }

    fn add(&mut self, site: Value, store: &Store) -> Result<(String, bool), SiteRefusal> {
        let NewSite { name } = NewSite::read(&site).map_err(SiteRefusal::Flawed)?;
        let path = self.path()?;
        let record = Record::read(store, &name)?;
        if record.members.contains_key("site") {
            let text = format!("the site {name:?} was added already; remove it first, or choose another name");
            return Err(SiteRefusal::Conflict(Refusal::SiteAdded(name), text));
        }
        let mut changed = record.members.clone();
        changed.insert("site".into(), site);
        let (next, outcome) = self.try_out(&path, &record.file, Some(&changed))?;
        let file = self.recorded_at(&record.file);
        if let Some(rejected) = next.rejected.iter().find(|rejected| rejected.file == file) {
            let words: Vec<_> = rejected.mistakes.iter().map(|it| format!("{}: {}", it.key, it.text)).collect();
            let words = words.join("; ");
            return Err(SiteRefusal::Conflict(Refusal::SiteUnread(words.clone()), words));
        }
        record.write(store, &changed)?;
        Ok((name, self.publish(next, outcome)))
    }

    fn remove(&mut self, name: &str, store: &Store) -> Result<(String, bool), SiteRefusal> {
        let path = self.path()?;
        let Some(origin) = self.origin(name) else { return Err(SiteRefusal::Unknown) };
        let file = site_file(name);
        if origin != self.recorded_at(&file) {
            let text = format!("the site {name:?} is written in {}; take it out there", origin.display());
            let why = Refusal::SiteWritten(name.to_owned(), origin.display().to_string());
            return Err(SiteRefusal::Conflict(why, text));
        }
        let record = Record::read(store, name)?;
        let mut changed = record.members.clone();
        changed.remove("site");
        let (next, outcome) = self.try_out(&path, &file, (!changed.is_empty()).then_some(&changed))?;
        record.write(store, &changed)?;
        Ok((name.to_owned(), self.publish(next, outcome)))
    }

    /// What would be served with the record changed, or gone.
    fn try_out(
        &self,
        path: &Path,
        file: &str,
        record: Option<&Map<String, Value>>,
    ) -> Result<(Loaded, Outcome), SiteRefusal> {
        let files = BTreeMap::from([(file.to_owned(), record.map(text))]);
        let draft = Draft { state: Some(self.state_directory().to_owned()), files, ..looked_into() };
        let broken = |what: &dyn std::fmt::Display| {
            let text = format!("with this the configuration would not hold, so nothing was changed: {what}");
            SiteRefusal::Conflict(Refusal::WouldNotHold(what.to_string()), text)
        };
        let next = Config::reload_with(path, self.serving(), &draft).map_err(|mistakes| broken(&mistakes))?;
        let outcome = self.outcome(&next.config).map_err(|lines| broken(&lines.join("\n")))?;
        Ok((next, outcome))
    }

    fn path(&self) -> Result<PathBuf, SiteRefusal> {
        let fixed = || {
            SiteRefusal::Conflict(
                Refusal::NoConfiguration,
                "this edge was not given a configuration file, and keeps its sites".into(),
            )
        };
        self.configuration().ok_or_else(fixed)
    }

    fn recorded_at(&self, file: &str) -> PathBuf {
        self.state_directory().join("sites").join(file)
    }
}

/// What is recorded of a site.
struct Record {
    key: Key,
    file: String,
    found: Option<Item>,
    members: Map<String, Value>,
}

impl Record {
    fn read(store: &Store, site: &str) -> Result<Self, SiteRefusal> {
        let file = site_file(site);
        let key = Key::of(&["sites", &file]).ok_or_else(|| {
            SiteRefusal::Flawed(vec!["site.name: expected a name that a file can have, of at most 190 letters".into()])
        })?;
        let found = store.read(&key).map_err(unwritten)?;
        let members = match found.as_ref().map(|item| serde_json::from_slice(&item.content)) {
            None => Map::new(),
            Some(Ok(members)) => members,
            Some(Err(_)) => {
                let text = format!("{key} in the state folder is no record of a site; restore it from a backup");
                return Err(SiteRefusal::Unwritten(text));
            }
        };
        Ok(Self { key, file, found, members })
    }

    /// Writes what is to be recorded from now on; nothing is no file.
    fn write(&self, store: &Store, members: &Map<String, Value>) -> Result<(), SiteRefusal> {
        if members.is_empty() {
            return store.delete(&self.key).map(drop).map_err(unwritten);
        }
        let expected = self.found.as_ref().map_or(Expected::Nothing, |item| Expected::Still(item.revision));
        store.put(&self.key, text(members).as_bytes(), expected).map(drop).map_err(unwritten)
    }
}

/// On one line, so that the lines that are told of mistakes are right.
fn text(record: &Map<String, Value>) -> String {
    serde_json::to_string(record).unwrap_or_default() + "\n"
}

fn unwritten(error: StoreError) -> SiteRefusal {
    tracing::error!(%error, "the state could not be changed");
    SiteRefusal::Unwritten(error.to_string())
}
