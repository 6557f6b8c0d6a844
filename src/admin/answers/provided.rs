//! Where a site's certificates come from.

use serde::{Deserialize, Serialize};

/// What holds for a site, and who said so: `managed`, `uploaded` or `self-signed`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Provided {
    /// What holds.
    pub(crate) effective: String,
    /// What the configuration says.
    pub(crate) configured: String,
    /// The fingerprints of those that serve whatever else comes; none: the best.
    pub(crate) pinned: Vec<String>,
    /// Who decided otherwise; `None`: the configuration holds.
    pub(crate) decided_by: Option<String>,
    /// When.
    pub(crate) decided_at: Option<String>,
}
