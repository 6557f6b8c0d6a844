//! What was spent, in memory and on the disk.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use super::Claim;
use super::window::{Span, Spent};
use crate::name::HostPattern;
use crate::store::{Expected, Key, Store, StoreError};

/// By the issuers' names.
#[derive(Clone, Default)]
pub(super) struct Ledger(HashMap<String, Account>);

#[derive(Clone, Default)]
struct Account {
    orders: Spent,
    domains: HashMap<String, Domain>,
}

/// What was spent for the names of a registered domain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Domain {
    pub(super) certificates: Spent,
    /// By the names of a certificate, in order.
    pub(super) sets: BTreeMap<String, Spent>,
    /// Looks that failed, by name.
    pub(super) failed: BTreeMap<String, Spent>,
}

impl Domain {
    fn settle(&mut self, now: i64) {
        self.certificates.settle(Span::WEEK, now);
        self.sets.values_mut().for_each(|spent| spent.settle(Span::WEEK, now));
        self.failed.values_mut().for_each(|spent| spent.settle(Span::HOUR, now));
        self.sets.retain(|_, spent| !spent.is_empty());
        self.failed.retain(|_, spent| !spent.is_empty());
    }
}

/// A file, and what it is to hold.
pub(super) enum Page {
    Orders(Spent),
    Domain(String, Domain),
}

impl Ledger {
    pub(super) fn take_in(&mut self, issuer: &str, pages: Vec<Page>) {
        let account = self.0.entry(issuer.to_owned()).or_default();
        for page in pages {
            match page {
                Page::Orders(orders) => account.orders = orders,
                Page::Domain(name, domain) => drop(account.domains.insert(name, domain)),
            }
        }
    }

    pub(super) fn knows(&self, issuer: &str) -> bool {
        self.0.contains_key(issuer)
    }

    pub(super) fn orders(&self, issuer: &str) -> Option<&Spent> {
        self.0.get(issuer).map(|account| &account.orders)
    }

    /// The registered domains of names, each once, with what was spent for them.
    pub(super) fn domains(&self, issuer: &str, names: &[HostPattern]) -> Vec<(String, Option<&Domain>)> {
        let known = self.0.get(issuer).map(|account| &account.domains);
        let all = registered_domains(names).into_iter();
        all.map(|name| (name.to_owned(), known.and_then(|known| known.get(name)))).collect()
    }

    pub(super) fn failed(&self, issuer: &str, name: &HostPattern) -> Option<&Spent> {
        self.0.get(issuer)?.domains.get(registered_domain(name))?.failed.get(base(name))
    }

    pub(super) fn change_orders(&mut self, issuer: &str, change: impl FnOnce(&mut Spent)) -> Page {
        let account = self.0.entry(issuer.to_owned()).or_default();
        change(&mut account.orders);
        Page::Orders(account.orders.clone())
    }

    /// Changes what was spent for each registered domain of the names, once.
    pub(super) fn change_domains(
        &mut self,
        issuer: &str,
        names: &[HostPattern],
        now: i64,
        change: impl Fn(&mut Domain, &str),
    ) -> Vec<Page> {
        let domains = &mut self.0.entry(issuer.to_owned()).or_default().domains;
        let mut pages = Vec::new();
        for name in registered_domains(names) {
            let mut domain = domains.remove(name).unwrap_or_default();
            change(&mut domain, name);
            domain.settle(now);
            if domain != Domain::default() {
                domains.insert(name.to_owned(), domain.clone());
            }
            pages.push(Page::Domain(name.to_owned(), domain));
        }
        pages
    }

    /// Changes the looks that failed of each name, once: a name and its wildcard are one to look at.
    pub(super) fn change_failed(&mut self, claim: &Claim<'_>, now: i64, change: impl Fn(&mut Spent)) -> Vec<Page> {
        if claim.limits.failed_validations == 0 {
            return Vec::new();
        }
        self.change_domains(claim.issuer, claim.names, now, |domain, registered| {
            let below = claim.names.iter().filter(|name| registered_domain(name) == registered);
            for name in below.map(base).collect::<BTreeSet<_>>() {
                change(domain.failed.entry(name.to_owned()).or_default());
            }
        })
    }
}

/// Everything that was spent at an issuer. What cannot be read is told, and forgotten.
pub(super) fn read(store: &Store, issuer: &str) -> Vec<Page> {
    let mut pages = Vec::new();
    let Some(folder) = folder(issuer) else { return pages };
    if let Some(orders) = folder.below(ORDERS).and_then(|key| read_one(store, &key)) {
        pages.push(Page::Orders(orders));
    }
    let Some(folder) = folder.below(DOMAINS) else { return pages };
    let names = store.names(&folder).unwrap_or_else(|error| {
        tracing::error!(%error, "what was spent at an authority cannot be read");
        Vec::new()
    });
    for file in names {
        let Some(name) = file.strip_suffix(".json") else { continue };
        let domain = folder.below(&file).and_then(|key| read_one(store, &key));
        pages.extend(domain.map(|domain| Page::Domain(name.to_owned(), domain)));
    }
    pages
}

fn read_one<T: for<'a> Deserialize<'a>>(store: &Store, key: &Key) -> Option<T> {
    let item = match store.read(key) {
        Ok(item) => item?,
        Err(error) => {
            tracing::error!(%error, "what was spent at an authority cannot be read");
            return None;
        }
    };
    let read = serde_json::from_slice(&item.content);
    if let Err(error) = &read {
        tracing::error!(%key, %error, "what was spent at an authority cannot be read, and is forgotten");
    }
    read.ok()
}

pub(super) fn write(store: &Store, issuer: &str, page: &Page) -> Result<(), StoreError> {
    let Some(folder) = folder(issuer) else { return Ok(()) };
    match page {
        Page::Orders(orders) => {
            let Some(key) = folder.below(ORDERS) else { return Ok(()) };
            store.put(&key, &json(orders), Expected::Anything).map(drop)
        }
        Page::Domain(name, domain) => {
            // A name of more than 195 letters is counted until the next start.
            let key = folder.below(DOMAINS).and_then(|folder| folder.below(&format!("{name}.json")));
            match key {
                None => Ok(()),
                Some(key) if *domain == Domain::default() => store.delete(&key).map(drop),
                Some(key) => store.put(&key, &json(domain), Expected::Anything).map(drop),
            }
        }
    }
}

fn json(value: &impl Serialize) -> Vec<u8> {
    // Numbers and names alone: nothing of it can fail.
    serde_json::to_vec(value).unwrap_or_default()
}

fn folder(issuer: &str) -> Option<Key> {
    Key::of(&["acme", issuer, "budgets"])
}

const ORDERS: &str = "orders.json";
const DOMAINS: &str = "domains";

/// The domain that somebody registered a name under, or the name itself where nobody could.
fn registered_domain(name: &HostPattern) -> &str {
    let name = base(name);
    psl::domain_str(name).unwrap_or(name)
}

fn registered_domains(names: &[HostPattern]) -> BTreeSet<&str> {
    names.iter().map(registered_domain).collect()
}

/// What an authority looks at.
fn base(name: &HostPattern) -> &str {
    match name {
        HostPattern::Exact(name) | HostPattern::Wildcard(name) => name.as_str(),
    }
}
