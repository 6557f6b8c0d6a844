//! Which of a group's upstreams a request goes to.

use crate::live::UpstreamGroup;

/// The upstreams of a group in the order in which a request finds them.
pub(super) struct Choice<'a> {
    group: &'a UpstreamGroup,
    first: usize,
    turn: usize,
    without: Option<usize>,
}

impl<'a> Choice<'a> {
    /// Upstreams take turns, from the one whose turn it is. That in the place `without` is out of the question.
    pub(super) fn new(group: &'a UpstreamGroup, first: usize, without: Option<usize>) -> Self {
        Self { group, first, turn: 0, without }
    }
}

impl Iterator for Choice<'_> {
    type Item = usize;

    /// One that is left alone is passed over. When there is no other, somebody is better than nobody.
    fn next(&mut self) -> Option<usize> {
        let number = self.group.members.len();
        while self.turn < 2 * number {
            let (turn, place) = (self.turn, self.first.wrapping_add(self.turn) % number);
            self.turn += 1;
            let state = &self.group.members[place].state;
            let is_fit = || if turn < number { state.admits() } else { state.is_better_than_nobody() };
            if self.without != Some(place) && is_fit() {
                return Some(place);
            }
        }
        None
    }
}
