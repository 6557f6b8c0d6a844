//! Host names: one normal form for SNI, `Host`, `:authority`, the configuration and file names.
//!
//! The normal form is lower case, A-labels, without a trailing dot (RFC 5890, RFC 6066 §3, RFC 9110 §4.2.3). Two places that
//! normalise differently are a way around a policy, so nothing else in the house compares host names.

use std::fmt;

/// A host name in normal form: `shop.example`, `xn--bcher-kva.example`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostName(Box<str>);

impl HostName {
    /// Reads a name as an operator writes it: any case, U-labels or A-labels, with or without the trailing dot.
    ///
    /// # Errors
    /// [`NameError`] when it is no DNS host name; IP addresses are not.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let wrong = |reason| NameError { name: text.into(), reason };
        let text = text.trim();
        if text.is_empty() {
            return Err(wrong("it is empty"));
        }
        if text.parse::<std::net::IpAddr>().is_ok() || text.starts_with('[') {
            return Err(wrong("it is an IP address, and a host name is expected"));
        }
        let ascii = idna::domain_to_ascii(text).map_err(|_| wrong("it is not a valid international domain name"))?;
        let mut buffer = NameBuffer::new();
        match buffer.normalise(&ascii) {
            Some(name) => Ok(Self(name.into())),
            None => {
                Err(wrong("a host name has labels of 1 to 63 letters, digits, '-' or '_', and 253 characters at most"))
            }
        }
    }

    /// The name in normal form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a certificate or a site answers for: one name, or every name one label below another (RFC 6125 §6.4.3).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HostPattern {
    /// `shop.example`
    Exact(HostName),
    /// `*.shop.example`, held as `shop.example`; covers `a.shop.example`, neither `shop.example` nor `a.b.shop.example`.
    Wildcard(HostName),
}

impl HostPattern {
    /// Whether every name that it answers for ends with the labels of `suffix`.
    #[must_use]
    pub fn is_under(&self, suffix: &HostName) -> bool {
        let (Self::Exact(name) | Self::Wildcard(name)) = self;
        let rest = name.as_str().strip_suffix(suffix.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }

    /// Reads a name or a wildcard. The `*` must be the whole leftmost label, and at least two labels must follow it.
    ///
    /// # Errors
    /// [`NameError`] when it is neither.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let trimmed = text.trim();
        let Some(rest) = trimmed.strip_prefix("*.") else {
            if trimmed.contains('*') {
                return Err(NameError { name: text.into(), reason: "a '*' may only be the whole leftmost label" });
            }
            return HostName::parse(text).map(Self::Exact);
        };
        if rest.contains('*') {
            return Err(NameError { name: text.into(), reason: "a '*' may only be the whole leftmost label" });
        }
        let base = HostName::parse(rest).map_err(|error| NameError { name: text.into(), reason: error.reason })?;
        if !base.as_str().contains('.') {
            return Err(NameError { name: text.into(), reason: "a wildcard needs at least two labels behind the '*'" });
        }
        Ok(Self::Wildcard(base))
    }

    /// Whether the pattern answers for `name`, which is in normal form.
    #[must_use]
    pub fn covers(&self, name: &str) -> bool {
        match self {
            Self::Exact(exact) => exact.as_str() == name,
            Self::Wildcard(base) => parent(name) == Some(base.as_str()),
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(name) => name.fmt(f),
            Self::Wildcard(base) => write!(f, "*.{base}"),
        }
    }
}

/// A text that is no host name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameError {
    name: String,
    reason: &'static str,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not a host name: {}", self.name, self.reason)
    }
}

impl std::error::Error for NameError {}

/// What stands behind the first label: the base of the only wildcard that can cover `name`.
#[must_use]
pub fn parent(name: &str) -> Option<&str> {
    name.split_once('.').map(|(_, rest)| rest)
}

/// Room for one normal form on the stack, so that a request needs no allocation for its name.
pub struct NameBuffer([u8; MAX_LENGTH]);

impl NameBuffer {
    /// An empty buffer.
    #[must_use]
    pub const fn new() -> Self {
        Self([0; MAX_LENGTH])
    }

    /// The normal form of an ASCII name as a peer sent it; `None` when it is no host name. A name that already is in normal
    /// form, as nearly all are, is returned as it is.
    pub fn normalise<'a>(&'a mut self, raw: &'a str) -> Option<&'a str> {
        let name = raw.strip_suffix('.').unwrap_or(raw);
        if name.len() > MAX_LENGTH {
            return None;
        }
        let (mut label, mut upper, mut letters) = (0, false, false);
        for byte in name.bytes() {
            match byte {
                b'.' if label == 0 => return None,
                b'.' => {
                    label = 0;
                    letters = false;
                    continue;
                }
                b'a'..=b'z' | b'-' | b'_' => letters = true,
                b'A'..=b'Z' => (upper, letters) = (true, true),
                b'0'..=b'9' => {}
                _ => return None,
            }
            label += 1;
            if label > MAX_LABEL {
                return None;
            }
        }
        // A last label of digits alone is an address, never a name (RFC 3696 §2).
        if label == 0 || !letters {
            return None;
        }
        if !upper {
            return Some(name);
        }
        let lower = &mut self.0[..name.len()];
        lower.copy_from_slice(name.as_bytes());
        lower.make_ascii_lowercase();
        std::str::from_utf8(lower).ok()
    }
}

impl Default for NameBuffer {
    fn default() -> Self {
        Self::new()
    }
}

/// The longest name that fits DNS's 255 octets on the wire (RFC 1035 §2.3.4).
const MAX_LENGTH: usize = 253;
/// RFC 1035 §2.3.4.
const MAX_LABEL: usize = 63;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_spelling_of_a_name_is_one_name() {
        for spelling in ["shop.example", "SHOP.example", "Shop.Example.", " shop.example ", "shop.example."] {
            assert_eq!(HostName::parse(spelling).map(|name| name.to_string()), Ok("shop.example".into()), "{spelling}");
        }
        for spelling in ["bücher.example", "BÜCHER.example", "xn--bcher-kva.example"] {
            assert_eq!(
                HostName::parse(spelling).map(|name| name.to_string()),
                Ok("xn--bcher-kva.example".into()),
                "{spelling}"
            );
        }
    }

    #[test]
    fn what_is_no_host_name_is_refused() {
        let long = format!("{}.example", "a".repeat(64));
        let total = ["a".repeat(60).as_str(); 5].join(".");
        for text in ["", ".", "a..b", "10.0.0.1", "::1", "[::1]", "a b", "a,b", "a/b", "a\0b", "1.2.3", &long, &total] {
            assert!(HostName::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_wildcard_covers_one_label() {
        let wildcard = HostPattern::parse("*.Shop.example.").expect("a wildcard");
        assert!(wildcard.covers("a.shop.example"));
        assert!(!wildcard.covers("shop.example"));
        assert!(!wildcard.covers("a.b.shop.example"));
        assert!(!wildcard.covers("ashop.example"));
        assert_eq!(wildcard.to_string(), "*.shop.example");
    }

    #[test]
    fn a_star_anywhere_else_is_refused() {
        for text in ["*", "*.", "*.example", "a.*.example", "*a.shop.example", "*.*.shop.example"] {
            assert!(HostPattern::parse(text).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn normalising_twice_changes_nothing(raw in "[a-zA-Z0-9_.-]{0,80}") {
            let (mut first, mut second) = (NameBuffer::new(), NameBuffer::new());
            if let Some(once) = first.normalise(&raw) {
                prop_assert_eq!(second.normalise(once), Some(once));
                prop_assert!(!once.bytes().any(|byte| byte.is_ascii_uppercase()));
                prop_assert!(!once.ends_with('.'));
            }
        }

        #[test]
        fn the_hot_path_and_the_operator_agree(raw in "[a-zA-Z0-9_.-]{1,60}") {
            let mut buffer = NameBuffer::new();
            if let (Some(hot), Ok(cold)) = (buffer.normalise(&raw), HostName::parse(&raw)) {
                prop_assert_eq!(hot, cold.as_str());
            }
        }

        #[test]
        fn no_text_makes_the_parsers_panic(raw in "\\PC{0,300}") {
            let _ = HostName::parse(&raw);
            let _ = HostPattern::parse(&raw);
            let _ = NameBuffer::new().normalise(&raw);
        }
    }
}
