//! The certificate of the edge's own that the admin listener shows where there is none for its name: made once and kept, so that whoever
//! was given it, or its fingerprint, knows the listener again.

use std::fmt;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::bundle::{Bundle, entry_like};
use super::local_ca::{LocalCaError, self_signed_for, valid_for};
use crate::live::{CertFacts, ServedCert};
use crate::name::{HostName, HostPattern};
use crate::store::{Key, NewFolder, Store, StoreError};

/// A certificate that nobody but itself stands behind, in `admin/`.
pub struct Doorplate {
    /// As it is shown.
    pub served: Arc<ServedCert>,
    /// Whether nobody can know it yet.
    pub is_new: bool,
}

impl Doorplate {
    /// The one that is kept, if it is for these names and addresses and not about to end; else another. There is always a name:
    /// `localhost`.
    ///
    /// # Errors
    /// [`NotMade`].
    pub fn at_home(store: &Store, names: &[HostName], addresses: &[IpAddr]) -> Result<Self, NotMade> {
        let wanted = Record {
            names: names.iter().map(ToString::to_string).chain([LOCAL.to_owned()]).collect(),
            addresses: addresses.to_vec(),
        };
        if let Some(served) = kept(store, &wanted)?.filter(|served| !is_due(served)) {
            return Ok(Self { served, is_new: false });
        }
        let patterns: Vec<_> = wanted.names.iter().filter_map(|name| HostPattern::parse(name).ok()).collect();
        let issued = self_signed_for(&patterns, addresses, valid_for(DAYS))?;
        store.delete(&folder())?;
        store.put_folder(&NewFolder {
            key: folder(),
            files: vec![
                (CERTIFICATE, issued.chain.as_bytes().to_vec().into()),
                (KEY, issued.key.as_bytes().to_vec().into()),
                (META, serde_json::to_vec_pretty(&wanted).unwrap_or_default().into()),
            ],
        })?;
        let served = kept(store, &wanted)?.ok_or_else(|| LocalCaError::Unfit("it cannot be read back".into()))?;
        Ok(Self { served, is_new: true })
    }
}

/// What lies there, if it is for what is wanted and whole.
fn kept(store: &Store, wanted: &Record) -> Result<Option<Arc<ServedCert>>, StoreError> {
    let file = |name: &str| folder().below(name).map(|key| store.read(&key)).transpose().map(Option::flatten);
    let (Some(certificate), Some(key), Some(meta)) = (file(CERTIFICATE)?, file(KEY)?, file(META)?) else {
        return Ok(None);
    };
    if !serde_json::from_slice::<Record>(&meta.content).is_ok_and(|record| record == *wanted) {
        return Ok(None);
    }
    let both = Zeroizing::new([&certificate.content[..], b"\n", &key.content[..]].concat());
    Ok(Bundle::parse(&both, None).ok().map(|bundle| {
        let served = bundle.served(Path::new(SHOWN), false);
        let facts = CertFacts { stand_in: true, ..served.facts.clone() };
        entry_like(&served, facts)
    }))
}

/// A year before its end: no edge runs for so long without a start.
fn is_due(served: &ServedCert) -> bool {
    served.facts.not_after - 365 * 86_400 < time::OffsetDateTime::now_utc().unix_timestamp()
}

/// Why there is none.
#[derive(Debug)]
pub enum NotMade {
    /// The state does not give or take it.
    Store(StoreError),
    /// It was not made.
    Library(LocalCaError),
}

impl fmt::Display for NotMade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::Library(error) => write!(f, "no certificate can be made for the admin listener: {error}"),
        }
    }
}

impl std::error::Error for NotMade {}

impl From<StoreError> for NotMade {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<LocalCaError> for NotMade {
    fn from(error: LocalCaError) -> Self {
        Self::Library(error)
    }
}

/// `meta.json`: what it was made for.
#[derive(PartialEq, Serialize, Deserialize)]
struct Record {
    names: Vec<String>,
    addresses: Vec<IpAddr>,
}

fn folder() -> Key {
    Key::known(&["admin"])
}

const CERTIFICATE: &str = "certificate.pem";
const KEY: &str = "key.pem";
const META: &str = "meta.json";
const LOCAL: &str = "localhost";
const SHOWN: &str = "admin/certificate.pem";
/// Ten years, as roots have: what somebody has written down is to hold.
const DAYS: u32 = 3650;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_same_after_a_restart_and_another_for_another_name() {
        let store = Store::in_memory();
        let names = |text: &str| vec![HostName::parse(text).expect("a name")];
        let addresses = [IpAddr::from([10, 0, 0, 7])];
        let made = |names: &[HostName]| Doorplate::at_home(&store, names, &addresses).expect("made");
        let first = made(&names("edge.example"));
        assert!(first.is_new && first.served.covers("edge.example") && first.served.covers("localhost"));
        assert!(folder().below(KEY).is_some_and(|key| key.is_secret()));
        let again = made(&names("edge.example"));
        assert!(!again.is_new);
        assert_eq!(again.served.facts.fingerprint, first.served.facts.fingerprint);
        let other = made(&names("other.example"));
        assert!(other.is_new && other.served.covers("other.example") && !other.served.covers("edge.example"));
        store.put(&folder().below(KEY).expect("a key"), b"damaged", crate::store::Expected::Anything).expect("put");
        assert!(made(&names("other.example")).is_new);
    }
}
