//! What is ordered by itself: a certificate for a site with one type of key.

use std::fmt;

use crate::live::OrderedKey;

/// A site's certificate for a type of key. Each has its own orders, failures and moments of renewal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Slot {
    pub(super) site: String,
    pub(super) key: OrderedKey,
}

impl Slot {
    pub(super) fn new(site: &str, key: OrderedKey) -> Self {
        Self { site: site.into(), key }
    }

    /// What decides where within its time a certificate is renewed.
    pub(super) fn seed(&self) -> String {
        self.to_string()
    }

    /// The folder of open orders. That of ECDSA is as it was when there was nothing else.
    pub(super) const fn orders(&self) -> &'static str {
        match self.key {
            OrderedKey::Ecdsa => "orders",
            OrderedKey::Rsa => "orders-rsa",
        }
    }

    /// The folder of what is known of sites.
    pub(super) const fn standings(&self) -> &'static str {
        match self.key {
            OrderedKey::Ecdsa => "sites",
            OrderedKey::Rsa => "sites-rsa",
        }
    }
}

/// As people and plans know it.
impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.key {
            OrderedKey::Ecdsa => f.write_str(&self.site),
            OrderedKey::Rsa => write!(f, "{} (rsa)", self.site),
        }
    }
}
