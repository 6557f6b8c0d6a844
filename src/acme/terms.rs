//! What the operator asks for, as plain values: replaced whole when the configuration is read again.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use rustls_pki_types::CertificateDer;

use super::slot::Slot;
use crate::certs::Choice;
use crate::config::{Budgets, Challenge, DnsConfig, PreflightConfig};
use crate::live::{OrderedKey, Provision};
use crate::name::HostPattern;

/// How certificates are ordered, and for whom.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AcmeTerms {
    /// Whether the operator agreed to the terms of service of every issuer.
    pub terms_agreed: bool,
    /// Whom an authority writes to, as `mailto:`.
    pub contact: Vec<String>,
    /// How control of a name may be shown, in order of preference.
    pub challenges: Vec<Challenge>,
    /// How many orders may be under way together.
    pub at_once: usize,
    /// For how long a name fails before a certificate is ordered without it; `None`: never.
    pub partial_after: Option<Duration>,
    /// In order of preference.
    pub issuers: Vec<Issuer>,
    /// Who is asked about names; empty: whom the system asks.
    pub resolvers: Vec<SocketAddr>,
    /// What is looked at before an order.
    pub preflight: PreflightConfig,
    /// Who writes records for dns-01.
    pub dns: Vec<DnsConfig>,
    /// Every site, managed or not: which are may be decided while the edge runs.
    pub sites: Vec<ManagedSite>,
    /// Those that names may become like which nobody serves.
    pub on_demand: Vec<OnDemandSite>,
    /// How often may be asked about such names.
    pub questions: QuestionLimits,
    /// Roots that the endpoints are known by which are asked.
    pub roots: Vec<CertificateDer<'static>>,
}

/// A site that others become like, on demand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnDemandSite {
    /// Its name.
    pub name: String,
    /// The names it answers for itself.
    pub hosts: Vec<HostPattern>,
    /// Where is asked which names may be served.
    pub ask: String,
}

/// How often may be asked about names that nobody serves, in an hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QuestionLimits {
    /// In all.
    pub per_hour: u64,
    /// On account of clients of one network.
    pub per_client: u64,
}

impl AcmeTerms {
    /// The ways that are enough for these names: for a wildcard there is only one (RFC 8555 §7.4.1 leaves it to authorities, and all
    /// do).
    pub(super) fn ways(&self, names: &[HostPattern]) -> Vec<Challenge> {
        if names.iter().any(|host| matches!(host, HostPattern::Wildcard(_))) {
            vec![Challenge::Dns01]
        } else {
            self.challenges.clone()
        }
    }
}

/// An authority.
#[derive(Clone, PartialEq, Eq)]
pub struct Issuer {
    /// The operator's word for it.
    pub name: String,
    /// Where it says what it can do (RFC 8555 §7.1.1).
    pub directory: String,
    /// Which of its kinds of certificate is wanted.
    pub profile: Option<String>,
    /// Roots that its own server is known by.
    pub roots: Vec<CertificateDer<'static>>,
    /// Who the operator is there already.
    pub external_account: Option<ExternalAccount>,
    /// How much may be asked of it.
    pub budgets: Budgets,
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuer").field("name", &self.name).field("directory", &self.directory).finish_non_exhaustive()
    }
}

/// An account elsewhere that an ACME account is bound to (RFC 8555 §7.3.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalAccount {
    /// As the issuer calls it.
    pub key_id: String,
    /// Holds the key that goes with it, base64url.
    pub hmac_key_file: PathBuf,
}

/// A site whose certificates may be ordered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManagedSite {
    /// Its name.
    pub name: String,
    /// The names it answers for.
    pub hosts: Vec<HostPattern>,
    /// Where its certificates come from, as it is configured.
    pub provision: Provision,
    /// The endpoint that is asked whether it may be served, if it became a site because a client asked for its name.
    pub allowed_by: Option<String>,
    /// For which types of key; each has a certificate of its own.
    pub key_types: Vec<OrderedKey>,
    /// Whether a renewal keeps the key.
    pub reuse_key: bool,
}

impl ManagedSite {
    /// Whether its certificates are ordered, with what was decided while the edge runs.
    pub(super) fn is_managed(&self, choices: &BTreeMap<String, Choice>) -> bool {
        let provision = choices.get(&self.name).map_or(self.provision, |choice| choice.certificate);
        provision == Provision::Managed && !self.hosts.is_empty()
    }

    /// What is ordered for it by itself.
    pub(super) fn slots(&self) -> impl Iterator<Item = Slot> {
        self.key_types.iter().map(|key| Slot::new(&self.name, *key))
    }
}
