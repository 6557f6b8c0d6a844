//! Where each site's certificates come from: as configured, unless the operator decided otherwise since.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::minimum::Minimum;
use crate::live::Provision;
use crate::store::{Expected, Key, Store, StoreError};

/// What was decided, as `state/sites/<site>.json` has it.
pub(super) struct Choices {
    store: Store,
    /// Handed out whole, seldom changed.
    decided: Arc<BTreeMap<String, Choice>>,
    minimums: Arc<BTreeMap<String, Minimum>>,
}

/// What the operator decided about a site's certificates while the edge was running. It outranks the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// `uploaded` or `self-signed`.
    #[serde(with = "words")]
    pub certificate: Provision,
    /// With `uploaded`: the fingerprints of those that are to serve; none: the best.
    #[serde(default)]
    pub pinned: Vec<String>,
    /// Who decided.
    pub by: String,
    /// When, seconds since the Unix epoch.
    pub at: i64,
}

/// A site's choice beside what is configured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SiteChoice {
    /// The site's name.
    pub site: String,
    /// As the configuration has it.
    #[serde(with = "words")]
    pub configured: Provision,
    /// What was decided since.
    pub decided: Option<Choice>,
}

impl SiteChoice {
    /// What holds.
    #[must_use]
    pub fn provision(&self) -> Provision {
        self.decided.as_ref().map_or(self.configured, |choice| choice.certificate)
    }
}

/// Why nothing was decided.
#[derive(Debug)]
pub enum NotChosen {
    /// There is no such site.
    NoSite,
    /// The edge's own authority does not issue for this host.
    OutsideSuffixes(String),
    /// Nothing is ordered before the operator has agreed to the authorities' terms.
    NoTerms,
    /// Only who can write records gets a certificate for this host.
    NeedsDns(String),
    /// No certificate in service has this fingerprint.
    NoCertificate(String),
    /// The certificate is for none of the site's hosts.
    NotForSite(String),
    /// It could not be written down.
    Store(StoreError),
}

impl Choices {
    /// Reads what was decided. What cannot be read is told and does not hold.
    pub(super) fn open(store: Store) -> Result<Self, StoreError> {
        let Decided { choices, minimums, unread } = Decided::read(&store)?;
        for (key, error) in unread {
            tracing::error!(%key, %error, "what was decided about a site cannot be read, and does not hold");
        }
        Ok(Self { store, decided: Arc::new(choices), minimums: Arc::new(minimums) })
    }

    /// What was decided about a site.
    pub(super) fn decided(&self, site: &str) -> Option<&Choice> {
        self.decided.get(site)
    }

    /// What was decided about every site there is or was.
    pub(super) fn all(&self) -> Arc<BTreeMap<String, Choice>> {
        Arc::clone(&self.decided)
    }

    /// What was decided that every site there is or was asks for.
    pub(super) fn minimums(&self) -> Arc<BTreeMap<String, Minimum>> {
        Arc::clone(&self.minimums)
    }

    /// Writes down what was decided; `None` takes it back.
    pub(super) fn decide(&mut self, site: &str, choice: Option<Choice>) -> Result<(), StoreError> {
        self.write(site, CHOICE, choice.as_ref())?;
        match choice {
            Some(choice) => drop(Arc::make_mut(&mut self.decided).insert(site.into(), choice)),
            None => drop(Arc::make_mut(&mut self.decided).remove(site)),
        }
        Ok(())
    }

    /// Writes down what a site asks for; `None` takes it back.
    pub(super) fn demand(&mut self, site: &str, minimum: Option<Minimum>) -> Result<(), StoreError> {
        self.write(site, MINIMUM, minimum.as_ref())?;
        match minimum {
            Some(minimum) => drop(Arc::make_mut(&mut self.minimums).insert(site.into(), minimum)),
            None => drop(Arc::make_mut(&mut self.minimums).remove(site)),
        }
        Ok(())
    }

    /// Leaves what else is written about the site.
    fn write(&self, site: &str, member: &str, decided: Option<&impl Serialize>) -> Result<(), StoreError> {
        let Some(key) = Key::of(&[FOLDER, &format!("{site}.json")]) else { return Ok(()) };
        let there = self.store.read(&key)?;
        let mut document: Map<String, Value> =
            there.as_ref().and_then(|item| serde_json::from_slice(&item.content).ok()).unwrap_or_default();
        match decided.map(serde_json::to_value) {
            Some(Ok(decided)) => drop(document.insert(member.into(), decided)),
            _ => drop(document.remove(member)),
        }
        if document.is_empty() {
            self.store.delete(&key)?;
        } else {
            let expected = there.map_or(Expected::Nothing, |item| Expected::Still(item.revision));
            self.store.put(&key, &serde_json::to_vec_pretty(&document).unwrap_or_default(), expected)?;
        }
        Ok(())
    }
}

/// The minimums that were decided, by the sites' names, as a state folder has them that an edge may be using; and a line for each
/// file that cannot be read, which does not hold.
///
/// # Errors
/// [`StoreError`] when the folder cannot be read.
pub fn decided_minimums(state: &Path) -> Result<(BTreeMap<String, Minimum>, Vec<String>), StoreError> {
    let Some(store) = Store::look(state)? else { return Ok(Default::default()) };
    let Decided { minimums, unread, .. } = Decided::read(&store)?;
    Ok((minimums, unread.into_iter().map(|(key, error)| format!("{key}: {error}")).collect()))
}

/// What lies in the folder.
#[derive(Default)]
struct Decided {
    choices: BTreeMap<String, Choice>,
    minimums: BTreeMap<String, Minimum>,
    unread: Vec<(Key, serde_json::Error)>,
}

impl Decided {
    fn read(store: &Store) -> Result<Self, StoreError> {
        let mut all = Self::default();
        for name in store.names(&Key::known(&[FOLDER]))? {
            let Some((site, key)) = name.strip_suffix(".json").zip(Key::of(&[FOLDER, &name])) else { continue };
            let Some(item) = store.read(&key)? else { continue };
            match serde_json::from_slice::<Document>(&item.content) {
                Ok(Document { choice, minimum }) => {
                    all.choices.extend(choice.map(|choice| (site.to_owned(), choice)));
                    all.minimums.extend(minimum.map(|minimum| (site.to_owned(), minimum)));
                }
                Err(error) => all.unread.push((key, error)),
            }
        }
        Ok(all)
    }
}

/// As far as it is about certificates; what else stands there belongs to others.
#[derive(Deserialize)]
struct Document {
    choice: Option<Choice>,
    minimum: Option<Minimum>,
}

/// The words of the configuration.
mod words {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::live::Provision;

    #[allow(clippy::trivially_copy_pass_by_ref)] // serde wants it so
    pub(super) fn serialize<S: Serializer>(provision: &Provision, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(provision.word())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Provision, D::Error> {
        let word = String::deserialize(deserializer)?;
        let known = [Provision::Uploaded, Provision::Managed, Provision::SelfSigned]
            .into_iter()
            .find(|known| known.word() == word);
        known.ok_or_else(|| serde::de::Error::custom("expected uploaded, managed or self-signed"))
    }
}

const FOLDER: &str = "sites";
const CHOICE: &str = "choice";
const MINIMUM: &str = "minimum";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::ValidationLevel;

    #[test]
    fn a_decision_lasts_and_leaves_what_else_is_written_about_the_site() {
        let store = Store::in_memory();
        let key = Key::of(&["sites", "shop.json"]).expect("a key");
        store.put(&key, br#"{"site":{"hosts":["shop.test"]}}"#, Expected::Nothing).expect("written");
        let mut choices = Choices::open(store.clone()).expect("read");
        assert!(choices.all().is_empty());
        let choice = Choice { certificate: Provision::SelfSigned, pinned: vec![], by: "ops".into(), at: 7 };
        choices.decide("shop", Some(choice.clone())).expect("decided");
        assert_eq!(Choices::open(store.clone()).expect("read").decided("shop"), Some(&choice));
        let minimum = Minimum { level: Some(ValidationLevel::Organisation), by: "ops".into(), at: 8 };
        choices.demand("shop", Some(minimum.clone())).expect("decided");
        let both = Choices::open(store.clone()).expect("read");
        assert_eq!((both.decided("shop"), both.minimums().get("shop")), (Some(&choice), Some(&minimum)));
        choices.decide("shop", None).expect("taken back");
        assert_eq!(Choices::open(store.clone()).expect("read").minimums().get("shop"), Some(&minimum));
        choices.demand("shop", None).expect("taken back");
        let left = store.read(&key).expect("readable").expect("there");
        assert_eq!(
            serde_json::from_slice::<Value>(&left.content).expect("JSON"),
            serde_json::json!({"site":{"hosts":["shop.test"]}})
        );
        choices.decide("other", Some(choice)).expect("decided");
        choices.decide("other", None).expect("taken back");
        assert_eq!(store.names(&Key::known(&["sites"])).expect("listed"), ["shop.json"]);
    }
}
