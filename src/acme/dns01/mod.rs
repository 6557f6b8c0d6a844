//! Records in the DNS that show an authority that a name is ours, wildcards included (dns-01, RFC 8555 §8.4).
//!
//! ```text
//! _acme-challenge.<name> ─► place (where aliases lead, its zone, who writes there)
//!                           │
//!                           ├► state/acme/dns/<value>.json      written down before the record is written
//!                           ├► writer ─► a signed update, or the operator's program
//!                           └► propagation (every server of the zone shows it) ─► the authority is told
//! ```
//!
//! A record is removed when its order is over, whatever became of it. What a kill left is found in the state folder and removed then.

mod hook;
mod place;
mod propagation;
mod secret;
mod turns;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::OwnedMutexGuard;
use tokio::task::spawn_blocking;

use super::failure::{Failure, Reason};
use super::terms::AcmeTerms;
use crate::config::{DnsConfig, DnsWriter};
use crate::name::HostName;
use crate::outbound::dns::{DnsClient, DnsName};
use crate::store::{Expected, Key, Store, StoreError};
use propagation::Shown;
use turns::Turns;
use writer::{Action, write};

/// Writes and removes records.
#[derive(Clone)]
pub(super) struct Dns01 {
    store: Store,
    turns: Turns,
}

/// A record of ours: what is written down before it is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Written {
    /// The name that it shows.
    domain: String,
    /// Where it stands.
    name: String,
    /// The zone that it stands in.
    zone: String,
    /// What it says.
    value: String,
}

/// A record that an order has written, or may have.
pub(super) struct Put {
    record: Written,
    /// Nobody else writes or removes it meanwhile.
    _turn: OwnedMutexGuard<()>,
}

impl Dns01 {
    pub(super) fn new(store: Store) -> Self {
        Self { store, turns: Turns::default() }
    }

    /// How much longer than others an order may take that writes records for so many names.
    pub(super) fn patience(terms: &AcmeTerms, names: usize) -> Duration {
        let names = u32::try_from(names).unwrap_or(u32::MAX);
        let of_way = |way: &DnsConfig| match &way.writer {
            DnsWriter::Update { .. } => way.propagation_timeout,
            DnsWriter::Hook { timeout, .. } => way.propagation_timeout + timeout.saturating_mul(names),
        };
        terms.dns.iter().map(of_way).max().unwrap_or_default()
    }

    /// Writes a value for each of these names, and comes back when every server of their zones shows it. What is to be removed is
    /// put into `puts` before it is written.
    pub(super) async fn show(
        &self,
        terms: &AcmeTerms,
        wanted: Vec<(HostName, String)>,
        puts: &mut Vec<Put>,
    ) -> Result<(), Failure> {
        let dns = resolver(terms);
        let mut shown: Vec<Shown> = Vec::new();
        for (domain, value) in wanted {
            let place = place::of(&dns, &terms.dns, &domain).await?;
            match shown.iter_mut().find(|known| known.name == place.name) {
                Some(known) => known.values.push(value.clone()),
                None => shown.push(Shown::new(&place, value.clone())),
            }
            if puts.iter().any(|put| put.record.value == value) {
                continue;
            }
            let record = Written {
                domain: domain.to_string(),
                name: place.name.to_string(),
                zone: place.zone.to_string(),
                value,
            };
            let turn = self.turns.take(&record.value).await;
            self.note(&record).await?;
            // From here on it may be there, also when nobody waits for this any more.
            puts.push(Put { record: record.clone(), _turn: turn });
            if let Err(failed) = write(place.way, Action::Present, &record).await {
                if failed.is_certain {
                    puts.pop();
                    self.forget(&record).await?;
                }
                return Err(Failure::new(Reason::Record, format!("{domain}: {}", failed.text)));
            }
        }
        propagation::wait(&dns, shown).await
    }

    /// Removes what an order has written, while others go on.
    pub(super) fn clean(&self, terms: &Arc<AcmeTerms>, puts: Vec<Put>) {
        if puts.is_empty() {
            return;
        }
        let (own, terms) = (self.clone(), Arc::clone(terms));
        tokio::spawn(async move {
            for put in puts {
                own.remove(&terms, &put.record).await;
            }
        });
    }

    /// Removes what orders left that nobody works on any more.
    pub(super) async fn sweep(&self, terms: &AcmeTerms) {
        let store = self.store.clone();
        let left = spawn_blocking(move || left(&store)).await;
        let left = match left {
            Ok(Ok(left)) => left,
            Ok(Err(error)) => {
                tracing::error!(%error, "what is left of records in the DNS cannot be read");
                return;
            }
            Err(_) => return,
        };
        for record in left {
            if let Some(_turn) = self.turns.try_take(&record.value) {
                tracing::info!(name = %record.name, "removes a record that an interrupted order left in the DNS");
                self.remove(terms, &record).await;
            }
        }
    }

    /// Removes a record. What fails is told, and tried again at the next sweep.
    async fn remove(&self, terms: &AcmeTerms, record: &Written) {
        let name = &record.name;
        let way = DnsName::parse(name).ok().and_then(|name| place::way(&terms.dns, &name));
        let Some(way) = way else {
            tracing::warn!(%name, "a record that shows a name stays in the DNS: no [[acme.dns]] is for it any more; remove it there");
            return;
        };
        let removed = match write(way, Action::Cleanup, record).await {
            Ok(()) => self.forget(record).await.map_err(|failure| failure.text),
            Err(failed) => Err(failed.text),
        };
        if let Err(error) = removed {
            tracing::warn!(%name, %error, "a record that shows a name stays in the DNS for now; it is tried again within the hour");
        }
    }

    async fn note(&self, record: &Written) -> Result<(), Failure> {
        let (store, key, text) = (self.store.clone(), key_of(record)?, serde_json::to_vec_pretty(record));
        let text = text.map_err(|error| Failure::new(Reason::State, error.to_string()))?;
        let put = spawn_blocking(move || store.put(&key, &text, Expected::Anything)).await;
        put.map_err(stopping)??;
        Ok(())
    }

    async fn forget(&self, record: &Written) -> Result<(), Failure> {
        let (store, key) = (self.store.clone(), key_of(record)?);
        spawn_blocking(move || store.delete(&key)).await.map_err(stopping)??;
        Ok(())
    }
}

/// Whom one asks about names.
fn resolver(terms: &AcmeTerms) -> DnsClient {
    if terms.resolvers.is_empty() { DnsClient::system() } else { DnsClient::at(terms.resolvers.iter().copied()) }
}

fn key_of(record: &Written) -> Result<Key, Failure> {
    let unfit = || Failure::new(Reason::State, "the authority asks for a record that cannot be the name of a file");
    Key::of(&FOLDER).and_then(|folder| folder.below(&format!("{}.json", record.value))).ok_or_else(unfit)
}

/// What is written down. What cannot be read is told, and goes: nobody could remove what it meant.
fn left(store: &Store) -> Result<Vec<Written>, StoreError> {
    let folder = Key::known(&FOLDER);
    let mut left = Vec::new();
    for name in store.names(&folder)? {
        let Some(key) = folder.below(&name) else { continue };
        let Some(item) = store.read(&key)? else { continue };
        match serde_json::from_slice::<Written>(&item.content) {
            Ok(record) if name == format!("{}.json", record.value) => left.push(record),
            _ => {
                tracing::error!(%key, "what is written there of a record in the DNS cannot be read, and is deleted");
                store.delete(&key)?;
            }
        }
    }
    Ok(left)
}

fn stopping(_: tokio::task::JoinError) -> Failure {
    Failure::new(Reason::State, "the edge is stopping")
}

const FOLDER: [&str; 2] = ["acme", "dns"];
