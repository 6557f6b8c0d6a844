//! The places of a table, in blocks that a changed table shares with the one before: of two hundred thousand names a change copies
//! those of a block, and not thirteen megabytes.

use std::sync::Arc;

use super::Place;

/// As many places as there are names, and some more.
#[derive(Clone)]
pub(super) struct Places<T> {
    blocks: Box<[Arc<[Place<T>]>]>,
    number: usize,
}

impl<T> Places<T> {
    pub(super) const fn len(&self) -> usize {
        self.number
    }

    #[inline]
    pub(super) fn get(&self, at: usize) -> Option<&Place<T>> {
        self.blocks.get(at / BLOCK)?.get(at % BLOCK)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Place<T>> {
        self.blocks.iter().flat_map(|block| block.iter())
    }
}

impl<T: Clone> Places<T> {
    /// A place to be changed: its block becomes this table's own.
    ///
    /// # Panics
    /// When there is no such place.
    pub(super) fn own(&mut self, at: usize) -> &mut Place<T> {
        &mut Arc::make_mut(&mut self.blocks[at / BLOCK])[at % BLOCK]
    }
}

impl<T> FromIterator<Place<T>> for Places<T> {
    fn from_iter<I: IntoIterator<Item = Place<T>>>(places: I) -> Self {
        let (mut places, mut blocks, mut number) = (places.into_iter(), Vec::new(), 0);
        loop {
            let block: Arc<[Place<T>]> = places.by_ref().take(BLOCK).collect();
            number += block.len();
            if block.is_empty() {
                return Self { blocks: blocks.into(), number };
            }
            blocks.push(block);
        }
    }
}

impl<T> Default for Places<T> {
    fn default() -> Self {
        Self { blocks: Box::default(), number: 0 }
    }
}

/// 64 KiB: the list of a million names' blocks stays in the cache, and a block is copied in some ten microseconds.
const BLOCK: usize = 1024;
