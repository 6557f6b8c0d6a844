//! The series of what is told by mail and webhook.

use super::catalogue as name;
use super::text::{self, Text};

/// What came of notices, and what waits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NoticeFacts {
    /// Attempts by way and outcome, counted.
    pub attempts: Vec<(&'static str, &'static str, u64)>,
    /// What waits by way: how much, and for how many seconds the oldest does.
    pub waiting: Vec<(&'static str, usize, i64)>,
}

pub(super) fn write(text: &mut Text, facts: &NoticeFacts) {
    let attempts: Vec<_> = facts
        .attempts
        .iter()
        .map(|(channel, result, total)| (text::labels(&name::NOTICES, &[channel, result]), *total))
        .collect();
    text.family(&name::NOTICES, attempts.iter().map(|(labels, total)| (labels.as_str(), *total)));
    let waiting: Vec<_> = facts
        .waiting
        .iter()
        .map(|(channel, waiting, age)| (text::labels(&name::NOTICES_WAITING, &[channel]), *waiting, *age))
        .collect();
    text.family(&name::NOTICES_WAITING, waiting.iter().map(|(labels, waiting, _)| (labels.as_str(), *waiting)));
    text.family(&name::NOTICES_OLDEST, waiting.iter().map(|(labels, _, age)| (labels.as_str(), *age)));
}
