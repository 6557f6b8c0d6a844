//! The series of URLs that others serve. Whatever somebody typed is no label.

use super::catalogue as name;
use super::text::{self, Text};

/// What the URLs that others serve are like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ElsewhereFacts {
    /// How many there are by state, every state there is included.
    pub states: Vec<(&'static str, usize)>,
    /// The first end of what was seen, seconds since the Unix epoch.
    pub not_after: Option<i64>,
}

pub(super) fn write(text: &mut Text, facts: &ElsewhereFacts) {
    let states: Vec<_> =
        facts.states.iter().map(|(state, count)| (text::labels(&name::ELSEWHERE, &[state]), *count)).collect();
    text.family(&name::ELSEWHERE, states.iter().map(|(labels, count)| (labels.as_str(), *count)));
    text.family(&name::ELSEWHERE_END, facts.not_after.map(|end| ("", end)));
}
