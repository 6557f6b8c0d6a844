//! A request for a certificate, and what came for it.

use serde::{Deserialize, Serialize};

use crate::certs::{Draft, OrderDraft};

/// A request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Request {
    pub(crate) id: String,
    /// `pending`, `completed`, `renewing` or `replaced`.
    pub(crate) status: String,
    /// What whoever made it is to do now.
    pub(crate) next: Option<String>,
    pub(crate) request: Draft,
    pub(crate) pem: String,
    pub(crate) created: String,
    /// The request that it renews, and the one that renews it.
    pub(crate) renews: Option<String>,
    pub(crate) renewed_by: Option<String>,
    pub(crate) renewing_since: Option<String>,
    pub(crate) order: OrderDraft,
    /// The oldest first.
    pub(crate) certificates: Vec<ReceivedCertificate>,
}

/// A certificate that came for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReceivedCertificate {
    pub(crate) fingerprint: String,
    pub(crate) received: String,
    pub(crate) from: String,
    pub(crate) subject: String,
    pub(crate) issuer: String,
    pub(crate) serial: String,
    pub(crate) not_before: String,
    pub(crate) not_after: String,
    /// `valid`, `expired` or `not_yet_valid`.
    pub(crate) state: String,
    pub(crate) order_number: Option<String>,
    pub(crate) chain: Option<String>,
}
