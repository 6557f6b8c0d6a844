//! The edge's own authority at home in the state folder, and the certificates it issues to sites that chose so.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::bundle::entry_like;
use super::local_ca::{KeyKind, LocalCa, LocalCaError, valid_for};
use crate::live::{CertFacts, ServedCert};
use crate::name::{HostName, HostPattern};
use crate::store::{Key, NewFolder, Store, StoreError};

/// `state/local-ca`, and what it has issued since the start.
pub(super) struct SelfSigned {
    store: Store,
    /// For lists: where the root lies.
    root_file: PathBuf,
    authority: Option<Authority>,
    /// By the hosts they are for. A start issues them anew: what clients trust is the root.
    issued: BTreeMap<Vec<HostPattern>, Arc<ServedCert>>,
}

struct Authority {
    ca: LocalCa,
    suffixes: Vec<HostName>,
}

impl SelfSigned {
    pub(super) fn new(store: Store, state_directory: &Path) -> Self {
        let root_file = state_directory.join(FOLDER).join(ROOT);
        Self { store, root_file, authority: None, issued: BTreeMap::new() }
    }

    /// The certificates for sites with these hosts, issued or renewed where that is due at `now`, seconds since the Unix epoch.
    pub(super) fn certificates(
        &mut self,
        sites: &[&[HostPattern]],
        suffixes: &[HostName],
        now: i64,
    ) -> Result<Vec<Arc<ServedCert>>, NotIssued> {
        self.issued.retain(|hosts, _| sites.contains(&hosts.as_slice()));
        let root_file = self.root_file.clone();
        let mut certificates = Vec::with_capacity(sites.len());
        for hosts in sites {
            let known = self.issued.get(*hosts).filter(|served| renewal(served) > now);
            let served = match known {
                Some(known) => Arc::clone(known),
                None => {
                    let served = issue(&self.authority(suffixes)?.ca, hosts, &root_file)?;
                    self.issued.insert(hosts.to_vec(), Arc::clone(&served));
                    served
                }
            };
            certificates.push(served);
        }
        Ok(certificates)
    }

    /// One for these hosts that is in nobody's keeping here.
    pub(super) fn issue_for(
        &mut self,
        hosts: &[HostPattern],
        suffixes: &[HostName],
    ) -> Result<Arc<ServedCert>, NotIssued> {
        let root_file = self.root_file.clone();
        issue(&self.authority(suffixes)?.ca, hosts, &root_file)
    }

    /// When the next one is to be renewed, seconds since the Unix epoch.
    pub(super) fn next_renewal(&self) -> Option<i64> {
        self.issued.values().map(|served| renewal(served)).min()
    }

    /// The root's certificate, PEM, for whoever is to trust it. It is made when there is none.
    pub(super) fn root(&mut self, suffixes: &[HostName]) -> Result<String, NotIssued> {
        Ok(self.authority(suffixes)?.ca.root_pem().to_owned())
    }

    /// The authority whose root is limited to these suffixes, made once. With other suffixes it is made anew, since what clients
    /// trust cannot be widened.
    fn authority(&mut self, suffixes: &[HostName]) -> Result<&Authority, NotIssued> {
        if self.authority.is_none() {
            self.authority = self.read()?;
        }
        let fits = |authority: &Authority| suffixes.iter().all(|suffix| authority.suffixes.contains(suffix));
        let authority = match self.authority.take() {
            Some(authority) if fits(&authority) => authority,
            outgrown => {
                if outgrown.is_some() {
                    tracing::warn!(
                        "certificates.local_ca_suffixes has more than the root allows: the edge's own authority is made \
                                    anew, and who trusts its root needs the new one (vitrine sites root)"
                    );
                    self.store.delete(&folder())?;
                    self.issued.clear();
                }
                self.make(suffixes)?
            }
        };
        Ok(self.authority.insert(authority))
    }

    fn make(&self, suffixes: &[HostName]) -> Result<Authority, NotIssued> {
        let ca = LocalCa::limited_to(COMMON_NAME, suffixes)?;
        let record = Record { suffixes: suffixes.iter().map(ToString::to_string).collect() };
        self.store.put_folder(&NewFolder {
            key: folder(),
            files: vec![
                (ROOT, ca.root_pem().as_bytes().to_vec().into()),
                (KEY, ca.key_pem().as_bytes().to_vec().into()),
                (META, serde_json::to_vec_pretty(&record).unwrap_or_default().into()),
            ],
        })?;
        tracing::info!(root = %self.root_file.display(), "made the edge's own authority; clients that are to trust it need its root");
        Ok(Authority { ca, suffixes: suffixes.to_vec() })
    }

    fn read(&self) -> Result<Option<Authority>, NotIssued> {
        let file = |name: &str| folder().below(name).map(|key| self.store.read(&key)).transpose().map(Option::flatten);
        let (Some(root), Some(key), Some(meta)) = (file(ROOT)?, file(KEY)?, file(META)?) else { return Ok(None) };
        let damaged = || NotIssued::Damaged(self.root_file.with_file_name(""));
        let record: Record = serde_json::from_slice(&meta.content).map_err(|_| damaged())?;
        let text = |octets: &[u8]| String::from_utf8(octets.to_vec()).map_err(|_| damaged());
        let key = zeroize::Zeroizing::new(text(&key.content)?);
        let ca = LocalCa::again(COMMON_NAME, text(&root.content)?, &key).map_err(|_| damaged())?;
        let suffixes = record.suffixes.iter().filter_map(|suffix| HostName::parse(suffix).ok()).collect();
        Ok(Some(Authority { ca, suffixes }))
    }
}

/// Why there is no certificate.
#[derive(Debug)]
pub(super) enum NotIssued {
    Store(StoreError),
    Library(LocalCaError),
    /// What lies in this folder is not what was written there.
    Damaged(PathBuf),
}

impl From<StoreError> for NotIssued {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<LocalCaError> for NotIssued {
    fn from(error: LocalCaError) -> Self {
        Self::Library(error)
    }
}

impl std::fmt::Display for NotIssued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::Library(error) => error.fmt(f),
            Self::Damaged(folder) => write!(
                f,
                "what lies in {} is damaged: restore it from a backup, or delete it for a new authority, whose root clients then need",
                folder.display()
            ),
        }
    }
}

/// Its issuer is told by whoever was given the root.
fn issue(ca: &LocalCa, hosts: &[HostPattern], root_file: &Path) -> Result<Arc<ServedCert>, NotIssued> {
    let issued = ca.issue(hosts, valid_for(LEAF_DAYS), KeyKind::Ecdsa)?;
    let served = issued.served().map_err(|flaw| {
        tracing::error!(%flaw, "the edge's own authority issued what cannot be served");
        NotIssued::Damaged(root_file.with_file_name(""))
    })?;
    let facts = CertFacts { file: root_file.into(), vouched: true, embedded_key: false, ..served.facts.clone() };
    Ok(entry_like(&served, facts))
}

/// At two thirds of its life.
fn renewal(served: &ServedCert) -> i64 {
    let facts = &served.facts;
    facts.not_before + (facts.not_after - facts.not_before) / 3 * 2
}

/// `meta.json`
#[derive(Serialize, Deserialize)]
struct Record {
    suffixes: Vec<String>,
}

fn folder() -> Key {
    Key::known(&[FOLDER])
}

const FOLDER: &str = "local-ca";
const ROOT: &str = "root.pem";
const KEY: &str = "key.pem";
const META: &str = "meta.json";
const COMMON_NAME: &str = "Vitrine local CA";
/// Short, so that renewing is nothing special.
const LEAF_DAYS: u32 = 30;

#[cfg(test)]
mod tests {
    use super::*;

    fn names(texts: &[&str]) -> Vec<HostName> {
        texts.iter().map(|text| HostName::parse(text).expect("a name")).collect()
    }

    fn patterns(texts: &[&str]) -> Vec<HostPattern> {
        texts.iter().map(|text| HostPattern::parse(text).expect("a name")).collect()
    }

    #[test]
    fn the_root_is_made_once_and_leaves_are_renewed_by_themselves() {
        let store = Store::in_memory();
        let mut home = SelfSigned::new(store.clone(), Path::new("state"));
        let (suffixes, hosts) = (names(&["test"]), patterns(&["shop.test", "*.shop.test"]));
        let now = time::OffsetDateTime::now_utc().unix_timestamp();
        let issue = |home: &mut SelfSigned, now: i64| {
            home.certificates(&[&hosts], &suffixes, now).expect("issued").pop().expect("a certificate")
        };
        let first = issue(&mut home, now);
        assert_eq!((*first.names).to_vec(), {
            let mut sorted = hosts.clone();
            sorted.sort();
            sorted
        });
        assert!(Arc::ptr_eq(&first, &issue(&mut home, now)));
        let due = home.next_renewal().expect("a time");
        assert!((now + 19 * 86_400..now + 21 * 86_400).contains(&due), "{}", due - now);
        assert!(!Arc::ptr_eq(&first, &issue(&mut home, due)));

        let root = home.root(&suffixes).expect("a root");
        let mut again = SelfSigned::new(store, Path::new("state"));
        assert_eq!(again.root(&suffixes).expect("a root"), root);
        assert_ne!(again.root(&names(&["test", "internal"])).expect("a wider root"), root);
    }
}
