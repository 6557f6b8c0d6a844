//! Finds PEM blocks as operators have them: with Windows line ends, indentation, text around the blocks, older labels.
//!
//! The reader of rustls-pki-types passes over what it does not know without a word. What operators do have and we cannot read is
//! therefore looked for by name first.

use std::borrow::Cow;
use std::ops::Range;

use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::{self, PemObject, SectionKind};
use zeroize::Zeroizing;

use super::{der, neither, request, truncated, unsupported_key};
use crate::certs::flaw::Flaw;

/// The blocks of a file in one form: no white space around lines, one kind of line end, no headers.
pub(super) struct Text<'c> {
    lines: Lines<'c>,
    sections: Vec<Section>,
}

enum Lines<'c> {
    /// The file had that form.
    AsTheyCame(&'c [u8]),
    /// Wiped when dropped: it may be a key.
    Own(Zeroizing<Vec<u8>>),
}

/// From one marker to the next.
struct Section {
    /// What it says it is.
    label: Vec<u8>,
    /// What its headers say of how it is encrypted (RFC 1421 §4.6.1.3).
    cipher: Option<Vec<u8>>,
    lines: Range<usize>,
    ended: bool,
}

impl<'c> Text<'c> {
    pub(super) fn of(content: &'c [u8]) -> Self {
        let sections = sections_of_lines(content);
        sections.map_or_else(
            || Self::brought_into_form(content),
            |sections| Self { lines: Lines::AsTheyCame(content), sections },
        )
    }

    fn brought_into_form(content: &[u8]) -> Self {
        let room = content.len() + content.len() / 64 + 64;
        let (mut lines, mut sections) = (Zeroizing::new(Vec::with_capacity(room)), Vec::new());
        for line in content.split(|byte| matches!(byte, b'\n' | b'\r')) {
            let mut line = line.trim_ascii();
            // `cat a.pem b.pem` where the first file does not end its last line.
            while line.starts_with(MARKER)
                && let Some(seam) = find(line, SEAM)
            {
                push(&line[..seam + MARKER.len()], &mut lines, &mut sections);
                line = &line[seam + MARKER.len()..];
            }
            push(line, &mut lines, &mut sections);
        }
        Self { lines: Lines::Own(lines), sections }
    }

    fn has(&self, label: &str) -> bool {
        self.sections.iter().any(|section| section.label == label.as_bytes())
    }

    /// Whether there is any block.
    pub(super) fn has_blocks(&self) -> bool {
        !self.sections.is_empty()
    }

    /// The blocks that hold certificates and keys, in their order.
    pub(super) fn blocks(&self) -> impl Iterator<Item = Result<Block, Flaw>> {
        self.sections.iter().filter_map(|section| {
            let lines: &[u8] = match &self.lines {
                Lines::AsTheyCame(lines) => lines,
                Lines::Own(lines) => lines,
            };
            let lines = &lines[section.lines.clone()];
            match <(SectionKind, Vec<u8>)>::pem_slice_iter(lines).next()? {
                Ok((kind, der)) => Block::of(kind, der, section).map(Ok),
                Err(error) => Some(Err(broken(&error))),
            }
        })
    }

    /// What the blocks hold that this version does not read.
    pub(super) fn unsupported(&self) -> Option<Flaw> {
        if self.has("OPENSSH PRIVATE KEY") {
            return Some(Flaw::new(
                "openssh-key",
                "the private key has the form of OpenSSH",
                "convert a copy in place with: ssh-keygen -p -m PEM -f COPY",
            ));
        }
        if self.has("VITRINE SEALED FILE") {
            return Some(Flaw::new(
                "sealed",
                "the file is a secret of a state folder, which vitrine encrypted; it opens in its own place only",
                "put the key here as it was before, or make the state plain with: vitrine state rekey --old-key-file KEY --plain",
            ));
        }
        self.has("DSA PRIVATE KEY").then(unsupported_key)
    }

    /// Why there is nothing to serve in the blocks.
    pub(super) fn nothing(&self) -> Flaw {
        if self.sections.iter().any(|section| section.label.ends_with(b"CERTIFICATE REQUEST")) {
            return request();
        }
        neither()
    }
}

impl Section {
    fn begun(label: &[u8], at: usize) -> Self {
        let label = label.strip_suffix(MARKER).unwrap_or(label).to_vec();
        Self { label, cipher: None, lines: at..at, ended: false }
    }
}

fn push(line: &[u8], lines: &mut Vec<u8>, sections: &mut Vec<Section>) {
    if let Some(label) = line.strip_prefix(BEGIN) {
        sections.push(Section::begun(label, lines.len()));
    }
    let Some(section) = sections.last_mut().filter(|section| !section.ended) else { return };
    if let Some(cipher) = line.strip_prefix(DEK_INFO) {
        section.cipher = Some(cipher.trim_ascii().to_vec());
    } else if !line.starts_with(PROC_TYPE) {
        lines.extend_from_slice(&relabelled(line));
        lines.push(b'\n');
        section.ended = line.starts_with(END);
    }
    section.lines.end = lines.len();
}

/// The sections of what is in the one form already, as nearly every file is: nothing is copied then. `None` if it is not.
fn sections_of_lines(content: &[u8]) -> Option<Vec<Section>> {
    let (mut sections, mut at) = (Vec::<Section>::new(), 0);
    for line in content.strip_suffix(b"\n")?.split(|byte| *byte == b'\n') {
        if line.trim_ascii().len() < line.len() || line.contains(&b'\r') {
            return None;
        }
        let is_marker = line.starts_with(MARKER);
        let is_other = is_marker && (find(line, SEAM).is_some() || matches!(relabelled(line), Cow::Owned(_)));
        if is_other || line.starts_with(DEK_INFO) || line.starts_with(PROC_TYPE) {
            return None;
        }
        if let Some(label) = line.strip_prefix(BEGIN) {
            sections.push(Section::begun(label, at));
        }
        at += line.len() + 1;
        if let Some(section) = sections.last_mut().filter(|section| !section.ended) {
            (section.lines.end, section.ended) = (at, is_marker && line.starts_with(END));
        }
    }
    Some(sections)
}

/// What stands between two markers.
pub(super) enum Block {
    /// A certificate, or what holds some.
    Certificates(Vec<u8>),
    Key(Zeroizing<PrivateKeyDer<'static>>),
    /// A key behind a password, in PKCS#8.
    EncryptedKey(Vec<u8>),
    /// A key that is encrypted as a whole, in the form that it has when it is not.
    Veiled(Veiled),
}

/// A key that is encrypted as openssl once did it.
pub(super) struct Veiled {
    pub(super) cipher: Vec<u8>,
    pub(super) content: Vec<u8>,
    kind: SectionKind,
}

impl Veiled {
    /// The key in this DER, which was its content.
    pub(super) fn key(&self, der: &[u8]) -> Option<Zeroizing<PrivateKeyDer<'static>>> {
        key(self.kind, der.to_vec())
    }
}

impl Block {
    fn of(kind: SectionKind, der: Vec<u8>, Section { label, cipher, .. }: &Section) -> Option<Self> {
        match (kind, cipher) {
            (SectionKind::Certificate, _) => Some(Self::Certificates(der)),
            (SectionKind::PrivateKey, _) if label == ENCRYPTED_KEY || der::is_encrypted_info(&der) => {
                Some(Self::EncryptedKey(der))
            }
            (SectionKind::PrivateKey | SectionKind::RsaPrivateKey | SectionKind::EcPrivateKey, Some(cipher)) => {
                Some(Self::Veiled(Veiled { cipher: cipher.clone(), content: der, kind }))
            }
            _ => key(kind, der).map(Self::Key),
        }
    }
}

fn key(kind: SectionKind, der: Vec<u8>) -> Option<Zeroizing<PrivateKeyDer<'static>>> {
    let key: PrivateKeyDer<'static> = match kind {
        SectionKind::PrivateKey => PrivateKeyDer::Pkcs8(der.into()),
        SectionKind::RsaPrivateKey => PrivateKeyDer::Pkcs1(der.into()),
        SectionKind::EcPrivateKey => PrivateKeyDer::Sec1(der.into()),
        _ => return None,
    };
    Some(key.into())
}

/// The marker with the label that the reader knows. "X509 CERTIFICATE" is the older one of the same thing (RFC 7468 §5.1); the
/// others hold certificates or a key, and in what form their content tells better than their label.
fn relabelled(line: &[u8]) -> Cow<'_, [u8]> {
    let (begin, marker) = match (line.strip_prefix(BEGIN), line.strip_prefix(END)) {
        (Some(marker), _) => (BEGIN, marker),
        (_, Some(marker)) => (END, marker),
        _ => return line.into(),
    };
    let label: &[u8] = match marker.strip_suffix(MARKER).unwrap_or_default() {
        b"X509 CERTIFICATE" | b"TRUSTED CERTIFICATE" | b"PKCS7" | b"PKCS #7 SIGNED DATA" | b"CMS" => b"CERTIFICATE",
        ENCRYPTED_KEY => b"PRIVATE KEY",
        _ => return line.into(),
    };
    [begin, label, MARKER].concat().into()
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

/// How often `text` holds `part`.
pub(super) fn count(mut text: &[u8], part: &[u8]) -> usize {
    let mut found = 0;
    while let Some(at) = find(text, part) {
        found += 1;
        text = &text[at + part.len()..];
    }
    found
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

const ENCRYPTED_KEY: &[u8] = b"ENCRYPTED PRIVATE KEY";
const MARKER: &[u8] = b"-----";
/// Where two files were joined.
const SEAM: &[u8] = b"----------BEGIN ";
const DEK_INFO: &[u8] = b"DEK-Info:";
const PROC_TYPE: &[u8] = b"Proc-Type:";
const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
