//! Who a client's certificate says that it is, as shops are told: `Client-Cert` (RFC 9440) and its parts in plain words.

use std::fmt::Write;
use std::time::SystemTime;

use base64ct::{Base64, Encoding};
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

/// A client's certificate, read.
pub(super) struct Identity<'a> {
    der: &'a [u8],
    certificate: X509Certificate<'a>,
}

impl<'a> Identity<'a> {
    /// `None`: it cannot be read, which a certificate that was checked always can.
    pub(super) fn read(der: &'a [u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        Some(Self { der, certificate })
    }

    /// Whether its time has passed.
    pub(super) fn has_ended(&self, now: SystemTime) -> bool {
        self.certificate.validity().not_after.timestamp() < time::OffsetDateTime::from(now).unix_timestamp()
    }

    /// The fields that a request of this client gets, as they go over the wire.
    pub(super) fn fields(&self) -> Box<[u8]> {
        let X509Certificate { tbs_certificate: certificate, .. } = &self.certificate;
        let fingerprint = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, self.der);
        let not_after = certificate.validity.not_after.to_datetime();
        let not_after = not_after.format(&time::format_description::well_known::Rfc3339).unwrap_or_default();
        let mut lines = String::with_capacity(self.der.len() * 2);
        for (name, value) in [
            ("x-client-verify", SUCCESS.to_owned()),
            ("client-cert", format!(":{}:", Base64::encode_string(self.der))),
            ("x-client-subject", distinguished(&certificate.subject)),
            ("x-client-issuer", distinguished(&certificate.issuer)),
            ("x-client-serial", hexadecimal(certificate.raw_serial()).to_uppercase()),
            ("x-client-fingerprint", hexadecimal(fingerprint.as_ref())),
            ("x-client-not-after", not_after),
        ] {
            // Writing to a text cannot fail.
            let _ = write!(lines, "{name}: {value}\r\n");
        }
        lines.into_bytes().into()
    }
}

/// The same for a client that has shown none.
pub(super) fn fields_of_nobody() -> Box<[u8]> {
    format!("x-client-verify: {NONE}\r\n").into_bytes().into()
}

/// A name as RFC 4514 writes it, the last part first, in ASCII alone: a field cannot be broken out of.
fn distinguished(name: &X509Name<'_>) -> String {
    let parts = |set: &mut dyn Iterator<Item = &AttributeTypeAndValue<'_>>| -> String {
        set.map(attribute).collect::<Vec<_>>().join("+")
    };
    let mut sets: Vec<String> = name.iter_rdn().map(|set| parts(&mut set.iter())).collect();
    sets.reverse();
    sets.join(",")
}

fn attribute(attribute: &AttributeTypeAndValue<'_>) -> String {
    let kind = attribute.attr_type().to_id_string();
    let known = ATTRIBUTES.iter().find(|(identifier, _)| *identifier == kind);
    let kind = known.map_or(kind.as_str(), |(_, word)| word);
    match attribute.as_str() {
        Ok(value) => format!("{kind}={}", escaped(value)),
        Err(_) => format!("{kind}=#{}", hexadecimal(attribute.attr_value().data)),
    }
}

/// RFC 4514 §2.4; what is not printable ASCII is escaped too.
fn escaped(value: &str) -> String {
    let last = value.len().saturating_sub(1);
    let mut text = String::with_capacity(value.len());
    for (at, octet) in value.bytes().enumerate() {
        match octet {
            b'"' | b'+' | b',' | b';' | b'<' | b'>' | b'\\' => text.extend(['\\', char::from(octet)]),
            b'#' if at == 0 => text.push_str("\\#"),
            b' ' if at == 0 || at == last => text.push_str("\\ "),
            b' '..=b'~' => text.push(char::from(octet)),
            _ => text.push_str(&format!("\\{octet:02X}")),
        }
    }
    text
}

fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().fold(String::with_capacity(octets.len() * 2), |mut text, octet| {
        // Writing to a text cannot fail.
        let _ = write!(text, "{octet:02x}");
        text
    })
}

/// The words that nginx has for it.
const SUCCESS: &str = "SUCCESS";
const NONE: &str = "NONE";
/// RFC 4514 §3, and the two that certificates of persons have besides.
const ATTRIBUTES: [(&str, &str); 11] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.5", "serialNumber"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.9", "STREET"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("1.2.840.113549.1.9.1", "emailAddress"),
];

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};

    use super::*;

    fn certificate() -> Vec<u8> {
        let mut params = CertificateParams::new(Vec::new()).expect("names");
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, "Bäcker, \"Sons\" & Co\r\nx-admin: 1");
        params.distinguished_name.push(DnType::CommonName, " till 7 ");
        params.serial_number = Some(vec![0x0A, 0xBC].into());
        params.not_after = time::OffsetDateTime::from_unix_timestamp(1_900_000_000).expect("a time");
        params.self_signed(&KeyPair::generate().expect("a key")).expect("a certificate").der().to_vec()
    }

    #[test]
    fn a_name_cannot_break_out_of_its_field() {
        let der = certificate();
        let fields = Identity::read(&der).expect("a certificate").fields();
        let text = String::from_utf8(fields.into()).expect("text");
        let lines: Vec<(&str, &str)> = text.split_terminator("\r\n").filter_map(|line| line.split_once(": ")).collect();
        let value = |wanted: &str| lines.iter().find(|(name, _)| *name == wanted).map(|(_, value)| *value);
        let subject = r#"CN=\ till 7\ ,O=B\C3\A4cker\, \"Sons\" & Co\0D\0Ax-admin: 1"#;
        assert_eq!(lines.len(), 7, "{text}");
        assert_eq!(value("x-client-subject"), Some(subject));
        assert_eq!(value("x-client-issuer"), Some(subject));
        assert_eq!(value("x-client-serial"), Some("0ABC"));
        assert_eq!(value("x-client-not-after"), Some("2030-03-17T17:46:40Z"));
        assert_eq!(value("x-client-verify"), Some("SUCCESS"));
        assert_eq!(value("x-client-fingerprint").map(str::len), Some(64));
        let encoded = value("client-cert").and_then(|text| text.strip_prefix(':')?.strip_suffix(':'));
        assert_eq!(Base64::decode_vec(encoded.expect("octets")).expect("base64"), der);
    }

    #[test]
    fn a_certificate_ends_after_its_last_second() {
        let der = certificate();
        let identity = Identity::read(&der).expect("a certificate");
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        assert_eq!([1_900_000_000, 1_900_000_001].map(|second| identity.has_ended(at(second))), [false, true]);
    }
}
