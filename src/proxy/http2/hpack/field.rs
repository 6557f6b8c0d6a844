//! A field as it is read from a block.

use bytes::Bytes;
use http::{HeaderName, HeaderValue};

/// A field. Clones share what they hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum Field {
    Regular(HeaderName, HeaderValue),
    Pseudo(Pseudo, Bytes),
    /// What no field may be. It counts all the same, and has its place in the table.
    Malformed,
}

/// The pseudo-header fields there are (RFC 9113 §8.3, RFC 8441 §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Pseudo {
    Method,
    Scheme,
    Authority,
    Path,
    Protocol,
    Status,
}

/// The name of a field whose value is to come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Name {
    Regular(HeaderName),
    Pseudo(Pseudo),
    Malformed,
}

impl Name {
    /// A name in small letters (RFC 9113 §8.2.1).
    pub(super) fn read(octets: &[u8]) -> Self {
        if octets.first() != Some(&b':') {
            return HeaderName::from_lowercase(octets).map_or(Self::Malformed, Self::Regular);
        }
        Self::Pseudo(match octets {
            b":method" => Pseudo::Method,
            b":scheme" => Pseudo::Scheme,
            b":authority" => Pseudo::Authority,
            b":path" => Pseudo::Path,
            b":protocol" => Pseudo::Protocol,
            b":status" => Pseudo::Status,
            _ => return Self::Malformed,
        })
    }

    /// The field with this value, which may not begin or end with white space (RFC 9113 §8.2.1).
    pub(super) fn with(self, value: &[u8]) -> Field {
        let is_padded = |octet: Option<&u8>| matches!(octet, Some(b' ' | b'\t'));
        match self {
            Self::Regular(_) if is_padded(value.first()) || is_padded(value.last()) => Field::Malformed,
            Self::Regular(name) => {
                HeaderValue::from_bytes(value).map_or(Field::Malformed, |value| Field::Regular(name, value))
            }
            Self::Pseudo(pseudo) => Field::Pseudo(pseudo, Bytes::copy_from_slice(value)),
            Self::Malformed => Field::Malformed,
        }
    }
}

impl Field {
    /// Its name alone.
    pub(super) fn name(&self) -> Name {
        match self {
            Self::Regular(name, _) => Name::Regular(name.clone()),
            Self::Pseudo(pseudo, _) => Name::Pseudo(*pseudo),
            Self::Malformed => Name::Malformed,
        }
    }
}
