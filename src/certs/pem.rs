//! Reads PEM as operators have it: with a byte order mark, Windows line ends, indentation, text around the blocks.
//!
//! The reader of rustls-pki-types passes over what it does not know without a word, so that a file with a byte order mark holds
//! "no certificate". What operators do have and we cannot read is therefore looked for by name first.

use rustls_pki_types::pem::{self, PemObject, SectionKind};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

use super::flaw::Flaw;

/// What a file holds, in its order, still DER.
pub(super) struct Items {
    pub(super) certificates: Vec<CertificateDer<'static>>,
    /// Wiped when dropped, also where reading ends early: the type itself is not.
    pub(super) keys: Vec<Zeroizing<PrivateKeyDer<'static>>>,
}

impl Items {
    /// Reads a whole file.
    pub(super) fn read(content: &[u8]) -> Result<Self, Flaw> {
        let content = content.strip_prefix(BYTE_ORDER_MARK).unwrap_or(content);
        if content.iter().all(u8::is_ascii_whitespace) {
            return Err(Flaw::new("empty", "the file is empty", "write the certificate or the key in PEM into it"));
        }
        let text = Text::of(content);
        let mut items = Self { certificates: Vec::new(), keys: Vec::new() };
        if text.labels.is_empty() {
            return Err(without_pem(content));
        }
        if let Some(flaw) = text.unsupported() {
            return Err(flaw);
        }
        for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(&text.lines) {
            let (kind, der) = section.map_err(|error| broken(&error))?;
            match kind {
                SectionKind::Certificate => items.certificates.push(der.into()),
                SectionKind::PrivateKey => items.keys.push(PrivateKeyDer::Pkcs8(der.into()).into()),
                SectionKind::RsaPrivateKey => items.keys.push(PrivateKeyDer::Pkcs1(der.into()).into()),
                SectionKind::EcPrivateKey => items.keys.push(PrivateKeyDer::Sec1(der.into()).into()),
                _ => {}
            }
        }
        if items.certificates.is_empty() && items.keys.is_empty() {
            return Err(text.nothing());
        }
        Ok(items)
    }
}

/// A file's lines in one form: no white space around them, one kind of end, each marker on a line of its own.
struct Text {
    /// Wiped when dropped: it may be a key.
    lines: Zeroizing<Vec<u8>>,
    /// What the blocks say they are.
    labels: Vec<Vec<u8>>,
    /// The headers of a block say that it is encrypted (RFC 1421 §4.6.1.1).
    encrypted: bool,
}

impl Text {
    fn of(content: &[u8]) -> Self {
        let room = content.len() + content.len() / 64 + 64;
        let mut text = Self { lines: Zeroizing::new(Vec::with_capacity(room)), labels: Vec::new(), encrypted: false };
        for line in content.split(|byte| matches!(byte, b'\n' | b'\r')) {
            let mut line = line.trim_ascii();
            // `cat a.pem b.pem` where the first file does not end its last line.
            while line.starts_with(MARKER)
                && let Some(seam) = find(line, b"----------BEGIN ")
            {
                text.push(&line[..seam + MARKER.len()]);
                line = &line[seam + MARKER.len()..];
            }
            text.push(line);
        }
        text
    }

    fn push(&mut self, line: &[u8]) {
        // "X509 CERTIFICATE" is the older label of the same thing (RFC 7468 §5.1).
        let line: &[u8] = match line {
            b"-----BEGIN X509 CERTIFICATE-----" => b"-----BEGIN CERTIFICATE-----",
            b"-----END X509 CERTIFICATE-----" => b"-----END CERTIFICATE-----",
            line => line,
        };
        if let Some(label) = line.strip_prefix(BEGIN) {
            self.labels.push(label.strip_suffix(MARKER).unwrap_or(label).to_vec());
        }
        self.encrypted |= line.starts_with(b"Proc-Type: 4,ENCRYPTED");
        self.lines.extend_from_slice(line);
        self.lines.push(b'\n');
    }

    fn has(&self, label: &str) -> bool {
        self.labels.iter().any(|known| known == label.as_bytes())
    }

    /// What the blocks hold that this version does not read.
    fn unsupported(&self) -> Option<Flaw> {
        if self.encrypted || self.has("ENCRYPTED PRIVATE KEY") {
            return Some(Flaw::new(
                "encrypted-key",
                "the private key is encrypted, and a password for it is not in this version",
                "decrypt it with: openssl pkey -in OLD -out NEW",
            ));
        }
        if self.has("OPENSSH PRIVATE KEY") {
            return Some(Flaw::new(
                "openssh-key",
                "the private key has the form of OpenSSH",
                "convert a copy in place with: ssh-keygen -p -m PEM -f COPY",
            ));
        }
        if self.has("DSA PRIVATE KEY") {
            return Some(unsupported_key());
        }
        if self.has("PKCS7") || self.has("CMS") {
            return Some(pkcs7("PEM"));
        }
        self.has("TRUSTED CERTIFICATE").then(|| {
            Flaw::new(
                "trusted-certificate",
                "the certificate has the form \"TRUSTED CERTIFICATE\", which only openssl reads",
                "convert it with: openssl x509 -in OLD -out NEW",
            )
        })
    }

    fn nothing(&self) -> Flaw {
        if self.labels.iter().any(|label| label.ends_with(b"CERTIFICATE REQUEST")) {
            return Flaw::new(
                "certificate-request",
                "the file holds a certificate request, neither certificate nor key",
                "send the request to a certification authority, and put here what comes back",
            );
        }
        neither()
    }
}

/// A key of a kind that no browser or no server takes.
pub(super) fn unsupported_key() -> Flaw {
    Flaw::new(
        "key-unsupported",
        "the private key is not one of ECDSA on P-256, P-384 or P-521, Ed25519, or RSA of 2048 to 8192 bits",
        "make a new key with: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out NEW, and a new certificate",
    )
}

/// What a file without a single PEM block is.
fn without_pem(content: &[u8]) -> Flaw {
    if content.starts_with(&[0xFF, 0xFE])
        || content.starts_with(&[0xFE, 0xFF])
        || content.iter().take(64).any(|b| *b == 0)
    {
        let wide: Vec<u8> = content.iter().copied().filter(|byte| *byte != 0).collect();
        if contains(&wide, BEGIN) {
            return Flaw::new(
                "utf-16",
                "the file is text in UTF-16, and PEM is ASCII",
                "convert it with: iconv -f UTF-16 -t UTF-8 OLD > NEW",
            );
        }
    }
    match Der::of(content) {
        Some(Der::Pkcs12) => pkcs12(),
        Some(Der::Pkcs7) => pkcs7("DER"),
        Some(Der::Other) => der(),
        None => neither(),
    }
}

/// What DER a file holds, as far as the first tags tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Der {
    /// A key and certificates behind a password (RFC 7292).
    Pkcs12,
    /// Certificates, or a signed message (RFC 5652).
    Pkcs7,
    /// A certificate, a key, a request.
    Other,
}

impl Der {
    /// `None` when it is no DER, or another length than the file's.
    pub(super) fn of(content: &[u8]) -> Option<Self> {
        let body = sequence(content)?;
        if body.starts_with(&[0x02, 0x01, 0x03, 0x30]) {
            return Some(Self::Pkcs12);
        }
        if body.starts_with(OID_PKCS7) { Some(Self::Pkcs7) } else { Some(Self::Other) }
    }
}

/// The content of the SEQUENCE that fills the file. Indefinite lengths are BER, which old PKCS#12 files have.
fn sequence(content: &[u8]) -> Option<&[u8]> {
    let (&[tag, length], rest) = content.split_first_chunk::<2>()?;
    if tag != 0x30 {
        return None;
    }
    if length == 0x80 {
        return Some(rest);
    }
    if length < 0x80 {
        return (rest.len() >= usize::from(length)).then_some(rest);
    }
    let octets = usize::from(length & 0x7F);
    if octets > 3 || rest.len() < octets {
        return None;
    }
    let (length, body) = rest.split_at(octets);
    let length = length.iter().fold(0, |sum, octet| sum << 8 | usize::from(*octet));
    (body.len() >= length).then_some(body)
}

/// A binary file, by its content or its extension.
pub(super) fn der() -> Flaw {
    Flaw::new(
        "der",
        "the file is binary (DER), which is not in this version; PEM is expected",
        "convert a certificate with: openssl x509 -inform DER -in OLD -out NEW.pem, \
         a key with: openssl pkey -inform DER -in OLD -out NEW.pem",
    )
}

/// A PKCS#7 file, by its content or its extension.
pub(super) fn pkcs7(form: &str) -> Flaw {
    Flaw::new(
        "pkcs7",
        "the file is PKCS#7 (.p7b), which is not in this version; PEM is expected",
        format!("convert it with: openssl pkcs7 -inform {form} -print_certs -in OLD -out NEW.pem"),
    )
}

/// A PKCS#12 file, by its content or its extension.
pub(super) fn pkcs12() -> Flaw {
    Flaw::new(
        "pkcs12",
        "the file is PKCS#12 (.pfx, .p12), which is not in this version; PEM is expected",
        "convert it with: openssl pkcs12 -nodes -in OLD -out NEW.pem",
    )
}

fn broken(error: &pem::Error) -> Flaw {
    match error {
        pem::Error::MissingSectionEnd { .. } | pem::Error::IllegalSectionStart { .. } => Flaw::new(
            "truncated",
            "a PEM block begins and does not end: the file is cut off, or still being written",
            "copy the file again, best under another name first and then renamed",
        ),
        _ => Flaw::new(
            "malformed",
            "a PEM block is damaged: what stands between its markers is not base64",
            "copy the file again from where it was issued",
        ),
    }
}

fn neither() -> Flaw {
    Flaw::new(
        "nothing",
        "the file holds neither certificate nor key",
        "put the certificate or the key in PEM (-----BEGIN ...) here, or take the file away",
    )
}

/// Whether `text` holds `part`.
pub(super) fn contains(text: &[u8], part: &[u8]) -> bool {
    find(text, part).is_some()
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    let mut from = 0;
    // The first octet is looked for first: a search by windows takes longer than the parsing.
    while let Some(at) = text[from..].iter().position(|byte| *byte == part[0]) {
        if text[from + at..].starts_with(part) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";
const MARKER: &[u8] = b"-----";
const BEGIN: &[u8] = b"-----BEGIN ";
/// 1.2.840.113549.1.7.2, signedData.
const OID_PKCS7: &[u8] = &[0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07, 0x02];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nMAMCAQE=\n-----END CERTIFICATE-----\n";
    const KEY: &str = "-----BEGIN PRIVATE KEY-----\nMAMCAQE=\n-----END PRIVATE KEY-----\n";

    fn counts(content: &[u8]) -> Result<(usize, usize), &'static str> {
        Items::read(content).map(|items| (items.certificates.len(), items.keys.len())).map_err(|flaw| flaw.code)
    }

    #[test]
    fn pem_is_read_as_operators_have_it() {
        let both = format!("{CERTIFICATE}{KEY}");
        let indented = both.lines().map(|line| format!("\t  {line} \n")).collect::<String>();
        for text in [
            both.clone(),
            format!("\u{feff}{both}"),
            both.replace('\n', "\r\n"),
            both.replace('\n', "\r"),
            indented,
            format!("Bag Attributes\n    localKeyID: 01\nsubject=CN = a\n{KEY}issuer=x\n{CERTIFICATE}"),
            format!("{}{KEY}", CERTIFICATE.trim_end()),
            both.replace("BEGIN CERT", "BEGIN X509 CERT").replace("END CERT", "END X509 CERT"),
            format!("-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n{both}"),
        ] {
            assert_eq!(counts(text.as_bytes()), Ok((1, 1)), "{text}");
        }
    }

    #[test]
    fn what_is_not_read_is_named() {
        let wide: Vec<u8> = [0xFF, 0xFE].into_iter().chain(CERTIFICATE.bytes().flat_map(|byte| [byte, 0])).collect();
        let label = |label: &str| format!("-----BEGIN {label}-----\nMAMCAQE=\n-----END {label}-----\n").into_bytes();
        for (content, code) in [
            (Vec::new(), "empty"),
            (b" \r\n ".to_vec(), "empty"),
            (wide, "utf-16"),
            (b"hello".to_vec(), "nothing"),
            (vec![0; 100], "nothing"),
            (label("ENCRYPTED PRIVATE KEY"), "encrypted-key"),
            (
                KEY.replace("MAM", "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nMAM").into_bytes(),
                "encrypted-key",
            ),
            (label("OPENSSH PRIVATE KEY"), "openssh-key"),
            (label("DSA PRIVATE KEY"), "key-unsupported"),
            (label("PKCS7"), "pkcs7"),
            (label("TRUSTED CERTIFICATE"), "trusted-certificate"),
            (label("CERTIFICATE REQUEST"), "certificate-request"),
            (label("NEW CERTIFICATE REQUEST"), "certificate-request"),
            (label("DH PARAMETERS"), "nothing"),
            (CERTIFICATE.as_bytes()[..40].to_vec(), "truncated"),
            (CERTIFICATE.replace("MAM", "M?M").into_bytes(), "malformed"),
            (vec![0x30, 0x03, 0x02, 0x01, 0x01], "der"),
            (vec![0x30, 0x06, 0x02, 0x01, 0x03, 0x30, 0x01, 0x00], "pkcs12"),
            (vec![0x30, 0x80, 0x02, 0x01, 0x03, 0x30, 0x80, 0x00], "pkcs12"),
            ([&[0x30, 0x0B], OID_PKCS7].concat(), "pkcs7"),
        ] {
            assert_eq!(counts(&content), Err(code), "{}", String::from_utf8_lossy(&content));
        }
    }

    #[test]
    fn no_message_quotes_the_file() {
        let secret = "c2VjcmV0IHNlY3JldCBzZWNyZXQ=";
        for text in [
            format!("-----BEGIN PRIVATE KEY-----\n{secret}"),
            format!("-----BEGIN PRIVATE KEY-----\n{secret}?\n-----END PRIVATE KEY-----\n"),
            format!("-----BEGIN {secret}\n"),
            secret.to_owned(),
        ] {
            let flaw = Items::read(text.as_bytes()).err().expect("a flaw");
            assert!(!flaw.to_string().contains("c2VjcmV0"), "{flaw}");
        }
    }

    proptest! {
        #[test]
        fn no_content_makes_it_panic(content in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = Items::read(&content);
        }

        #[test]
        fn no_damage_makes_it_panic(at in 0..100_usize, byte: u8) {
            let mut content = format!("{CERTIFICATE}{KEY}").into_bytes();
            content[at] = byte;
            let _ = Items::read(&content);
        }
    }
}
