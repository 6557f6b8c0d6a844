//! Every certificate that was ever accepted, with its key, as versions in the state folder: what is served although its file
//! is gone, and what can be gone back to.
//!
//! ```text
//! state/certificates/<id>/<version>/{chain.pem,key.pem,meta.json}
//! state/certificates/<id>/meta.json                which version is current, where that is not simply the newest
//! ```
//!
//! Certificates for the same names with the same type of key are versions of one: `<id>`. The intake alone writes here.

mod lineage;
mod record;
mod revocation;
mod version;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};

use super::certificate::{Certificate, Fingerprint, hexadecimal};
use super::folders::MAIN;
use super::formats::armour;
use super::pairing::{FileParts, Pair, pair};
use super::parts::Parts;
use super::password::Password;
use crate::store::{Expected, Key, NewFolder, Store, StoreError};

pub use lineage::TurnedDown;
pub(super) use lineage::lineage_id;
use lineage::{Lineage, Tie, VersionName};
pub use record::Source;
use record::{Decision, Record};
pub use revocation::Revocation;
pub use version::Version;
pub(super) use version::{Leaf, NewVersion, Stored, Unreadable};

/// Reads every version in a state folder, without an edge. Gives how many are whole, and what is wrong with the others.
///
/// # Errors
/// When the folder cannot be listed.
pub fn verify(store: Store, folder: &Path) -> Result<(usize, Vec<String>), StoreError> {
    Ok(Library::open(store, folder)?.verify())
}

/// The versions of all certificates.
pub(super) struct Library {
    store: Store,
    /// Where the state folder is, for paths in lists.
    folder: PathBuf,
    lineages: HashMap<Arc<str>, Lineage>,
    /// Where each version is found.
    places: HashMap<VersionName, Arc<str>>,
}

impl Library {
    /// Learns what is there. The content of a version is read when it is needed.
    pub(super) fn open(store: Store, folder: &Path) -> Result<Self, StoreError> {
        let mut library = Self { store, folder: folder.into(), lineages: HashMap::new(), places: HashMap::new() };
        for id in library.store.names(&root())? {
            library.learn(&id)?;
        }
        Ok(library)
    }

    fn learn(&mut self, id: &str) -> Result<(), StoreError> {
        let Some(folder) = root().below(id) else { return Ok(()) };
        let (mut lineage, id) = (Lineage::default(), Arc::from(id));
        for name in self.store.names(&folder)? {
            if name == META {
                lineage.decide(self.decision(&folder)?);
            } else if let Some(version) = VersionName::parse(&name) {
                self.places.insert(version, Arc::clone(&id));
                lineage.insert(version, |version| tie(&self.store, &id, version));
            }
        }
        if !lineage.is_empty() {
            self.lineages.insert(id, lineage);
        }
        Ok(())
    }

    /// A decision that cannot be read is none: the newest version serves.
    fn decision(&self, folder: &Key) -> Result<Decision, StoreError> {
        let Some(item) = folder.below(META).map(|key| self.store.read(&key)).transpose()?.flatten() else {
            return Ok(Decision::default());
        };
        Ok(serde_json::from_slice(&item.content).unwrap_or_else(|error| {
            tracing::error!(%folder, %error, "what was decided about these versions cannot be read; the newest serves");
            Decision::default()
        }))
    }

    /// Whether a certificate is kept.
    pub(super) fn has(&self, leaf: &Leaf<'_>) -> bool {
        self.places.contains_key(&leaf.version())
    }

    /// The same of one that serves nothing yet.
    pub(super) fn has_certificate(&self, certificate: &Certificate) -> bool {
        self.places.contains_key(&VersionName::of(&certificate.fingerprint, certificate.not_before))
    }

    /// Keeps pairs as new versions. Of what is there already it takes the chain. Gives what became of each, in order.
    pub(super) fn keep(&mut self, new: &[NewVersion<'_>]) -> Vec<Result<(), StoreError>> {
        let folders: Vec<NewFolder> = new.iter().map(|new| self.folder_of(new)).collect();
        let kept = self.store.put_folders(&folders);
        let learn = |((new, folder), kept): ((&NewVersion<'_>, &NewFolder), Result<(), StoreError>)| {
            match kept {
                Err(error) if error.is_conflict() => self.amend(folder, new.source)?,
                kept => kept?,
            }
            let (id, version) = (new.leaf.lineage(), new.leaf.version());
            let shared = self.lineages.get_key_value(&*id).map_or_else(|| id.as_str().into(), |(id, _)| Arc::clone(id));
            self.places.insert(version, Arc::clone(&shared));
            let lineage = self.lineages.entry(shared).or_default();
            lineage.insert(version, |version| tie(&self.store, &id, version));
            let is_decided = match new.source {
                Source::Dropped => lineage.take_up(version),
                // Whoever uploads it again wants it.
                Source::Uploaded | Source::Requested | Source::Issued => lineage.turned_down.remove(&version).is_some(),
            };
            if is_decided { self.write_decision(&id) } else { Ok(()) }
        };
        new.iter().zip(&folders).zip(kept).map(learn).collect()
    }

    /// The intermediates of a pair may come after it, and a dropped one may be uploaded, which makes it stay without its file.
    fn amend(&self, folder: &NewFolder, source: Source) -> Result<(), StoreError> {
        let is_amended = |name: &str| name == CHAIN || name == META && source != Source::Dropped;
        for (name, content) in folder.files.iter().filter(|(name, _)| is_amended(name)) {
            let Some(key) = folder.key.below(name) else { continue };
            if !self.store.read(&key)?.is_some_and(|item| item.content == *content) {
                self.store.put(&key, content, Expected::Anything)?;
            }
        }
        Ok(())
    }

    /// Where the chain of a version lies.
    pub(super) fn path_of(&self, leaf: &Leaf<'_>) -> PathBuf {
        self.folder.join(key_of(&leaf.lineage(), &leaf.version()).to_string()).join(CHAIN)
    }

    fn folder_of(&self, new: &NewVersion<'_>) -> NewFolder {
        let Leaf { facts, names, key_type, .. } = new.leaf;
        let record = Record {
            fingerprint: facts.fingerprint.to_string(),
            names: names.iter().map(ToString::to_string).collect(),
            key_type: key_type.label().into(),
            not_before: facts.not_before,
            not_after: facts.not_after,
            source: new.source,
            certificate_files: new.certificate_files.iter().map(|file| file.to_path_buf()).collect(),
            key_files: new.key_files.iter().map(|file| file.to_path_buf()).collect(),
            added: new.added,
            added_by: new.added_by.map(str::to_owned),
            exportable: new.is_exportable.then_some(true),
        };
        let chain: String = new.chain.iter().map(|der| armour("CERTIFICATE", der).to_string()).collect();
        NewFolder {
            key: key_of(&new.leaf.lineage(), &new.leaf.version()),
            files: vec![
                (CHAIN, chain.into_bytes().into()),
                (KEY, new.key.to_vec().into()),
                (META, record.to_json().into()),
            ],
        }
    }

    /// What is to serve at `now` besides the certificates that lie in the drop folder: of each certificate the newest version
    /// that is valid, and those that will be. What cannot be read is told and left out.
    pub(super) fn serving<'c>(&self, dropped: impl Iterator<Item = &'c Fingerprint>, now: i64) -> Vec<Stored> {
        let dropped = dropped.map(VersionName::octets_of).collect();
        let serving = self.lineages.iter().flat_map(|(id, lineage)| self.serving_of(id, lineage, &dropped, now));
        serving.collect()
    }

    /// The same of one certificate.
    pub(super) fn serving_one<'c>(
        &self,
        lineage: &str,
        dropped: impl Iterator<Item = &'c Fingerprint>,
        now: i64,
    ) -> Vec<Stored> {
        let dropped = dropped.map(VersionName::octets_of).collect();
        let found = self.lineages.get_key_value(lineage);
        found.map(|(id, lineage)| self.serving_of(id, lineage, &dropped, now)).unwrap_or_default()
    }

    fn serving_of(
        &self,
        id: &str,
        lineage: &Lineage,
        dropped: &HashSet<[u8; VersionName::OCTETS]>,
        now: i64,
    ) -> Vec<Stored> {
        let mut serving = Vec::new();
        for version in lineage.newest_first().filter(|version| !dropped.contains(&version.octets())) {
            match self.load(id, version, lineage.is_gone_back_to(version)) {
                Ok(stored) => {
                    let is_valid = stored.pair.leaf.is_valid_at(now);
                    serving.push(stored);
                    if is_valid {
                        break;
                    }
                }
                Err(error) => tracing::error!(%id, %version, "a version in the state folder is left out: {error}"),
            }
        }
        serving
    }

    /// Reads a version. `gone_back_to`: the folder has no say in it any more.
    fn load(&self, id: &str, version: VersionName, gone_back_to: bool) -> Result<Stored, Unreadable> {
        let key = key_of(id, &version);
        let read = |name: &str| {
            let item = key.below(name).map(|key| self.store.read(&key)).transpose()?.flatten();
            item.ok_or_else(|| Unreadable::Damaged(format!("{key} has no {name}")))
        };
        let damaged = |what: String| Unreadable::Damaged(format!("{key}: {what}"));
        let record: Record = serde_json::from_slice(&read(META)?.content)
            .map_err(|error| damaged(format!("{META} cannot be read: {error}")))?;
        let mut both = read(CHAIN)?.content;
        // At its final size at once: a buffer that grows leaves copies of the key behind.
        let secret = read(KEY)?.content;
        both.reserve_exact(secret.len());
        both.extend_from_slice(&secret);
        let parts = Parts::read(&both, &Password::Absent, &Default::default())
            .map_err(|flaw| damaged(format!("certificate or key cannot be read: {}", flaw.reason)))?;
        let path: Arc<Path> = self.folder.join(key.to_string()).join(CHAIN).into();
        let mut pairs = pair(&[FileParts { path: &path, parts: &parts, folder: MAIN }], &[]).pairs;
        let is_meant = |pair: &Pair| hexadecimal(&pair.leaf.fingerprint) == record.fingerprint;
        let Some(at) = pairs.iter().position(is_meant) else {
            return Err(damaged("key and certificate do not belong together, or are others than it says".into()));
        };
        let mut pair = pairs.swap_remove(at);
        // One without files has nothing whose going could be noticed.
        let is_dropped = record.source == Source::Dropped && !gone_back_to && !record.certificate_files.is_empty();
        if is_dropped {
            pair.certificate_files = record.certificate_files.iter().map(|file| file.as_path().into()).collect();
            pair.key_files = record.key_files.iter().map(|file| file.as_path().into()).collect();
        }
        let is_revoked = self.lineages.get(id).is_some_and(|lineage| lineage.revoked.contains_key(&version));
        Ok(Stored { is_dropped, is_revoked, pair, record })
    }

    /// Reads the version of a fingerprint.
    pub(super) fn find(&self, fingerprint: &str) -> Option<Result<Stored, Unreadable>> {
        let (version, id) = self.place(fingerprint)?;
        Some(self.load(id, version, true).and_then(|stored| match stored.record.fingerprint == fingerprint {
            true => Ok(stored),
            false => Err(Unreadable::Damaged(format!("{id}/{version} is another certificate"))),
        }))
    }

    /// The versions of the certificate that `fingerprint` is one of, the newest first.
    pub(super) fn history(&self, fingerprint: &str) -> Option<Vec<Version>> {
        let (_, id) = self.place(fingerprint)?;
        let lineage = self.lineages.get(id)?;
        let current = lineage.newest_first().next();
        let told = |version: VersionName| {
            let record = record_of(&self.store, id, version)?;
            Some(Version {
                id: id.to_owned(),
                version: version.to_string(),
                fingerprint: record.fingerprint,
                names: record.names,
                key_type: record.key_type,
                not_before: record.not_before,
                not_after: record.not_after,
                source: record.source,
                added: record.added,
                added_by: record.added_by,
                is_current: current == Some(version),
                turned_down: lineage.turned_down.get(&version).copied(),
                revoked: lineage.revoked.get(&version).cloned(),
            })
        };
        Some(lineage.all().filter_map(told).collect())
    }

    /// The versions of a certificate that may serve, by the beginnings of their fingerprints, the newest first.
    pub(super) fn versions_of(&self, lineage: &str) -> Vec<[u8; VersionName::OCTETS]> {
        let lineage = self.lineages.get(lineage);
        lineage.into_iter().flat_map(|lineage| lineage.newest_first().map(VersionName::octets)).collect()
    }

    /// Says that a version is not to serve.
    pub(super) fn turn_down(&mut self, leaf: &Leaf<'_>, why: TurnedDown) -> Result<(), StoreError> {
        let version = leaf.version();
        let Some(id) = self.places.get(&version).cloned() else { return Ok(()) };
        let Some(lineage) = self.lineages.get_mut(&id) else { return Ok(()) };
        if lineage.turn_down(version, why) { self.write_decision(&id) } else { Ok(()) }
    }

    /// Says that a version which came again is to serve again, unless the operator went back from it.
    pub(super) fn take_up(&mut self, leaf: &Leaf<'_>) -> Result<(), StoreError> {
        let version = leaf.version();
        let Some(id) = self.places.get(&version).cloned() else { return Ok(()) };
        let Some(lineage) = self.lineages.get_mut(&id) else { return Ok(()) };
        if lineage.take_up(version) { self.write_decision(&id) } else { Ok(()) }
    }

    /// Makes a version the current one: those that are newer are turned down.
    pub(super) fn go_back_to(&mut self, fingerprint: &str) -> Result<(), StoreError> {
        let Some((version, id)) = self.place(fingerprint).map(|(version, id)| (version, id.to_owned())) else {
            return Ok(());
        };
        let Some(lineage) = self.lineages.get_mut(&*id) else { return Ok(()) };
        let before = lineage.clone();
        lineage.go_back_to(version);
        let written = self.write_decision(&id);
        if written.is_err() {
            self.lineages.insert(id.into(), before);
        }
        written
    }

    /// Deletes a version with its key, for good.
    pub(super) fn delete(&mut self, fingerprint: &str) -> Result<bool, StoreError> {
        let Some((version, id)) = self.place(fingerprint).map(|(version, id)| (version, id.to_owned())) else {
            return Ok(false);
        };
        let there = self.store.delete(&key_of(&id, &version))?;
        self.places.remove(&version);
        if let Some(lineage) = self.lineages.get_mut(&*id) {
            lineage.remove(version);
            let was_decided =
                lineage.turned_down.remove(&version).is_some() | lineage.revoked.remove(&version).is_some();
            if lineage.is_empty() {
                self.lineages.remove(&*id);
                if let Some(folder) = root().below(&id) {
                    self.store.delete(&folder)?;
                }
            } else if was_decided {
                self.write_decision(&id)?;
            }
        }
        Ok(there)
    }

    /// Reads every version. Gives how many are whole, and what is wrong with the others.
    pub(super) fn verify(&self) -> (usize, Vec<String>) {
        let (mut whole, mut wrong) = (0, Vec::new());
        for (version, id) in &self.places {
            match self.load(id, *version, true) {
                Ok(stored) if VersionName::of(&stored.pair.leaf.fingerprint, stored.record.not_before) == *version => {
                    whole += 1;
                }
                Ok(_) => wrong.push(format!("{id}/{version} holds another certificate than its name says")),
                Err(error) => wrong.push(error.to_string()),
            }
        }
        wrong.sort_unstable();
        (whole, wrong)
    }

    fn place(&self, fingerprint: &str) -> Option<(VersionName, &str)> {
        let beginning = VersionName::octets_in(fingerprint)?;
        let found = self.places.iter().find(|(version, _)| version.octets() == beginning);
        found.map(|(version, id)| (*version, &**id))
    }

    fn write_decision(&self, id: &str) -> Result<(), StoreError> {
        let (Some(lineage), Some(folder)) = (self.lineages.get(id), root().below(id)) else { return Ok(()) };
        let Some(key) = folder.below(META) else { return Ok(()) };
        self.store.put(&key, &Decision::of(lineage).to_json(), Expected::Anything).map(drop)
    }
}

fn root() -> Key {
    Key::known(&["certificates"])
}

fn key_of(id: &str, version: &VersionName) -> Key {
    let version = version.to_string();
    root().below(id).and_then(|folder| folder.below(&version)).unwrap_or_else(root)
}

fn record_of(store: &Store, id: &str, version: VersionName) -> Option<Record> {
    let item = store.read(&key_of(id, &version).below(META)?).ok().flatten()?;
    serde_json::from_slice(&item.content).ok()
}

/// What cannot be read goes last.
fn tie(store: &Store, id: &str, version: VersionName) -> Tie {
    let record = record_of(store, id, version);
    record.map(|Record { not_after, added, .. }| Tie { not_after, added }).unwrap_or_default()
}

const CHAIN: &str = "chain.pem";
const KEY: &str = "key.pem";
const META: &str = "meta.json";
