//! What the operator asks of certificates, as plain values: replaced whole when the configuration is read again.

use super::roots::Roots;
use crate::live::{BeforeIssue, Provision, ValidationLevel};
use crate::name::{HostName, HostPattern};

/// By what certificates are judged and ranked.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// Where a chain must lead to be trusted.
    pub roots: Roots,
    /// What is asked of each site's certificates, as it is configured.
    pub sites: Vec<SiteTerms>,
    /// Under what names the edge's own authority may issue.
    pub local_ca_suffixes: Vec<HostName>,
    /// Whether certificates may be ordered.
    pub orders: bool,
    /// Whether those for wildcards may be.
    pub wildcard_orders: bool,
    /// Whether private keys may leave at all.
    pub export: bool,
}

/// What is configured about a site's certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteTerms {
    /// The site's name.
    pub name: String,
    /// The names it answers for.
    pub hosts: Vec<HostPattern>,
    /// Where its certificates come from.
    pub provision: Provision,
    /// What must have been checked of those that are chosen.
    pub minimum_validation: Option<ValidationLevel>,
    /// What its clients get before the first is issued, if they are ordered.
    pub before_issue: BeforeIssue,
}
