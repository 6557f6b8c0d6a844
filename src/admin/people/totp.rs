//! Codes that a telephone computes from the time (RFC 6238), and how a secret gets onto one.

use std::fmt::Write;

use aws_lc_rs::hmac;
use qrcodegen::{QrCode, QrCodeEcc};
use zeroize::Zeroizing;

use crate::admin::secrets::same;

/// The step that a code is of, if it is one of now, of the step before or of the one after: clocks differ, and people type slowly.
/// Those up to `last` have been used.
pub(super) fn step_of(secret: &[u8], code: &str, now: i64, last: i64) -> Option<i64> {
    let step = now.div_euclid(STEP);
    let code: String = code.chars().filter(|letter| !letter.is_whitespace()).collect();
    // All of them, so that the time tells nothing.
    let fits = |step: i64| same(at(secret, step).as_bytes(), code.as_bytes()) && step > last;
    (step - 1..=step + 1).fold(None, |found, step| if fits(step) { Some(step) } else { found })
}

/// The code of a step (RFC 4226 §5.3).
pub(super) fn at(secret: &[u8], step: i64) -> Zeroizing<String> {
    // SHA-1, since that is what the programs on telephones compute whatever they are told.
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let tag = tag.as_ref();
    let at = usize::from(tag.last().copied().unwrap_or_default() & 15);
    let octets = tag.get(at..at + 4).unwrap_or(&[0; 4]);
    let number = octets.iter().fold(0_u32, |number, octet| (number << 8) | u32::from(*octet)) & 0x7fff_ffff;
    Zeroizing::new(format!("{:06}", number % 1_000_000))
}

/// A secret as people type it (RFC 4648 §6, without padding).
pub(super) fn base32(secret: &[u8]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(secret.len().div_ceil(5) * 8));
    let (mut bits, mut count) = (0_u32, 0);
    for octet in secret {
        (bits, count) = ((bits << 8) | u32::from(*octet), count + 8);
        while count >= 5 {
            count -= 5;
            text.push(char::from(ALPHABET[(bits >> count) as usize & 31]));
        }
    }
    if count > 0 {
        text.push(char::from(ALPHABET[(bits << (5 - count)) as usize & 31]));
    }
    text
}

/// What a telephone reads.
pub(super) fn uri(secret: &[u8], user: &str) -> Zeroizing<String> {
    let user = crate::outbound::escaped(user);
    Zeroizing::new(format!("otpauth://totp/Vitrine:{user}?secret={}&issuer=Vitrine", *base32(secret)))
}

/// A picture of a text for the camera of a telephone, as SVG; `None` when it is too long for one.
pub(in crate::admin) fn picture(text: &str) -> Option<Zeroizing<String>> {
    let code = QrCode::encode_text(text, QrCodeEcc::Medium).ok()?;
    let size = code.size();
    let mut path = Zeroizing::new(String::new());
    for (x, y) in (0..size).flat_map(|y| (0..size).map(move |x| (x, y))).filter(|(x, y)| code.get_module(*x, *y)) {
        let _ = write!(path, "M{},{}h1v1h-1z", x + QUIET, y + QUIET);
    }
    let side = size + 2 * QUIET;
    Some(Zeroizing::new(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" width=\"{0}\" height=\"{0}\" role=\"img\"><path \
         fill=\"#fff\" d=\"M0,0h{side}v{side}h-{side}z\"/><path fill=\"#000\" d=\"{1}\"/></svg>",
        side * 4,
        *path
    )))
}

/// Seconds that a code is shown.
const STEP: i64 = 30;
/// ISO/IEC 18004 asks for so much white around it.
const QUIET: i32 = 4;
const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECRET: &[u8] = b"12345678901234567890";

    #[test]
    fn codes_are_those_of_the_standard() {
        // RFC 6238, appendix B, the last six digits.
        for (now, code) in
            [(59, "287082"), (1_111_111_109, "081804"), (1_234_567_890, "005924"), (20_000_000_000, "353130")]
        {
            assert_eq!(step_of(SECRET, code, now, 0), Some(now / 30), "{now}");
        }
        assert_eq!(*base32(SECRET), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        assert_eq!((&**base32(b"f"), &**base32(b"foobar")), ("MY", "MZXW6YTBOI"));
    }

    #[test]
    fn a_code_holds_for_a_step_more_on_both_sides_and_once() {
        let code = at(SECRET, 100);
        let spaced = format!(" {} {}", &code[..3], &code[3..]);
        let fits = |now: i64| step_of(SECRET, &spaced, now, 0).is_some();
        assert_eq!([2969, 2970, 3000, 3059, 3060].map(fits), [false, true, true, true, false]);
        assert_eq!(step_of(SECRET, &code, 3000, 100), None);
        assert_eq!(step_of(SECRET, &code, 3000, 99), Some(100));
        assert_eq!(step_of(SECRET, "", 3000, 0), None);
    }

    #[test]
    fn the_picture_is_a_picture() {
        let picture = picture(&uri(SECRET, "anna@shop.example")).expect("a picture");
        assert!(
            picture.starts_with("<svg ") && picture.ends_with("</svg>") && !picture.contains("anna"),
            "{}",
            *picture
        );
        assert!(uri(SECRET, "a b").starts_with("otpauth://totp/Vitrine:a%20b?secret=GEZDGNBV"));
    }

    proptest! {
        #[test]
        fn no_text_is_a_code_but_the_six_digits(text in "\\PC{0,12}") {
            if step_of(SECRET, &text, 3000, 0).is_some() {
                let digits: String = text.chars().filter(|letter| !letter.is_whitespace()).collect();
                prop_assert!(digits.len() == 6 && digits.bytes().all(|digit| digit.is_ascii_digit()));
            }
        }
    }
}
