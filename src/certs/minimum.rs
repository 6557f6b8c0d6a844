//! What the authority of a site's certificates must have checked at least: as configured, unless the operator decided otherwise since.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::live::{ServedCert, Site, ValidationLevel};
use crate::name::HostPattern;

/// What the operator decided while the edge was running. It outranks the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Minimum {
    /// `None`: nothing is asked for, whatever is configured.
    #[serde(with = "words")]
    pub level: Option<ValidationLevel>,
    /// Who decided.
    pub by: String,
    /// When, seconds since the Unix epoch.
    pub at: i64,
}

/// What holds for a site, of which this may have been decided.
#[must_use]
pub fn minimum_of(site: &Site, decided: &BTreeMap<String, Minimum>) -> Option<ValidationLevel> {
    decided.get(&*site.name).map_or(site.minimum_validation, |minimum| minimum.level)
}

/// What a site asks for, or would, and what follows.
#[derive(Clone, Debug)]
pub struct SiteMinimum {
    /// As the configuration has it.
    pub configured: Option<ValidationLevel>,
    /// What was decided since, or is about to be.
    pub decided: Option<Minimum>,
    /// Its hosts, in the order of the configuration.
    pub hosts: Vec<Effect>,
    /// The certificates for its hosts of which less was checked.
    pub below: Vec<Arc<ServedCert>>,
}

impl SiteMinimum {
    /// What holds, or would.
    #[must_use]
    pub fn level(&self) -> Option<ValidationLevel> {
        self.decided.as_ref().map_or(self.configured, |minimum| minimum.level)
    }
}

/// What serves a host before and behind a decision: one for each type of key, or none.
#[derive(Clone, Debug)]
pub struct Effect {
    /// The host.
    pub host: HostPattern,
    /// What serves it without.
    pub before: Vec<Arc<ServedCert>>,
    /// What serves it with it.
    pub behind: Vec<Arc<ServedCert>>,
}

/// The levels that can be asked for, by the words of the configuration. Few authorities check persons (`iv`); who asks for an
/// organisation does not mean them.
pub const LEVELS: [ValidationLevel; 3] =
    [ValidationLevel::Domain, ValidationLevel::Organisation, ValidationLevel::Extended];

mod words {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::LEVELS;
    use crate::live::ValidationLevel;

    #[allow(clippy::ref_option)] // serde wants it so
    pub(super) fn serialize<S: Serializer>(level: &Option<ValidationLevel>, serializer: S) -> Result<S::Ok, S::Error> {
        level.map(ValidationLevel::label).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<ValidationLevel>, D::Error> {
        let Some(word) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
        let known = LEVELS.into_iter().find(|known| known.label() == word);
        known.map(Some).ok_or_else(|| serde::de::Error::custom("expected dv, ov or ev"))
    }
}
