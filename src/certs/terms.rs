//! What the operator asks of certificates, as plain values: replaced whole when the configuration is read again.

use super::roots::Roots;

/// By what certificates are judged and ranked.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// Where a chain must lead to be trusted.
    pub roots: Roots,
}
