//! How reading the configuration again has gone: what the operator must know while the edge serves on.

use std::collections::HashMap;

/// What is written and does not apply.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Why nothing of what is written now applies; empty when the last reading was good.
    pub refused: Vec<Trouble>,
    /// What was left out of included files, while the rest applies.
    pub rejected: Vec<Trouble>,
    /// Readings that brought something new, since the start.
    pub reloads: Reloads,
}

/// One line of what is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Where, why, and the mend.
    pub text: String,
    /// Seconds since the Unix epoch.
    pub since: i64,
}

/// What came of a reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reloads {
    /// It was published.
    pub applied: u64,
    /// It has mistakes; the one before stays in force.
    pub refused: u64,
    /// It could not be judged, for a fault of ours.
    pub failed: u64,
}

impl Trouble {
    /// The lines as troubles; those that are known keep their beginning.
    #[must_use]
    pub fn carried(lines: Vec<String>, known: &[Self], now: i64) -> Vec<Self> {
        let known: HashMap<&str, i64> = known.iter().map(|trouble| (trouble.text.as_str(), trouble.since)).collect();
        let since = |text: &str| known.get(text).copied().unwrap_or(now);
        lines.into_iter().map(|text| Self { since: since(&text), text }).collect()
    }
}
