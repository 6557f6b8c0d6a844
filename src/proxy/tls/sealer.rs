//! Seals records: what is written is encrypted straight into the room that it goes out from. rustls copies it into a buffer that it makes
//! for each record, and from there into a room of ours: 64 KiB cost some hundredths more that way.

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use rustls::crypto::cipher::{self, Iv, make_tls12_aad, make_tls13_aad};
use rustls::{ConnectionTrafficSecrets, ContentType, Error, ProtocolVersion, SupportedCipherSuite};

use super::scratch::Outgoing;

/// A key that records are sealed with, and how many were.
pub(super) struct Sealer {
    key: LessSafeKey,
    iv: Iv,
    sequence: u64,
    shape: Shape,
    /// How many records the key may seal (RFC 8446 §5.5).
    most: u64,
}

/// What a record looks like.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// TLS 1.3: its kind is behind its content, and encrypted (RFC 8446 §5.2).
    Inner,
    /// TLS 1.2 with AES-GCM: the nonce's second part goes before it (RFC 5288 §3).
    Explicit,
    /// TLS 1.2 with ChaCha20-Poly1305 (RFC 7905 §2).
    Bare,
}

impl Sealer {
    /// A sealer that goes on where `sequence` records were sealed.
    ///
    /// # Errors
    /// When the library offers a cipher that has no name here.
    pub(super) fn new(
        secrets: &ConnectionTrafficSecrets,
        sequence: u64,
        suite: SupportedCipherSuite,
    ) -> Result<Self, Error> {
        let (algorithm, key, iv) = match secrets {
            ConnectionTrafficSecrets::Aes128Gcm { key, iv } => (&AES_128_GCM, key, iv),
            ConnectionTrafficSecrets::Aes256Gcm { key, iv } => (&AES_256_GCM, key, iv),
            ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => (&CHACHA20_POLY1305, key, iv),
            _ => return Err(Error::General("a cipher without a name here".into())),
        };
        let (shape, common) = match suite {
            SupportedCipherSuite::Tls13(suite) => (Shape::Inner, &suite.common),
            SupportedCipherSuite::Tls12(suite) if suite.aead_alg.key_block_shape().explicit_nonce_len > 0 => {
                (Shape::Explicit, &suite.common)
            }
            SupportedCipherSuite::Tls12(suite) => (Shape::Bare, &suite.common),
        };
        let key = UnboundKey::new(algorithm, key.as_ref()).map_err(|_| Error::EncryptError)?;
        Ok(Self {
            key: LessSafeKey::new(key),
            iv: Iv::copy(iv.as_ref()),
            sequence,
            shape,
            most: common.confidentiality_limit.min(SEQUENCES),
        })
    }

    /// Whether the key may seal one record more and no other.
    pub(super) const fn is_worn(&self) -> bool {
        self.sequence + 1 >= self.most
    }

    /// Seals at most [`super::scratch::RECORD`] octets as one record.
    ///
    /// # Errors
    /// [`Error::EncryptError`] when the key is used up, and when the library fails, of which no way is known.
    pub(super) fn seal(&mut self, kind: ContentType, content: &[u8], outgoing: &mut Outgoing) -> Result<(), Error> {
        if self.sequence >= self.most {
            return Err(Error::EncryptError);
        }
        let (inner, explicit) = match self.shape {
            Shape::Inner => (&[u8::from(kind)][..], 0),
            Shape::Explicit => (&[][..], EXPLICIT),
            Shape::Bare => (&[][..], 0),
        };
        let payload = explicit + content.len() + inner.len() + TAG;
        let nonce = cipher::Nonce::new(&self.iv, self.sequence).0;
        outgoing.add_whole(HEADER + payload, |room| {
            let (header, room) = room.split_at_mut(HEADER);
            header[0] = u8::from(if inner.is_empty() { kind } else { ContentType::ApplicationData });
            header[1..3].copy_from_slice(&VERSION);
            header[3..].copy_from_slice(&u16::try_from(payload).map_err(|_| Error::EncryptError)?.to_be_bytes());
            let (before, room) = room.split_at_mut(explicit);
            before.copy_from_slice(&nonce[nonce.len() - explicit..]);
            let (text, behind) = room.split_at_mut(content.len());
            let nonce = Nonce::assume_unique_for_key(nonce);
            let sealed = if self.shape == Shape::Inner {
                let aad = Aad::from(make_tls13_aad(payload));
                self.key.seal_out_of_place_scatter(nonce, aad, content, text, inner, behind)
            } else {
                let aad = Aad::from(make_tls12_aad(self.sequence, kind, ProtocolVersion::TLSv1_2, content.len()));
                self.key.seal_out_of_place_scatter(nonce, aad, content, text, inner, behind)
            };
            sealed.map_err(|_| Error::EncryptError)
        })?;
        self.sequence += 1;
        Ok(())
    }

    /// The key wears out with so many records more.
    #[cfg(test)]
    pub(super) const fn wear(&mut self, records: u64) {
        self.most = self.sequence + records;
    }
}

/// RFC 8446 §5.1
pub(super) const HEADER: usize = 5;
/// As TLS 1.2 has it, and TLS 1.3 keeps it (RFC 8446 §5.1).
const VERSION: [u8; 2] = [3, 3];
/// RFC 5288 §3
const EXPLICIT: usize = 8;
/// Of all three ciphers (RFC 5116 §5).
const TAG: usize = 16;
/// As many numbers as there are, and some fewer, for what is said at the end.
const SEQUENCES: u64 = u64::MAX - 0xffff;
