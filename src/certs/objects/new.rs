//! An object that is to be kept.

use std::sync::Arc;

use super::{ApplePayCertificate, ObjectKind};

/// What is to be kept.
#[derive(Clone, Debug)]
pub struct NewObject {
    /// Which object it is a version of; `None`: the one that is named like the first site, or like the merchant and the purpose.
    pub id: Option<String>,
    /// Itself.
    pub what: NewContent,
    /// Who brings it.
    pub by: String,
}

/// What is to be kept, by its kind.
#[derive(Clone, Debug)]
pub enum NewContent {
    /// What is to be shown.
    Proof {
        /// As it came.
        content: Vec<u8>,
        /// The names of the sites that are to show it.
        sites: Vec<String>,
        /// Until when; `None`: as long as the sites' certificates.
        expires: Option<i64>,
    },
    /// What is to be had and shown by nobody.
    Certificate(Arc<ApplePayCertificate>),
}

impl NewContent {
    pub(super) const fn kind(&self) -> ObjectKind {
        match self {
            Self::Proof { .. } => ObjectKind::ApplePayIdentityProof,
            Self::Certificate(_) => ObjectKind::ApplePayCertificate,
        }
    }

    /// What its object is called where nobody says otherwise.
    #[must_use]
    pub fn own_id(&self) -> Option<String> {
        match self {
            Self::Proof { sites, .. } => sites.first().cloned(),
            Self::Certificate(certificate) => certificate.id(),
        }
    }
}
