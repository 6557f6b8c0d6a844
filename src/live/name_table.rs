//! Values by host name, laid out so that a lookup waits for memory once.
//!
//! A map from `Box<str>` waits three times: for the control octets of the hash, for the place they point to, and for the name
//! that place points to. With a million names each wait is for main memory and the page table. Here a name lies beside its
//! value in one cache line, and the hash leads straight to it: an open table with linear probing, at most half full.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;

/// Values by name. Lookup neither locks nor allocates.
pub(super) struct NameTable<T> {
    places: Box<[Option<Place<T>>]>,
    names: usize,
    /// Seeded for each process: who chooses names cannot choose where they collide.
    hasher: RandomState,
}

impl<T> Default for NameTable<T> {
    fn default() -> Self {
        Self { places: Box::default(), names: 0, hasher: RandomState::default() }
    }
}

impl<T: Default> NameTable<T> {
    /// The value of `name`, put there if there is none.
    pub(super) fn entry(&mut self, name: &str) -> &mut T {
        if self.names >= self.places.len() / 2 {
            self.grow();
        }
        let at = self.find(name.as_bytes());
        let names = &mut self.names;
        let place = self.places[at].get_or_insert_with(|| {
            *names += 1;
            Place { name: Name::new(name), value: T::default() }
        });
        &mut place.value
    }
}

impl<T> NameTable<T> {
    /// The value of `name`.
    pub(super) fn get(&self, name: &str) -> Option<&T> {
        if self.places.is_empty() {
            return None;
        }
        self.places[self.find(name.as_bytes())].as_ref().map(|place| &place.value)
    }

    /// Whether there is no name.
    pub(super) fn is_empty(&self) -> bool {
        self.names == 0
    }

    /// How many names there are.
    pub(super) fn len(&self) -> usize {
        self.names
    }

    /// Where `name` is, or the free place where it would be. Half of all places are free, so that the search ends.
    fn find(&self, name: &[u8]) -> usize {
        let last = self.places.len() - 1;
        let hash = self.hasher.hash_one(name);
        // The upper half of hash × places: a number below `places` without a division (Lemire 2019).
        let mut at = ((u128::from(hash) * self.places.len() as u128) >> u64::BITS) as usize;
        while self.places[at].as_ref().is_some_and(|place| place.name.as_bytes() != name) {
            at = if at == last { 0 } else { at + 1 };
        }
        at
    }

    fn grow(&mut self) {
        let larger = (0..(self.places.len() * 2).max(SMALLEST)).map(|_| None).collect();
        for place in std::mem::replace(&mut self.places, larger).into_iter().flatten() {
            let at = self.find(place.name.as_bytes());
            self.places[at] = Some(place);
        }
    }
}

/// One cache line when the value has 24 octets or fewer.
#[repr(align(64))]
struct Place<T> {
    name: Name,
    value: T,
}

/// A name that usually needs no memory of its own.
enum Name {
    Short(u8, [u8; SHORT]),
    Long(Box<str>),
}

impl Name {
    fn new(name: &str) -> Self {
        let mut octets = [0; SHORT];
        match (octets.get_mut(..name.len()), u8::try_from(name.len())) {
            (Some(place), Ok(length)) => {
                place.copy_from_slice(name.as_bytes());
                Self::Short(length, octets)
            }
            _ => Self::Long(name.into()),
        }
    }

    fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Short(length, octets) => &octets[..usize::from(*length)],
            Self::Long(name) => name.as_bytes(),
        }
    }
}

/// What fits beside a value of 24 octets into a cache line; hardly a shop's name is longer.
const SHORT: usize = 38;
const SMALLEST: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::Choice;

    #[test]
    fn names_of_every_length_are_found_and_no_others() {
        let names: Vec<String> = (1..=253).map(|length| "a".repeat(length)).collect();
        let mut table = NameTable::default();
        assert_eq!((table.len(), table.is_empty(), table.get("a")), (0, true, None));
        for (name, number) in names.iter().zip(1usize..) {
            *table.entry(name) = number;
        }
        let found: Vec<Option<usize>> = names.iter().map(|name| table.get(name).copied()).collect();
        assert_eq!(found, (1..=253).map(Some).collect::<Vec<_>>());
        assert_eq!((table.len(), table.is_empty(), table.get(""), table.get("b")), (253, false, None, None));
        *table.entry("aaa") += 1000;
        assert_eq!((table.get("aaa"), table.len()), (Some(&1003), 253));
    }

    #[test]
    fn a_place_is_one_cache_line_taken_or_free() {
        assert_eq!(size_of::<Option<Place<Choice>>>(), 64);
    }
}
