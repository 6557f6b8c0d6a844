//! Writes PEM (RFC 7468).

use zeroize::Zeroizing;

/// A value with its label around it. It may be a key: nothing of it is left in memory but the result, which is wiped.
pub(in crate::certs) fn armour(label: &str, der: &[u8]) -> Zeroizing<String> {
    let letters = der.len().div_ceil(3) * 4;
    // With room for all of it at once: a string that grows leaves copies behind.
    let room = letters + letters.div_ceil(LINE * 4 / 3) + 2 * (label.len() + "-----BEGIN -----\n".len());
    let mut text = Zeroizing::new(String::with_capacity(room));
    for part in ["-----BEGIN ", label, "-----\n"] {
        text.push_str(part);
    }
    for line in der.chunks(LINE) {
        for group in line.chunks(3) {
            let octet = |at: usize| u32::from(group.get(at).copied().unwrap_or_default());
            let bits = octet(0) << 16 | octet(1) << 8 | octet(2);
            for at in 0..4 {
                let letter = ALPHABET[(bits >> (18 - 6 * at)) as usize & 0x3F];
                text.push(if at <= group.len() { char::from(letter) } else { '=' });
            }
        }
        text.push('\n');
    }
    for part in ["-----END ", label, "-----\n"] {
        text.push_str(part);
    }
    text
}

/// 64 letters (RFC 7468 §2).
const LINE: usize = 48;
/// RFC 4648 §4.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#[cfg(test)]
mod tests {
    use rustls_pki_types::CertificateDer;
    use rustls_pki_types::pem::PemObject;

    use super::*;

    #[test]
    fn what_is_written_is_read_again_and_had_room_at_once() {
        for length in 0..200_usize {
            let der: Vec<u8> = (0..length).map(|at| (at * 37 % 256) as u8).collect();
            let text = armour("CERTIFICATE", &der);
            assert!(text.lines().all(|line| line.len() <= 64), "{}", *text);
            let room = text.capacity();
            assert!(text.len() <= room && room < text.len() + 32, "{length}: {} of {room}", text.len());
            assert_eq!(CertificateDer::from_pem_slice(text.as_bytes()).expect("PEM").as_ref(), der);
        }
    }
}
