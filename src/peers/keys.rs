//! What a site file says besides names, certificates and servers.

use std::collections::BTreeMap;

/// Keys of a site or of a route, by the tables that they stand in; `""` is the site's or the route's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys(BTreeMap<&'static str, Table>);

type Table = BTreeMap<&'static str, Value>;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Value {
    /// As TOML writes it.
    One(String),
    /// Texts.
    List(Vec<String>),
}

impl Keys {
    /// A value as TOML writes it. What was there first stays.
    pub(super) fn set(&mut self, table: &'static str, key: &'static str, value: impl Into<String>) {
        self.0.entry(table).or_default().entry(key).or_insert_with(|| Value::One(value.into()));
    }

    /// A value in the place of what was there.
    pub(super) fn replace(&mut self, table: &'static str, key: &'static str, value: impl Into<String>) {
        self.0.entry(table).or_default().insert(key, Value::One(value.into()));
    }

    /// A text. What was there first stays.
    pub(super) fn text(&mut self, table: &'static str, key: &'static str, text: &str) {
        self.set(table, key, quoted(text));
    }

    /// One more text of a list, unless it is there.
    pub(super) fn push(&mut self, table: &'static str, key: &'static str, text: impl Into<String>) {
        let (entry, text) = (self.0.entry(table).or_default().entry(key), text.into());
        match entry.or_insert_with(|| Value::List(Vec::new())) {
            Value::List(list) if !list.contains(&text) => list.push(text),
            Value::List(_) | Value::One(_) => {}
        }
    }

    /// Whether a key is there.
    pub(super) fn has(&self, table: &str, key: &str) -> bool {
        self.0.get(table).is_some_and(|table| table.contains_key(key))
    }

    /// What is not there yet as `others` have it.
    pub(super) fn join(&mut self, others: &Self) {
        for (table, keys) in &others.0 {
            let own = self.0.entry(table).or_default();
            for (key, value) in keys {
                own.entry(key).or_insert_with(|| value.clone());
            }
        }
    }

    /// One table alone.
    fn only(&self, table: &'static str) -> Self {
        Self(self.0.get(table).map(|keys| (table, keys.clone())).into_iter().collect())
    }

    /// The tables with their lines, the site's or route's own first.
    #[must_use]
    pub fn tables(&self) -> Vec<(&'static str, Vec<String>)> {
        let line = |(key, value): (&&str, &Value)| match value {
            Value::One(text) => format!("{key} = {text}"),
            Value::List(list) => format!("{key} = {}", quoted_list(list)),
        };
        self.0.iter().map(|(table, keys)| (*table, keys.iter().map(line).collect())).collect()
    }
}

/// What all groups of servers say alike that one site has; of the rest, the tables in which they differ. A group that has no say in a
/// table, as one of a single server in how requests are shared out, is not asked.
pub(super) fn agreed<'a>(groups: impl IntoIterator<Item = (&'a Keys, bool)>) -> (Keys, Vec<&'static str>) {
    let groups: Vec<_> = groups.into_iter().collect();
    let (mut keys, mut differing) = (Keys::default(), Vec::new());
    for table in ["balance", "health", "upstream_tls", "request_headers", "response_headers"] {
        let is_said = groups.iter().any(|(group, _)| group.0.contains_key(table));
        let has_say = |(group, is_alone): &&(&Keys, bool)| match table {
            _ if group.0.contains_key(table) => true,
            "balance" => !is_alone,
            "health" | "upstream_tls" => false,
            // What is said of one would be said of all.
            _ => is_said,
        };
        let mut said = groups.iter().filter(has_say).map(|(group, _)| group.only(table));
        let Some(first) = said.next() else { continue };
        match said.all(|other| other == first) {
            true => keys.join(&first),
            false => differing.push(table),
        }
    }
    (keys, differing)
}

/// A basic string of TOML: JSON's, with the one control character escaped that JSON lets pass.
#[must_use]
pub fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\x7f', "\\u007f")
}

/// A list of such strings.
#[must_use]
pub fn quoted_list(list: &[String]) -> String {
    let quoted: Vec<String> = list.iter().map(|text| quoted(text)).collect();
    format!("[{}]", quoted.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_say_together_what_they_say_alike() {
        let keys = |method: &str| {
            let mut keys = Keys::default();
            keys.text("balance", "method", method);
            keys.set("health", "eject_after", "3");
            keys
        };
        let (client, least, nothing) = (keys("client"), keys("least-requests"), Keys::default());
        assert_eq!(agreed([(&client, false), (&client, true)]), (client.clone(), Vec::new()));
        // One server alone shares nothing out.
        assert_eq!(agreed([(&client, false), (&nothing, true)]).0, client);
        let (both, differing) = agreed([(&client, false), (&least, false)]);
        assert_eq!((both.tables(), differing), (vec![("health", vec!["eject_after = 3".to_owned()])], vec!["balance"]));
        assert_eq!(agreed([(&client, false), (&nothing, false)]).1, ["balance"]);
    }
}
