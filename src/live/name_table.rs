//! Values by host name, laid out so that a lookup waits for main memory once.
//!
//! A map from `Box<str>` waits three times when it is too large for the caches: for the control octets of the hash, for the
//! place they point to, and for the name that place points to. Here a name lies beside its value in one cache line, and a
//! perfect hash tells which: every name has a place that no other name of the table has, so that there is nothing to search.
//!
//! That place hangs on the name's hash and on a pilot: a number that a few names share, and that was sought, when the table
//! was built, so that all of them get places nobody has ("hash, displace, and compress", Belazzougui, Botelho and
//! Dietzfelbinger, 2009). Pilots are an octet for three names; those of a million names stay in the cache.

mod changed;
mod places;

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashMap};

use places::Places;

/// Values by name, all known when it is built. Lookup neither locks nor allocates.
#[derive(Clone)]
pub(super) struct NameTable<T> {
    pilots: Box<[Pilot]>,
    places: Places<T>,
    /// Names that are too long for a place, and those for which no pilot was found.
    rest: HashMap<Box<str>, T>,
    names: usize,
    /// How many lost their places to new names since it was built.
    given_up: usize,
    seeds: Seeds,
}

impl<T: Clone + Default> NameTable<T> {
    /// The table of these values.
    pub(super) fn new(values: HashMap<&str, T>) -> Self {
        Self::seeded(Seeds::default(), values)
    }

    fn seeded(seeds: Seeds, values: HashMap<&str, T>) -> Self {
        let names = values.len();
        let (short, long): (Vec<_>, Vec<_>) = values.into_iter().partition(|(name, _)| name.len() <= SHORT);
        let mut table = Self {
            pilots: vec![0; short.len().div_ceil(NAMES_FOR_A_PILOT)].into(),
            places: std::iter::repeat_with(Place::nobodys).take(short.len() + short.len() / SPARE).collect(),
            rest: long.into_iter().map(|(name, value)| (name.into(), value)).collect(),
            names,
            given_up: 0,
            seeds,
        };
        let mut entries: Vec<Entry<'_, T>> = short.into_iter().map(|(name, value)| table.entry(name, value)).collect();
        entries.sort_unstable_by_key(|entry| entry.group);
        let mut groups: Vec<&mut [Entry<'_, T>]> = entries.chunk_by_mut(|one, next| one.group == next.group).collect();
        // The more names, the harder it is to find free places for all: they choose first.
        groups.sort_by_key(|group| std::cmp::Reverse(group.len()));
        for group in groups {
            table.settle(group);
        }
        table
    }

    fn entry<'n>(&self, name: &'n str, value: T) -> Entry<'n, T> {
        let hash = self.seeds.hash(name.as_bytes());
        Entry { group: scaled(hash, self.pilots.len()), hash, name, value }
    }

    /// Gives the names that share a pilot their places.
    fn settle(&mut self, members: &mut [Entry<'_, T>]) {
        let pilot = self.pilot_for(members);
        for Entry { group, hash, name, value } in members {
            let value = std::mem::take(value);
            self.pilots[*group] = pilot;
            if pilot == NO_PILOT {
                self.rest.insert((*name).into(), value);
            } else {
                let place = place(*hash, pilot, self.places.len());
                *self.places.own(place) = Place { name: Name::new(name), value };
            }
        }
    }

    /// A pilot that leads each of these to a place of its own that is free.
    fn pilot_for(&self, members: &[Entry<'_, T>]) -> Pilot {
        let mut taken = Vec::with_capacity(members.len());
        let mut parts = |pilot: &Pilot| {
            taken.clear();
            members.iter().all(|entry| {
                let place = place(entry.hash, *pilot, self.places.len());
                let is_free =
                    self.places.get(place).is_some_and(|place| place.name.is_nobodys()) && !taken.contains(&place);
                taken.push(place);
                is_free
            })
        };
        (0..NO_PILOT).find(|pilot| parts(pilot)).unwrap_or(NO_PILOT)
    }
}

/// What is to be put into a table.
struct Entry<'n, T> {
    /// Which pilot it has.
    group: usize,
    hash: u64,
    name: &'n str,
    value: T,
}

impl<T> NameTable<T> {
    /// The value of `name`.
    #[inline]
    pub(super) fn get(&self, name: &str) -> Option<&T> {
        if name.len() > SHORT {
            return self.get_from_rest(name);
        }
        let hash = self.seeds.hash(name.as_bytes());
        let pilot = *self.pilots.get(scaled(hash, self.pilots.len()))?;
        if pilot == NO_PILOT {
            return self.get_from_rest(name);
        }
        let place = self.places.get(place(hash, pilot, self.places.len()))?;
        place.name.is(name).then_some(&place.value)
    }

    /// Apart, for what it needs of registers and stack.
    #[cold]
    fn get_from_rest(&self, name: &str) -> Option<&T> {
        self.rest.get(name)
    }

    /// Whether there is no name.
    pub(super) fn is_empty(&self) -> bool {
        self.names == 0
    }

    /// How many names there are.
    pub(super) fn len(&self) -> usize {
        self.names
    }
}

impl<T> Default for NameTable<T> {
    fn default() -> Self {
        Self {
            pilots: Box::default(),
            places: Places::default(),
            rest: HashMap::new(),
            names: 0,
            given_up: 0,
            seeds: Seeds::default(),
        }
    }
}

/// Which of 255 ways leads to the places.
type Pilot = u8;

/// Says that the names are kept otherwise.
const NO_PILOT: Pilot = Pilot::MAX;

/// On average. More would make fewer pilots, which are harder to find.
const NAMES_FOR_A_PILOT: usize = 3;

/// For so many names there is one place more, so that pilots for the last names can be found.
const SPARE: usize = 4;

/// Makes hashes. Drawn anew for each table: who chooses names cannot choose where they collide. All are odd: two multiply.
#[derive(Clone)]
struct Seeds([u64; 4]);

impl Default for Seeds {
    fn default() -> Self {
        let drawn = DefaultHashBuilder::default();
        Self(std::array::from_fn(|number| drawn.hash_one(number) | 1))
    }
}

impl Seeds {
    /// The hash of a name of `SHORT` octets at most: its octets, twice in part, multiplied with each other as foldhash and
    /// wyhash do it. Those are made for texts of any length and take more than twice as many instructions.
    fn hash(&self, name: &[u8]) -> u64 {
        let Self([one, two, three, four]) = self;
        let length = name.len() as u64;
        if let (Some(head), Some(tail)) = (name.first_chunk::<16>(), name.last_chunk::<16>()) {
            let ((head, after), (before, tail)) = (halves(head), halves(tail));
            let (before, after) = (spread(before, *three), spread(after, *four));
            folded((head ^ one).wrapping_add(before), (tail ^ two ^ length).wrapping_add(after))
        } else if let (Some(head), Some(tail)) = (name.first_chunk::<8>(), name.last_chunk::<8>()) {
            folded(u64::from_le_bytes(*head) ^ one, u64::from_le_bytes(*tail) ^ two ^ length)
        } else {
            folded(few(name) ^ one, two ^ length)
        }
    }
}

/// Fewer than eight octets as a number.
fn few(octets: &[u8]) -> u64 {
    octets.iter().fold(0, |number, octet| number << 8 | u64::from(*octet))
}

fn halves(octets: &[u8; 16]) -> (u64, u64) {
    let both = u128::from_le_bytes(*octets);
    (both as u64, (both >> 64) as u64)
}

/// A number whose every bit hangs on many of these. A product's low bits hang on few, and its high bits reach no further: turned
/// by half, either kind reaches the other's place.
fn spread(octets: u64, multiplier: u64) -> u64 {
    octets.rotate_left(32).wrapping_mul(multiplier)
}

/// Both halves of the product, of which each has what the other lacks.
fn folded(one: u64, other: u64) -> u64 {
    let product = u128::from(one) * u128::from(other);
    product as u64 ^ (product >> 64) as u64
}

/// Where this pilot leads this name.
fn place(hash: u64, pilot: Pilot, places: usize) -> usize {
    scaled(hash.wrapping_mul(MULTIPLIER ^ u64::from(pilot) << 1), places)
}

/// Without a pattern, and odd, with any pilot above its last bit too: 2^64 by the golden ratio.
const MULTIPLIER: u64 = 0x9E37_79B9_7F4A_7C15;

/// A number below `end` in proportion to a hash.
fn scaled(hash: u64, end: usize) -> usize {
    ((u128::from(hash) * end as u128) >> 64) as usize
}

/// One cache line when the value has 24 octets or fewer.
#[derive(Clone)]
#[repr(align(64))]
struct Place<T> {
    name: Name,
    value: T,
}

impl<T: Default> Place<T> {
    fn nobodys() -> Self {
        Self { name: Name::NOBODY, value: T::default() }
    }
}

/// A name that needs no memory of its own.
#[derive(Clone)]
struct Name {
    length: u8,
    octets: [u8; SHORT],
}

impl Name {
    /// No name is as long as it says, so that it is none.
    const NOBODY: Self = Self { length: u8::MAX, octets: [0; SHORT] };

    /// `name` has `SHORT` octets at most.
    fn new(name: &str) -> Self {
        let mut octets = [0; SHORT];
        octets[..name.len()].copy_from_slice(name.as_bytes());
        Self { length: name.len() as u8, octets }
    }

    /// The name, if it is one.
    fn octets(&self) -> Option<&[u8]> {
        self.octets.get(..usize::from(self.length))
    }

    fn is_nobodys(&self) -> bool {
        self.length == u8::MAX
    }

    /// Whether this is `name`. The fewer instructions that takes, the more of what comes after it the processor does while it
    /// waits for this place; and the length is compared last, so that how to compare hangs on `name` alone, which is there.
    fn is(&self, name: &str) -> bool {
        let octets = self.octets.get(..name.len());
        octets.is_some_and(|octets| same(octets, name.as_bytes())) && usize::from(self.length) == name.len()
    }
}

/// Whether two texts of one length, `SHORT` octets at most, are the same; without a call, so that a lookup saves no registers.
fn same(one: &[u8], other: &[u8]) -> bool {
    if let (Some(head), Some(tail)) = (other.first_chunk::<16>(), other.last_chunk::<16>()) {
        one.first_chunk() == Some(head) && one.last_chunk() == Some(tail)
    } else if let (Some(head), Some(tail)) = (other.first_chunk::<8>(), other.last_chunk::<8>()) {
        one.first_chunk() == Some(head) && one.last_chunk() == Some(tail)
    } else {
        few(one) == few(other)
    }
}

/// Hardly a shop's name is longer. Twice sixteen octets are hashed and compared at once.
const SHORT: usize = 32;

#[cfg(test)]
mod tests {
    use proptest::collection::hash_map;
    use proptest::prelude::*;

    use super::*;
    use crate::live::Choice;

    fn table(values: impl IntoIterator<Item = (String, usize)>) -> NameTable<usize> {
        seeded(Seeds::default(), values)
    }

    fn seeded(seeds: Seeds, values: impl IntoIterator<Item = (String, usize)>) -> NameTable<usize> {
        let values: Vec<(String, usize)> = values.into_iter().collect();
        NameTable::seeded(seeds, values.iter().map(|(name, number)| (name.as_str(), *number)).collect())
    }

    #[test]
    fn names_of_every_length_are_found_and_no_others() {
        let names: Vec<String> = (1..=253).map(|length| "a".repeat(length)).collect();
        let table = table(names.iter().cloned().zip(1..));
        let found: Vec<Option<usize>> = names.iter().map(|name| table.get(name).copied()).collect();
        assert_eq!(found, (1..=253).map(Some).collect::<Vec<_>>());
        assert_eq!((table.len(), table.is_empty(), table.get(""), table.get("b")), (253, false, None, None));
    }

    #[test]
    fn names_with_one_hash_are_found_too() {
        // With these seeds, names that begin with enough zeros have no other hash than zero.
        let name = |number: usize| format!("{}{number:016}", "\0".repeat(16));
        let table = seeded(Seeds([0; 4]), (0..50).map(|number| (name(number), number)));
        assert_eq!((table.rest.len(), table.len()), (50, 50));
        let found: Vec<Option<usize>> = (0..51).map(|number| table.get(&name(number)).copied()).collect();
        assert_eq!(found, (0..50).map(Some).chain([None]).collect::<Vec<_>>());
    }

    #[test]
    fn nothing_is_found_where_nothing_is() {
        for table in [NameTable::default(), table([])] {
            assert_eq!((table.len(), table.is_empty(), table.get("a"), table.get("")), (0, true, None, None));
        }
    }

    #[test]
    fn hardly_a_name_goes_without_a_pilot() {
        let table = table((0..100_000).map(|number| (format!("shop-{number}.example"), number)));
        assert_eq!((table.rest.len(), table.len()), (0, 100_000));
        for number in 0..100_000 {
            assert_eq!(table.get(&format!("shop-{number}.example")), Some(&number));
            assert_eq!(table.get(&format!("sheep-{number}.example")), None);
        }
    }

    #[test]
    fn a_place_is_one_cache_line() {
        assert_eq!(size_of::<Place<Choice>>(), 64);
    }

    proptest! {
        #[test]
        fn a_table_is_the_map_it_was_built_from(
            values in hash_map("[a-c]{1,3}|[a-z.-]{1,60}", any::<usize>(), 0..300),
            others in proptest::collection::vec("[a-c]{1,3}|[a-z.-]{0,60}", 0..100),
        ) {
            let table = table(values.clone());
            prop_assert_eq!(table.len(), values.len());
            for name in values.keys().chain(&others) {
                prop_assert_eq!(table.get(name), values.get(name));
            }
        }
    }
}
