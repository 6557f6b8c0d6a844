//! The way from a leaf to a root, judged by the library that judges it for clients written with rustls: signatures, validity, who
//! may issue what, names that an authority is limited to, and uses.

use std::slice;
use std::time::Duration;

use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, TrustAnchor, UnixTime};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use super::certificate::Certificate;

/// A certificate that is believed: a root, or an authority that was found to come from one.
pub(super) struct Anchor(TrustAnchor<'static>);

impl Anchor {
    /// `None` when the library cannot read it.
    pub(super) fn of(certificate: &Certificate) -> Option<Self> {
        anchor_from_trusted_cert(&CertificateDer::from(&*certificate.der)).ok().map(|anchor| Self(anchor.to_owned()))
    }

    /// Whether it limits the names of all that it stands behind.
    fn limits_names(&self) -> bool {
        self.0.name_constraints.is_some()
    }

    /// Whether a server may show `leaf`, which this one issued itself, at `now`, seconds since the Unix epoch.
    pub(super) fn has_issued(&self, leaf: &Certificate, now: i64) -> bool {
        let der = CertificateDer::from(&*leaf.der);
        let Ok(end) = EndEntityCert::try_from(&der) else { return false };
        let anchors = slice::from_ref(&self.0);
        let usage = KeyUsage::server_auth();
        end.verify_for_usage(ALL_VERIFICATION_ALGS, anchors, &[], moment(now), usage, None, None).is_ok()
    }
}

/// A way that was found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Whether whatever else the first authority issues has the same way: nobody above it limits names.
    pub(super) is_for_all: bool,
}

/// Looks for the way that a client finds who trusts the `roots` and is sent the leaf and the `authorities`, at `now`, seconds since
/// the Unix epoch.
pub(super) fn find(leaf: &Certificate, authorities: &[&Certificate], roots: &[&Anchor], now: i64) -> Option<Found> {
    let der = CertificateDer::from(&*leaf.der);
    let end = EndEntityCert::try_from(&der).ok()?;
    let sent: Vec<CertificateDer<'_>> = authorities.iter().map(|authority| (*authority.der).into()).collect();
    let anchors: Vec<TrustAnchor<'_>> = roots.iter().map(|root| root.0.clone()).collect();
    let usage = KeyUsage::server_auth();
    let way = end.verify_for_usage(ALL_VERIFICATION_ALGS, &anchors, &sent, moment(now), usage, None, None).ok()?;
    let used: Vec<CertificateDer<'_>> = way.intermediate_certificates().map(|authority| authority.der()).collect();
    let is_first = |der: &CertificateDer<'_>| authorities.first().is_some_and(|first| *first.der == **der);
    let limits = |der: &CertificateDer<'_>| {
        authorities.iter().any(|authority| *authority.der == **der && authority.limits_names)
    };
    let (Some(first), above) = (used.first(), used.iter().skip(1)) else { return Some(Found { is_for_all: false }) };
    let is_limited = roots.iter().any(|root| root.limits_names()) || above.into_iter().any(limits);
    Some(Found { is_for_all: is_first(first) && !is_limited })
}

/// Whether the key in the certificate `issuer` made this signature over `message`, in the way whose object identifier's octets are
/// `algorithm`.
pub(super) fn has_signed(issuer: &[u8], algorithm: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let issuer = CertificateDer::from(issuer);
    let Ok(issuer) = EndEntityCert::try_from(&issuer) else { return false };
    // An AlgorithmIdentifier's content begins with its object identifier (RFC 5280 §4.1.1.2).
    let is_meant = |known: &&&dyn SignatureVerificationAlgorithm| {
        known.signature_alg_id().get(2..).is_some_and(|content| content.starts_with(algorithm))
    };
    let mut meant = ALL_VERIFICATION_ALGS.iter().filter(is_meant);
    meant.any(|known| issuer.verify_signature(*known, message, signature).is_ok())
}

fn moment(unix: i64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(unix).unwrap_or(0)))
}
