//! Organisations: whose sites are whose, and what is known of each company.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError, RwLock};

use serde::{Deserialize, Serialize};

use crate::admin::secrets::random_hex;
use crate::store::{Expected, Key, Store, StoreError};
use crate::words::refusal::Expects;

/// Keeps the organisations, in `organisations/`.
#[derive(Debug)]
pub(super) struct Organisations {
    store: Store,
    known: RwLock<BTreeMap<String, Organisation>>,
    /// One change at a time.
    changing: Mutex<()>,
}

/// An organisation as it is kept in `organisations/<id>.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::admin) struct Organisation {
    /// The name the API calls it by.
    pub(in crate::admin) id: String,
    /// What of it can be changed.
    pub(in crate::admin) details: OrganisationDetails,
    /// Seconds since the Unix epoch.
    pub(in crate::admin) created: i64,
}

/// What of an organisation can be changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::admin) struct OrganisationDetails {
    /// What people call it.
    pub(in crate::admin) name: String,
    /// What stands in its certificate signing requests unless something else is said.
    #[serde(default)]
    pub(in crate::admin) company: Company,
    /// Who is told.
    #[serde(default)]
    pub(in crate::admin) contacts: Vec<Contact>,
    /// The sites it owns, by name. A site has one owner at most.
    #[serde(default)]
    pub(in crate::admin) sites: BTreeSet<String>,
}

/// What stands in the subject of a certificate signing request; empty: nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::admin) struct Company {
    /// O
    pub(in crate::admin) organisation: String,
    /// OU
    pub(in crate::admin) unit: String,
    /// L
    pub(in crate::admin) locality: String,
    /// ST
    pub(in crate::admin) state: String,
    /// C, two letters
    pub(in crate::admin) country: String,
}

/// Somebody of an organisation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::admin) struct Contact {
    /// Who.
    pub(in crate::admin) name: String,
    /// An address of mail.
    pub(in crate::admin) mail: String,
    /// A number, for people.
    pub(in crate::admin) phone: String,
}

/// Why an organisation is not as somebody wants it.
#[derive(Debug)]
pub(in crate::admin) enum NotOrganised {
    /// There is no such organisation.
    Unknown,
    /// Something is wrong with what was said: the field, and what was expected.
    Flawed(&'static str, Expects, String),
    /// Another has the name.
    NameTaken,
    /// Another owns the site.
    SiteTaken(String),
    /// There are as many as there may be.
    TooMany,
    /// The system gives no random numbers.
    NoRandomness,
    /// It could not be written.
    Unwritten(StoreError),
}

impl Organisations {
    /// The organisations of the state.
    ///
    /// # Errors
    /// [`StoreError`] when they cannot be read.
    pub(super) fn open(store: Store) -> Result<Self, StoreError> {
        let mut known: BTreeMap<String, Organisation> = BTreeMap::new();
        for name in store.names(&folder())? {
            let Some(item) = folder().below(&name).map(|key| store.read(&key)).transpose()?.flatten() else { continue };
            match serde_json::from_slice::<Organisation>(&item.content) {
                Ok(found) if name == format!("{}.json", found.id) => drop(known.insert(found.id.clone(), found)),
                _ => tracing::error!(
                    file = format!("organisations/{name}"),
                    "this is no organisation of ours, and owns nothing; delete it, and make the organisation again"
                ),
            }
        }
        Ok(Self { store, known: RwLock::new(known), changing: Mutex::new(()) })
    }

    /// All of them, in order of their names.
    pub(super) fn list(&self) -> Vec<Organisation> {
        let mut list: Vec<_> = self.read().values().cloned().collect();
        list.sort_by(|one, other| (&one.details.name, &one.id).cmp(&(&other.details.name, &other.id)));
        list
    }

    /// The one with this id.
    pub(super) fn find(&self, id: &str) -> Option<Organisation> {
        self.read().get(id).cloned()
    }

    /// The id of the one that owns a site.
    pub(super) fn of_site(&self, site: &str) -> Option<String> {
        self.read().values().find(|one| one.details.sites.contains(site)).map(|one| one.id.clone())
    }

    /// The sites of several, by name.
    pub(super) fn sites_of<'a>(&self, ids: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
        let known = self.read();
        ids.filter_map(|id| known.get(id)).flat_map(|one| &one.details.sites).cloned().collect()
    }

    /// Makes one. Blocks for the disk.
    pub(super) fn add(&self, details: OrganisationDetails, now: i64) -> Result<Organisation, NotOrganised> {
        let _turn = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let details = self.checked(details, "")?;
        if self.read().len() >= MOST {
            return Err(NotOrganised::TooMany);
        }
        let id = random_hex::<6>().map_err(|_| NotOrganised::NoRandomness)?.to_string();
        let made = Organisation { id, details, created: now };
        self.write(&made, Expected::Nothing)?;
        Ok(made)
    }

    /// Changes one. Blocks for the disk.
    pub(super) fn change(&self, id: &str, details: OrganisationDetails) -> Result<Organisation, NotOrganised> {
        let _turn = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.find(id).ok_or(NotOrganised::Unknown)?;
        let after = Organisation { details: self.checked(details, id)?, ..before };
        self.write(&after, Expected::Anything)?;
        Ok(after)
    }

    /// Takes one away; its sites have no owner then. Blocks for the disk.
    pub(super) fn remove(&self, id: &str) -> Result<Organisation, NotOrganised> {
        let _turn = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let removed = self.find(id).ok_or(NotOrganised::Unknown)?;
        self.store.delete(&key(id)).map_err(NotOrganised::Unwritten)?;
        self.known.write().unwrap_or_else(PoisonError::into_inner).remove(id);
        Ok(removed)
    }

    fn checked(&self, mut details: OrganisationDetails, id: &str) -> Result<OrganisationDetails, NotOrganised> {
        let OrganisationDetails { name, company, contacts, sites } = &mut details;
        line("name", name, LONGEST_NAME)?;
        if name.is_empty() {
            return Err(NotOrganised::Flawed("name", Expects::Something, "expected a name".into()));
        }
        let Company { organisation, unit, locality, state, country } = company;
        // RFC 5280, appendix A.1: the bounds of the subject's fields.
        line("company.organisation", organisation, 64)?;
        line("company.unit", unit, 64)?;
        line("company.locality", locality, 128)?;
        line("company.state", state, 128)?;
        line("company.country", country, 2)?;
        if !country.is_empty() && (country.len() != 2 || !country.bytes().all(|letter| letter.is_ascii_alphabetic())) {
            return Err(NotOrganised::Flawed(
                "company.country",
                Expects::Usual,
                "expected two letters, such as DE".into(),
            ));
        }
        country.make_ascii_uppercase();
        if contacts.len() > MOST_CONTACTS || sites.len() > MOST_SITES {
            return Err(NotOrganised::Flawed(
                "contacts",
                Expects::Usual,
                format!("expected at most {MOST_CONTACTS} contacts and {MOST_SITES} sites"),
            ));
        }
        for Contact { name, mail, phone } in contacts {
            line("contacts.name", name, LONGEST_NAME)?;
            line("contacts.mail", mail, 254)?;
            line("contacts.phone", phone, 40)?;
            let is_address = mail.split_once('@').is_some_and(|(user, host)| !user.is_empty() && !host.is_empty());
            if !is_address || mail.contains([' ', ',', '<', '>']) {
                return Err(NotOrganised::Flawed(
                    "contacts.mail",
                    Expects::Usual,
                    "expected an address of mail".into(),
                ));
            }
        }
        let known = self.read();
        let others = || known.values().filter(|other| other.id != id);
        if others().any(|other| other.details.name == *name) {
            return Err(NotOrganised::NameTaken);
        }
        match sites.iter().find(|site| others().any(|other| other.details.sites.contains(*site))) {
            Some(site) => Err(NotOrganised::SiteTaken(site.clone())),
            None => {
                drop(known);
                Ok(details)
            }
        }
    }

    fn write(&self, one: &Organisation, expected: Expected) -> Result<(), NotOrganised> {
        let content = serde_json::to_vec_pretty(one).unwrap_or_default();
        self.store.put(&key(&one.id), &content, expected).map_err(NotOrganised::Unwritten)?;
        self.known.write().unwrap_or_else(PoisonError::into_inner).insert(one.id.clone(), one.clone());
        Ok(())
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, BTreeMap<String, Organisation>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One line of text, without blanks around it.
fn line(field: &'static str, text: &mut String, longest: usize) -> Result<(), NotOrganised> {
    *text = text.trim().to_owned();
    if text.chars().count() > longest || text.contains(char::is_control) {
        return Err(NotOrganised::Flawed(
            field,
            Expects::Line(longest),
            format!("expected at most {longest} letters on one line"),
        ));
    }
    Ok(())
}

fn folder() -> Key {
    Key::known(&["organisations"])
}

/// `id` is in hexadecimal, ours or read from a file of that name.
fn key(id: &str) -> Key {
    folder().below(&format!("{id}.json")).unwrap_or_else(folder)
}

const MOST: usize = 10_000;
const MOST_SITES: usize = 10_000;
const MOST_CONTACTS: usize = 20;
const LONGEST_NAME: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    fn details(name: &str, sites: &[&str]) -> OrganisationDetails {
        let sites = sites.iter().map(|site| (*site).to_owned()).collect();
        OrganisationDetails { name: name.into(), sites, ..OrganisationDetails::default() }
    }

    #[test]
    fn a_site_has_one_owner_and_keeps_it_over_a_restart() {
        let store = Store::in_memory();
        let known = Organisations::open(store.clone()).expect("open");
        let books = known.add(details(" Books ", &["a.example", "b.example"]), 100).expect("made");
        assert_eq!(books.details.name, "Books");
        assert!(matches!(known.add(details("Books", &[]), 100), Err(NotOrganised::NameTaken)));
        let taken = known.add(details("Toys", &["b.example"]), 100);
        assert!(matches!(taken, Err(NotOrganised::SiteTaken(site)) if site == "b.example"));
        let toys = known.add(details("Toys", &["c.example"]), 100).expect("made");
        assert_eq!(known.of_site("b.example"), Some(books.id.clone()));
        known.change(&books.id, details("Books", &["a.example"])).expect("changed");
        known.change(&toys.id, details("Toys", &["b.example"])).expect("changed");
        let known = Organisations::open(store).expect("open");
        assert_eq!((known.of_site("b.example"), known.of_site("c.example")), (Some(toys.id.clone()), None));
        known.remove(&toys.id).expect("removed");
        assert_eq!(known.of_site("b.example"), None);
        assert!(matches!(known.remove(&toys.id), Err(NotOrganised::Unknown)));
    }

    #[test]
    fn what_cannot_stand_in_a_request_or_a_mail_is_told_by_its_field() {
        let known = Organisations::open(Store::in_memory()).expect("open");
        let flawed = |change: fn(&mut OrganisationDetails)| {
            let mut details = details("Books", &[]);
            change(&mut details);
            match known.add(details, 1) {
                Err(NotOrganised::Flawed(field, ..)) => field,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(flawed(|it| it.name = " ".into()), "name");
        assert_eq!(flawed(|it| it.company.country = "DEU".into()), "company.country");
        assert_eq!(flawed(|it| it.company.country = "D1".into()), "company.country");
        assert_eq!(flawed(|it| it.company.organisation = "x".repeat(65)), "company.organisation");
        assert_eq!(
            flawed(|it| it.contacts = vec![Contact { mail: "nobody".into(), ..Contact::default() }]),
            "contacts.mail"
        );
        assert_eq!(
            flawed(|it| it.contacts = vec![Contact { name: "a\nb".into(), ..Contact::default() }]),
            "contacts.name"
        );
    }
}
