//! Header fields that a site adds, sets and removes.

use http::{HeaderMap, HeaderName, HeaderValue};

/// What is done with the fields of one direction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldRules {
    /// Fields that go, whoever sent them.
    pub remove: Box<[HeaderName]>,
    /// Fields that have this value alone.
    pub set: Box<[(HeaderName, HeaderValue)]>,
    /// Fields that have this value too.
    pub add: Box<[(HeaderName, HeaderValue)]>,
}

impl FieldRules {
    /// Whether what came under this name does not pass.
    #[must_use]
    pub fn replaces(&self, name: &HeaderName) -> bool {
        self.remove.contains(name) || self.set.iter().any(|(set, _)| set == name)
    }

    /// The fields that the edge says in place of those, and beside them.
    pub fn said(&self) -> impl Iterator<Item = &(HeaderName, HeaderValue)> {
        self.set.iter().chain(&self.add)
    }

    /// Does it to the fields of a message.
    pub fn apply(&self, headers: &mut HeaderMap) {
        for name in self.remove.iter().chain(self.set.iter().map(|(name, _)| name)) {
            headers.remove(name);
        }
        for (name, value) in self.said() {
            headers.append(name, value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &'static str, value: &'static str) -> (HeaderName, HeaderValue) {
        (HeaderName::from_static(name), HeaderValue::from_static(value))
    }

    #[test]
    fn what_is_set_is_alone_and_what_is_added_is_not() {
        let rules = FieldRules {
            remove: [HeaderName::from_static("server")].into(),
            set: [field("x-frame-options", "DENY")].into(),
            add: [field("vary", "cookie")].into(),
        };
        let came = [
            field("server", "shop"),
            field("x-frame-options", "a"),
            field("x-frame-options", "b"),
            field("vary", "accept"),
        ];
        let mut headers = HeaderMap::new();
        for (name, value) in came {
            headers.append(name, value);
        }
        rules.apply(&mut headers);
        let left: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        assert_eq!(left, [("vary", &b"accept"[..]), ("vary", b"cookie"), ("x-frame-options", b"DENY")]);
    }
}
