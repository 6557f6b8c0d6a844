//! How an object lies in the state folder.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{ApplePayCertificate, FOLDER, Object, ObjectKind, ObjectVersion, Origin};
use crate::live::WellKnownObject;
use crate::store::{Expected, Key, Revision, Store, StoreError};

/// An object and what of it is shown.
pub(super) struct Held {
    pub(super) object: Object,
    pub(super) content: Arc<WellKnownObject>,
}

/// Reads an object. `None`: there is none, or what is left of one; which is told. `files` is where the operator finds all.
pub(super) fn read(store: &Store, files: &Path, id: &str) -> Result<Option<Held>, StoreError> {
    let Some(folder) = Key::of(&[FOLDER, id]) else { return Ok(None) };
    let damaged = |what: &str| {
        tracing::error!(object = %folder, "{what}, and the object is not there for anybody; restore it from a backup, or bring it again");
        Ok(None)
    };
    let decision = folder.below(META).map(|key| store.read(&key)).transpose()?.flatten();
    // A kill between a first version and the word that it holds: nobody was told that it was kept.
    let Some(decision) = decision else { return Ok(None) };
    let Ok(Decision { kind, current }) = serde_json::from_slice(&decision.content) else {
        return damaged("what holds cannot be read");
    };
    let Some(kind) = ObjectKind::of(&kind) else { return damaged("it is of a kind that this version does not know") };
    let mut versions = Vec::new();
    for name in store.names(&folder)? {
        let Some(number) = number_of(&name) else { continue };
        let Some(item) = folder.below(&name).and_then(|key| key.below(META)) else { continue };
        let Some(item) = store.read(&item)? else { continue };
        match serde_json::from_slice::<Version>(&item.content) {
            Ok(version) => versions.push(version.numbered(number, file_of(files, id, number))),
            Err(error) => tracing::error!(object = %folder, version = number, %error, "a version cannot be read"),
        }
    }
    versions.sort_by_key(|version| std::cmp::Reverse(version.number));
    if kind == ObjectKind::ApplePayCertificate {
        for version in &mut versions {
            let content = content(store, id, version)?;
            let read = content.and_then(|chain| ApplePayCertificate::read(&chain.content, None).ok());
            version.certificate = read.map(|read| Arc::new(read.certificate));
        }
    }
    let object = Object { id: id.to_owned(), kind, origin: Origin::Kept, current, versions };
    let Some(version) = object.version() else { return damaged("the version that holds is not there") };
    match content(store, id, version)? {
        Some(content) => Ok(Some(Held { object, content })),
        None => damaged("the content of the version that holds is not what was kept"),
    }
}

/// The content of a version; `None` when it is not what was kept.
pub(super) fn content(
    store: &Store,
    id: &str,
    version: &ObjectVersion,
) -> Result<Option<Arc<WellKnownObject>>, StoreError> {
    let Some(key) = key_of(id, version.number).and_then(|key| key.below(CONTENT)) else { return Ok(None) };
    let item = store.read(&key)?;
    let item = item.filter(|item| Revision::of(&item.content).to_string() == version.sha256);
    Ok(item.map(|item| Arc::new(WellKnownObject { content: Bytes::copy_from_slice(&item.content) })))
}

/// Writes down which version holds.
pub(super) fn decide(store: &Store, id: &str, kind: ObjectKind, current: u32) -> Result<(), StoreError> {
    let Some(key) = Key::of(&[FOLDER, id, META]) else { return Ok(()) };
    let decision = Decision { kind: kind.word().into(), current };
    store.put(&key, &serde_json::to_vec_pretty(&decision).unwrap_or_default(), Expected::Anything).map(drop)
}

/// What is written about a version.
pub(super) fn of_version(version: &ObjectVersion) -> Vec<u8> {
    let ObjectVersion { sites, expires, added, added_by, size, sha256, .. } = version.clone();
    serde_json::to_vec_pretty(&Version { sites, expires, added, added_by, size, sha256 }).unwrap_or_default()
}

/// Where the content of a version lies for the operator.
pub(super) fn file_of(files: &Path, id: &str, number: u32) -> PathBuf {
    files.join(id).join(folder_name(number)).join(CONTENT)
}

fn folder_name(number: u32) -> String {
    format!("{number:04}")
}

/// Where a version lies.
pub(super) fn key_of(id: &str, number: u32) -> Option<Key> {
    Key::of(&[FOLDER, id, &folder_name(number)])
}

/// The number of a version's folder.
pub(super) fn number_of(name: &str) -> Option<u32> {
    name.parse().ok()
}

#[derive(Serialize, Deserialize)]
struct Decision {
    #[serde(rename = "type")]
    kind: String,
    current: u32,
}

#[derive(Serialize, Deserialize)]
struct Version {
    sites: Vec<String>,
    #[serde(default)]
    expires: Option<i64>,
    added: i64,
    added_by: String,
    size: usize,
    sha256: String,
}

impl Version {
    fn numbered(self, number: u32, file: PathBuf) -> ObjectVersion {
        let Self { sites, expires, added, added_by, size, sha256 } = self;
        ObjectVersion { number, sites, expires, added, added_by, size, sha256, certificate: None, file }
    }
}

pub(super) const META: &str = "meta.json";
pub(super) const CONTENT: &str = "content";
