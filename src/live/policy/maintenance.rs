//! A site that is being worked on.

use std::time::Duration;

use super::Access;

impl Default for Maintenance {
    fn default() -> Self {
        Self { on: false, retry_after: Duration::from_mins(5), allow: None }
    }
}

/// Whether visitors are told to come back later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Maintenance {
    /// They are.
    pub on: bool,
    /// When they may come back.
    pub retry_after: Duration,
    /// Who comes through all the same; `None`: nobody.
    pub allow: Option<Access>,
}

/// When visitors may come back, where nobody says so.
pub const RETRY_AFTER: Duration = Duration::from_secs(300);
