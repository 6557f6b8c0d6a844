//! A request over its life: what lies in `state/requests/<id>/meta.json`, and what follows from it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::details::{Details, Draft};
use super::form::Mistakes;
use super::order::{Order, OrderDraft};
use crate::certs::certificate::hexadecimal;
use crate::certs::parts::Parts;
use crate::certs::serial::in_decimal;
use crate::store::Revision;

/// A request whose key is here.
#[derive(Clone)]
pub struct Request {
    /// Its folder's name.
    pub id: Box<str>,
    /// What it asks for.
    pub details: Details,
    /// What the authority gets, PEM.
    pub pem: Arc<str>,
    /// When it was made, seconds since the Unix epoch.
    pub created: i64,
    /// The request that it renews with another key.
    pub renews: Option<Box<str>>,
    /// Since when another certificate for the same key is awaited, seconds since the Unix epoch.
    pub renewing_since: Option<i64>,
    /// What was noted down of the order.
    pub order: Order,
    /// The certificates that came for it, the newest last.
    pub answers: Vec<ReceivedCertificate>,
    /// That of its `meta.json`.
    pub revision: Revision,
    pub(super) key: Arc<Parts>,
}

/// A certificate that came for a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceivedCertificate {
    /// SHA-256 over its DER, lower-case hexadecimal.
    pub fingerprint: Box<str>,
    /// When it came, seconds since the Unix epoch.
    pub received: i64,
    /// By which way: a file of the drop folder, or `upload`.
    pub from: Box<str>,
    /// Common name of its subject.
    pub subject: Box<str>,
    /// Common name of its issuer.
    pub issuer: Box<str>,
    /// Organisation of its issuer; empty when it has none.
    #[serde(default)]
    pub issuer_organisation: Box<str>,
    /// Lower-case hexadecimal.
    pub serial: Box<str>,
    /// Start of its validity, seconds since the Unix epoch.
    pub not_before: i64,
    /// End of its validity, seconds since the Unix epoch.
    pub not_after: i64,
    /// What the provider called the order that it came of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order_number: Option<Box<str>>,
    /// Itself and its issuers, PEM, where nobody else keeps it: it is not for the edge to serve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain: Option<Box<str>>,
}

/// Where in its life a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RequestStatus {
    /// No certificate has come for it.
    Pending,
    /// One has.
    Completed,
    /// One has, and another is awaited, for the same key or for a newer one.
    Renewing,
    /// One has, and so has one for the request that renews it.
    Replaced,
}

/// A request among the others.
#[derive(Clone)]
pub struct ListedRequest {
    /// Itself.
    pub request: Arc<Request>,
    /// Where in its life it is.
    pub status: RequestStatus,
    /// The newest request that renews it with another key.
    pub renewed_by: Option<Box<str>>,
}

/// The file.
#[derive(Serialize, Deserialize)]
struct Meta {
    request: Draft,
    public_key: String,
    created: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    renews: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    renewing_since: Option<i64>,
    #[serde(default)]
    order: OrderDraft,
    #[serde(default)]
    answers: Vec<ReceivedCertificate>,
}

impl ReceivedCertificate {
    /// Its serial number in decimal, as dashboards have it.
    #[must_use]
    pub fn serial_decimal(&self) -> String {
        in_decimal(&self.serial)
    }
}

impl Request {
    /// Reads what lies in its folder.
    pub(super) fn read(id: &str, meta: &[u8], pem: &[u8], key: Parts) -> Result<Self, Unreadable> {
        let revision = Revision::of(meta);
        let meta: Meta = serde_json::from_slice(meta).map_err(|error| Unreadable(format!("meta.json: {error}")))?;
        let wrong = |mistakes: Mistakes| Unreadable(format!("meta.json: {mistakes}"));
        let [only] = &key.keys[..] else { return Err(Unreadable("key.pem holds not one private key".into())) };
        if hexadecimal(&only.public.id) != meta.public_key {
            return Err(Unreadable("key.pem holds another key than the request was made with".into()));
        }
        let pem = str::from_utf8(pem).map_err(|_| Unreadable("request.pem is no text".into()))?;
        Ok(Self {
            id: id.into(),
            details: meta.request.read().map_err(wrong)?,
            pem: pem.into(),
            created: meta.created,
            renews: meta.renews,
            renewing_since: meta.renewing_since,
            order: meta.order.read().map_err(wrong)?,
            answers: meta.answers,
            revision,
            key: Arc::new(key),
        })
    }

    /// What its `meta.json` says.
    pub(super) fn meta(&self) -> Vec<u8> {
        let meta = Meta {
            request: self.details.draft(),
            public_key: hexadecimal(&self.key_id()),
            created: self.created,
            renews: self.renews.clone(),
            renewing_since: self.renewing_since,
            order: self.order.draft(),
            answers: self.answers.clone(),
        };
        // Strings, numbers and lists of them: nothing that JSON cannot hold.
        let mut text = serde_json::to_vec_pretty(&meta).unwrap_or_default();
        text.push(b'\n');
        text
    }

    /// By what certificates find its key.
    #[must_use]
    pub fn key_id(&self) -> [u8; 32] {
        self.key.keys.first().map_or([0; 32], |key| key.public.id)
    }

    /// The newest certificate that came for it.
    #[must_use]
    pub fn answer(&self) -> Option<&ReceivedCertificate> {
        self.answers.last()
    }
}

impl RequestStatus {
    /// That of a request, of which is known how many renew it, and how many of these have a certificate.
    pub(super) fn of(request: &Request, renewals: usize, completed: usize) -> Self {
        match () {
            () if request.answers.is_empty() => Self::Pending,
            () if renewals > completed => Self::Renewing,
            () if completed > 0 => Self::Replaced,
            () if request.renewing_since.is_some() => Self::Renewing,
            () => Self::Completed,
        }
    }

    /// The word for lists.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Completed => "completed",
            Self::Renewing => "renewing",
            Self::Replaced => "replaced",
        }
    }
}

/// What is wrong with a request's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unreadable(pub(super) String);
