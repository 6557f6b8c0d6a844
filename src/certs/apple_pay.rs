//! How a certificate of Apple Pay is known, and what it is for.
//!
//! Both kinds name their merchant twice: in the subject, and as a digest in an extension that Apple's guide to payment tokens calls the
//! merchant identifier field. No certificate of a server has that one.

use x509_parser::certificate::X509Certificate;
use x509_parser::oid_registry::Oid;
use x509_parser::x509::X509Name;

use super::flaw::Flaw;

/// What Apple Pay's certificates are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApplePayPurpose {
    /// The shop shows with it at Apple which merchant it is (Apple Pay on the web).
    MerchantIdentity,
    /// What customers pay with is encrypted for it.
    PaymentProcessing,
}

impl ApplePayPurpose {
    /// Its name, stable, for programs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::MerchantIdentity => "merchant-identity",
            Self::PaymentProcessing => "payment-processing",
        }
    }
}

/// What makes a certificate one of Apple Pay's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ApplePay {
    pub(super) purpose: ApplePayPurpose,
    /// The identifier of the merchant; empty when the subject has none.
    pub(super) merchant: Box<str>,
}

/// What Apple says in a certificate; `None`: it is none of Apple Pay's.
pub(super) fn apple_pay(parsed: &X509Certificate<'_>) -> Option<ApplePay> {
    let has = |wanted: &[u64]| parsed.extensions().iter().any(|extension| is(&extension.oid, wanted));
    if parsed.is_ca() || !has(MERCHANT_IDENTIFIER) {
        return None;
    }
    // One is for handshakes with Apple as a client; the other has a use of the key, and no extended one.
    let is_for_clients = matches!(parsed.extended_key_usage(), Ok(Some(usage)) if usage.value.client_auth);
    let purpose = match has(MERCHANT_IDENTITY) || is_for_clients {
        true => ApplePayPurpose::MerchantIdentity,
        false => ApplePayPurpose::PaymentProcessing,
    };
    Some(ApplePay { purpose, merchant: merchant(parsed.subject()) })
}

/// Why it serves nobody, and where it belongs.
pub(super) fn not_for_servers(apple: &ApplePay) -> Flaw {
    let ApplePay { purpose, merchant } = apple;
    let merchant: String = merchant.chars().filter(|letter| !letter.is_control()).take(100).collect();
    Flaw::new(
        "not-for-servers",
        format!("it is the {} certificate of {merchant:?} for Apple Pay, and no server's", purpose.word()),
        "it completes the request of vitrine's that it was issued for; any other is kept with: vitrine objects add FILE --type \
         apple-pay-certificate",
    )
}

/// The merchant's identifier: the subject's UID; in older ones it stands behind the colon of the common name too.
fn merchant(subject: &X509Name<'_>) -> Box<str> {
    let uid = subject.iter_attributes().find(|attribute| is(attribute.attr_type(), UID));
    let named = uid.or_else(|| subject.iter_common_name().next()).and_then(|attribute| attribute.as_str().ok());
    let named = named.unwrap_or_default();
    named.rsplit_once(':').map_or(named, |(_, behind)| behind).trim().into()
}

fn is(oid: &Oid<'_>, wanted: &[u64]) -> bool {
    oid.iter().is_some_and(|numbers| numbers.eq(wanted.iter().copied()))
}

/// The digest of the merchant's identifier; in both kinds (Apple's payment token format reference).
const MERCHANT_IDENTIFIER: &[u64] = &[1, 2, 840, 113_635, 100, 6, 32];
/// In those of a merchant's identity, without a value.
const MERCHANT_IDENTITY: &[u64] = &[1, 2, 840, 113_635, 100, 6, 46];
/// RFC 4519 §2.39.
const UID: &[u64] = &[0, 9, 2342, 19_200_300, 100, 1, 1];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certs::certificate::Certificate;
    use crate::certs::testing::{AppleLeaf, apple_leaf};

    fn known(leaf: &AppleLeaf<'_>) -> Option<(ApplePayPurpose, String)> {
        let certificate = Certificate::read(apple_leaf(leaf)).expect("a certificate");
        certificate.apple_pay.map(|apple| (apple.purpose, apple.merchant.into()))
    }

    #[test]
    fn apples_certificates_are_known_by_their_extensions_and_their_use() {
        use ApplePayPurpose::{MerchantIdentity, PaymentProcessing};
        let leaf = AppleLeaf { cn: "Apple Pay: merchant.shop", ..AppleLeaf::default() };
        let one = |purpose| Some((purpose, "merchant.shop".to_owned()));
        for (numbers, is_for_clients, expected) in [
            (&[32][..], false, one(PaymentProcessing)),
            (&[32], true, one(MerchantIdentity)),
            (&[32, 46], true, one(MerchantIdentity)),
            (&[32, 46], false, one(MerchantIdentity)),
            // What signs payment tokens is Apple's own.
            (&[29], false, None),
            (&[46], true, None),
            (&[], true, None),
        ] {
            assert_eq!(known(&AppleLeaf { numbers, is_for_clients, ..leaf }), expected, "{numbers:?} {is_for_clients}");
        }
    }

    #[test]
    fn the_merchant_is_in_the_subject() {
        for (cn, merchant) in [
            ("Apple Pay Merchant Identity:merchant.com.shop", "merchant.com.shop"),
            ("Merchant ID: merchant.com.shop", "merchant.com.shop"),
            ("merchant.com.shop", "merchant.com.shop"),
            ("", ""),
        ] {
            let found = known(&AppleLeaf { cn, numbers: &[32], ..AppleLeaf::default() }).expect("one of Apple Pay's");
            assert_eq!(found.1, merchant, "{cn}");
        }
        let uid =
            AppleLeaf { cn: "Merchant ID: other", uid: "merchant.com.shop", numbers: &[32], ..AppleLeaf::default() };
        assert_eq!(known(&uid).expect("one of Apple Pay's").1, "merchant.com.shop");
    }

    #[test]
    fn none_serves_whatever_names_it_has() {
        let leaf = AppleLeaf { cn: "merchant.shop", numbers: &[32], names: &["shop.example"], ..AppleLeaf::default() };
        let flaw = Certificate::read(apple_leaf(&leaf)).expect("a certificate").names.expect_err("no server's");
        assert_eq!(flaw.code, "not-for-servers");
        assert!(flaw.mend.ends_with("vitrine objects add FILE --type apple-pay-certificate"), "{flaw}");
    }
}
