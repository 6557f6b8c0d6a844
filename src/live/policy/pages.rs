//! A site's own pages for what the edge answers itself.

use std::fmt;
use std::path::PathBuf;

use bytes::Bytes;

/// Pages by status, as they were when the configuration was read.
#[derive(Clone, PartialEq, Eq)]
pub struct ErrorPages {
    /// Where they lie.
    pub folder: PathBuf,
    /// HTML by status, 400 to 599.
    pub by_status: Box<[(u16, Bytes)]>,
    /// HTML for the time of maintenance.
    pub maintenance: Option<Bytes>,
}

impl ErrorPages {
    /// The page for a status.
    #[must_use]
    pub fn of(&self, status: u16) -> Option<&Bytes> {
        self.by_status.iter().find(|(known, _)| *known == status).map(|(_, page)| page)
    }
}

impl fmt::Debug for ErrorPages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let statuses: Vec<u16> = self.by_status.iter().map(|(status, _)| *status).collect();
        f.debug_struct("ErrorPages").field("folder", &self.folder).field("by_status", &statuses).finish_non_exhaustive()
    }
}
