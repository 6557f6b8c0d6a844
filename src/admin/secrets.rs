//! Secrets made at random, and what is kept of them.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand;
use zeroize::Zeroizing;

/// So many random octets in hexadecimal.
///
/// # Errors
/// [`NoRandomness`] when the system gives none.
pub(super) fn random_hex<const N: usize>() -> Result<Zeroizing<String>, NoRandomness> {
    let mut octets = Zeroizing::new([0; N]);
    rand::fill(&mut *octets)?;
    Ok(hex(&*octets))
}

/// The system gives no random numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoRandomness;

impl From<Unspecified> for NoRandomness {
    fn from(_: Unspecified) -> Self {
        Self
    }
}

/// SHA-256 over a secret, in hexadecimal. For what is made from 256 random bits, where no slow hash is needed.
pub(super) fn hash(secret: &str) -> String {
    hex(digest(&SHA256, secret.as_bytes()).as_ref()).to_string()
}

/// Whether both are the same, in a time that tells nothing but their lengths.
pub(super) fn same(one: &[u8], other: &[u8]) -> bool {
    verify_slices_are_equal(one, other).is_ok()
}

/// In hexadecimal, lower case.
pub(super) fn hex(octets: &[u8]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(octets.len() * 2));
    for octet in octets {
        for digit in [octet >> 4, octet & 15] {
            text.push(char::from_digit(digit.into(), 16).unwrap_or_default());
        }
    }
    text
}

/// The octets of a text in hexadecimal.
pub(super) fn unhex(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut octets = Zeroizing::new(Vec::with_capacity(text.len() / 2));
    for pair in text.as_bytes().chunks(2) {
        let [high, low] = pair else { return None };
        let digit = |letter: u8| char::from(letter).to_digit(16);
        octets.push(u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()?);
    }
    Some(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_in_hexadecimal_is_read_back() {
        let octets = [0, 1, 0x7f, 0x80, 0xff];
        assert_eq!(hex(&octets).as_str(), "00017f80ff");
        assert_eq!(unhex("00017F80ff").as_deref(), Some(&octets.to_vec()));
        for wrong in ["0", "0g", "+1", "é"] {
            assert_eq!(unhex(wrong), None, "{wrong}");
        }
        let (one, other) = (random_hex::<32>().expect("random"), random_hex::<32>().expect("random"));
        assert!(one.len() == 64 && one != other);
    }
}
