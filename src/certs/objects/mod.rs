//! What is kept in the state as versions and is no certificate of a server: what sites have to show, and what a merchant has to have.
//!
//! ```text
//! objects/<id>/meta.json                 what it is, and which version holds
//! objects/<id>/<version>/content         as it came, octet for octet; a certificate with its issuers, PEM
//! objects/<id>/<version>/meta.json       for which sites, until when, who brought it
//! ```
//!
//! A version is written whole before it holds: a kill in between leaves one that nobody asked for, and what held before.

mod certificate;
mod end;
mod ending;
mod new;
mod record;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use zeroize::Zeroizing;

pub use certificate::{ApplePayCertificate, ReadCertificate};
pub use end::{End, EndFrom};
pub(super) use ending::{Ending, raised};
pub use new::{NewContent, NewObject};
use record::{Held, file_of, key_of, number_of};

use super::terms::SiteTerms;
use super::well_known::holds_secret;
use crate::live::WellKnownObject;
use crate::name::{HostName, HostPattern};
use crate::store::{Key, NewFolder, Revision, Store, StoreError};

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectKind {
    /// The file by which Apple sees that a merchant has a domain.
    ApplePayIdentityProof,
    /// A certificate that Apple issued to a merchant, which no site shows.
    ApplePayCertificate,
}

impl ObjectKind {
    /// Every kind there is.
    pub const ALL: &'static [Self] = &[Self::ApplePayIdentityProof, Self::ApplePayCertificate];

    /// Its name, stable, for programs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::ApplePayIdentityProof => "apple-pay-identity-proof",
            Self::ApplePayCertificate => "apple-pay-certificate",
        }
    }

    /// The kind of a name.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.word() == word)
    }
}

/// How an object came to be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It was brought, and is kept in the state.
    Kept,
    /// It lies in a drop folder, for this host.
    Dropped(HostName),
}

impl Origin {
    /// Its name, stable, for programs.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Dropped(_) => "dropped",
        }
    }
}

/// An object with all its versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// What it is called, the same for all versions.
    pub id: String,
    /// What it is.
    pub kind: ObjectKind,
    /// How it came to be there.
    pub origin: Origin,
    /// The number of the version that holds.
    pub current: u32,
    /// All there are, the newest first.
    pub versions: Vec<ObjectVersion>,
}

impl Object {
    /// The version that holds.
    #[must_use]
    pub fn version(&self) -> Option<&ObjectVersion> {
        self.versions.iter().find(|version| version.number == self.current)
    }
}

/// One version of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectVersion {
    /// Counted from 1.
    pub number: u32,
    /// The names of the sites that show it.
    pub sites: Vec<String>,
    /// Until when, as the operator says; `None`: as long as the sites' certificates. Seconds since the Unix epoch.
    pub expires: Option<i64>,
    /// When it came, seconds since the Unix epoch.
    pub added: i64,
    /// Who brought it.
    pub added_by: String,
    /// How many octets it has.
    pub size: usize,
    /// SHA-256 over them, hexadecimal.
    pub sha256: String,
    /// What it says of itself, where it is a certificate, and whole.
    pub certificate: Option<Arc<ApplePayCertificate>>,
    /// Where its content lies, as the operator knows it.
    pub file: PathBuf,
}

/// Why nothing has changed.
#[derive(Debug)]
pub enum NotKept {
    /// It is named for no site.
    NoSites,
    /// There is no such site.
    UnknownSite(String),
    /// All hosts of the site are wildcards.
    NoHost(String),
    /// The site shows another object of the kind.
    Taken {
        /// Which site.
        site: String,
        /// Which object.
        id: String,
    },
    /// That can be no name.
    BadId(String),
    /// There is nothing in it.
    Empty,
    /// It is a private key, and would be shown to everybody.
    Secret,
    /// It is a certificate that names no merchant.
    NoMerchant,
    /// It is a certificate that was over then, seconds since the Unix epoch.
    Over(i64),
    /// It is the certificate for a request whose key is here, this one.
    ForRequest(Box<str>),
    /// The object is of another kind.
    OtherKind(ObjectKind),
    /// There are as many as there may be.
    TooMany,
    /// There is no such object.
    Unknown,
    /// It is a file of the drop folder, this one.
    Dropped(PathBuf),
    /// The object has no such version.
    NoVersion(u32),
    /// It could not be written down.
    Store(StoreError),
    /// The edge is stopping.
    Stopping,
}

/// All objects, and what they are written to.
pub(super) struct Objects {
    store: Store,
    /// Where they lie, as the operator knows it.
    folder: PathBuf,
    held: BTreeMap<String, Held>,
    /// Handed out whole, seldom changed.
    listed: Arc<Vec<Object>>,
}

impl Objects {
    /// Reads what is kept; `store` is what lies in `state_directory`. What cannot be read is told and left out.
    pub(super) fn open(store: Store, state_directory: &Path) -> Result<Self, StoreError> {
        let (mut held, folder) = (BTreeMap::new(), state_directory.join(FOLDER));
        for id in store.names(&Key::known(&[FOLDER]))? {
            if let Some(object) = record::read(&store, &folder, &id)? {
                held.insert(id, object);
            }
        }
        let mut objects = Self { store, folder, held, listed: Arc::default() };
        objects.list();
        Ok(objects)
    }

    /// All objects, in order of their ids.
    pub(super) fn all(&self) -> Arc<Vec<Object>> {
        Arc::clone(&self.listed)
    }

    /// Keeps a new version, which holds from now on. The certificate that holds is not kept once more.
    pub(super) fn add(&mut self, new: NewObject, sites: &[SiteTerms], now: i64) -> Result<Object, NotKept> {
        let NewObject { id, what, by } = new;
        let kind = what.kind();
        let unnamed = match kind {
            ObjectKind::ApplePayIdentityProof => NotKept::NoSites,
            ObjectKind::ApplePayCertificate => NotKept::NoMerchant,
        };
        let id = id.or_else(|| what.own_id()).ok_or(unnamed)?;
        let folder = Key::of(&[FOLDER, &id]).ok_or_else(|| NotKept::BadId(id.clone()))?;
        if let Some(known) = self.held.get(&id).filter(|held| held.object.kind != kind) {
            return Err(NotKept::OtherKind(known.object.kind));
        }
        let (content, named, expires, certificate) = match what {
            NewContent::Proof { content, sites: named, expires } => {
                if content.iter().all(u8::is_ascii_whitespace) {
                    return Err(NotKept::Empty);
                }
                if holds_secret(&content) {
                    return Err(NotKept::Secret);
                }
                self.can_show(&id, kind, &named, sites)?;
                (content, named, expires, None)
            }
            NewContent::Certificate(certificate) => {
                if certificate.not_after < now {
                    return Err(NotKept::Over(certificate.not_after));
                }
                (certificate.chain.as_bytes().to_vec(), Vec::new(), None, Some(certificate))
            }
        };
        let sha256 = Revision::of(&content).to_string();
        if let Some(held) = self.held.get(&id)
            && certificate.is_some()
            && held.object.version().is_some_and(|version| version.sha256 == sha256)
        {
            return Ok(held.object.clone());
        }
        if !self.held.contains_key(&id) && self.held.len() >= MOST_OBJECTS {
            return Err(NotKept::TooMany);
        }
        // Behind whatever lies there, also behind what a kill left.
        let there = self.store.names(&folder).map_err(NotKept::Store)?;
        let number = there.iter().filter_map(|name| number_of(name)).max().unwrap_or_default().saturating_add(1);
        let version = ObjectVersion {
            number,
            sites: named,
            expires,
            added: now,
            added_by: by,
            size: content.len(),
            sha256,
            certificate,
            file: file_of(&self.folder, &id, number),
        };
        let files = vec![
            (record::CONTENT, Zeroizing::new(content.clone())),
            (record::META, Zeroizing::new(record::of_version(&version))),
        ];
        let key = key_of(&id, number).ok_or_else(|| NotKept::BadId(id.clone()))?;
        self.store.put_folder(&NewFolder { key, files }).map_err(NotKept::Store)?;
        record::decide(&self.store, &id, kind, number).map_err(NotKept::Store)?;
        let content = Arc::new(WellKnownObject { content: Bytes::from(content) });
        let mut versions = self.held.remove(&id).map(|held| held.object.versions).unwrap_or_default();
        versions.insert(0, version);
        let object = Object { id: id.clone(), kind, origin: Origin::Kept, current: number, versions };
        self.held.insert(id, Held { object: object.clone(), content });
        self.list();
        Ok(object)
    }

    /// Makes an older version, or a newer one again, hold.
    pub(super) fn go_back_to(
        &mut self,
        id: &str,
        number: u32,
        sites: &[SiteTerms],
        now: i64,
    ) -> Result<Object, NotKept> {
        let held = self.held.get(id).ok_or(NotKept::Unknown)?;
        let version = held.object.versions.iter().find(|version| version.number == number);
        let version = version.ok_or(NotKept::NoVersion(number))?;
        if let Some(over) = version.certificate.as_ref().map(|own| own.not_after).filter(|end| *end < now) {
            return Err(NotKept::Over(over));
        }
        if held.object.kind == ObjectKind::ApplePayIdentityProof {
            self.can_show(id, held.object.kind, &version.sites, sites)?;
        }
        let content = record::content(&self.store, id, version).map_err(NotKept::Store)?;
        let content = content.ok_or(NotKept::NoVersion(number))?;
        record::decide(&self.store, id, held.object.kind, number).map_err(NotKept::Store)?;
        let held = self.held.get_mut(id).ok_or(NotKept::Unknown)?;
        (held.object.current, held.content) = (number, content);
        let object = held.object.clone();
        self.list();
        Ok(object)
    }

    /// Takes an object away with all its versions.
    pub(super) fn remove(&mut self, id: &str) -> Result<Object, NotKept> {
        let object = self.held.get(id).ok_or(NotKept::Unknown)?.object.clone();
        let folder = Key::of(&[FOLDER, id]).ok_or(NotKept::Unknown)?;
        self.store.delete(&folder).map_err(NotKept::Store)?;
        self.held.remove(id);
        self.list();
        Ok(object)
    }

    /// What is shown at which host. Sites that are gone show nothing, until they come again.
    pub(super) fn shown(&self, sites: &[SiteTerms]) -> Vec<(HostName, Arc<WellKnownObject>)> {
        let sites: BTreeMap<&str, &SiteTerms> = sites.iter().map(|site| (site.name.as_str(), site)).collect();
        let of_object = |held: &Held| {
            let named = held.object.version().map(|version| version.sites.as_slice()).unwrap_or_default();
            let hosts = named.iter().filter_map(|name| sites.get(name.as_str())).flat_map(|site| exact(&site.hosts));
            hosts.map(|host| (host.clone(), Arc::clone(&held.content))).collect::<Vec<_>>()
        };
        self.held.values().flat_map(of_object).collect()
    }

    /// Whether these sites are there, have something to show it at, and show nothing else of the kind.
    fn can_show(&self, id: &str, kind: ObjectKind, named: &[String], sites: &[SiteTerms]) -> Result<(), NotKept> {
        if named.is_empty() {
            return Err(NotKept::NoSites);
        }
        for name in named {
            let site =
                sites.iter().find(|site| site.name == *name).ok_or_else(|| NotKept::UnknownSite(name.clone()))?;
            if exact(&site.hosts).next().is_none() {
                return Err(NotKept::NoHost(name.clone()));
            }
            let shows = |held: &&Held| held.object.version().is_some_and(|version| version.sites.contains(name));
            let mut others = self.held.values().filter(|held| held.object.id != id && held.object.kind == kind);
            if let Some(other) = others.find(shows) {
                return Err(NotKept::Taken { site: name.clone(), id: other.object.id.clone() });
            }
        }
        Ok(())
    }

    fn list(&mut self) {
        self.listed = Arc::new(self.held.values().map(|held| held.object.clone()).collect());
    }
}

fn exact(hosts: &[HostPattern]) -> impl Iterator<Item = &HostName> {
    hosts.iter().filter_map(|host| match host {
        HostPattern::Exact(name) => Some(name),
        HostPattern::Wildcard(_) => None,
    })
}

const FOLDER: &str = "objects";
/// All are in memory, a MiB each at worst; an authority that vouches for thousands of shops needs one.
const MOST_OBJECTS: usize = 1000;
