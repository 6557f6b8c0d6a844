//! Reports: what each lists, and what has become of it for whom.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// A report without its lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReportHead {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) due: String,
    pub(crate) made: String,
    /// Whether it was made after its time.
    pub(crate) late: bool,
    pub(crate) from_days: i64,
    pub(crate) until_days: i64,
    /// How many URLs were looked at.
    pub(crate) urls: usize,
    pub(crate) unwatched: usize,
    pub(crate) listed: usize,
    pub(crate) told: usize,
    pub(crate) waiting: usize,
    pub(crate) given_up: usize,
}

/// A report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Report {
    #[serde(flatten)]
    pub(crate) head: ReportHead,
    pub(crate) lines: Vec<ReportLine>,
    pub(crate) deliveries: Vec<ReportDelivery>,
}

/// A URL that it lists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReportLine {
    pub(crate) url: String,
    /// Empty: others serve it.
    pub(crate) site: String,
    /// `missing`, `expired` or `expiring`.
    pub(crate) state: String,
    pub(crate) not_after: Option<String>,
    pub(crate) days_left: Option<i64>,
    pub(crate) source: String,
    pub(crate) renewal_late: bool,
    pub(crate) detail: Option<String>,
    pub(crate) fault: Option<String>,
}

/// What has become of a report for one who gets it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReportDelivery {
    pub(crate) to: String,
    /// `None`: of everything.
    pub(crate) organisations: Option<BTreeSet<String>>,
    pub(crate) state: String,
    pub(crate) at: Option<String>,
    pub(crate) attempts: Option<u32>,
    pub(crate) last_error: Option<String>,
}
