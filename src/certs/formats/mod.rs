//! What a file holds, whatever its form: recognised by the content, never by the name.
//!
//! `text` brings any encoding down to octets, `pem` finds blocks in it, `der` tells what a binary value is, `pkcs7` and `pkcs12`
//! take certificates and keys out of one, and `traditional` opens what openssl encrypted before there was PKCS#8. What leaves is
//! written by `armour`, `pfx` and `pkcs8`.

mod armour;
mod der;
mod pem;
mod pfx;
mod pkcs12;
mod pkcs7;
mod pkcs8;
mod text;
mod traditional;

use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

pub(super) use armour::armour;
pub(super) use der::{Der, modulus, value};
pub(super) use pem::contains;
pub(super) use pfx::pfx;
pub(super) use pkcs8::{encrypted, pkcs8};

use self::pem::{Block, Text};
use super::flaw::Flaw;
use super::password::Password;

/// What a file holds, in its order, still DER.
#[derive(Default)]
pub(super) struct Items {
    pub(super) certificates: Vec<CertificateDer<'static>>,
    /// Wiped when dropped, also where reading ends early: the type itself is not.
    pub(super) keys: Vec<Zeroizing<PrivateKeyDer<'static>>>,
    /// Whether whoever reads the file has a key.
    pub(super) has_open_key: bool,
}

impl Items {
    /// Reads a whole file. The password opens whatever of it is encrypted.
    pub(super) fn read(content: &[u8], password: &Password) -> Result<Self, Flaw> {
        let narrowed = text::from_utf16(content);
        let content = text::without_mark(narrowed.as_deref().map_or(content, Vec::as_slice));
        if content.iter().all(u8::is_ascii_whitespace) {
            return Err(Flaw::new("empty", "the file is empty", "write the certificate or the key into it"));
        }
        let mut items = Self::default();
        let text = Text::of(content);
        if text.has_blocks() {
            items.take_blocks(&text, password)?;
        } else {
            items.take_value(content, password)?;
        }
        Ok(items)
    }

    fn take_blocks(&mut self, text: &Text<'_>, password: &Password) -> Result<(), Flaw> {
        if let Some(flaw) = text.unsupported() {
            return Err(flaw);
        }
        for block in text.blocks() {
            match block? {
                Block::Certificates(der) => self.take_certificates(&der)?,
                Block::Key(key) => {
                    self.has_open_key = true;
                    self.keys.push(key);
                }
                Block::EncryptedKey(info) => self.keys.push(pkcs12::encrypted_key(&info, password)?),
                Block::Veiled(veiled) => {
                    let der = traditional::decrypt(&veiled.cipher, &veiled.content, password)?;
                    self.keys.extend(veiled.key(&der));
                }
            }
        }
        if self.certificates.is_empty() && self.keys.is_empty() { Err(text.nothing()) } else { Ok(()) }
    }

    /// Takes a block's content. What is wrong with a certificate is told by whoever reads it, which not every one is: most are
    /// known from the last look.
    fn take_certificates(&mut self, der: &[u8]) -> Result<(), Flaw> {
        if der::is_signed_data(der) {
            self.certificates.extend(pkcs7::certificates(der)?);
        } else {
            self.certificates.push(der::first(der).unwrap_or(der).to_vec().into());
        }
        Ok(())
    }

    /// Takes a file that is no text.
    fn take_value(&mut self, content: &[u8], password: &Password) -> Result<(), Flaw> {
        match Der::of(content) {
            Some(Der::Certificate(certificate)) => self.certificates.push(certificate.to_vec().into()),
            Some(Der::Key(key)) => {
                self.has_open_key = true;
                self.keys.push(key.clone_key().into());
            }
            Some(Der::Pkcs7(message)) => self.certificates.extend(pkcs7::certificates(message)?),
            Some(Der::EncryptedKey(info)) => self.keys.push(pkcs12::encrypted_key(info, password)?),
            Some(Der::Pkcs12(file)) => *self = pkcs12::read(file, password)?,
            Some(Der::Request) => return Err(request()),
            Some(Der::Other) => return Err(der::unknown()),
            None if der::is_cut_off(content) => return Err(truncated("the file is shorter than its content says")),
            None => return Err(neither()),
        }
        if self.certificates.is_empty() && self.keys.is_empty() { Err(neither()) } else { Ok(()) }
    }
}

/// A key of a kind that no browser or no server takes.
pub(in crate::certs) fn unsupported_key() -> Flaw {
    Flaw::new(
        "key-unsupported",
        "the private key is not one of ECDSA on P-256, P-384 or P-521, Ed25519, or RSA of 2048 to 8192 bits",
        "make a new key with: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out NEW, and a new certificate",
    )
}

fn truncated(found: &str) -> Flaw {
    Flaw::new(
        "truncated",
        format!("{found}: it is cut off, or still being written"),
        "copy the file again, best under another name first and then renamed",
    )
}

fn request() -> Flaw {
    Flaw::new(
        "certificate-request",
        "the file holds a certificate request, neither certificate nor key",
        "send the request to a certification authority, and put here what comes back",
    )
}

fn neither() -> Flaw {
    Flaw::new(
        "nothing",
        "the file holds neither certificate nor key",
        "put the certificate or the key here, in PEM (-----BEGIN ...) or DER, or take the file away",
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nMAMCAQE=\n-----END CERTIFICATE-----\n";
    const KEY: &str = "-----BEGIN PRIVATE KEY-----\nMAMCAQE=\n-----END PRIVATE KEY-----\n";

    fn counts(content: &[u8]) -> Result<(usize, usize), &'static str> {
        Items::read(content, &Password::Absent)
            .map(|items| (items.certificates.len(), items.keys.len()))
            .map_err(|flaw| flaw.code)
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
    fn text_in_utf_16_is_read() {
        let both = format!("Straße\r\n{CERTIFICATE}{KEY}");
        let little = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
        let big = |text: &str| text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<u8>>();
        let marked = format!("\u{feff}{both}");
        for content in [little(&both), little(&marked), big(&both), big(&marked)] {
            assert_eq!(counts(&content), Ok((1, 1)), "{content:?}");
        }
    }

    #[test]
    fn what_is_not_read_is_named() {
        let label = |label: &str| format!("-----BEGIN {label}-----\nMAMCAQE=\n-----END {label}-----\n").into_bytes();
        for (content, code) in [
            (Vec::new(), "empty"),
            (b" \r\n ".to_vec(), "empty"),
            (b"hello".to_vec(), "nothing"),
            (vec![0; 100], "nothing"),
            (label("ENCRYPTED PRIVATE KEY"), "encrypted-key"),
            (KEY.replace("MAM", "Proc-Type: 4,ENCRYPTED\nDEK-Info: SEED-CBC,00\n\nMAM").into_bytes(), "encrypted-key"),
            (label("OPENSSH PRIVATE KEY"), "openssh-key"),
            (label("DSA PRIVATE KEY"), "key-unsupported"),
            (label("VITRINE SEALED FILE"), "sealed"),
            (label("CERTIFICATE REQUEST"), "certificate-request"),
            (label("NEW CERTIFICATE REQUEST"), "certificate-request"),
            (label("DH PARAMETERS"), "nothing"),
            (CERTIFICATE.as_bytes()[..40].to_vec(), "truncated"),
            (CERTIFICATE.replace("MAM", "M?M").into_bytes(), "malformed"),
            (vec![0x30, 0x02, 0x05, 0x00], "der"),
            (vec![0x30, 0x82, 0x00, 0x02, 0x05], "truncated"),
            (vec![0x30, 0x06, 0x02, 0x01, 0x03, 0x30, 0x01, 0x00], "malformed"),
            (vec![0x30, 0x80, 0x02, 0x01, 0x03, 0x30, 0x80, 0x00], "pkcs12"),
            (b"\x30\x0B\x06\x09\x2A\x86\x48\x86\xF7\x0D\x01\x07\x02".to_vec(), "pkcs7"),
        ] {
            assert_eq!(counts(&content), Err(code), "{}", String::from_utf8_lossy(&content));
        }
    }

    #[test]
    fn what_has_the_one_form_reads_as_what_is_brought_into_it() {
        let legacy =
            "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nMAMCAQE=\n-----END RSA PRIVATE KEY-----\n";
        let cut = &CERTIFICATE[..40];
        for text in [
            format!("{CERTIFICATE}{KEY}"),
            format!("Bag Attributes\n{CERTIFICATE}\n\nkey:\n{KEY}text behind it\n"),
            format!("{KEY}{CERTIFICATE}{CERTIFICATE}"),
            format!("{CERTIFICATE}{cut}\n{KEY}"),
            CERTIFICATE.replace("MAM", "M?M"),
            legacy.to_owned(),
            cut.to_owned(),
        ] {
            let spaced = text.replace('\n', " \r\n");
            assert_eq!(counts(text.as_bytes()), counts(spaced.as_bytes()), "{text}");
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
            let flaw = Items::read(text.as_bytes(), &Password::Absent).err().expect("a flaw");
            assert!(!flaw.to_string().contains("c2VjcmV0"), "{flaw}");
        }
    }

    proptest! {
        #[test]
        fn no_content_makes_it_panic(content in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = Items::read(&content, &Password::Absent);
        }

        #[test]
        fn no_damage_makes_it_panic(at in 0..100_usize, byte: u8) {
            let mut content = format!("{CERTIFICATE}{KEY}").into_bytes();
            content[at] = byte;
            let _ = Items::read(&content, &Password::Absent);
        }
    }
}
