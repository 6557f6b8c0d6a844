//! Values by host name, laid out so that lookups wait for memory as little as possible.
//!
//! A map from `Box<str>` waits three times: for the control octets of the hash, for the place they point to, and for the name
//! that place points to. With a million names each of the last two is main memory and the page table. Here a name lies beside
//! its value in one cache line. The control octets, one per name, stay in the cache; they tell the place nearly without fail,
//! so that the processor guesses right and goes on while it waits for that line.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::RandomState;
use hashbrown::HashTable;

/// Values by name. Lookup neither locks nor allocates.
pub(super) struct NameTable<T> {
    places: HashTable<Place<T>>,
    /// Seeded for each process: who chooses names cannot choose where they collide.
    hasher: RandomState,
}

impl<T> Default for NameTable<T> {
    fn default() -> Self {
        Self { places: HashTable::new(), hasher: RandomState::default() }
    }
}

impl<T: Default> NameTable<T> {
    /// The value of `name`, put there if there is none.
    pub(super) fn entry(&mut self, name: &str) -> &mut T {
        let Self { places, hasher } = self;
        let place = places
            .entry(
                hash(hasher, name.as_bytes()),
                |place| place.name.is(name),
                |place| hash(hasher, place.name.as_bytes()),
            )
            .or_insert_with(|| Place { name: Name::new(name), value: T::default() });
        &mut place.into_mut().value
    }
}

impl<T> NameTable<T> {
    /// The value of `name`.
    #[inline]
    pub(super) fn get(&self, name: &str) -> Option<&T> {
        self.places.find(hash(&self.hasher, name.as_bytes()), |place| place.name.is(name)).map(|place| &place.value)
    }

    /// Whether there is no name.
    pub(super) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// How many names there are.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }
}

/// Without the length that `Hash` for `str` adds: the name is all there is to hash.
fn hash(hasher: &RandomState, name: &[u8]) -> u64 {
    let mut hasher = hasher.build_hasher();
    hasher.write(name);
    hasher.finish()
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

    /// Whether this is `name`. The fewer instructions that takes, the more of what comes after it the processor does while it
    /// waits for this place; and the length is compared last, so that how to compare hangs on `name` alone, which is there.
    fn is(&self, name: &str) -> bool {
        let name = name.as_bytes();
        match self {
            Self::Short(length, octets) => {
                octets.get(..name.len()).is_some_and(|octets| same(octets, name)) && usize::from(*length) == name.len()
            }
            Self::Long(long) => long.as_bytes() == name,
        }
    }

    fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Short(length, octets) => &octets[..usize::from(*length)],
            Self::Long(name) => name.as_bytes(),
        }
    }
}

/// Whether two texts of one length are the same; without a call for the lengths most names have.
fn same(one: &[u8], other: &[u8]) -> bool {
    match (other.first_chunk::<16>(), other.last_chunk::<16>()) {
        (Some(head), Some(tail)) if other.len() <= 32 => {
            one.first_chunk() == Some(head) && one.last_chunk() == Some(tail)
        }
        _ => one == other,
    }
}

/// What fits beside a value of 24 octets into a cache line; hardly a shop's name is longer.
const SHORT: usize = 38;

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
    fn a_place_is_one_cache_line() {
        assert_eq!(size_of::<Place<Choice>>(), 64);
    }
}
