//! Reads any octets as a client's requests over HTTP/1: how they are cut up makes no difference to what is read.
//!
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run requests`

#![no_main]

use libfuzzer_sys::fuzz_target;
use vitrine::proxy::read_requests;

fuzz_target!(|octets: &[u8]| {
    let whole = read_requests(&[octets]);
    assert!(whole.left <= octets.len());
    let middle = octets.len() / 2;
    for pieces in [vec![&octets[..middle], &octets[middle..]], octets.chunks(1).collect()] {
        let read = read_requests(&pieces);
        assert_eq!(read.whole, whole.whole);
        assert_eq!(read.refused.is_some(), whole.refused.is_some());
    }
});
