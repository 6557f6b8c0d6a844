//! What the authority of a site's certificates must have checked at least, and what follows from that.

use serde::{Deserialize, Serialize};

/// What a site asks for: `dv`, `ov`, `ev`, or nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Minimum {
    /// What holds.
    pub(crate) effective: Option<String>,
    /// What the configuration says.
    pub(crate) configured: Option<String>,
    /// Who decided otherwise; `None`: the configuration holds.
    pub(crate) decided_by: Option<String>,
    /// When.
    pub(crate) decided_at: Option<String>,
}

/// The same with what follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MinimumEffect {
    #[serde(flatten)]
    pub(crate) minimum: Minimum,
    /// The site's hosts.
    pub(crate) hosts: Vec<HostEffect>,
    /// The certificates for them of which less was checked.
    pub(crate) below: Vec<Validated>,
}

/// What serves a host before and behind: one for each type of key, or none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HostEffect {
    pub(crate) host: String,
    pub(crate) before: Vec<Validated>,
    pub(crate) behind: Vec<Validated>,
}

/// A certificate, with what was checked of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Validated {
    pub(crate) fingerprint: String,
    pub(crate) subject: String,
    pub(crate) issuer: String,
    pub(crate) key_type: String,
    /// `None`: it does not say.
    pub(crate) level: Option<String>,
    pub(crate) not_after: String,
    /// Whether that is less than the site asks for.
    pub(crate) is_below: bool,
}
