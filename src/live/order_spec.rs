//! How a managed site's certificates are ordered, in plain values.

/// What a site says of the certificates that are ordered for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderSpec {
    /// For which types of key; each has its own certificate. Never empty.
    pub key_types: Vec<OrderedKey>,
    /// Whether a renewal keeps the key.
    pub reuse_key: bool,
    /// What clients get before the first certificate is there.
    pub before_issue: BeforeIssue,
}

impl Default for OrderSpec {
    fn default() -> Self {
        Self { key_types: vec![OrderedKey::default()], reuse_key: false, before_issue: BeforeIssue::default() }
    }
}

/// A type of key that certificates are ordered for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OrderedKey {
    /// ECDSA on P-256: what clients of the last ten years prefer, and the cheapest handshake.
    #[default]
    Ecdsa,
    /// RSA of 2048 bits, for clients that know nothing else.
    Rsa,
}

impl OrderedKey {
    /// All that there are.
    pub const ALL: [Self; 2] = [Self::Ecdsa, Self::Rsa];

    /// The word for it, as lists of certificates have it too.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ecdsa => "ecdsa",
            Self::Rsa => "rsa",
        }
    }
}

/// What a managed site's clients get that has no certificate yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BeforeIssue {
    /// No handshake, as for a name that nobody knows.
    #[default]
    Refuse,
    /// A certificate that the edge made itself, which only those accept who look twice.
    SelfSigned,
}

impl BeforeIssue {
    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::SelfSigned => "self-signed",
        }
    }
}
