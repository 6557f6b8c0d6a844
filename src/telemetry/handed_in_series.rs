//! The series of what was handed in by one-time links and waits for somebody's word. What the links are called is no label.

use super::catalogue as name;
use super::text::Text;

/// What waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HandedInFacts {
    /// How much.
    pub waiting: usize,
    /// For how many seconds the oldest has.
    pub oldest: i64,
}

pub(super) fn write(text: &mut Text, facts: &HandedInFacts) {
    text.family(&name::HANDED_IN, [("", facts.waiting)]);
    text.family(&name::HANDED_IN_OLDEST, [("", facts.oldest)]);
}
