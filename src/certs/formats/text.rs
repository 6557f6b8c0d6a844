//! Text in the encodings that editors of operators write.

use zeroize::Zeroizing;

/// Text in UTF-16, with a byte order mark or without, as ASCII: what is not ASCII stands around the blocks and becomes "?".
/// `None` when it is something else.
pub(super) fn from_utf16(content: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (is_big, units) = match content {
        [0xFF, 0xFE, units @ ..] => (false, units),
        [0xFE, 0xFF, units @ ..] => (true, units),
        [1..=u8::MAX, 0, ..] => (false, content),
        [0, 1..=u8::MAX, ..] => (true, content),
        _ => return None,
    };
    let ascii = |pair: &[u8; 2]| {
        let unit = if is_big { u16::from_be_bytes(*pair) } else { u16::from_le_bytes(*pair) };
        u8::try_from(unit).ok().filter(u8::is_ascii).unwrap_or(b'?')
    };
    let (pairs, _half) = units.as_chunks();
    Some(Zeroizing::new(pairs.iter().map(ascii).collect()))
}

/// Without the byte order mark that Windows puts before UTF-8.
pub(super) fn without_mark(content: &[u8]) -> &[u8] {
    content.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(content)
}
