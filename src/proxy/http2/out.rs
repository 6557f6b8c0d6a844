//! What waits to be written: small frames together, and large content where it lies, in the order in which it came.

use std::cell::Cell;
use std::collections::VecDeque;
use std::io::IoSlice;
use std::rc::Rc;

use bytes::{Buf, Bytes, BytesMut};

use crate::proxy::buffer;

/// A queue of octets. While it is empty it holds nothing: its buffer is lent by [`Spare`].
pub(super) struct Out {
    small: BytesMut,
    large: VecDeque<Large>,
    /// Octets that `small` has had before those in it.
    before: usize,
    /// Octets in all.
    length: usize,
    spare: Rc<Spare>,
}

/// A piece of its own.
struct Large {
    content: Bytes,
    /// Octets of `small` that go before it, counted like `before`.
    behind: usize,
}

/// A buffer of a worker that waits for the next connection with something to say.
#[derive(Default)]
pub(in crate::proxy) struct Spare(Cell<BytesMut>);

impl Out {
    pub(super) fn new(spare: Rc<Spare>) -> Self {
        Self { small: BytesMut::new(), large: VecDeque::new(), before: 0, length: 0, spare }
    }

    pub(super) const fn len(&self) -> usize {
        self.length
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Lets `write` append something.
    pub(super) fn write(&mut self, write: impl FnOnce(&mut BytesMut)) {
        if self.small.capacity() == 0 {
            let spare = self.spare.0.take();
            // One of which a part was sent first has lost the room of that part.
            self.small = if spare.capacity() < ROOM { buffer::with_room(ROOM) } else { spare };
        }
        let before = self.small.len();
        write(&mut self.small);
        self.length += self.small.len() - before;
        if self.length == 0 {
            self.clear(); // nothing was written
        }
    }

    /// Appends content, which is copied if it is not worth a piece of its own.
    pub(super) fn push(&mut self, content: Bytes) {
        if content.len() <= COPIED {
            return self.write(|small| small.extend_from_slice(&content));
        }
        self.length += content.len();
        self.large.push_back(Large { content, behind: self.before + self.small.len() });
    }

    /// Fills `slices` with what comes first, and gives how many there are.
    pub(super) fn slices<'o>(&'o self, slices: &mut [IoSlice<'o>]) -> usize {
        let (mut used, mut rest, mut at) = (0, &self.small[..], self.before);
        for large in &self.large {
            let (small, after) = rest.split_at(large.behind - at);
            (rest, at) = (after, large.behind);
            for piece in [small, &large.content] {
                if !piece.is_empty() {
                    if used == slices.len() {
                        return used;
                    }
                    slices[used] = IoSlice::new(piece);
                    used += 1;
                }
            }
        }
        if !rest.is_empty() && used < slices.len() {
            slices[used] = IoSlice::new(rest);
            used += 1;
        }
        used
    }

    /// The first `length` octets have gone.
    pub(super) fn advance(&mut self, mut length: usize) {
        self.length -= length;
        if self.length == 0 {
            return self.clear();
        }
        while length > 0 {
            let small = self.large.front().map_or(self.small.len(), |large| large.behind - self.before).min(length);
            self.small.advance(small);
            (self.before, length) = (self.before + small, length - small);
            if let Some(large) = self.large.front_mut().filter(|_| length > 0) {
                let gone = large.content.len().min(length);
                large.content.advance(gone);
                length -= gone;
                if large.content.is_empty() {
                    self.large.pop_front();
                }
            }
        }
    }

    fn clear(&mut self) {
        (self.before, self.large) = (0, VecDeque::new());
        self.small.clear();
        if self.small.capacity() > 0 {
            self.spare.0.replace(std::mem::take(&mut self.small));
        }
    }
}

/// One TLS record.
const ROOM: usize = 16 * 1024;
/// A copy of this costs less than a piece does.
const COPIED: usize = 4 * 1024;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_goes_out_is_what_came_in(
            pieces in proptest::collection::vec((0_usize..10_000, any::<bool>()), 0..20),
            steps in proptest::collection::vec(1_usize..20_000, 1..30),
            most in 1_usize..6,
        ) {
            let (mut out, mut wanted, mut got) = (Out::new(Rc::default()), Vec::new(), Vec::new());
            let (mut steps, mut octet) = (steps.into_iter().cycle(), 0_u8);
            let mut pieces = pieces.into_iter();
            loop {
                let piece = pieces.next();
                if let Some((length, is_small)) = piece {
                    let content: Vec<u8> = (0..length).map(|_| { octet = octet.wrapping_add(1); octet }).collect();
                    wanted.extend_from_slice(&content);
                    if is_small { out.write(|small| small.extend_from_slice(&content)) } else { out.push(content.into()) }
                }
                let mut slices = [IoSlice::new(&[]); 5];
                let used = out.slices(&mut slices[..most.min(5)]);
                let all: Vec<u8> = slices[..used].iter().flat_map(|slice| slice.to_vec()).collect();
                prop_assert_eq!(out.is_empty(), got.len() == wanted.len());
                let taken = all.len().min(steps.next().expect("endless"));
                got.extend_from_slice(&all[..taken]);
                if taken > 0 { out.advance(taken) }
                if piece.is_none() && out.is_empty() { break }
            }
            prop_assert_eq!(got, wanted);
            prop_assert_eq!(out.small.capacity(), 0, "its buffer went back");
        }
    }
}
