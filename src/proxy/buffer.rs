//! Buffers whose content is copied on, as large pieces.
//!
//! The C library copies more than 4 KiB by `rep movsb`, which on AMD's Zen 3 and Zen 4 takes twenty times as long where the
//! target begins a few octets behind the source within its page. rustls copies what it encrypts to the sixth octet of a block,
//! and the allocator begins large blocks with a page: the worst case, and the usual one. Content that begins [`INSET`] octets
//! into its block is clear of it. It made a response of 1 MiB a quarter cheaper.

use bytes::{Buf, BytesMut};

/// An empty buffer with room for `room` octets.
pub(super) fn with_room(room: usize) -> BytesMut {
    let mut buffer = BytesMut::with_capacity(room + INSET);
    begin(&mut buffer);
    buffer
}

/// Makes room for `room` octets behind what is there.
pub(super) fn reserve(buffer: &mut BytesMut, room: usize) {
    if !buffer.is_empty() {
        buffer.reserve(room);
    } else if buffer.capacity() < room {
        buffer.reserve(room + INSET);
        begin(buffer);
    }
}

/// A copy of `octets`.
pub(super) fn copy(octets: &[u8]) -> BytesMut {
    if octets.len() < LARGE {
        return octets.into();
    }
    let mut buffer = with_room(octets.len());
    buffer.extend_from_slice(octets);
    buffer
}

fn begin(buffer: &mut BytesMut) {
    buffer.resize(INSET, 0);
    buffer.advance(INSET);
}

/// How far content begins behind the beginning of its block.
pub(super) const INSET: usize = 512;
/// The most of a body that is read, and that is written, at once. Behind its [`INSET`] it fills a block of 64 KiB, and with the
/// records of TLS around it it fits into one packet for the kernel to cut up, which would make another one of a few octets more: a
/// response of 1 MiB needs an eighth less CPU time than with 64 KiB.
pub(super) const PIECE: usize = 64 * 1024 - INSET;
/// The least that is copied the slow way.
const LARGE: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_content_begins_behind_the_beginning_of_its_page() {
        let mut buffer = with_room(1 << 17);
        for _ in 0..3 {
            assert!(buffer.is_empty() && buffer.capacity() >= 1 << 17);
            buffer.extend_from_slice(&[1; 1 << 17]);
            let block = buffer.as_ptr().addr() - INSET;
            assert_eq!(block % 16, 0, "not where the block begins");
            drop(buffer.split());
            reserve(&mut buffer, 1 << 17);
        }
        assert_eq!((copy(b"small"), copy(&[7; LARGE])), (b"small"[..].into(), [7; LARGE][..].into()));
    }
}
