//! A table with other values for a few names: all others keep their places, and no pilot is sought.

use hashbrown::HashSet;

use super::{NO_PILOT, NameTable, Place, SHORT, place, scaled};

impl<T: Clone + Default> NameTable<T> {
    /// This table with other values for some names, none for a name that goes. Gives nothing when so much would be kept
    /// otherwise that a new table is better.
    ///
    /// No pilot was sought for a new name: it is kept otherwise, with those that share its pilot.
    pub(in crate::live) fn with(&self, changes: Vec<(&str, Option<T>)>) -> Option<Self> {
        let is_new = |name: &str, value: &Option<T>| value.is_some() && self.get(name).is_none();
        let news = changes.iter().filter(|(name, value)| name.len() <= SHORT && is_new(name, value));
        let groups: HashSet<usize> = news.map(|(name, _)| self.group(name.as_bytes())).collect();
        if !groups.is_empty() && self.pilots.is_empty() {
            return None;
        }
        let mut table = self.clone();
        table.give_up(&groups);
        for (name, value) in changes {
            table.put(name, value);
        }
        (table.given_up <= table.names / MOST_GIVEN_UP).then_some(table)
    }

    fn put(&mut self, name: &str, value: Option<T>) {
        let (was, is) = (self.get(name).is_some(), value.is_some());
        match (self.own_place(name), value) {
            (Some(place), Some(value)) => self.places.own(place).value = value,
            (Some(place), None) => *self.places.own(place) = Place::nobodys(),
            (None, Some(value)) => drop(self.rest.insert(name.into(), value)),
            (None, None) => drop(self.rest.remove(name)),
        }
        self.names = self.names + usize::from(is) - usize::from(was);
    }

    /// Where a name lies that is not kept otherwise.
    fn own_place(&self, name: &str) -> Option<usize> {
        let hash = (name.len() <= SHORT).then(|| self.seeds.hash(name.as_bytes()))?;
        let pilot = *self.pilots.get(scaled(hash, self.pilots.len()))?;
        let place = place(hash, pilot, self.places.len());
        (pilot != NO_PILOT && self.places.get(place)?.name.is(name)).then_some(place)
    }

    /// Keeps all names otherwise that share these pilots.
    fn give_up(&mut self, groups: &HashSet<usize>) {
        if groups.iter().all(|group| self.pilots[*group] == NO_PILOT) {
            return;
        }
        let is_given_up =
            |place: &Place<T>| place.name.octets().is_some_and(|octets| groups.contains(&self.group(octets)));
        let given_up: Vec<usize> =
            self.places.iter().enumerate().filter(|(_, place)| is_given_up(place)).map(|(at, _)| at).collect();
        self.given_up += given_up.len();
        for at in given_up {
            let Place { name, value } = std::mem::replace(self.places.own(at), Place::nobodys());
            let name = name.octets().and_then(|octets| str::from_utf8(octets).ok());
            self.rest.extend(name.map(|name| (name.into(), value)));
        }
        for group in groups {
            self.pilots[*group] = NO_PILOT;
        }
    }

    fn group(&self, name: &[u8]) -> usize {
        scaled(self.seeds.hash(name), self.pilots.len())
    }
}

/// One in so many may lose its place to new names; a name without waits longer for memory.
const MOST_GIVEN_UP: usize = 64;

#[cfg(test)]
mod tests {
    use hashbrown::HashMap;
    use proptest::collection::{hash_map, vec};
    use proptest::prelude::*;

    use super::*;

    fn table(values: &HashMap<String, usize>) -> NameTable<usize> {
        NameTable::new(values.iter().map(|(name, number)| (name.as_str(), *number)).collect())
    }

    #[test]
    fn few_of_many_names_change_without_another_table() {
        let name = |number: usize| format!("shop-{number}.example");
        let table = table(&(0..10_000).map(|number| (name(number), number)).collect());
        let names = [name(1), name(2), name(20_000)];
        let changes = vec![(names[0].as_str(), Some(7)), (&names[1], None), (&names[2], Some(8))];
        let changed = table.with(changes).expect("no new table");
        let found = [0, 1, 2, 3, 20_000].map(|number| changed.get(&name(number)).copied());
        assert_eq!((found, changed.len()), ([Some(0), Some(7), None, Some(3), Some(8)], 10_000));
        assert!((1..10_000).filter(|number| *number > 2).all(|number| changed.get(&name(number)) == Some(&number)));
        assert_eq!((table.get(&names[0]), table.get(&names[2])), (Some(&1), None));
    }

    proptest! {
        #[test]
        fn a_changed_table_is_the_changed_map(
            values in hash_map("[a-c]{1,3}|[a-z.-]{1,60}", any::<usize>(), 0..300),
            changes in vec(hash_map("[a-c]{1,3}|[a-z.-]{1,60}", any::<Option<usize>>(), 0..5), 0..20),
        ) {
            let mut values: HashMap<String, usize> = values.into_iter().collect();
            let mut table = table(&values);
            for changes in changes {
                let next = table.with(changes.iter().map(|(name, value)| (name.as_str(), *value)).collect());
                for (name, value) in &changes {
                    match value {
                        Some(value) => values.insert(name.clone(), *value),
                        None => values.remove(name),
                    };
                }
                table = next.unwrap_or_else(|| self::table(&values));
                prop_assert_eq!(table.len(), values.len());
                for name in values.keys().chain(changes.keys()) {
                    prop_assert_eq!(table.get(name), values.get(name));
                }
            }
        }
    }
}
