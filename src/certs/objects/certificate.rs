//! A certificate of Apple Pay's that was requested elsewhere: read in any form it comes in, kept as PEM with its issuers.

use std::sync::Arc;

use zeroize::Zeroizing;

use crate::certs::apple_pay::{ApplePay, ApplePayPurpose};
use crate::certs::certificate::{Certificate, hexadecimal};
use crate::certs::chain::Issuers;
use crate::certs::flaw::Flaw;
use crate::certs::folders::MAIN;
use crate::certs::formats::armour;
use crate::certs::known::Known;
use crate::certs::ledger::some_of;
use crate::certs::parts::Parts;
use crate::certs::password::Password;
use crate::certs::roots::Roots;
use crate::certs::serial::decimal;
use crate::certs::upload::for_senders;

/// What a certificate of Apple Pay's says, and itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplePayCertificate {
    /// What it is for.
    pub purpose: ApplePayPurpose,
    /// The identifier of the merchant; empty when its subject has none.
    pub merchant: Box<str>,
    /// SHA-256 over its DER, lower-case hexadecimal.
    pub fingerprint: Box<str>,
    /// Common name of its subject.
    pub subject: Box<str>,
    /// Common name of its issuer.
    pub issuer: Box<str>,
    /// Organisation of its issuer; empty when it has none.
    pub issuer_organisation: Box<str>,
    /// Lower-case hexadecimal.
    pub serial: Box<str>,
    /// The same in decimal.
    pub serial_decimal: Box<str>,
    /// Start of its validity, seconds since the Unix epoch.
    pub not_before: i64,
    /// End of its validity, seconds since the Unix epoch.
    pub not_after: i64,
    /// Itself, then its issuers up to the one below the root, PEM.
    pub chain: Box<str>,
    /// Whose key it certifies.
    pub(in crate::certs) key: [u8; 32],
}

/// A certificate out of a file, and what else there was in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadCertificate {
    /// What is to be kept.
    pub certificate: ApplePayCertificate,
    /// What came along and is not kept.
    pub left_over: Vec<Flaw>,
}

impl ApplePayCertificate {
    /// Reads PEM, DER, PKCS#7 or PKCS#12. `password` opens what is encrypted; that costs up to seconds, by design.
    ///
    /// # Errors
    /// [`Flaw`] when there is not one certificate of Apple Pay's in it.
    pub fn read(content: &[u8], password: Option<Zeroizing<String>>) -> Result<ReadCertificate, Flaw> {
        let password = password.map_or(Password::Absent, Password::Given);
        let Parts { certificates, keys, .. } =
            Parts::read(content, &password, &Known::default()).map_err(for_senders)?;
        let ours: Vec<_> = certificates.iter().filter_map(|one| Some((one, one.apple_pay.as_deref()?))).collect();
        let (leaf, apple) = match ours[..] {
            [] => return Err(not_apple_pay(&certificates)),
            [only] => only,
            [..] => return Err(several(&ours)),
        };
        let roots = Roots::default();
        let mut issuers = Issuers::default();
        issuers.remember(&certificates.iter().map(|one| (MAIN, Arc::clone(one))).collect::<Vec<_>>());
        let chain = issuers.trusting(&roots, 0).chain(leaf, &[]);
        let is_left_over = |one: &&Arc<Certificate>| {
            one.fingerprint != leaf.fingerprint
                && !one.is_self_issued()
                && !chain.iter().any(|issuer| issuer.fingerprint == one.fingerprint)
        };
        let strangers: Vec<_> = certificates.iter().filter(is_left_over).collect();
        let left_over = [(!keys.is_empty()).then(key_not_kept), (!strangers.is_empty()).then(|| strange(&strangers))];
        let certificate = Self::of(leaf, apple, &chain);
        Ok(ReadCertificate { certificate, left_over: left_over.into_iter().flatten().collect() })
    }

    fn of(leaf: &Arc<Certificate>, apple: &ApplePay, chain: &[Arc<Certificate>]) -> Self {
        let pem = |one: &Arc<Certificate>| armour("CERTIFICATE", &one.der).to_string();
        Self {
            purpose: apple.purpose,
            merchant: apple.merchant.clone(),
            fingerprint: hexadecimal(&leaf.fingerprint).into(),
            subject: leaf.subject_cn.clone(),
            issuer: leaf.issuer_cn.clone(),
            issuer_organisation: leaf.issuer_o.clone(),
            serial: hexadecimal(leaf.serial()).into(),
            serial_decimal: decimal(leaf.serial()).into(),
            not_before: leaf.not_before,
            not_after: leaf.not_after,
            chain: std::iter::once(leaf).chain(chain).map(pem).collect::<String>().into(),
            key: leaf.key.id,
        }
    }

    /// What an object is called that has it: the same for the certificate that replaces it. `None`: it names no merchant.
    #[must_use]
    pub fn id(&self) -> Option<String> {
        (!self.merchant.is_empty()).then(|| format!("{}-{}", self.merchant, self.purpose.word()))
    }
}

/// It is public, but may be of any length and hold anything.
fn told(certificate: &Certificate) -> String {
    let shown = |text: &str| text.chars().filter(|letter| !letter.is_control()).take(100).collect::<String>();
    format!("{:?} by {:?}", shown(&certificate.subject_cn), shown(&certificate.issuer_cn))
}

fn not_apple_pay(found: &[Arc<Certificate>]) -> Flaw {
    let found = match found {
        [] => "no certificate".to_owned(),
        found => some_of(&found.iter().map(|one| told(one)).collect::<Vec<_>>()),
    };
    Flaw::new(
        "not-apple-pay",
        format!(
            "there is no certificate of Apple Pay's in it: expected one with the merchant identifier field \
             (1.2.840.113635.100.6.32), found {found}"
        ),
        "fetch it from developer.apple.com, where it lies with the merchant identifier; a server's certificate is brought with: \
         vitrine certs import",
    )
}

fn several(found: &[(&Arc<Certificate>, &ApplePay)]) -> Flaw {
    let found: Vec<String> = found.iter().map(|(one, _)| told(one)).collect();
    Flaw::new(
        "several",
        format!("there are {} certificates of Apple Pay's in it: {}", found.len(), some_of(&found)),
        "bring each by itself; each is an object of its own, or a version of one",
    )
}

fn key_not_kept() -> Flaw {
    Flaw::new(
        "key-not-kept",
        "there is a private key in it, which the edge has no use for and does not keep",
        "keep it where it is used: in the shop's backend, or with the payment provider",
    )
}

fn strange(found: &[&Arc<Certificate>]) -> Flaw {
    let found: Vec<String> = found.iter().map(|one| told(one)).collect();
    Flaw::new(
        "not-of-its-chain",
        format!("these certificates in it are not kept, since they are none of its issuers: {}", some_of(&found)),
        "leave them out; if its issuer's is missing, send that along: it is at apple.com/certificateauthority",
    )
    .about([some_of(&found)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certs::testing::{AppleLeaf, Chain, Leaf};

    const LEAF: AppleLeaf<'_> =
        AppleLeaf { cn: "Merchant ID: merchant.shop", uid: "", numbers: &[32], is_for_clients: false, names: &[] };

    fn read(text: &str) -> Result<ReadCertificate, Flaw> {
        ApplePayCertificate::read(text.as_bytes(), None)
    }

    fn codes(text: &str) -> Vec<&'static str> {
        match read(text) {
            Ok(read) => read.left_over.iter().map(|flaw| flaw.code).collect(),
            Err(flaw) => vec!["refused", flaw.code],
        }
    }

    #[test]
    fn it_is_kept_with_its_issuers_in_their_order_and_without_the_root() {
        let chain = Chain::new();
        let Leaf { certificate, .. } = chain.apple(&LEAF, 30);
        let whole = read(&format!("{}{}{certificate}", chain.root, chain.intermediate)).expect("read");
        let plain = |pem: &str| pem.replace("\r\n", "\n");
        assert_eq!(&*whole.certificate.chain, plain(&format!("{certificate}{}", chain.intermediate)));
        assert_eq!(whole.left_over, []);
        let own = whole.certificate;
        assert_eq!(
            (own.id().as_deref(), &*own.subject, &*own.issuer),
            (Some("merchant.shop-payment-processing"), "Merchant ID: merchant.shop", "Test Intermediate")
        );
        // What is written is what is read again.
        assert_eq!(read(&own.chain).expect("read").certificate, own);
        assert_eq!(&*read(&certificate).expect("read").certificate.chain, plain(&certificate));
    }

    #[test]
    fn what_comes_along_and_is_not_kept_is_told() {
        let chain = Chain::new();
        let (own, server) = (chain.apple(&LEAF, 30), chain.leaf(&["shop.example"]));
        assert_eq!(codes(&own.whole()), ["key-not-kept"]);
        assert_eq!(codes(&format!("{}{}", own.certificate, server.certificate)), ["not-of-its-chain"]);
        let kept = read(&own.whole()).expect("read").certificate.chain;
        assert!(!kept.contains("KEY"), "{kept}");
    }

    #[test]
    fn what_is_not_one_certificate_of_apple_pays_is_refused() {
        let chain = Chain::new();
        let (one, other) = (chain.apple(&LEAF, 30), chain.apple(&LEAF, 60));
        assert_eq!(codes(&chain.leaf(&["shop.example"]).whole()), ["refused", "not-apple-pay"]);
        assert_eq!(codes(&one.key), ["refused", "not-apple-pay"]);
        assert_eq!(codes(&format!("{}{}", one.certificate, other.certificate)), ["refused", "several"]);
        assert_eq!(codes("7B227073704964"), ["refused", "nothing"]);
        let nobody = AppleLeaf { cn: "", ..LEAF };
        assert_eq!(read(&chain.apple(&nobody, 30).certificate).expect("read").certificate.id(), None);
    }
}
