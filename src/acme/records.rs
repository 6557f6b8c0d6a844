//! What is written down of orders, before and while an authority works on them: a kill costs neither key nor order.
//!
//! ```text
//! state/acme/orders/<site>/{order.json,key.pem}    an order that has not ended; orders-rsa has those for RSA
//! state/acme/sites/<site>.json                     how a site is doing: failures in a row, when it is tried again; so sites-rsa
//! ```

use std::collections::BTreeSet;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::failure::{Failure, Reason};
use super::slot::Slot;
use super::standing::{Open, SiteStanding};
use crate::certs::{KeyAlgorithm, RequestKey, request_for_names};
use crate::live::OrderedKey;
use crate::name::HostPattern;
use crate::store::{Expected, Key, NewFolder, Store, StoreError};

/// An order that was begun.
pub(super) struct Record {
    pub(super) slot: Slot,
    pub(super) order: OpenOrder,
    /// PEM.
    pub(super) key: Zeroizing<String>,
}

/// `order.json`
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct OpenOrder {
    pub(super) issuer: String,
    pub(super) names: Vec<String>,
    /// Where the authority has it; `None`: it may not have heard of it.
    pub(super) url: Option<String>,
    /// The authority was about to be asked for it: it may have one whose address never came.
    #[serde(default)]
    pub(super) is_asked: bool,
    /// Whether its certificate is counted among those that the issuer gives.
    #[serde(default)]
    pub(super) is_paid: bool,
    /// The request that it is to sign, DER.
    pub(super) request: Vec<u8>,
    /// Seconds since the Unix epoch.
    pub(super) begun: i64,
}

/// Reads and writes them. Every call waits for the disk.
#[derive(Clone)]
pub(super) struct Records {
    store: Store,
}

impl Records {
    pub(super) fn new(store: Store) -> Self {
        Self { store }
    }

    /// The order of a site that has not ended. What cannot be read is told, and is none.
    pub(super) fn open_order(&self, slot: &Slot) -> Result<Option<Record>, StoreError> {
        let Some(folder) = folder(slot) else { return Ok(None) };
        let Some(order) = self.read::<OpenOrder>(&folder, ORDER)? else { return Ok(None) };
        let Some(item) = folder.below(KEY).map(|key| self.store.read(&key)).transpose()?.flatten() else {
            return Ok(None);
        };
        let key = Zeroizing::new(item.content.to_vec());
        let Ok(key) = std::str::from_utf8(&key).map(|text| Zeroizing::new(text.to_owned())) else { return Ok(None) };
        Ok(Some(Record { slot: slot.clone(), order, key }))
    }

    /// The order of a site that has not ended and that an issuer may know.
    pub(super) fn open_at(&self, slot: &Slot) -> Option<Open> {
        let order = self.read::<OpenOrder>(&folder(slot)?, ORDER).ok().flatten()?;
        let may_be_known = order.url.is_some() || order.is_asked;
        may_be_known.then_some(Open { issuer: order.issuer, names: order.names, begun: order.begun })
    }

    /// Where the authority has the order of the site's other type of key, which may be for the same names.
    pub(super) fn others(&self, slot: &Slot) -> Vec<String> {
        let others = OrderedKey::ALL.into_iter().filter(|key| *key != slot.key);
        let folders = others.filter_map(|key| folder(&Slot::new(&slot.site, key)));
        folders.filter_map(|folder| self.read::<OpenOrder>(&folder, ORDER).ok().flatten()?.url).collect()
    }

    /// Makes a key for these names, or takes the one to be used again, and writes down that a certificate for it is ordered.
    pub(super) fn begin(
        &self,
        slot: &Slot,
        issuer: &str,
        names: &[HostPattern],
        again: Option<RequestKey>,
        now: i64,
    ) -> Result<Record, Failure> {
        let no_key = |error: crate::certs::KeyError| Failure::new(Reason::State, error.to_string());
        let key = match again {
            Some(key) => key,
            None => RequestKey::generate(algorithm(slot.key)).map_err(no_key)?,
        };
        let order = OpenOrder {
            issuer: issuer.into(),
            names: names.iter().map(ToString::to_string).collect(),
            url: None,
            is_asked: false,
            is_paid: false,
            request: request_for_names(names, &key).map_err(no_key)?,
            begun: now,
        };
        let key = key.pem().map_err(no_key)?;
        let folder = folder(slot).ok_or_else(|| Failure::new(Reason::State, UNFIT))?;
        self.store.delete(&folder)?;
        let secret = Zeroizing::new(key.as_bytes().to_vec());
        self.store.put_folder(&NewFolder { key: folder, files: vec![(KEY, secret), (ORDER, json(&order).into())] })?;
        Ok(Record { slot: slot.clone(), order, key })
    }

    /// Writes down that the authority is asked for an order, or where it has it.
    pub(super) fn note(&self, record: &Record) -> Result<(), StoreError> {
        let Some(key) = folder(&record.slot).and_then(|folder| folder.below(ORDER)) else { return Ok(()) };
        self.store.put(&key, &json(&record.order), Expected::Anything).map(drop)
    }

    /// The order has ended.
    pub(super) fn end(&self, slot: &Slot) -> Result<(), StoreError> {
        folder(slot).map_or(Ok(()), |folder| self.store.delete(&folder).map(drop))
    }

    /// Ends the orders of all other sites: whoever had them is gone, or has another name. How such a site was doing is kept until it
    /// can matter to nobody any more: one that comes back must not ask an authority more often than if it had stayed.
    pub(super) fn end_all_but(&self, managed: &BTreeSet<&str>, now: i64) -> Result<(), StoreError> {
        for key in OrderedKey::ALL {
            let sites = self.store.names(&Key::known(&["acme", Slot::new("", key).orders()]))?;
            for site in sites.iter().filter(|site| !managed.contains(site.as_str())) {
                tracing::info!(%site, key = key.word(), "forgets the open order of a site that is not managed any more");
                self.end(&Slot::new(site, key))?;
            }
            let folder = Key::known(&["acme", Slot::new("", key).standings()]);
            for file in self.store.names(&folder)? {
                let site = file.strip_suffix(".json").filter(|site| !managed.contains(site));
                if let Some(site) = site
                    && self.standing(&Slot::new(site, key))?.is_long_past(now)
                    && let Some(file) = folder.below(&file)
                {
                    self.store.delete(&file)?;
                }
            }
        }
        Ok(())
    }

    /// How a site was doing.
    pub(super) fn standing(&self, slot: &Slot) -> Result<SiteStanding, StoreError> {
        let found = self.read(&Key::known(&["acme", slot.standings()]), &format!("{}.json", slot.site))?;
        Ok(found.unwrap_or_default())
    }

    /// Writes down how a site is doing.
    pub(super) fn stand(&self, slot: &Slot, standing: &SiteStanding) -> Result<(), StoreError> {
        let Some(key) = Key::of(&["acme", slot.standings(), &format!("{}.json", slot.site)]) else { return Ok(()) };
        self.store.put(&key, &json(standing), Expected::Anything).map(drop)
    }

    fn read<T: DeserializeOwned>(&self, folder: &Key, name: &str) -> Result<Option<T>, StoreError> {
        let Some(key) = folder.below(name) else { return Ok(None) };
        let Some(item) = self.store.read(&key)? else { return Ok(None) };
        let read = serde_json::from_slice(&item.content);
        if let Err(error) = &read {
            tracing::error!(%key, %error, "what is written there cannot be read, and is begun anew");
        }
        Ok(read.ok())
    }
}

fn folder(slot: &Slot) -> Option<Key> {
    Key::of(&["acme", slot.orders(), &slot.site])
}

/// What every authority takes and every client of the type knows.
const fn algorithm(key: OrderedKey) -> KeyAlgorithm {
    match key {
        OrderedKey::Ecdsa => KeyAlgorithm::EcdsaP256,
        OrderedKey::Rsa => KeyAlgorithm::Rsa2048,
    }
}

fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec_pretty(value).unwrap_or_default()
}

const ORDER: &str = "order.json";
const KEY: &str = "key.pem";
const UNFIT: &str = "the site's name cannot be the name of a folder; give it a shorter one without slashes";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_a_departed_site_was_doing_is_kept_as_long_as_it_can_matter() {
        const DAY: i64 = 86_400;
        let records = Records::new(Store::in_memory());
        let stood = |site: &str, standing: SiteStanding| {
            for key in OrderedKey::ALL {
                records.stand(&Slot::new(site, key), &standing).expect("written");
            }
        };
        let issued = |at| SiteStanding { issued: Some(at), ends: Some(at + 90 * DAY), ..SiteStanding::default() };
        stood("there", issued(0));
        stood("gone", issued(0));
        stood("gone-of-late", issued(100 * DAY));
        stood("gone-and-failing", SiteStanding { next: Some(150 * DAY), failures: 3, ..issued(0) });
        let left = |now: i64| {
            records.end_all_but(&BTreeSet::from(["there"]), now * DAY).expect("read");
            OrderedKey::ALL.map(|key| {
                let all = ["there", "gone", "gone-of-late", "gone-and-failing"].into_iter();
                all.filter(|site| records.standing(&Slot::new(site, key)).expect("read").issued.is_some()).count()
            })
        };
        assert_eq!(left(179), [4, 4]);
        assert_eq!(left(181), [3, 3], "without who has no certificate for 90 days and no rest");
        assert_eq!(left(241), [2, 2], "without who failed");
        assert_eq!(left(1000), [1, 1]);
    }
}
