//! Dropped identity proofs as lists have them, beside those that were given to sites.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use super::{APPLE_PAY, APPLE_PAY_TXT, AllObjects, Entry, Objects};
use crate::certs::objects::{Object, ObjectKind, ObjectVersion, Origin};
use crate::certs::terms::{SiteTerms, Terms};
use crate::certs::walk::WELL_KNOWN;
use crate::name::{HostName, HostPattern};
use crate::store::Revision;

/// What was listed last, and what of: it is handed out as often as the folders are looked at, and seldom another one.
#[derive(Default)]
pub(super) struct Listing {
    listed: Arc<Vec<Object>>,
    of: Option<(Arc<Vec<Object>>, Arc<Terms>)>,
}

impl Listing {
    /// The files are others.
    pub(super) fn forget(&mut self) {
        self.of = None;
    }
}

/// What is known of a proof without its content.
#[derive(Clone)]
pub(super) struct Proof {
    pub(super) sha256: String,
    /// When it was written, seconds since the Unix epoch.
    pub(super) written: i64,
}

impl Proof {
    /// `None`: the name is that of something else.
    pub(super) fn of(name: &str, content: &[u8], written: i64) -> Option<Box<Self>> {
        let is_one = name == APPLE_PAY || name == APPLE_PAY_TXT;
        is_one.then(|| Box::new(Self { sha256: Revision::of(content).to_string(), written }))
    }
}

impl AllObjects {
    /// All that were given to sites and all proofs of the folders, in order of their ids.
    pub(in crate::certs) fn listed(&mut self, terms: &Arc<Terms>) -> Arc<Vec<Object>> {
        let kept = self.kept.all();
        let is_known = |(objects, under): &(Arc<_>, Arc<_>)| Arc::ptr_eq(objects, &kept) && Arc::ptr_eq(under, terms);
        if !self.listing.of.as_ref().is_some_and(is_known) {
            let mut all: Vec<Object> = self.dropped(&terms.sites);
            all.extend(kept.iter().cloned());
            all.sort_by(|one, other| one.id.cmp(&other.id));
            self.listing = Listing { listed: Arc::new(all), of: Some((kept, Arc::clone(terms))) };
        }
        Arc::clone(&self.listing.listed)
    }

    /// The file of a proof in a folder; `None`: there is none of this id.
    pub(in crate::certs) fn dropped_file(&self, id: &str) -> Option<PathBuf> {
        let found = self.listing.listed.iter().find(|object| object.id == id && object.origin != Origin::Kept)?;
        Some(found.version()?.file.clone())
    }

    fn dropped(&self, sites: &[SiteTerms]) -> Vec<Object> {
        let given: BTreeSet<&HostName> = self.shown.iter().map(|(host, _)| host).collect();
        let mut by_host: BTreeMap<&HostName, &str> = BTreeMap::new();
        for site in sites {
            by_host.extend(site.hosts.iter().filter_map(|host| match host {
                HostPattern::Exact(host) => Some((host, &*site.name)),
                HostPattern::Wildcard(_) => None,
            }));
        }
        let mut before: BTreeSet<&HostName> = BTreeSet::new();
        let mut all = Vec::new();
        for folder in &self.folders {
            // What an earlier folder has for a host goes under both names.
            let own = folder.files.iter().filter_map(|(path, entry)| Some((path, entry, entry.proof.as_deref()?)));
            let own: Vec<_> = own.filter(|(_, entry, _)| !before.contains(&entry.host)).collect();
            before.extend(own.iter().map(|(_, entry, _)| &entry.host));
            all.extend(own.into_iter().map(|(path, entry, proof)| {
                let shows = by_host.get(&entry.host).filter(|_| !given.contains(&entry.host));
                object(folder, path, (entry, proof), shows.copied())
            }));
        }
        all
    }
}

fn object(folder: &Objects, path: &std::path::Path, (entry, proof): (&Entry, &Proof), site: Option<&str>) -> Object {
    let version = ObjectVersion {
        number: 1,
        sites: site.map(ToOwned::to_owned).into_iter().collect(),
        expires: None,
        added: proof.written,
        added_by: "a file".into(),
        size: entry.object.content.len(),
        sha256: proof.sha256.clone(),
        certificate: None,
        file: folder.path(path).to_path_buf(),
    };
    Object {
        // No object that was brought has a slash in its name.
        id: format!("{WELL_KNOWN}/{}/{}", entry.host, entry.name),
        kind: ObjectKind::ApplePayIdentityProof,
        origin: Origin::Dropped(entry.host.clone()),
        current: version.number,
        versions: vec![version],
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::certs::folders::{Folder, Folders};
    use crate::certs::objects::{NewContent, NewObject, Objects as KeptObjects};
    use crate::live::Provision;
    use crate::store::Store;

    fn terms(sites: &[(&str, &[&str])]) -> Arc<Terms> {
        let site = |(name, hosts): &(&str, &[&str])| SiteTerms {
            name: (*name).to_owned(),
            hosts: hosts.iter().map(|host| HostPattern::parse(host).expect("a host")).collect(),
            provision: Provision::Uploaded,
            minimum_validation: None,
            before_issue: Default::default(),
        };
        Arc::new(Terms { sites: sites.iter().map(site).collect(), ..Terms::default() })
    }

    fn told(objects: &[Object]) -> Vec<String> {
        let one = |object: &Object| {
            let version = object.version().expect("one");
            format!("{} {} {:?}", object.id, object.origin.word(), version.sites)
        };
        objects.iter().map(one).collect()
    }

    #[test]
    fn a_proof_is_listed_once_with_the_site_that_shows_it() {
        let home = tempfile::tempdir().expect("a folder");
        let write = |folder: &str, place: &str| {
            let place = home.path().join(folder).join("well-known").join(place);
            fs::create_dir_all(place.parent().expect("a folder")).expect("created");
            fs::write(place, "proof").expect("written");
        };
        write("main", &format!("a.example/{APPLE_PAY}"));
        write("main", "a.example/other.txt");
        write("limited", &format!("a.example/{APPLE_PAY_TXT}"));
        write("limited", &format!("b.example/{APPLE_PAY_TXT}"));
        let hosts = ["a.example", "b.example"].map(|name| HostPattern::parse(name).expect("a name")).to_vec();
        let limited = Folder { directory: home.path().join("limited"), hosts, password_file: None };
        let folders = Folders::new(home.path().join("main"), [limited]);
        let kept = KeptObjects::open(Store::in_memory(), Path::new("state")).expect("none");
        let mut all = AllObjects::new(&folders, kept);
        let terms = terms(&[("one", &["a.example", "*.b.example"])]);
        all.adopt(all.look(), &terms.sites, |_| false).expect("a table");
        let first = all.listed(&terms);
        assert_eq!(
            told(&first),
            [
                format!("well-known/a.example/{APPLE_PAY} dropped [\"one\"]"),
                format!("well-known/b.example/{APPLE_PAY_TXT} dropped []")
            ]
        );
        let file = all.dropped_file(&format!("well-known/a.example/{APPLE_PAY}"));
        assert_eq!(file, Some(home.path().join("main/well-known/a.example").join(APPLE_PAY)));
        // Nothing has changed: it is the very same.
        assert!(Arc::ptr_eq(&first, &all.listed(&terms)));

        let what = NewContent::Proof { content: b"given".to_vec(), sites: vec!["one".into()], expires: None };
        all.kept().add(NewObject { id: None, what, by: "ops".into() }, &terms.sites, 7).expect("kept");
        all.shown_anew(&terms.sites).expect("another table");
        assert_eq!(
            told(&all.listed(&terms))[..2],
            ["one kept [\"one\"]".to_owned(), format!("well-known/a.example/{APPLE_PAY} dropped []")]
        );
        assert_eq!(all.dropped_file("one"), None);
        fs::remove_dir_all(home.path().join("limited/well-known")).expect("removed");
        all.adopt(all.look(), &terms.sites, |_| false).expect("another table");
        assert_eq!(all.listed(&terms).len(), 2);
    }
}
