//! A certificate as the intake knows it: what it is for, whom it belongs to, who issued it.

use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};
use rustls_pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::FromDer;
use x509_parser::x509::X509Name;

use super::apple_pay::{ApplePay, apple_pay, not_for_servers};
use super::flaw::Flaw;
use super::part::Part;
use super::path;
use super::public_key::PublicKey;
use super::strength;
use super::traits::traits;
use crate::live::CertTraits;
use crate::name::HostPattern;

/// A certificate that could be read; not yet whether it can be served.
pub(crate) struct Certificate {
    /// Shared with what is sent.
    pub(super) der: Arc<[u8]>,
    pub(super) fingerprint: Fingerprint,
    /// Whose key it certifies.
    pub(super) key: PublicKey,
    /// The names it may be served under, or why there are none.
    pub(super) names: Result<Arc<[HostPattern]>, Box<Flaw>>,
    pub(super) traits: CertTraits,
    /// Whether it limits the names of what it issues (RFC 5280 §4.2.1.10).
    pub(super) limits_names: bool,
    /// What it is for, if it is one of Apple Pay's.
    pub(super) apple_pay: Option<Box<ApplePay>>,
    pub(super) not_before: i64,
    pub(super) not_after: i64,
    pub(super) subject_cn: Box<str>,
    pub(super) issuer_cn: Box<str>,
    pub(super) issuer_o: Box<str>,
    serial: Part,
    subject: Part,
    issuer: Part,
    subject_key: Option<Part>,
    authority_key: Option<Part>,
    /// Whose signature was looked for last, and whether it was that one's.
    verified: Mutex<Option<([u8; 32], bool)>>,
    /// Up which way it was judged last, and whether it is trusted.
    judged: Mutex<Option<([u8; 32], bool)>>,
}

impl Certificate {
    /// Reads one certificate's DER.
    pub(super) fn read(der: CertificateDer<'static>) -> Result<Self, Flaw> {
        Self::of(&der, sha256(&der))
    }

    /// The same of one whose fingerprint is known.
    pub(super) fn of(der: &[u8], fingerprint: Fingerprint) -> Result<Self, Flaw> {
        let malformed = || {
            Flaw::new(
                "certificate-malformed",
                "a certificate in the file cannot be read: it is damaged",
                "copy the file again from where it was issued",
            )
        };
        let Ok((rest, parsed)) = X509Certificate::from_der(der) else { return Err(malformed()) };
        if !rest.is_empty() {
            return Err(malformed());
        }
        let apple_pay = apple_pay(&parsed).map(Box::new);
        let for_anybody = apple_pay.as_deref().map_or(Ok(()), |apple| Err(not_for_servers(apple)));
        let (mut subject_key, mut authority_key, mut limits_names) = (None, None, false);
        for extension in parsed.extensions() {
            match extension.parsed_extension() {
                ParsedExtension::SubjectKeyIdentifier(id) => subject_key = Part::of(der, id.0),
                ParsedExtension::AuthorityKeyIdentifier(authority) => {
                    authority_key = authority.key_identifier.as_ref().and_then(|id| Part::of(der, id.0));
                }
                ParsedExtension::NameConstraints(_) => limits_names = true,
                _ => {}
            }
        }
        Ok(Self {
            fingerprint,
            key: PublicKey::of(parsed.public_key()),
            names: for_anybody
                .and_then(|()| for_servers(&parsed))
                .and_then(|()| strong_enough(&parsed))
                .and_then(|()| names(&parsed))
                .map_err(Box::new),
            traits: traits(&parsed),
            limits_names,
            apple_pay,
            not_before: parsed.validity().not_before.timestamp(),
            not_after: parsed.validity().not_after.timestamp(),
            subject_cn: common_name(parsed.subject()),
            issuer_cn: common_name(parsed.issuer()),
            issuer_o: first_text(parsed.issuer().iter_organization()),
            serial: Part::of(der, parsed.raw_serial()).ok_or_else(malformed)?,
            subject: Part::of(der, parsed.subject().as_raw()).ok_or_else(malformed)?,
            issuer: Part::of(der, parsed.issuer().as_raw()).ok_or_else(malformed)?,
            subject_key,
            authority_key,
            verified: Mutex::default(),
            judged: Mutex::default(),
            der: der.into(),
        })
    }

    /// A root, or a certificate of somebody who has no authority.
    pub(super) fn is_self_issued(&self) -> bool {
        self.subject_name() == self.issuer_name()
    }

    /// Whether `issuer` may have issued this one, by name and key identifier (RFC 5280 §6.1, §4.2.1.1).
    pub(super) fn may_come_from(&self, issuer: &Self) -> bool {
        issuer.traits.is_ca && self.is_named_after(issuer)
    }

    /// The same of a root, which is trusted for what it is and not for what it says of itself.
    pub(super) fn is_named_after(&self, issuer: &Self) -> bool {
        let keys_differ = match (&self.authority_key, &issuer.subject_key) {
            (Some(wanted), Some(found)) => wanted.within(&self.der) != found.within(&issuer.der),
            _ => false,
        };
        self.issuer_name() == issuer.subject_name() && !keys_differ
    }

    /// Whether [`Self::may_come_from`] had more to go by than a name.
    pub(super) fn identifies(&self, issuer: &Self) -> bool {
        self.authority_key.is_some() && issuer.subject_key.is_some()
    }

    /// Whether `issuer` did issue this one, by signature. Costs more than reading it, once.
    pub(super) fn is_signed_by(&self, issuer: &Self) -> bool {
        let known = *self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((key, is_signed)) = known
            && key == issuer.key.id
        {
            return is_signed;
        }
        let is_signed = self.verify(issuer);
        *self.verified.lock().unwrap_or_else(PoisonError::into_inner) = Some((issuer.key.id, is_signed));
        is_signed
    }

    /// What was said when it was judged up this way, or else what `judge` says. Costs as much as a signature, once.
    pub(super) fn judged_by(&self, way: [u8; 32], judge: impl FnOnce() -> bool) -> bool {
        let known = *self.judged.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((judged, is_trusted)) = known
            && judged == way
        {
            return is_trusted;
        }
        let is_trusted = judge();
        *self.judged.lock().unwrap_or_else(PoisonError::into_inner) = Some((way, is_trusted));
        is_trusted
    }

    /// Whether it has been judged up any way.
    pub(super) fn has_been_judged(&self) -> bool {
        self.judged.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    fn verify(&self, issuer: &Self) -> bool {
        let (Ok((_, own)), Ok((_, parsed))) =
            (X509Certificate::from_der(&self.der), X509Certificate::from_der(&issuer.der))
        else {
            return false;
        };
        // One knows SHA-1, by which a chain is found that is told to be too weak; the other all that is believed.
        let (algorithm, signature) = (own.signature_algorithm.algorithm.as_bytes(), &own.signature_value.data);
        own.verify_signature(Some(parsed.public_key())).is_ok()
            || path::has_signed(&issuer.der, algorithm, own.tbs_certificate.as_ref(), signature)
    }

    /// Its serial number, big-endian.
    pub(super) fn serial(&self) -> &[u8] {
        self.serial.within(&self.der)
    }

    /// By what its issuer is found.
    pub(super) fn issuer_name(&self) -> &[u8] {
        self.issuer.within(&self.der)
    }

    /// By what it is found as an issuer.
    pub(super) fn subject_name(&self) -> &[u8] {
        self.subject.within(&self.der)
    }

    /// Whether it may stand at the end of a chain. An authority with host names is one that `openssl req -x509` made for a server.
    pub(super) fn may_be_leaf(&self) -> bool {
        !self.traits.is_ca || self.names.is_ok()
    }

    /// Whether it is valid at `now`, seconds since the Unix epoch.
    pub(super) fn is_valid_at(&self, now: i64) -> bool {
        (self.not_before..=self.not_after).contains(&now)
    }
}

/// SHA-256 over the DER.
pub(super) type Fingerprint = [u8; 32];

/// SHA-256.
pub(super) fn sha256(content: &[u8]) -> [u8; 32] {
    let mut sum = [0; 32];
    sum.copy_from_slice(digest(&SHA256, content).as_ref());
    sum
}

/// Lower-case hexadecimal.
pub(super) fn hexadecimal(octets: &[u8]) -> String {
    let digits = octets.iter().flat_map(|octet| [octet >> 4, octet & 0xF]).map(|digit| DIGITS[usize::from(digit)]);
    let mut text = Vec::with_capacity(octets.len() * 2);
    text.extend(digits);
    String::from_utf8(text).unwrap_or_default()
}

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// Clients refuse a server's certificate that is limited to something else (RFC 5280 §4.2.1.12).
fn for_servers(parsed: &X509Certificate<'_>) -> Result<(), Flaw> {
    match parsed.extended_key_usage() {
        Ok(None) => Ok(()),
        Ok(Some(usage)) if usage.value.server_auth || usage.value.any => Ok(()),
        _ => Err(Flaw::new(
            "not-for-servers",
            "the certificate is limited to other uses than a server's (extended key usage without serverAuth)",
            "have it issued again for servers (serverAuth)",
        )),
    }
}

fn strong_enough(parsed: &X509Certificate<'_>) -> Result<(), Flaw> {
    if strength::is_weak(parsed.public_key()) { Err(strength::weak_key()) } else { Ok(()) }
}

/// The DNS names a certificate is for. Never the common name (RFC 9525 §2); IP addresses are no host names.
fn names(parsed: &X509Certificate<'_>) -> Result<Arc<[HostPattern]>, Flaw> {
    let bad = |name: &str| {
        let shown: String = name.chars().take(100).collect();
        Flaw::new(
            "bad-name",
            format!("the certificate is for {shown:?}, which is not a host name"),
            "have the certificate issued again without that name",
        )
        .about([format!("{shown:?}")])
    };
    let Ok(alternatives) = parsed.subject_alternative_name() else { return Err(bad("a name that cannot be read")) };
    let mut names: Vec<HostPattern> = Vec::new();
    for name in alternatives.iter().flat_map(|extension| &extension.value.general_names) {
        match name {
            GeneralName::DNSName(name) => {
                // A-labels only (RFC 5280 §7.2): what else reads as a name here may be another one to somebody else.
                let plain =
                    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'*'));
                let pattern = if plain { HostPattern::parse(name).ok() } else { None };
                names.push(pattern.ok_or_else(|| bad(name))?);
            }
            GeneralName::Invalid(tag, octets) if tag.0 == 2 => return Err(bad(&String::from_utf8_lossy(octets))),
            _ => {}
        }
    }
    names.sort_unstable();
    names.dedup();
    if names.is_empty() {
        return Err(Flaw::new(
            "no-names",
            "the certificate has no DNS name among its subject alternative names, and no client believes the common name",
            "have it issued again with the host names as subject alternative names (DNS)",
        ));
    }
    Ok(names.into())
}

fn common_name(name: &X509Name<'_>) -> Box<str> {
    first_text(name.iter_common_name())
}

fn first_text<'a>(mut values: impl Iterator<Item = &'a x509_parser::x509::AttributeTypeAndValue<'a>>) -> Box<str> {
    values.next().and_then(|value| value.as_str().ok()).unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certs::testing::with_names;

    fn names_of(dns: &[&[u8]], ips: &[[u8; 4]]) -> Result<Vec<String>, &'static str> {
        let der = with_names(dns, ips);
        let certificate = Certificate::read(der).expect("a certificate");
        let names = certificate.names.map_err(|flaw| flaw.code)?;
        Ok(names.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_certificate_that_is_limited_to_other_uses_is_for_no_server() {
        use rcgen::ExtendedKeyUsagePurpose::{Any, ClientAuth, ServerAuth};
        for (usages, expected) in [
            (vec![], Ok(1)),
            (vec![ServerAuth, ClientAuth], Ok(1)),
            (vec![Any], Ok(1)),
            (vec![ClientAuth], Err("not-for-servers")),
        ] {
            let mut params = rcgen::CertificateParams::new(vec!["a.example".to_owned()]).expect("names");
            params.extended_key_usages = usages;
            let made = params.self_signed(&rcgen::KeyPair::generate().expect("a key")).expect("a certificate");
            let certificate = Certificate::read(made.der().clone()).expect("a certificate");
            assert_eq!(certificate.names.map(|names| names.len()).map_err(|flaw| flaw.code), expected);
        }
    }

    #[test]
    fn names_come_from_dns_alternative_names_in_normal_form() {
        let many: Vec<String> = (100..200).map(|number| format!("s{number}.example")).collect();
        let many_octets: Vec<&[u8]> = many.iter().map(|name| name.as_bytes()).collect();
        for (dns, expected) in [
            (vec![&b"shop.example"[..]], vec!["shop.example".to_owned()]),
            (vec![b"SHOP.Example"], vec!["shop.example".into()]),
            (vec![b"shop.example."], vec!["shop.example".into()]),
            (vec![b"xn--bcher-kva.example"], vec!["xn--bcher-kva.example".into()]),
            (vec![b"*.shop.example", b"shop.example"], vec!["shop.example".into(), "*.shop.example".into()]),
            (vec![b"a.example", b"A.example"], vec!["a.example".into()]),
            (many_octets, many.clone()),
        ] {
            assert_eq!(names_of(&dns, &[]), Ok(expected));
        }
        assert_eq!(names_of(&[b"a.example"], &[[10, 0, 0, 1]]), Ok(vec!["a.example".into()]));
    }

    #[test]
    fn a_certificate_with_a_bad_name_or_none_is_not_for_anybody() {
        for name in [
            &b"a\0b.example"[..],
            b"shop.example\0.evil.example",
            b"",
            b" shop.example",
            b"10.0.0.1",
            b"*",
            b"*.example",
            b"a.*.example",
            b"f*.shop.example",
            b"a b.example",
            "b\u{fc}cher.example".as_bytes(),
            b"\xFF.example",
            b"a..example",
        ] {
            assert_eq!(names_of(&[b"good.example", name], &[]), Err("bad-name"), "{name:?}");
        }
        assert_eq!(names_of(&[], &[[10, 0, 0, 1]]), Err("no-names"));
        assert_eq!(names_of(&[], &[]), Err("no-names"));
    }
}
