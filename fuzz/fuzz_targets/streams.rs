//! Reads any octets as what a client sends over HTTP/2: how they are cut up makes no difference to what is read.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run streams`

#![no_main]

use libfuzzer_sys::fuzz_target;
use vitrine::proxy::read_streams;

/// The preface, and settings that say nothing.
const OPENING: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

fuzz_target!(|octets: &[u8]| {
    let whole = read_streams(&[OPENING, octets]);
    let middle = octets.len() / 2;
    for pieces in [vec![&octets[..middle], &octets[middle..]], octets.chunks(1).collect()] {
        let read = read_streams(&[&[OPENING], &pieces[..]].concat());
        assert_eq!(read.requests, whole.requests);
        assert_eq!(read.is_over, whole.is_over);
    }
});
