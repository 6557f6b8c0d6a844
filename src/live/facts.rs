//! What is told of a certificate in lists and gauges.

use std::path::Path;
use std::sync::Arc;

/// A certificate in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertFacts {
    /// SHA-256 over the leaf's DER, lower-case hexadecimal.
    pub fingerprint: Box<str>,
    /// Common name of the subject; empty when it has none.
    pub subject_cn: Box<str>,
    /// Common name of the issuer; empty when it has none.
    pub issuer_cn: Box<str>,
    /// Organisation of the issuer; empty when it has none.
    pub issuer_o: Box<str>,
    /// Serial number, lower-case hexadecimal without separators, as openssl has it.
    pub serial: Box<str>,
    /// Start of validity, seconds since the Unix epoch.
    pub not_before: i64,
    /// End of validity, seconds since the Unix epoch.
    pub not_after: i64,
    /// How clients take it.
    pub traits: CertTraits,
    /// The file the leaf certificate was read from.
    pub file: Arc<Path>,
    /// Whether the key was read from that same file.
    pub embedded_key: bool,
    /// Whether the certificate of the authority that issued it came with it: clients can build the chain.
    pub vouched: bool,
    /// Whether its chain leads to a root that clients trust.
    pub trusted: bool,
    /// Withdrawn by the operator and serving only until its grace ends.
    pub in_grace: bool,
    /// Its files went with so many others that the operator must say whether that was meant.
    pub held: bool,
    /// Its authority took it back.
    pub revoked: bool,
    /// The edge made it so that a site has something to show before its first certificate is issued.
    pub stand_in: bool,
}

/// What of a certificate decides how clients take it, besides its names, its key and its validity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CertTraits {
    /// Issued by itself: no authority stands behind it.
    pub self_signed: bool,
    /// May issue others, which a server's certificate is not meant for (RFC 5280 §4.2.1.9).
    pub is_ca: bool,
    /// Signed with SHA-1 or MD5, or in its chain one is.
    pub weak_signature: bool,
    /// In its chain is an authority with an RSA key of less than 2048 bits.
    pub weak_authority: bool,
    /// Asks for a stapled OCSP response in each handshake (RFC 7633).
    pub must_staple: bool,
    /// What its authority checked; `None` when the certificate does not say.
    pub level: Option<ValidationLevel>,
}

/// What an authority checked before it issued, by the policies of the CA/Browser Forum (Baseline Requirements §7.1.6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ValidationLevel {
    /// Control of the names.
    Domain,
    /// A person behind them.
    Individual,
    /// An organisation behind them.
    Organisation,
    /// An organisation, thoroughly.
    Extended,
}

impl ValidationLevel {
    /// The label lists use: `dv`, `iv`, `ov` or `ev`.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Domain => "dv",
            Self::Individual => "iv",
            Self::Organisation => "ov",
            Self::Extended => "ev",
        }
    }
}
