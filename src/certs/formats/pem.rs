//! Finds PEM blocks as operators have them: with Windows line ends, indentation, text around the blocks, older labels.
//!
//! The reader of rustls-pki-types passes over what it does not know without a word. What operators do have and we cannot read is
//! therefore looked for by name first.

use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::{self, PemObject, SectionKind};
use zeroize::Zeroizing;

use super::{encrypted_key, neither, request, truncated, unsupported_key};
use crate::certs::flaw::Flaw;

/// A file's lines in one form: no white space around them, one kind of end, each marker on a line of its own.
pub(super) struct Text {
    /// Wiped when dropped: it may be a key.
    lines: Zeroizing<Vec<u8>>,
    /// What the blocks say they are.
    labels: Vec<Vec<u8>>,
    /// The headers of a block say that it is encrypted (RFC 1421 §4.6.1.1).
    encrypted: bool,
}

impl Text {
    pub(super) fn of(content: &[u8]) -> Self {
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
        let line = relabelled(line);
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

    /// Whether there is any block.
    pub(super) fn has_blocks(&self) -> bool {
        !self.labels.is_empty()
    }

    /// The blocks that hold certificates and keys, in their order.
    pub(super) fn blocks(&self) -> impl Iterator<Item = Result<Block, Flaw>> {
        <(SectionKind, Vec<u8>)>::pem_slice_iter(&self.lines).filter_map(|section| match section {
            Ok((kind, der)) => Block::of(kind, der).map(Ok),
            Err(error) => Some(Err(broken(&error))),
        })
    }

    /// What the blocks hold that this version does not read.
    pub(super) fn unsupported(&self) -> Option<Flaw> {
        if self.encrypted || self.has("ENCRYPTED PRIVATE KEY") {
            return Some(encrypted_key());
        }
        if self.has("OPENSSH PRIVATE KEY") {
            return Some(Flaw::new(
                "openssh-key",
                "the private key has the form of OpenSSH",
                "convert a copy in place with: ssh-keygen -p -m PEM -f COPY",
            ));
        }
        self.has("DSA PRIVATE KEY").then(unsupported_key)
    }

    /// Why there is nothing to serve in the blocks.
    pub(super) fn nothing(&self) -> Flaw {
        if self.labels.iter().any(|label| label.ends_with(b"CERTIFICATE REQUEST")) {
            return request();
        }
        neither()
    }
}

/// What stands between two markers.
pub(super) enum Block {
    /// A certificate, or what holds some.
    Certificates(Vec<u8>),
    Key(Zeroizing<PrivateKeyDer<'static>>),
}

impl Block {
    fn of(kind: SectionKind, der: Vec<u8>) -> Option<Self> {
        let key: PrivateKeyDer<'static> = match kind {
            SectionKind::Certificate => return Some(Self::Certificates(der)),
            SectionKind::PrivateKey => PrivateKeyDer::Pkcs8(der.into()),
            SectionKind::RsaPrivateKey => PrivateKeyDer::Pkcs1(der.into()),
            SectionKind::EcPrivateKey => PrivateKeyDer::Sec1(der.into()),
            _ => return None,
        };
        Some(Self::Key(key.into()))
    }
}

/// The marker with the label that the reader knows. "X509 CERTIFICATE" is the older one of the same thing (RFC 7468 §5.1); the
/// others hold certificates, and in what form their content tells better than their label.
fn relabelled(line: &[u8]) -> &[u8] {
    let (marker, begins) = match (line.strip_prefix(BEGIN), line.strip_prefix(END)) {
        (Some(marker), _) => (marker, true),
        (_, Some(marker)) => (marker, false),
        _ => return line,
    };
    let holds_certificates =
        [&b"X509 CERTIFICATE"[..], b"TRUSTED CERTIFICATE", b"PKCS7", b"PKCS #7 SIGNED DATA", b"CMS"]
            .contains(&marker.strip_suffix(MARKER).unwrap_or_default());
    match (holds_certificates, begins) {
        (false, _) => line,
        (true, true) => b"-----BEGIN CERTIFICATE-----",
        (true, false) => b"-----END CERTIFICATE-----",
    }
}

fn broken(error: &pem::Error) -> Flaw {
    match error {
        pem::Error::MissingSectionEnd { .. } | pem::Error::IllegalSectionStart { .. } => {
            truncated("a PEM block in the file begins and does not end")
        }
        _ => Flaw::new(
            "malformed",
            "a PEM block is damaged: what stands between its markers is not base64",
            "copy the file again from where it was issued",
        ),
    }
}

/// Whether `text` holds `part`.
pub(in crate::certs) fn contains(text: &[u8], part: &[u8]) -> bool {
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

const MARKER: &[u8] = b"-----";
const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
