//! Certificates for many names, of which none is looked into.

use std::sync::Arc;

use vitrine::certs::{KeyKind, LocalCa, valid_for};
use vitrine::live::ServedCert;
use vitrine::name::HostPattern;

/// One certificate that lends its key to entries of any name: a million keys would take minutes, and lookup reads none.
pub(crate) struct Deck(Arc<ServedCert>);

impl Deck {
    pub(crate) fn new() -> Self {
        let authority = LocalCa::new("Vitrine benches").expect("an authority");
        let name = HostPattern::parse("shop.example").expect("a name");
        let issued = authority.issue(&[name], valid_for(30), KeyKind::Ecdsa).expect("issued");
        Self(issued.served().expect("served"))
    }

    pub(crate) fn certificate(&self, name: &str) -> Arc<ServedCert> {
        Arc::new(ServedCert {
            certified: Arc::clone(&self.0.certified),
            key_type: self.0.key_type,
            names: [HostPattern::parse(name).expect("a name")].into(),
            facts: self.0.facts.clone(),
        })
    }
}
