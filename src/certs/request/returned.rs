//! What an authority sends back: read in any form it comes in, and held against the key that it was asked for.

use std::sync::Arc;

use super::record::Request;
use crate::certs::certificate::Certificate;
use crate::certs::flaw::Flaw;
use crate::certs::known::Known;
use crate::certs::ledger::some_of;
use crate::certs::parts::Parts;
use crate::certs::password::Password;

/// The certificate for a request, with whatever came along for its chain.
pub struct Returned {
    pub(in crate::certs) leaf: Arc<Certificate>,
    pub(in crate::certs) issuers: Vec<Arc<Certificate>>,
}

impl Returned {
    /// Reads PEM, DER or PKCS#7 in one file or several, and finds the certificate for the request's key; of several, the newest.
    ///
    /// # Errors
    /// [`Flaw`] when there is none. Whoever gets it changes nothing: the right one may still come.
    pub fn read(files: &[&[u8]], request: &Request) -> Result<Self, Flaw> {
        Self::for_key(files, &request.key_id())
    }

    /// The same for a key by its identifier.
    ///
    /// # Errors
    /// As with [`Returned::read`].
    pub fn for_key(files: &[&[u8]], key: &[u8; 32]) -> Result<Self, Flaw> {
        let (known, mut certificates) = (Known::default(), Vec::new());
        for file in files {
            let parts = Parts::read(file, &Password::Absent, &known)?;
            if !parts.keys.is_empty() {
                return Err(holds_key());
            }
            certificates.extend(parts.certificates);
        }
        let (ours, others): (Vec<_>, Vec<_>) = certificates.into_iter().partition(|one| one.key.id == *key);
        let newest = ours.into_iter().max_by_key(|one| (one.not_before, one.not_after, one.fingerprint));
        match newest {
            Some(leaf) => Ok(Self { leaf, issuers: others }),
            None => Err(for_another_key(&others)),
        }
    }

    /// When it is over, seconds since the Unix epoch.
    #[must_use]
    pub fn not_after(&self) -> i64 {
        self.leaf.not_after
    }
}

fn holds_key() -> Flaw {
    Flaw::new(
        "holds-key",
        "there is a private key in it, and the certificate alone is expected: the request's key is here already",
        "send the certificate and its chain without a key; a certificate with a key of its own is not for this request",
    )
}

fn for_another_key(found: &[Arc<Certificate>]) -> Flaw {
    let found: Vec<String> = found
        .iter()
        .map(|certificate| {
            let shown = |text: &str| text.chars().filter(|c| !c.is_control()).take(100).collect::<String>();
            format!("{:?} by {:?}", shown(&certificate.subject_cn), shown(&certificate.issuer_cn))
        })
        .collect();
    Flaw::new(
        "key-mismatch",
        format!("no certificate in it is for the key of this request; there is {}", some_of(&found)),
        "have one issued for this very request; until then it stays as it is, with its key",
    )
}
