//! What a certificate is requested for, and with what kind of key.

use std::fmt;

use serde::{Serialize, Serializer};

/// What a certificate is requested for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RequestKind {
    /// To be served under its names.
    #[default]
    Server,
    /// To say at Apple which merchant a shop is (Apple Pay on the web).
    AppleMerchantIdentity,
    /// To read what customers pay with (Apple Pay).
    ApplePaymentProcessing,
}

/// The kind of a new key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyAlgorithm {
    /// ECDSA on P-256: what every client knows, and the cheapest to sign with.
    #[default]
    EcdsaP256,
    /// ECDSA on P-384.
    EcdsaP384,
    /// RSA of 2048 bits.
    Rsa2048,
    /// RSA of 3072 bits.
    Rsa3072,
    /// RSA of 4096 bits.
    Rsa4096,
}

impl RequestKind {
    /// Every kind there is.
    pub const ALL: [Self; 3] = [Self::Server, Self::AppleMerchantIdentity, Self::ApplePaymentProcessing];

    /// Its name in files and in the API.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::AppleMerchantIdentity => "apple-merchant-identity",
            Self::ApplePaymentProcessing => "apple-payment-processing",
        }
    }

    /// Reads its name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.label() == text)
    }

    /// Whether the certificate is for the edge's own handshakes. All others are kept, told of, and never offered by SNI.
    #[must_use]
    pub const fn is_served(self) -> bool {
        matches!(self, Self::Server)
    }

    /// The only kind of key that the authority takes; `None` where there is a choice.
    #[must_use]
    pub const fn required_key(self) -> Option<KeyAlgorithm> {
        match self {
            Self::Server => None,
            Self::AppleMerchantIdentity => Some(KeyAlgorithm::Rsa2048),
            Self::ApplePaymentProcessing => Some(KeyAlgorithm::EcdsaP256),
        }
    }
}

impl KeyAlgorithm {
    /// Every kind there is.
    pub const ALL: [Self; 5] = [Self::EcdsaP256, Self::EcdsaP384, Self::Rsa2048, Self::Rsa3072, Self::Rsa4096];

    /// Its name in files and in the API.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::EcdsaP256 => "ecdsa-p256",
            Self::EcdsaP384 => "ecdsa-p384",
            Self::Rsa2048 => "rsa-2048",
            Self::Rsa3072 => "rsa-3072",
            Self::Rsa4096 => "rsa-4096",
        }
    }

    /// Reads its name, also without hyphens and in capitals: `P-256`, `RSA2048`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let plain = |text: &str| text.chars().filter(|c| *c != '-').map(|c| c.to_ascii_lowercase()).collect::<String>();
        let wanted = plain(text.trim());
        Self::ALL.into_iter().find(|key| {
            let own = plain(key.label());
            own == wanted || own.strip_prefix("ecdsa") == Some(&*wanted)
        })
    }
}

impl fmt::Display for RequestKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

impl Serialize for RequestKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.label())
    }
}

impl Serialize for KeyAlgorithm {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.label())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        assert_eq!(RequestKind::ALL.map(|kind| RequestKind::parse(kind.label())), RequestKind::ALL.map(Some));
        assert_eq!(KeyAlgorithm::ALL.map(|key| KeyAlgorithm::parse(key.label())), KeyAlgorithm::ALL.map(Some));
        for spelling in ["P-256", "p256", "ECDSA-P256", " ecdsap256 "] {
            assert_eq!(KeyAlgorithm::parse(spelling), Some(KeyAlgorithm::EcdsaP256), "{spelling}");
        }
        for other in ["", "ecdsa", "rsa", "rsa1024", "p521", "256"] {
            assert_eq!(KeyAlgorithm::parse(other), None, "{other}");
        }
    }
}
