//! Which certificate serves which name. Built and ranked by the control plane, read at every ClientHello.

use std::fmt;
use std::hash::BuildHasher;
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use rustls::{SignatureAlgorithm, SignatureScheme};

use super::certified::Certified;
use super::courtesy::Courtesy;
use super::facts::CertFacts;
use super::name_table::NameTable;
use crate::name::{self, HostPattern};

/// The certificates in service, by name. Lookup neither locks nor allocates.
#[derive(Default)]
pub struct CertIndex {
    exact: NameTable<Choice>,
    wildcard: NameTable<Choice>,
    certificates: Vec<Arc<ServedCert>>,
}

/// Whoever takes apart an index that nobody reads any more lets readers of the next one go first.
impl Drop for CertIndex {
    fn drop(&mut self) {
        let mut courtesy = Courtesy::default();
        while self.certificates.pop().is_some() {
            courtesy.step();
        }
    }
}

impl CertIndex {
    /// Builds the index from certificates in order of rank, best first: where two could serve a name with one type of key,
    /// the earlier one does.
    pub fn ranked(certificates: impl IntoIterator<Item = Arc<ServedCert>>) -> Self {
        let certificates: Vec<_> = certificates.into_iter().collect();
        Self::standing_for(certificates.iter().map(|certificate| (certificate, &*certificate.names)))
    }

    /// Like [`ranked`](Self::ranked), of certificates that stand for no more than the given ones of their names.
    pub fn standing_for<'c>(certificates: impl IntoIterator<Item = (&'c Arc<ServedCert>, &'c [HostPattern])>) -> Self {
        let mut exact: HashMap<&str, Choice> = HashMap::new();
        let mut wildcard: HashMap<&str, Choice> = HashMap::new();
        let mut all = Vec::new();
        for (certificate, names) in certificates {
            for pattern in names {
                let (choices, text) = match pattern {
                    HostPattern::Exact(exact_name) => (&mut exact, exact_name.as_str()),
                    HostPattern::Wildcard(base) => (&mut wildcard, base.as_str()),
                };
                choices.entry(text).or_default().offer(certificate);
            }
            all.push(Arc::clone(certificate));
        }
        Self { exact: NameTable::new(exact), wildcard: NameTable::new(wildcard), certificates: all }
    }

    /// This index with other certificates, given as to [`standing_for`](Self::standing_for), of which no more changed than what
    /// stands for these names. `None` when so much changed that a new one is better.
    #[must_use]
    pub fn with_changed<'c, H: BuildHasher>(
        &self,
        changed: &HashSet<&HostPattern, H>,
        certificates: impl IntoIterator<Item = (&'c Arc<ServedCert>, &'c [HostPattern])>,
    ) -> Option<Self> {
        let mut choices: HashMap<&HostPattern, Choice> =
            changed.iter().map(|pattern| (*pattern, Choice::default())).collect();
        let mut all = Vec::with_capacity(self.certificates.len() + changed.len());
        for (certificate, names) in certificates {
            for pattern in names {
                if let Some(choice) = choices.get_mut(pattern) {
                    choice.offer(certificate);
                }
            }
            all.push(Arc::clone(certificate));
        }
        self.with_choices(choices, all)
    }

    /// This index with other certificates, best first, where it is known what stands for the names of which that changed, best
    /// first too. `None` when so much changed that a new one is better.
    #[must_use]
    pub fn with_standing<'n>(
        &self,
        standing: impl IntoIterator<Item = (&'n HostPattern, Vec<Arc<ServedCert>>)>,
        certificates: Vec<Arc<ServedCert>>,
    ) -> Option<Self> {
        let choices = standing.into_iter().map(|(pattern, standing)| {
            let mut choice = Choice::default();
            standing.iter().for_each(|certificate| choice.offer(certificate));
            (pattern, choice)
        });
        self.with_choices(choices, certificates)
    }

    fn with_choices<'n>(
        &self,
        choices: impl IntoIterator<Item = (&'n HostPattern, Choice)>,
        certificates: Vec<Arc<ServedCert>>,
    ) -> Option<Self> {
        let (mut exact, mut wildcard) = (Vec::new(), Vec::new());
        for (pattern, choice) in choices {
            let choice = Some(choice).filter(|choice| choice.iter().next().is_some());
            match pattern {
                HostPattern::Exact(name) => exact.push((name.as_str(), choice)),
                HostPattern::Wildcard(base) => wildcard.push((base.as_str(), choice)),
            }
        }
        Some(Self { exact: self.exact.with(exact)?, wildcard: self.wildcard.with(wildcard)?, certificates })
    }

    /// The certificates that serve `name` (in normal form): the exact name's, else the wildcard's one label up.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Choice> {
        if let Some(choice) = self.exact.get(name) {
            return Some(choice);
        }
        self.find_wildcard(name)
    }

    /// Apart, so that the exact name, which is looked up for everybody, is found in line.
    #[inline(never)]
    fn find_wildcard(&self, name: &str) -> Option<&Choice> {
        if self.wildcard.is_empty() {
            return None;
        }
        self.wildcard.get(name::parent(name)?)
    }

    /// What serves exactly this pattern, for lists and gauges.
    #[must_use]
    pub fn find_pattern(&self, pattern: &HostPattern) -> Option<&Choice> {
        match pattern {
            HostPattern::Exact(exact) => self.find(exact.as_str()),
            HostPattern::Wildcard(base) => self.wildcard.get(base.as_str()),
        }
    }

    /// What stands for exactly this pattern, whatever wildcard answers for it.
    #[must_use]
    pub fn standing_for_pattern(&self, pattern: &HostPattern) -> Option<&Choice> {
        match pattern {
            HostPattern::Exact(exact) => self.exact.get(exact.as_str()),
            HostPattern::Wildcard(base) => self.wildcard.get(base.as_str()),
        }
    }

    /// Every certificate of the index, best first, those included that stand for none of their names.
    #[must_use]
    pub fn certificates(&self) -> &[Arc<ServedCert>] {
        &self.certificates
    }

    /// How many names and wildcards are served.
    #[must_use]
    pub fn name_count(&self) -> usize {
        self.exact.len() + self.wildcard.len()
    }
}

/// The certificates that serve one name, one for each type of key.
#[derive(Clone, Default)]
pub struct Choice {
    ecdsa: Option<Arc<ServedCert>>,
    ed25519: Option<Arc<ServedCert>>,
    rsa: Option<Arc<ServedCert>>,
}

impl Choice {
    /// The certificate whose signature the client can check: ECDSA before Ed25519 before RSA, by cost. A client that can
    /// check none gets the first there is, so that its handshake fails with the reason rather than without a certificate.
    #[must_use]
    pub fn pick(&self, client_checks: &[SignatureScheme]) -> Option<&Arc<ServedCert>> {
        self.iter().find(|served| served.key_type.signs_for(client_checks)).or_else(|| self.iter().next())
    }

    /// The certificates, in order of preference.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<ServedCert>> {
        [&self.ecdsa, &self.ed25519, &self.rsa].into_iter().flatten()
    }

    /// Whether both show the same leaf to every client.
    #[must_use]
    pub fn shows_the_same_as(&self, other: &Self) -> bool {
        [(&self.ecdsa, &other.ecdsa), (&self.ed25519, &other.ed25519), (&self.rsa, &other.rsa)].into_iter().all(
            |pair| {
                match pair {
                    // Mostly nothing has changed, and this is asked of every name after each publish.
                    (Some(one), Some(another)) => {
                        Arc::ptr_eq(one, another) || one.facts.fingerprint == another.facts.fingerprint
                    }
                    (one, another) => one.is_none() && another.is_none(),
                }
            },
        )
    }

    fn offer(&mut self, certificate: &Arc<ServedCert>) {
        let place = match certificate.key_type.algorithm() {
            SignatureAlgorithm::ECDSA => &mut self.ecdsa,
            SignatureAlgorithm::ED25519 => &mut self.ed25519,
            _ => &mut self.rsa,
        };
        place.get_or_insert_with(|| Arc::clone(certificate));
    }
}

/// A certificate as the hot path needs it.
pub struct ServedCert {
    /// Chain and key.
    pub certified: Arc<Certified>,
    /// What kind of signature the key makes.
    pub key_type: KeyType,
    /// The names it is valid for: its DNS subject alternative names, whether it stands for them in the index or not.
    pub names: Arc<[HostPattern]>,
    /// What lists and gauges tell of it.
    pub facts: CertFacts,
}

impl ServedCert {
    /// Whether the certificate is valid for `name`, which is in normal form. Whoever accepted it on a connection may ask for all
    /// its names there (RFC 9110 §7.4), also for one that a better certificate serves by now.
    #[must_use]
    pub fn covers(&self, name: &str) -> bool {
        self.names.iter().any(|pattern| pattern.covers(name))
    }
}

impl fmt::Debug for ServedCert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServedCert")
            .field("key_type", &self.key_type)
            .field("facts", &self.facts)
            .finish_non_exhaustive()
    }
}

/// The type of a certificate's key, as far as choosing by a client's signature schemes needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyType {
    /// ECDSA on P-256.
    EcdsaP256,
    /// ECDSA on P-384.
    EcdsaP384,
    /// ECDSA on P-521.
    EcdsaP521,
    /// Ed25519; no browser accepts it.
    Ed25519,
    /// RSA of any size.
    Rsa,
}

impl KeyType {
    /// The label lists and gauges use: `ecdsa`, `ed25519` or `rsa`.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::EcdsaP256 | Self::EcdsaP384 | Self::EcdsaP521 => "ecdsa",
            Self::Ed25519 => "ed25519",
            Self::Rsa => "rsa",
        }
    }

    const fn algorithm(self) -> SignatureAlgorithm {
        match self {
            Self::EcdsaP256 | Self::EcdsaP384 | Self::EcdsaP521 => SignatureAlgorithm::ECDSA,
            Self::Ed25519 => SignatureAlgorithm::ED25519,
            Self::Rsa => SignatureAlgorithm::RSA,
        }
    }

    fn signs_for(self, client_checks: &[SignatureScheme]) -> bool {
        client_checks.iter().any(|scheme| self.schemes().contains(scheme))
    }

    /// The kinds of signature that such a key can make.
    #[must_use]
    pub const fn schemes(self) -> &'static [SignatureScheme] {
        match self {
            Self::EcdsaP256 => &[SignatureScheme::ECDSA_NISTP256_SHA256],
            Self::EcdsaP384 => &[SignatureScheme::ECDSA_NISTP384_SHA384],
            Self::EcdsaP521 => &[SignatureScheme::ECDSA_NISTP521_SHA512],
            Self::Ed25519 => &[SignatureScheme::ED25519],
            Self::Rsa => &[
                SignatureScheme::RSA_PSS_SHA256,
                SignatureScheme::RSA_PSS_SHA384,
                SignatureScheme::RSA_PSS_SHA512,
                SignatureScheme::RSA_PKCS1_SHA256,
                SignatureScheme::RSA_PKCS1_SHA384,
                SignatureScheme::RSA_PKCS1_SHA512,
            ],
        }
    }
}
