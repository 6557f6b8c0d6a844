//! Texts in addresses.

/// A text as a segment of a path or a value of a query (RFC 3986 §2.3).
#[must_use]
pub fn escaped(text: &str) -> String {
    let escape = |octet: u8| match octet {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(octet).to_string(),
        _ => format!("%{octet:02X}"),
    };
    text.bytes().map(escape).collect()
}
