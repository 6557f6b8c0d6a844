//! The files served under `/.well-known/`, held in memory: a request never becomes a path.

use std::sync::Arc;

use bytes::Bytes;
use hashbrown::HashMap;

use crate::name::HostName;

/// Which host serves which well-known objects. A host that is not in it serves none.
#[derive(Default)]
pub struct WellKnown {
    hosts: HashMap<Box<str>, HashMap<Box<str>, Arc<WellKnownObject>>>,
}

impl WellKnown {
    /// Adds what `host` serves at `/.well-known/<name>`; the last one of a name wins.
    pub fn insert(&mut self, host: &HostName, name: &str, object: Arc<WellKnownObject>) {
        self.hosts.entry(host.as_str().into()).or_default().insert(name.into(), object);
    }

    /// What `host` (in normal form) serves at exactly `path`, which begins with a slash and has no query.
    #[must_use]
    pub fn find(&self, host: &str, path: &str) -> Option<&Arc<WellKnownObject>> {
        let name = path.strip_prefix("/.well-known/")?;
        self.hosts.get(host)?.get(name)
    }

    /// Every object with its host and name, for lists.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, &Arc<WellKnownObject>)> {
        self.hosts
            .iter()
            .flat_map(|(host, objects)| objects.iter().map(move |(name, object)| (&**host, &**name, object)))
    }
}

/// One file's content as it is served.
#[derive(Debug, PartialEq, Eq)]
pub struct WellKnownObject {
    /// The whole content, 1 MiB at most.
    pub content: Bytes,
}
