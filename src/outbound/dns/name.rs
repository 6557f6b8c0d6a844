//! Names as the DNS has them: more than host names, and compared without regard to case.

use std::fmt;

use hickory_proto::rr::Name;

/// A name in the DNS, complete up to the root.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DnsName(Name);

/// A text that is no name in the DNS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoDnsName(String);

impl DnsName {
    /// Reads a name as operators write it, with or without the dot at its end. A host name always is one.
    ///
    /// # Errors
    /// When it is longer than 255 octets, a label is longer than 63 or empty, or it has letters beyond ASCII.
    pub fn parse(text: &str) -> Result<Self, NoDnsName> {
        let wrong = || NoDnsName(text.chars().take(LONGEST_SHOWN).collect());
        if text.is_empty() || text.contains('\\') || !text.bytes().all(|octet| octet.is_ascii_graphic()) {
            return Err(wrong());
        }
        let labels = text.strip_suffix('.').unwrap_or(text);
        let labels = labels.split('.').filter(|_| text != ".").map(str::as_bytes);
        Name::from_labels(labels).map(Self::of).map_err(|_| wrong())
    }

    /// The name with a label before it.
    ///
    /// # Errors
    /// When that is no name any more.
    pub fn below(&self, label: &str) -> Result<Self, NoDnsName> {
        let name = self.0.prepend_label(label.as_bytes());
        name.map(Self::of).map_err(|_| NoDnsName(format!("{label}.{self}").chars().take(LONGEST_SHOWN).collect()))
    }

    /// The name without its first label; `None` at the root.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        (!self.0.is_root()).then(|| Self::of(self.0.base_name()))
    }

    /// Whether `other` is this name or ends with it.
    #[must_use]
    pub fn holds(&self, other: &Self) -> bool {
        self.0.zone_of(&other.0)
    }

    pub(super) fn of(name: Name) -> Self {
        let mut name = name.to_lowercase();
        name.set_fqdn(true);
        Self(name)
    }

    pub(super) const fn name(&self) -> &Name {
        &self.0
    }
}

impl fmt::Display for DnsName {
    /// Without the dot at its end, but for the root; octets that are no letters as zone files have them (RFC 1035 §5.1).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_root() {
            return f.write_str(".");
        }
        for (place, label) in self.0.iter().enumerate() {
            if place > 0 {
                f.write_str(".")?;
            }
            for &octet in label {
                match octet {
                    b'.' | b'\\' => write!(f, "\\{}", char::from(octet))?,
                    0x21..=0x7e => write!(f, "{}", char::from(octet))?,
                    other => write!(f, "\\{other:03}")?,
                }
            }
        }
        Ok(())
    }
}

impl fmt::Debug for DnsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

impl fmt::Display for NoDnsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no name in the DNS: labels have 1 to 63 letters, all together 255 at most", self.0)
    }
}

impl std::error::Error for NoDnsName {}

const LONGEST_SHOWN: usize = 300;
