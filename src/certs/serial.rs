//! Serial numbers in both forms that they are told in: hexadecimal as openssl has them, and kept; decimal as dashboards have them.

use std::fmt::Write;

/// The decimal number of a hexadecimal one, of any length.
#[must_use]
pub fn in_decimal(digits: &str) -> String {
    let pairs = digits.as_bytes().chunks(2).filter_map(|pair| str::from_utf8(pair).ok());
    decimal(&pairs.filter_map(|pair| u8::from_str_radix(pair, 16).ok()).collect::<Vec<_>>())
}

/// A big-endian number in decimal, of any length: serial numbers have up to 20 octets (RFC 5280 §4.1.2.2).
pub(super) fn decimal(octets: &[u8]) -> String {
    // Nine digits each, the last ones first.
    let mut groups = vec![0_u64];
    let (first, rest) = octets.split_at(octets.len() % 4);
    for four in std::iter::once(first).chain(rest.chunks(4)) {
        let mut carry = four.iter().fold(0, |number, octet| number << 8 | u64::from(*octet));
        for group in &mut groups {
            let value = (*group << (8 * four.len())) + carry;
            (*group, carry) = (value % NINE_DIGITS, value / NINE_DIGITS);
        }
        while carry > 0 {
            groups.push(carry % NINE_DIGITS);
            carry /= NINE_DIGITS;
        }
    }
    let mut text = groups.pop().unwrap_or_default().to_string();
    for group in groups.iter().rev() {
        let _ = write!(text, "{group:09}");
    }
    text
}

const NINE_DIGITS: u64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certs::certificate::hexadecimal;

    #[test]
    fn serial_numbers_are_told_in_decimal() {
        for (octets, text) in [
            (vec![], "0"),
            (vec![0, 10], "10"),
            (vec![1, 0], "256"),
            (vec![0x3B, 0x9A, 0xCA, 0x00], "1000000000"),
            (vec![1, 0, 0, 0, 0], "4294967296"),
            (vec![0xFF; 5], "1099511627775"),
            (vec![0xFF; 8], "18446744073709551615"),
            (vec![0x7F; 20], "727885129180488904360266563744972327436484050815"),
        ] {
            assert_eq!((&*decimal(&octets), &*in_decimal(&hexadecimal(&octets))), (text, text));
        }
    }
}
